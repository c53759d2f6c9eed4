import { identify } from './admit.ts'
import { randomId } from '../bytes/ids.ts'
import { parseStrictJson } from '../bytes/json.ts'
import type { AuditActor } from '../domain/audit.ts'
import { type AnySignerError, isSignerError, malformed } from '../domain/errors.ts'
import { KEY_NAME } from '../domain/key.ts'
import { earlyRefusal } from './records.ts'
import { readIdempotencyKey } from './request.ts'
import { sign } from './sign.ts'
import type { Asking, CallerLike, SignAnswer, SignDeps } from './types.ts'

export const BATCH_MAX = 64

export interface BatchRequest extends Asking {
  readonly body: Uint8Array
  readonly idempotencyKey: string | undefined
}

export type BatchResult = { readonly answer: SignAnswer } | { readonly refused: AnySignerError }

/**
 * Several signatures for one token and one proof. Each is a request of its own on the path: decided, counted, recorded and
 * answered by itself, in the order that was sent, so that what is counted is counted in that order. Nothing is all or
 * nothing: signatures cannot be taken back. Its idempotency key is the batch's with `/1`, `/2` … behind it, so a batch that
 * is sent again gives the same answers and signs what is missing.
 *
 * @throws as `sign` does before a payload is looked at, and `request/malformed`; then nothing was signed
 */
export async function signBatch<Caller extends CallerLike>(
  deps: SignDeps<Caller>,
  request: BatchRequest,
): Promise<readonly BatchResult[]> {
  const { caller, items, idempotencyKey } = await understandBatch(deps, request)
  const known: SignDeps<Caller> = { ...deps, authenticate: async () => caller }
  const results: BatchResult[] = []
  for (const [at, { key, payload }] of items.entries()) {
    const body = new TextEncoder().encode(JSON.stringify(payload))
    const one = { ...request, key, body, idempotencyKey: `${idempotencyKey}/${at + 1}` }
    results.push(
      await sign(known, one).then(
        answer => ({ answer }),
        error => ({ refused: isSignerError(error) ? error : deps.incident(error) }),
      ),
    )
  }
  return results
}

interface Item {
  readonly key: string
  readonly payload: object
}

async function understandBatch<Caller extends CallerLike>(deps: SignDeps<Caller>, request: BatchRequest) {
  let actor: AuditActor = { subject: 'unknown', peer: request.peer }
  try {
    const { caller, peer } = await identify(deps, request, found => {
      actor = found
    })
    try {
      const idempotencyKey = readIdempotencyKey(request.idempotencyKey, `/${BATCH_MAX}`.length)
      return { caller, idempotencyKey, items: readItems(request.body) }
    } catch (error) {
      await deps.gateway.admit(caller, peer, undefined) // otherwise its items are what is counted
      throw error
    }
  } catch (error) {
    const refusal = isSignerError(error) ? error : deps.incident(error)
    const about = { auditId: randomId(deps.random, 'a'), requestId: request.requestId, actor, operation: 'sign' }
    deps.recordRefusal(earlyRefusal({ ...about, key: '*' }, refusal))
    throw refusal
  }
}

const EXAMPLE = 'send {"requests":[{"key":"treasury","payload":{"type":"stellar-transaction","xdr":"…"}}]}'

function readItems(body: Uint8Array): readonly Item[] {
  const { requests, ...more } = objectOf(parseStrictJson(body), 'body')
  const [unknown] = Object.keys(more)
  if (unknown !== undefined) throw malformed(unknown.slice(0, 64), 'is not a field of a batch', EXAMPLE)
  if (!Array.isArray(requests) || requests.length === 0 || requests.length > BATCH_MAX) {
    throw malformed('requests', `is not a list of 1 to ${BATCH_MAX}`, EXAMPLE)
  }
  return requests.map((item: unknown, at) => {
    const path = `requests[${at}]`
    const { key, payload, ...rest } = objectOf(item, path)
    const [surplus] = Object.keys(rest)
    if (surplus !== undefined) throw malformed(`${path}.${surplus.slice(0, 64)}`, 'is not a field', EXAMPLE)
    if (typeof key !== 'string' || !KEY_NAME.test(key)) throw malformed(`${path}.key`, 'is not a key name', EXAMPLE)
    return { key, payload: objectOf(payload, `${path}.payload`) }
  })
}

function objectOf(value: unknown, field: string): Record<string, unknown> {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
  throw malformed(field, 'is not a JSON object', EXAMPLE)
}
