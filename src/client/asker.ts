import { ApprovalPendingError, clientError } from './errors.ts'
import type { Answer, Transport } from './transport.ts'
import type { CallOptions } from './types.ts'

/** Requests whose answers have the members they should. */
export interface Asker {
  /** @param texts members that must be texts. @throws CountersignError */
  get<T>(path: string, texts: readonly string[], options?: Pick<CallOptions, 'signal'>): Promise<T>
  /** @throws CountersignError; ApprovalPendingError for an answer that waits for people */
  post<T>(path: string, body: object, texts: readonly string[], options?: CallOptions): Promise<T>
  /** The same, where waiting is the answer. */
  change<T>(path: string, body: object, texts: readonly string[], options?: CallOptions): Promise<T>
}

export function createAsker(transport: Transport): Asker {
  const send = (path: string, body: object, { idempotencyKey = crypto.randomUUID(), signal }: CallOptions = {}) =>
    transport.call({ method: 'POST', path, body, idempotencyKey, signal })
  return {
    get: async <T>(path: string, texts: readonly string[], { signal }: Pick<CallOptions, 'signal'> = {}) =>
      fit(await transport.call({ method: 'GET', path, signal }), texts) as T,
    post: async <T>(path: string, body: object, texts: readonly string[], options?: CallOptions) =>
      fit(settled(transport.base, await send(path, body, options)), texts) as T,
    change: async <T>(path: string, body: object, texts: readonly string[], options?: CallOptions) =>
      fit(await send(path, body, options), texts) as T,
  }
}

/** @throws ApprovalPendingError for 202 with the id of an approval */
function settled(base: string, answer: Answer): Answer {
  const { approvalId, url } = answer.body
  if (answer.status !== 202 || typeof approvalId !== 'string') return answer
  const place = typeof url === 'string' ? url : `/v1/proposals/${encodeURIComponent(approvalId)}`
  throw new ApprovalPendingError(approvalId, place.startsWith('/') ? base + place : place)
}

function fit({ body }: Answer, texts: readonly string[]): Answer['body'] {
  const missing = texts.find(member => typeof body[member] !== 'string')
  if (missing === undefined) return body
  const members = Object.keys(body).slice(0, 20).join(', ')
  throw clientError('client/answer', `The answer of the service holds no ${missing}, only: ${members}`)
}
