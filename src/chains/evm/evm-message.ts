import { hashMessage } from 'viem/utils'
import { toHex } from '../../bytes/hex.ts'
import { digest32 } from '../../domain/brands.ts'
import type { PayloadParser } from '../../domain/payload.ts'
import { refuse } from '../refusal.ts'
import { bytesIn, bytesOf, fieldsOf, textOf } from './fields.ts'
import { recoverable } from './signature.ts'
import { quoted } from './texts.ts'

const FIELDS = new Set(['type', 'message', 'hex'])
/** As long as a policy may grant. What is longer is not hashed first. */
const MESSAGE_BYTES_MAX = 65_536

/**
 * `{type: 'evm-message', message: 'text'}`, signed as its UTF-8, or `{…, hex: '0x…'}` for any bytes. The prefix of EIP-191
 * (version 0x45, `personal_sign`) is always put before it: nothing that is signed this way is a transaction.
 * @throws `payload/invalid`
 * @see EIP-191
 */
export const evmMessage: PayloadParser = (payload, { network, address }) => {
  const bytes = messageOf(payload)
  const digest = digest32(hashMessage({ raw: bytes }, 'bytes'))
  const text = textIn(bytes)
  const what = text === undefined ? `${bytes.length} bytes that are no text` : `the text ${quoted(text)}`
  const sentence = `Signs ${what} as a message (EIP-191) of ${address}`
  return {
    type: 'evm-message',
    input: { scheme: 'ecdsa-secp256k1', digest },
    hash: toHex(digest),
    sentence: `${sentence}; network ${network}.`,
    view: { kind: 'message', network, form: 'eip-191', bytes },
    operations: ['message'],
    slot: () => undefined,
    describe: () => ({
      json: text === undefined ? { hex: `0x${toHex(bytes)}` } : { message: text },
      sentences: [sentence],
    }),
    attach: (publicKey, signature) => ({ evmSignature: recoverable({ digest, signature, publicKey, address }).text }),
  }
}

function messageOf(payload: Readonly<Record<string, unknown>>): Uint8Array {
  const { message, hex } = fieldsOf(payload, FIELDS, '', 'an evm-message')
  if (hex === undefined)
    return new TextEncoder().encode(within(textOf(message, 'message'), MESSAGE_BYTES_MAX, 'message'))
  if (message !== undefined) throw refuse('hex', 'stands beside message: send one of them')
  return bytesIn(bytesOf(within(textOf(hex, 'hex'), 2 + 2 * MESSAGE_BYTES_MAX, 'hex'), 'hex'))
}

function within(text: string, most: number, at: string): string {
  if (text.length > most) throw refuse(at, `has ${text.length} characters; ${most} is the limit`)
  return text
}

function textIn(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}
