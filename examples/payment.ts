/** Prints an unsigned payment of XLM on the test network: bun examples/payment.ts SOURCE DESTINATION AMOUNT SEQUENCE */
import { Account, Asset, BASE_FEE, Networks, Operation, TransactionBuilder } from '@stellar/stellar-sdk'

const [source = '', destination = '', amount = '', sequence = ''] = process.argv.slice(2)
// The builder adds one to the sequence number the account has.
const account = new Account(source, String(BigInt(sequence) - 1n))
const transaction = new TransactionBuilder(account, { fee: BASE_FEE, networkPassphrase: Networks.TESTNET })
  .addOperation(Operation.payment({ destination, asset: Asset.native(), amount }))
  .setTimeout(300)
  .build()
console.log(transaction.toXDR())
