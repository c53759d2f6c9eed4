import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { isSignerError } from '../../../src/domain/errors.ts'
import { reveal, Secret } from '../../../src/domain/secret.ts'
import { MIGRATIONS } from '../../../src/store/migrations.ts'
import { openPostgresStore } from '../../../src/store/postgres.ts'
import { EXPIRED, SELF_SIGNED, WRONG_NAME } from '../../support/bad-certificates.ts'
import { spendOf, spends } from './claims-suite.ts'
import { clock, server, skip, world } from './postgres-world.ts'
import { sampleAddition, sampleEntry, sampleResult } from './samples.ts'

const { connection, open, empty, sql } = world('replicas')
const options = skip === undefined ? {} : { skip }
const endLease = (name: string) =>
  sql(`UPDATE instances SET lease_until = now() - interval '1 s' WHERE name = '${name}'`)
const unavailable = { code: 'store/unavailable' }

const reasonOf = (error: unknown): string =>
  isSignerError(error) && 'reason' in error.detail ? error.detail.reason : String(error)
const refusedWith = (pattern: RegExp) => (error: unknown) => {
  assert.ok(isSignerError(error) && error.code === 'start/refused', String(error))
  assert.match(reasonOf(error), pattern)
  return true
}

test('postgres T57: an instance whose lease ended cannot complete what another has taken over', options, async () => {
  await empty()
  const [slow, quick] = [await open('slow'), await open('quick')]
  const [first, retry] = [sampleEntry(), sampleEntry({ at: sampleEntry().at + 5 })]
  assert.equal((await slow.idempotency.reserve(first)).kind, 'reserved')
  await slow.claims.claim(first, spends(spendOf(60n)))
  assert.equal((await quick.idempotency.reserve(retry)).kind, 'in-flight')
  await endLease('slow')
  assert.equal((await quick.idempotency.reserve(sampleEntry({ fingerprint: 'b'.repeat(64) }))).kind, 'mismatch')
  assert.equal((await quick.idempotency.reserve(retry)).kind, 'reserved')
  await assert.rejects(slow.idempotency.complete(first, sampleResult()), unavailable)
  await slow.idempotency.release(first)
  assert.equal((await slow.idempotency.reserve(retry)).kind, 'in-flight')
  assert.equal((await quick.claims.claim(retry, spends(spendOf(60n)))).kind, 'claimed')
  await quick.claims.drop(retry) // the first may have come to a signature
  assert.equal((await quick.claims.claim(sampleEntry({ key: 'x' }), spends(spendOf(41n)))).kind, 'exceeded')
  await quick.idempotency.complete(retry, sampleResult({ requestId: 'req_2' }))
  const replay = await slow.idempotency.reserve(sampleEntry())
  assert.equal(replay.kind === 'replay' && replay.result.requestId, 'req_2')
  for (const store of [slow, quick]) await store.end()
})

test('postgres: a lease that lapsed unseen is mended by its owner, and given up at the end', options, async () => {
  await empty()
  const store = await open('one')
  await endLease('one')
  assert.equal((await store.idempotency.reserve(sampleEntry())).kind, 'reserved')
  await endLease('one')
  await store.idempotency.complete(sampleEntry(), sampleResult()) // nobody took it: it is still its own
  await endLease('one')
  await store.tend()
  const other = await open('two')
  assert.equal(other.orphans, 0)
  for (const each of [store, other]) await each.end()
  assert.deepEqual(await sql('SELECT name FROM instances'), [])
})

