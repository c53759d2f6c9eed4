/** One payment on testnet that its key has not signed yet. */
import { Account, Asset, Operation, type Transaction, TransactionBuilder } from '@stellar/stellar-sdk/base'
import { passphraseOf } from '../../src/chains/stellar/index.ts'
import { alice, bob } from '../fuzz/xdr-corpus.ts'

/** One lumen from alice to bob. @param maxTime seconds since the epoch; 0: for ever */
export const unsignedPayment = (sequence: string, maxTime: number): Transaction =>
  new TransactionBuilder(new Account(alice, sequence), {
    fee: '100',
    networkPassphrase: passphraseOf('testnet'),
    timebounds: { minTime: 0, maxTime },
  })
    .addOperation(Operation.payment({ destination: bob, asset: Asset.native(), amount: '1' }))
    .build()

export const hashOf = (transaction: Pick<Transaction, 'hash'>): string =>
  Buffer.from(transaction.hash()).toString('hex')
