import type { Hex } from 'viem'

/** A transaction before it is signed, of any type. What its type does not have is zero or empty. Hex in lower case. */
export interface EvmTransaction {
  /** EIP-2718. */
  readonly type: EvmType
  readonly chainId: bigint
  readonly nonce: bigint
  /** With the checksum of EIP-55; null creates a contract. */
  readonly to: Hex | null
  readonly value: bigint
  readonly data: Hex
  readonly gas: bigint
  /** `gasPrice` of types 0 and 1. */
  readonly maxFeePerGas: bigint
  /** As much as `maxFeePerGas` for types 0 and 1, which is how EIP-1559 reads them. */
  readonly maxPriorityFeePerGas: bigint
  readonly maxFeePerBlobGas: bigint
  readonly accessList: readonly AccessListEntry[]
  readonly blobVersionedHashes: readonly Hex[]
  readonly authorizationList: readonly SignedAuthorization[]
  /** The blobs themselves, which travel beside the transaction and are no part of what is signed. */
  readonly sidecar?: Sidecar
}

export type EvmType = 0 | 1 | 2 | 3 | 4

export interface AccessListEntry {
  readonly address: Hex
  readonly storageKeys: readonly Hex[]
}

/** What EIP-7702 has an account sign: it would run the code of `address`. */
export interface Authorization {
  /** 0: good on every chain. */
  readonly chainId: bigint
  readonly address: Hex
  readonly nonce: bigint
}

export interface SignedAuthorization extends Authorization {
  readonly yParity: 0 | 1
  /** 32 bytes each. */
  readonly r: Hex
  readonly s: Hex
}

/** EIP-4844: one proof a blob. EIP-7594 (`cells`): 128 proofs a blob, and a version in the wrapper. */
export interface Sidecar {
  readonly form: 'blobs' | 'cells'
  readonly blobs: readonly Hex[]
  readonly commitments: readonly Hex[]
  readonly proofs: readonly Hex[]
}