test(
  'postgres: whoever takes the name of an instance takes its place; the former one reserves nothing more',
  options,
  async () => {
    await empty()
    const former = await open('one')
    await former.idempotency.reserve(sampleEntry())
    const alive = { ...clock, sleep: () => former.tend() }
    await assert.rejects(open('one', { clock: alive }), refusedWith(/another process signs as instance "one"/))
    const dead = {
      ...clock,
      sleep: async (ms: number, signal?: AbortSignal) =>
        signal === undefined ? void (await endLease('one')) : clock.sleep(ms, signal),
    }
    const next = await open('one', { clock: dead })
    assert.equal(next.orphans, 1)
    await assert.rejects(former.idempotency.reserve(sampleEntry({ key: 'new' })), unavailable)
    await assert.rejects(former.idempotency.complete(sampleEntry(), sampleResult()), unavailable)
    assert.equal((await next.idempotency.reserve(sampleEntry())).kind, 'reserved')
    await former.end()
    assert.equal((await next.idempotency.reserve(sampleEntry({ key: 'more' }))).kind, 'reserved')
    await next.end()
  },
)

test('postgres: a replica that reads its log again takes nothing back from the others', options, async () => {
  await empty()
  const [one, two] = [await open('one'), await open('two')]
  const early = sampleEntry({ at: 1_000 })
  const late = sampleEntry({ at: 2_000 })
  await two.idempotency.reserve(late)
  await one.idempotency.restore(early, undefined)
  assert.equal((await one.idempotency.reserve(early)).kind, 'in-flight')
  await one.idempotency.restore(sampleEntry({ at: 3_000 }), undefined) // live, and not its own
  assert.equal((await one.idempotency.reserve(early)).kind, 'in-flight')
  await two.idempotency.complete(late, sampleResult({ requestId: 'late' }))
  await one.idempotency.restore(early, sampleResult({ requestId: 'early' }))
  const kept = await one.idempotency.reserve(late)
  assert.equal(kept.kind === 'replay' && kept.result.requestId, 'late')
  // An answer that stands in a log is worth more than a call that has not ended: that one cannot end any more.
  const again = sampleEntry({ key: 'again', at: 2_000 })
  await two.idempotency.reserve(again)
  await one.idempotency.restore({ ...again, at: 1_000 }, sampleResult({ requestId: 'early' }))
  await assert.rejects(two.idempotency.complete(again, sampleResult()), unavailable)
  // A key that was used anew for another request is not touched by what is long over.
  const reused = sampleEntry({ key: 'reused', fingerprint: 'b'.repeat(64), at: 9_000 })
  await two.idempotency.reserve(reused)
  await one.idempotency.restore(sampleEntry({ key: 'reused', at: 1_000 }), sampleResult())
  await two.idempotency.complete(reused, sampleResult())
  for (const store of [one, two]) await store.end()
})

test('postgres: each instance has its own head of its own log', options, async () => {
  await empty()
  const [one, two] = [await open('one'), await open('two')]
  await one.auditIndex.setHead({ seq: 5, hash: 'h5' })
  assert.equal(await two.auditIndex.head(), undefined)
  await two.auditIndex.setHead({ seq: 5, hash: 'other' })
  assert.deepEqual(await one.auditIndex.head(), { seq: 5, hash: 'h5' })
  for (const store of [one, two]) await store.end()
})

test('postgres M-51: a guest reads, takes no reservations and releases none', options, async () => {
  await empty()
  const [service, guest] = [await open('one'), await open('one', { role: 'guest' })]
  await service.idempotency.reserve(sampleEntry())
  await service.keys.add(sampleAddition('treasury'))
  assert.equal((await guest.keys.resolve('treasury'))?.version.address, 'G-treasury')
  await assert.rejects(guest.idempotency.reserve(sampleEntry({ key: 'x' })), unavailable)
  await guest.tend()
  await guest.end()
  await service.idempotency.complete(sampleEntry(), sampleResult())
  service.close()
  await service.end()
})

