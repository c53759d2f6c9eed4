/** What somebody with write access to the disk can do to a log: change, remove, swap and add records, with valid checksums. */
import { frameOf } from '../../src/audit/frame.ts'
import type { MemoryFiles } from '../../src/audit/memory-files.ts'

export interface FoundFrame {
  readonly offset: number
  readonly end: number
  readonly text: string
}

/** Splits a sound segment into its frames; the first is the header. Written without the reader under test. */
export function framesOf(bytes: Uint8Array): FoundFrame[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const frames: FoundFrame[] = []
  for (let offset = 0; offset < bytes.length; ) {
    const end = offset + 13 + view.getUint32(offset)
    frames.push({ offset, end, text: new TextDecoder().decode(bytes.subarray(offset + 12, end - 1)) })
    offset = end
  }
  return frames
}

export function putTexts(files: MemoryFiles, name: string, texts: readonly string[]): void {
  const frames = texts.map(text => frameOf(new TextEncoder().encode(text)))
  const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + frame.length, 0))
  let at = 0
  for (const frame of frames) {
    bytes.set(frame, at)
    at += frame.length
  }
  files.put(name, bytes)
}

/** Rewrites frame `at` (0: the header) of a segment, checksums made good again, chain not. */
export function putRecord(files: MemoryFiles, name: string, at: number, change: (text: string) => string): void {
  putTexts(
    files,
    name,
    framesOf(files.bytes(name)).map(({ text }, n) => (n === at ? change(text) : text)),
  )
}
