import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSignerError } from '../../../src/domain/errors.ts'
import { reveal, Secret } from '../../../src/domain/secret.ts'
import { postgresForm } from '../../../src/store/migrations.ts'
import { readPostgresUrl, refusePlain } from '../../../src/store/postgres-options.ts'

const secret = (text: string) => new Secret(text, 'store.url')

test('postgres options: a URL says where the store is, and TLS is what is not said', () => {
  assert.deepEqual(readPostgresUrl('postgres://signer@db.internal/countersign'), {
    ...{ host: 'db.internal', database: 'countersign', user: 'signer', tls: 'verify' },
  })
  assert.deepEqual(readPostgresUrl('postgresql://signer@[::1]:6000/my%20store?sslmode=disable'), {
    ...{ host: '::1', port: 6000, database: 'my store', user: 'signer', tls: 'off' },
  })
  assert.equal(
    readPostgresUrl('postgres://s@ignored/db?host=/var/run/postgresql&sslmode=disable').host,
    '/var/run/postgresql',
  )
  const whole = readPostgresUrl(secret('postgres://signer:p%40ss@db/countersign?sslmode=verify-full'))
  assert.ok(whole.password instanceof Secret && reveal(whole.password) === 'p@ss')
})

test('postgres options: what is not understood is refused, and the password is not quoted', () => {
  const bad: Record<string, RegExp> = {
    'not a url': /not a postgres/,
    'mysql://a@b/c': /not a postgres/,
    'postgres://signer:hunter2@db/countersign': /plain sight/,
    'postgres://db/countersign': /no host, user or database/,
    'postgres://signer@db': /no host, user or database/,
    'postgres://signer@/countersign': /no host|not a postgres/,
    'postgres://signer@db/x?sslmode=require': /does not prove/,
    'postgres://signer@db/x?sslmode=prefer': /does not prove/,
    'postgres://signer@db/x?options=-c%20x': /unknown parameter options/,
    'postgres://sig%ner@db/x': /not a postgres/,
  }
  for (const [url, problem] of Object.entries(bad)) {
    assert.throws(
      () => readPostgresUrl(url),
      (error: unknown) => {
        assert.ok(isSignerError(error) && error.code === 'config/invalid', url)
        assert.match(error.detail.problems[0]?.problem ?? '', problem, url)
        assert.ok(!String(error).includes('hunter2'))
        return true
      },
    )
  }
  assert.throws(
    () => readPostgresUrl(secret('nothing with hunter2')),
    (error: Error) => !String(error).includes('hunter2'),
  )
})

test('postgres options: plain text only over a socket of this machine, or where the network was vouched for', () => {
  const to = (host: string, more = {}) => ({ host, database: 'x', user: 'x', tls: 'off' as const, ...more })
  for (const host of ['localhost', '127.0.0.1', '::1', '/run/postgresql']) refusePlain(to(host))
  refusePlain(to('db.internal', { mayBePlain: true }))
  refusePlain(to('db.internal', { tls: 'verify' }))
  refusePlain({ host: 'db.internal', database: 'x', user: 'x' })
  for (const host of ['db.internal', '10.0.0.1', '127.0.0.1.example.com', 'localhost.example.com']) {
    assert.throws(() => refusePlain(to(host)), { code: 'start/refused' }, host)
  }
})

test('postgres options: one schema in two forms', () => {
  assert.equal(
    postgresForm('CREATE TABLE a (b TEXT PRIMARY KEY, c BLOB, d INTEGER) STRICT, WITHOUT ROWID'),
    'CREATE TABLE a (b TEXT COLLATE "C" PRIMARY KEY, c BYTEA, d BIGINT)',
  )
  assert.equal(postgresForm("INSERT INTO a SELECT 'x' FROM b"), "INSERT INTO a SELECT 'x' FROM b")
})
