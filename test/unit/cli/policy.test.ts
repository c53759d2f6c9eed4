import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, test } from 'bun:test'
import { Networks, type Transaction, TransactionBuilder } from '@stellar/stellar-sdk/base'
import { person } from '../../support/control-rig.ts'
import { DEMO, DENIES, PAYLOAD, STRICT } from '../../support/control-samples.ts'
import { EXAMPLE, NOW } from '../../support/rig.ts'
import { EXAMPLE_FILE, run, scratch } from '../../support/cli.ts'

const room = scratch()
afterAll(() => room.remove())
const file = (name: string, value: unknown): string => {
  const path = room.path(name)
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value))
  return path
}
const demo = file('demo.json', DEMO)
const strict = file('strict.json', STRICT)
const address = 'GCFSYQIRD7DHMDNEVVZNUYDAGBZQ4KACNPRZFN6NT62FPIAPQ5ZCDFUK'
const KEY = ['--address', person('treasury').address, '--network', 'testnet']

test('policy check says what is wrong, with exit code 1, and the hash of what is right', async () => {
  const good = await run(['policy', 'check', demo, '--json'])
  assert.deepEqual([good.exitCode, good.json['valid'], good.json['policyHash'].length], [0, true, 64])
  const bad = await run(['policy', 'check', file('bad.json', { version: 1, fee: {}, x: 1 }), '--json'])
  assert.deepEqual([bad.exitCode, bad.json['valid'], bad.json['problems'].length >= 2], [1, false, true])
  assert.match((await run(['policy', 'check', demo])).out, /^the policy is valid: [0-9a-f]{64}\n$/)
  assert.match((await run(['policy', 'check', file('bad.json', { version: 1, x: 1 })])).err, /policy\.x/)
  const poisoned = await run([
    'policy',
    'check',
    file('length.json', '{"version":{"length":{"toString":null}}}'),
    '--json',
  ])
  assert.deepEqual([poisoned.exitCode, poisoned.json['valid']], [1, false])
  for (const text of ['{', '{"version":1,"version":1}', '[]', 'null']) {
    assert.notEqual((await run(['policy', 'check', file('no.json', text), '--json'])).exitCode, 0, text)
  }
})

test('policy test runs the golden tests of a file: 0 when all pass, 3 when one does not', async () => {
  const passing = file('tests.json', { policy: STRICT, tests: [DENIES] })
  const good = await run(['policy', 'test', passing, ...KEY, '--json'])
  assert.deepEqual([good.exitCode, good.json['passed'], good.json['tests'].length], [0, true, 1])
  const failing = file('tests.json', { policy: DEMO, tests: [DENIES] })
  const bad = await run(['policy', 'test', failing, ...KEY])
  assert.equal(bad.exitCode, 3)
  assert.match(bad.out, /^NOT ok {2}nothing is paid {2}Expected deny/)
  assert.equal((await run(['policy', 'test', demo, ...KEY])).out, 'there are no tests\n')
})

test('M-61 policy explain and test: --account says what the key signs for, where that is not its address', async () => {
  const { sources: _, ...own } = DEMO
  const policy = file('own.json', own)
  const source = (
    TransactionBuilder.fromXDR(readFileSync(EXAMPLE_FILE, 'utf8').trim(), Networks.TESTNET) as Transaction
  ).source
  const explain = (...more: string[]) =>
    run(['policy', 'explain', EXAMPLE, '--policy', policy, ...KEY, '--now', String(NOW), ...more, '--json'])
  const named = await explain('--account', source)
  assert.deepEqual([named.exitCode, named.json['decision']], [0, 'allow'])
  for (const more of [[], ['--account', address]]) {
    const { exitCode, json } = await explain(...more)
    assert.deepEqual([exitCode, json['rule']], [3, 'sources'])
  }
  const golden = (more: object, expect: string) => ({ name: 'x', xdr: EXAMPLE, now: NOW, expect, ...more })
  const tests = file('accounts.json', {
    policy: own,
    tests: [golden({}, 'allow'), golden({ keyAccount: address }, 'deny'), golden({ keyAddress: source }, 'allow')],
  })
  const tested = await run(['policy', 'test', tests, ...KEY, '--account', source, '--json'])
  assert.deepEqual([tested.exitCode, tested.json['passed']], [0, true])
})

test('policy explain says what a policy says to a payload, rule by rule: 0 for allow, 3 for anything else', async () => {
  const now = ['--now', String(NOW)]
  const yes = await run(['policy', 'explain', EXAMPLE, '--policy', demo, ...KEY, ...now, '--json'])
  assert.deepEqual([yes.exitCode, yes.json['decision'], yes.json['checks'].length > 5], [0, 'allow', true])
  const no = await run([
    'policy',
    'explain',
    file('payload.json', PAYLOAD),
    '--policy',
    strict,
    '--address',
    address,
    ...now,
  ])
  assert.equal(no.exitCode, 3)
  assert.match(no.out, /^deny by \S+: /)
  const bad = await run(['policy', 'explain', file('payload.xdr', 'AAAA'), '--policy', strict, ...KEY, '--json'])
  assert.equal(bad.json['error'].code, 'payload/invalid')
})

test('policy diff tells a loosening from a tightening', async () => {
  assert.deepEqual((await run(['policy', 'diff', demo, strict, '--json'])).json['direction'], 'tightening')
  assert.match((await run(['policy', 'diff', strict, demo])).out, /^loosening\nmore {2}/)
  assert.equal((await run(['policy', 'diff', demo, demo])).out, 'tightening\n')
})

test('policy activate asks a running control plane, with the session of the environment and a fresh Idempotency-Key', async () => {
  const asked: { url: string; init: RequestInit }[] = []
  const id = `c_${'a'.repeat(32)}`
  const { world } = await import('../../../src/runtime/bun.ts')
  const real = world()
  const fake = {
    ...real,
    fetch: async (url: string, init: RequestInit) => {
      asked.push({ url, init })
      return Response.json({ id, key: 'treasury', toHash: 'f'.repeat(64) })
    },
  }
  const env = { COUNTERSIGN_URL: 'http://127.0.0.1:9', COUNTERSIGN_TOKEN: 'a.b.c' }
  const done = await run(['policy', 'activate', id], { env, world: fake })
  assert.deepEqual([done.exitCode, done.out], [0, `treasury has the policy ${'f'.repeat(64)}\n`])
  assert.equal(asked[0]?.url, `http://127.0.0.1:9/v1/changes/${id}/activate`)
  const headers = new Headers(asked[0]?.init.headers)
  assert.equal(headers.get('authorization'), 'Bearer a.b.c')
  assert.match(headers.get('idempotency-key') ?? '', /^cli-[0-9a-f]{32}$/)
  for (const change of ['x', 'c_', `../${id}`, `c_${'A'.repeat(32)}`]) {
    assert.equal((await run(['policy', 'activate', change], { env, world: fake })).exitCode, 2)
  }
  assert.equal((await run(['policy', 'activate', id], { env: {}, world: fake })).exitCode, 2)
  assert.equal(asked.length, 1)
})
