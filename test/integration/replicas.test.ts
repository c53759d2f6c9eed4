/**
 * M-79: two whole services over one PostgreSQL, each with its own log and its own doors. What one takes, the other has not;
 * what one ends, is over at the other at once.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Asset, Operation, type xdr } from '@stellar/stellar-sdk/base'
import { type LocalKms, startLocalKms } from '../../local-kms/index.ts'
import { nodeAuditFiles } from '../../src/audit/node-files.ts'
import { readRecords } from '../../src/audit/read.ts'
import { verifyAuditLog } from '../../src/audit/verify.ts'
import { toBase64 } from '../../src/bytes/base64.ts'
import { toHex } from '../../src/bytes/hex.ts'
import { sep53Digest } from '../../src/access/address-proof.ts'
import { openIssuerKey } from '../../src/compose/own-keys.ts'
import { auditPath } from '../../src/compose/places.ts'
import { registerDeps } from '../../src/compose/keys.ts'
import { reveal, Secret } from '../../src/domain/secret.ts'
import type { RunningService } from '../../src/compose/service.ts'
import type { AuditRecord } from '../../src/domain/audit.ts'
import type { PolicyDocument } from '../../src/policy/index.ts'
import { adopt } from '../../src/service/register.ts'
import { parsePolicy } from '../../src/policy/index.ts'
import { testKey, timeBounds, unmuxed, v1 } from '../fuzz/xdr-corpus.ts'
import { seeded } from '../support/audit-world.ts'
import { postgres } from '../support/postgres.ts'
import { createSender, type Sender } from '../unit/access/senders.ts'
import {
  addKey,
  administer,
  caller,
  type Caller,
  issue,
  loginAs,
  openPlant,
  type Person,
  type Plant,
  type Told,
  transactionBody,
  unique,
} from './gateway-world.ts'

const LONG = process.env['COUNTERSIGN_TEST_LONG'] === '1'
const started = await postgres()
const options = 'skip' in started ? { skip: started.skip } : { timeout: 120_000 }

const supplier = testKey('supplier').publicKey()
const policyOf = (window: string): PolicyDocument => ({
  version: 1,
  network: 'testnet',
  operations: ['payment'],
  fee: { maxStroops: '1000' },
  timeBounds: { maxLifetimeSeconds: 600 },
  payments: { destinations: [supplier], assets: [{ asset: 'native', maxPerOperation: '10', maxPerTransaction: '10' }] },
  windows: [{ asset: 'native', seconds: 3600, max: window }],
})

const DATABASE = 'replicas_of_a_service'
const REMOTE = '00000000-0000-4000-8000-00000000e301'
const GIVER = '00000000-0000-4000-8000-00000000e302'

interface Replica {
  readonly service: RunningService
  readonly directory: string
  readonly controlUrl: string
}
let plant: Plant
let kms: LocalKms
let one: Replica
let two: Replica
let sender: Sender
let operator: Person
let token: string
let callers: readonly [Caller, Caller]

before(async () => {
  if ('skip' in started) return
  plant = await openPlant()
  kms = await startLocalKms({
    seed: {
      version: 1,
      keys: [
        { keyId: REMOTE, spec: 'ECC_NIST_EDWARDS25519', material: { hex: toHex(testKey('remote').rawSecretKey()) } },
        { keyId: GIVER, spec: 'ECC_NIST_EDWARDS25519', material: { hex: toHex(testKey('giver').rawSecretKey()) } },
      ],
    },
  })
  const { host, port, user, password, database } = await started.server.database(DATABASE)
  assert.ok(password instanceof Secret)
  const url = new Secret(
    `postgres://${user}:${encodeURIComponent(reveal(password))}@${host}:${port}/${database}`,
    'store.url',
  )
  one = await replica('one', url)
  two = await replica('two', url)
  sender = await createSender()
  operator = await loginAs(one.service, ['operator'])
  const scopes = ['sign:*', 'explain:*', 'read:*']
  token = (await issue(one.controlUrl, operator, { scopes, sender })).token
  callers = [caller(one.service.url, token, sender), caller(two.service.url, token, sender)]
})
after(async () => {
  if ('skip' in started) return
  await plant.close()
  await kms.close() // the server of PostgreSQL is shared with other tests of this process, and ends with it
})

/** Both trust one issuer: its key is made once and given to both, as a configuration would. */
async function replica(instance: string, url: Secret): Promise<Replica> {
  const directory = join(plant.home, instance)
  const flags = { plane: 'all', 'data.directory': directory, 'audit.instance': instance }
  issuerKey ??= await newIssuerKey()
  const key = issuerKey
  const service = await plant.start(flags, settings => {
    const { gateway } = settings
    assert.ok(gateway !== undefined)
    return {
      ...settings,
      store: { kind: 'postgres', url, pool: 10, tls: 'off' },
      gateway: { ...gateway, issuer: { ...gateway.issuer, key }, approvals: { ...gateway.approvals, coolDownMs: 0 } },
      limits: { ...settings.limits, breakerFailures: 1_000, tries: 1 },
      providers: { ...settings.providers, aws: { kind: 'aws-kms', region: kms.region, endpoint: kms.aws } },
    }
  })
  return { service, directory, controlUrl: service.controlUrl ?? assert.fail('no control plane') }
}

