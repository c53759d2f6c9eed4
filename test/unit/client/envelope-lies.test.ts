/** An envelope that comes back is the one that was sent, with signatures put behind its own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Account, Asset, Keypair, Memo, Networks, Operation, TransactionBuilder } from '@stellar/stellar-sdk/base'
import { CountersignError, createCountersign } from '../../../src/client/index.ts'

const OURS = Keypair.fromRawEd25519Seed(new Uint8Array(32).fill(1))
const THEIRS = Keypair.fromRawEd25519Seed(new Uint8Array(32).fill(2))

function payment(amount: string, ...signers: readonly Keypair[]): string {
  const timebounds = { minTime: 0, maxTime: 2_000_000_000 }
  const source = new Account(OURS.publicKey(), '41')
  const transaction = new TransactionBuilder(source, { fee: '100', networkPassphrase: Networks.TESTNET, timebounds })
    .addOperation(Operation.payment({ destination: THEIRS.publicKey(), asset: Asset.native(), amount }))
    .addMemo(Memo.text('invoice 7'))
    .build()
  for (const each of signers) transaction.sign(each)
  return transaction.toXDR()
}

function bumped(fee: string, ...signers: readonly Keypair[]): string {
  const inner = TransactionBuilder.fromXDR(payment('1', OURS), Networks.TESTNET)
  assert.ok(!('innerTransaction' in inner))
  const bump = TransactionBuilder.buildFeeBumpTransaction(OURS.publicKey(), fee, inner, Networks.TESTNET)
  for (const each of signers) bump.sign(each)
  return bump.toXDR()
}

/** A service that answers every request with this envelope. */
function serviceWith(signedXdr: string) {
  const answer = {
    ...{ signature: 'AA==', publicKey: 'AA==', address: OURS.publicKey(), hash: '00', requestId: 'r_1', signedXdr },
    results: [],
  }
  const fetch = async () => Response.json(answer)
  return createCountersign({ url: 'https://sign.example', token: 'token', fetch })
}

const flipped = (xdr: string, at: number): string => {
  const bytes = Buffer.from(xdr, 'base64')
  bytes[bytes.length - 1 - at]! ^= 1
  return bytes.toString('base64')
}
const longer = (xdr: string, bytes: number): string =>
  Buffer.concat([Buffer.from(xdr, 'base64'), new Uint8Array(bytes)]).toString('base64')

const CASES: readonly (readonly [what: string, sent: string, signed: string, good: boolean])[] = [
  ['signed', payment('1'), payment('1', OURS), true],
  ['signed already', payment('1', OURS), payment('1', OURS), true],
  ['one more signature', payment('1', THEIRS), payment('1', THEIRS, OURS), true],
  ['two more signatures', payment('1'), payment('1', THEIRS, OURS), true],
  ['a fee bump', bumped('1000'), bumped('1000', OURS), true],
  ['another amount', payment('1'), payment('2', OURS), false],
  ['another amount, unsigned', payment('1'), payment('2'), false],
  ['a fee bump of another fee', bumped('1000'), bumped('1001', OURS), false],
  ['the signature of another lost', payment('1', THEIRS), payment('1', OURS), false],
  ['a signature of another changed', payment('1', THEIRS), flipped(payment('1', THEIRS, OURS), 80), false],
  ['a fee bump instead', payment('1'), bumped('1000', OURS), false],
  ['bytes behind its end', payment('1'), longer(payment('1', OURS), 72), false],
  ['no signatures, but bytes', payment('1'), longer(payment('1'), 72), false],
  ['nothing', payment('1'), '', false],
  ['no base64', payment('1'), '%%%%', false],
]

test('M-25 an envelope that comes back from the service is the one that was sent, or an error', async () => {
  for (const [what, sent, signed, good] of CASES) {
    const countersign = serviceWith(signed)
    const signer = await countersign.stellar('k', { address: OURS.publicKey(), network: 'testnet' })
    const { signedTxXdr, error } = await signer.signTransaction(sent)
    assert.deepEqual([signedTxXdr, error?.code], good ? [signed, undefined] : ['', -1], what)
    const cosigned = await countersign.cosign(['k'], sent).then(
      ({ signedXdr }) => signedXdr,
      (thrown: unknown) => (thrown instanceof CountersignError ? thrown.code : String(thrown)),
    )
    assert.equal(cosigned, good ? signed : 'client/answer', what)
  }
})
