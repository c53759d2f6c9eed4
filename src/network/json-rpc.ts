import { type Exchange, exchange } from './exchange.ts'
import { type Answer, malformed, reader } from './reading.ts'

/** `reply` has a member `result`. `message` is what the node says: not for people before `shown`. */
export type RpcAnswer =
  | { readonly kind: 'result'; readonly reply: Answer }
  | { readonly kind: 'error'; readonly code: number; readonly message: string }

/** @param again  false: it is sent once, whatever comes of it. @throws `network/unavailable`, `network/malformed` */
export type RpcCall = (method: string, params: unknown, signal: AbortSignal, again?: boolean) => Promise<RpcAnswer>

/**
 * JSON-RPC 2.0 over HTTP. Every question has an id of its own, and an answer with another one is an answer to another question.
 * @see https://www.jsonrpc.org/specification
 */
export function jsonRpc(parts: Exchange, url: string): RpcCall {
  const { network } = parts
  let count = 0
  return async (method, params, signal, again = true) => {
    const id = ++count
    const text = JSON.stringify({ jsonrpc: '2.0', id, method, params })
    const { json } = await exchange(
      parts,
      { url, method: 'POST', body: { type: 'application/json', text }, again, takes: status => status === 200 },
      signal,
    )
    const reply = reader(network, json)
    if (reply.text('jsonrpc') !== '2.0' || reply.whole('id') !== id) {
      throw malformed(network, `the answer to ${method} has another id`)
    }
    const error = reply.maybe('error')
    if (error === undefined) {
      if (!Object.hasOwn(reply.value as object, 'result')) {
        throw malformed(network, `the answer to ${method} is neither a result nor an error`)
      }
      return { kind: 'result', reply }
    }
    if (reply.maybe('result') !== undefined) throw malformed(network, 'the answer is a result and an error at once')
    const { code, message } = error.value as { readonly code?: unknown; readonly message?: unknown }
    if (typeof code !== 'number' || !Number.isSafeInteger(code)) throw malformed(network, 'an error has no code')
    return { kind: 'error', code, message: typeof message === 'string' ? message : '' }
  }
}
