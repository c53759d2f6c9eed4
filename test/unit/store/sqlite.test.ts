import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isSignerError } from '../../../src/domain/errors.ts'
import { MIGRATIONS } from '../../../src/store/migrations.ts'
import { sealOf } from '../../../src/store/seal.ts'
import { openSqliteStore, type SqliteOptions } from '../../../src/store/sqlite.ts'
import { spendOf, spends } from './claims-suite.ts'
import { KEPT, sampleAddition, sampleEntry, sampleResult } from './samples.ts'
import { storeSuite } from './store-suite.ts'

const clock = { now: () => 1_000_000 }
const open = (path: string, more: Partial<SqliteOptions> = {}) => openSqliteStore({ path, clock, ...more })

async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'cs-store-'))
  try {
    await body(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Opens the file beside the store, as somebody with a database browser would. */
function tamper(path: string, ...statements: readonly string[]): void {
  const raw = new DatabaseSync(path)
  raw.exec('PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON')
  for (const statement of statements) raw.exec(statement)
  raw.close()
}

storeSuite('sqlite store', (time = clock) => open(':memory:', { clock: time }))

test('sqlite M-61: an encrypted key that was given up is in no byte of the file, its log or its free corners', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    const store = await open(path)
    const spelled = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
    const ciphertexts = new Map<string, Uint8Array>()
    // Enough of them that pages were split and rows moved since.
    for (let at = 0; at < 120; at++) {
      const name = `k${at}`
      const sample = sampleAddition(name, 'envelope')
      const ciphertext = crypto.getRandomValues(new Uint8Array(100 + (at % 7) * 40))
      ciphertexts.set(name, ciphertext)
      await store.keys.add({ ...sample, envelope: { bindingId: `b-${name}`, ciphertext, context: {} } })
    }
    const files = (): string =>
      readdirSync(directory)
        .map(name => readFileSync(join(directory, name)).toString('latin1'))
        .join('')
    for (const each of ciphertexts.values()) assert.ok(files().includes(spelled(each.slice(20, 60))))
    const ended = ['k0', 'k7', 'k59', 'k60', 'k119']
    for (const name of ended) {
      await store.keys.setState(name, 1, 'destroyed')
      assert.equal(await store.keys.removeEnvelopes(name, 1), 1)
    }
    for (const when of ['while it is open', 'after it was closed']) {
      const bytes = files()
      for (const [name, each] of ciphertexts) {
        assert.equal(bytes.includes(spelled(each.slice(20, 60))), !ended.includes(name), `${name} ${when}`)
      }
      store.close()
    }
  }))

test('sqlite M-60 T43: a row that was tampered with is refused, and hides no name', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    const store = await open(path)
    for (const name of ['aaa', 'treasury']) await store.keys.add(sampleAddition(name))
    tamper(path, "UPDATE versions SET seal = '00' WHERE key = 'aaa'")
    await assert.rejects(store.keys.versions(), { code: 'key/mismatch' })
    assert.deepEqual(await store.keys.names(), ['aaa', 'treasury'])
    assert.equal((await store.keys.versions('treasury')).length, 1)
    store.close()
  }))

test('sqlite M-61: while somebody reads, its log cannot be emptied: told, and asked again it is', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    const store = await openSqliteStore({ path, clock, busyMs: 20 })
    const ciphertext = crypto.getRandomValues(new Uint8Array(200))
    const sample = sampleAddition('treasury', 'envelope')
    await store.keys.add({ ...sample, envelope: { bindingId: 'b-treasury', ciphertext, context: {} } })
    await store.keys.setState('treasury', 1, 'destroyed')
    const reader = new DatabaseSync(path)
    reader.exec('BEGIN')
    reader.prepare('SELECT count(*) FROM envelopes').get()
    await assert.rejects(store.keys.removeEnvelopes('treasury', 1), { code: 'store/unavailable' })
    reader.close()
    assert.equal(await store.keys.removeEnvelopes('treasury', 1), 0)
    const bytes = readdirSync(directory).map(name => readFileSync(join(directory, name)).toString('latin1'))
    assert.ok(!bytes.join('').includes(Buffer.from(ciphertext.slice(20, 60)).toString('latin1')))
    store.close()
  }))

