import type { AnySignerError } from '../domain/errors.ts'
import { answerRpc, type RpcReply } from '../service/rpc.ts'
import { RPC_BYTES_MAX, type RpcDeps } from '../service/rpc-visit.ts'
import type { CallerLike } from '../service/types.ts'
import { web3PublicKeys, web3Sign } from '../service/web3signer.ts'
import type { DataRoutes } from './app.ts'
import type { Visited } from './edge.ts'
import { Gate } from './gate.ts'
import { problemOf } from './problem.ts'

/**
 * Bodies above the limit of all other routes that are taken in at one time, for they are held before anybody knows whose they
 * are. Strangers can fill these places and keep blobs out; they can neither fill the memory nor keep out what is small.
 */
export const RPC_LARGE_MAX = 32

const PLAIN = { 'content-type': 'text/plain; charset=utf-8' }

/** JSON-RPC for EVM keys, and what Web3Signer's clients ask for. */
export const rpcRoutes =
  <C extends CallerLike>(deps: RpcDeps<C>): DataRoutes =>
  (app, { askingOf, bodyOf, idempotencyKeyOf, gate, readers }) => {
    const large = new Gate(RPC_LARGE_MAX)
    /** Into the door with the body. One whose length nobody says may be large. */
    const pass = async <T>(c: Visited, work: (body: Uint8Array) => Promise<T>): Promise<T> => {
      const length = c.req.raw.headers.get('content-length')
      const small = Math.min(deps.limits.bodyBytes, RPC_BYTES_MAX)
      const taken = async (bytesMax: number): Promise<T> => {
        const body = await bodyOf(c, bytesMax)
        return gate.pass(() => work(body))
      }
      return length !== null && Number(length) <= small ? taken(small) : large.pass(() => taken(RPC_BYTES_MAX))
    }

    app.post('/rpc', async c => {
      const idempotencyKey = idempotencyKeyOf(c)
      const { replies } = await pass(c, body => answerRpc(deps, { ...askingOf(c), body, idempotencyKey }))
      if (replies === undefined) return c.body(null, 204)
      const requestId = c.get('requestId')
      const told = 'id' in replies ? toldOf(replies, requestId) : replies.map(reply => toldOf(reply, requestId))
      return c.json(told)
    })

    app.get('/api/v1/eth1/publicKeys', c =>
      readers.pass(async () => {
        const request = { ...askingOf(c), body: new Uint8Array(), idempotencyKey: undefined }
        return c.json(await web3PublicKeys(deps, request))
      }),
    )

    app.post('/api/v1/eth1/sign/:identifier', async c => {
      const request = { idempotencyKey: idempotencyKeyOf(c), identifier: c.req.param('identifier').slice(0, 140) }
      return c.text(await pass(c, body => web3Sign(deps, { ...askingOf(c), body, ...request })), 200, PLAIN)
    })

    app.get('/upcheck', c => c.text('OK', 200, PLAIN))
  }

/** JSON-RPC 2.0 §5; `data` is the problem as HTTP would have told it. */
function toldOf(reply: RpcReply, requestId: string): object {
  const { id } = reply
  if ('result' in reply) return { jsonrpc: '2.0', id, result: reply.result }
  return { jsonrpc: '2.0', id, error: errorOf(reply.error, requestId) }
}

function errorOf(error: Extract<RpcReply, { error: unknown }>['error'], requestId: string): object {
  if (error === 'parse') return { code: -32_700, message: 'Parse error: the body is not strict JSON' }
  if (error === 'invalid') return { code: -32_600, message: 'Invalid request: not JSON-RPC 2.0, or too many calls' }
  if ('unknownMethod' in error) return { code: -32_601, message: `Method not found: ${shown(error.unknownMethod)}` }
  const data = problemOf(error, requestId)
  return { code: codeOf(error), message: messageOf(error), data }
}

const shown = (method: string): string => JSON.stringify(method.slice(0, 60))

/** EIP-1193 for what a wallet would say, JSON-RPC for the rest. */
function codeOf({ code }: AnySignerError): number {
  switch (code) {
    case 'request/malformed':
    case 'payload/invalid':
    case 'payload/unsupported':
      return -32_602
    case 'access/denied':
      return 4100
    case 'policy/denied':
    case 'policy/undecided':
      return 4001
    case 'access/limited':
    case 'service/overloaded':
      return -32_005
    default:
      return -32_000
  }
}

/** Most clients show nothing but this. */
function messageOf(error: AnySignerError): string {
  const { detail } = error
  const field = 'field' in detail ? `${detail.field}: ` : ''
  const reason = 'reason' in detail ? `: ${field}${detail.reason}` : ''
  return `${error.code}${reason}`.slice(0, 500)
}
