/**
 * The service over a real data directory, made of the parts that `src/compose` takes, with a way to die at a named point.
 * `bun test/crash/child.ts DIRECTORY PLAN`: prints one line when ready and serves until it is killed.
 */
import { mkdir } from 'node:fs/promises'
import { createAdmin } from '../../providers/mock/admin.ts'
import { create as openMock } from '../../providers/mock/index.ts'
import { authorize, type Caller } from '../../src/access/authorize.ts'
import { createDevIssuer } from '../../src/access/dev-tokens.ts'
import { createTokenVerifier } from '../../src/access/tokens.ts'
import type { AuditFile, AuditFiles } from '../../src/audit/files.ts'
import { nodeAuditFiles } from '../../src/audit/node-files.ts'
import { openAuditLog } from '../../src/audit/open.ts'
import { createRefusals } from '../../src/audit/refusals.ts'
import { randomId } from '../../src/bytes/ids.ts'
import { stellar } from '../../src/chains/stellar/index.ts'
import { auditPath, storePath } from '../../src/compose/places.ts'
import { replayInto } from '../../src/compose/restore.ts'
import { contextFor, createAttempts, createCustody, createEngines } from '../../src/custody/index.ts'
import type { AuditLog } from '../../src/domain/audit.ts'
import type { Binding, Custody, KeyVersion } from '../../src/domain/key.ts'
import type { AuditIndex, IdempotencyStore, KeyCatalogue, KeyRegistry, World } from '../../src/domain/ports.ts'
import type { EnvelopeProvider, Signed } from '../../src/domain/provider.ts'
import { SecretBytes } from '../../src/domain/secret.ts'
import { dataPlane } from '../../src/http/app.ts'
import { demoPolicy } from '../../src/policy/index.ts'
import { openRuntime } from '../../src/runtime/index.ts'
import { createSigner } from '../../src/service/signer.ts'
import { lagHead } from '../../src/store/lagging-head.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { Plan, Point, Ready } from './points.ts'

const [directory = '', text = '{}'] = process.argv.slice(2)
const plan = JSON.parse(text) as Plan

let passed = 0
/** Dies here if this is the point and the time. */
function at(point: Point): void {
  if (plan.die?.point !== point || ++passed !== plan.die.nth) return
  process.kill(process.pid, 'SIGKILL')
}
async function between<T>(before: Point, after: Point, body: () => Promise<T>): Promise<T> {
  at(before)
  const result = await body()
  at(after)
  return result
}

const dying = (files: AuditFiles): AuditFiles => ({
  ...files,
  open: async (name, how) => {
    const file = await files.open(name, how)
    return name.endsWith('.log') && how !== 'read' ? dyingFile(file) : file
  },
})

let broken = 0
/** What stands in the batch that is on its way. */
function dyingFile(file: AuditFile): AuditFile {
  let holds: ('intent' | 'outcome')[] = []
  const each = (point: 'before write' | 'half written' | 'written' | 'synced') =>
    holds.forEach(kind => at(`${kind} ${point}`))
  const fail = (kind: 'write' | 'datasync'): void => {
    const { disk } = plan
    if (disk?.kind !== kind || ++broken < disk.nth) return
    throw Object.assign(new Error(`${disk.code}: ${kind}`), { code: disk.code })
  }
  return {
    ...file,
    async write(bytes, position) {
      const batch = new TextDecoder().decode(bytes)
      holds = (['intent', 'outcome'] as const).filter(kind => batch.includes(`"kind":"${kind}"`))
      each('before write')
      fail('write')
      if (plan.die?.point.endsWith('half written')) {
        await file.write(bytes.subarray(0, bytes.length >> 1), position)
        each('half written')
      }
      if (file.writesThrough === true) fail('datasync')
      const taken = await file.write(bytes, position)
      each('written')
      if (file.writesThrough === true) each('synced')
      return taken
    },
    async datasync() {
      fail('datasync')
      await file.datasync()
      each('synced')
    },
  }
}

const dyingIndex = (real: AuditIndex): AuditIndex => ({
  head: () => real.head(),
  setHead: head => between('head being kept', 'head kept', () => real.setHead(head)),
})
const dyingIdempotency = (real: IdempotencyStore): IdempotencyStore => ({
  reserve: async entry => {
    const reservation = await real.reserve(entry)
    if (reservation.kind === 'reserved') at('reserved')
    return reservation
  },
  complete: (entry, result) => between('answer being kept', 'answer kept', () => real.complete(entry, result)),
  release: entry => real.release(entry),
})
const dyingLog = (real: AuditLog): AuditLog => ({
  get state() {
    return real.state
  },
  close: () => real.close(),
  append: async (...entries) => {
    const receipt = await real.append(...entries)
    const [first] = entries
    if (first?.kind === 'intent') at('intent acknowledged')
    if (first?.kind === 'outcome') at('outcome acknowledged')
    return receipt
  },
})
const dyingCatalogue = (real: KeyCatalogue): KeyCatalogue => {
  let reads = 0
  return {
    resolve: name => real.resolve(name),
    envelope: id => real.envelope(id),
    list: () => real.list(),
    versions: name => real.versions(name),
    holding: what => real.holding(what),
    stateOf: (key, version) => {
      at(++reads % 2 === 1 ? 'verified' : 'state read again')
      return real.stateOf(key, version)
    },
  }
}
const dyingSetState =
  (real: KeyRegistry['setState']): KeyRegistry['setState'] =>
  (...given) =>
    between('quarantine on record', 'quarantined', () => real(...given))
