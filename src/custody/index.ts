import { isSignerError, SignerError } from '../domain/errors.ts'
import type { Binding, EnvelopeRow, ResolvedKey } from '../domain/key.ts'
import type { KeyProvider, Signed, SignInput } from '../domain/provider.ts'
import type { Attempts } from './attempts.ts'
import type { Engines } from './engines/index.ts'
import { signByEnvelope } from './envelope.ts'
import { signNatively } from './native.ts'

export { type Attempts, type AttemptsOptions, createAttempts } from './attempts.ts'
export type { BreakerChange } from './breaker.ts'
export { contextFault, contextFor } from './context.ts'
export { createEngines, type EngineCapability, type Engines, type SeedEngine } from './engines/index.ts'
export { createResilience, type Resilience } from './resilience.ts'
export { openPassphraseRow } from './passphrase-row.ts'
export { openSeed } from './seed.ts'

export interface CustodyDeps {
  /** By the name that bindings carry. @throws `key/unsupported` when this installation does not have it */
  readonly provider: (name: string) => Promise<KeyProvider>
  readonly readRow: (bindingId: string) => Promise<EnvelopeRow | undefined>
  readonly engines: Engines
  readonly attempts: Attempts
  /** For measurement: `EnvelopeDeps`. */
  readonly keyOpened?: (() => () => void) | undefined
}

/** @param withinMs less time than the deadline of all calls, when other bindings were asked before this one */
export type Custody = (
  key: ResolvedKey,
  binding: Binding,
  input: SignInput,
  requestId: string,
  withinMs?: number,
) => Promise<Signed>

/** Signs where the binding says the key lives. The caller verifies. */
export const createCustody =
  (deps: CustodyDeps): Custody =>
  async (key, binding, input, requestId, withinMs) => {
    try {
      return await signWhereItLives(deps, key, binding, input, requestId, withinMs)
    } catch (error) {
      throw underOurName(error, binding)
    }
  }

async function signWhereItLives(
  deps: CustodyDeps,
  { key, version }: ResolvedKey,
  binding: Binding,
  input: SignInput,
  requestId: string,
  withinMs?: number,
): Promise<Signed> {
  const provider = await deps.provider(binding.provider)
  switch (binding.custody) {
    case 'native':
      return signNatively(provider, binding, input, requestId, deps.attempts, withinMs)
    case 'envelope':
      return signByEnvelope(
        { version, network: key.network, binding, input, requestId, ...(withinMs === undefined ? {} : { withinMs }) },
        { ...deps, provider },
      )
    default:
      binding.custody satisfies never
      throw new SignerError('key/unsupported', {
        key: binding.key,
        wanted: String(binding.custody),
        reason: 'this custody is not known',
      })
  }
}

/** Providers name a key by their own reference. Callers know it by our name, and a reference may hold an account number. */
function underOurName(error: unknown, { key }: Binding): unknown {
  if (!isSignerError(error)) return error
  switch (error.code) {
    case 'key/mismatch':
      return new SignerError(error.code, { ...error.detail, key }, { cause: error })
    case 'key/unsupported':
      return new SignerError(error.code, { ...error.detail, key }, { cause: error })
    default:
      return error
  }
}
