/** Signatures against thresholds: as the table of the network has it, and as the network's own count goes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StrKey } from '@stellar/stellar-sdk'
import { canBeReached, endOf, extraSignersOf, levelsOf, weigh } from '../../../../src/chains/stellar/index.ts'
import { OPERATION_TYPES, type OperationView, type StellarTransactionView } from '../../../../src/domain/stellar.ts'

const HASH = 'ab'.repeat(32)
const APPROVED = StrKey.encodePreAuthTx(Buffer.from(HASH, 'hex'))
const NOTHING = {
  ...{ inflationDestination: null, clearFlags: null, setFlags: null, masterWeight: null, lowThreshold: null },
  ...{ mediumThreshold: null, highThreshold: null, homeDomain: null, signer: null },
}
const operation = (type: string, over: object = {}): OperationView =>
  ({ type, source: null, ...(type === 'setOptions' ? NOTHING : {}), ...over }) as unknown as OperationView
const source = (address: string) => ({ source: { address, muxedId: null } })
const body = (operations: readonly OperationView[], maxTime = 0n, extraSigners: string[] = []) => ({
  ...{ feeStroops: 100n, resourceFeeStroops: null, sequence: 1n, memo: { kind: 'none' }, signatures: 0, operations },
  ...source('GA'),
  preconditions: { timeBounds: { minTime: 0n, maxTime }, extraSigners },
})
const transaction = (...given: Parameters<typeof body>) =>
  ({ kind: 'transaction', network: 'testnet', ...body(...given) }) as unknown as StellarTransactionView
const bump = (...given: Parameters<typeof body>) =>
  ({ kind: 'fee-bump', network: 'testnet', feeSource: { address: 'GF', muxedId: 1n }, inner: body(...given) }) as never

test('M-26 every operation type reaches the threshold that the network has for it', () => {
  const low = ['allowTrust', 'setTrustLineFlags', 'bumpSequence', 'claimClaimableBalance', 'inflation']
  const expected = (type: string) => {
    if ([...low, 'extendFootprintTtl', 'restoreFootprint'].includes(type)) return 'low'
    return type === 'accountMerge' || type === 'unknown' ? 'high' : 'medium'
  }
  for (const type of [...OPERATION_TYPES, 'unknown']) {
    assert.deepEqual(levelsOf(transaction([operation(type)])), [{ account: 'GA', level: expected(type) }], type)
  }
  for (const rule of ['masterWeight', 'lowThreshold', 'mediumThreshold', 'highThreshold']) {
    assert.equal(levelsOf(transaction([operation('setOptions', { [rule]: 0 })]))[0]?.level, 'high', rule)
  }
  assert.equal(levelsOf(transaction([operation('setOptions', { signer: { key: 'GB', weight: 1 } })]))[0]?.level, 'high')
  assert.equal(levelsOf(transaction([operation('setOptions', { homeDomain: 'x' })]))[0]?.level, 'medium')
})

test('M-26 each source is asked at the highest threshold it reaches; of a fee bump the one who pays', () => {
  const operations = [
    operation('payment', source('GB')),
    operation('accountMerge', source('GB')),
    operation('bumpSequence', source('GB')),
    operation('bumpSequence', source('GC')),
  ]
  assert.deepEqual(levelsOf(transaction(operations, 0n, ['PX'])), [
    { account: 'GA', level: 'low' },
    { account: 'GB', level: 'high' },
    { account: 'GC', level: 'low' },
  ])
  assert.deepEqual(levelsOf(transaction([])), [{ account: 'GA', level: 'low' }])
  assert.deepEqual(levelsOf(bump(operations)), [{ account: 'GF', level: 'low' }])
  assert.deepEqual(extraSignersOf(transaction([], 0n, ['PX'])), ['PX'])
  assert.deepEqual(extraSignersOf(bump([], 0n, ['PX'])), [])
  assert.deepEqual([endOf(transaction([], 7n)), endOf(bump([], 7n)), endOf(transaction([]))], [7_000, 7_000, undefined])
})

test('M-26 weights add up to their thresholds, a transaction approved beforehand counts, and what is not needed is not used', () => {
  const signers = [
    { key: 'GA', weight: 1 },
    { key: 'GB', weight: 1 },
    { key: 'XH', weight: 1 },
    { key: APPROVED, weight: 1 },
    { key: 'T-other', weight: 9 },
  ]
  const needed = [{ account: 'GA', threshold: 3, signers }]
  const none = weigh(needed, HASH, [])
  assert.deepEqual([none.ready, none.accounts[0]?.weight, none.accounts[0]?.missing, none.used], [false, 1, 2, []])
  assert.deepEqual(none.accounts[0]?.signed, [APPROVED])
  const two = weigh(needed, HASH, ['GB', 'GA'])
  assert.deepEqual([two.ready, two.accounts[0]?.missing, two.used], [true, 0, ['GB', 'GA']])
  // A preimage is looked at before any public key.
  assert.deepEqual(weigh(needed, HASH, ['GA', 'GB', 'XH']).used, ['GA', 'XH'])
  assert.deepEqual(weigh(needed, HASH, ['GZ', 'GA']).used, ['GA'])
  assert.equal(weigh(needed, 'cd'.repeat(32), ['GA', 'GB']).ready, false)
  // One signature serves two accounts; another is needed by the second alone.
  const both = [
    { account: 'GA', threshold: 1, signers: signers.slice(0, 2) },
    {
      account: 'GB',
      threshold: 2,
      signers: [
        { key: 'GB', weight: 300 },
        { key: 'GC', weight: 1 },
      ],
    },
  ]
  assert.deepEqual(weigh(both, HASH, ['GA', 'GB', 'GC']).used, ['GA', 'GB'])
  assert.deepEqual(weigh(both, HASH, ['GC', 'GA']).used, ['GC', 'GA'])
  assert.equal(weigh(both, HASH, ['GB']).accounts[1]?.weight, 255)
  assert.deepEqual(
    [3, 255 + 14].map(threshold => canBeReached({ account: 'GA', threshold, signers })),
    [true, false],
  )
  assert.throws(() => weigh(needed, 'ab', []), RangeError)
})