test('sqlite M-79: what was stored is there after closing and opening again', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    const first = await open(path)
    await first.keys.add(sampleAddition('treasury', 'envelope'))
    await first.idempotency.reserve(sampleEntry())
    await first.idempotency.complete(sampleEntry(), sampleResult())
    await first.auditIndex.setHead({ seq: 7, hash: 'h7' })
    first.close()
    first.close()
    const second = await open(path)
    assert.equal((await second.keys.resolve('treasury'))?.bindings[0]?.custody, 'envelope')
    assert.deepEqual(await second.idempotency.reserve(sampleEntry()), { kind: 'replay', result: sampleResult() })
    assert.deepEqual({ ...(await second.auditIndex.head()) }, { seq: 7, hash: 'h7' })
    second.close()
  }))

test('sqlite: directory and file are private from the start, side files too', () =>
  inDirectory(async directory => {
    const path = join(directory, 'new', 'data', 'store.db')
    const store = await open(path)
    await store.keys.add(sampleAddition('treasury'))
    assert.equal(statSync(join(directory, 'new', 'data')).mode & 0o777, 0o700)
    for (const file of [path, `${path}-wal`, `${path}-shm`, `${path}-owner`]) {
      assert.equal(statSync(file).mode & 0o777, 0o600, file)
    }
    store.close()
  }))

test('sqlite: a directory or file that others may reach is refused with the command that mends it', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    chmodSync(directory, 0o755)
    await assert.rejects(open(path), (error: { code: string; detail: { fix: string } }) => {
      assert.equal(error.code, 'start/refused')
      assert.equal(error.detail.fix, `run: chmod 700 ${directory}`)
      return true
    })
    assert.equal(existsSync(path), false)
    chmodSync(directory, 0o700)
    for (const mode of [0o640, 0o604, 0o660, 0o666, 0o610]) {
      writeFileSync(path, '')
      chmodSync(path, mode)
      await assert.rejects(open(path), { code: 'start/refused' }, mode.toString(8))
    }
    chmodSync(path, 0o600)
    ;(await open(path)).close()
  }))

test('sqlite: links, folders and files of other programs are refused', () =>
  inDirectory(async directory => {
    const refused = (path: string) => assert.rejects(open(path), { code: 'start/refused' }, path)
    mkdirSync(join(directory, 'folder'), { mode: 0o700 })
    await refused(join(directory, 'folder'))
    writeFileSync(join(directory, 'target'), '', { mode: 0o600 })
    symlinkSync(join(directory, 'target'), join(directory, 'link'))
    await refused(join(directory, 'link'))
    symlinkSync(join(directory, 'folder'), join(directory, 'linked-folder'))
    await refused(join(directory, 'linked-folder', 'store.db'))
    writeFileSync(join(directory, 'file'), 'x', { mode: 0o600 })
    await refused(join(directory, 'file', 'store.db'))
    writeFileSync(join(directory, 'text'), 'this is not a database, it is a longer text than a header\n'.repeat(20), {
      mode: 0o600,
    })
    await refused(join(directory, 'text'))
    const foreign = join(directory, 'foreign.db')
    writeFileSync(foreign, '', { mode: 0o600 })
    tamper(foreign, 'CREATE TABLE theirs (a)')
    await refused(foreign)
  }))

test('sqlite M-79: a store that is newer than the program is refused and left as it was', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    ;(await open(path)).close()
    tamper(path, "INSERT INTO kysely_migration (name, timestamp) VALUES ('9999-future', '2030-01-01T00:00:00.000Z')")
    await assert.rejects(open(path), (error: { code: string; detail: { reason: string } }) => {
      assert.equal(error.code, 'start/refused')
      assert.match(error.detail.reason, /9999-future/)
      return true
    })
    tamper(path, "DELETE FROM kysely_migration WHERE name = '9999-future'")
    ;(await open(path)).close()
  }))

