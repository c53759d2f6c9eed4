/** M-65: the doctor for Vault names each right that is missing, and only that, and what to add for it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { VaultTransitConfig } from '../../../providers/vault-transit/config.ts'
import { createDoctor } from '../../../providers/vault-transit/doctor.ts'
import { CHECKS, type Finding, type Patient } from '../../../src/domain/doctor.ts'
import { call } from '../../support/provider-world.ts'
import {
  APPROLE,
  type Asked,
  bad,
  base64,
  good,
  PERMISSION,
  scene,
  type Scene,
  STATIC,
  type Told,
  TOKEN,
} from './vault-support.ts'

const NATIVE: Patient = { reference: 'transit/treasury@1', use: 'sign', scheme: 'ed25519' }
const OPENS: Patient = { reference: 'transit/seeds', use: 'unwrap' }
const SEALS: Patient = { reference: 'transit/seeds', use: 'wrap' }

/** Rights as `capability path`. */
const ALL = [
  'update transit/sign/treasury',
  'read transit/keys/treasury',
  'update transit/decrypt/seeds',
  'update transit/encrypt/seeds',
  'read transit/keys/seeds',
  'update sys/capabilities-self',
  'read auth/token/lookup-self',
]
const KEYS: Readonly<Record<string, object>> = {
  treasury: {
    type: 'ed25519',
    latest_version: 1,
    keys: { '1': { public_key: base64(new Uint8Array(32).fill(1)) } },
    supports_signing: true,
  },
  seeds: { type: 'aes256-gcm96', latest_version: 1, keys: { '1': 1 }, supports_decryption: true },
}
const KEY = {
  derived: false,
  exportable: false,
  allow_plaintext_backup: false,
  deletion_allowed: false,
  min_decryption_version: 1,
  min_encryption_version: 0,
}

interface Situation {
  readonly without?: readonly string[]
  readonly more?: readonly string[]
  readonly key?: object
  readonly token?: object
  readonly health?: Told
  /** Answers before anything else. */
  readonly first?: (asked: Asked) => Told | undefined
}

function clinic({ without = [], more = [], key = {}, token = {}, health, first }: Situation): Scene {
  const rights = new Set([...ALL, ...more].filter(right => !without.includes(right)))
  const ofPath = (path: string) =>
    [...rights].filter(right => right.split(' ')[1] === path).map(right => right.split(' ')[0] ?? '')
  return scene(asked => {
    const { path, method, body } = asked
    const special = first?.(asked)
    if (special !== undefined) return special
    if (path === 'sys/health') {
      const date = new Date(1_800_000_000_000).toUTCString()
      return (
        health ?? { headers: { date }, body: { initialized: true, sealed: false, standby: false, version: '2.0.0' } }
      )
    }
    if (path.endsWith('/login')) return bad(400, 'invalid role or secret ID')
    if (!rights.has(`${method === 'GET' ? 'read' : 'update'} ${path}`)) return bad(403, PERMISSION)
    if (path === 'sys/capabilities-self')
      return good(
        Object.fromEntries(
          (body['paths'] as string[]).map(each => [each, ofPath(each).length === 0 ? ['deny'] : ofPath(each)]),
        ),
      )
    if (path === 'auth/token/lookup-self')
      return good({
        id: TOKEN,
        display_name: 'approle',
        policies: ['signer'],
        ttl: 0,
        renewable: false,
        type: 'service',
        num_uses: 0,
        ...token,
      })
    const name = path.split('/').at(-1) ?? ''
    if (method === 'GET') {
      const found = KEYS[name]
      return found === undefined ? { status: 404, body: { errors: [] } } : good({ name, ...KEY, ...found, ...key })
    }
    return bad(400, 'unable to decode input as base64: illegal base64 data at input byte 0')
  })
}

async function examine(
  at: Scene,
  patients: readonly Patient[] = [NATIVE, OPENS, SEALS],
  config: VaultTransitConfig = STATIC,
): Promise<Finding[]> {
  const doctor = await createDoctor(config, at.world)
  const findings: Finding[] = []
  for await (const finding of doctor.examine(patients, call())) findings.push(finding)
  await doctor.close()
  // The contract: in order, a fix with every failure, a meaning with everything that is not well, no token anywhere.
  const order = findings.map(({ check }) => CHECKS.indexOf(check))
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
  )
  for (const finding of findings) {
    if (finding.outcome === 'failed') assert.ok((finding.fix ?? '') !== '', JSON.stringify(finding))
    if (finding.outcome !== 'ok') assert.ok((finding.meaning ?? '') !== '', JSON.stringify(finding))
  }
  assert.ok(!JSON.stringify(findings).includes(TOKEN))
  return findings
}
const failed = (findings: readonly Finding[]) => findings.filter(({ outcome }) => outcome === 'failed')
const warned = (findings: readonly Finding[]) => findings.filter(({ outcome }) => outcome === 'warning')
const of = (findings: readonly Finding[], check: string) => findings.filter(each => each.check === check)

