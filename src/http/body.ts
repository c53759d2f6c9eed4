import { gather } from '../bytes/gather.ts'
import { isSignerError, SignerError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports.ts'
import { beforeDeadline, BODY_DEADLINE_MS } from './arrival.ts'

const JSON_TYPE = /^application\/json(\s*;\s*charset=utf-8)?$/i

/** @throws `request/unsupported-media` */
export function requireJson(contentType: string | null): void {
  if (contentType !== null && JSON_TYPE.test(contentType)) return
  throw new SignerError('request/unsupported-media', { contentType: (contentType ?? 'none').slice(0, 100) })
}

/** Stops reading at the limit, whatever Content-Length says, and when the body does not come. @throws `request/too-large`, `request/malformed` */
export async function readBody(request: Request, limitBytes: number, clock: Pick<Clock, 'sleep'>): Promise<Uint8Array> {
  const tooLarge = () => new SignerError('request/too-large', { limitBytes })
  if (Number(request.headers.get('content-length') ?? 0) > limitBytes) throw tooLarge()
  if (request.body === null) return new Uint8Array()
  try {
    return await gather(beforeDeadline(request.body, { clock, ms: BODY_DEADLINE_MS }), limitBytes, tooLarge)
  } catch (cause) {
    if (isSignerError(cause)) throw cause
    const [reason, fix] = ['broke off before its end', 'send the whole body']
    throw new SignerError('request/malformed', { field: 'body', reason, fix }, { cause })
  }
}
