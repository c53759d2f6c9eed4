import type { Digest32, Signature64 } from './brands.ts'
import type { SecretBytes } from './secret.ts'

/** Our names for what a key can do; providers translate to and from their vendor's spelling. */
export const SCHEMES = ['ed25519', 'ecdsa-secp256k1'] as const
export type Scheme = (typeof SCHEMES)[number]

/** What is signed is said in the type: Ed25519 takes a message, secp256k1 a digest that is never hashed again. */
export type SignInput =
  | { readonly scheme: 'ed25519'; readonly message: Uint8Array } // Stellar: the 32-byte transaction hash IS the message
  | { readonly scheme: 'ecdsa-secp256k1'; readonly digest: Digest32 } // EVM: keccak-256, made by the chain module

/** A provider's own name for a key, pinned to one version: an ARN, a resource name with version, `name@version`. */
export type KeyRef = string

/** One attempt at a remote call. Deadlines and retries belong to the caller (`src/custody/attempts.ts`). */
export interface Call {
  /** Ours; sent along where the service takes one, so that logs can be joined. */
  readonly requestId: string
  /** Aborts at the total deadline. A provider stops waiting at once and throws `provider/ambiguous` or `provider/unavailable`. */
  readonly signal: AbortSignal
}

export interface KeyFacts {
  /** The reference to pin: never an alias, never "latest". */
  readonly reference: KeyRef
  readonly scheme: Scheme
  /** Ed25519: 32 bytes. secp256k1: 65 bytes, uncompressed, leading 04. */
  readonly publicKey: Uint8Array
  readonly protection: 'hsm' | 'software' | 'unknown'
}

export interface Signed {
  /** R‖S or r‖s (low s), whatever the wire said. Not yet verified: the service does that. */
  readonly signature: Signature64
  /** The service's own id of the call, for reconciliation with its log. */
  readonly providerRequestId?: string
}

/** What a provider can do, as data; frozen, and read before any method is called. */
export interface Capabilities {
  /** Schemes the service signs itself. */
  readonly native: readonly Scheme[]
  /** True when `wrap` and `unwrap` work: the service keeps a wrapping key and opens our ciphertext for one call. */
  readonly envelope: boolean
  readonly rotation: 'in-place' | 'new-key' | 'none'
  /** Providers that hold keys in this process are for development and can never be reached in production. */
  readonly production: boolean
}

/**
 * A key service, as the data plane sees it. One attempt a call, no retry, no cache of secrets.
 *
 * Every method throws only `SignerError` with a `provider/*`, `envelope/*`, `key/*` or `signature/malformed` code:
 * `provider/unavailable` when nothing was signed and a retry may work (throttled, refused connection, 5xx, timeout of a
 * read), `provider/ambiguous` when a sign request left and no answer came, `provider/refused` on permission, unknown or
 * disabled key, `provider/malformed` on an answer of the wrong shape.
 */
export interface KeyProvider {
  readonly name: string
  readonly can: Capabilities
  describe(key: KeyRef, call: Call): Promise<KeyFacts>
  /** @throws `key/unsupported` when `can.native` lacks the scheme, before any request is sent. */
  sign(key: KeyRef, input: SignInput, call: Call): Promise<Signed>
  close(): Promise<void>
}

/** Bound into the ciphertext as associated data; every entry must match at `unwrap`. In clear in the vendor's log. */
export type EnvelopeContext = Readonly<Record<string, string>>

export interface Unwrapped {
  /** The caller wipes it. */
  readonly plaintext: SecretBytes
  readonly providerRequestId?: string
}

export interface EnvelopeProvider extends KeyProvider {
  wrap(wrappingKey: KeyRef, plaintext: SecretBytes, context: EnvelopeContext, call: Call): Promise<Uint8Array>
  /** @throws `envelope/unreadable` when ciphertext, context and wrapping key do not belong together. */
  unwrap(wrappingKey: KeyRef, ciphertext: Uint8Array, context: EnvelopeContext, call: Call): Promise<Unwrapped>
}

/**
 * How a private key travels into a service: under a fresh AES-256 key (RFC 5649) that travels under the service's RSA key
 * (RSAES-OAEP with SHA-256), or under the RSA key itself.
 */
export type ImportWrap = 'rsa-aes' | 'rsa-oaep'

export interface ImportKey {
  readonly scheme: Scheme
  readonly label: string
  /** Ed25519 seed or secp256k1 scalar, 32 bytes. Stays the caller's to wipe. */
  readonly key: SecretBytes
  /** What the key gives, derived by an engine that wipes; in the form of `KeyFacts`. The service must come to the same. */
  readonly publicKey: Uint8Array
  /** Default `rsa-aes`, which every service takes. */
  readonly wrap?: ImportWrap
}

export interface Destruction {
  /** When the key will be gone, in milliseconds since the epoch, as the service says; absent: it is gone already. */
  readonly at?: number
  /** The service knows no such key: it is gone already, or never was there, which no service tells apart. */
  readonly absent?: true
}

/** Control plane only; the data plane never imports it. */
export interface KeyAdmin {
  /** Makes a signing key in the service. */
  create(options: { scheme: Scheme; label: string }, call: Call): Promise<KeyFacts>
  /** Makes a wrapping key for envelope custody and returns its reference. */
  createWrappingKey(options: { label: string }, call: Call): Promise<KeyRef>
  /**
   * Brings a private key into the service as a key that signs there. It leaves this process wrapped to the service's own
   * import key and never in clear. When anything fails on the way, what was made by then is scheduled for destruction before
   * the error is thrown, also when `call` is over; where even that fails, the error names what is left.
   * @throws `key/mismatch` when the service comes to another public key than `publicKey`, or keeps the key otherwise than asked
   * @throws `key/unsupported` for a scheme or wrapping that the service does not take, before anything is sent
   */
  importKey(options: ImportKey, call: Call): Promise<KeyFacts>
  /**
   * The service signs no more with this version until `enable`. Says nothing about versions that are not named: what cannot
   * be stopped alone is not stopped. Repeating it does no harm.
   * @param reference pinned, as `describe` returns it
   * @throws `key/unsupported` where the service has no such state
   */
  disable(reference: KeyRef, call: Call): Promise<void>
  /** Takes `disable` back. @throws as `disable` */
  enable(reference: KeyRef, call: Call): Promise<void>
  /** The longest wait before a destruction that the service grants, in days. */
  readonly waitDaysMax: number
  /**
   * Gives the private key up. It signs no more from now on and is gone after some days, in which an administrator of the
   * service can still take it back with the service's own tools. Repeating it does no harm: a key that waits keeps its day.
   * @param days not sooner than that; 0: at once will do
   * @throws `key/unsupported` where the service would not wait, or not wait that long
   */
  scheduleDestroy(reference: KeyRef, options: { days: number }, call: Call): Promise<Destruction>
}

export const canEnvelope = (provider: KeyProvider): provider is EnvelopeProvider => provider.can.envelope
