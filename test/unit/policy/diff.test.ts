import assert from 'node:assert/strict'
import { test } from 'node:test'
import { diff, directionOf, parsePolicy, type PolicyDocument } from '../../../src/policy/index.ts'
import { bob, carol, contractId } from '../../fuzz/xdr-corpus.ts'
import { tokenId } from '../../support/policy-random.ts'
import { narrow, usd } from './samples.ts'

type Change = Partial<PolicyDocument>

const policyOf = (change: Change) =>
  parsePolicy(Object.fromEntries(Object.entries({ ...narrow, ...change }).filter(([, value]) => value !== undefined)))

const changes = (before: Change, after: Change): string[] =>
  diff(policyOf(before), policyOf(after)).map(({ change, path }) => `${change} ${path}`)

const payments = (change: object): Change => ({
  payments: {
    destinations: [bob],
    assets: [{ asset: 'native', maxPerOperation: '10', maxPerTransaction: '15' }],
    ...change,
  },
})
const caps = (...assets: [asset: string, each: string, all: string][]): Change =>
  payments({
    assets: assets.map(([asset, maxPerOperation, maxPerTransaction]) => ({
      asset,
      maxPerOperation,
      maxPerTransaction,
    })),
  })

type Functions = NonNullable<PolicyDocument['contracts']>[number]['functions']
type Grants = Exclude<Functions[number], string>['arguments']
const calls = (...functions: Functions): Change => ({ contracts: [{ contract: contractId, functions }] })
const counted = (asset: string, ...functions: Functions): Change => ({
  tokens: [{ contract: contractId, asset, functions }],
})
const run = (...grants: Grants): Change => calls({ name: 'run', arguments: grants })
const windows = (...list: NonNullable<PolicyDocument['windows']>): Change => ({ windows: list })
const day = { asset: 'native', seconds: 86_400, max: '100' }
const options = (setOptions: PolicyDocument['setOptions']): Change => ({ setOptions })

