import { fromBase64 } from './bytes.ts'
import { clientError } from './errors.ts'

const SIGNATURE_BYTES_MAX = 64

/**
 * An envelope ends with the number of its signatures and the list of them (hint, length, bytes), so what was sent and what
 * comes back differ in that number and in what follows it, or are two transactions.
 * @returns `signed`. @throws `client/answer` unless it is `sent` with signatures put behind its own
 */
export function sameButSigned(sent: string, signed: unknown): string {
  if (typeof signed === 'string' && addsSignatures(fromBase64(sent), fromBase64(signed))) return signed
  throw clientError('client/answer', 'The answer holds another envelope than the one that was sent')
}

function addsSignatures(before: Uint8Array, after: Uint8Array): boolean {
  if (before.length < 4 || after.length < before.length) return false
  const changed = before.findIndex((byte, at) => byte !== after[at])
  if (changed < 0) return after.length === before.length
  const start = changed + 1 // of the list: there are never so many that more than the last byte of the number changes
  const [had, has] = [before[changed] ?? 0, after[changed] ?? 0]
  if (before.some((byte, at) => at !== changed && byte !== after[at])) return false
  return endOfList(before, start, had) === before.length && endOfList(after, start, has) === after.length && has > had
}

/** @returns where a list of so many signatures ends; undefined when there is no such list */
function endOfList(bytes: Uint8Array, start: number, count: number): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (start % 4 !== 0) return undefined
  let at = start
  for (let left = count; left > 0; left--) {
    if (at + 8 > bytes.length) return undefined
    const length = view.getUint32(at + 4)
    if (length > SIGNATURE_BYTES_MAX) return undefined
    at += 8 + 4 * Math.ceil(length / 4)
  }
  return at
}
