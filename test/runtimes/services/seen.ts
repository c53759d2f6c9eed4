/** What of an answer is the same each time it is asked for. */
import { verifySignature } from '../../../src/bytes/verify.ts'
import { isSignerError, SignerError } from '../../../src/domain/errors.ts'
import type { Call, EnvelopeProvider, KeyProvider, SignInput } from '../../../src/domain/provider.ts'
import { outcome } from '../report.ts'

/** The service's own ids of calls are new every time: that there was one is told, not which. */
export async function seen(run: () => unknown): Promise<unknown> {
  const told = (await outcome(run)) as { readonly detail?: { readonly requestId?: unknown } }
  if (told.detail?.requestId === undefined) return told
  return { ...told, detail: { ...told.detail, requestId: typeof told.detail.requestId } }
}

/** Signs, and tells whether the signature holds under `publicKey`; no signature of ours is needed to say that. */
export const verdict = (
  provider: KeyProvider,
  key: string,
  input: SignInput,
  publicKey: Uint8Array,
  call: Call,
): Promise<unknown> =>
  seen(async () => {
    const { signature } = await provider.sign(key, input, call)
    return (await verifySignature(input, publicKey, signature)) ? 'verifies' : 'does not verify'
  })

const ONE_ID = 'id-of-the-service'

/** The same provider with one id for all its calls, so that an audit log over it is the same each time. */
export function withFixedIds(provider: EnvelopeProvider): EnvelopeProvider {
  async function fixed<T extends { readonly providerRequestId?: string }>(asking: Promise<T>): Promise<T> {
    try {
      const answer = await asking
      return answer.providerRequestId === undefined ? answer : { ...answer, providerRequestId: ONE_ID }
    } catch (error) {
      if (!isSignerError(error) || !('requestId' in error.detail)) throw error
      throw new SignerError(error.code, { ...error.detail, requestId: ONE_ID })
    }
  }
  return {
    ...provider,
    sign: (...asked) => fixed(provider.sign(...asked)),
    unwrap: (...asked) => fixed(provider.unwrap(...asked)),
  }
}
