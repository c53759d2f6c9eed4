/** What faults do to an answer before it is written, and to what was written. */
import type { Fault } from '../core/faults.ts'
import { concat } from '../core/random.ts'
import { crc32c } from './crc32c.ts'
import { camel, type Method, type Schema } from './descriptors.ts'
import { GcpError, isStatus, statusOfHttp } from './errors.ts'
import { readField, readMessage } from './json.ts'
import type { Message } from './known-types.ts'
import { encodeMessage } from './proto.ts'

/** Kinds that have no form over gRPC, each with why. */
const NOT_OVER_GRPC: Readonly<Partial<Record<Fault['kind'], string>>> = {
  redirect: 'gRPC has no redirects',
  'slow-body': 'the HTTP/2 layer writes whole frames',
  'content-type': 'it is fixed by the protocol',
  'date-skew': 'answers bear no date',
}

/** @throws UNIMPLEMENTED for a rule that could never do what it says. */
export function refuseOverGrpc(faults: readonly Fault[]): void {
  for (const { kind } of faults) {
    const why = NOT_OVER_GRPC[kind]
    if (why !== undefined)
      throw new GcpError('UNIMPLEMENTED', `local-kms cannot play fault '${kind}' over gRPC: ${why}.`)
  }
}

export function errorOf(fault: Extract<Fault, { kind: 'error' }>): GcpError {
  if (!isStatus(fault.name)) {
    return new GcpError('INTERNAL', `local-kms: fault 'error' needs the name of a status, '${fault.name}' is none.`)
  }
  return new GcpError(fault.name, fault.message ?? `${fault.name} by a fault`, [], fault.status)
}

/** gRPC clients read a bare HTTP status this way (grpc/doc/http-grpc-status-mapping.md). */
export function grpcErrorOfHttp(status: number, body: string | undefined): GcpError {
  const unavailable = [429, 502, 503, 504].includes(status)
  const name = unavailable
    ? 'UNAVAILABLE'
    : status === 400
      ? 'INTERNAL'
      : status === 404
        ? 'UNIMPLEMENTED'
        : statusOfHttp(status)
  return new GcpError(name, body ?? `HTTP status ${status}`)
}

const BYTE_MEMBERS = ['signature', 'plaintext', 'ciphertext', 'mac', 'data', 'pem', 'publicKey.data']

/** Damage to members that both transports write in their own way. */
export function damageOutput(output: Message, faults: readonly Fault[]): Message {
  let out = output
  for (const fault of faults) {
    if (fault.kind !== 'flip-bit') continue
    const wanted = fault.member === undefined ? undefined : camelFirst(fault.member)
    const member = wanted ?? BYTE_MEMBERS.find(path => bytesAt(output, path) !== undefined)
    if (member !== undefined) out = flipAt(out, member.split('.'), fault)
  }
  return out
}

/** Rules may be written for any service: `Signature`, `signature` and `public_key.data` are understood. */
const camelFirst = (member: string): string =>
  member
    .split('.')
    .map(part => camel(part.slice(0, 1).toLowerCase() + part.slice(1)))
    .join('.')

function bytesAt(message: Message, path: string): unknown {
  let at: unknown = message
  for (const part of path.split('.')) at = (at as Message | undefined)?.[part]
  return at
}

function flipAt(message: Message, path: readonly string[], fault: Extract<Fault, { kind: 'flip-bit' }>): Message {
  const [name, ...rest] = path as [string, ...string[]]
  const value = message[name]
  if (rest.length > 0) {
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return message
    return { ...message, [name]: flipAt(value as Message, rest, fault) }
  }
  const text = typeof value === 'string'
  const bytes = text ? new TextEncoder().encode(value) : value
  if (!(bytes instanceof Uint8Array) || bytes.length === 0) return message
  const flipped = flip(bytes, fault.bit)
  // The checksum stands beside its member, under its name or as that of the whole (ChecksummedData)
  const checksum = `${name}Crc32c` in message ? `${name}Crc32c` : 'crc32cChecksum'
  const checked = fault.crc === 'recompute' && checksum in message ? { [checksum]: crc32c(flipped) } : {}
  return { ...message, ...checked, [name]: text ? new TextDecoder().decode(flipped) : flipped }
}

function flip(bytes: Uint8Array, bit = Math.floor(bytes.length / 2) * 8): Uint8Array {
  const out = Uint8Array.from(bytes)
  const at = Math.floor(bit / 8) % out.length
  out[at] = out[at]! ^ (1 << (bit % 8))
  return out
}

/** Over REST a replacement may be any JSON, right or wrong. */
export function damageJson(json: Record<string, unknown>, faults: readonly Fault[]): Record<string, unknown> {
  let out = json
  for (const fault of faults) {
    if (fault.kind !== 'replace') continue
    out = {
      ...out,
      ...Object.fromEntries(Object.entries(fault.members).map(([name, value]) => [camelFirst(name), value])),
    }
  }
  return out
}

/** Every member comes twice: the true value, then another. */
export function twice(json: Record<string, unknown>, second: Readonly<Record<string, unknown>>): string {
  const first = JSON.stringify(json).slice(1, -1)
  const again = JSON.stringify(Object.fromEntries(Object.keys(json).map(name => [name, second[name] ?? null]))).slice(
    1,
    -1,
  )
  return `{${first},${again}}`
}

/** Beyond the highest field number in use: readers pass it over, but have to take it. */
const PADDING_TAG = Uint8Array.of(0xfa, 0xff, 0x07) // field 16383, length-delimited

export function writeGrpc(schema: Schema, method: Method, output: Message, faults: readonly Fault[]): Uint8Array {
  let message = output
  for (const fault of faults) {
    if (fault.kind === 'replace') message = { ...message, ...readMembers(method, fault.members) }
  }
  let bytes = encodeMessage(schema, method.response, message)
  for (const fault of faults) {
    if (fault.kind === 'duplicate-json-keys') {
      bytes = concat(bytes, encodeMessage(schema, method.response, readMembers(method, fault.second ?? {})))
    }
    if (fault.kind === 'oversized-body')
      bytes = concat(bytes, PADDING_TAG, varint(fault.bytes), new Uint8Array(fault.bytes))
    if (fault.kind === 'truncated-json') {
      bytes = bytes.subarray(0, fault.bytes ?? Math.floor(bytes.length / 2))
    }
  }
  return bytes
}

function readMembers(method: Method, members: Readonly<Record<string, unknown>>): Message {
  const out: Message = {}
  for (const [given, value] of Object.entries(members)) {
    const name = camelFirst(given)
    const field = method.response.byName.get(name)
    if (field === undefined)
      throw new GcpError('INTERNAL', `local-kms: the answer of ${method.name} has no member '${given}'.`)
    if (value === null) out[name] = undefined
    else
      out[name] =
        field.message === undefined
          ? readField(field, value, name)
          : readMessage(method.response, { [name]: value })[name]
  }
  return out
}

function varint(value: number): Uint8Array {
  const out: number[] = []
  let rest = value
  while (rest >= 0x80) {
    out.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return Uint8Array.from([...out, rest])
}
