/** A key moves from a raw seed to a key service and back under load; and what happens when a key service lies or goes away. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Keypair } from '@stellar/stellar-sdk/base'
import { type LocalKms, startLocalKms } from '../../local-kms/index.ts'
import { createDevIssuer, type DevIssuer } from '../../src/access/dev-tokens.ts'
import { nodeAuditFiles } from '../../src/audit/node-files.ts'
import { readRecords } from '../../src/audit/read.ts'
import { verifyAuditLog } from '../../src/audit/verify.ts'
import { fromBase64 } from '../../src/bytes/base64.ts'
import { fromHex, toHex } from '../../src/bytes/hex.ts'
import type { FlagRoom, FlagValue, FlagView } from '../../src/cli/context.ts'
import { openFlagRoom } from '../../src/compose/flag-room.ts'
import { registerDeps } from '../../src/compose/keys.ts'
import { auditPath, storePath } from '../../src/compose/places.ts'
import { type RunningService, type ServiceSettings, startService } from '../../src/compose/service.ts'
import type { AuditRecord } from '../../src/domain/audit.ts'
import { Secret, SecretBytes } from '../../src/domain/secret.ts'
import { demoPolicy } from '../../src/policy/index.ts'
import { openRuntime, type Runtime } from '../../src/runtime/index.ts'
import { addBinding, restoreBinding } from '../../src/service/bind.ts'
import { adopt, type RegisterDeps } from '../../src/service/register.ts'
import type { SignAnswer } from '../../src/service/types.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { withCode } from '../support/audit-world.ts'
import { EXAMPLE, memoryLogger } from '../support/rig.ts'

const SEED = crypto.getRandomValues(new Uint8Array(32))
const PAIR = Keypair.fromRawEd25519Seed(Buffer.from(SEED))
const AWS_ID = '00000000-0000-4000-8000-00000000e201'
const OTHER_ID = '00000000-0000-4000-8000-00000000e202'
const GCP = 'projects/demo/locations/global/keyRings/demo/cryptoKeys/treasury'
const material = { material: { hex: toHex(SEED) } }

let kms: LocalKms
let home: string
let runtime: Runtime
let issuer: DevIssuer
let settings: ServiceSettings
let service: RunningService
let deps: RegisterDeps
let flags: FlagRoom
let token: string
const logs: Record<string, unknown>[] = []

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'countersign-routing-'))
  kms = await startLocalKms({
    seed: {
      version: 1,
      keys: [
        { keyId: AWS_ID, spec: 'ECC_NIST_EDWARDS25519', ...material },
        { keyId: OTHER_ID, spec: 'ECC_NIST_EDWARDS25519' },
      ],
      vault: {
        keys: [
          { name: 'treasury', type: 'ed25519', ...material },
          { name: 'wrapping', type: 'aes256-gcm96' },
        ],
      },
      gcp: { cryptoKeys: [{ name: GCP, algorithm: 'EC_SIGN_ED25519', versions: [material] }] },
    },
  })
  runtime = await openRuntime()
  const world = runtime.world()
  issuer = createDevIssuer({ clock: world.clock })
  settings = {
    environment: 'development',
    dataDirectory: home,
    instance: 'test',
    providers: {
      'raw-env': { kind: 'raw-env', keys: { treasury: new Secret(PAIR.secret(), 'seed of treasury') } },
      'aws-kms': { kind: 'aws-kms', region: kms.region, endpoint: kms.aws },
      vault: {
        kind: 'vault-transit',
        address: kms.vault,
        auth: 'token',
        token: new Secret(kms.vaultToken, 'token of the emulated Vault'),
      },
      'gcp-kms': { kind: 'gcp-kms', endpoint: kms.gcpRest },
    },
    server: { host: '127.0.0.1', port: 0 },
    limits: {
      bodyBytes: 65_536,
      concurrency: 64,
      deadlineMs: 5_000,
      tries: 2,
      breakerFailures: 5,
      breakerResetMs: 1_000,
    },
    tokens: { jwks: issuer.jwks, issuer: issuer.issuer, audience: issuer.audience, clock: world.clock },
    flags: {
      file: join(home, 'flags.json'),
      name: 'countersign-route',
      maxAgeSeconds: 900,
      whenStale: 'keep',
      shadowConcurrency: 4,
      shadowQueue: 2_000,
    },
  }
  service = await startService(settings, runtime, memoryLogger(logs))
  deps = registerDeps(service.room, world, 'development')
  const key = { name: 'treasury', chain: 'stellar', network: 'testnet', provider: 'raw-env', policy: demoPolicy().text }
  await adopt(deps, { ...key, chain: 'stellar' }, 'treasury')
  await addBinding(deps, { name: 'treasury', provider: 'aws-kms', reference: AWS_ID })
  flags = openFlagRoom({ environment: 'development', file: join(home, 'flags.json'), dataDirectory: home }, world)
  token = await issuer.issue({ subject: 'payments', scopes: ['sign:*'] })
})
after(async () => {
  await service.stop(1_000)
  await kms.close()
  const report = await verifyAuditLog(await nodeAuditFiles(auditPath(home), { access: 'read' }))
  await rm(home, { recursive: true, force: true })
  assert.ok(report.ok, JSON.stringify(report))
})

const LONG = { timeout: 120_000 }
const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
const records = async (): Promise<AuditRecord[]> =>
  Array.fromAsync(readRecords(await nodeAuditFiles(auditPath(home), { access: 'read' })))
const events = async (name: string) =>
  (await records()).flatMap(record => (record.kind === 'event' && record.event === name ? [record] : []))
const set = (flag: FlagValue) => flags.set({ key: 'treasury', flag })
const bindingAt = async (provider: string): Promise<string> =>
  (await service.room.store.keys.resolve('treasury'))?.bindings.find(each => each.provider === provider)?.id ??
  assert.fail(provider)

let count = 0
async function signs(): Promise<SignAnswer> {
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'idempotency-key': `r-${++count}`,
  }
  const body = JSON.stringify({ type: 'stellar-transaction', xdr: EXAMPLE })
  const response = await fetch(`${service.url}/v1/keys/treasury/sign`, { method: 'POST', headers, body })
  const answer = (await response.json()) as SignAnswer
  assert.equal(response.status, 200, JSON.stringify(answer))
  const [hash, signature] = [fromHex(answer.hash), fromBase64(answer.signature)]
  assert.ok(hash !== undefined && signature !== undefined)
  assert.ok(PAIR.verify(Buffer.from(hash), Buffer.from(signature)), 'a wrong signature')
  return answer
}

/** As many as fit, several at a time, until `stop`; every answer is checked. */
function load(workers: number) {
  const served: { readonly provider: string; readonly startedAt: number }[] = []
  const failures: unknown[] = []
  const state = { over: false }
  const work = async (): Promise<void> => {
    while (!state.over) {
      const startedAt = performance.now()
      await signs().then(
        ({ provider }) => served.push({ provider, startedAt }),
        error => failures.push(error),
      )
    }
  }
  const all = Promise.all(Array.from({ length: workers }, work))
  return {
    served,
    failures,
    stop: async () => {
      state.over = true
      await all
    },
  }
}

