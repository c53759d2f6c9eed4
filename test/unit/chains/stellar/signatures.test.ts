import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Keypair, Networks, StrKey, Transaction, TransactionBuilder, xdr } from '@stellar/stellar-sdk/base'
import { toBase64 } from '../../../../src/bytes/base64.ts'
import { fromHex } from '../../../../src/bytes/hex.ts'
import { sha256 } from '../../../../src/bytes/sha256.ts'
import {
  mergeEnvelopes,
  signaturesOf,
  stellar,
  withoutSignatures,
  withSignatures,
} from '../../../../src/chains/stellar/index.ts'
import { isSignerError } from '../../../../src/domain/errors.ts'
import { fakeSignature, feeBump, operations, testKey, v0, v1 } from '../../../fuzz/xdr-corpus.ts'

const pay = { operations: operations['payment'] ?? [] }
const text = (envelope: xdr.TransactionEnvelope): string => envelope.toXdr('base64')
const names = ['alice', 'bob', 'carol', 'dave']
const keys = new Map(names.map(name => [name, testKey(name)]))
const key = (name: string): Keypair => keys.get(name) ?? testKey(name)
const address = (name: string): string => key(name).publicKey()

/** The SDK signs. */
function signedBy(envelope: string, ...who: readonly string[]): string {
  const transaction = TransactionBuilder.fromXdr(envelope, Networks.TESTNET)
  transaction.sign(...who.map(key))
  return transaction.toEnvelope().toXdr('base64')
}

const invalid = (field: string, reason: RegExp) => (error: unknown) =>
  isSignerError(error) &&
  error.code === 'payload/invalid' &&
  error.detail.field === field &&
  reason.test(error.detail.reason)

test('M-24 whose signatures an envelope holds: V0, V1, fee bump, as the SDK made them', async () => {
  for (const envelope of [v0(pay), v1(pay), feeBump(pay)].map(text)) {
    const signed = signedBy(envelope, 'carol', 'alice')
    const read = await signaturesOf(signed, 'testnet', names.map(address))
    assert.deepEqual(
      read.found.map(({ signer }) => signer),
      [address('carol'), address('alice')],
    )
    assert.equal(read.strange, 0)
    assert.equal(read.hash, stellar.hash(stellar.parse({ type: 'stellar-transaction', xdr: envelope }, 'testnet')))
    assert.equal(withoutSignatures(signed, 'testnet'), envelope)
    assert.equal(withSignatures(envelope, read.found, 'testnet'), signed)
  }
})

test('M-24 a signature that is nobody’s is counted, not believed: other network, other transaction, right hint', async () => {
  const envelope = text(v1(pay))
  const signed = signedBy(envelope, 'alice')
  assert.deepEqual((await signaturesOf(signed, 'public', [address('alice')])).found, [])
  assert.equal((await signaturesOf(signed, 'public', [address('alice')])).strange, 1)
  assert.equal((await signaturesOf(signed, 'testnet', [address('bob')])).strange, 1)
  const other = new Transaction(text(v1({ ...pay, sequence: 9n })), Networks.TESTNET)
  const stolen = toBase64(key('alice').sign(other.hash()))
  const forged = withSignatures(envelope, [{ signer: address('alice'), signature: stolen }], 'testnet')
  assert.deepEqual((await signaturesOf(forged, 'testnet', [address('alice')])).found, [])
  // Twice the same, by hand: the second is no other signer's.
  const [one] = (await signaturesOf(signed, 'testnet', [address('alice')])).found
  assert.ok(one)
  const twice = await signaturesOf(withSignatures(envelope, [one, one], 'testnet'), 'testnet', [address('alice')])
  assert.equal(twice.found.length, 1)
  assert.equal(twice.strange, 1)
})

test('M-24 CAP-40: signers by hash (X…) and by signed payload (P…) are found; T… and others are not', async () => {
  const envelope = text(v1(pay))
  const preimage = fromHex('00ff00ff') ?? new Uint8Array()
  const hashX = StrKey.encodeSha256Hash(sha256(preimage))
  for (const size of [1, 2, 3, 4, 5, 29, 64]) {
    const payload = Uint8Array.from({ length: size }, (_, at) => at + 1)
    const signedPayload = xdr.SignerKey.signerKeyTypeEd25519SignedPayload(
      new xdr.SignerKeyEd25519SignedPayload({ ed25519: key('dave').rawPublicKey(), payload }),
    ).toJson() as string
    const transaction = new Transaction(envelope, Networks.TESTNET)
    transaction.signHashX(preimage)
    transaction.addDecoratedSignature(key('dave').signPayloadDecorated(payload))
    const read = await signaturesOf(transaction.toEnvelope().toXdr('base64'), 'testnet', [
      StrKey.encodePreAuthTx(transaction.hash()),
      hashX,
      signedPayload,
    ])
    assert.deepEqual(
      read.found.map(({ signer }) => signer),
      [hashX, signedPayload],
      `${size} bytes`,
    )
    assert.equal(withSignatures(envelope, read.found, 'testnet'), transaction.toEnvelope().toXdr('base64'))
  }
  for (const odd of ['', 'GABC', address('alice').slice(1), 'constructor', StrKey.encodeContract(sha256(preimage))]) {
    await assert.rejects(signaturesOf(envelope, 'testnet', [odd]), invalid('candidates', /no G…/))
  }
})

