import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { reference } from '../../../providers/mock/keys.ts'
import { seedOfFile } from '../../../src/compose/custody.ts'
import { registerDeps } from '../../../src/compose/keys.ts'
import { account } from '../../../src/compose/migrate.ts'
import type { Room } from '../../../src/compose/room.ts'
import { isSignerError, SignerError } from '../../../src/domain/errors.ts'
import type { EnvelopeProvider } from '../../../src/domain/provider.ts'
import type { SecretBytes } from '../../../src/domain/secret.ts'
import { realWorld } from '../../../src/runtime/world.ts'
import { readRows } from '../../../src/service/migrate/read-rows.ts'
import type { RunOptions } from '../../../src/service/migrate/run.ts'
import { migrateSeed } from '../../../src/service/migrate/seed.ts'
import { migratePassphraseRows } from '../../../src/service/migrate/sources.ts'
import { SOURCES, type MigrateDeps, type Progress } from '../../../src/service/migrate/types.ts'
import { checklistOf } from '../../../src/service/migrate/checklist.ts'
import { jsonLines, numbered, passphraseRow } from '../../support/migration.ts'
import { openRig, type Rig } from '../../support/rig.ts'

const OLD = 'what the platform has in its environment'
const wrappingKey = reference('wrapping', 'pool')
const target = { chain: 'stellar', network: 'testnet', provider: 'mock' } as const
const utf8 = (text: string) => new TextEncoder().encode(text)
const read = (text: string, form: 'passphrase-rows' | 'kms-blob' = 'passphrase-rows') =>
  readRows(utf8(text), form, { chain: 'stellar', account })

interface Bench {
  readonly rig: Rig
  readonly deps: MigrateDeps
  readonly seeds: SecretBytes[]
  change: (real: EnvelopeProvider) => EnvelopeProvider
}

async function bench(): Promise<Bench> {
  const rig = await openRig({})
  const one: Bench = { rig, deps: undefined as never, seeds: [], change: real => real }
  const room = {
    store: rig.store,
    audit: rig.log,
    provider: async () => one.change(rig.provider),
    mayServe: () => {},
  } as unknown as Room
  const deps: MigrateDeps = {
    ...registerDeps(room, realWorld(), 'development'),
    call: run => run({ requestId: 'r', signal: new AbortController().signal }),
    account,
    seedOf: (file, label, scheme) => {
      const seed = seedOfFile(file, label, scheme)
      one.seeds.push(seed)
      return seed
    },
  }
  return Object.assign(one, { deps })
}

const rowsOf = (numbers: readonly number[]) =>
  numbers.map(n => ({ name: `k${n}`, address: numbered(n).publicKey(), row: passphraseRow(numbered(n).secret(), OLD) }))
const job = (rows: readonly object[], passphrase = OLD) => ({
  target,
  file: utf8(jsonLines(rows)),
  passphrase: utf8(passphrase),
  wrappingKey,
})
const options = (more: Partial<RunOptions> = {}): RunOptions => ({ dryRun: false, concurrency: 4, ...more })

test('M-66 every seed and the passphrase are wiped, whether rows move or not; progress only grows', async () => {
  const one = await bench()
  const rows = [...rowsOf([1, 2, 3]), { ...rowsOf([4])[0], address: numbered(5).publicKey() }]
  const told: Progress[] = []
  const asked = job(rows)
  const report = await migratePassphraseRows(
    one.deps,
    asked,
    options({ onProgress: progress => void told.push(progress) }),
  )
  assert.deepEqual(
    [report.migrated, report.failed.map(({ line, error }) => [line, error.code])],
    [3, [[4, 'key/mismatch']]],
  )
  assert.deepEqual(
    one.seeds.map(seed => seed.wiped),
    [true, true, true, true],
  )
  assert.ok(asked.passphrase.every(byte => byte === 0))
  assert.deepEqual(
    told.map(({ done }) => done),
    [0, 1, 2, 3, 4],
  )
  const unread = { ...job([]), file: utf8('') }
  await assert.rejects(migratePassphraseRows(one.deps, unread, options()), { code: 'request/malformed' })
  assert.ok(unread.passphrase.every(byte => byte === 0))
})

test('M-66 a key service that is down half-way stops the run with its line; the same file moves the rest, and nothing twice', async () => {
  const one = await bench()
  let calls = 0
  one.change = real => ({
    ...real,
    wrap: (...args) => {
      if (++calls > 10) throw new SignerError('provider/unavailable', { provider: 'mock', reason: 'nobody answered' })
      return real.wrap(...args)
    },
  })
  const rows = rowsOf(Array.from({ length: 40 }, (_, n) => n))
  const first = await migratePassphraseRows(one.deps, job(rows), options())
  assert.equal(first.migrated, 10)
  assert.match(first.stopped ?? '', /8 rows one after the other ended with provider\/unavailable/)
  assert.ok(first.failed.length < 30 && first.failed.every(({ error }) => error.code === 'provider/unavailable'))
  one.change = real => real
  const second = await migratePassphraseRows(one.deps, job(rows), options())
  assert.deepEqual([second.migrated, second.present, second.failed], [30, 10, []])
  const third = await migratePassphraseRows(one.deps, job(rows), options())
  assert.deepEqual([third.migrated, third.present], [0, 40])
  assert.ok(one.seeds.every(seed => seed.wiped))
})

