/** One signer for every stellar-sdk there is. Compiled, never run: what does not fit does not compile. */
import { authorizeEntry, contract, type FeeBumpTransaction, type Transaction } from '@stellar/stellar-sdk'
import {
  authorizeEntry as authorize14,
  contract as contract14,
  type Transaction as Transaction14,
} from 'stellar-sdk-14'
import {
  authorizeEntry as authorize15,
  contract as contract15,
  type Transaction as Transaction15,
} from 'stellar-sdk-15'
import {
  authorizeEntry as authorize16,
  contract as contract16,
  type Transaction as Transaction16,
} from 'stellar-sdk-16'
import type { Countersign, StellarSigner } from '../../src/client/index.ts'

declare const countersign: Countersign
declare const signer: StellarSigner

/** The one line of user code: spread into the options of a client. */
export const clients = async () => {
  const own = { contractId: 'C…', rpcUrl: 'https://rpc.example', ...(await countersign.stellar('treasury')) }
  return [
    await contract14.Client.from(own),
    await contract15.Client.from(own),
    await contract16.Client.from(own),
    await contract.Client.from(own),
    await contract.Client.from({ ...own, signTransaction: signer, signAuthEntry: signer }),
  ]
}

/** What the SDK itself calls a signer, since 17; and the functions, since 14. */
signer satisfies contract.Signer
signer.signTransaction satisfies contract.SignTransaction
signer.signAuthEntry satisfies contract.SignAuthEntry
signer.signTransaction satisfies contract14.SignTransaction & contract15.SignTransaction & contract16.SignTransaction
signer.signAuthEntry satisfies contract14.SignAuthEntry & contract15.SignAuthEntry & contract16.SignAuthEntry

type Entry<F extends (...given: never[]) => unknown> = Parameters<F>[0]
export const authorized = (
  entries: [
    Entry<typeof authorize14>,
    Entry<typeof authorize15>,
    Entry<typeof authorize16>,
    Entry<typeof authorizeEntry>,
  ],
) => [
  authorize14(entries[0], signer.authorize, 100, 'passphrase'),
  authorize15(entries[1], signer.authorize, 100, 'passphrase'),
  authorize16(entries[2], signer.authorize, 100, 'passphrase'),
  authorizeEntry(entries[3], signer.authorize, 100, 'passphrase'),
]

export const signed = (
  transactions: [Transaction14, Transaction15, Transaction16, Transaction, FeeBumpTransaction],
): Promise<Transaction14 | Transaction15 | Transaction16 | Transaction | FeeBumpTransaction>[] =>
  transactions.map(each => signer.sign(each))

export const wrong = async () => {
  // @ts-expect-error a bare hash is no transaction
  await signer.sign({ hash: () => new Uint8Array(32) })
  // @ts-expect-error the network comes from the key, and is a text where it is named
  await signer.signTransaction('AAAA', { networkPassphrase: 1 })
  // @ts-expect-error nothing changes a signer
  signer.address = 'G…'
}

/** SEP-43, as wallets declare it (version 1.2.1). */
interface Sep43 {
  getAddress(params?: { path?: string }): Promise<{ address: string }>
  signTransaction(
    xdr: string,
    opts?: { networkPassphrase?: string; address?: string; path?: string },
  ): Promise<{ signedTxXdr: string; signerAddress?: string }>
  signAuthEntry(
    authEntry: string,
    opts?: { networkPassphrase?: string; address?: string; path?: string },
  ): Promise<{ signedAuthEntry: string; signerAddress?: string }>
  signMessage(
    message: string,
    opts?: { networkPassphrase?: string; address?: string; path?: string },
  ): Promise<{ signedMessage: string; signerAddress?: string }>
  getNetwork(): Promise<{ network: string; networkPassphrase: string }>
}
signer satisfies Sep43