/** The second allows less than the first, so the other way round is a loosening. */
const TIGHTER: ReadonlyArray<readonly [wide: Change, tight: Change, path: string]> = [
  [{}, { network: undefined }, 'network'],
  [{ operations: ['payment', 'manageData'] }, {}, 'operations'],
  [{ sensitiveOperations: ['accountMerge'] }, {}, 'sensitiveOperations'],
  [{}, { fee: { maxStroops: '999' } }, 'fee.maxStroops'],
  [{}, { fee: undefined }, 'fee.maxStroops'],
  [{ feeBump: true }, { feeBump: false }, 'feeBump'],
  [{}, { timeBounds: { maxLifetimeSeconds: 599 } }, 'timeBounds'],
  [{ timeBounds: 'any' }, {}, 'timeBounds'],
  [{}, { timeBounds: undefined }, 'timeBounds'],
  [{ ledgerBounds: { maxLedgersAhead: 9 } }, { ledgerBounds: { maxLedgersAhead: 8 } }, 'ledgerBounds'],
  [{ ledgerBounds: { maxLedgersAhead: 9 } }, {}, 'ledgerBounds'],
  [{ preconditions: ['extraSigners'] }, {}, 'preconditions'],
  [{ sources: 'any' }, { sources: [bob] }, 'sources'],
  [{ sources: [bob, carol] }, { sources: [carol] }, 'sources'],
  [{ memo: ['text', 'id'] }, { memo: ['id'] }, 'memo'],
  [payments({ destinations: 'any' }), {}, 'payments.destinations.any'],
  [payments({ destinations: [bob, carol] }), {}, `payments.destinations.${carol}`],
  [{}, payments({ destinations: [{ account: bob, memo: 'required' }] }), `payments.destinations.${bob}`],
  [payments({ muxed: 'any' }), {}, `payments.destinations.${bob}.muxedIds`],
  [
    payments({ destinations: [{ account: bob, memo: 'optional', muxedIds: ['1', '2'] }] }),
    payments({ destinations: [{ account: bob, memo: 'optional', muxedIds: ['2'] }] }),
    `payments.destinations.${bob}.muxedIds`,
  ],
  [{}, caps(['native', '10', '14']), 'payments.assets.native'],
  [{}, caps(['native', '9', '15']), 'payments.assets.native'],
  [{}, caps(), 'payments.assets.native'],
  [caps(['any', '10', '15']), caps(['native', '10', '15']), 'payments.assets.any'],
  [caps(['any', '5', '5'], ['native', '10', '15']), caps(['any', '5', '5']), 'payments.assets.native'],
  [{ trustLines: [usd, `USD:${bob}`] }, { trustLines: [usd] }, 'trustLines'],
  [{ operations: ['payment', 'changeTrust'] }, { trustLines: [usd] }, 'trustLines'],
  [{ sensitiveOperations: ['setOptions'] }, options({ homeDomains: ['a'] }), 'sensitiveOperations'],
  [options({}), {}, 'setOptions'],
  [options({ homeDomains: ['a', 'b'] }), options({ homeDomains: ['a'] }), 'setOptions.homeDomains'],
  [
    options({ masterWeight: { min: 0, max: 2 } }),
    options({ masterWeight: { min: 1, max: 2 } }),
    'setOptions.masterWeight',
  ],
  [
    options({ signers: [{ key: bob, minWeight: 0, maxWeight: 5 }] }),
    options({ signers: [{ key: bob, minWeight: 0, maxWeight: 0 }] }),
    `setOptions.signers.${bob}`,
  ],
  [calls('run', 'stop'), calls('run'), `contracts.${contractId}.stop`],
  [calls('run'), run(), `contracts.${contractId}.run`],
  [calls('run'), {}, `contracts.${contractId}.run`],
  [calls('transfer'), counted('native', 'transfer'), `contracts.${contractId}.transfer`],
  [run({ at: 0, any: true }), run({ at: 0, void: true }), `contracts.${contractId}.run`],
  [run({ at: 'all', bools: [true] }), run({ at: 1, bools: [true] }), `contracts.${contractId}.run`],
  [
    run({ at: 0, integer: { min: '0', max: '9' } }),
    run({ at: 0, integer: { min: '1', max: '9' } }),
    `contracts.${contractId}.run`,
  ],
  [run({ at: 0, addresses: [bob, 'self'] }), run({ at: 0, addresses: ['self'] }), `contracts.${contractId}.run`],
  [run({ at: 0, symbols: ['a', 'b'] }), run({ at: 0, symbols: ['a'] }), `contracts.${contractId}.run`],
  [run({ at: 0, strings: ['a', 'b'] }), run({ at: 0, strings: ['a'] }), `contracts.${contractId}.run`],
  [run({ at: 0, bytes: ['00', ''] }), run({ at: 0, bytes: ['00'] }), `contracts.${contractId}.run`],
  [
    run({ at: 0, vec: { minLength: 0, maxLength: 2 } }),
    run({ at: 0, vec: { minLength: 0, maxLength: 1 } }),
    `contracts.${contractId}.run`,
  ],
  [
    run({ at: 0, map: { minLength: 0, maxLength: 2 } }),
    run({ at: 0, map: { minLength: 1, maxLength: 2 } }),
    `contracts.${contractId}.run`,
  ],
  [{}, windows(day), 'windows.native.all.86400'],
  [windows(day), windows({ ...day, max: '99' }), 'windows.native.all.86400'],
  [windows(day), windows({ ...day, asset: 'any' }), 'windows.any.all.86400'],
  [windows({ ...day, destination: bob }), windows({ ...day, destination: 'each' }), 'windows.native.each.86400'],
  [{ rawDigests: true }, {}, 'rawDigests'],
]

test('directionOf: less is a tightening, more a loosening, and diff names the field', () => {
  for (const [wide, tight, path] of TIGHTER) {
    const shown = JSON.stringify([wide, tight])
    assert.equal(directionOf(policyOf(wide), policyOf(tight)), 'tightening', shown)
    assert.equal(directionOf(policyOf(tight), policyOf(wide)), 'loosening', shown)
    assert.ok(changes(wide, tight).includes(`less ${path}`), `${changes(wide, tight).join(', ')}: ${path}`)
    assert.ok(
      changes(tight, wide).some(change => change.startsWith('more ')),
      shown,
    )
  }
})

/** Neither allows less than the other. */
const APART: ReadonlyArray<readonly [one: Change, other: Change]> = [
  [{}, { network: 'public' }],
  [caps(['native', '1', '5']), caps(['native', '2', '4'])],
  [
    payments({ destinations: 'any' }),
    payments({ destinations: [{ account: bob, memo: 'optional', muxedIds: ['1'] }] }),
  ],
  [counted('native', 'transfer'), counted(usd, 'transfer')],
  [calls('run'), calls('stop')],
  [run({ at: 0, any: true }), run({ at: 1, any: true })],
  [windows(day), windows({ ...day, seconds: 172_800 })],
  [windows(day), windows({ ...day, destination: 'each' })],
  [windows({ ...day, asset: 'fee' }), windows({ ...day, asset: 'any' })],
  [{ timeBounds: undefined, ledgerBounds: { maxLedgersAhead: 5 } }, {}],
]

