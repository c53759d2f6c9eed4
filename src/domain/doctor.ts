import type { Call, EnvelopeContext, KeyRef, Scheme } from './provider.ts'

/** What a key is used for; decides which rights are needed. `wrap` is for operators who import keys. */
export const KEY_USES = ['sign', 'unwrap', 'wrap'] as const
export type KeyUse = (typeof KEY_USES)[number]

export interface Patient {
  /** In the provider's own form; the pinned reference of a binding, or what an operator typed. */
  readonly reference: KeyRef
  readonly use: KeyUse
  /** What the binding says, when there is one. */
  readonly scheme?: Scheme
  /** `unwrap` and `wrap`: the context of a row that is there, since rights may hold for such contexts alone. */
  readonly context?: EnvelopeContext
}

/**
 * `reachable`: name, connection, TLS. `clock`: difference between our clock and the service's. `credentials`: who we are to
 * the service. `key`: it exists, and its kind, usage and state fit. `permission`: one right. `latency`: a sample.
 */
export const CHECKS = ['configuration', 'reachable', 'clock', 'credentials', 'key', 'permission', 'latency'] as const
export type CheckName = (typeof CHECKS)[number]

/** One line of a diagnosis. Operators read it: it may name accounts and keys, never a secret. */
export interface Finding {
  readonly check: CheckName
  /** `skipped`: could not be asked, because of an earlier failure or because the service has no way to ask; `meaning` says why. */
  readonly outcome: 'ok' | 'failed' | 'warning' | 'skipped'
  /** The key it is about, when it is about one. */
  readonly reference?: KeyRef
  /** `permission` only, as the service writes it: `kms:Sign`, `cloudkms.cryptoKeyVersions.useToSign`, `update transit/sign/treasury`. */
  readonly permission?: string
  /** The service's own error: its code or name, and its text. */
  readonly vendorError?: string
  /** What that means, in one sentence. Always there unless the outcome is `ok`. */
  readonly meaning?: string
  /** What to do about it, exact enough to copy. Always there when the outcome is `failed`. */
  readonly fix?: string
  /** Measured or read: `{ offsetMs: 3 }`, `{ p50Ms: 2.1, samples: 5 }`, `{ identity: 'arn:…' }`, `{ scheme, protection, state }`. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>
}

/**
 * Examines what a provider was configured with and changes nothing: no signature leaves it, no key is made. Where the
 * service has a dry run it is used; where it can only be asked by doing, a harmless call is made and its answer thrown away.
 */
export interface Doctor {
  /** Findings as they come, in the order of `CHECKS`. Never throws for what a service says; that is a finding. */
  examine(patients: readonly Patient[], call: Call): AsyncIterable<Finding>
  close(): Promise<void>
}