test('sqlite M-51: an owner releases what a dead one left in flight, a guest does not, a second owner is refused', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    const dead = await open(path, { role: 'guest' }) // writes like an owner and holds no lock, like a process that died
    await dead.idempotency.reserve(sampleEntry())
    const owner = await open(path)
    assert.equal(owner.orphans, 1)
    assert.equal((await owner.idempotency.reserve(sampleEntry({ fingerprint: 'b'.repeat(64) }))).kind, 'mismatch')
    assert.equal((await owner.idempotency.reserve(sampleEntry())).kind, 'reserved')
    await assert.rejects(open(path), { code: 'start/refused' })
    const guest = await open(path, { role: 'guest' })
    assert.equal(guest.orphans, 0)
    assert.equal((await owner.idempotency.reserve(sampleEntry())).kind, 'in-flight')
    for (const store of [dead, guest, owner]) store.close()
    ;(await open(path)).close()
  }))

test('sqlite M-51: a guest leaves a store of an older version as it is: its service may be running', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    ;(await open(path)).close()
    const newest = Object.keys(MIGRATIONS).toSorted().at(-1) ?? assert.fail()
    tamper(path, `DELETE FROM kysely_migration WHERE name = '${newest}'`)
    const before = readFileSync(path)
    await assert.rejects(open(path, { role: 'guest' }), (error: unknown) => {
      assert.ok(isSignerError(error) && error.code === 'start/refused')
      assert.match(error.detail.reason, /older version/)
      return true
    })
    assert.deepEqual(readFileSync(path), before)
  }))

test('sqlite R-16: two connections on one file share one reservation', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    const stores = [await open(path), await open(path, { role: 'guest' })] as const
    for (let round = 0; round < 50; round++) {
      const entry = sampleEntry({ key: `round-${round}` })
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) => stores[n % 2 === 0 ? 0 : 1].idempotency.reserve(entry)),
      )
      assert.equal(answers.filter(answer => answer.kind === 'reserved').length, 1)
    }
    for (const store of stores) store.close()
  }))

test('sqlite T43: a registry edited behind our back is refused when read, column by column', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    const otherHash = 'f'.repeat(64)
    const edits = [
      `UPDATE keys SET chain = 'evm'`,
      `UPDATE keys SET network = 'public'`,
      `UPDATE keys SET policy = '{"rules":["all"]}'`,
      `UPDATE keys SET policy_hash = '${otherHash}'`,
      `UPDATE keys SET created_at = 5`,
      `UPDATE versions SET version = 2`,
      `UPDATE versions SET scheme = 'ecdsa-secp256k1'`,
      `UPDATE versions SET public_key = zeroblob(32)`,
      `UPDATE versions SET public_key = zeroblob(31)`,
      `UPDATE versions SET address = 'G-attacker'`,
      `UPDATE versions SET account = '${KEPT}'`,
      `UPDATE versions SET account = 'G-attacker'`,
      `UPDATE versions SET account = NULL`,
      `UPDATE versions SET state = 'revoked'; UPDATE versions SET state = 'actve'`,
      `UPDATE versions SET seal = '${otherHash}'`,
      `UPDATE bindings SET id = 'b-other'`,
      `UPDATE bindings SET provider = 'mock'`,
      `UPDATE bindings SET custody = 'native'`,
      `UPDATE bindings SET custody = 'cloud'`,
      `UPDATE bindings SET reference = 'alias/attacker'`,
      `UPDATE bindings SET key = 'elsewhere'`,
      `DELETE FROM bindings`,
      `INSERT INTO bindings SELECT 'b-2', key, version, 1, 'mock', 'native', 'x', NULL FROM bindings`,
    ]
    const store = await open(path)
    const undo = () =>
      tamper(path, 'DELETE FROM envelopes; DELETE FROM bindings; DELETE FROM versions; DELETE FROM keys')
    for (const edit of edits) {
      const entry = sampleAddition('treasury', 'envelope')
      // Of an account that stands there, so that none can be taken away.
      await store.keys.add(edit.endsWith('NULL') ? { ...entry, version: { ...entry.version, account: KEPT } } : entry)
      tamper(path, edit)
      await assert.rejects(store.keys.resolve('treasury'), { code: 'key/mismatch' }, edit)
      await assert.rejects(store.keys.list(), { code: 'key/mismatch' }, edit)
      undo()
    }
    await store.keys.add(sampleAddition('treasury', 'envelope'))
    tamper(path, `UPDATE keys SET name = 'renamed'`)
    assert.equal(await store.keys.resolve('treasury'), undefined)
    await assert.rejects(store.keys.resolve('renamed'), { code: 'key/mismatch' })
    undo()
    await store.keys.add(sampleAddition('treasury', 'envelope'))
    tamper(path, `UPDATE versions SET state = 'retired'`)
    await assert.rejects(store.keys.resolve('treasury'), { code: 'key/not-active' })
    await assert.rejects(store.keys.setState('treasury', 1, 'active'), { code: 'key/mismatch' })
    tamper(path, `UPDATE versions SET state = 'on'`)
    await assert.rejects(store.keys.stateOf('treasury', 1), { code: 'key/mismatch' })
    store.close()
  }))

