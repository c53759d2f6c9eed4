import { toHex } from '../../bytes/hex.ts'
import type { SlotClaim } from '../../domain/claims.ts'
import type { EvmTransactionView } from '../../domain/evm.ts'
import type { PayloadParser, Signatory } from '../../domain/payload.ts'
import { refuse } from '../refusal.ts'
import { NONCE_MAX } from './authorization.ts'
import { encode, encodeForNetwork, hashOf, signingHash } from './encode.ts'
import { fieldsOf } from './fields.ts'
import { transactionFromJson } from './json-transaction.ts'
import type { EvmTransaction } from './model.ts'
import { chainIdOf } from './networks.ts'
import { transactionFromRlp } from './rlp-transaction.ts'
import { recoverable } from './signature.ts'
import { describeTransaction, mostFee, transactionSentence } from './transaction-text.ts'

const FIELDS = new Set(['type', 'transaction', 'unsigned'])

/**
 * `{type: 'evm-transaction', transaction: {…}}` with the fields of JSON-RPC, or `{…, unsigned: '0x…'}` with the bytes of
 * the transaction before it is signed. Types 0 (with EIP-155) to 4. The chain and the account are the key's.
 * @throws `payload/invalid`
 * @see EIP-155, EIP-2718, EIP-2930, EIP-1559, EIP-4844, EIP-7594, EIP-7702; EIP-2681 for the nonce
 */
export const evmTransaction: PayloadParser = (payload, signatory) => {
  const transaction = parseTransaction(payload, signatory)
  const digest = signingHash(transaction)
  const view = viewOf(transaction, signatory)
  return {
    type: 'evm-transaction',
    input: { scheme: 'ecdsa-secp256k1', digest },
    hash: toHex(digest),
    sentence: transactionSentence(view),
    view,
    // Code for accounts has a permission of its own, whoever brings it to the chain.
    operations: transaction.type === 4 ? ['evm-transaction', 'evm-set-code'] : ['evm-transaction'],
    slot: () => slotOf(transaction, digest, view),
    describe: () => describeTransaction(transaction, view),
    attach: (publicKey, signature) => {
      const made = recoverable({ digest, signature, publicKey, address: signatory.address })
      return { signedTransaction: encodeForNetwork(transaction, made), evmSignature: made.text }
    },
  }
}

function parseTransaction(payload: Readonly<Record<string, unknown>>, signatory: Signatory): EvmTransaction {
  const { transaction, unsigned } = fieldsOf(payload, FIELDS, '', 'an evm-transaction')
  const own = chainIdOf(signatory.network)
  if (unsigned !== undefined) {
    if (transaction !== undefined) throw refuse('unsigned', 'stands beside transaction: send one of them')
    return transactionFromRlp(unsigned, own, (read, at) => checked(read, own, at))
  }
  const read = transactionFromJson(transaction, own)
  if (read.from !== undefined && read.from !== signatory.address) {
    throw refuse('transaction.from', `is ${read.from}; the account of the key is ${signatory.address}`)
  }
  return checked(read.transaction, own, 'transaction')
}

/** What no chain would run, and what is for another chain, whichever way it came. */
function checked(transaction: EvmTransaction, own: bigint, at: string): EvmTransaction {
  const { type, chainId, nonce, to, maxFeePerGas, maxPriorityFeePerGas, authorizationList } = transaction
  if (chainId !== own) throw refuse(`${at}.chainId`, `is ${chainId}; the key is pinned to chain ${own}`)
  if (nonce > NONCE_MAX) throw refuse(`${at}.nonce`, 'is above 2^64 - 2, which no account can have (EIP-2681)')
  if (maxPriorityFeePerGas > maxFeePerGas) {
    throw refuse(
      `${at}.maxPriorityFeePerGas`,
      `is ${maxPriorityFeePerGas}, which is above maxFeePerGas, ${maxFeePerGas}`,
    )
  }
  if (type > 2 && to === null) throw refuse(`${at}.to`, `is missing: a transaction of type ${type} creates no contract`)
  if (type === 4 && authorizationList.length === 0) {
    throw refuse(`${at}.authorizationList`, 'is empty: a transaction of type 4 has at least one authorization')
  }
  return transaction
}

const viewOf = (transaction: EvmTransaction, { network, address }: Signatory): EvmTransactionView => ({
  kind: 'evm-transaction',
  network,
  chainId: transaction.chainId,
  type: transaction.type,
  from: address,
  to: transaction.to,
  valueWei: transaction.value,
  nonce: transaction.nonce,
  gasLimit: transaction.gas,
  maxFeePerGasWei: transaction.maxFeePerGas,
  maxPriorityFeePerGasWei: transaction.maxPriorityFeePerGas,
  maxFeePerBlobGasWei: transaction.maxFeePerBlobGas,
  blobs: transaction.blobVersionedHashes.length,
  data: transaction.data,
  accessList: transaction.accessList.length,
  authorizations: transaction.authorizationList.map(({ chainId, address: code, nonce }) => ({
    chainId,
    address: code,
    nonce,
  })),
})

/**
 * The place that a transaction takes: the nonce of its account on its chain. What fills it is compared by the hash of the
 * transaction with every fee zero; the gas limit is part of what it does, since a call may act by the gas it has.
 *
 * `fee`: the most it may cost, gas and blobs. Gas limit and blobs being the same, a transaction that takes the place of
 * another costs more at most.
 */
function slotOf(transaction: EvmTransaction, digest: Uint8Array, view: EvmTransactionView): SlotClaim {
  const free = { ...transaction, maxFeePerGas: 0n, maxPriorityFeePerGas: 0n, maxFeePerBlobGas: 0n }
  return {
    slot: `${view.chainId}|${view.from}|${view.nonce}`,
    hash: toHex(digest),
    effects: toHex(hashOf(encode(free))),
    fee: mostFee(view),
  }
}
