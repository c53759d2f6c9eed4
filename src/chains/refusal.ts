import { SignerError } from '../domain/errors.ts'

const REASON_CHARS_MAX = 240

/** Reasons may quote what a caller sent: kept short and printable. */
export function refuse(field: string, reason: string, cause?: unknown): SignerError<'payload/invalid'> {
  const detail = { field, reason: printable(reason) }
  return cause === undefined
    ? new SignerError('payload/invalid', detail)
    : new SignerError('payload/invalid', detail, { cause })
}

function printable(text: string): string {
  const short = text.length > REASON_CHARS_MAX ? `…${text.slice(1 - REASON_CHARS_MAX)}` : text
  let out = ''
  for (const character of short) {
    const code = character.codePointAt(0) ?? 0
    out += (code >= 0x20 && code < 0x7f) || character === '…' ? character : '?'
  }
  return out
}
