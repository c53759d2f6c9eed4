import { SignerError } from '../domain/errors.ts'

const made = new WeakSet<Error>()

/**
 * A call that we did not make. To the caller it is `provider/unavailable`: nothing was signed, and the same request may
 * come again. It is no word of the key service, so no breaker counts it, and no try follows it.
 */
export function shed(provider: string, reason: string, retryAfterMs: number): SignerError<'provider/unavailable'> {
  const wait = Math.max(1, Math.ceil(retryAfterMs))
  const error = new SignerError('provider/unavailable', {
    provider,
    reason: `not asked: ${reason}`,
    retryAfterMs: wait,
  })
  made.add(error)
  return error
}

export const isShed = (error: Error): boolean => made.has(error)
