/** What we ask of an EVM network. Addresses are 0x… with the checksum of EIP-55, amounts are wei. */

export interface EvmBlock {
  readonly number: bigint
  /** 0x and 64 digits. */
  readonly hash: string
  /** Seconds since the epoch. */
  readonly time: bigint
  /** Wei for a unit of gas; absent before EIP-1559. */
  readonly baseFeeWei?: bigint
}

export type CallAnswer =
  | { readonly kind: 'returned'; readonly data: Uint8Array }
  /** The code ran and gave up. */
  | { readonly kind: 'reverted' }
  /** The node did not run it; the code of its error. */
  | { readonly kind: 'failed'; readonly code: number }

/** In wei for a unit of gas; `gasPriceWei` where the chain has no base fee. */
export type GasPrices =
  | { readonly maxFeePerGasWei: bigint; readonly maxPriorityFeePerGasWei: bigint }
  | { readonly gasPriceWei: bigint }

export interface EvmCall {
  readonly from: string
  readonly to: string
  readonly valueWei: bigint
  readonly data: Uint8Array
}

/** Everything about one block, except what waits to be in one. */
export interface EvmState {
  readonly block: EvmBlock
  balance(address: string): Promise<bigint>
  /** How many transactions the account has sent: the nonce of its next one. */
  sent(address: string): Promise<bigint>
  /** The same with those that the node knows and that are in no block yet. */
  sentWithPending(address: string): Promise<bigint>
  code(address: string): Promise<Uint8Array>
  /** Runs code without changing anything. */
  call(to: string, data: Uint8Array): Promise<CallAnswer>
  /** What it would use, as the node reckons. Undefined: it would give up, or the node does not say. */
  gas(call: EvmCall): Promise<bigint | undefined>
  /** What is paid now, with room for the base fee to double. */
  prices(): Promise<GasPrices>
  /** Whether the block is still one of the chain. */
  stands(): Promise<boolean>
}

export interface EvmNetwork {
  /** Our name of it. */
  readonly name: string
  readonly chainId: bigint
  /** Of the newest block. @throws `network/unavailable`, `network/malformed` as every question to it does */
  latest(signal: AbortSignal): Promise<EvmState>
}
