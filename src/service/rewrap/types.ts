import type { AnySignerError } from '../../domain/errors.ts'
import type { KeyRef, Scheme } from '../../domain/provider.ts'
import type { SecretBytes } from '../../domain/secret.ts'
import type { RegisterDeps } from '../register.ts'

/**
 * Re-wrap: the same key and address under another wrapping key, or at another key service.
 *
 * A signature under way has resolved its binding and reads the row a moment later, so a row must never change under the
 * id of a binding: the new wrapping key's ciphertext would be sent to the old wrapping key, whose answer would look like
 * that of a damaged row and put the key into quarantine. So the new row has a binding of its own. At one stroke that
 * binding takes the place of the old one; whoever comes now is signed for through it, and whoever came before still finds
 * the old row. The old row goes when those have ended, after the new one has signed a challenge as it is stored.
 *
 * Where it stands is read from the registry alone: not begun, replaced (the old binding names its successor), removed.
 */
export interface RewrapDeps extends RegisterDeps {
  /** The seed in any of its forms. Takes the bytes and wipes them. @throws `request/malformed` for what is no seed */
  seedOf(plaintext: Uint8Array, label: string, scheme: Scheme): SecretBytes
  /** Resolves when every signature that is under way now has ended, wherever it runs; earlier only when the run is stopped. */
  settle(signal?: AbortSignal): Promise<void>
}

export interface RewrapJob {
  /** Absent: all keys. */
  readonly name?: string
  readonly provider: string
  readonly wrappingKey: KeyRef
  /** Only what is wrapped there. */
  readonly fromProvider?: string
}

export interface RewrapProgress {
  /** Versions of keys with a wrapped seed. */
  readonly rows: number
  readonly done: number
  /** Served by the new binding, the old one not yet removed. */
  readonly replaced: number
  readonly rewrapped: number
  readonly present: number
  readonly failed: number
}

export interface RewrapOptions {
  readonly dryRun: boolean
  /** Ends the run after the row that is under way. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: RewrapProgress) => void
}

export interface RewrapProblem {
  readonly key: string
  readonly version: number
  readonly error: AnySignerError
}

export interface RewrapReport {
  readonly rows: number
  /** Nothing was written; `rewrapped` counts what would be. */
  readonly dryRun: boolean
  readonly rewrapped: number
  /** Wrapped there already. */
  readonly present: number
  readonly failed: readonly RewrapProblem[]
  /** Why it ended before the last row. What is not counted above is as it was, or replaced and not removed: run it again. */
  readonly stopped?: string
}