test('M-66 a log that takes no record stops the run at once; nothing is registered without a record', async () => {
  const one = await bench()
  let records = 0
  const audit: MigrateDeps['audit'] = {
    append: (...entries) => {
      if (++records > 8) throw new SignerError('audit/sealed', { reason: 'the disk is full' })
      return one.rig.log.append(...entries)
    },
    state: { kind: 'open' },
    close: async () => {},
  }
  const asked = job(rowsOf([1, 2, 3, 4, 5, 6, 7, 8, 9]))
  await assert.rejects(migratePassphraseRows({ ...one.deps, audit }, asked, options({ concurrency: 1 })), {
    code: 'audit/sealed',
  })
  const names = (await one.rig.store.keys.list()).map(({ key }) => key.name).filter(name => name.startsWith('k'))
  const registering = (await one.rig.records()).flatMap(record =>
    record.kind === 'event' && record.event === 'key-registering' ? [record.detail['key']] : [],
  )
  assert.deepEqual(
    names.filter(name => !registering.includes(name)),
    [],
  )
})

test('M-66 two operators at once with the same file: every key once, and neither hears of a fault', async () => {
  const one = await bench()
  const rows = rowsOf(Array.from({ length: 20 }, (_, n) => n))
  const reports = await Promise.all([1, 2].map(() => migratePassphraseRows(one.deps, job(rows), options())))
  assert.deepEqual(
    reports.map(({ failed, rows: count, migrated, present }) => [failed, count, migrated + present]),
    [
      [[], 20, 20],
      [[], 20, 20],
    ],
  )
  assert.equal(
    reports.reduce((sum, { migrated }) => sum + migrated, 0),
    20,
  )
  const names = (await one.rig.store.keys.list()).map(({ key }) => key.name).filter(name => name.startsWith('k'))
  assert.deepEqual(names.toSorted(), rows.map(({ name }) => name).toSorted())
})

/** The process dies at its n-th effect on the world, before or after it happens; a dead process does nothing more. */
function mortal(one: Bench, at: number, when: 'before' | 'after'): { readonly deps: MigrateDeps; dead(): boolean } {
  let effects = 0
  let dead = false
  const effect = <A extends readonly unknown[], R>(body: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      dead ||= ++effects === at && when === 'before'
      if (dead) throw new Error('killed')
      const done = await body(...args)
      dead ||= effects === at
      if (dead) throw new Error('killed')
      return done
    }
  }
  const { keys } = one.rig.store
  const mortalProvider = (real: EnvelopeProvider) => ({ ...real, wrap: effect(real.wrap), unwrap: effect(real.unwrap) })
  const provider = mortalProvider(one.rig.provider)
  one.change = () => provider
  return {
    deps: {
      ...one.deps,
      audit: { append: effect(one.rig.log.append), state: { kind: 'open' }, close: async () => {} },
      registry: { ...keys, add: effect(keys.add) },
    },
    dead: () => dead,
  }
}

for (const when of ['before', 'after'] as const) {
  test(`M-66 killed ${when} each effect of a migration, and started again: the same end, every key once`, async () => {
    let deaths = 0
    for (let at = 1; ; at++) {
      const one = await bench()
      const seed = () => ({
        ...({ name: 'k0', target, custody: 'envelope', dryRun: false, wrappingKey } as const),
        file: utf8(numbered(0).secret()),
      })
      const run = async (deps: MigrateDeps) => {
        await migrateSeed(deps, seed())
        return migratePassphraseRows(deps, job(rowsOf([1, 2])), options({ concurrency: 1 }))
      }
      const { deps, dead } = mortal(one, at, when)
      await run(deps).catch(error => assert.equal((error as Error).message, 'killed'))
      one.change = real => real
      const { failed, migrated, present } = await run(one.deps)
      assert.deepEqual([failed, migrated + present], [[], 2])
      const keys = (await one.rig.store.keys.list()).filter(({ key }) => key.name.startsWith('k'))
      assert.deepEqual(
        keys.map(({ key, version }) => [key.name, version.version, version.address]),
        [0, 1, 2].map(n => [`k${n}`, 1, numbered(n).publicKey()]),
      )
      assert.ok(one.seeds.every(each => each.wiped))
      if (!dead()) break
      deaths++
    }
    assert.ok(deaths >= 15, `${deaths} places to die at`)
  })
}

