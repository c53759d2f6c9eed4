/** The service as `src/compose` wires it: real sockets, real SQLite, a real log; somebody edits the registry behind its back. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { Keypair, StrKey } from '@stellar/stellar-sdk/base'
import { createDevIssuer, type DevIssuer } from '../../src/access/dev-tokens.ts'
import { nodeAuditFiles } from '../../src/audit/node-files.ts'
import { readRecords } from '../../src/audit/read.ts'
import { verifyAuditLog } from '../../src/audit/verify.ts'
import { fromBase64 } from '../../src/bytes/base64.ts'
import { fromHex } from '../../src/bytes/hex.ts'
import { publicKeyOf } from '../../src/compose/custody.ts'
import { registerDeps } from '../../src/compose/keys.ts'
import { auditPath, storePath } from '../../src/compose/places.ts'
import { type RunningService, startService } from '../../src/compose/service.ts'
import type { AuditRecord } from '../../src/domain/audit.ts'
import { SecretBytes } from '../../src/domain/secret.ts'
import { demoPolicy } from '../../src/policy/index.ts'
import { openRuntime, type Runtime } from '../../src/runtime/index.ts'
import {
  adopt,
  adoptCiphertext,
  createNative,
  type NewKey,
  type RegisterDeps,
  wrapSeed,
} from '../../src/service/register.ts'
import type { SignAnswer } from '../../src/service/types.ts'
import { withCode } from '../support/audit-world.ts'
import { EXAMPLE, memoryLogger, problemOf } from '../support/rig.ts'

const ENVELOPE_KEYS = ['e1', 'e2', 'e3', 'e4', 'e5']
const call = { requestId: 'test', signal: new AbortController().signal }
let home: string
let runtime: Runtime
let issuer: DevIssuer
let service: RunningService
let deps: RegisterDeps
let database: DatabaseSync
const logs: Record<string, unknown>[] = []
const newKey = (name: string): NewKey => ({
  name,
  chain: 'stellar',
  network: 'testnet',
  provider: 'mock',
  policy: demoPolicy().text,
})
const seedOf = (fill: number): SecretBytes => new SecretBytes(new Uint8Array(32).fill(fill), 'seed of a test')

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'countersign-service-'))
  runtime = await openRuntime()
  const world = runtime.world()
  issuer = createDevIssuer({ clock: world.clock })
  const { jwks, audience } = issuer
  const settings = {
    environment: 'development' as const,
    dataDirectory: home,
    instance: 'test',
    providers: { mock: { kind: 'mock' as const } },
    server: { host: '127.0.0.1', port: 0 },
    limits: {
      bodyBytes: 65_536,
      concurrency: 64,
      deadlineMs: 2_000,
      tries: 2,
      breakerFailures: 5,
      breakerResetMs: 1000,
    },
    tokens: { jwks, issuer: issuer.issuer, audience, clock: world.clock },
  }
  service = await startService(settings, runtime, memoryLogger(logs))
  deps = registerDeps(service.room, world, 'development')
  await createNative(deps, newKey('native'))
  for (const name of ENVELOPE_KEYS) await wrapSeed(deps, newKey(name), {})
  database = new DatabaseSync(storePath(home))
})
after(async () => {
  database.close()
  await service.stop(1_000)
  const report = await verifyAuditLog(await nodeAuditFiles(auditPath(home), { access: 'read' }))
  await rm(home, { recursive: true, force: true })
  assert.ok(report.ok, JSON.stringify(report))
})

let count = 0
async function sign(key: string, token?: string): Promise<Response> {
  const bearer = token ?? (await issuer.issue({ subject: 'tester', scopes: ['sign:*'] }))
  const headers = {
    authorization: `Bearer ${bearer}`,
    'content-type': 'application/json',
    'idempotency-key': `s-${++count}`,
  }
  const body = JSON.stringify({ type: 'stellar-transaction', xdr: EXAMPLE })
  return fetch(`${service.url}/v1/keys/${key}/sign`, { method: 'POST', headers, body })
}
async function signs(key: string): Promise<SignAnswer> {
  const response = await sign(key)
  const answer = (await response.json()) as SignAnswer
  assert.equal(response.status, 200, JSON.stringify(answer))
  const [hash, signature] = [fromHex(answer.hash), fromBase64(answer.signature)]
  assert.ok(hash !== undefined && signature !== undefined)
  assert.ok(Keypair.fromPublicKey(answer.address).verify(hash, signature))
  return answer
}
const records = async (): Promise<AuditRecord[]> =>
  Array.fromAsync(readRecords(await nodeAuditFiles(auditPath(home), { access: 'read' })))

test('M-05 every key signs, and stellar-sdk agrees', async () => {
  for (const name of ['native', ...ENVELOPE_KEYS]) assert.equal((await signs(name)).keyVersion, 1)
})

test('T41 all pairs of 5 encrypted keys exchanged in the table, with context and without: no signature', async () => {
  const read = database.prepare('SELECT ciphertext, context FROM envelopes WHERE binding_id = ?')
  const write = database.prepare('UPDATE envelopes SET ciphertext = ?, context = ? WHERE binding_id = ?')
  const rows = await Promise.all(
    ENVELOPE_KEYS.map(async name => {
      const id = (await service.room.store.keys.resolve(name))?.bindings[0]?.id ?? ''
      const { ciphertext, context } = read.get(id) as { ciphertext: Uint8Array; context: string }
      return { name, id, ciphertext, context }
    }),
  )
  let refused = 0
  for (const mine of rows) {
    for (const other of rows.filter(row => row !== mine)) {
      for (const context of [mine.context, other.context]) {
        write.run(other.ciphertext, context, mine.id)
        const { code, status } = await problemOf(await sign(mine.name))
        assert.deepEqual([code, status], ['envelope/unreadable', 502], `${mine.name} with the row of ${other.name}`)
        const { setState } = service.room.store.keys
        assert.ok(await setState(mine.name, 1, 'active', ['quarantined']), 'and it went into quarantine for that')
        refused++
      }
    }
    write.run(mine.ciphertext, mine.context, mine.id)
    await signs(mine.name)
  }
  assert.equal(refused, 40)
})

const EDITS: ReadonlyArray<readonly [string, string, string]> = [
  [
    'T38 the public key',
    'versions',
    "public_key = x'77cbab1a680d96421b47883c5bf61674009bef6301941a8921f76954112442e5'",
  ],
  ['the address', 'versions', "address = 'GBRPYHIL2CI3FNQ4BXLFMNDLFJUNPU2HY3ZMFSHONUCEOASW7QC7OX2H'"],
  ['the state', 'versions', "state = 'overlap'"],
  ['the reference', 'bindings', "reference = 'mock/ed25519/other/00000000'"],
  ['the provider', 'bindings', "provider = 'aws-kms'"],
  ['I4 the policy', 'keys', `policy = '{"version":1}'`],
  ['I4 the policy to nonsense', 'keys', "policy = 'x'"],
  ['I4 policy and hash together', 'keys', `policy = '${demoPolicy().text}', policy_hash = '${'ab'.repeat(32)}'`],
  ['the network', 'keys', "network = 'public'"],
]

for (const [what, table, edit] of EDITS) {
  test(`T43 ${what} of a key edited in the table: quarantined, and not one call of the key service`, async () => {
    const where = table === 'keys' ? "name = 'native'" : "key = 'native'"
    const before = database.prepare(`SELECT * FROM ${table} WHERE ${where}`).get() ?? assert.fail()
    database.exec(`UPDATE ${table} SET ${edit} WHERE ${where}`)
    const seen = (await records()).length
    try {
      const { code } = await problemOf(await sign('native'))
      assert.ok(code === 'key/mismatch' || code === 'key/not-active', code)
      const added = (await records()).slice(seen)
      assert.ok(added.every(record => record.kind !== 'intent'))
    } finally {
      const names = Object.keys(before)
      database
        .prepare(`UPDATE ${table} SET ${names.map(name => `${name} = ?`).join(', ')} WHERE ${where}`)
        .run(...names.map(name => before[name] ?? null))
    }
    await signs('native')
  })
}

test('T48 a flood of bad tokens: the log holds the first hundred and a count, and those who may sign still do', async () => {
  const seen = (await records()).length
  for (let n = 0; n < 1_500; n += 50) {
    const statuses = await Promise.all(Array.from({ length: 50 }, async () => (await sign('native', 'a.b.c')).status))
    assert.ok(
      statuses.every(status => status === 401 || status === 503),
      String(statuses),
    )
  }
  await signs('native')
  assert.ok((await records()).length - seen < 150, `${(await records()).length - seen} records`)
})

test('a key is registered only with proof: each way in, and what it refuses', async () => {
  const wiped = seedOf(7)
  const publicKey = await publicKeyOf(wiped)
  const { address } = (await wrapSeed(deps, newKey('imported'), { seed: wiped })).version
  assert.ok(wiped.wiped, 'the seed is wiped')
  assert.equal(Keypair.fromRawEd25519Seed(Buffer.alloc(32, 7)).publicKey(), address)
  await signs('imported')

  const refuses = (code: string, attempt: Promise<unknown>) => assert.rejects(attempt, withCode(code))
  await refuses('key/exists', createNative(deps, newKey('native')))
  await refuses('request/malformed', createNative(deps, newKey('not a name')))
  await refuses('key/mismatch', wrapSeed(deps, newKey('other'), { seed: seedOf(8), address }))
  await refuses('provider/refused', adopt(deps, newKey('other'), 'mock/ed25519/nobody/00000000'))
  await refuses('start/refused', createNative(deps, { ...newKey('other'), network: 'public' }))
  await refuses('config/invalid', createNative(deps, { ...newKey('other'), policy: '{"version":2}' }))
  await refuses('config/invalid', createNative(deps, { ...newKey('other'), provider: 'nobody' }))

  const provider = await deps.provider('mock')
  assert.ok('wrap' in provider)
  const envelope = provider as import('../../src/domain/provider.ts').EnvelopeProvider
  const wrappingKey = await (await deps.admin('mock')).createWrappingKey({ label: 'others' }, call)
  const ciphertext = await envelope.wrap(wrappingKey, seedOf(7), { pubkey: address }, call)
  await refuses(
    'envelope/unreadable',
    adoptCiphertext(deps, newKey('other'), { wrappingKey, ciphertext: ciphertext.slice(1), publicKey }),
  )
  const wrong = await envelope.wrap(wrappingKey, seedOf(9), { pubkey: address }, call)
  await refuses(
    'envelope/mismatch',
    adoptCiphertext(deps, newKey('other'), { wrappingKey, ciphertext: wrong, publicKey }),
  )
  assert.equal(await deps.registry.resolve('other'), undefined, 'nothing is left of what was refused')
  // T31: one public key, one name.
  await refuses('key/exists', adoptCiphertext(deps, newKey('adopted'), { wrappingKey, ciphertext, publicKey }))
  const fresh = await publicKeyOf(seedOf(10))
  const place = { pubkey: StrKey.encodeEd25519PublicKey(fresh) }
  const theirs = await envelope.wrap(wrappingKey, seedOf(10), place, call)
  await adoptCiphertext(deps, newKey('adopted'), { wrappingKey, ciphertext: theirs, publicKey: fresh })
  assert.equal((await signs('adopted')).address, place.pubkey)

  const native = await deps.registry.resolve('native')
  await refuses('key/exists', adopt(deps, newKey('again'), native?.bindings[0]?.reference ?? ''))
  const made = await (await deps.admin('mock')).create({ scheme: 'ed25519', label: 'again' }, call)
  await adopt(deps, newKey('again'), made.reference)
  assert.equal((await signs('again')).address, StrKey.encodeEd25519PublicKey(made.publicKey))
  const events = (await records()).filter(record => record.kind === 'event' && record.detail['key'] === 'adopted')
  assert.deepEqual(
    events.map(record => record.kind === 'event' && record.event),
    ['key-registering', 'key-registered'],
  )
})

test('health and reading over the socket, and no incident in all of this', async () => {
  assert.equal((await fetch(`${service.url}/readyz`)).status, 200)
  const token = await issuer.issue({ subject: 'tester', scopes: ['read:native'] })
  const view = await fetch(`${service.url}/v1/keys/native`, { headers: { authorization: `Bearer ${token}` } })
  assert.equal(((await view.json()) as { name: string }).name, 'native')
  assert.deepEqual(
    logs.filter(({ level, event }) => level === 'error' && event !== 'key-quarantined'),
    [],
  )
  assert.equal(logs.filter(({ event }) => event === 'key-quarantined').length, 40, 'one for each exchanged row')
})
