/** Whatever comes back, a caller gets what was asked for, or an error of ours that says nothing of the token. */
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { type Hex, serializeTransaction, type TransactionSerializable } from 'viem'
import { transactionFromJson } from '../../../src/chains/evm/json-transaction.ts'
import { encode } from '../../../src/chains/evm/encode.ts'
import { ApprovalPendingError, CountersignError, createCountersign } from '../../../src/client/index.ts'
import { transactionFields } from '../../../src/client/evm-transaction.ts'

const SEED = 20261122
const RUNS = process.env['COUNTERSIGN_TEST_LONG'] === '1' ? 50_000 : 400
const TOKEN = 'the-secret-token-of-this-test'

/** As many as the list below has. */
const CALLS = 12

const MEMBERS = {
  signature: 'AA==',
  publicKey: 'AA==',
  address: 'GABC',
  hash: '00',
  requestId: 'r_1',
  signedXdr: 'AAAA',
  evmSignature: `0x${'00'.repeat(64)}1b`,
  signedTransaction: '0x02c0',
  jws: 'a.b.c',
  approvalId: 'p_1',
  name: 'k',
  chain: 'stellar',
  network: 'testnet',
  state: 'executed',
  id: 'p_1',
  status: 'success',
  xdr: 'AAAA',
}
const PROBLEM = { code: 'policy/denied', title: 'No', status: 403, retryable: false, requestId: 'r_1' }

/** Something like an answer: members missing, twisted, or nothing of the kind. */
const body = fc.oneof(
  fc.record(
    Object.fromEntries(
      Object.entries({ ...MEMBERS, ...PROBLEM }).map(([name, value]) => [
        name,
        fc.oneof(fc.constant(value), fc.constant(name === 'chain' ? 'evm' : value), fc.jsonValue()),
      ]),
    ),
    { requiredKeys: [] },
  ),
  fc.jsonValue(),
)
const answer = fc.record({
  text: fc.oneof(
    body.map(value => JSON.stringify(value)),
    fc.string(),
    fc.uint8Array({ maxLength: 40 }),
  ),
  status: fc.constantFrom(200, 201, 202, 203, 300, 301, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504, 599),
  retryAfter: fc.option(fc.oneof(fc.string(), fc.integer().map(String)), { nil: undefined }),
})

const ours = (error: unknown): boolean => error instanceof CountersignError || error instanceof ApprovalPendingError

describe('a service that lies to its client', () => {
  test(`${RUNS} answers: every call ends in its result or an error of ours (seed ${SEED})`, async () => {
    let now = 0
    const clock = { now: () => now, sleep: async (ms: number) => void (now += ms) }
    await fc.assert(
      fc.asyncProperty(answer, fc.nat(CALLS - 1), async ({ text, status, retryAfter }, which) => {
        const headers = new Headers({ date: new Date(0).toUTCString() })
        if (retryAfter !== undefined && /^[\x21-\x7e]+$/.test(retryAfter)) headers.set('retry-after', retryAfter)
        const fetch = async () => new Response(text as never, { status, headers })
        const countersign = createCountersign({ url: 'https://sign.example', token: TOKEN, fetch, clock })
        const known = { address: 'GABC', network: 'testnet' }
        const calls: (() => Promise<unknown>)[] = [
          async () => (await countersign.stellar('k', known)).signTransaction('AAAA'),
          async () => (await countersign.stellar('k', known)).signAuthEntry('AAAA'),
          async () => (await countersign.stellar('k', known)).signMessage('m', { encoding: 'hex' }),
          () => countersign.stellar('k'),
          () => countersign.evm('k'),
          () => countersign.sign('k', { type: 'x' }),
          () => countersign.signBatch([]),
          () => countersign.cosign([], 'AAAA'),
          () => countersign.approvals.wait('p_1', { timeoutMs: 3000 }),
          () => countersign.execute('t', {}),
          async () => (await countersign.evm('k')).signMessage({ message: 'm' }),
          () => countersign.approve('k', {} as never),
        ]
        const outcome = await calls[which]!().then(
          value => ({ value }),
          (error: unknown) => ({ error }),
        )
        if ('error' in outcome) {
          assert.ok(ours(outcome.error), inspect(outcome.error))
          assert.ok(!inspect(outcome.error, { depth: 9 }).includes(TOKEN))
        } else if (which < 3) {
          const { error, ...reply } = outcome.value as { error?: { code: number } } & Record<string, string>
          if (error !== undefined) assert.ok([-1, -2, -3, -4].includes(error.code))
          for (const value of Object.values(reply)) assert.equal(typeof value, 'string')
        }
      }),
      { seed: SEED, numRuns: RUNS },
    )
  })

  test('nobody there: the error says where, and nothing of the token', async () => {
    const countersign = createCountersign({ url: 'http://127.0.0.1:9', token: TOKEN, tries: 1 })
    const error: unknown = await countersign.sign('k', { type: 'x' }).catch((each: unknown) => each)
    assert.ok(error instanceof CountersignError && error.code === 'service/unreachable')
    assert.match(error.message, /127\.0\.0\.1:9/)
    assert.ok(!inspect(error, { depth: 9 }).includes(TOKEN))
  })
})

