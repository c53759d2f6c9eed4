import { SignerError } from '../domain/errors.ts'
import type { Binding } from '../domain/key.ts'
import type { KeyProvider, Signed, SignInput } from '../domain/provider.ts'
import type { Attempts } from './attempts.ts'

/**
 * The key service signs with the key that the binding's reference pins. What comes back is not verified here: the path
 * does that for every custody (`src/service/verify-after-sign.ts`).
 * @throws `key/unsupported` before any request, when the provider does not sign with this scheme
 * @throws `provider/*`, `signature/malformed`
 */
export async function signNatively(
  provider: KeyProvider,
  binding: Binding,
  input: SignInput,
  requestId: string,
  attempts: Attempts,
  withinMs?: number,
): Promise<Signed> {
  if (!provider.can.native.includes(input.scheme)) {
    const reason = `${provider.name} does not sign with this scheme itself`
    throw new SignerError('key/unsupported', { key: binding.key, wanted: input.scheme, reason })
  }
  return attempts({
    provider: provider.name,
    key: binding.reference,
    binding: binding.id,
    requestId,
    ...(withinMs === undefined ? {} : { withinMs }),
    effect: 'sign',
    run: call => provider.sign(binding.reference, input, call),
  })
}
