import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Keypair, StrKey, xdr } from '@stellar/stellar-sdk/base'
import { fromHex, toHex } from '../../../../src/bytes/hex.ts'
import { stellar } from '../../../../src/chains/stellar/index.ts'
import { isSignerError } from '../../../../src/domain/errors.ts'
import { parsePolicy } from '../../../../src/policy/index.ts'
import { feeBump, transaction, unmuxed, v0, v1 } from '../../../fuzz/xdr-corpus.ts'
import go from '../../../vectors/stellar/go-txnbuild.json' with { type: 'json' }
import rust from '../../../vectors/stellar/rs-stellar-xdr.json' with { type: 'json' }
import sep23 from '../../../vectors/stellar/sep-0023.json' with { type: 'json' }

const parse = (text: string) => stellar.parse({ type: 'stellar-transaction', xdr: text }, 'testnet')

for (const [name, text] of Object.entries(go.envelopes)) {
  test(`M-20 Go SDK, ${name}: its signature verifies over our hash, its key is the source`, () => {
    const parsed = parse(text)
    assert.equal(parsed.view.kind, 'transaction')
    assert.ok(parsed.view.kind === 'transaction' && parsed.envelope.type === 'envelopeTypeTxV0')
    const [held] = parsed.envelope.v0.signatures
    assert.ok(held !== undefined)
    const key = Keypair.fromPublicKey(parsed.view.source.address)
    assert.ok(key.verify(parsed.hash, held.signature.toBytes()))
    // The same signature again changes nothing: it is there already.
    assert.equal(stellar.attach(parsed, key.rawPublicKey(), held.signature.toBytes()), text)
  })
}

test('M-20, M-21 Rust implementation: hashes of V0, V1 and fee-bump', () => {
  const zeros = unmuxed(StrKey.encodeEd25519PublicKey(new Uint8Array(32)))
  const parts = (memo: string) => ({
    operations: [],
    source: zeros,
    sequence: 1n,
    memo: xdr.Memo.memoText(memo),
  })
  const hash = (envelope: xdr.TransactionEnvelope) => stellar.hash(parse(envelope.toXdr('base64')))
  const { hashes } = rust
  assert.equal(hash(v0(parts('v0'))), hashes.v0.hash)
  assert.equal(hash(v1(parts('v1'))), hashes.v1.hash)
  assert.equal(hash(v1(parts('inner'))), hashes.inner.hash)
  assert.equal(hash(feeBump(parts('inner'), { feeSource: zeros, fee: 200n })), hashes.feeBump.hash)
})

test('T27 SEP-23: valid strkeys, from key to text and in a view', () => {
  const key = fromHex(sep23.key)
  assert.ok(key !== undefined)
  assert.equal(stellar.address(key), sep23.valid.account)
  assert.equal(toHex(StrKey.decodeContract(sep23.valid.contract)), sep23.key)
  for (const [name, id] of [
    ['muxed0', 0n],
    ['muxed9223372036854775808', 1n << 63n],
  ] as const) {
    const source = xdr.MuxedAccount.keyTypeMuxedEd25519(new xdr.MuxedAccountMed25519({ id, ed25519: key }))
    assert.equal(source.toJson(), sep23.valid[name])
    const { view } = parse(v1({ operations: [], source }).toXdr('base64'))
    assert.deepEqual(view.kind === 'transaction' && view.source, { address: sep23.valid.account, muxedId: id })
  }
})

test('T27 SEP-23: an extra signer shows as its P… strkey', () => {
  const key = fromHex(sep23.key)
  assert.ok(key !== undefined)
  const payload = Uint8Array.from({ length: 29 }, (_, at) => at + 1)
  const signer = xdr.SignerKey.signerKeyTypeEd25519SignedPayload(
    new xdr.SignerKeyEd25519SignedPayload({ ed25519: key, payload }),
  )
  const cond = xdr.Preconditions.precondV2(
    new xdr.PreconditionsV2({
      timeBounds: null,
      ledgerBounds: null,
      minSeqNum: null,
      minSeqAge: 0n,
      minSeqLedgerGap: 0,
      extraSigners: [signer],
    }),
  )
  const { view } = parse(v1({ operations: [], cond }).toXdr('base64'))
  assert.deepEqual(view.kind === 'transaction' && view.preconditions.extraSigners, [sep23.valid.signedPayload29])
})

test('T27 SEP-23: no policy accepts an invalid strkey, nor a muxed one where an account is meant', () => {
  const refused = [...sep23.invalid, ...Object.values(sep23.valid).filter(text => !text.startsWith('G'))]
  for (const text of refused) {
    assert.throws(
      () => parsePolicy({ version: 1, sources: [text] }),
      error => isSignerError(error) && error.code === 'config/invalid',
      text,
    )
  }
  assert.ok(parsePolicy({ version: 1, sources: [sep23.valid.account] }))
})

test('address: 32 bytes only', () => {
  assert.throws(() => stellar.address(new Uint8Array(33)), RangeError)
})

test('M-20 what is signed is the hash itself, as an Ed25519 message', () => {
  const parsed = parse(v1({ operations: transaction({ operations: [] }).operations }).toXdr('base64'))
  const input = stellar.toSign(parsed)
  assert.ok(input.scheme === 'ed25519')
  assert.equal(toHex(input.message), stellar.hash(parsed))
})