const until = async (what: string, holds: () => boolean): Promise<void> => {
  for (let tries = 0; !holds(); tries++) {
    assert.ok(tries < 600, `waited for ${what}`)
    await pause(50)
  }
}
/** Until the service goes by these flags; it looks when a request comes. */
const taken = ({ hash }: FlagView): Promise<void> =>
  until('the flags', () => logs.findLast(({ event }) => event === 'flags-changed')?.['after'] === hash)
const setAndSign = async (flag: FlagValue): Promise<void> => {
  const view = await set(flag)
  await pause(1_050)
  await signs()
  await taken(view)
}

test(
  'M-10 M-66 a key moves from a raw seed to shadow, canary 1, 50, 100 %, on and back, under load: nothing fails',
  LONG,
  async () => {
    const traffic = load(6)
    const steps: FlagValue[] = [
      { mode: 'off' },
      { mode: 'shadow', target: 'aws-kms' },
      { mode: 'canary', percent: 1, target: 'aws-kms' },
      { mode: 'canary', percent: 50, target: 'aws-kms' },
      { mode: 'canary', percent: 100, target: 'aws-kms' },
      { mode: 'on', target: 'aws-kms' },
    ]
    const shares: number[] = []
    const measure = async (view: FlagView): Promise<void> => {
      await taken(view)
      const from = performance.now()
      const seen = () => traffic.served.filter(({ startedAt }) => startedAt >= from)
      await Promise.all([pause(1_200), until('signatures', () => seen().length >= 60)])
      shares.push(seen().filter(({ provider }) => provider === 'aws-kms').length / seen().length)
    }
    for (const step of steps) await measure(await set(step))
    await measure(await flags.rollback())
    await measure(await flags.rollback()) // back at 50 %
    await measure(await set({ mode: 'off' }))

    await traffic.stop()
    assert.deepEqual(traffic.failures, [])
    const [off, shadow, one, half, all, on, backToAll, backToHalf, end] = shares
    assert.deepEqual([off, shadow, all, on, backToAll, end], [0, 0, 1, 1, 1, 0])
    for (const share of [half, backToHalf]) assert.ok(share !== undefined && share > 0.2 && share < 0.8, String(shares))
    assert.ok(one !== undefined && one < 0.1, String(shares))

    const log = await records()
    const outcomes = log.flatMap(record => (record.kind === 'outcome' && record.route !== undefined ? [record] : []))
    assert.equal(outcomes.length, traffic.served.length)
    assert.ok(outcomes.every(({ result }) => result === 'released'))
    const modes = outcomes.map(({ route }) => route?.mode).filter((mode, at, every) => mode !== every[at - 1])
    for (const mode of ['off', 'shadow', 'canary', 'on']) assert.ok(modes.includes(mode), mode)
    const changes = await events('flags-changed')
    assert.ok(changes.length >= 7, `${changes.length} changes`)
    for (const [at, change] of changes.entries()) {
      const version = String(change.detail['after']).slice(0, 16)
      const since = changes[at - 1]?.seq ?? 0
      const early = log.filter(
        ({ seq, ...record }) =>
          seq > since && seq < change.seq && record.kind === 'intent' && record.route?.flags === version,
      )
      assert.equal(early.length, 0, 'on record before the first request that goes by it')
      if (at > 0) assert.equal(change.detail['before'], changes[at - 1]?.detail['after'])
    }
    assert.ok(changes.some(({ detail }) => String(detail['came']).includes('"percent":1,')))
    const shadowed = log.filter(record => record.kind === 'intent' && record.route?.shadow !== undefined).length
    assert.ok(shadowed > 20, `${shadowed} in shadow`)
    assert.deepEqual(
      logs.filter(({ level }) => level === 'error'),
      [],
    )
    process.stderr.write(
      `# routing: ${traffic.served.length} signatures, ${shadowed} in shadow, shares ${shares.map(s => s.toFixed(2)).join(' ')}\n`,
    )
  },
)

