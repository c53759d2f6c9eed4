/** Reads the frames of one segment in order, a chunk at a time, and stops at the first that is not whole. */
import type { AuditFile } from './files.ts'
import { FRAME_HEAD, HEADER_BYTES_MAX, readFrame, RECORD_BYTES_MAX } from './frame.ts'

const CHUNK_BYTES = 1024 * 1024
/** Handed over at a time: few enough that what is made of them dies young. */
const FRAMES_MAX = 64

export interface Frame {
  readonly offset: number
  readonly end: number
  /** Valid until the next chunk is asked for. */
  readonly payload: Uint8Array
}

export interface Chunk {
  readonly frames: readonly Frame[]
  /** Present in the last chunk if the segment does not end with a whole frame; the damage starts at `at`. */
  readonly damage?: { readonly at: number; readonly reason: string }
}

/** @param from  offset of a frame; `size` is where reading ends */
export async function* scanFrames(file: AuditFile, size: number, from = 0): AsyncGenerator<Chunk, void, void> {
  let buffer = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(size - from, FRAME_HEAD)))
  let base = from // file offset of buffer[0]
  let filled = 0
  while (base < size) {
    const wanted = Math.min(buffer.length, size - base)
    filled += await file.read(buffer.subarray(filled, wanted), base + filled)
    const isEnd = filled < wanted || base + filled === size
    let frames: Frame[] = []
    let at = 0
    let need = 0
    let reason: string | undefined
    while (at < filled && reason === undefined && need === 0) {
      const reading = readFrame(buffer, at, filled, base + at === 0 ? HEADER_BYTES_MAX : RECORD_BYTES_MAX)
      if (reading.kind === 'frame') {
        frames.push({ offset: base + at, end: base + reading.end, payload: reading.payload })
        at = reading.end
        if (frames.length < FRAMES_MAX) continue
        yield { frames }
        frames = []
      } else if (reading.kind === 'damaged') reason = reading.reason
      else need = reading.need
    }
    if (need > 0 && isEnd) reason = 'the segment ends inside a frame'
    if (reason !== undefined) {
      yield { frames, damage: { at: base + at, reason } }
      return
    }
    yield { frames }
    if (isEnd) return
    const next = need > buffer.length ? new Uint8Array(need) : buffer
    next.set(buffer.subarray(at, filled))
    buffer = next
    base += at
    filled -= at
  }
}

/** Looks for whole frames behind damage, at any offset: after a lost sector nothing says where the next one starts. */
export async function* framesBehind(file: AuditFile, size: number, from: number): AsyncGenerator<Frame, void, void> {
  const step = CHUNK_BYTES
  const overlap = RECORD_BYTES_MAX + FRAME_HEAD + 1
  let skip = 0
  for (let base = from; base < size; base += step) {
    const buffer = new Uint8Array(Math.min(step + overlap, size - base))
    const filled = await file.read(buffer, base)
    for (let at = Math.max(0, skip - base); at < Math.min(step, filled - FRAME_HEAD); at++) {
      // The length of a record fits into two bytes of the four.
      if (buffer[at] !== 0 || buffer[at + 1] !== 0) continue
      const reading = readFrame(buffer, at, filled, RECORD_BYTES_MAX)
      if (reading.kind !== 'frame') continue
      yield { offset: base + at, end: base + reading.end, payload: reading.payload }
      at = reading.end - 1
      skip = base + reading.end
    }
  }
}
