import type { Hex, TransactionSerializable, TransactionType } from 'viem'
import { fromRlp, serializeTransaction, toRlp } from 'viem/utils'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { type Digest32, digest32 } from '../../domain/brands.ts'
import { refuse } from '../refusal.ts'
import { bytesIn } from './fields.ts'
import type { EvmTransaction, EvmType, Sidecar } from './model.ts'

export interface EvmSignature {
  /** 32 bytes each. */
  readonly r: Hex
  readonly s: Hex
  readonly yParity: 0 | 1
}

const TYPES: Readonly<Record<EvmType, TransactionType>> = {
  0: 'legacy',
  1: 'eip2930',
  2: 'eip1559',
  3: 'eip4844',
  4: 'eip7702',
}

/** The transaction without its blobs: what is hashed, or with a signature what the chain keeps. */
export function encode(transaction: EvmTransaction, signature?: EvmSignature): Hex {
  try {
    return serializeTransaction(forViem(transaction), signature && signatureFor(transaction, signature))
  } catch (error) {
    // What viem will not encode was refused before; should it refuse more, that is the input's fault too.
    throw refuse('transaction', 'cannot be encoded', error)
  }
}

/** With its blobs, where it has any: the form in which a node takes it. */
export function encodeForNetwork(transaction: EvmTransaction, signature?: EvmSignature): Hex {
  const encoded = encode(transaction, signature)
  return transaction.sidecar === undefined ? encoded : wrap(encoded, transaction.sidecar)
}

/** What the signature covers: keccak-256 of the transaction without signature and blobs. */
export const signingHash = (transaction: EvmTransaction): Digest32 => hashOf(encode(transaction))

export const hashOf = (encoded: Hex): Digest32 => digest32(keccak_256(bytesIn(encoded)))

/** @see EIP-4844 "Networking"; EIP-7594 puts the version of the wrapper before the blobs. */
function wrap(encoded: Hex, { form, blobs, commitments, proofs }: Sidecar): Hex {
  const body = fromRlp(`0x${encoded.slice(4)}`)
  const version: Hex[] = form === 'cells' ? ['0x01'] : []
  return `0x03${toRlp([body, ...version, blobs, commitments, proofs]).slice(2)}`
}

/** What viem's types take for numbers, its encoder takes as integers of any size, and nothing is lost on the way. */
function forViem(transaction: EvmTransaction): TransactionSerializable {
  const { type, chainId, nonce, to, value, data, gas } = transaction
  const { maxFeePerGas, maxPriorityFeePerGas, maxFeePerBlobGas } = transaction
  const { accessList, blobVersionedHashes, authorizationList } = transaction
  const fees = type < 2 ? { gasPrice: maxFeePerGas } : { maxFeePerGas, maxPriorityFeePerGas }
  const fields = {
    type: TYPES[type],
    chainId,
    nonce,
    to,
    value,
    data,
    gas,
    ...fees,
    ...(type === 0 ? {} : { accessList }),
    ...(type === 3 ? { maxFeePerBlobGas, blobVersionedHashes } : {}),
    ...(type === 4 ? { authorizationList } : {}),
  }
  return fields as unknown as TransactionSerializable
}

/** Legacy transactions carry parity and chain in one number. @see EIP-155 */
function signatureFor({ type, chainId }: EvmTransaction, { r, s, yParity }: EvmSignature) {
  return type === 0 ? { r, s, v: 35n + 2n * chainId + BigInt(yParity) } : { r, s, yParity }
}