test('sqlite T43: an encrypted key that was edited into another shape is refused', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    const store = await open(path)
    await store.keys.add(sampleAddition('vaulted', 'envelope'))
    const edits = ['{"pubkey":1}', '[]', 'null', '"text"', '{', ''].map(
      text => `UPDATE envelopes SET context = '${text}'`,
    )
    for (const edit of [...edits, `UPDATE envelopes SET ciphertext = zeroblob(0), context = '{}'`]) {
      tamper(path, edit)
      await assert.rejects(store.keys.envelope('b-vaulted'), { code: 'key/mismatch' }, edit)
    }
    store.close()
  }))

test('sqlite: a kept answer that cannot be read is refused, never half given', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    const store = await open(path)
    await store.idempotency.reserve(sampleEntry())
    await store.idempotency.complete(sampleEntry(), sampleResult())
    for (const result of [`'{'`, `'{}'`, `'null'`, `'[1]'`, 'NULL', `'{"signature":"x"}'`]) {
      tamper(path, `UPDATE idempotency SET result = ${result}`)
      await assert.rejects(store.idempotency.reserve(sampleEntry()), { code: 'store/unavailable' }, result)
    }
    store.close()
  }))

test('sqlite: a store that cannot answer says so with a typed error and changes nothing', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    const store = await open(path, { busyMs: 1 })
    const raw = new DatabaseSync(path)
    raw.exec('BEGIN IMMEDIATE')
    await assert.rejects(store.idempotency.reserve(sampleEntry()), { code: 'store/unavailable' })
    await assert.rejects(store.keys.add(sampleAddition('treasury')), { code: 'store/unavailable' })
    raw.exec('ROLLBACK')
    raw.close()
    assert.equal((await store.idempotency.reserve(sampleEntry())).kind, 'reserved')
    await store.keys.add(sampleAddition('treasury'))
    store.close()
    await assert.rejects(store.keys.resolve('treasury'), { code: 'store/unavailable' })
    await assert.rejects(store.keys.add(sampleAddition('other')), { code: 'store/unavailable' })
  }))

test('sqlite: a database locked by another program is reported when opening', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    ;(await open(path)).close()
    const raw = new DatabaseSync(path)
    raw.exec('BEGIN IMMEDIATE')
    await assert.rejects(open(path, { busyMs: 1 }), { code: 'store/unavailable' })
    raw.exec('ROLLBACK')
    raw.close()
    ;(await open(path)).close()
  }))

/** Runs `other-process.ts` on the store; its lines come as they are printed. */
function otherProcess(...args: readonly string[]) {
  const script = fileURLToPath(new URL('./other-process.ts', import.meta.url))
  const flags = 'Deno' in globalThis ? ['run', '-A'] : []
  const child = spawn(process.execPath, [...flags, script, ...args], { stdio: ['pipe', 'pipe', 'ignore'] })
  let text = ''
  const seen = new Set<() => void>()
  child.stdout.on('data', (chunk: Uint8Array) => {
    text += new TextDecoder().decode(chunk)
    for (const check of seen) check()
  })
  const ended = new Promise<void>(resolve => child.on('close', () => resolve()))
  const line = (start: string) =>
    new Promise<string>((resolve, reject) => {
      const check = () => {
        const found = text.split('\n').find(candidate => candidate.startsWith(start))
        if (found !== undefined) resolve(found)
      }
      seen.add(check)
      check()
      void ended.then(() => reject(new Error(`the other process ended without "${start}"`)))
    })
  return { line, ended, go: () => child.stdin.end('go\n'), kill: () => child.kill('SIGKILL') }
}

