import type { SecretBytes } from '../../src/domain/secret.ts'
import { orAborted, TransportError } from '../one-fetch.ts'
import { CredentialError } from './credential-error.ts'
import type { Credentials } from './credentials.ts'
import type { CallRecord, HandlerOptions } from './handler.ts'
import { isExpiry, type Operation, toSignerError } from './translate.ts'

export interface Attempted<O> {
  readonly output: O
  readonly providerRequestId?: string
  /** Decrypt only; whoever takes it wipes it. */
  readonly plaintext?: SecretBytes
}

/** What `send` is given: the signal, and the record in which the wire leaves what it met. */
export type SendHandle = Required<Pick<HandlerOptions, 'record'>> & { readonly abortSignal: AbortSignal }

/**
 * One attempt, whatever the transport: nothing is retried twice, a caller can count, and every failure becomes a
 * SignerError by the table in translate.ts.
 */
export async function attempt<O>(
  { provider, credentials }: { provider: string; credentials: Credentials },
  operation: Operation,
  signal: AbortSignal,
  send: (handle: SendHandle) => Promise<O>,
): Promise<Attempted<O>> {
  const record: CallRecord = { operation, sent: false, answered: false, closed: false }
  try {
    if (signal.aborted) throw new TransportError('not-sent', { cause: signal.reason })
    const output = await orAborted(send({ abortSignal: signal, record }), signal)
    const { requestId, plaintext } = record
    return {
      output,
      ...(requestId === undefined ? {} : { providerRequestId: requestId }),
      ...(plaintext === undefined ? {} : { plaintext }),
    }
  } catch (caught) {
    record.closed = true
    record.plaintext?.wipe()
    const error = causeOf(record, caught, signal)
    // One attempt stays one request: whoever called tries again, within the same deadline and budget as for anything else.
    const renewed = record.answered && isExpiry(error) && credentials.giveUp(record.accessKeyId)
    throw toSignerError({ provider, ...record, renewed, error })
  }
}

/** Abortion outranks what the transport made of it; what the wire threw outranks how an SDK dressed it. */
function causeOf(record: CallRecord, caught: unknown, signal: AbortSignal): unknown {
  if (record.failure !== undefined) return record.failure
  if (caught instanceof TransportError || caught instanceof CredentialError || !signal.aborted) return caught
  return new TransportError(record.sent ? 'aborted' : 'not-sent', { cause: signal.reason })
}