test('all is well: every check says so, with what was measured', async () => {
  const at = clinic({})
  const findings = await examine(at)
  assert.deepEqual([...new Set(findings.map(({ outcome }) => outcome))], ['ok'])
  assert.deepEqual(of(findings, 'reachable')[0]?.facts, { version: '2.0.0', standby: false })
  assert.deepEqual(of(findings, 'clock')[0]?.facts, { offsetMs: 0 })
  assert.deepEqual(
    of(findings, 'key').map(({ reference }) => reference),
    ['transit/treasury@1', 'transit/seeds', 'transit/seeds'],
  )
  assert.equal(of(findings, 'latency')[0]?.facts?.['samples'], 5)
})

test('it changes nothing: every write it sends is one that Vault cannot carry out', async () => {
  const at = clinic({})
  await examine(at)
  for (const { method, path, body } of at.asked) {
    if (method === 'GET' || path === 'sys/capabilities-self') continue
    const text = path.includes('/sign/')
      ? body['input']
      : path.includes('/encrypt/')
        ? body['plaintext']
        : body['ciphertext']
    assert.ok(text === '!' || text === 'vault:v1:!', `${path} ${String(text)}`)
  }
})

for (const right of ALL.slice(0, 4)) {
  const [capability, path] = right.split(' ')
  test(`M-65 without "${right}" exactly that is named, with the rule to add`, async () => {
    for (const blind of [[], ['update sys/capabilities-self']]) {
      const findings = await examine(clinic({ without: [right, ...blind] }))
      const [finding, ...more] = failed(findings)
      assert.deepEqual([finding?.check, finding?.permission, more.length], ['permission', right, 0])
      assert.ok(finding?.fix?.includes(`path "${path}" { capabilities = ["${capability}"] }`))
      assert.ok((finding?.vendorError ?? '') !== '')
    }
  })
}

test('to seal and to open, reading the key is not needed', async () => {
  const findings = await examine(clinic({ without: ['read transit/keys/seeds'] }), [OPENS, SEALS])
  assert.deepEqual(failed(findings), [])
  assert.deepEqual(
    of(findings, 'key').map(({ outcome }) => outcome),
    ['skipped', 'skipped'],
  )
})

test('a token that may not look at itself or at its rights is told so, and what it does is tried instead', async () => {
  const blind = await examine(clinic({ without: ['read auth/token/lookup-self'] }))
  assert.match(of(blind, 'credentials')[0]?.fix ?? '', /auth\/token\/lookup-self/)
  const unknown = await examine(clinic({ without: ['update sys/capabilities-self'] }))
  assert.deepEqual(failed(unknown), [])
  assert.equal(
    of(unknown, 'permission').find(({ outcome }) => outcome === 'skipped')?.permission,
    'update sys/capabilities-self',
  )
})

test('a rule on parameters that refuses what is sent is found although the path is allowed', async () => {
  const first = ({ method, path }: Asked) =>
    method === 'POST' && path === 'transit/sign/treasury' ? bad(403, PERMISSION) : undefined
  const [finding] = failed(await examine(clinic({ first })))
  assert.equal(finding?.permission, 'update transit/sign/treasury')
  assert.match(finding?.meaning ?? '', /rule on parameters/)
})

test('rights that are too wide are warned of, one by one', async () => {
  const wide = [
    'create transit/encrypt/seeds',
    'read transit/export/signing-key/treasury',
    'update transit/keys/treasury/config',
    'delete transit/keys/seeds',
    'read transit/backup/seeds',
  ]
  const findings = await examine(clinic({ more: wide }))
  assert.deepEqual(
    warned(findings)
      .map(({ permission }) => permission ?? '')
      .toSorted(),
    wide.toSorted(),
  )
  assert.deepEqual(failed(findings), [])
})

const TOKENS: readonly (readonly [title: string, token: object, meaning: RegExp])[] = [
  ['root', { policies: ['root'] }, /root token/],
  ['few uses left', { num_uses: 3 }, /3 more times/],
  ['an end', { ttl: 3_600 }, /ends in 3600 s/],
]
for (const [title, token, meaning] of TOKENS) {
  test(`a token with ${title} is warned of`, async () => {
    const [finding] = of(await examine(clinic({ token })), 'credentials')
    assert.equal(finding?.outcome, 'warning')
    assert.match(finding?.meaning ?? '', meaning)
  })
}

