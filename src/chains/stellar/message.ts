import { xdr } from '@stellar/stellar-sdk/base'
import { toBase64 } from '../../bytes/base64.ts'
import { fromHex, toHex } from '../../bytes/hex.ts'
import { sha256 } from '../../bytes/sha256.ts'
import { digest32 } from '../../domain/brands.ts'
import type { Asked, PayloadParser } from '../../domain/payload.ts'
import { refuse } from '../refusal.ts'
import { fieldsOf, oneOf, textOf } from './fields.ts'
import { bytesOf, XDR_CHARS_MAX } from './parse.ts'
import { toSign } from './to-sign.ts'
import { quoted } from './values.ts'

const encoder = new TextEncoder()
const PREFIX = encoder.encode('Stellar Signed Message:\n')

/**
 * `{type: 'stellar-message', message}`, text as UTF-8, or `{…, bytes}` in base64, taken as they are. May be empty. What is
 * signed is a hash that no transaction and no authorization can have: theirs begin with a network id.
 * @see SEP-53
 */
export const message: PayloadParser = (payload, { network }): Asked => {
  const fields = fieldsOf(payload, 'stellar-message', ['message', 'bytes'])
  const bytes = oneOf(fields, ['message', 'bytes']) === 'message' ? utf8(fields['message']) : binary(fields['bytes'])
  const hash = sha256(PREFIX, bytes)
  const text = new xdr.XdrString(bytes).toJson()
  return {
    type: 'stellar-message',
    input: toSign({ hash }),
    hash: toHex(hash),
    sentence: `${sentenceOf(text, bytes.length)}; network ${network}.`,
    view: { kind: 'message', network, form: 'sep-53', bytes },
    operations: ['message'],
    slot: () => undefined,
    describe: () => ({
      json: { form: 'sep-53', text, bytes: toBase64(bytes) },
      sentences: [`Sign the message ${quoted(text)} (SEP-53)`],
    }),
    attach: () => ({}),
  }
}

function utf8(text: unknown): Uint8Array {
  if (typeof text !== 'string') throw refuse('message', 'must be text')
  if (text.length > XDR_CHARS_MAX)
    throw refuse('message', `has ${text.length} characters; ${XDR_CHARS_MAX} is the limit`)
  if (!text.isWellFormed()) throw refuse('message', 'holds half of a surrogate pair, which UTF-8 cannot write')
  return encoder.encode(text)
}

function binary(text: unknown): Uint8Array {
  if (typeof text !== 'string') throw refuse('bytes', 'must be base64')
  return bytesOf('bytes', text)
}

const TEXT_SHOWN = 600

function sentenceOf(text: string, bytes: number): string {
  const hidden = text.length - TEXT_SHOWN
  const shown = hidden > 0 ? `${quoted(text.slice(0, TEXT_SHOWN))} and ${hidden} more characters` : quoted(text)
  return `Sign the message ${shown} (SEP-53, ${bytes} bytes)`
}

/** `{type: 'raw-digest', digest}`: 64 digits of lower-case hex. It may be the hash of anything, a transaction too. */
export const rawDigest: PayloadParser = (payload, { network }): Asked => {
  const digest = textOf(fieldsOf(payload, 'raw-digest', ['digest']), 'digest', 'a hash in hex')
  const bytes = digest.length === 64 ? fromHex(digest, 'lower') : undefined
  if (bytes === undefined) throw refuse('digest', 'must be 32 bytes in lower-case hex, without 0x')
  const sentence = `SIGN A HASH OF WHICH NOBODY KNOWS WHAT IT STANDS FOR: ${digest}`
  return {
    type: 'raw-digest',
    input: toSign({ hash: digest32(bytes) }),
    hash: digest,
    sentence: `${sentence}; network ${network}.`,
    view: { kind: 'raw-digest', network, digest },
    operations: ['raw-digest'],
    slot: () => undefined,
    describe: () => ({ json: { digest }, sentences: [sentence] }),
    attach: () => ({}),
  }
}
