import { SignerError } from '../domain/errors.ts'
import {
  type Call,
  canEnvelope,
  type EnvelopeContext,
  type EnvelopeProvider,
  type KeyAdmin,
  type KeyProvider,
  type KeyRef,
} from '../domain/provider.ts'
import type { SecretBytes } from '../domain/secret.ts'

export interface WrapDeps {
  admin(name: string): Promise<KeyAdmin>
  /** Deadline and retries around one remote call. */
  call<T>(body: (call: Call) => Promise<T>): Promise<T>
}

/** @throws `key/unsupported` for a provider that wraps nothing */
export function envelopeOf(key: string, provider: KeyProvider, wanted = 'envelope'): EnvelopeProvider {
  if (canEnvelope(provider)) return provider
  throw new SignerError('key/unsupported', { key, wanted, reason: `${provider.name} does not wrap keys` })
}

export interface WrapAt {
  /** As it is configured. */
  readonly name: string
  readonly provider: EnvelopeProvider
  /** Absent: a new one, under this label. */
  readonly wrappingKey?: KeyRef | undefined
  readonly label: string
}

/** The seed under a wrapping key of the key service; it stays the caller's to wipe. */
export async function wrapAt(
  deps: WrapDeps,
  seed: SecretBytes,
  context: EnvelopeContext,
  { name, provider, wrappingKey, label }: WrapAt,
): Promise<{ readonly reference: KeyRef; readonly ciphertext: Uint8Array }> {
  const reference = wrappingKey ?? (await newWrappingKey(deps, name, label))
  return { reference, ciphertext: await deps.call(call => provider.wrap(reference, seed, context, call)) }
}

async function newWrappingKey(deps: WrapDeps, provider: string, label: string): Promise<KeyRef> {
  const admin = await deps.admin(provider)
  return deps.call(call => admin.createWrappingKey({ label }, call))
}