const hex = (size: number): fc.Arbitrary<Hex> =>
  fc.uint8Array({ minLength: size, maxLength: size }).map(bytes => `0x${Buffer.from(bytes).toString('hex')}` as const)
const amount = fc.bigInt({ min: 0n, max: 2n ** 96n })
const common = {
  chainId: fc.constant(11155111),
  nonce: fc.nat(),
  gas: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  to: hex(20),
  value: fc.option(amount, { nil: undefined }),
  data: fc.option(fc.nat(80).chain(hex), { nil: undefined }),
}
const accessList = fc.array(fc.record({ address: hex(20), storageKeys: fc.array(hex(32), { maxLength: 2 }) }), {
  maxLength: 2,
})
const market = fc.tuple(amount, amount).map<[bigint, bigint]>(([a, b]) => (a > b ? [a, b] : [b, a]))
/** Not high, so that every library takes it. */
const word = hex(30).map(value => `0x00${value.slice(2)}01` as Hex)

const transactions: readonly fc.Arbitrary<TransactionSerializable>[] = [
  fc.record({ ...common, type: fc.constant('legacy'), gasPrice: amount }),
  fc.record({ ...common, type: fc.constant('eip2930'), gasPrice: amount, accessList }),
  fc
    .record({ ...common, market, accessList: fc.option(accessList, { nil: undefined }) })
    .map(({ market: [maxFeePerGas, maxPriorityFeePerGas], ...rest }) => ({
      ...rest,
      maxFeePerGas,
      maxPriorityFeePerGas,
    })),
  fc
    .record({ ...common, market, maxFeePerBlobGas: amount, hashes: fc.array(hex(31), { minLength: 1, maxLength: 6 }) })
    .map(({ market: [maxFeePerGas, maxPriorityFeePerGas], hashes, ...rest }) => ({
      ...{ ...rest, maxFeePerGas, maxPriorityFeePerGas, type: 'eip4844' as const },
      blobVersionedHashes: hashes.map(each => `0x01${each.slice(2)}` as const),
    })),
  fc
    .record({
      ...common,
      market,
      list: fc.array(fc.record({ address: hex(20), nonce: fc.nat(), r: word, s: word, yParity: fc.nat(1) }), {
        minLength: 1,
        maxLength: 3,
      }),
    })
    .map(({ market: [maxFeePerGas, maxPriorityFeePerGas], list, ...rest }) => ({
      ...{ ...rest, maxFeePerGas, maxPriorityFeePerGas, type: 'eip7702' as const },
      authorizationList: list.map(each => ({ ...each, chainId: 0 })),
    })),
] as never

describe('M-30 transactions in the fields of JSON-RPC', () => {
  test(`what the service reads is what viem would have signed: ${RUNS} of all types (seed ${SEED})`, () => {
    fc.assert(
      fc.property(fc.oneof(...transactions), transaction => {
        const fields = transactionFields(transaction, transaction.blobVersionedHashes)
        const read = transactionFromJson(JSON.parse(JSON.stringify(fields)), 11155111n)
        assert.equal(encode(read.transaction), serializeTransaction(transaction))
      }),
      { seed: SEED, numRuns: RUNS },
    )
  })
})