test(
  'M-66 shadow finds one planted wrong answer: counted, on record, alarmed; callers see nothing, the flag cannot send anybody there',
  LONG,
  async () => {
    const binding = await bindingAt('aws-kms')
    await setAndSign({ mode: 'shadow', target: 'aws-kms' })
    await pause(300)
    kms.addFaults({ face: 'aws', operation: 'Sign', nth: 3, times: 1, fault: { kind: 'other-key-signature' } })
    for (let n = 0; n < 8; n++) assert.equal((await signs()).provider, 'raw-env')
    await until('the shadow', () => logs.some(({ event }) => event === 'shadow-differed'))
    await pause(500)
    kms.clearFaults()
    const found = await events('shadow-differed')
    assert.equal(found.length, 1)
    assert.deepEqual([found[0]?.detail['binding'], found[0]?.detail['suspended']], [binding, true])
    assert.equal(logs.filter(({ level, event }) => level === 'error' && event === 'shadow-differed').length, 1)
    const resolved = (await service.room.store.keys.resolve('treasury')) ?? assert.fail()
    assert.equal(resolved.version.state, 'active', 'the key that serves is not in quarantine')
    assert.ok(resolved.bindings.find(({ id }) => id === binding)?.suspended !== undefined)
    await assert.rejects(set({ mode: 'on', target: 'aws-kms' }), withCode('request/malformed'))
    await assert.rejects(set({ mode: 'canary', percent: 1, target: binding }), withCode('request/malformed'))

    await restoreBinding(deps, 'treasury', binding)
    await set({ mode: 'off' })
  },
)

test('M-10 a binding of another public key is refused when it is added, and no flag reaches it', LONG, async () => {
  const before = await service.room.store.keys.resolve('treasury')
  await assert.rejects(
    addBinding(deps, { name: 'treasury', provider: 'aws-kms', reference: OTHER_ID }),
    withCode('key/mismatch'),
  )
  const seed = new SecretBytes(new Uint8Array(32).fill(7), 'another seed')
  await assert.rejects(
    addBinding(deps, { name: 'treasury', provider: 'vault', seed, wrappingKey: 'transit/wrapping' }),
    withCode('key/mismatch'),
  )
  assert.ok(seed.wiped)
  await assert.rejects(
    addBinding(deps, { name: 'treasury', provider: 'aws-kms', reference: AWS_ID }),
    withCode('key/exists'),
  )
  await assert.rejects(set({ mode: 'on', target: 'vault' }), withCode('request/malformed'))
  assert.deepEqual(await service.room.store.keys.resolve('treasury'), before)
})