test('postgres M-51: kill -9 frees what was reserved and not what was claimed', options, async () => {
  await empty()
  const { port = 0, database, password } = await connection()
  const script = fileURLToPath(new URL('./postgres-child.ts', import.meta.url))
  const flags = 'Deno' in globalThis ? ['run', '-A'] : []
  const child = spawn(process.execPath, [...flags, script, String(port), database], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, PASSWORD_OF_TEST: reveal(password as Secret) },
  })
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Uint8Array) => {
      if (new TextDecoder().decode(chunk).includes('holding')) resolve()
    })
    child.on('close', () => reject(new Error('the other process ended')))
  })
  const store = await open('survivor')
  assert.equal((await store.idempotency.reserve(sampleEntry({ key: 'held' }))).kind, 'in-flight')
  const ended = new Promise<void>(resolve => child.on('close', () => resolve()))
  child.kill('SIGKILL')
  await ended
  await endLease('victim') // what time does
  await store.tend()
  const retry = sampleEntry({ key: 'held', at: 2_000_000 })
  assert.equal((await store.idempotency.reserve(retry)).kind, 'reserved')
  assert.equal((await store.idempotency.reserve(sampleEntry({ key: 'done' }))).kind, 'replay')
  const used = () => store.claims.used([{ counter: 'treasury/daily/XLM', windowMs: 3_600_000 }], 2_000_000)
  assert.deepEqual(await used(), [60n])
  assert.equal((await store.claims.claim(retry, spends(spendOf(60n)))).kind, 'claimed')
  await store.claims.drop(retry)
  assert.deepEqual(await used(), [60n])
  await store.end()
})

test(
  'postgres: a connection that breaks is an error, not a wrong answer, and what it left open is ended later',
  options,
  async () => {
    await empty()
    const { database } = await connection()
    const store = await open('one')
    await store.idempotency.reserve(sampleEntry())
    // Holds the row, so that the answer cannot come before the connection is gone.
    const holding = server().sql(
      `BEGIN; SELECT 1 FROM idempotency FOR UPDATE; SELECT pg_sleep(0.4); SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'countersign' AND datname = '${database}' AND wait_event_type = 'Lock'; COMMIT`,
      database,
    )
    await new Promise(resolve => setTimeout(resolve, 150))
    await assert.rejects(store.idempotency.complete(sampleEntry(), sampleResult()), unavailable)
    await holding
    assert.equal((await store.idempotency.reserve(sampleEntry())).kind, 'in-flight')
    await store.tend()
    assert.deepEqual(await store.idempotency.reserve(sampleEntry()), { kind: 'replay', result: sampleResult() })
    await store.end()
    await assert.rejects(store.keys.list(), unavailable)
  },
)

test('postgres: replicas that start together on an empty database make its tables once', options, async () => {
  const fresh = world('fresh')
  const stores = await Promise.all(['a', 'b', 'c'].map(name => fresh.open(name)))
  assert.equal((await fresh.sql('SELECT name FROM kysely_migration')).length, Object.keys(MIGRATIONS).length)
  for (const store of stores) await store.end()
})

test(
  'postgres M-79: a database of another program, or of a newer version of this one, is left as it is',
  options,
  async () => {
    const theirs = world('theirs')
    await theirs.connection()
    await theirs.sql('CREATE TABLE accounts (id int)')
    await assert.rejects(theirs.open(), refusedWith(/of another program/))
    const same = world('samename')
    await same.connection()
    await same.sql('CREATE TABLE meta (name text, value text); CREATE TABLE kysely_migration (name text)')
    await assert.rejects(same.open(), refusedWith(/of another program/))
    assert.equal((await same.sql('SELECT * FROM pg_tables WHERE schemaname = current_schema()')).length, 2)
    const newer = world('newer')
    await assert.rejects(newer.open('one', { role: 'guest' }), refusedWith(/no store/))
    await (await newer.open()).end()
    await newer.sql("INSERT INTO kysely_migration VALUES ('9999-future', '2030-01-01T00:00:00.000Z')")
    await assert.rejects(newer.open(), refusedWith(/9999-future/))
    await newer.sql("DELETE FROM kysely_migration WHERE name IN ('9999-future', '0004-gateway')")
    await assert.rejects(newer.open('one', { role: 'guest' }), refusedWith(/older version/))
  },
)

