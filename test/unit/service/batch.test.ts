/** Several payloads for one token: all or nothing in judgement, per item in the result. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Account, Asset, Keypair, Networks, Operation, TransactionBuilder } from '@stellar/stellar-sdk'
import { toHex } from '../../../src/bytes/hex.ts'
import { SignerError } from '../../../src/domain/errors.ts'
import { demoPolicy, type PolicyDocument } from '../../../src/policy/index.ts'
import { signBatch } from '../../../src/service/batch.ts'
import type { SignDeps } from '../../../src/service/types.ts'
import { openRigWithOutages } from '../../support/outage.ts'
import { NOW, problemOf, type Rig, type RigOptions } from '../../support/rig.ts'

const LONG = process.env['COUNTERSIGN_TEST_LONG'] === '1'
const RUNS = LONG ? 10_000 : process.versions['bun'] === undefined ? 25 : 250
const DEMO = JSON.parse(demoPolicy().text) as PolicyDocument
const SHOP = Keypair.random().publicKey()

interface Result {
  readonly status: number
  readonly answer?: { readonly hash: string; readonly signature: string; readonly replayed: boolean }
  readonly problem?: { readonly code: string }
}
type Item = { readonly key: string; readonly payload: object }

/** `treasury` and `desk` pay; `strict` may do nothing; `down` names those whose key service is out. */
async function openHouse(options: RigOptions = {}) {
  const keys = [{ name: 'desk' }, { name: 'strict', policy: { version: 1 } as const }, ...(options.keys ?? [])]
  const { rig, down } = await openRigWithOutages({ ...options, keys, log: 'memory' })
  let count = 0
  const token = await rig.token(['sign:*'])
  const ask = (requests: readonly Item[], key = `batch-${++count}`) =>
    rig.post('/v1/sign-batch', { requests }, { idempotencyKey: key, token })
  const results = async (response: Promise<Response>): Promise<readonly Result[]> => {
    const answer = await response
    assert.equal(answer.status, 200, await answer.clone().text())
    return ((await answer.json()) as { results: Result[] }).results
  }
  return { rig, down, ask, results }
}

let sequence = 1n
function payment(rig: Rig, key: string): Item & { readonly hash: string } {
  const source = new Account(rig.keys.get(key)?.version.address ?? SHOP, String(++sequence))
  const tx = new TransactionBuilder(source, { fee: '100', networkPassphrase: Networks.TESTNET })
    .addOperation(Operation.payment({ destination: SHOP, asset: Asset.native(), amount: '1' }))
    .setTimebounds(0, NOW / 1000 + 86_400)
    .build()
  return { key, payload: { type: 'stellar-transaction', xdr: tx.toXDR() }, hash: toHex(tx.hash()) }
}
const sent = ({ key, payload }: Item): Item => ({ key, payload })

test('M-24 one that may not be signed keeps all others from it; every refusal is told and on record', async () => {
  const { rig, ask } = await openHouse()
  const bad = { key: 'treasury', payload: { type: 'stellar-transaction', xdr: 'AAAA' } }
  const items = [payment(rig, 'treasury'), payment(rig, 'strict'), bad, payment(rig, 'nobody'), payment(rig, 'desk')]
  const response = await ask(items.map(sent))
  const problem = await problemOf(response)
  assert.deepEqual([problem.status, problem.code, problem['retryable']], [403, 'batch/refused', false])
  assert.match(String(problem['reason']), /3 of 5/)
  const findings = problem['findings'] as { field: string; key: string; code: string }[]
  assert.deepEqual(
    findings.map(({ field, key, code }) => [field, key, code]),
    [
      ['requests[1]', 'strict', 'policy/denied'],
      ['requests[2]', 'treasury', 'payload/invalid'],
      ['requests[3]', 'nobody', 'key/unknown'],
    ],
  )
  assert.equal(rig.signatures(), 0)
  const intents = (await rig.records()).flatMap(record => (record.kind === 'intent' ? [record.key] : []))
  assert.deepEqual(intents, ['strict'])
  assert.deepEqual(
    rig.refusals.map(({ key, errorCode }) => [key, errorCode]),
    [
      ['treasury', 'payload/invalid'],
      ['nobody', 'key/unknown'],
    ],
  )
})

test('M-24 keys of two networks in one batch are refused with the field, and nothing is signed', async () => {
  const elsewhere = { name: 'elsewhere', network: 'futurenet', policy: { ...DEMO, network: 'futurenet' } }
  const { rig, ask } = await openHouse({ keys: [elsewhere] })
  const items = [payment(rig, 'treasury'), payment(rig, 'desk'), payment(rig, 'elsewhere')].map(sent)
  const problem = await problemOf(await ask(items))
  assert.deepEqual([problem.code, problem['field']], ['request/malformed', 'requests[2]'])
  assert.match(String(problem['reason']), /futurenet.*testnet/)
  assert.equal(rig.signatures(), 0)
  assert.deepEqual(
    rig.refusals.map(({ errorCode }) => errorCode),
    ['request/malformed'],
  )
})