test('M-24 the union: each signature once, the base first, what nobody knows is kept', async () => {
  const envelope = text(v1(pay, [fakeSignature('stranger')]))
  const [a, b, ab] = [signedBy(envelope, 'alice'), signedBy(envelope, 'bob'), signedBy(envelope, 'bob', 'alice')]
  assert.equal(mergeEnvelopes(envelope, [a, b, ab], 'testnet'), signedBy(envelope, 'alice', 'bob'))
  assert.equal(mergeEnvelopes(a, [], 'testnet'), a)
  assert.equal(mergeEnvelopes(ab, [a, b, envelope], 'testnet'), ab)
  const read = await signaturesOf(mergeEnvelopes(a, [b], 'testnet'), 'testnet', names.map(address))
  assert.equal(read.found.length, 2)
  assert.equal(read.strange, 1)
})

test('M-24 V0 and V1 are one transaction: the base keeps its spelling', () => {
  const [old, young] = [text(v0(pay)), text(v1(pay))]
  assert.equal(mergeEnvelopes(old, [signedBy(young, 'alice')], 'testnet'), signedBy(old, 'alice'))
  assert.equal(mergeEnvelopes(young, [signedBy(old, 'alice')], 'testnet'), signedBy(young, 'alice'))
})

test('M-24, M-21 another transaction is refused; of a fee bump that holds for inner signatures too', () => {
  const bump = (...innerSignatures: xdr.DecoratedSignature[]): string => text(feeBump(pay, { innerSignatures }))
  const pairs = [
    [text(v1(pay)), text(v1({ ...pay, sequence: 2n }))],
    [text(v1(pay)), text(v1({ ...pay, fee: 101 }))],
    [text(v1(pay)), bump()],
    [bump(), bump(fakeSignature('inner'))],
    [bump(), text(feeBump(pay, { fee: 401n }))],
  ] as const
  for (const [base, other] of pairs) {
    assert.throws(() => mergeEnvelopes(base, [base, other], 'testnet'), invalid('envelopes.1', /another transaction/))
  }
  assert.throws(() => mergeEnvelopes(text(v1(pay)), ['AAAA'], 'testnet'), invalid('envelopes.0', /./))
})

test('M-24 twenty signatures come together, twenty-one do not', () => {
  const some = (from: number, count: number) => Array.from({ length: count }, (_, at) => fakeSignature(`s${from + at}`))
  const full = text(v1(pay, some(0, 20)))
  assert.equal(mergeEnvelopes(text(v1(pay, some(0, 10))), [text(v1(pay, some(5, 15)))], 'testnet'), full)
  assert.equal(mergeEnvelopes(full, [full], 'testnet'), full)
  assert.throws(() => mergeEnvelopes(full, [text(v1(pay, some(20, 1)))], 'testnet'), invalid('signatures', /are 21/))
  assert.equal(withoutSignatures(full, 'testnet'), text(v1(pay)))
  const long = toBase64(new Uint8Array(65))
  for (const signature of [long, 'A', '====']) {
    const list = [{ signer: address('alice'), signature }]
    assert.throws(() => withSignatures(full, list, 'testnet'), invalid('signature', /base64/))
  }
})

test('M-24 partial signatures through attach: a bad one with our hint stays, twenty keys fit, one more does not', () => {
  const payload = (xdr: string) => stellar.parse({ type: 'stellar-transaction', xdr }, 'testnet')
  const attached = (xdr: string, who: Keypair): string => {
    const parsed = payload(xdr)
    return stellar.attach(parsed, who.rawPublicKey(), who.sign(parsed.hash))
  }
  const bad = new xdr.DecoratedSignature({ hint: key('alice').signatureHint(), signature: new Uint8Array(64) })
  const both = xdr.TransactionEnvelope.fromXdr(attached(text(v1(pay, [bad])), key('alice')), 'base64')
  assert.equal(both.value.signatures.length, 2)
  assert.deepEqual(both.value.signatures[0]?.toXdr(), bad.toXdr())
  const signers = Array.from({ length: 21 }, (_, at) => testKey(`signer ${at}`))
  let envelope = text(v1(pay))
  for (const signer of signers.slice(0, 20)) envelope = attached(envelope, signer)
  const transaction = new Transaction(text(v1(pay)), Networks.TESTNET)
  transaction.sign(...signers.slice(0, 20))
  assert.equal(envelope, transaction.toXdr())
  assert.throws(() => attached(envelope, signers[20] ?? key('bob')), invalid('xdr', /holds 20 signatures/))
})
