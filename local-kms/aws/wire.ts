import { brokenReply, damageHttp } from '../core/damage.ts'
import type { Fault } from '../core/faults.ts'
import { toBase64 } from '../core/random.ts'
import type { Incoming, Reply } from '../core/server.ts'
import { AwsError, serialization, statusOf } from './errors.ts'
import { NOT_BUILT } from './keys.ts'
import { OPERATIONS } from './operations.ts'

/** AWS JSON 1.1: one path, the operation in a header, a JSON object both ways. */
const CONTENT_TYPE = 'application/x-amz-json-1.1'
const TARGET_PREFIX = 'TrentService.'

const unknownOperation = (status: number): AwsError => new AwsError('UnknownOperationException', undefined, status)

/** An operation of the model, played or not. @throws UnknownOperationException */
export function operationName(request: Incoming): string {
  if (request.method !== 'POST' || request.target.split('?')[0] !== '/') throw unknownOperation(404)
  const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
  const target = request.headers['x-amz-target'] ?? ''
  if (type !== CONTENT_TYPE || !target.startsWith(TARGET_PREFIX)) throw unknownOperation(400)
  const name = target.slice(TARGET_PREFIX.length)
  if (Object.hasOwn(OPERATIONS, name)) return name
  if ((NOT_BUILT as readonly string[]).includes(name)) return name
  throw unknownOperation(400)
}

/** An empty body counts as `{}`. */
export function parseBody(request: Incoming): Record<string, unknown> {
  if (request.body.length === 0) return {}
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(request.body))
  } catch {
    throw serialization('The request body is not valid JSON.')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw serialization('Start of structure expected.')
  }
  return value as Record<string, unknown>
}

/** Bytes as standard base64, absent members left out. */
export function encode(value: unknown): string {
  if (value instanceof Uint8Array) return JSON.stringify(toBase64(value))
  if (Array.isArray(value)) return `[${value.map(encode).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).filter(([, entry]) => entry !== undefined)
  return `{${members.map(([name, entry]) => `${JSON.stringify(name)}:${encode(entry)}`).join(',')}}`
}

const headers = (requestId: string, now: number): Record<string, string> => ({
  'x-amzn-RequestId': requestId,
  'Cache-Control': 'no-cache, no-store, must-revalidate, private',
  Expires: '0',
  Pragma: 'no-cache',
  Date: new Date(now).toUTCString(),
  'Content-Type': CONTENT_TYPE,
  'x-local-kms': 'emulator; not a secure store',
})

/** Operations without output answer with no body at all. */
export function success(output: Record<string, unknown> | undefined, requestId: string, now: number): Reply {
  const text = output === undefined ? '' : encode(output)
  return { status: 200, headers: headers(requestId, now), body: new TextEncoder().encode(text) }
}

export function failure(error: AwsError, requestId: string, now: number): Reply {
  const text = encode({ __type: error.code, message: error.text })
  return { status: error.status, headers: headers(requestId, now), body: new TextEncoder().encode(text) }
}

/** What a fault puts in place of an answer. Undefined: this kind does not replace one. */
export function faultReply(fault: Fault, requestId: string, now: number): Reply | undefined {
  const base = { headers: headers(requestId, now), body: new Uint8Array(0) }
  switch (fault.kind) {
    case 'error':
      return failure(new AwsError(fault.name, fault.message, fault.status ?? statusOf(fault.name)), requestId, now)
    case 'status':
      return { ...base, status: fault.status, body: new TextEncoder().encode(fault.body ?? '') }
    case 'redirect':
      return { ...base, status: fault.status ?? 307, headers: { ...base.headers, Location: fault.location } }
    default:
      return brokenReply(fault)
  }
}

/** Damage to the output's members, before they are written. */
export function damageOutput(output: Record<string, unknown>, faults: readonly Fault[]): Record<string, unknown> {
  let out = output
  for (const fault of faults) {
    if (fault.kind === 'replace') out = { ...out, ...fault.members }
    if (fault.kind === 'flip-bit') {
      const member = fault.member ?? 'Signature'
      const bytes = out[member]
      if (bytes instanceof Uint8Array) out = { ...out, [member]: flip(bytes, fault.bit) }
    }
  }
  return out
}

function flip(bytes: Uint8Array, bit = Math.floor(bytes.length / 2) * 8): Uint8Array {
  const out = Uint8Array.from(bytes)
  const at = Math.floor(bit / 8) % out.length
  out[at] = out[at]! ^ (1 << (bit % 8))
  return out
}

/** Damage to the written answer and to its way over the wire. */
export function damageReply(
  reply: Reply,
  output: Record<string, unknown> | undefined,
  faults: readonly Fault[],
  now: number,
): Reply {
  const doubled = faults.find(fault => fault.kind === 'duplicate-json-keys')
  const written =
    doubled === undefined || output === undefined
      ? reply
      : { ...reply, body: new TextEncoder().encode(twice(output, doubled.second ?? {})) }
  return damageHttp(written, faults, now)
}

function twice(output: Record<string, unknown>, second: Readonly<Record<string, unknown>>): string {
  const first = encode(output).slice(1, -1)
  const names = Object.keys(output).filter(name => output[name] !== undefined)
  const again = encode(Object.fromEntries(names.map(name => [name, second[name] ?? null]))).slice(1, -1)
  return `{${first},${again}}`
}
