import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  directionOfEvm,
  type EvmRules,
  type EvmRulesDocument,
  type EvmView,
  evmRulesSchema,
  spendsOf,
} from '../../../../src/policy/evm/index.ts'
import { type Rng, seeded } from '../../../fuzz/xdr-mutator.ts'
import { takeOne } from '../../../support/policy-places.ts'
import {
  account,
  address,
  alice,
  allows,
  bob,
  CHAIN,
  code,
  encode,
  exec,
  facts,
  NOW_S,
  own,
  parse,
  permit,
  permits,
  router,
  safe,
  stranger,
  transaction,
  usdc,
  vault,
  wallet,
} from './samples.ts'

const SEED = Number(process.env['POLICY_SEED'] ?? 20_261_122)
const COUNT = 20_000

const full: EvmRulesDocument = {
  ...wallet,
  ...permits,
  evm: {
    ...wallet.evm,
    sensitiveCalls: [{ to: [vault], function: 'upgradeTo(address)', arguments: [{ addresses: [code] }] }],
    tokens: [
      {
        token: usdc,
        maxPerTransaction: '1000',
        recipients: [alice, bob],
        senders: 'any',
        spenders: [router, vault],
        unlimitedApprovals: true,
      },
    ],
    create: { initCodeHashes: 'any' },
    blobs: { max: 2 },
    setCode: { codes: [code], anyChain: true },
    windows: [
      { asset: 'native', seconds: 60, max: '5' },
      { asset: usdc, destination: 'each', seconds: 60, max: '5' },
    ],
  },
  messages: [
    { prefix: 'Proof of reserves: ', maxBytes: 60 },
    { prefix: 'Proof of reserves: long', maxBytes: 90 },
  ],
  rawDigests: true,
}

/** Without one field, or one entry of a list. */
function withoutOne(rng: Rng, document: unknown): unknown {
  const copy: unknown = structuredClone(document)
  takeOne(rng, copy)
  return copy
}

const pick = <T>(rng: Rng, list: readonly T[]): T => list[rng.int(list.length)] as T

const text = (value: string): EvmView => ({
  kind: 'message',
  network: 'sepolia',
  form: 'eip-191',
  bytes: new TextEncoder().encode(value),
})

function randomView(rng: Rng): EvmView {
  const who = pick(rng, [alice, bob, own, router, vault, stranger])
  const amount = BigInt(pick(rng, [0, 1, 5, 400, 500, 501, 1000, 1001]))
  const authorization = { chainId: pick(rng, [0n, 1n, CHAIN]), address: pick(rng, [code, stranger]), nonce: 0n }
  const views: ReadonlyArray<() => EvmView> = [
    () => transaction({ to: who, valueWei: amount }),
    () =>
      transaction({
        to: usdc,
        data: encode(pick(rng, ['transfer', 'approve', 'increaseAllowance', 'decreaseAllowance']), [who, amount]),
      }),
    () => transaction({ to: usdc, data: encode('approve', [who, 1n << 200n]) }),
    () => transaction({ to: usdc, data: encode('transferFrom', [who, alice, amount]) }),
    () => transaction({ to: vault, data: encode('deposit', [amount, who]) }),
    () => transaction({ to: safe, data: exec(usdc, 0n, encode('transfer', [who, amount]), rng.int(2)) }),
    () => transaction({ to: account, data: encode('execute', [who, amount, '0x']), valueWei: amount }),
    () =>
      transaction({
        to: account,
        data: encode('aggregate3', [
          [
            [usdc, true, encode('transfer', [who, amount])],
            [vault, true, encode('deposit', [amount, own])],
          ],
        ]),
      }),
    () => transaction({ to: vault, data: encode('multicall', [[encode('deposit', [amount, who])]]) }),
    () => transaction({ to: vault, data: encode('upgradeTo', [pick(rng, [code, stranger])]) }),
    () =>
      transaction({
        to: router,
        data: encode('swap', [[[usdc, amount, true]], '0x', '', 5, ['0x00000000', '0x00000000']]),
        valueWei: amount,
      }),
    () => transaction({ to: null, data: '0x6001' }),
    () => transaction({ type: 3, blobs: 1 + rng.int(3) }),
    () => transaction({ type: 4, authorizations: [authorization] }),
    () => ({ kind: 'evm-set-code', network: 'sepolia', ...authorization }),
    () => permit({ value: amount, spender: who, deadline: NOW_S + BigInt(rng.int(5000)) }),
    () => text(pick(rng, ['Proof of reserves: 5', `Proof of reserves: long ${'x'.repeat(50)}`, 'another beginning'])),
    () => ({ kind: 'raw-digest', network: 'sepolia', digest: `0x${'11'.repeat(32)}` }),
  ]
  return pick(rng, views)()
}

/** What was counted is counted still, and may not be more. */
const keepsClaims = (before: EvmRules, after: EvmRules, view: EvmView): boolean =>
  spendsOf(before, view, facts).every(claim =>
    spendsOf(after, view, facts).some(
      other => other.counter === claim.counter && other.amount === claim.amount && other.limit <= claim.limit,
    ),
  )

const read = (document: unknown) => {
  const result = evmRulesSchema.safeParse(document)
  return result.success ? result.data : undefined
}

