import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Keypair, Networks, TransactionBuilder, xdr } from '@stellar/stellar-sdk/base'
import { toHex } from '../../../../src/bytes/hex.ts'
import { SIGNATURES_MAX, type StellarParsed, stellar } from '../../../../src/chains/stellar/index.ts'
import { isSignerError } from '../../../../src/domain/errors.ts'
import { decide, defaultPolicy, demoPolicy, parsePolicy } from '../../../../src/policy/index.ts'
import {
  alice,
  carol,
  fakeSignature,
  feeBump,
  namedCorpus,
  operations,
  testKey,
  unmuxed,
  v0,
  v1,
} from '../../../fuzz/xdr-corpus.ts'

const key = testKey('alice')
const parse = (text: string): StellarParsed => stellar.parse({ type: 'stellar-transaction', xdr: text }, 'testnet')
const sign = (parsed: StellarParsed): string => stellar.attach(parsed, key.rawPublicKey(), key.sign(parsed.hash))
const decoded = (text: string): xdr.TransactionEnvelope => xdr.TransactionEnvelope.fromXdr(text, 'base64')
const pay = { operations: operations['payment'] ?? [] }

test('M-20, M-21 every envelope: signed, the SDK finds our signature valid on the hash it makes itself', () => {
  for (const [name, envelope] of namedCorpus()) {
    const before = envelope.toXdr('base64')
    const signed = sign(parse(before))
    // The view of a challenge's home in the SDK refuses some shapes that are valid XDR; the hash is what counts here.
    const transaction = TransactionBuilder.fromXdr(signed, Networks.TESTNET)
    const held = decoded(signed).value.signatures
    const ours = held.at(-1)
    assert.ok(ours !== undefined, name)
    assert.equal(held.length, envelope.value.signatures.length + 1, name)
    assert.equal(toHex(ours.hint.toBytes()), toHex(key.rawPublicKey().slice(-4)), name)
    assert.equal(toHex(transaction.hash()), stellar.hash(parse(before)), name)
    assert.ok(Keypair.fromPublicKey(alice).verify(transaction.hash(), ours.signature.toBytes()), name)
    assert.equal(stellar.hash(parse(signed)), stellar.hash(parse(before)), `${name}: a signature changes no hash`)
  }
})

test('signatures already there stay first and unchanged; ours is added once', () => {
  const there = [fakeSignature('a'), fakeSignature('b')]
  for (const envelope of [v0(pay, there), v1(pay, there), feeBump(pay, {}, there)]) {
    const once = sign(parse(envelope.toXdr('base64')))
    const held = decoded(once).value.signatures
    assert.deepEqual(held.slice(0, 2).map(String), there.map(String))
    assert.equal(held.length, 3)
    assert.equal(sign(parse(once)), once, 'signing again changes nothing')
  }
})

test('a signature by another key with our hint does not stand for ours', () => {
  const imitation = new xdr.DecoratedSignature({ hint: key.rawPublicKey().slice(-4), signature: new Uint8Array(64) })
  const signed = sign(parse(v1(pay, [imitation]).toXdr('base64')))
  assert.equal(decoded(signed).value.signatures.length, 2)
})

test('M-21 fee bump: the inner envelope is kept byte for byte', () => {
  const envelope = feeBump(pay, { innerSignatures: [fakeSignature('x'), fakeSignature('y')] })
  const signed = decoded(sign(parse(envelope.toXdr('base64'))))
  assert.ok(signed.type === 'envelopeTypeTxFeeBump' && envelope.type === 'envelopeTypeTxFeeBump')
  assert.equal(signed.feeBump.tx.innerTx.toXdr('hex'), envelope.feeBump.tx.innerTx.toXdr('hex'))
  assert.equal(signed.feeBump.signatures.length, 1)
})

test('attach refuses a twenty-first signature', () => {
  const parsed = parse(v1(pay).toXdr('base64'))
  const full = v1(
    pay,
    Array.from({ length: SIGNATURES_MAX }, (_, at) => fakeSignature(String(at))),
  )
  assert.throws(
    () => stellar.attach({ ...parsed, envelope: full }, key.rawPublicKey(), new Uint8Array(64)),
    error => isSignerError(error) && error.code === 'payload/invalid',
  )
})

test('T26 V0, V1, fee-bump: what was sent against what comes back, 3×3', () => {
  const [operation] = operations['payment'] ?? []
  assert.ok(operation !== undefined)
  const parts = { operations: [operation] }
  const arms = { v0: v0(parts), v1: v1(parts), feeBump: feeBump(parts) } as const
  const parsed = Object.entries(arms).map(([name, arm]) => ({ name, arm, parsed: parse(arm.toXdr('base64')) }))
  for (const sent of parsed) {
    const signed = sign(sent.parsed)
    assert.equal(decoded(signed).type, sent.arm.type, `${sent.name} comes back as it was sent`)
    for (const other of parsed) {
      const same = sent === other || (sent.name !== 'feeBump' && other.name !== 'feeBump')
      assert.equal(
        stellar.hash(sent.parsed) === stellar.hash(other.parsed),
        same,
        `${sent.name} and ${other.name}: V0 and V1 need one signature, a fee bump another`,
      )
      const ours = decoded(signed).value.signatures.at(-1)
      assert.ok(ours !== undefined)
      assert.equal(
        Keypair.fromPublicKey(alice).verify(other.parsed.hash, ours.signature.toBytes()),
        same,
        `a signature for ${sent.name} on ${other.name}`,
      )
    }
  }
  const views = parsed.map(({ parsed: { view } }) => view)
  assert.deepEqual(views[0], views[1], 'V0 and V1 look the same to a policy')
})

test('T26 a policy for payments cannot be passed by wrapping: inner and outer are judged', () => {
  const facts = { now: 1_790_000_000_000, keyAddress: alice, keyNetwork: 'testnet' }
  const verdict = (envelope: xdr.TransactionEnvelope, policy = demoPolicy()) =>
    decide(policy, parse(envelope.toXdr('base64')).view, facts)
  const merge = { operations: operations['accountMerge'] ?? [] }
  for (const envelope of [v0(merge), v1(merge), feeBump(merge)]) {
    const decision = verdict(envelope)
    assert.ok(decision.kind === 'deny' && decision.rule === 'operations')
  }
  const rich = verdict(feeBump(pay, { fee: 100_000_001n }))
  assert.ok(rich.kind === 'deny' && rich.rule === 'fee', 'outer fee above the cap')
  const costly = verdict(feeBump({ ...pay, fee: 100_000_001 }, { fee: 1n }))
  assert.ok(costly.kind === 'deny' && costly.rule === 'fee', 'inner fee above the cap')
  const negative = verdict(feeBump(pay, { fee: -1n }))
  assert.ok(negative.kind === 'deny' && negative.rule === 'fee')
  assert.equal(verdict(feeBump(pay)).kind, 'allow')
  assert.equal(verdict(feeBump(pay), defaultPolicy()).kind, 'deny')

  const document = JSON.parse(demoPolicy().text)
  const unwrapped = verdict(feeBump(pay), parsePolicy({ ...document, feeBump: false }))
  assert.ok(unwrapped.kind === 'deny' && unwrapped.rule === 'fee-bump')
  const own = verdict(
    feeBump({ operations: [] }, { feeSource: unmuxed(carol) }),
    parsePolicy({ ...document, sources: [] }),
  )
  assert.ok(own.kind === 'deny' && own.rule === 'sources')
})
