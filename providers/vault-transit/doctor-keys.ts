import type { Finding, Patient } from '../../src/domain/doctor.ts'
import type { Call } from '../../src/domain/provider.ts'
import type { VaultClient } from './client.ts'
import { meaningOf, vendorErrorOf } from './doctor-words.ts'
import { kindProblem } from './describe.ts'
import { parseReference } from './reference.ts'
import { type CallRecord, type JsonObject, objectOf } from './wire.ts'

/** What is known of a key once it was read, or could not be. */
export interface KeyReading {
  readonly patient: Patient
  /** `''` when the reference is none of this mount. */
  readonly name: string
  readonly version?: number
  readonly data?: JsonObject
  /** Reading it was refused by policy. */
  readonly denied: boolean
  readonly findings: readonly Finding[]
}

const AEAD = ['aes128-gcm96', 'aes256-gcm96', 'chacha20-poly1305', 'xchacha20-poly1305']

/** Type, versions and what is allowed of the key. */
export async function examineKey(client: VaultClient, patient: Patient, call: Call): Promise<KeyReading> {
  const { mount } = client
  const { reference: key, use } = patient
  const reference = parseReference(key, mount)
  const about = { check: 'key', reference: key } as const
  if (reference === undefined) {
    const meaning = `the reference is not one of a key in the mount ${mount}`
    const fix = `use ${mount}/NAME@VERSION (signing) or ${mount}/NAME (wrapping), or set mount`
    return { patient, name: '', denied: false, findings: [{ ...about, outcome: 'failed', meaning, fix }] }
  }
  const { name, version } = reference
  const record = await client.look({ method: 'GET', path: `${mount}/keys/${name}` }, 'with token', call)
  const known = { patient, name, ...(version === undefined ? {} : { version }) }
  if (record.output === undefined) {
    const denied = record.answered && record.status === 403
    return { ...known, denied, findings: [{ ...about, ...unread(client, record, use, name, denied) }] }
  }
  const data = objectOf(record.output['data'])
  const facts = factsOf(data)
  const problem = use === 'sign' ? signingProblem(data, version) : wrappingProblem(data)
  if (problem !== undefined) {
    const [meaning, fix] = problem
    return { ...known, data, denied: false, findings: [{ ...about, outcome: 'failed', meaning, fix, facts }] }
  }
  const wide = Object.entries(TOO_OPEN).filter(([member]) => data[member] === true)
  const findings: Finding[] = wide.map(([member, meaning]) => ({
    ...about,
    outcome: 'warning',
    meaning,
    fix: `make a new key without ${member} and move to it: Vault does not take this back`,
    facts,
  }))
  return {
    ...known,
    data,
    denied: false,
    findings: findings.length > 0 ? findings : [{ ...about, outcome: 'ok', facts }],
  }
}

const TOO_OPEN: Readonly<Record<string, string>> = {
  exportable: 'the key is exportable: whoever holds the right can take its private part out',
  allow_plaintext_backup: 'the key allows plaintext backup: whoever holds the right can take its private part out',
}

function unread(
  client: VaultClient,
  record: CallRecord,
  use: Patient['use'],
  name: string,
  denied: boolean,
): Pick<Finding, 'outcome' | 'vendorError' | 'meaning' | 'fix'> {
  const said = vendorErrorOf(record)
  if (denied) {
    // Opening and sealing do not need it; signing does, and there the missing right has a finding of its own.
    const meaning =
      use === 'sign' ? 'the token may not read the key' : 'the token may not read the key, and need not to open or seal'
    return { outcome: 'skipped', ...said, meaning }
  }
  const meaning = meaningOf(client, record)
  const path = `${client.mount}/keys/${name}`
  const type = use === 'sign' ? 'ed25519' : 'aes256-gcm96'
  const fix = record.texts.some(text => text.includes('no handler for route'))
    ? `enable the engine (\`vault secrets enable -path=${client.mount} transit\`), or set mount to where it is`
    : `check the name with \`vault list ${client.mount}/keys\`; \`vault write -f ${path} type=${type}\` makes a new key, which is another key`
  return { outcome: 'failed', ...said, meaning, fix }
}

function signingProblem(
  data: JsonObject,
  version: number | undefined,
): readonly [meaning: string, fix: string] | undefined {
  const problem = kindProblem(data)
  if (problem !== undefined) return [problem, 'use a key of type ed25519, not derived']
  if (version === undefined) return undefined
  if (objectOf(data['keys'])[String(version)] === undefined) {
    const fix = 'lower min_decryption_version again if it was raised; a version that was trimmed is gone'
    return [`the key has no version ${version}, or it may not be used any more`, fix]
  }
  const least = data['min_encryption_version']
  if (typeof least !== 'number' || least <= version) return undefined
  return [
    `min_encryption_version is ${least}: version ${version} does not sign any more`,
    'lower it, or rotate to a newer version',
  ]
}

function wrappingProblem(data: JsonObject): readonly [meaning: string, fix: string] | undefined {
  const { type, derived, supports_decryption: opens, soft_deleted: gone } = data
  if (!AEAD.includes(String(type)) || opens === false)
    return ['the key is not one that seals with associated data', `use a key of type ${AEAD.join(', ')}`]
  if (derived !== false) return ['the key is derived', 'use a key that is not derived']
  return gone === true ? ['the key is deleted', 'restore it, or use another'] : undefined
}

const FACTS = [
  'type',
  'latest_version',
  'min_decryption_version',
  'min_encryption_version',
  'exportable',
  'derived',
  'deletion_allowed',
  'allow_plaintext_backup',
]

function factsOf(data: JsonObject): Readonly<Record<string, string | number | boolean>> {
  const facts: Record<string, string | number | boolean> = {}
  for (const member of FACTS) {
    const value = data[member]
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      facts[member.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())] = value
  }
  return facts
}