test(
  'M-10 fail-over: AWS goes away, Vault answers, and Google as well; nothing fails, and the record names who signed',
  LONG,
  async () => {
    await addBinding(deps, { name: 'treasury', provider: 'vault', reference: 'transit/treasury' })
    await addBinding(deps, { name: 'treasury', provider: 'gcp-kms', reference: `${GCP}/cryptoKeyVersions/1` })
    await addBinding(deps, {
      name: 'treasury',
      provider: 'vault',
      seed: new SecretBytes(Uint8Array.from(SEED), 'seed of treasury'),
      wrappingKey: 'transit/wrapping',
    })
    await assert.rejects(set({ mode: 'on', target: 'vault' }), withCode('request/malformed'), 'two places: name one')
    const places = (await service.room.store.keys.resolve('treasury'))?.bindings ?? []
    const vault = places.find(({ provider, custody }) => provider === 'vault' && custody === 'native')?.id ?? ''
    const opened = places.find(({ provider, custody }) => provider === 'vault' && custody === 'envelope')?.id ?? ''

    await setAndSign({ mode: 'on', target: opened })
    assert.equal((await signs()).custody, 'envelope')

    await setAndSign({ mode: 'fail-over', order: ['aws-kms', vault, 'gcp-kms'] })
    const traffic = load(4)
    const servedBy = (provider: string) => () => traffic.served.at(-1)?.provider === provider
    await until('AWS', servedBy('aws-kms'))
    // In their own words: a bare 503 may come from a proxy after the service had signed, and is followed by nobody.
    kms.addFaults({ face: 'aws', times: 0, fault: { kind: 'error', name: 'KMSInternalException', status: 500 } })
    await until('Vault', servedBy('vault'))
    await pause(1_500)
    kms.setServerState('sealed', 'vault')
    await until('Google', servedBy('gcp-kms'))
    await pause(1_000)
    kms.clearFaults()
    kms.setServerState('active', 'vault')
    const wellAgain = () => traffic.served.slice(-20).every(({ provider }) => provider === 'aws-kms')
    await until('AWS again', wellAgain)
    await traffic.stop()
    assert.deepEqual(traffic.failures, [])
    const providers = traffic.served.map(({ provider }) => provider)
    const order = providers.filter((provider, at) => provider !== providers[at - 1])
    for (const provider of ['aws-kms', 'vault', 'gcp-kms']) assert.ok(order.includes(provider), String(order))

    const log = await records()
    const intents = new Map(log.flatMap(r => (r.kind === 'intent' ? [[r.auditId, r.route?.binding] as const] : [])))
    const aws = await bindingAt('aws-kms')
    const elsewhere = log.flatMap(r =>
      r.kind === 'outcome' && r.route?.mode === 'fail-over' && r.provider !== 'aws-kms' ? [r] : [],
    )
    assert.ok(elsewhere.length > 10)
    assert.ok(
      elsewhere.every(r => intents.get(r.auditId) === aws),
      'the intent names the first',
    )
    assert.ok(
      elsewhere.every(r => places.some(({ id, provider }) => id === r.route?.binding && provider === r.provider)),
    )
  },
)

test(
  'M-09 M-10 production does not start with a second binding at a raw key or the mock, whatever the flags say',
  LONG,
  async () => {
    const resolved = (await service.room.store.keys.resolve('treasury')) ?? assert.fail()
    for (const provider of ['raw-env', 'mock']) {
      const directory = join(home, `production-${provider}`)
      await mkdir(directory, { mode: 0o700 })
      const store = await openSqliteStore({ path: storePath(directory), clock: runtime.world().clock })
      const binding = { ...(resolved.bindings[1] ?? assert.fail()), id: 'b_1' }
      await store.keys.add({ key: resolved.key, version: resolved.version, binding })
      await store.keys.addBinding({ binding: { ...binding, id: 'b_2', provider, reference: 'treasury' } })
      store.close()
      const providers = { 'aws-kms': settings.providers['aws-kms'] ?? assert.fail() }
      const production = { ...settings, environment: 'production' as const, dataDirectory: directory, providers }
      await assert.rejects(startService(production, runtime, memoryLogger([])), withCode('start/refused'))
    }
  },
)
