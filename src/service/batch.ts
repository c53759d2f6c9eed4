import { parseStrictJson } from '../bytes/json.ts'
import { KEY_NAME } from '../domain/key.ts'
import { malformed } from '../domain/errors.ts'
import { leaveTogether } from './release.ts'
import { objectOf } from './request.ts'
import { arrive, judgeTogether, type Signature, signTogether, type TogetherRequest, type Wanted } from './together.ts'
import type { CallerLike, SignDeps } from './types.ts'

export const BATCH_MAX = 64

export type BatchRequest = TogetherRequest
export type BatchResult = Signature

/**
 * Several signatures for one token and one proof, for keys of one network. All or nothing in judgement: unless every one
 * may be signed, none is. Per item in the result: each is a request of its own on the path, claimed, recorded and answered
 * by itself, in the order that was sent. Its idempotency key is the batch's with `/1`, `/2` … behind it, so a batch that is
 * sent again gives the same answers and signs what is missing.
 *
 * @throws as `sign` does before a payload is looked at, `request/malformed`, `batch/refused`; then nothing was signed
 */
export async function signBatch<Caller extends CallerLike>(
  deps: SignDeps<Caller>,
  request: BatchRequest,
): Promise<readonly BatchResult[]> {
  const together = await arrive(deps, request, BATCH_MAX, readItems)
  return leaveTogether(deps, await signTogether(together, await judgeTogether(together, together.wanted)))
}

const EXAMPLE = 'send {"requests":[{"key":"treasury","payload":{"type":"stellar-transaction","xdr":"…"}}]}'

function readItems(body: Uint8Array, idempotencyKey: string): readonly Wanted[] {
  const { requests, ...more } = objectOf(parseStrictJson(body), 'body', EXAMPLE)
  const [unknown] = Object.keys(more)
  if (unknown !== undefined) throw malformed(unknown.slice(0, 64), 'is not a field of a batch', EXAMPLE)
  if (!Array.isArray(requests) || requests.length === 0 || requests.length > BATCH_MAX) {
    throw malformed('requests', `is not a list of 1 to ${BATCH_MAX}`, EXAMPLE)
  }
  return requests.map((item: unknown, at) => {
    const field = `requests[${at}]`
    const { key, payload, ...rest } = objectOf(item, field, EXAMPLE)
    const [surplus] = Object.keys(rest)
    if (surplus !== undefined) throw malformed(`${field}.${surplus.slice(0, 64)}`, 'is not a field', EXAMPLE)
    if (typeof key !== 'string' || !KEY_NAME.test(key)) throw malformed(`${field}.key`, 'is not a key name', EXAMPLE)
    return {
      field,
      key,
      payload: objectOf(payload, `${field}.payload`, EXAMPLE),
      idempotencyKey: `${idempotencyKey}/${at + 1}`,
    }
  })
}
