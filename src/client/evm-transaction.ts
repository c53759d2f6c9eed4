import { toHex } from './bytes.ts'
import { clientError } from './errors.ts'

export type Hex = `0x${string}`
type Count = number | bigint

interface SignatureParts {
  readonly r?: Hex | undefined
  readonly s?: Hex | undefined
  readonly v?: bigint | undefined
  readonly yParity?: number | undefined
}

/** EIP-7702, before it is signed. `contractAddress` is another name of `address`. */
export interface EvmTuple {
  readonly chainId: number
  readonly nonce: number
  readonly address?: Hex | undefined
  readonly contractAddress?: Hex | undefined
}

/** A blob as viem has it beside a transaction. */
export interface BlobSidecar {
  readonly blob: Hex
  readonly commitment: Hex
  readonly proof: Hex
}

/** The two functions of KZG that a blob needs (viem: `Kzg`). */
export interface Kzg {
  blobToKzgCommitment(blob: Uint8Array): Uint8Array
  computeBlobKzgProof(blob: Uint8Array, commitment: Uint8Array): Uint8Array
}

/** A transaction in viem's fields; without `type`, the fees say which one it is. */
export interface EvmTransaction extends SignatureParts {
  readonly type?: string | undefined
  readonly chainId?: number | undefined
  readonly nonce?: number | undefined
  readonly to?: Hex | null | undefined
  readonly value?: bigint | undefined
  readonly data?: Hex | undefined
  readonly gas?: bigint | undefined
  readonly gasPrice?: bigint | undefined
  readonly maxFeePerGas?: bigint | undefined
  readonly maxPriorityFeePerGas?: bigint | undefined
  readonly maxFeePerBlobGas?: bigint | undefined
  readonly accessList?: readonly { readonly address: Hex; readonly storageKeys: readonly Hex[] }[] | undefined
  readonly authorizationList?: readonly (EvmTuple & SignatureParts)[] | undefined
  readonly blobVersionedHashes?: readonly Hex[] | undefined
  readonly blobs?: readonly Hex[] | readonly Uint8Array[] | undefined
  readonly sidecars?: readonly BlobSidecar[] | false | undefined
  readonly kzg?: Kzg | undefined
}

/** Types of viem, in the order of EIP-2718. */
export const TYPES = ['legacy', 'eip2930', 'eip1559', 'eip4844', 'eip7702']

/** A quantity of JSON-RPC: no leading zeros, zero is 0x0. */
export function quantity(value: Count, field: string): Hex {
  const whole = typeof value === 'bigint' ? value >= 0n : Number.isSafeInteger(value) && value >= 0
  if (!whole) throw clientError('client/options', `${field} is not a whole number from 0 on`)
  return `0x${value.toString(16)}`
}

/**
 * A transaction in the fields of JSON-RPC, blobs left out: what is signed holds their hashes only, and they are large.
 * @throws `client/options` for a type of transaction that is no Ethereum standard
 */
export function transactionFields(transaction: EvmTransaction, blobVersionedHashes: readonly Hex[] | undefined) {
  const { chainId, to, data = '0x', accessList, authorizationList } = transaction
  const at = typeOf(transaction)
  return {
    type: quantity(at, 'type'),
    ...(chainId === undefined ? {} : { chainId: quantity(chainId, 'chainId') }),
    nonce: quantity(transaction.nonce ?? 0, 'nonce'),
    ...(to === undefined || to === null ? {} : { to }),
    value: quantity(transaction.value ?? 0n, 'value'),
    input: data,
    gas: quantity(transaction.gas ?? 0n, 'gas'),
    ...feesOf(transaction, at),
    ...(accessList === undefined ? {} : { accessList }),
    ...(blobVersionedHashes === undefined ? {} : { blobVersionedHashes }),
    ...(authorizationList === undefined ? {} : { authorizationList: authorizationList.map(tupleFields) }),
  }
}

/** Those of the type, zero where viem leaves them out; and those that are given though the type has none, to be refused. */
function feesOf(transaction: EvmTransaction, at: number) {
  const own =
    at < 2 ? ['gasPrice'] : ['maxFeePerGas', 'maxPriorityFeePerGas', ...(at === 3 ? ['maxFeePerBlobGas'] : [])]
  const fees: Record<string, Hex> = {}
  for (const fee of ['gasPrice', 'maxFeePerGas', 'maxPriorityFeePerGas', 'maxFeePerBlobGas'] as const) {
    const given = transaction[fee]
    if (given !== undefined || own.includes(fee)) fees[fee] = quantity(given ?? 0n, fee)
  }
  return fees
}

/** EIP-2718. */
function typeOf({ type, ...transaction }: EvmTransaction): number {
  const at = TYPES.indexOf(type ?? inferred(transaction))
  if (at < 0) throw clientError('client/options', `Cannot sign a transaction of type ${type}: use ${TYPES.join(', ')}`)
  return at
}

/** In the order in which viem looks. */
function inferred(transaction: EvmTransaction): string {
  const has = (...fields: readonly (keyof EvmTransaction)[]) => fields.some(field => transaction[field] !== undefined)
  if (has('authorizationList')) return 'eip7702'
  if (has('blobs', 'blobVersionedHashes', 'maxFeePerBlobGas', 'sidecars')) return 'eip4844'
  if (has('maxFeePerGas', 'maxPriorityFeePerGas')) return 'eip1559'
  if (has('gasPrice')) return has('accessList') ? 'eip2930' : 'legacy'
  throw clientError('client/options', 'Cannot tell the type of the transaction: give type, or its fees')
}

export function tupleAddress({ address, contractAddress }: EvmTuple): Hex {
  const given = contractAddress ?? address
  if (given === undefined) throw clientError('client/options', 'An authorization needs the address of the code')
  return given
}

function tupleFields(tuple: EvmTuple & SignatureParts, at: number) {
  const { r, s, v, yParity } = tuple
  const name = `authorizationList[${at}]`
  if (r === undefined || s === undefined) throw clientError('client/options', `${name} is not signed`)
  return {
    ...unsignedTuple(tuple, name),
    yParity: quantity(yParity ?? (v === 1n || v === 28n ? 1 : 0), `${name}.yParity`),
    r: trimmed(r),
    s: trimmed(s),
  }
}

export const unsignedTuple = (tuple: EvmTuple, name = 'authorization') => ({
  chainId: quantity(tuple.chainId, `${name}.chainId`),
  address: tupleAddress(tuple),
  nonce: quantity(tuple.nonce, `${name}.nonce`),
})

const trimmed = (word: Hex): Hex => `0x${BigInt(word).toString(16)}`

export const hexOf = (bytes: Uint8Array): Hex => `0x${toHex(bytes)}`
