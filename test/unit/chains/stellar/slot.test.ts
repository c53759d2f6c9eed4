import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Operation, type xdr } from '@stellar/stellar-sdk/base'
import { slotOf, stellar } from '../../../../src/chains/stellar/index.ts'
import type { SlotClaim } from '../../../../src/domain/claims.ts'
import {
  alice,
  bob,
  carol,
  fakeSignature,
  feeBump,
  muxed,
  namedCorpus,
  operations,
  timeBounds,
  unmuxed,
  v0,
  v1,
} from '../../../fuzz/xdr-corpus.ts'

const parse = (envelope: xdr.TransactionEnvelope, network = 'testnet') =>
  stellar.parse({ type: 'stellar-transaction', xdr: envelope.toXdr('base64') }, network)

function slot(envelope: xdr.TransactionEnvelope, network = 'testnet'): SlotClaim {
  const claim = slotOf(parse(envelope, network))
  assert.ok(claim !== undefined)
  return claim
}

const pay = operations['payment']?.slice(0, 1) ?? []
const parts = { operations: pay, cond: timeBounds(0n, 99n) }

test('D14 the same transaction takes the same place with the same effects, whatever is signed on it and however it is spelled', () => {
  const claim = slot(v1(parts))
  assert.equal(claim.slot, `testnet|${alice}|4294967297`)
  assert.equal(claim.hash, stellar.hash(parse(v1(parts))))
  assert.equal(claim.fee, 100n)
  assert.deepEqual(slot(v1(parts, [fakeSignature('a')])), claim)
  assert.deepEqual(slot(v0(parts)), claim)
})

test('D14 a higher fee is another hash with the same effects', () => {
  const low = slot(v1(parts))
  const high = slot(v1({ ...parts, fee: 900 }))
  assert.notEqual(high.hash, low.hash)
  assert.deepEqual({ ...high, hash: low.hash, fee: low.fee }, low)
  assert.equal(high.fee, 900n)
})

test('D14 anything else that changes is another effect in the same place', () => {
  const low = slot(v1(parts))
  const others = [
    v1({ ...parts, operations: [Operation.accountMerge({ destination: bob })] }),
    v1({ ...parts, operations: [...pay, ...pay] }),
    v1({ ...parts, source: muxed(alice, 1n) }),
    v1({ ...parts, soroban: true }),
  ]
  for (const other of others) {
    const claim = slot(other)
    assert.equal(claim.slot, low.slot)
    assert.notEqual(claim.effects, low.effects)
  }
})

test('D14 when it may run is no effect: what has expired can be made anew for its place, and says when it expires', () => {
  const first = slot(v1(parts))
  const later = slot(v1({ ...parts, cond: timeBounds(0n, 500n) }))
  assert.deepEqual([later.slot, later.effects], [first.slot, first.effects])
  assert.notEqual(later.hash, first.hash)
  assert.deepEqual([first.expiresAt, later.expiresAt], [99_000, 500_000])
  for (const cond of [undefined, timeBounds(0n, 0n), timeBounds(0n, 2n ** 63n)]) {
    const endless = slot(v1({ operations: pay, ...(cond === undefined ? {} : { cond }) }))
    assert.ok(!('expiresAt' in endless))
  }
})

test('D14 another account, sequence or network is another place', () => {
  const places = [
    slot(v1(parts)),
    slot(v1({ ...parts, sequence: 5n })),
    slot(v1({ ...parts, source: unmuxed(bob) })),
    slot(v1(parts), 'public'),
  ].map(claim => claim.slot)
  assert.equal(new Set(places).size, places.length)
  assert.equal(slot(v1(parts), 'custom:Our Net').slot, `custom:Our Net|${alice}|4294967297`)
  assert.equal(slot(v1(parts), 'local').slot, slot(v1(parts), 'standalone').slot)
})

test('D14 a fee bump takes the place of the transaction in it, with its effects and a fee of its own', () => {
  const inner = slot(v1(parts))
  const bumped = slot(feeBump(parts, { fee: 4000n, innerSignatures: [fakeSignature('x')] }))
  assert.equal(bumped.slot, inner.slot)
  assert.equal(bumped.effects, inner.effects)
  assert.equal(bumped.fee, 4000n)
  assert.notEqual(bumped.hash, inner.hash)
  const byAnother = slot(feeBump(parts, { feeSource: unmuxed(carol), fee: 4001n }))
  assert.equal(byAnother.effects, inner.effects)
})

test('D14 sequence 0 takes no place; every envelope of the corpus has one', () => {
  assert.equal(slotOf(parse(v1({ ...parts, sequence: 0n }))), undefined)
  assert.equal(slotOf(parse(feeBump({ ...parts, sequence: 0n }))), undefined)
  for (const [name, envelope] of namedCorpus()) {
    assert.equal(slotOf(parse(envelope)) !== undefined, name !== 'v1 challenge', name)
  }
})