test('directionOf: what cannot be compared is a loosening both ways', () => {
  for (const [one, other] of APART) {
    const shown = JSON.stringify([one, other])
    assert.equal(directionOf(policyOf(one), policyOf(other)), 'loosening', shown)
    assert.equal(directionOf(policyOf(other), policyOf(one)), 'loosening', shown)
  }
})

/** Other words for the same. */
const SAME: ReadonlyArray<readonly [one: Change, other: Change]> = [
  [{ operations: ['payment', 'manageData'] }, { operations: ['manageData', 'payment', 'payment'] }],
  [{ feeBump: false }, {}],
  [{ sources: [] }, {}],
  [payments({ destinations: [bob] }), payments({ destinations: [{ account: bob, memo: 'optional', muxedIds: [] }] })],
  [caps(['any', '10', '15']), caps(['any', '10', '15'], ['native', '1', '2'])],
  [{ operations: ['payment', 'changeTrust'] }, { operations: ['payment', 'changeTrust'], trustLines: [usd] }],
  [{ timeBounds: 'any' }, { timeBounds: 'any', ledgerBounds: { maxLedgersAhead: 5 } }],
  [calls('run'), calls('run', 'run', { name: 'run', arguments: [] })],
  [run({ at: 0, any: true }), run({ at: 0, any: true }, { at: 0, integer: { min: '5', max: '4' } })],
  [
    { tokens: [{ contract: tokenId, asset: 'native', functions: ['transfer'] }] },
    { tokens: [{ contract: tokenId, asset: 'native', functions: ['transfer'] }], contracts: [] },
  ],
]

test('directionOf: other words for the same are a tightening both ways', () => {
  for (const [one, other] of SAME) {
    const shown = JSON.stringify([one, other])
    assert.equal(directionOf(policyOf(one), policyOf(other)), 'tightening', shown)
    assert.equal(directionOf(policyOf(other), policyOf(one)), 'tightening', shown)
  }
})

test('directionOf: a policy that allows nothing is a tightening of every other, so that one person can stop a key', () => {
  const nothing = parsePolicy({ version: 1 })
  for (const change of [{}, windows(day), { operations: ['payment', 'manageData'] } satisfies Change]) {
    assert.equal(directionOf(policyOf(change), nothing), 'tightening')
  }
  assert.equal(directionOf(nothing, policyOf({})), 'loosening')
})

test('diff: a window that goes is more, though every other field of the kind would be less', () => {
  assert.deepEqual(changes(windows(day), {}), ['more windows.native.all.86400'])
  const found = diff(policyOf(windows(day)), policyOf({}))
  assert.equal(found[0]?.sentence, 'The limit of 100 of native to all receivers in 86400 seconds is gone, or higher.')
})

test('diff: what the loud grant of setOptions covers is no difference of its own', () => {
  const some = options({ homeDomains: ['a'], masterWeight: { min: 0, max: 1 } })
  const all: Change = { sensitiveOperations: ['setOptions'] }
  assert.deepEqual(changes(all, some), ['less sensitiveOperations'])
  assert.deepEqual(changes(some, all), ['more sensitiveOperations'])
  assert.deepEqual(changes(all, { ...all, ...some }), [])
})

test('diff: fields for EVM chains are compared as a whole, and shown one by one', () => {
  const evm = (maxWei: string): Change => ({ evm: { fee: { maxWei } } })
  assert.deepEqual(changes({}, evm('5')), ['more evm'])
  assert.deepEqual(changes(evm('5'), {}), ['less evm'])
  assert.deepEqual(changes(evm('5'), evm('4')), ['less evm.fee.maxWei'])
  assert.deepEqual(changes(evm('4'), evm('5')), ['more evm.fee.maxWei'])
  const messages = (...prefixes: string[]): Change => ({
    messages: prefixes.map(prefix => ({ prefix, maxBytes: 100 })),
  })
  assert.deepEqual(changes(messages('login to A', 'login to B'), messages('login to B')), ['less messages.0'])
  assert.deepEqual(changes(messages('login to A'), messages('login to A', 'login to C')), ['more messages.1'])
})