test(`R-26 taking any field or entry away never allows more, ${COUNT} times`, { timeout: 120_000 }, t => {
  const rng = seeded(SEED)
  const tally = { tried: 0, allowed: 0, lost: 0, tightening: 0, loosening: 0, narrowed: 0 }
  let document: unknown = full
  let before: EvmRules = parse(full)
  const seen: EvmRules[] = Array.from({ length: 60 }, () => before)
  while (tally.tried < COUNT) {
    if (rng.int(40) === 0) [document, before] = [full, parse(full)]
    const smaller = withoutOne(rng, document)
    const after = read(smaller)
    if (after === undefined) continue
    const direction = directionOfEvm(before, after)
    tally[direction]++
    if (direction === 'loosening')
      assert.notDeepEqual(before.evm?.windows, after.evm?.windows, `seed ${SEED}: ${JSON.stringify(smaller)}`)
    const other = pick(rng, seen)
    const narrowed = directionOfEvm(other, after) === 'tightening'
    seen[rng.int(seen.length)] = after
    for (let round = 0; round < 5; round++) {
      const view = randomView(rng)
      const was: boolean = allows(before, view)
      const is: boolean = allows(after, view)
      tally.tried++
      if (was) tally.allowed++
      if (was && !is) tally.lost++
      if (narrowed && is) {
        tally.narrowed++
        assert.ok(allows(other, view), `seed ${SEED}: a tightening lets more pass: ${JSON.stringify(smaller)}`)
        assert.ok(
          keepsClaims(other, after, view),
          `seed ${SEED}: a tightening frees a window: ${JSON.stringify(smaller)}`,
        )
      }
      assert.ok(was || !is, `seed ${SEED}, ${tally.tried}: ${JSON.stringify(smaller)}`)
    }
    document = smaller
    before = after
  }
  t.diagnostic?.(JSON.stringify({ seed: SEED, ...tally }))
  assert.ok(
    tally.allowed > 1000 && tally.lost > 20 && tally.loosening > 5 && tally.narrowed > 100,
    JSON.stringify(tally),
  )
})

test('M-52 the same, less, and nothing are tightenings; the other way round is a loosening', () => {
  const rules = parse(full)
  assert.equal(directionOfEvm(rules, rules), 'tightening')
  assert.equal(directionOfEvm(rules, parse({})), 'tightening')
  assert.equal(directionOfEvm(parse({}), parse({ evm: {} })), 'tightening')
  assert.equal(directionOfEvm(parse({}), rules), 'loosening')
  assert.equal(directionOfEvm(parse(wallet), rules), 'loosening')
})

/** A change deep inside the full policy. */
function changed(path: string, value: unknown): EvmRulesDocument {
  const copy = structuredClone(full)
  const keys = path.split('.')
  let holder = copy as Record<string, unknown>
  for (const key of keys.slice(0, -1)) holder = holder[key] as Record<string, unknown>
  holder[keys.at(-1) ?? ''] = value
  return copy
}

test('M-52 each grant that grows makes a loosening, each that shrinks a tightening', () => {
  const cases: ReadonlyArray<readonly [string, unknown, unknown]> = [
    ['evm.fee.maxWei', '2000000000000001', '1999999999999999'],
    ['evm.maxWei', '1000000000000000001', '0'],
    ['evm.payments.destinations', 'any', [alice]],
    ['evm.payments.destinations', [alice, 'self', bob], []],
    ['evm.calls.0.to', [vault, router], []],
    ['evm.calls.0.maxWei', '1', '0'],
    ['evm.calls.0.arguments', ['any', { addresses: ['self'] }], [{ between: ['2', '499'] }, { addresses: [] }]],
    ['evm.calls.0.arguments.0', { between: ['0', '500'] }, { between: ['1', '1'] }],
    [
      'evm.calls.1.arguments.0',
      { items: [0, 2], each: 'any' },
      { items: [1, 1], each: { fields: [{ addresses: [usdc] }, { between: ['0', '9'] }, { is: true }] } },
    ],
    ['evm.calls.1.arguments.1', { bytes: ['0xff'] }, { bytes: ['0x'] }],
    ['evm.calls.1.arguments.2', { texts: ['x'] }, { texts: [] }],
    ['evm.sensitiveCalls.0.arguments.0', 'any', { addresses: [] }],
    ['evm.tokens.0.maxPerTransaction', '1001', '999'],
    ['evm.tokens.0.recipients', 'any', [alice]],
    ['evm.tokens.0.spenders', [alice], [router]],
    ['evm.setCode.codes', [code, alice], []],
    ['evm.blobs.max', 3, 1],
    ['evm.windows.0.max', '6', '4'],
    ['evm.windows.0.seconds', 61, 60],
    ['evm.windows', undefined, [...(full.evm?.windows ?? []), { asset: 'fee', seconds: 60, max: '5' }]],
    ['messages.0.maxBytes', 61, 59],
    ['messages.0.prefix', 'Proof of', 'Proof of reserves: now'],
    ['typedData.0.fields.owner', 'any', { addresses: [] }],
    ['typedData.0.fields.extra', 'any', undefined],
    ['typedData.0.permit.maxAmount', '1001', '999'],
    ['typedData.0.permit.maxLifetimeSeconds', 3601, 3599],
    ['typedData.0.unlimitedApprovals', true, false],
    ['typedData.0.primaryType', 'Mail', 'Permit'],
    ['typedData.0.domain.chainId', '1', String(CHAIN)],
    ['typedData.0.domain.verifyingContract', address('99'), usdc],
  ]
  for (const [path, more, less] of cases) {
    const drop = (value: unknown) => parse(JSON.parse(JSON.stringify(changed(path, value))))
    assert.equal(directionOfEvm(parse(full), drop(more)), 'loosening', path)
    assert.equal(directionOfEvm(parse(full), drop(less)), 'tightening', path)
  }
  const less = parse({ ...full, rawDigests: false })
  assert.equal(directionOfEvm(less, parse(full)), 'loosening')
})
