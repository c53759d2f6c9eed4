import type { Fault } from '../core/faults.ts'
import { brokenReply, damageHttp } from '../core/damage.ts'
import type { Reply } from '../core/server.ts'
import type { Auth } from './context.ts'
import { type VaultError, wireTexts } from './errors.ts'
import { decodeBase64, decodeBase64Url, encodeBase64, encodeBase64Url } from './go.ts'

export interface Envelope {
  request_id: string
  lease_id: string
  renewable: boolean
  lease_duration: number
  data: Record<string, unknown> | null
  wrap_info: unknown
  warnings: readonly string[] | null
  auth: Auth | null
  mount_type?: string
}

const headers = (now: number): Record<string, string> => ({
  'Cache-Control': 'no-store',
  'Content-Type': 'application/json',
  'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
  Date: new Date(now).toUTCString(),
  'x-local-kms': 'emulator; not a secure store',
})

export function json(status: number, value: unknown, now: number, more: Readonly<Record<string, string>> = {}): Reply {
  const body = new TextEncoder().encode(`${JSON.stringify(value)}\n`)
  return { status, headers: { ...headers(now), ...more }, body }
}

/** 204 and its like. */
export function empty(status: number, now: number, more: Readonly<Record<string, string>> = {}): Reply {
  const { 'Content-Type': _, ...rest } = headers(now)
  return { status, headers: { ...(status === 204 ? rest : headers(now)), ...more }, body: new Uint8Array(0) }
}

export function refusal(error: VaultError, login: boolean, now: number): Reply {
  return json(error.status, { errors: wireTexts(error, login) }, now, error.headers)
}

/** What a fault puts in place of an answer. Undefined: this kind does not replace one. */
export function faultReply(fault: Fault, now: number): Reply | undefined {
  switch (fault.kind) {
    case 'error': {
      const [text, status] = NAMED[fault.name] ?? [fault.message ?? fault.name, 500]
      return json(fault.status ?? status, { errors: [fault.message ?? text] }, now)
    }
    case 'status':
      return {
        status: fault.status,
        headers: headers(now),
        body: new TextEncoder().encode(fault.body ?? (fault.status >= 400 ? '{"errors":[]}\n' : '')),
      }
    case 'redirect':
      return empty(fault.status ?? 307, now, { Location: fault.location })
    default:
      return brokenReply(fault)
  }
}

/** Errors a script may call by name. */
const NAMED: Record<string, readonly [string, number]> = {
  sealed: ['Vault is sealed', 503],
  'permission denied': ['1 error occurred:\n\t* permission denied\n\n', 403],
  'invalid token': ['permission denied', 403],
  'rate limit': ['rate limit quota exceeded', 429],
  'internal error': ['1 error occurred:\n\t* internal error\n\n', 500],
  'signing key not found': ['signing key not found', 400],
  'encryption key not found': ['encryption key not found', 400],
}

type Members = Record<string, unknown>

/** Damage to an answer's members, before they are written: those of `data`, or of `auth` when there is no data. */
export function damageMembers(members: Members, faults: readonly Fault[]): Members {
  let out = members
  for (const fault of faults) {
    if (fault.kind === 'replace') {
      out = Object.entries(fault.members).reduce((all, [name, value]) => replaceAt(all, name.split('.'), value), out)
    }
    if (fault.kind === 'flip-bit') out = flipFirst(out, fault.member ?? 'signature', fault.bit).value as Members
  }
  return out
}

function replaceAt(object: Members, path: readonly string[], value: unknown): Members {
  const [name, ...rest] = path
  if (rest.length === 0) return { ...object, [name!]: value }
  const inside = object[name!]
  return {
    ...object,
    [name!]: replaceAt(typeof inside === 'object' && inside !== null ? (inside as Members) : {}, rest, value),
  }
}

/** The first member of that name, however deep; batches and versions of a key are looked into. */
function flipFirst(value: unknown, member: string, bit: number | undefined): { value: unknown; done: boolean } {
  if (typeof value !== 'object' || value === null) return { value, done: false }
  if (Array.isArray(value)) {
    for (const [i, each] of value.entries()) {
      const inside = flipFirst(each, member, bit)
      if (inside.done) return { value: value.with(i, inside.value), done: true }
    }
    return { value, done: false }
  }
  const object = value as Members
  const direct = object[member]
  if (typeof direct === 'string') return { value: { ...object, [member]: flipText(direct, bit) }, done: true }
  for (const [name, each] of Object.entries(object)) {
    const inside = flipFirst(each, member, bit)
    if (inside.done) return { value: { ...object, [name]: inside.value }, done: true }
  }
  return { value, done: false }
}

/** One bit of the bytes a text stands for: after `vault:v1:`, inside a PEM block, or plain base64. */
function flipText(text: string, bit: number | undefined): string {
  const pem = /^(-----BEGIN [A-Z ]+-----\n)([\s\S]*?)(\n-----END [\s\S]*)$/.exec(text)
  if (pem !== null) return pem[1] + wrapLines(flipText(pem[2]!.replaceAll('\n', ''), bit)) + pem[3]
  const prefix = /^vault:v\d+:/.exec(text)?.[0] ?? ''
  const coded = text.slice(prefix.length)
  const url = !coded.endsWith('=') && (coded.length % 4 !== 0 || /[-_]/.test(coded))
  try {
    const bytes = url ? decodeBase64Url(coded) : decodeBase64(coded)
    if (bytes === undefined || bytes.length === 0) return text
    const at = bit ?? Math.floor(bytes.length / 2) * 8
    const index = Math.floor(at / 8) % bytes.length
    bytes[index] = bytes[index]! ^ (1 << (at % 8))
    return prefix + (url ? encodeBase64Url(bytes) : encodeBase64(bytes))
  } catch {
    return text
  }
}

const wrapLines = (text: string): string => text.replaceAll(/.{64}(?=.)/g, line => `${line}\n`)

/** Damage to the written answer and to its way over the wire. */
export function damageReply(
  reply: Reply,
  envelope: Envelope | undefined,
  faults: readonly Fault[],
  now: number,
): Reply {
  let out = reply
  for (const fault of faults) {
    if (fault.kind === 'duplicate-json-keys' && envelope !== undefined) {
      out = { ...out, body: new TextEncoder().encode(twice(envelope, fault.second ?? {})) }
    }
  }
  return damageHttp(out, faults, now)
}

/** The members inside `data` (or `auth`) come twice, the second time with other values. */
function twice(envelope: Envelope, second: Readonly<Record<string, unknown>>): string {
  const name = envelope.data === null && envelope.auth !== null ? 'auth' : 'data'
  const members = (envelope[name] ?? {}) as Record<string, unknown>
  const first = JSON.stringify(members).slice(1, -1)
  const again = JSON.stringify(
    Object.fromEntries(Object.keys(members).map(each => [each, second[each] ?? null])),
  ).slice(1, -1)
  const mark = '\u0000members'
  return JSON.stringify({ ...envelope, [name]: mark }).replace(JSON.stringify(mark), () => `{${first},${again}}`)
}
