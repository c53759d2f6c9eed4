/** One frame: length, two checksums, payload, line feed. See FORMAT.md. */
import { crc32c } from './crc32c.ts'

/** Bytes before the payload. */
export const FRAME_HEAD = 12
/** Bytes around the payload. */
export const FRAME_OVERHEAD = FRAME_HEAD + 1
/** The 16-bit length of a tlog-tiles entry bundle, so that a record can become a leaf of such a tree. */
export const RECORD_BYTES_MAX = 65_535
/** A segment header may list all open intents. */
export const HEADER_BYTES_MAX = 32 * 1024 * 1024

const LINE_FEED = 10

/** Writes the frame of `payload` into `into` at `at`. @returns the offset behind it */
export function putFrame(into: Uint8Array, at: number, payload: Uint8Array): number {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength)
  view.setUint32(at, payload.length)
  view.setUint32(at + 4, crc32c(payload))
  view.setUint32(at + 8, crc32c(into, at, at + 8))
  into.set(payload, at + FRAME_HEAD)
  into[at + FRAME_HEAD + payload.length] = LINE_FEED
  return at + FRAME_OVERHEAD + payload.length
}

export function frameOf(payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(payload.length + FRAME_OVERHEAD)
  putFrame(bytes, 0, payload)
  return bytes
}

export type FrameReading =
  | { readonly kind: 'frame'; readonly payload: Uint8Array; readonly end: number }
  /** Not all of it is here; `need` bytes from `at` are known to belong to it. */
  | { readonly kind: 'incomplete'; readonly need: number }
  | { readonly kind: 'damaged'; readonly reason: string }

const uint32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0

/** Reads the frame at `at` of `bytes[0, end)`. The payload is a view, not a copy. */
export function readFrame(bytes: Uint8Array, at: number, end: number, lengthMax: number): FrameReading {
  if (end - at < FRAME_HEAD) return { kind: 'incomplete', need: FRAME_HEAD }
  if (crc32c(bytes, at, at + 8) !== uint32(bytes, at + 8)) return BAD_HEAD
  const length = uint32(bytes, at)
  if (length === 0 || length > lengthMax)
    return damaged(`the frame says ${length} bytes: 1 to ${lengthMax} are possible`)
  const close = at + FRAME_HEAD + length
  if (close + 1 > end) return { kind: 'incomplete', need: length + FRAME_OVERHEAD }
  if (crc32c(bytes, at + FRAME_HEAD, close) !== uint32(bytes, at + 4)) return BAD_PAYLOAD
  if (bytes[close] !== LINE_FEED) return BAD_END
  return { kind: 'frame', payload: bytes.subarray(at + FRAME_HEAD, close), end: close + 1 }
}

const damaged = (reason: string): FrameReading => ({ kind: 'damaged', reason })

// One object each: the search behind damage asks at every byte.
const BAD_HEAD = damaged('the frame header fails its checksum')
const BAD_PAYLOAD = damaged('the payload fails its checksum')
const BAD_END = damaged('the line feed behind the payload is missing')
