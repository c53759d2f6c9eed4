/**
 * Pays many people, each in a transaction of its own, with one token and one request:
 *
 *   bun examples/payout-batch.ts SEQUENCE PAYEE=AMOUNT…
 *
 * Reads COUNTERSIGN_URL and COUNTERSIGN_TOKEN; SEQUENCE is what the account of the key stands at. When policy refuses one of
 * them, nothing is signed. The same payouts have the same Idempotency-Key, so a run that was cut off can be started again.
 */
import { createHash } from 'node:crypto'
import { Account, Asset, BASE_FEE, Operation, TransactionBuilder } from '@stellar/stellar-sdk'
import { CountersignError, createCountersign } from 'countersign/client'

const { COUNTERSIGN_URL: url = '', COUNTERSIGN_TOKEN: token = '' } = process.env
const [sequence = '', ...payouts] = process.argv.slice(2)

const countersign = createCountersign({ url, token })
const { address, networkPassphrase } = await countersign.stellar('treasury')
const account = new Account(address, sequence) // each transaction takes the next number

const requests = payouts.map(payout => {
  const [destination = '', amount = ''] = payout.split('=')
  const transaction = new TransactionBuilder(account, {
    fee: BASE_FEE,
    networkPassphrase,
    timebounds: { minTime: 0, maxTime: 0 },
  })
    .addOperation(Operation.payment({ destination, asset: Asset.native(), amount }))
    .build()
  return { key: 'treasury', payload: { type: 'stellar-transaction', xdr: transaction.toXDR() } }
})
const idempotencyKey = createHash('sha256').update(JSON.stringify(requests)).digest('hex')
try {
  const results = await countersign.signBatch(requests, { idempotencyKey })
  for (const [at, result] of results.entries()) {
    console.log(payouts[at], 'answer' in result ? result.answer.signedXdr : result.problem.code)
  }
} catch (error) {
  if (!(error instanceof CountersignError) || error.code !== 'batch/refused') throw error
  for (const finding of error.problem['findings'] as { field: string; reason?: string }[]) {
    console.error(`${finding.field}: ${finding.reason}`)
  }
  process.exitCode = 1
}