test('M-24 what was signed before is not judged again: a retry gets it when its time is over', async () => {
  const hours = { ...DEMO, timeBounds: { maxLifetimeSeconds: 86_400 } } as PolicyDocument
  const { rig, ask, results } = await openHouse({ keys: [{ name: 'timely', policy: hours }] })
  const items = [payment(rig, 'timely'), payment(rig, 'desk')].map(sent)
  const first = await results(ask(items, 'same'))
  assert.deepEqual(
    first.map(({ status }) => status),
    [200, 200],
  )
  rig.clock.advance(-1) // the end lies further off than the policy allows
  const again = await results(ask(items, 'same'))
  assert.deepEqual(
    again.map(({ answer }) => [answer?.replayed, answer?.signature]),
    first.map(({ answer }) => [true, answer?.signature]),
  )
  assert.equal((await problemOf(await ask(items))).code, 'batch/refused')
  const other = [items[0] as Item, sent(payment(rig, 'desk'))]
  const mismatch = await problemOf(await ask(other, 'same'))
  assert.deepEqual(
    (mismatch['findings'] as { field: string; code: string }[]).map(({ field, code }) => [field, code]),
    [['requests[1]', 'idempotency/mismatch']],
  )
})

test('T66 every item is counted once, and a limit in the middle refuses the whole', async () => {
  const { rig } = await openHouse()
  const counted: string[] = []
  const room = rig.room.deps
  const limited = (most: number): SignDeps => ({
    ...(room as unknown as SignDeps),
    authenticate: async () => ({ subject: 'tester', tokenId: 't' }),
    authorize: () => {},
    gateway: {
      ...(room.gateway as unknown as SignDeps['gateway']),
      admit: async (_, __, key) => {
        if (counted.length >= most) {
          const detail = { scope: 'token', limit: most, windowSeconds: 60, retryAfterMs: 1_000 }
          throw new SignerError('access/limited', detail)
        }
        counted.push(key ?? '*')
        return {}
      },
    },
  })
  const items = ['treasury', 'desk', 'treasury'].map(key => sent(payment(rig, key)))
  const body = new TextEncoder().encode(JSON.stringify({ requests: items }))
  const request = { authorization: 'x', requestId: 'r', peer: '192.0.2.1', body, idempotencyKey: 'k' }
  await assert.rejects(signBatch(limited(2), request), { code: 'access/limited' })
  assert.equal(rig.signatures(), 0)
  counted.length = 0
  const results = await signBatch(limited(3), request)
  assert.deepEqual(counted, ['treasury', 'desk', 'treasury'])
  assert.ok(results.every(result => 'answer' in result))
})

test(`M-24 T70 ${RUNS} random batches with a bad item or a fault at any place: none, or each for itself, in order`, async () => {
  const { rig, down, ask, results } = await openHouse({ unguarded: true })
  const item = fc.constantFrom('treasury', 'desk', 'treasury', 'desk', 'desk', 'strict', 'nobody')
  const seed = Number(process.env['SEED'] ?? 70)
  await fc.assert(
    fc.asyncProperty(
      fc.array(item, { minLength: 1, maxLength: 8 }),
      fc.option(fc.constantFrom('treasury', 'desk')),
      async (keys, out) => {
        down.clear()
        if (out !== null) down.add(out)
        const items = keys.map(key => payment(rig, key))
        const before = rig.signatures()
        const response = ask(items.map(sent), `random-${sequence}`)
        const bad = keys.filter(key => key === 'strict' || key === 'nobody')
        if (bad.length > 0) {
          const problem = await problemOf(await response)
          const findings = problem['findings'] as { key: string; field: string }[]
          assert.deepEqual(
            findings.map(({ key }) => key),
            bad,
          )
          for (const { key, field } of findings) assert.equal(keys[Number(field.slice('requests['.length, -1))], key)
          assert.equal(rig.signatures(), before)
          return
        }
        const told = await results(response)
        assert.deepEqual(
          told.map(({ status, answer, problem }) => [status, answer?.hash ?? problem?.code]),
          items.map(({ key, hash }) => (key === out ? [503, 'provider/unavailable'] : [200, hash])),
        )
        if (!keys.some(key => key === out)) return
        down.clear()
        const whole = await results(ask(items.map(sent), `random-${sequence}`))
        assert.deepEqual(
          whole.map(({ answer }) => [answer?.hash, answer?.replayed]),
          items.map(({ key, hash }) => [hash, key !== out]),
        )
      },
    ),
    { numRuns: RUNS, seed },
  )
  console.log(`# batches: ${RUNS}, seed ${seed}`)
})
