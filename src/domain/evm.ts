/** EVM payloads as a human and a policy see them. Addresses are 0x… with the checksum of EIP-55, bytes are 0x… in lower case. */

export interface EvmAuthorizationView {
  /** 0: good on every chain (EIP-7702). */
  readonly chainId: bigint
  /** The code that the account would run. */
  readonly address: string
  readonly nonce: bigint
}

export interface EvmTransactionView {
  readonly kind: 'evm-transaction'
  /** Our name of the network. */
  readonly network: string
  readonly chainId: bigint
  /** EIP-2718: 0 legacy with EIP-155, 1 access list, 2 fee market, 3 blobs, 4 set code. */
  readonly type: 0 | 1 | 2 | 3 | 4
  readonly from: string
  /** Null creates a contract. */
  readonly to: string | null
  readonly valueWei: bigint
  readonly nonce: bigint
  readonly gasLimit: bigint
  /** The most a unit of gas may cost: `gasPrice` or `maxFeePerGas`. */
  readonly maxFeePerGasWei: bigint
  readonly maxPriorityFeePerGasWei: bigint
  readonly maxFeePerBlobGasWei: bigint
  readonly blobs: number
  readonly data: string
  readonly accessList: number
  readonly authorizations: readonly EvmAuthorizationView[]
}

/** EIP-7702: the account of the key would run this code. */
export interface EvmSetCodeView extends EvmAuthorizationView {
  readonly kind: 'evm-set-code'
  readonly network: string
}

/** EIP-712. */
export interface TypedDataView {
  readonly kind: 'typed-data'
  readonly network: string
  readonly domain: {
    readonly name?: string
    readonly version?: string
    readonly chainId?: bigint
    readonly verifyingContract?: string
    readonly salt?: string
  }
  readonly primaryType: string
  /** As given, checked against its types: integers as bigint, bytes and addresses as text. */
  readonly message: Readonly<Record<string, unknown>>
}

/** SEP-53 or EIP-191 (`personal_sign`). */
export interface MessageView {
  readonly kind: 'message'
  readonly network: string
  readonly form: 'sep-53' | 'eip-191'
  readonly bytes: Uint8Array
}

/** 32 bytes that somebody else hashed. Nobody can judge what they mean. */
export interface DigestView {
  readonly kind: 'raw-digest'
  readonly network: string
  readonly digest: string
}