let issuerKey: Secret | undefined
async function newIssuerKey(): Promise<Secret> {
  return openIssuerKey({ environment: 'development', dataDirectory: plant.home }, plant.runtime.world().random)
}

let sequence = 50_000n
const soon = (): xdr.Preconditions => timeBounds(0n, BigInt(Math.floor(Date.now() / 1000) + 300))
const pay = (key: string, amount: string, over: { sequence?: bigint; fee?: number } = {}): string =>
  transactionBody(
    v1({
      operations: [Operation.payment({ destination: supplier, asset: Asset.native(), amount })],
      source: unmuxed(testKey(key).publicKey()),
      cond: soon(),
      sequence: ++sequence,
      ...over,
    }).toXdr('base64'),
  )
const at = (n: number): Caller => callers[(n % 2) as 0 | 1]
const path = (key: string): string => `/v1/keys/${key}/sign`
const statuses = (answers: readonly Told[]) => {
  const counts: Record<string, number> = {}
  for (const { status, code } of answers) counts[code ?? status] = (counts[code ?? status] ?? 0) + 1
  return counts
}
const many = <T>(count: number, make: (n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => make(n)))
const records = async ({ directory }: Replica): Promise<AuditRecord[]> =>
  Array.fromAsync(readRecords(await nodeAuditFiles(auditPath(directory), { access: 'read' })))
const released = async (key: string): Promise<AuditRecord[]> =>
  [...(await records(one)), ...(await records(two))].filter(
    record => record.kind === 'outcome' && record.result === 'released' && record.key === key,
  )
