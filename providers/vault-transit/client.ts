import type { SignerError } from '../../src/domain/errors.ts'
import type { Call } from '../../src/domain/provider.ts'
import type { Secret, SecretBytes } from '../../src/domain/secret.ts'
import { isLoopback } from '../endpoint.ts'
import { orAborted, TransportError } from '../one-fetch.ts'
import type { ProviderWorld } from '../world.ts'
import type { VaultTransitConfig } from './config.ts'
import { type Held, openSession } from './session.ts'
import { type Failure, type Operation, toSignerError } from './translate.ts'
import { type Ask, type CallRecord, headersOf, type JsonObject, newRecord, type OpenRequester } from './wire.ts'

export interface Attempted {
  readonly output: JsonObject
  readonly providerRequestId?: string
  /** Decrypt only; whoever takes it wipes it. */
  readonly plaintext?: SecretBytes
}

export interface VaultClient {
  readonly name: string
  readonly mount: string
  /** True when the address is on this machine: an emulator, or a server whose protection nobody can tell. */
  readonly local: boolean
  /**
   * One attempt. A token that Vault no longer accepts is replaced by a login once, and the call repeated: a 403 means
   * that nothing was done. @throws SignerError only, by the table in translate.ts.
   */
  attempt(operation: Operation, ask: Ask, call: Call): Promise<Attempted>
  /** Everything there is to know of one exchange that changes nothing, with the session's token or without any. */
  look(ask: Ask, token: 'with token' | 'without token', call: Call, name?: Operation['name']): Promise<CallRecord>
  /** How a failed exchange would be told. */
  told(record: CallRecord): SignerError
  close(): void
}

export function openClient(config: VaultTransitConfig, world: ProviderWorld, open: OpenRequester): VaultClient {
  const { origin, hostname } = new URL(config.address)
  const name = config.name ?? config.kind
  const mount = config.mount ?? 'transit'
  const place = { address: origin, ...(config.namespace === undefined ? {} : { namespace: config.namespace }) }
  const request = open(place, (url, init) => world.fetch(url, init))
  let closed = false

  /** Never throws, and settles as soon as `signal` fires. */
  async function once(
    operation: Operation,
    ask: Ask,
    token: Secret | undefined,
    signal: AbortSignal,
  ): Promise<CallRecord> {
    const secrets = [...(ask.secrets ?? []), ...(token === undefined ? [] : [token])]
    const record = newRecord(operation, signal, secrets)
    try {
      if (closed || signal.aborted) throw new TransportError('not-sent', { cause: signal.reason })
      await orAborted(request(ask, headersOf(token), record), signal)
    } catch (error) {
      record.closed = true
      record.plaintext?.wipe()
      record.failure ??= signal.aborted
        ? new TransportError(record.sent ? 'aborted' : 'not-sent', { cause: error })
        : error
    }
    return record
  }

  const describe = (record: CallRecord): Failure => {
    const { operation, sent, status, requestId, retryAfterMs, answered, texts } = record
    return {
      provider: name,
      mount,
      operation,
      sent,
      answered,
      texts,
      error: record.failure ?? new Error('no answer'),
      ...(status === undefined ? {} : { status }),
      ...(requestId === undefined ? {} : { requestId }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    }
  }
  const session = openSession(config, world, once, describe)

  async function tokenFor(operation: Operation, signal: AbortSignal): Promise<Held> {
    try {
      if (closed || signal.aborted) throw new TransportError('not-sent', { cause: signal.reason })
      return await session.token(signal)
    } catch (error) {
      throw asSignerError(error, operation, signal)
    }
  }

  function asSignerError(error: unknown, operation: Operation, signal: AbortSignal): SignerError {
    if (!(error instanceof TransportError)) return error as SignerError
    return toSignerError(describe({ ...newRecord(operation, signal, []), failure: error }))
  }

  async function exchange(operation: Operation, ask: Ask, signal: AbortSignal): Promise<CallRecord> {
    const held = await tokenFor(operation, signal)
    const record = await once(operation, ask, held.token, signal)
    if (!(record.answered && record.status === 403)) return record
    let other: Held | undefined
    try {
      other = await session.instead(held, record.texts, signal)
    } catch (error) {
      throw asSignerError(error, operation, signal)
    }
    if (other === undefined) return record
    const again = await once(operation, ask, other.token, signal)
    if (again.answered && again.status === 403) session.inVain(again.texts)
    return again
  }

  return {
    name,
    mount,
    local: isLoopback(hostname),
    async attempt(operation, ask, { signal }) {
      const record = await exchange(operation, ask, signal)
      const { output, plaintext, requestId, failure } = record
      if (output === undefined || failure !== undefined) {
        record.closed = true
        plaintext?.wipe()
        throw toSignerError(describe(record))
      }
      return {
        output,
        ...(requestId === undefined ? {} : { providerRequestId: requestId }),
        ...(plaintext === undefined ? {} : { plaintext }),
      }
    },
    async look(ask, token, { signal }, name = 'Diagnose') {
      const operation: Operation = { name, kind: 'read' }
      return token === 'without token' ? once(operation, ask, undefined, signal) : exchange(operation, ask, signal)
    },
    told: record => toSignerError(describe(record)),
    close: () => {
      closed = true
      session.close()
    },
  }
}
