/** From what stands on the command line to the payload of a request: one form for each payload type. */
import { fromBase64, toBase64 } from '../bytes/base64.ts'
import { toHex } from '../bytes/hex.ts'
import { parseStrictJson } from '../bytes/json.ts'
import type { Payload } from '../client/types.ts'
import { isSignerError } from '../domain/errors.ts'
import type { CliContext } from './context.ts'
import { type Input, readInput, readText, usage } from './input.ts'

interface Form {
  /** What the argument holds, for people. */
  readonly what: string
  readonly bytesMax: number
  /** Whether an argument is the thing itself; any other is the name of a file. */
  readonly isItself: (text: string) => boolean
  readonly members: (text: string) => Readonly<Record<string, unknown>>
}

const ENVELOPE_BYTES_MAX = 65_536
/** More than a service takes: blobs travel with a transaction. */
const PAYLOAD_BYTES_MAX = 4_194_304

/** XDR starts with a discriminant below 256: three bytes of zero. */
const isXdr = (text: string): boolean => text.length > 60 && /^AAAA[A-Za-z0-9+/]+={0,2}$/.test(text)
const isObject = (text: string): boolean => text.startsWith('{')
const isHex = (text: string): boolean => /^0x[0-9A-Fa-f]*$/.test(text)

const jsonForm = (what: string, member: string): Form => ({
  what: `JSON of ${what}`,
  bytesMax: PAYLOAD_BYTES_MAX,
  isItself: isObject,
  members: text => ({ [member]: objectOf('envelope', text) }),
})

const FORMS: Readonly<Record<string, Form>> = {
  'stellar-transaction': {
    what: 'base64 XDR of an envelope',
    bytesMax: ENVELOPE_BYTES_MAX,
    isItself: isXdr,
    members: xdr => ({ xdr }),
  },
  'stellar-auth-entry': {
    what: 'base64 XDR of an authorization entry, or of what is hashed for it (HashIdPreimage)',
    bytesMax: ENVELOPE_BYTES_MAX,
    isItself: isXdr,
    members: text => (isPreimage(text) ? { preimage: text } : { entry: text }),
  },
  'evm-transaction': {
    what: 'JSON of a transaction as JSON-RPC spells it, or its unsigned bytes in 0x hex',
    bytesMax: PAYLOAD_BYTES_MAX,
    isItself: text => isObject(text) || isHex(text),
    members: text => (isHex(text) ? { unsigned: text } : { transaction: objectOf('envelope', text) }),
  },
  'evm-typed-data': jsonForm('typed data (EIP-712)', 'typedData'),
  'evm-authorization': jsonForm('an authorization (EIP-7702)', 'authorization'),
  'raw-digest': {
    what: 'a hash of 32 bytes in hex',
    bytesMax: ENVELOPE_BYTES_MAX,
    isItself: text => /^[0-9A-Fa-f]{64}$/.test(text),
    members: digest => ({ digest }),
  },
  approval: jsonForm('an execution approval', 'approval'),
}

type MessageType = 'stellar-message' | 'evm-message'
const isMessage = (type: string): type is MessageType => type === 'stellar-message' || type === 'evm-message'

/** What `--type` takes. A login challenge has a role besides: it goes by `--payload`. */
export const TYPES: readonly string[] = [...Object.keys(FORMS), 'stellar-message', 'evm-message'].toSorted()

/** Envelope types of what is hashed for an authorization are 9 and 10; credentials of an entry count from 0. */
const isPreimage = (text: string): boolean => (fromBase64(text.slice(0, 8))?.[3] ?? 0) >= 8

/**
 * @param given  the thing itself, a file, or `-` for stdin; of a message the text itself, or `-`
 * @throws `request/malformed`
 */
export async function readTyped(context: CliContext, type: string, given: string): Promise<Payload> {
  if (isMessage(type)) return messagePayload(type, await readMessage(context, given))
  const form = FORMS[type]
  if (form === undefined) throw usage('--type', `${type} is not known`, `use one of ${TYPES.join(', ')}`)
  const { what, bytesMax, isItself, members } = form
  const text = isItself(given) ? given : await readText(context.terminal, { field: 'envelope', path: given, bytesMax })
  if (text === '') throw usage('envelope', 'is empty', `give ${what}, a file that holds it, or - for stdin`)
  return { type, ...members(text) }
}

/** The payload as the service takes it. */
export async function readWhole(context: CliContext, path: string): Promise<Payload> {
  const text = await readText(context.terminal, { field: '--payload', path, bytesMax: PAYLOAD_BYTES_MAX })
  const payload = objectOf('--payload', text)
  const { type } = payload
  if (typeof type === 'string') return { ...payload, type }
  throw usage('--payload', 'has no type', 'give {"type":"stellar-transaction","xdr":"…"}, or another payload type')
}

/**
 * The bytes of a message. From stdin one line break at the end is left out, as stellar-cli does: `echo` writes it.
 * @param base64  the message is in base64
 */
export async function readMessage({ terminal }: CliContext, given: string, base64 = false): Promise<Uint8Array> {
  const input: Input = { field: 'message', path: '-', bytesMax: ENVELOPE_BYTES_MAX }
  const bytes = given === '-' ? withoutBreak(await readInput(terminal, input)) : new TextEncoder().encode(given)
  if (!base64) return bytes
  const decoded = fromBase64(new TextDecoder().decode(bytes))
  if (decoded !== undefined) return decoded
  throw usage('message', 'is not base64', 'use the standard alphabet with padding, or leave --base64 out')
}

/** As text where it is text, so that people can read it on record. */
export function messagePayload(type: MessageType, bytes: Uint8Array): Payload {
  try {
    return { type, message: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) }
  } catch {
    return type === 'evm-message' ? { type, hex: `0x${toHex(bytes)}` } : { type, bytes: toBase64(bytes) }
  }
}

function withoutBreak(bytes: Uint8Array): Uint8Array {
  if (bytes.at(-1) !== 0x0a) return bytes
  return bytes.subarray(0, bytes.at(-2) === 0x0d ? -2 : -1)
}

/** Read as strictly as the service does, so that nothing is lost in between: no name twice, no number beyond 2^53. */
function objectOf(field: string, text: string): Readonly<Record<string, unknown>> {
  try {
    const value = parseStrictJson(new TextEncoder().encode(text))
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value
  } catch (error) {
    if (!isSignerError(error) || error.code !== 'request/malformed') throw error
    const { reason, fix, field: place } = error.detail
    throw usage(field, `${place === 'body' || place === '' ? '' : `${place}: `}${reason}`, fix, error)
  }
  throw usage(field, 'is no JSON object', 'give one object: {…}')
}
