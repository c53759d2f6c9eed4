import type { DigestView, MessageView } from '../../domain/evm.ts'
import { fromBase64, fromBase64Url } from '../../bytes/base64.ts'
import { fromHex } from '../../bytes/hex.ts'
import { deny, type Finding, quote } from '../finding.ts'
import type { EvmRules } from './schema.ts'

/** A message is text that people can read, begins as granted, and stands for nothing else that could be signed. */
export function messageFinding({ messages = [] }: EvmRules, { bytes }: MessageView): Finding {
  if (messages.length === 0) return deny('the policy grants no messages')
  const text = readable(bytes)
  if (text === undefined) {
    return deny(bytes.length === 32 ? '32 bytes are a hash, not a message' : 'the message is not readable text')
  }
  const disguise = disguiseOf(text)
  if (disguise !== undefined) return deny(`the message is ${disguise}`)
  const beginning = messages.filter(({ prefix }) => text.startsWith(prefix))
  if (beginning.length === 0) return deny(`no granted message begins like ${quote(text)}`)
  const most = Math.max(...beginning.map(({ maxBytes }) => maxBytes))
  return bytes.length > most ? deny(`the message has ${bytes.length} bytes, which is above ${most}`) : undefined
}

/** Strict UTF-8 without control characters but tab and line ends, and without marks that turn the order of letters. */
function readable(bytes: Uint8Array): string | undefined {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
  for (let at = 0; at < text.length; at++) if (!isReadable(text.charCodeAt(at))) return undefined
  return text
}

function isReadable(code: number): boolean {
  if (code === 0x09 || code === 0x0a || code === 0x0d) return true
  if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return false
  const turns =
    (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code === 0x200e || code === 0x200f
  return !turns && code !== 0xfeff
}

/** Hashes, transactions and typed data have spellings in text; a message that is one of them says nothing to a reader. */
function disguiseOf(text: string): string | undefined {
  const trimmed = text.trim()
  const hex = trimmed.startsWith('0x') || trimmed.startsWith('0X') ? trimmed.slice(2) : trimmed
  const bytes = fromHex(hex) ?? fromBase64(trimmed) ?? fromBase64Url(trimmed)
  if (bytes !== undefined && bytes.length >= 32) return `${bytes.length} bytes in hex or base64, which may be signable`
  if (!trimmed.startsWith('{') && !trimmed.startsWith('[')) return undefined
  try {
    const value: unknown = JSON.parse(trimmed)
    return isSignable(value) ? 'typed data or a transaction in JSON' : undefined
  } catch {
    return undefined
  }
}

const MARKS = ['primaryType', 'types', 'gasLimit', 'gas', 'tx', 'tx_fee_bump', 'tx_v0']

const isSignable = (value: unknown): boolean =>
  (Array.isArray(value) ? value : [value]).some(
    one => typeof one === 'object' && one !== null && MARKS.some(mark => mark in one),
  )

export const digestFinding = ({ rawDigests }: EvmRules, { digest }: DigestView): Finding => {
  if (rawDigests !== true) return deny('the policy grants no raw digests')
  const text = digest.startsWith('0x') ? digest.slice(2) : digest
  return fromHex(text)?.length === 32 ? undefined : deny('a digest has 32 bytes')
}
