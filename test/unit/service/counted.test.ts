/** What is counted for whom: a caller uses up their own limits, and those of a key only where they may use it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SignerError } from '../../../src/domain/errors.ts'
import { signBatch } from '../../../src/service/batch.ts'
import { explainKey, getKey, type ReadDeps } from '../../../src/service/read.ts'
import { sign } from '../../../src/service/sign.ts'
import type { CallerLike, SignDeps } from '../../../src/service/types.ts'

const CALLER: CallerLike = { subject: 'reader', tokenId: 'jti_1' }

/** Everything up to the limits; whoever comes further fails the test. */
function counting(allowed: readonly string[]) {
  const counted: (string | undefined)[] = []
  const refused: (string | undefined)[] = []
  const deps = {
    clock: { now: () => 0, monotonic: () => 0, sleep: async () => {} },
    random: { bytes: (length: number) => new Uint8Array(length) },
    limits: { bodyBytes: 65_536, deadlineMs: 1000 },
    authenticate: async () => CALLER,
    authorize: (_: CallerLike, action: string, key: string) => {
      if (!allowed.includes(`${action}:${key}`)) throw new SignerError('access/denied', { action, reason: 'no scope' })
    },
    gateway: {
      enter: () => '192.0.2.1',
      admit: async (_: CallerLike, __: string, key: string | undefined) => {
        counted.push(key)
        return {}
      },
    },
    audit: { state: { kind: 'open' }, append: async () => ({ seq: 1, hash: '' }) },
    catalogue: { resolve: async () => undefined, list: async () => [] },
    recordRefusal: ({ errorCode }: { errorCode?: string }) => void refused.push(errorCode),
    incident: (error: unknown) => error,
  } as unknown as ReadDeps<CallerLike> & SignDeps
  return { deps, counted, refused }
}

const asking = { authorization: 'Bearer x', requestId: 'r_1', peer: '192.0.2.1' }
const body = new TextEncoder().encode('{"type":"stellar-transaction","xdr":"AAAA"}')
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    (error: { code?: string }) => error.code,
  )

test('T66 who may not use a key uses up none of its limit, and is counted all the same', async () => {
  const asks = {
    read: (deps: ReturnType<typeof counting>['deps'], key: string) => getKey(deps, { ...asking, key }),
    explain: (deps: ReturnType<typeof counting>['deps'], key: string) => explainKey(deps, { ...asking, key, body }),
    sign: (deps: ReturnType<typeof counting>['deps'], key: string) =>
      sign(deps, { ...asking, key, body, idempotencyKey: 'k' }),
  }
  for (const [action, ask] of Object.entries(asks)) {
    const { deps, counted, refused } = counting([`${action}:mine`])
    assert.equal(await codeOf(ask(deps, 'treasury')), 'access/denied', action)
    assert.deepEqual(counted, [undefined], action)
    assert.equal(await codeOf(ask(deps, 'mine')), 'key/unknown', action)
    assert.deepEqual(counted, [undefined, 'mine'], action)
    assert.deepEqual(refused, ['access/denied', 'key/unknown'], 'each once')
  }
})

test('T66 a batch that cannot be read is counted as one operation', async () => {
  const { deps, counted, refused } = counting(['sign:mine'])
  const bad = new TextEncoder().encode('{"requests":[]}')
  assert.equal(await codeOf(signBatch(deps, { ...asking, body: bad, idempotencyKey: 'k' })), 'request/malformed')
  assert.deepEqual(counted, [undefined])
  assert.deepEqual(refused, ['request/malformed'])
})

test('a batch whose items would have no idempotency key is refused whole', async () => {
  const { deps, counted } = counting(['sign:mine'])
  const requests = Array.from({ length: 10 }, () => ({
    key: 'mine',
    payload: { type: 'stellar-transaction', xdr: 'AAAA' },
  }))
  const good = new TextEncoder().encode(JSON.stringify({ requests }))
  const long = (length: number) => signBatch(deps, { ...asking, body: good, idempotencyKey: 'k'.repeat(length) })
  assert.equal(await codeOf(long(253)), 'idempotency/malformed')
  assert.equal(counted.length, 1)
  assert.equal(await codeOf(long(252)), 'batch/refused')
})
