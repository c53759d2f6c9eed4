import type { Finding, KeyUse } from '../../src/domain/doctor.ts'
import type { Call } from '../../src/domain/provider.ts'
import type { VaultClient } from './client.ts'
import { vendorErrorOf } from './doctor-words.ts'
import type { KeyReading } from './doctor-keys.ts'
import { type Ask, type CallRecord, type JsonObject, objectOf } from './wire.ts'

/** One right, and a request that needs it and that Vault cannot carry out. */
interface Need {
  readonly capability: 'update' | 'read'
  readonly path: string
  readonly body?: JsonObject
}

/** Text that is no base64: the policy is asked first, then the request fails on it. Nothing is signed, sealed or opened. */
const NOT_BASE64 = '!'

/** Everything a use needs. */
function needsOf(mount: string, use: KeyUse, { name, version }: Pick<KeyReading, 'name' | 'version'>): readonly Need[] {
  const post = (verb: string, body: JsonObject): Need => ({
    capability: 'update',
    path: `${mount}/${verb}/${name}`,
    body,
  })
  switch (use) {
    case 'sign':
      return [
        post('sign', { input: NOT_BASE64, key_version: String(version ?? 1) }),
        { capability: 'read', path: `${mount}/keys/${name}` },
      ]
    case 'unwrap':
      return [post('decrypt', { ciphertext: `vault:v1:${NOT_BASE64}`, associated_data: 'e30=' })]
    case 'wrap':
      return [post('encrypt', { plaintext: NOT_BASE64, associated_data: 'e30=', type: 'ecdsa-p256' })]
    default:
      return use satisfies never
  }
}

/** Rights that nobody who only uses a key should hold, and why. */
const unwanted = (
  mount: string,
  name: string,
): readonly (readonly [path: string, capabilities: readonly string[], why: string])[] => [
  [`${mount}/encrypt/${name}`, ['create'], 'a key that is missing would be made by encrypting under it'],
  [`${mount}/keys/${name}`, ['delete'], 'the key could be deleted'],
  [`${mount}/keys/${name}/config`, ['create', 'update'], 'the key could be made exportable and deletable'],
  [`${mount}/export/signing-key/${name}`, ['read'], 'the private key could be taken out, were it exportable'],
  [`${mount}/export/encryption-key/${name}`, ['read'], 'the wrapping key could be taken out, were it exportable'],
  [`${mount}/backup/${name}`, ['read'], 'the private key could be taken out, were backup allowed'],
]

const SELF = 'sys/capabilities-self'

/** Each right that is needed, held or not; then each that is too wide. */
export async function examinePermissions(
  client: VaultClient,
  readings: readonly KeyReading[],
  call: Call,
): Promise<readonly Finding[]> {
  const { mount } = client
  const named = readings.filter(({ name }) => name !== '')
  if (named.length === 0) return []
  const paths = named.flatMap(reading => [
    ...needsOf(mount, reading.patient.use, reading).map(({ path }) => path),
    ...unwanted(mount, reading.name).map(([path]) => path),
  ])
  const held = await capabilities(client, [...new Set(paths)], call)
  const findings: Finding[] = []
  for (const reading of named) {
    for (const need of needsOf(mount, reading.patient.use, reading))
      findings.push(await examineNeed(client, reading, need, held.answer, call))
  }
  if (held.answer === undefined) {
    const fix = `add to the policy: ${hcl(SELF, 'update')}`
    findings.push({
      check: 'permission',
      outcome: 'skipped',
      permission: `update ${SELF}`,
      ...vendorErrorOf(held.record),
      meaning: `the token may not ask for its rights, so nobody knows whether it holds too many; ${fix}`,
    })
    return findings
  }
  const wide = [...new Set(named.map(({ name }) => name))].flatMap(name => tooWide(mount, name, held.answer ?? {}))
  return [...findings, ...wide]
}

async function capabilities(client: VaultClient, paths: readonly string[], call: Call) {
  const ask: Ask = { method: 'POST', path: SELF, body: { paths } }
  const record = await client.look(ask, 'with token', call)
  return { record, answer: record.output === undefined ? undefined : objectOf(record.output['data']) }
}

async function examineNeed(
  client: VaultClient,
  reading: KeyReading,
  { capability, path, body }: Need,
  held: JsonObject | undefined,
  call: Call,
): Promise<Finding> {
  const about = {
    check: 'permission',
    reference: reading.patient.reference,
    permission: `${capability} ${path}`,
  } as const
  const fix = `add to the policy of this token: ${hcl(path, capability)}`
  const listed = held === undefined ? undefined : listOf(held[path])
  if (listed !== undefined && !listed.includes(capability) && !listed.includes('root')) {
    const meaning = `the token may not ${capability} ${path}`
    return { ...about, outcome: 'failed', vendorError: `capabilities: ${listed.join(', ') || 'none'}`, meaning, fix }
  }
  // The list knows paths, not rules on parameters: what is really sent decides.
  const denied =
    capability === 'read' ? { status: reading.denied ? 403 : 200, texts: [] } : await probe(client, path, body, call)
  if (denied.status !== 403) return { ...about, outcome: 'ok' }
  const rule = `the right is there, but a rule on parameters (allowed, denied or required) refuses what is sent`
  const meaning = listed === undefined ? `the token may not ${capability} ${path}` : rule
  return {
    ...about,
    outcome: 'failed',
    ...vendorErrorOf(denied),
    meaning,
    fix: listed === undefined ? fix : `${fix}; see deploy/iam/vault for rules that fit`,
  }
}

const probe = (client: VaultClient, path: string, body: JsonObject | undefined, call: Call): Promise<CallRecord> =>
  client.look({ method: 'POST', path, ...(body === undefined ? {} : { body }) }, 'with token', call)

function tooWide(mount: string, name: string, held: JsonObject): Finding[] {
  return unwanted(mount, name).flatMap(([path, unwantedHere, why]): Finding[] => {
    const listed = listOf(held[path])
    // A root token was warned of already, and has no list to narrow.
    if (listed.includes('root')) return []
    return unwantedHere
      .filter(each => listed.includes(each))
      .map(each => ({
        check: 'permission',
        outcome: 'warning',
        permission: `${each} ${path}`,
        meaning: `more than is needed: ${why}`,
        fix: `take "${each}" from the rule for this path, or add: path "${path}" { capabilities = ["deny"] }`,
      }))
  })
}

const listOf = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : [])

const hcl = (path: string, capability: string): string => `path "${path}" { capabilities = ["${capability}"] }`