test('T31 an account that is here under another name is refused, read from the registry as it is', async () => {
  const one = await bench()
  await migratePassphraseRows(one.deps, job(rowsOf([1])), options())
  const again = { ...rowsOf([1])[0], name: 'other-name' }
  const { failed } = await migratePassphraseRows(one.deps, job([again]), options())
  assert.deepEqual(
    failed.map(({ error }) => error.code),
    ['key/exists'],
  )
  const dry = await migratePassphraseRows(one.deps, job([again]), options({ dryRun: true }))
  assert.deepEqual(
    dry.failed.map(({ error }) => error.code),
    ['key/exists'],
  )
})

test('a provider that wraps nothing, a network nobody knows and a policy that cannot be read end the run before its first row', async () => {
  const one = await bench()
  one.change = real => ({ ...real, can: { ...real.can, envelope: false } })
  const attempt = (over: object) =>
    migratePassphraseRows(one.deps, { ...job(rowsOf([1])), target: { ...target, ...over } }, options())
  await assert.rejects(attempt({}), { code: 'key/unsupported' })
  one.change = real => real
  await assert.rejects(attempt({ network: 'nowhere' }), { code: 'config/invalid' })
  await assert.rejects(attempt({ policy: '{' }), { code: 'request/malformed' })
  assert.deepEqual(one.seeds, [])
})

test('a development key, whose private half everybody has, is refused where that matters, in a dry run too', async () => {
  const one = await bench()
  const deps = { ...one.deps, isPublished: () => true }
  for (const dryRun of [true, false]) {
    const { failed } = await migratePassphraseRows(deps, job(rowsOf([1])), options({ dryRun }))
    assert.deepEqual(
      failed.map(({ error }) => error.code),
      ['start/refused'],
    )
  }
})

test('refused whole: no UTF-8, too many lines; by line: too long, no object, too many columns', () => {
  const notUtf8 = () => readRows(Uint8Array.of(0xff, 0xfe), 'kms-blob', { chain: 'stellar', account })
  assert.throws(notUtf8, { code: 'request/malformed' })
  assert.throws(() => read('x\n'.repeat(100_001)), { code: 'request/malformed' })
  for (const text of [`a,${'x'.repeat(16_384)}`, `{"address":"${'x'.repeat(16_384)}"}`, '{}\n[]', 'a,b,c,d,e']) {
    const { problems } = read(text)
    assert.deepEqual(
      problems.map(({ error }) => error.code),
      text.split('\n').map(() => 'request/malformed'),
    )
  }
})

test('T42 a private key in the wrong column is not repeated, in no form', () => {
  const secret = numbered(1).secret()
  const address = numbered(1).publicKey()
  const [row] = rowsOf([1])
  const lines = [
    `${secret},${row?.row}`,
    `${address},${row?.row},${secret}`,
    `${address},${secret}`,
    secret,
    `${address},${row?.row},${'a1'.repeat(32)}`,
    `${address},${row?.row},x,${secret}`,
  ]
  const { rows, problems } = read(lines.join('\n'))
  assert.deepEqual(rows, [])
  assert.deepEqual(
    problems.map(({ line }) => line),
    [1, 2, 3, 4, 5, 6],
  )
  const said = JSON.stringify(problems.map(({ error, ...where }) => [where, error.detail]))
  assert.ok(!said.includes(secret) && !said.includes('a1a1a1'), said)
  const json = [
    { address: secret, row: row?.row },
    { address, row: row?.row, name: secret },
    { address, [secret]: 'x' },
  ]
  const again = read(jsonLines(json))
  assert.equal(again.problems.length, 3)
  assert.ok(!JSON.stringify(again.problems.map(({ error, ...where }) => [where, error.detail])).includes(secret))
})

test('M-66 any file: each line that is not blank is a row or a problem, and only typed errors come', () => {
  const [good] = rowsOf([7])
  const cell = fc.oneof(
    fc.constantFrom(good?.address ?? '', good?.row ?? '', 'name', '', '"', ' ', '{', '}', '0x00', '\u202e'),
    fc.string(),
  )
  const line = fc.oneof(
    fc.array(cell, { maxLength: 6 }).map(cells => cells.join(',')),
    fc
      .dictionary(fc.constantFrom('address', 'row', 'name', 'ciphertext', '__proto__'), cell)
      .map(each => JSON.stringify(each)),
    fc.string(),
  )
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), fc.constantFrom('passphrase-rows', 'kms-blob'), (lines, form) => {
      const text = lines.join('\n')
      const count = text.split('\n').filter(each => each.trim() !== '').length
      try {
        const { rows, problems } = read(text, form)
        const all = [...rows, ...problems].map(each => each.line)
        assert.equal(new Set(all).size, all.length)
        assert.ok(all.length === count || all.length === count - 1) // a first line may name the columns
      } catch (error) {
        assert.ok(isSignerError(error) && error.code === 'request/malformed', String(error))
      }
    }),
    { numRuns: 300 },
  )
})

test('every source has a list of its own, whose points have names of their own', () => {
  for (const source of SOURCES) {
    const ids = checklistOf(source).map(({ id }) => id)
    assert.ok(ids.length >= 5)
    assert.equal(new Set(ids).size, ids.length)
  }
})
