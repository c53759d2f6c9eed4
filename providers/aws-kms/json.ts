/** AWS JSON 1.1 for the four calls of a signer: bytes travel as base64. */
import { fromBase64, toBase64 } from '../../src/bytes/base64.ts'
import { encodeBase64Bytes } from '../base64-bytes.ts'
import { ScanError } from '../json-bytes.ts'
import type { Asked, AskedName, Output } from './transport.ts'

const encoder = new TextEncoder()
const BYTE_MEMBERS = ['Signature', 'PublicKey', 'CiphertextBlob'] as const

/** @returns the body. One of Encrypt holds a key and comes as bytes, which the caller wipes; it was never a string. */
export function encodeInput<N extends AskedName>(name: N, input: Asked[N]): string | Uint8Array {
  if (name === 'Encrypt') return encryptBody(input as Asked['Encrypt'])
  // Not by a replacer: a Buffer brings a toJSON of its own, which runs before it.
  const members = Object.entries(input).map(([member, value]) => [
    member,
    value instanceof Uint8Array ? toBase64(value) : value,
  ])
  return JSON.stringify(Object.fromEntries(members))
}

function encryptBody({ KeyId, Plaintext, EncryptionContext }: Asked['Encrypt']): Uint8Array {
  const before = encoder.encode(`${JSON.stringify({ KeyId, EncryptionContext }).slice(0, -1)},"Plaintext":"`)
  const secret = encodeBase64Bytes(Plaintext)
  const body = new Uint8Array(before.length + secret.length + 2)
  body.set(before)
  body.set(secret, before.length)
  body.set(END, before.length + secret.length)
  secret.fill(0)
  return body
}
const END = encoder.encode('"}')

/** @param body one JSON object, scanned before. @throws ScanError */
export function decodeOutput(body: Uint8Array): Output {
  const output = parse(body)
  for (const member of BYTE_MEMBERS) {
    const text = output[member]
    if (text === undefined || text === null) continue
    const bytes = typeof text === 'string' ? fromBase64(text) : undefined
    if (bytes === undefined) throw new ScanError(`${member} is not base64`)
    output[member] = bytes
  }
  return output
}

/** An error as the service named it: `name` is what translate.ts asks for, `message` stays in `cause`. */
export class VendorError extends Error {
  constructor(name: string, message: string) {
    super(message)
    this.name = name
  }
}

/**
 * The header outranks the body, as in AWS's client. A name may stand behind a namespace and before a place.
 * @throws ScanError when the body is no JSON.
 */
export function decodeError(header: string | undefined, body: Uint8Array): VendorError {
  const members = body.length === 0 ? {} : parse(body)
  const { code, __type, message, Message } = members
  const named = [header, code, __type].find(each => typeof each === 'string' && each !== '')
  const text = [message, Message].find(each => typeof each === 'string')
  return new VendorError(nameIn(typeof named === 'string' ? named : 'Unknown'), text ?? 'no text')
}

function nameIn(text: string): string {
  const plain = (text.split(',')[0] ?? '').split(':')[0] ?? ''
  return plain.slice(plain.indexOf('#') + 1)
}

function parse(body: Uint8Array): Record<string, unknown> {
  try {
    return JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown>
  } catch (cause) {
    throw new ScanError('not JSON', { cause })
  }
}