/** Some answers say "in a moment", as they may; then it is asked again. */
async function insisting(ask: () => Promise<Told>): Promise<Told> {
  for (let tries = 0; ; tries++) {
    const answer = await ask()
    if (answer.status !== 503 && answer.code !== 'idempotency/in-flight') return answer
    assert.ok(tries < 50, JSON.stringify(answer.body))
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

test(
  'M-79 M-51 a spend window is one for both: 60 payments at once, ten rounds, and never a stroop above the cap',
  options,
  async () => {
    let given = 0
    for (let round = 0; round < 10; round++) {
      const key = `window${round}`
      await addKey((round % 2 === 0 ? one : two).service, plant.runtime, key, policyOf('25'))
      const answers = await many(60, n => insisting(() => at(n).ask({ path: path(key), body: pay(key, '1') })))
      assert.deepEqual(statuses(answers), { 200: 25, 'policy/denied': 35 })
      assert.equal((await released(key)).length, 25)
      given += 25
    }
    process.stderr.write(
      `# replicas: 600 payments at two replicas, ${given} signed, 10 windows of 25 full to the stroop\n`,
    )
  },
)

test(
  'M-79 T57 one idempotency key at both at once: one signature, the same answer for all, 30 rounds',
  options,
  async () => {
    await addKey(one.service, plant.runtime, 'orders', policyOf('1000'))
    for (let round = 0; round < 30; round++) {
      const call = { path: path('orders'), body: pay('orders', '1'), idempotencyKey: unique('order') }
      const answers = await many(8, n => insisting(() => at(n).ask(call)))
      assert.deepEqual(statuses(answers), { 200: 8 }, JSON.stringify(answers.map(({ body }) => body)))
      assert.equal(new Set(answers.map(({ body }) => body['signature'])).size, 1)
      assert.equal(new Set(answers.map(({ body }) => body['auditId'])).size, 1)
      const other = await at(round).ask({ ...call, body: pay('orders', '2') })
      assert.equal(other.code, 'idempotency/mismatch')
    }
    assert.equal((await released('orders')).length, 30, 'nothing was signed twice')
  },
)

test('M-79 M-70 one place on the chain, both at once: one transaction has it, 30 rounds', options, async () => {
  await addKey(two.service, plant.runtime, 'places', policyOf('1000'))
  for (let round = 0; round < 30; round++) {
    const mine = ++sequence
    const answers = await many(6, n =>
      insisting(() => at(n).ask({ path: path('places'), body: pay('places', `1.00000${n + 1}`, { sequence: mine }) })),
    )
    assert.deepEqual(statuses(answers), { 200: 1, 'policy/denied': 5 })
  }
  assert.equal((await released('places')).length, 30)
})

test('M-79 M-45 the rate of a token is one for both: of 40 at once, exactly 12', options, async () => {
  const { token: slow } = await issue(two.controlUrl, operator, {
    scopes: ['sign:*', 'read:*'],
    sender,
    constraints: { limit: 12 },
  })
  const both = [caller(one.service.url, slow, sender), caller(two.service.url, slow, sender)] as const
  const answers = await many(40, n => both[(n % 2) as 0 | 1].ask({ method: 'GET', path: '/v1/keys/orders' }))
  assert.deepEqual(statuses(answers), { 200: 12, 'access/limited': 28 })
  for (const { status, headers } of answers) {
    assert.match(headers.get('ratelimit-policy') ?? '', /^"token";q=12;w=60$/)
    if (status === 429) assert.match(headers.get('retry-after') ?? '', /^\d+$/)
  }
})

test('M-79 T06 a proof shown at one is used up at the other', options, async () => {
  const call = { path: path('orders'), body: pay('orders', '1'), idempotencyKey: unique('proof') }
  const proof = await at(0).proofFor(call)
  assert.equal((await at(0).ask({ ...call, proof })).status, 200)
  const again = await at(1).ask({ ...call, proof })
  assert.deepEqual([again.status, again.code], [401, 'token/invalid'])
  const race = { path: path('orders'), body: pay('orders', '1'), idempotencyKey: unique('proof') }
  const shared = await at(0).proofFor(race)
  const answers = await many(10, n => at(n).ask({ ...race, proof: shared }))
  assert.deepEqual(statuses(answers), { 200: 1, 'token/invalid': 9 })
})

test(
  'M-79 T05 a token revoked at one is refused at the other by the very next request, 20 times',
  options,
  async () => {
    await addKey(one.service, plant.runtime, 'revoked', policyOf('1000'))
    for (let round = 0; round < 20; round++) {
      const [here, there] = round % 2 === 0 ? [one, two] : [two, one]
      const issued = await issue(here.controlUrl, operator, { scopes: ['sign:revoked'], sender })
      const who = caller(there.service.url, issued.token, sender)
      assert.equal((await who.ask({ path: path('revoked'), body: pay('revoked', '1') })).status, 200)
      const { status } = await administer(here.controlUrl, operator.token, 'DELETE', `/v1/tokens/${issued.id}`)
      assert.equal(status, 200)
      const after = await who.ask({ path: path('revoked'), body: pay('revoked', '1') })
      assert.deepEqual([after.status, after.code], [401, 'token/invalid'])
    }
    assert.equal((await released('revoked')).length, 20)
  },
)

test(
  'M-79 T05 a token revoked at one while the other signs with it: what is answered after the revocation is no signature',
  options,
  async () => {
    const issued = await issue(one.controlUrl, operator, { scopes: ['sign:revoked'], sender })
    const who = caller(two.service.url, issued.token, sender)
    const state = { over: false }
    const given: number[] = []
    const work = async (): Promise<void> => {
      while (!state.over) {
        const sentAt = performance.now()
        const { status } = await who.ask({ path: path('revoked'), body: pay('revoked', '1') })
        if (status === 200) given.push(sentAt)
        else assert.equal(status, 401)
      }
    }
    const workers = many(6, work)
    await new Promise(resolve => setTimeout(resolve, 200))
    await administer(one.controlUrl, operator.token, 'DELETE', `/v1/tokens/${issued.id}`)
    const revokedAt = performance.now()
    await new Promise(resolve => setTimeout(resolve, 150))
    state.over = true
    await workers
    assert.ok(given.length > 0)
    assert.deepEqual(
      given.filter(sentAt => sentAt > revokedAt),
      [],
    )
  },
)

test(
  'M-79 a key that one puts into quarantine signs at neither, and at both when its administrator has restored it at one',
  options,
  async () => {
    const deps = registerDeps(one.service.room, plant.runtime.world(), 'development')
    const policy = parsePolicy(policyOf('1000')).text
    await adopt(deps, { name: 'remote', chain: 'stellar', network: 'testnet', provider: 'aws', policy }, REMOTE)
    for (const n of [0, 1])
      assert.equal((await at(n).ask({ path: path('remote'), body: pay('remote', '1') })).status, 200)
    kms.addFaults({ face: 'aws', operation: 'Sign', times: 1, fault: { kind: 'other-key-signature' } })
    const lie = await at(0).ask({ path: path('remote'), body: pay('remote', '1') })
    assert.equal(lie.code, 'signature/unverified')
    kms.clearFaults()
    for (const n of [0, 1, 0, 1]) {
      const refusal = await at(n).ask({ path: path('remote'), body: pay('remote', '1') })
      assert.equal(refusal.code, 'key/not-active', `replica ${n}`)
    }
    const keyAdmin = await loginAs(two.service, ['key-admin'])
    const restored = await administer(two.controlUrl, keyAdmin.token, 'POST', '/v1/keys/remote/restore')
    assert.equal(restored.status, 200, JSON.stringify(restored.body))
    for (const n of [0, 1])
      assert.equal((await at(n).ask({ path: path('remote'), body: pay('remote', '1') })).status, 200)
  },
)

/** In the long form as often as the requirement says. Each acknowledgement waits `SETTLED_MS`. */
const REVOCATIONS = LONG ? 500 : 12
test(`M-62 T59 a key revoked at one at a random moment, while both sign with it, ${REVOCATIONS} times: no signature leaves either after the acknowledgement`, {
  ...options,
  ...('skip' in started ? {} : { timeout: LONG ? 900_000 : 120_000 }),
}, async () => {
  await addKey(one.service, plant.runtime, 'stopped', policyOf('1000000'))
  const { keys } = one.service.room.store
  const seed = 62
  const chance = seeded(seed)
  const counts = { released: 0, inFlight: 0, after: 0 }
  for (let round = 0; round < REVOCATIONS; round++) {
    const acknowledged = { at: Number.POSITIVE_INFINITY }
    const work = async (n: number): Promise<void> => {
      for (;;) {
        const sentAt = performance.now()
        const { status, code } = await at(n).ask({ path: path('stopped'), body: pay('stopped', '0.0000001') })
        const late = performance.now() > acknowledged.at
        if (status !== 200) {
          assert.equal(code, 'key/not-active')
          counts[sentAt < acknowledged.at ? 'inFlight' : 'after']++
          return
        }
        assert.ok(!late, `seed ${seed}, round ${round}: a signature came after the acknowledgement`)
        counts.released++
      }
    }
    const workers = many(4, work)
    await new Promise(resolve => setTimeout(resolve, chance() * 80))
    const { controlUrl } = round % 2 === 0 ? one : two
    const done = await administer(controlUrl, operator.token, 'POST', '/v1/keys/stopped/revoke', { reason: 'r' })
    acknowledged.at = performance.now()
    assert.equal(done.status, 200, JSON.stringify(done.body))
    await workers
    for (const n of [0, 1])
      assert.equal((await at(n).ask({ path: path('stopped'), body: pay('stopped', '1') })).code, 'key/not-active')
    assert.ok(await keys.setState('stopped', 1, 'active', ['revoked']))
  }
  const withheld = [...(await records(one)), ...(await records(two))].filter(
    record => record.kind === 'event' && record.event === 'release-withheld' && record.detail['key'] === 'stopped',
  )
  process.stderr.write(
    `# replicas: ${REVOCATIONS} revocations, ${JSON.stringify(counts)}, ${withheld.length} withheld at the last moment, 0 late\n`,
  )
  assert.equal((await released('stopped')).length, counts.released + withheld.length)
  assert.ok(counts.released > 0 && counts.inFlight > REVOCATIONS)
})

test('M-79 M-51 what was claimed comes back, for both, only where nothing was signed', options, async () => {
  const deps = registerDeps(two.service.room, plant.runtime.world(), 'development')
  const policy = parsePolicy(policyOf('20')).text
  await adopt(deps, { name: 'giver', chain: 'stellar', network: 'testnet', provider: 'aws', policy }, GIVER)
  const ask = (n: number, call: object = {}) => at(n).ask({ path: path('giver'), body: pay('giver', '10'), ...call })
  kms.addFaults({
    face: 'aws',
    operation: 'Sign',
    times: 0,
    fault: { kind: 'error', name: 'KMSInternalException', status: 500 },
  })
  for (let n = 0; n < 6; n++) assert.equal((await ask(n)).code, 'provider/unavailable')
  kms.clearFaults()
  assert.equal((await ask(0)).status, 200, 'none of these six took any of the 20')

  // The answer is lost: a signature may exist, and what it would spend stays spent, at both.
  kms.addFaults({ face: 'aws', operation: 'Sign', times: 0, fault: { kind: 'reset', at: 'start', when: 'after' } })
  const lost = { body: pay('giver', '10'), idempotencyKey: unique('lost') }
  assert.equal((await ask(0, lost)).code, 'provider/ambiguous')
  kms.clearFaults()
  for (const n of [0, 1]) assert.equal((await ask(n)).code, 'policy/denied', `replica ${n}`)
  // The same request again is the same money. Its key service is away: that gives back nothing of what was lost before.
  kms.addFaults({
    face: 'aws',
    operation: 'Sign',
    times: 0,
    fault: { kind: 'error', name: 'KMSInternalException', status: 500 },
  })
  assert.equal((await ask(1, lost)).code, 'provider/unavailable')
  kms.clearFaults()
  for (const n of [0, 1]) assert.equal((await ask(n)).code, 'policy/denied', `replica ${n}`)
  const again = await ask(1, lost)
  assert.equal(again.status, 200, JSON.stringify(again.body))
  assert.equal((await ask(0)).code, 'policy/denied')
  assert.equal((await released('giver')).length, 2)
})

test(
  'M-79 T57 a replica that was taken for dead while its key service answered: its signature does not leave',
  options,
  async () => {
    assert.ok('server' in started)
    kms.addFaults({ face: 'aws', operation: 'Sign', times: 1, fault: { kind: 'delay', ms: 1_500 } })
    const call = { path: path('remote'), body: pay('remote', '1'), idempotencyKey: unique('dead') }
    const slow = at(0).ask(call)
    await new Promise(resolve => setTimeout(resolve, 300))
    assert.equal((await at(1).ask(call)).code, 'idempotency/in-flight')
    await started.server.sql("UPDATE instances SET lease_until = now() - interval '1 s' WHERE name = 'one'", DATABASE)
    const quick = await at(1).ask(call)
    assert.equal(quick.status, 200, JSON.stringify(quick.body))
    const late = await slow
    assert.ok(
      late.code === 'store/unavailable' || late.body['signature'] === quick.body['signature'],
      JSON.stringify(late.body),
    )
    assert.equal(late.code, 'store/unavailable')
    const withheld = (await records(one)).filter(
      record => record.kind === 'event' && record.event === 'release-withheld' && record.detail['key'] === 'remote',
    )
    assert.equal(withheld.length, 1)
    assert.equal((await insisting(() => at(0).ask(call))).body['auditId'], quick.body['auditId'])
  },
)

test('M-79 a policy activated at one holds at the other for the very next request', options, async () => {
  const key = 'changing'
  await addKey(one.service, plant.runtime, key, policyOf('1000'))
  const proposer = await loginAs(one.service, ['policy-admin'])
  const approvers = [await loginAs(two.service, ['approver']), await loginAs(one.service, ['approver'])]
  const propose = async (
    policy: PolicyDocument,
    expect: 'allow' | 'deny',
    approved: readonly Person[],
  ): Promise<string> => {
    const payload = JSON.parse(pay(key, '1')) as object
    const tests = [{ name: 'one', payload, now: Date.now(), expect }]
    const made = await administer(one.controlUrl, proposer.token, 'POST', `/v1/keys/${key}/policy/changes`, {
      policy,
      tests,
    })
    assert.equal(made.status, 201, JSON.stringify(made.body))
    const id = String(made.body['id'])
    for (const [n, { pair, token: session }] of approved.entries()) {
      const { body: seen } = await administer(two.controlUrl, session, 'GET', `/v1/changes/${id}`)
      const signature = toBase64(pair.sign(Buffer.from(sep53Digest(new TextEncoder().encode(String(seen['text']))))))
      const url = n === 0 ? two.controlUrl : one.controlUrl
      const given = await administer(url, session, 'POST', `/v1/changes/${id}/approvals`, { signature })
      assert.equal(given.status, 200, JSON.stringify(given.body))
    }
    return id
  }
  const ask = (n: number) => at(n).ask({ path: path(key), body: pay(key, '1') })
  for (const n of [0, 1]) assert.equal((await ask(n)).status, 200)
  const tighter: PolicyDocument = { ...policyOf('1000'), operations: [] }
  const first = await propose(tighter, 'deny', approvers.slice(0, 1))
  const active = await administer(two.controlUrl, proposer.token, 'POST', `/v1/changes/${first}/activate`)
  assert.equal(active.status, 200, JSON.stringify(active.body))
  for (const n of [0, 1]) assert.equal((await ask(n)).code, 'policy/denied', `replica ${n}`)
  // Looser again needs both, and of two who put it in force at once, one does.
  const second = await propose(policyOf('1000'), 'allow', approvers.slice(0, 1))
  const early = await administer(one.controlUrl, proposer.token, 'POST', `/v1/changes/${second}/activate`)
  assert.equal(early.code, 'change/not-approved')
  const { body: seen } = await administer(one.controlUrl, proposer.token, 'GET', `/v1/changes/${second}`)
  const other = approvers[1] ?? assert.fail()
  const signature = toBase64(other.pair.sign(Buffer.from(sep53Digest(new TextEncoder().encode(String(seen['text']))))))
  assert.equal(
    (await administer(two.controlUrl, other.token, 'POST', `/v1/changes/${second}/approvals`, { signature })).status,
    200,
  )
  const both = await Promise.all(
    [one, two].map(({ controlUrl }) =>
      administer(controlUrl, proposer.token, 'POST', `/v1/changes/${second}/activate`),
    ),
  )
  assert.deepEqual(statuses(both), { 200: 1, 'change/conflict': 1 })
  for (const n of [0, 1]) assert.equal((await ask(n)).status, 200)
})

test('M-79 an administrator who is disabled at one is nobody at the other', options, async () => {
  const boss = await loginAs(one.service, ['policy-admin'])
  const clerk = await loginAs(two.service, ['auditor'])
  assert.equal((await administer(one.controlUrl, clerk.token, 'GET', '/v1/audit')).status, 200)
  const done = await administer(one.controlUrl, boss.token, 'PATCH', `/v1/admins/${clerk.pair.publicKey()}`, {
    active: false,
  })
  assert.equal(done.status, 200, JSON.stringify(done.body))
  const { status } = await administer(two.controlUrl, clerk.token, 'GET', '/v1/audit')
  assert.ok(status === 401 || status === 403, String(status))
})

test('M-79 a replica that went away: what it had spent stays spent, and the other goes on', options, async () => {
  const key = 'left'
  await addKey(two.service, plant.runtime, key, policyOf('20'))
  assert.equal((await at(0).ask({ path: path(key), body: pay(key, '10') })).status, 200)
  await one.service.stop(500)
  assert.equal((await at(1).ask({ path: path(key), body: pay(key, '10') })).status, 200)
  assert.equal((await at(1).ask({ path: path(key), body: pay(key, '0.0000001') })).code, 'policy/denied')
  await two.service.stop(500)
  for (const { directory } of [one, two]) {
    const report = await verifyAuditLog(await nodeAuditFiles(auditPath(directory), { access: 'read' }))
    assert.ok(report.ok, JSON.stringify(report))
  }
  const errors = plant.logs.filter(({ level, event }) => level === 'error' && event !== 'key-quarantined')
  assert.deepEqual(errors, [])
})
