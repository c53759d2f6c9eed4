import type { EnvelopeContext, KeyRef, Scheme } from './provider.ts'

export type Chain = 'stellar' | 'evm'
/** The one scheme that keys of a chain sign with. */
export const SCHEME_OF: Readonly<Record<Chain, Scheme>> = { stellar: 'ed25519', evm: 'ecdsa-secp256k1' }
/** `native`: the service signs. `envelope`: the service decrypts the key for one call, we sign and wipe. */
export type Custody = 'native' | 'envelope'
/** `quarantined`: the key service or the registry gave a wrong answer about it; an operator looks, then restores it. */
export const VERSION_STATES = [
  'pending',
  'active',
  'overlap',
  'quarantined',
  'retired',
  'destroyed',
  'revoked',
] as const
export type VersionState = (typeof VERSION_STATES)[number]

/** How a key may be called: what stands in paths, scopes and records. */
export const KEY_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/

/** What a caller names: one chain, one network, one policy, one or more versions. */
export interface Key {
  readonly name: string
  readonly chain: Chain
  /** Our name of the network (`testnet`, `public`, …); the passphrase or chain id comes from the chain module. */
  readonly network: string
  /** Policy document as canonical JSON text, and its SHA-256 in hex. */
  readonly policy: string
  readonly policyHash: string
  readonly createdAt: number
}

/** One public key of a key; its address never changes. */
export interface KeyVersion {
  readonly key: string
  readonly version: number
  readonly scheme: Scheme
  /** The pin: 32 bytes (Ed25519) or 65 bytes (secp256k1). */
  readonly publicKey: Uint8Array
  /** The public key as people write it: G… or 0x…. Who signs. */
  readonly address: string
  /**
   * The account it signs for: its own address, unless told. A Stellar account stays when its key changes, so versions of a key
   * share one; of an EVM key it is always the address.
   */
  readonly account: string
  readonly state: VersionState
}

/** Where a version lives. */
export interface Binding {
  readonly id: string
  readonly key: string
  readonly version: number
  readonly provider: string
  readonly custody: Custody
  /** Native: the signing key. Envelope: the wrapping key. */
  readonly reference: KeyRef
  /** Why no flag may send a signature here: in shadow it answered wrongly. Until an operator restores it. */
  readonly suspended?: string
}

/** The encrypted key of an envelope binding. Read once for every signature, never cached. */
export interface EnvelopeRow {
  readonly bindingId: string
  readonly ciphertext: Uint8Array
  readonly context: EnvelopeContext
}

const REPLACED = 'replaced by '

/** Why a binding is suspended whose place another one took: it signs no more, and waits to be removed. */
export const replacedBy = (id: string): string => `${REPLACED}${id}`

/** The id of the binding that took the place of this one. */
export const successorOf = ({ suspended }: Pick<Binding, 'suspended'>): string | undefined =>
  suspended?.startsWith(REPLACED) === true ? suspended.slice(REPLACED.length) : undefined

export interface ResolvedKey {
  readonly key: Key
  readonly version: KeyVersion
  readonly bindings: readonly Binding[]
}

/**
 * When a version came into its states, in milliseconds since the epoch. Absent: it has not. One that may sign again
 * (restored, or taken back out of retirement) has no time of an end any more.
 */
export interface VersionTimes {
  readonly createdAt: number
  /** The first time that it might sign: active or overlap. */
  readonly activeFrom?: number
  /** When another version took its place beside it. */
  readonly overlapFrom?: number
  readonly retiredAt?: number
  readonly destroyedAt?: number
  readonly revokedAt?: number
}

/** A version with its past: for those who verify, and for the life of a key. */
export interface DatedVersion extends ResolvedKey {
  readonly times: VersionTimes
}

/** The states in which a version may sign (invariant I5). */
export const maySign = (state: VersionState): boolean => state === 'active' || state === 'overlap'