test('sqlite R-16 T58: two processes racing for 300 keys get each key once', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    const racers = [otherProcess(path, 'race'), otherProcess(path, 'race')]
    await Promise.all(racers.map(racer => racer.line('ready')))
    for (const racer of racers) racer.go()
    const lines = await Promise.all(racers.map(racer => racer.line('reserved')))
    const wins = lines.map(line => Number(line.split(' ')[1]))
    assert.equal(
      wins.reduce((sum, won) => sum + won, 0),
      300,
      wins.join(' + '),
    )
    await Promise.all(racers.map(racer => racer.ended))
  }))

test('sqlite M-51 T57: kill -9 loses no answer, frees the lock and what was in flight, and not what was claimed', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    const victim = otherProcess(path, 'hold')
    await victim.line('holding')
    await assert.rejects(open(path), { code: 'start/refused' })
    victim.kill()
    await victim.ended
    const store = await open(path)
    assert.equal(store.orphans, 1)
    const done = await store.idempotency.reserve(sampleEntry({ key: 'done' }))
    assert.deepEqual(done, { kind: 'replay', result: sampleResult() })
    const retry = sampleEntry({ key: 'held' }) // in the same millisecond, too
    assert.equal((await store.idempotency.reserve(retry)).kind, 'reserved')
    const used = () => store.claims.used([{ counter: spendOf(1n).counter, windowMs: 3_600_000 }], retry.at)
    assert.deepEqual(await used(), [60n])
    assert.equal((await store.claims.claim(retry, spends(spendOf(60n)))).kind, 'claimed')
    await store.claims.drop(retry)
    assert.deepEqual(await used(), [60n])
    store.close()
  }))

test('sqlite M-61: a row names its account where that is not its address; rows of before name none', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    const store = await open(path)
    const other = sampleAddition('other')
    await store.keys.add(sampleAddition('treasury'))
    await store.keys.add({ ...other, version: { ...other.version, account: KEPT } })
    const raw = new DatabaseSync(path)
    const accounts = raw.prepare('SELECT account FROM versions ORDER BY key').all()
    raw.close()
    assert.deepEqual(
      accounts.map(({ account }) => account),
      [KEPT, null],
    )
    store.close()
  }))

test('sqlite: a key has one active version, and the bindings of each version in their order', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    const store = await open(path)
    const first = sampleAddition('treasury')
    await store.keys.add(first)
    // A second version, as rotation will write it.
    const version = { ...first.version, version: 2, address: 'G-2', account: 'G-2', state: 'pending' as const }
    const bindings = ['b-2', 'b-3'].map(id => ({ ...first.binding, id, version: 2 }))
    const seal = sealOf({ key: first.key, version, bindings })
    tamper(
      path,
      `INSERT INTO versions SELECT key, 2, scheme, public_key, 'G-2', 'pending', '${seal}', NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM versions`,
      `INSERT INTO bindings SELECT 'b-3', key, 2, 1, provider, custody, reference, NULL FROM bindings WHERE id = 'b-treasury'`,
      `INSERT INTO bindings SELECT 'b-2', key, 2, 0, provider, custody, reference, NULL FROM bindings WHERE id = 'b-treasury'`,
    )
    const listed = await store.keys.list()
    assert.deepEqual(
      listed.map(({ version: of, bindings: at }) => [of.version, of.state, at.map(({ id }) => id)]),
      [
        [1, 'active', ['b-treasury']],
        [2, 'pending', ['b-2', 'b-3']],
      ],
    )
    await assert.rejects(store.keys.setState('treasury', 2, 'active'), { code: 'key/unsupported' })
    await store.keys.setState('treasury', 1, 'overlap')
    await store.keys.setState('treasury', 2, 'active')
    assert.equal((await store.keys.resolve('treasury'))?.version.address, 'G-2')
    store.close()
  }))

