import type { KeyVersion } from '../../domain/key.ts'
import type { PolicyDocument } from '../../policy/index.ts'
import type { SweepPayload } from './payloads.ts'

/** What to ask about besides what the policy names. Addresses with the checksum of EIP-55. */
export interface SweepWish {
  readonly tokens: readonly string[]
  /** Of every token. */
  readonly spenders: readonly string[]
  /** ERC-721 and ERC-1155: `spenders` are asked for as their operators too. */
  readonly collections: readonly string[]
  /** False: not what the policy names. */
  readonly policy: boolean
  /** The transactions that the old version has left to sign are wanted too. */
  readonly payloads?: boolean
}

/** In the order in which they are done: what stands in the way, what the new address needs, what the old one has given, what it has. */
export const SWEEP_KINDS = [
  'pending',
  'code',
  'new-code',
  'new-nonce',
  'gas',
  'grant',
  'role',
  'allowance',
  'permit2',
  'operator',
  'collection',
  'token',
  'native',
] as const
export type SweepKind = (typeof SWEEP_KINDS)[number]

export interface SweepItem {
  readonly kind: SweepKind
  readonly done: boolean
  readonly text: string
  readonly token?: string
  /** Or the operator of a collection. */
  readonly spender?: string
  readonly contract?: string
  /** Decimal, in the smallest unit: of the old address, or of the new one for `grant` and `gas`. */
  readonly amount?: string
  /** An allowance that no balance ever uses up. */
  readonly unlimited?: true
}

/** A question without an answer. It says nothing: least of all that there is nothing. */
export interface Unread {
  readonly contract: string
  readonly question: string
  readonly reason: string
}

export type SweepEnd = Pick<KeyVersion, 'version' | 'state' | 'address'>

export interface Sweep {
  readonly key: string
  readonly network: string
  /** Decimal. */
  readonly chainId: string
  /** All of it is said of this block, except what is pending. `number` decimal, `time` RFC 3339. */
  readonly block: { readonly number: string; readonly hash: string; readonly time: string }
  readonly from: SweepEnd
  readonly to: SweepEnd
  readonly items: readonly SweepItem[]
  readonly unread: readonly Unread[]
  /** What this list cannot know, and what to mind. */
  readonly notes: readonly string[]
  /** Allows what the old version has left to sign, role changes excepted. Absent: nothing. */
  readonly policy?: PolicyDocument
  /** Where they are wanted: the transactions, unsigned, in the order of their nonces. */
  readonly payloads?: readonly SweepPayload[]
}
