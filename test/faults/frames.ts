/** Where requests end and what an answer is made of, for HTTP/1.1 and for HTTP/2: as much as a proxy has to know to break it there. */

export type Protocol = 'http1' | 'http2'

/** What passes from the service to the client. `control`: connection upkeep of HTTP/2, no part of an answer. */
export interface Piece {
  readonly part: 'control' | 'head' | 'body'
  readonly bytes: Buffer
}

/** Bytes of one direction in; `take` gives how many requests ended with them, or the pieces they complete. */
export interface Reader<T> {
  take(chunk: Buffer): T
}

export const requestReader = (protocol: Protocol): Reader<number> =>
  protocol === 'http1' ? http1Requests() : http2Requests()

export const answerReader = (protocol: Protocol): Reader<Piece[]> =>
  protocol === 'http1' ? http1Answers() : http2Answers()

const HEAD_END = '\r\n\r\n'

const lengthOf = (head: Buffer): number =>
  Number(/^content-length:\s*(\d+)\s*$/im.exec(head.toString('latin1'))?.[1] ?? 0)

function http1Requests(): Reader<number> {
  let pending = Buffer.alloc(0)
  return {
    take(chunk) {
      pending = Buffer.concat([pending, chunk])
      for (let ended = 0; ; ended++) {
        const head = pending.indexOf(HEAD_END)
        const whole = head < 0 ? Number.POSITIVE_INFINITY : head + 4 + lengthOf(pending.subarray(0, head))
        if (pending.length < whole) return ended
        pending = pending.subarray(whole)
      }
    },
  }
}

/** One head, and all that follows until its announced length is there; then the next. Without a length: until the end. */
function http1Answers(): Reader<Piece[]> {
  let pending = Buffer.alloc(0)
  let left = 0
  return {
    take(chunk) {
      pending = Buffer.concat([pending, chunk])
      const pieces: Piece[] = []
      while (pending.length > 0) {
        if (left > 0) {
          const bytes = pending.subarray(0, Math.min(left, pending.length))
          pieces.push({ part: 'body', bytes })
          left -= bytes.length
          pending = pending.subarray(bytes.length)
          continue
        }
        const head = pending.indexOf(HEAD_END)
        if (head < 0) break
        const bytes = pending.subarray(0, head + 4)
        pieces.push({ part: 'head', bytes })
        left = /^transfer-encoding:/im.test(bytes.toString('latin1')) ? Number.POSITIVE_INFINITY : lengthOf(bytes)
        pending = pending.subarray(head + 4)
      }
      return pieces
    },
  }
}

/** RFC 9113 §3.4, §4.1. */
const PREFACE_BYTES = 24
const FRAME_HEAD_BYTES = 9
const DATA = 0
const HEADERS = 1
const END_STREAM = 1

interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly bytes: Buffer
}

function frames(skip: number): Reader<Frame[]> {
  let pending = Buffer.alloc(0)
  let before = skip
  return {
    take(chunk) {
      pending = Buffer.concat([pending, chunk])
      const passed = Math.min(before, pending.length)
      before -= passed
      pending = pending.subarray(passed)
      const out: Frame[] = []
      if (before > 0) return out
      while (pending.length >= FRAME_HEAD_BYTES) {
        const whole = FRAME_HEAD_BYTES + pending.readUIntBE(0, 3)
        if (pending.length < whole) break
        const [type = 0, flags = 0] = pending.subarray(3, 5)
        const stream = pending.readUInt32BE(5) & 0x7fffffff
        out.push({ type, flags, stream, bytes: pending.subarray(0, whole) })
        pending = pending.subarray(whole)
      }
      return out
    },
  }
}

function http2Requests(): Reader<number> {
  const reader = frames(PREFACE_BYTES)
  const ends = ({ type, flags }: Frame): boolean => (type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0
  return { take: chunk => reader.take(chunk).filter(ends).length }
}

function http2Answers(): Reader<Piece[]> {
  const reader = frames(0)
  const partOf = ({ type, stream }: Frame): Piece['part'] =>
    stream === 0 || type > HEADERS ? 'control' : type === HEADERS ? 'head' : 'body'
  return { take: chunk => reader.take(chunk).map(frame => ({ part: partOf(frame), bytes: frame.bytes })) }
}