let signatures = 0
const lying = (signed: Signed): Signed => {
  if (plan.lie !== undefined && ++signatures >= plan.lie.nth) signed.signature[0]! ^= 1
  return signed
}
const dyingProvider = (real: EnvelopeProvider): EnvelopeProvider => ({
  ...real,
  sign: (...given) =>
    between('key service asked', 'key service answered', async () => lying(await real.sign(...given))),
  unwrap: (...given) => between('key service asked', 'key service answered', () => real.unwrap(...given)),
})

const runtime = await openRuntime()
const world = runtime.world()
const started = world.clock.monotonic()
await mkdir(directory, { recursive: true, mode: 0o700 })
const store = await openSqliteStore({ path: storePath(directory), clock: world.clock })
const ports = lagHead({ idempotency: store.idempotency, auditIndex: dyingIndex(store.auditIndex) })
const { log, recovery } = await openAuditLog({
  files: dying(await nodeAuditFiles(auditPath(directory), { access: 'write' })),
  ...{ clock: world.clock, random: world.random, instance: 'crash', index: ports.auditIndex },
  onRecord: replayInto(store),
  // Small, so that kills meet rotations and heads too.
  limits: { segmentBytes: 48 * 1024, headEveryRecords: 8, headEveryMs: 20 },
})
const provider = await openMock({ kind: 'mock' }, { ...world, environment: 'development' })
for (const custody of ['native', 'envelope'] as const) await register(store.keys, provider, world, custody)

const issuer = createDevIssuer({ clock: world.clock })
const refusals = createRefusals({ log, clock: world.clock, newAuditId: () => randomId(world.random, 'a') })
const quiet = (): void => {}
const logger = { debug: quiet, info: quiet, warn: quiet, error: (event: string) => process.stderr.write(`${event}\n`) }
const limits = { bodyBytes: 65_536, concurrency: 256 }
const signer = createSigner<Caller>({
  world,
  logger,
  limits,
  catalogue: dyingCatalogue(store.keys),
  setState: dyingSetState(store.keys.setState),
  idempotency: dyingIdempotency(ports.idempotency),
  claims: store.claims,
  audit: dyingLog(log),
  authenticate: createTokenVerifier({
    jwks: issuer.jwks,
    issuer: issuer.issuer,
    audience: issuer.audience,
    clock: world.clock,
  }),
  authorize,
  custody: createCustody({
    provider: async () => dyingProvider(provider),
    readRow: id => store.keys.envelope(id),
    engines: createEngines({ wasmFromBytes: true }),
    attempts: createAttempts(world),
  }),
  mayServe: () => {},
  recordRefusal: outcome => void refusals.record(outcome).catch(quiet),
})
const readiness = async () => [{ name: 'audit', ok: log.state.kind === 'open' }]
const edge = dataPlane({ ...signer, readiness, ...world, logger, limits })
const server = await runtime.serve({
  fetch: async (request, info) => {
    const response = await edge(request, info)
    at('response made')
    return response
  },
  ...{ host: '127.0.0.1', port: 0, limits: { bodyBytes: limits.bodyBytes, idleSeconds: 30 } },
})
const ready: Ready = {
  ready: true,
  url: server.url,
  token: await issuer.issue({ subject: 'crash', scopes: ['sign:*', 'read:*'] }),
  recoveryMs: world.clock.monotonic() - started,
  interrupted: recovery.interrupted.length,
  truncatedBytes: recovery.truncatedBytes,
}
await runtime.write('stdout', `${JSON.stringify(ready)}\n`)

async function register(keys: KeyRegistry, real: EnvelopeProvider, place: World, custody: Custody): Promise<void> {
  if ((await keys.stateOf(custody, 1)) !== undefined) return
  const call = { requestId: 'setup', signal: new AbortController().signal }
  const admin = await createAdmin({ kind: 'mock' }, { ...place, environment: 'development' })
  const policy = demoPolicy()
  const about = { name: custody, chain: 'stellar', network: 'testnet', createdAt: place.clock.now() } as const
  const seed = new SecretBytes(place.random.bytes(32), `seed of ${custody}`)
  const engine = await createEngines({ wasmFromBytes: true })('ed25519')
  const native = custody === 'native'
  const made = native ? await admin.create({ scheme: 'ed25519', label: 'crash' }, call) : undefined
  const reference = made?.reference ?? (await admin.createWrappingKey({ label: 'crash' }, call))
  const publicKey = made?.publicKey ?? seed.use(bytes => engine.publicKey(bytes))
  const address = stellar.address(publicKey)
  const version: KeyVersion = {
    key: custody,
    version: 1,
    scheme: 'ed25519',
    publicKey,
    address,
    account: address,
    state: 'active',
  }
  const binding: Binding = { id: `b_${custody}`, key: custody, version: 1, provider: 'mock', custody, reference }
  const context = contextFor(version, about.network)
  const ciphertext = native ? undefined : await real.wrap(reference, seed, context, call)
  seed.wipe()
  await keys.add({
    ...{ key: { ...about, policy: policy.text, policyHash: policy.hash }, version, binding },
    ...(ciphertext === undefined ? {} : { envelope: { bindingId: binding.id, ciphertext, context } }),
  })
}