test('sqlite M-79: a store of the first release is brought up to date, with all its rows, once', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    writeFileSync(path, '', { mode: 0o600 })
    tamper(path, readFileSync(new URL('store-0001.sql', import.meta.url), 'utf8'))
    for (let round = 0; round < 2; round++) {
      const store = await open(path)
      const { keys } = store
      const states = (await keys.list()).map(({ version }) => [version.key, version.state])
      assert.deepEqual(states, [
        ['gone', 'revoked'],
        ['treasury', round === 0 ? 'active' : 'quarantined'],
        ['vaulted', 'active'],
      ])
      // They came with their keys; when one ended is not known, so it ended at once.
      const times = (await keys.versions()).map(each => [each.version.key, each.times])
      assert.deepEqual(times, [
        ['gone', { createdAt: 1_000, activeFrom: 1_000, revokedAt: 1_000 }],
        ['treasury', { createdAt: 1_000, activeFrom: 1_000 }],
        ['vaulted', { createdAt: 1_000, activeFrom: 1_000 }],
      ])
      assert.deepEqual([...((await keys.envelope('b-vaulted'))?.ciphertext ?? [])], [1, 2, 3, 0, 255])
      assert.deepEqual(await store.idempotency.reserve(sampleEntry()), { kind: 'replay', result: sampleResult() })
      assert.deepEqual({ ...(await store.auditIndex.head()) }, { seq: 7, hash: 'h7' })
      assert.equal(await keys.setState('treasury', 1, 'quarantined', ['active', 'overlap']), round === 0)
      if (round === 0) await keys.add(sampleAddition('new'))
      if (round === 0) await assert.rejects(keys.add(sampleAddition('new')), { code: 'key/exists' })
      store.close()
      if (round === 0) tamper(path, "DELETE FROM bindings WHERE id = 'b-new'", "DELETE FROM versions WHERE key = 'new'")
    }
    // What guarded the rows before guards them now, and nothing of the old tables is left.
    const raw = new DatabaseSync(path)
    raw.exec('PRAGMA foreign_keys = ON')
    assert.deepEqual(raw.prepare('PRAGMA foreign_key_check').all(), [])
    for (const bad of [
      "UPDATE versions SET state = 'fine'",
      "DELETE FROM versions WHERE key = 'treasury'",
      "DELETE FROM bindings WHERE id = 'b-vaulted'",
      "INSERT INTO versions SELECT key, 2, scheme, public_key, address, 'active', seal, 1, 1, NULL, NULL, NULL, NULL, NULL FROM versions WHERE key = 'vaulted'",
    ])
      assert.throws(() => raw.exec(bad), /constraint/i, bad)
    const names = raw
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%!_2' ESCAPE '!'")
      .all()
    assert.deepEqual(names, [])
    raw.close()
  }))

test('sqlite T43 M-61: times of a version that were edited, or that stand without its creation, are refused when read', () =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    const store = await open(path)
    await store.keys.add(sampleAddition('treasury'))
    for (const [statement, undo] of [
      ['UPDATE versions SET revoked_at = 5', 'UPDATE versions SET revoked_at = NULL'],
      ['UPDATE versions SET active_from = NULL', 'UPDATE versions SET active_from = 1000'],
      ['UPDATE versions SET created_at = NULL', 'UPDATE versions SET created_at = 1000'],
      [
        'UPDATE versions SET created_at = NULL, active_from = NULL',
        'UPDATE versions SET created_at = 1000, active_from = 1000',
      ],
      ['UPDATE versions SET active_from = -1', 'UPDATE versions SET active_from = 1000'],
    ] as const) {
      tamper(path, statement)
      await assert.rejects(store.keys.versions('treasury'), { code: 'key/mismatch' }, statement)
      await assert.rejects(store.keys.resolve('treasury'), { code: 'key/mismatch' }, statement)
      tamper(path, undo)
      assert.equal((await store.keys.versions('treasury')).length, 1)
    }
    store.close()
  }))