test('postgres: a server older than 14 is refused', options, async () => {
  const old = world('oldserver')
  const { database, user } = await old.connection()
  // A server cannot be made older; its answer can.
  await old.sql(`CREATE SCHEMA fake; CREATE FUNCTION fake.current_setting(text) RETURNS text LANGUAGE sql AS
    $$ SELECT CASE WHEN $1 = 'server_version_num' THEN '130011' ELSE pg_catalog.current_setting($1) END $$;
    ALTER ROLE ${user} IN DATABASE ${database} SET search_path = fake, pg_catalog, public`)
  await assert.rejects(old.open(), refusedWith(/is version 13/))
})

test('postgres T43: a registry or an administrator edited behind our back is refused when read', options, async () => {
  await empty()
  const store = await open('one')
  await store.keys.add(sampleAddition('treasury', 'envelope'))
  await store.admins.add({
    ...{ address: 'GA', name: 'a', roles: ['auditor'], active: true },
    createdAt: 1,
    changedAt: 1,
  })
  await sql(`UPDATE keys SET policy = '{"rules":["all"]}'`)
  await assert.rejects(store.keys.resolve('treasury'), { code: 'key/mismatch' })
  await assert.rejects(store.keys.list(), { code: 'key/mismatch' })
  await sql(`UPDATE admins SET roles = '["policy-admin"]'`)
  await assert.rejects(store.admins.find('GA'), unavailable)
  await sql(`UPDATE admins SET roles = 'policy-admin'`)
  await assert.rejects(store.admins.list(), unavailable)
  await sql(`INSERT INTO counters VALUES ('treasury/daily/XLM', 1, 1, 'none')`)
  await assert.rejects(store.claims.claim(sampleEntry(), spends(spendOf(1n))), unavailable)
  await store.end()
})

test('postgres: TLS proves who answers: only a certificate we trust, for the host we asked', options, async () => {
  await empty()
  const secure = { ...(await connection()), tls: 'verify' as const }
  const attempt = (more: object) =>
    openPostgresStore({ connection: { ...secure, ...more }, clock, instance: 'tls', timeoutMs: 2_000 })
  for (const host of ['127.0.0.1', 'localhost']) {
    const store = await attempt({ host, ca: SELF_SIGNED })
    assert.deepEqual(await store.keys.list(), [])
    await store.end()
  }
  await assert.rejects(attempt({}), unavailable) // signed by nobody we know
  await assert.rejects(attempt({ ca: WRONG_NAME }), unavailable)
  for (const bad of [WRONG_NAME, EXPIRED]) {
    await server().certificate(bad)
    await assert.rejects(attempt({ ca: bad }), unavailable)
  }
  await server().certificate(SELF_SIGNED)
})

test('postgres I6: no error and no object shows the password, and no answer is no store', options, async () => {
  const right = await connection()
  const password = reveal(right.password as Secret)
  const wrong = new Secret('wrong horse', 'store password')
  const attempts = [
    { ...right, password: wrong },
    { ...right, password: async () => wrong },
    { ...right, port: 1 },
    { ...right, tls: 'verify' as const },
    { ...right, database: 'nowhere' },
    {
      ...right,
      password: async () => {
        throw new Error('no token')
      },
    },
  ]
  for (const attempt of attempts) {
    const failed = openPostgresStore({ connection: attempt, clock, instance: 'x', timeoutMs: 2_000 })
    await assert.rejects(failed, (error: unknown) => {
      assert.ok(isSignerError(error) && error.code === 'store/unavailable')
      const shown = [inspect(error, { depth: 9, showHidden: true }), JSON.stringify(error), String(error.stack)].join(
        '\n',
      )
      assert.ok(!shown.includes('horse'), shown)
      return true
    })
  }
  const store = await open('one')
  assert.ok(!inspect(store, { depth: 9, showHidden: true }).includes(password))
  await store.end()
})