test('root holds every right, and is not asked for more', async () => {
  const first = ({ path, body }: Asked) =>
    path === 'sys/capabilities-self'
      ? good(Object.fromEntries((body['paths'] as string[]).map(each => [each, ['root']])))
      : undefined
  const findings = await examine(clinic({ first }))
  assert.deepEqual([...failed(findings), ...warned(findings)], [])
})

const STATES: readonly (readonly [title: string, health: Told, outcome: string, meaning: RegExp])[] = [
  ['sealed', { status: 503, body: { initialized: true, sealed: true, standby: true } }, 'failed', /sealed/],
  ['not initialised', { status: 501, body: { initialized: false, sealed: true } }, 'failed', /initialised/],
  ['standby', { status: 429, body: { initialized: true, sealed: false, standby: true } }, 'warning', /standby/],
  [
    'performance standby',
    { status: 473, body: { initialized: true, sealed: false, performance_standby: true } },
    'warning',
    /standby/,
  ],
  [
    'something else',
    { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' },
    'failed',
    /form of a Vault answer/,
  ],
  ['a redirect', { status: 307, headers: { location: 'https://other' } }, 'failed', /redirect/],
]
for (const [title, health, outcome, meaning] of STATES) {
  test(`a server that is ${title}: ${outcome}`, async () => {
    const findings = await examine(clinic({ health }))
    const [reachable] = findings
    assert.deepEqual([reachable?.check, reachable?.outcome], ['reachable', outcome])
    assert.match(reachable?.meaning ?? '', meaning)
    const left = findings.slice(2).map(({ outcome: each }) => each)
    assert.ok(outcome === 'failed' ? left.every(each => each === 'skipped') : left.includes('ok'))
  })
}

test('a clock that is off is warned of; a server without one is not judged', async () => {
  const at = clinic({
    health: {
      headers: { date: new Date(1_800_000_060_000).toUTCString() },
      body: { initialized: true, sealed: false },
    },
  })
  assert.deepEqual(
    of(await examine(at), 'clock').map(({ outcome, facts }) => [outcome, facts]),
    [['warning', { offsetMs: -60_000 }]],
  )
  const none = clinic({ health: { body: { initialized: true, sealed: false } } })
  assert.equal(of(await examine(none), 'clock')[0]?.outcome, 'skipped')
})

test('a login that is refused: its own words, what it means, and what to look at', async () => {
  const findings = await examine(clinic({}), [NATIVE], APPROLE)
  const [finding] = failed(findings)
  assert.equal(finding?.check, 'credentials')
  assert.match(finding?.vendorError ?? '', /400: invalid role or secret ID/)
  assert.match(finding?.fix ?? '', /auth\/approle\/role/)
  assert.deepEqual(
    findings.slice(3).map(({ outcome }) => outcome),
    ['skipped', 'skipped', 'skipped'],
  )
})

const PATIENTS: readonly (readonly [title: string, patient: Patient, key: object, meaning: RegExp])[] = [
  ['no such key', { reference: 'transit/nobody@1', use: 'sign' }, {}, /no such key|may not read/],
  ['another mount', { reference: 'other/treasury@1', use: 'sign' }, {}, /mount transit/],
  ['no such version', { reference: 'transit/treasury@2', use: 'sign' }, {}, /no version 2/],
  ['a version that may not sign', NATIVE, { min_encryption_version: 2 }, /min_encryption_version is 2/],
  ['a derived key', NATIVE, { derived: true }, /derived/],
  ['a wrapping key to sign with', { reference: 'transit/seeds', use: 'sign' }, {}, /type aes256-gcm96/],
  ['a signing key to open with', { reference: 'transit/treasury', use: 'unwrap' }, {}, /associated data/],
  ['a derived wrapping key', OPENS, { derived: true }, /derived/],
  ['a deleted wrapping key', OPENS, { soft_deleted: true }, /deleted/],
]
for (const [title, patient, key, meaning] of PATIENTS) {
  test(`key: ${title}`, async () => {
    const findings = await examine(clinic({ key, more: ['read transit/keys/nobody'] }), [patient])
    const [finding] = of(findings, 'key')
    assert.equal(finding?.outcome, 'failed')
    assert.match(finding?.meaning ?? '', meaning)
  })
}

for (const member of ['exportable', 'allow_plaintext_backup']) {
  test(`a key with ${member} is warned of`, async () => {
    const [finding] = of(await examine(clinic({ key: { [member]: true } }), [NATIVE]), 'key')
    assert.equal(finding?.outcome, 'warning')
  })
}
