/**
 * A payment through a channel account, with the fee paid by the treasury: three signatures by two keys.
 *
 *   bun examples/channel-fee-bump.ts CHANNEL-SEQUENCE PAYEE AMOUNT
 *
 * The channel gives the sequence number, so many payments of one treasury can be on their way at once; the treasury gives
 * the money, and then bids for the whole. Reads COUNTERSIGN_URL and COUNTERSIGN_TOKEN; prints the envelope to submit.
 */
import { Account, Asset, BASE_FEE, Operation, TransactionBuilder } from '@stellar/stellar-sdk'
import { createCountersign } from 'countersign/client'

const { COUNTERSIGN_URL: url = '', COUNTERSIGN_TOKEN: token = '' } = process.env
const [sequence = '', destination = '', amount = ''] = process.argv.slice(2)

const countersign = createCountersign({ url, token })
const treasury = await countersign.stellar('treasury')
const channel = await countersign.stellar('channel-1')
const { networkPassphrase } = treasury

const payment = new TransactionBuilder(new Account(channel.address, sequence), { fee: BASE_FEE, networkPassphrase })
  .addOperation(Operation.payment({ source: treasury.address, destination, asset: Asset.native(), amount }))
  .setTimeout(60)
  .build()
// Both keys on one envelope, in one request: the channel for the sequence number, the treasury for the money.
const { signedXdr, results } = await countersign.cosign(['channel-1', 'treasury'], payment.toXDR())
for (const result of results) if ('problem' in result) throw new Error(`${result.key}: ${result.problem.code}`)

const inner = TransactionBuilder.fromXDR(signedXdr, networkPassphrase)
if ('innerTransaction' in inner) throw new TypeError('not the transaction that was signed')
const bump = TransactionBuilder.buildFeeBumpTransaction(
  treasury.address,
  String(Number(BASE_FEE) * 10),
  inner,
  networkPassphrase,
)
await treasury.sign(bump)
console.log(bump.toXDR())
