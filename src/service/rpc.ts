import { parseStrictJson } from '../bytes/json.ts'
import { readEvmAddress } from '../bytes/evm-address.ts'
import { chainIdOf } from '../chains/evm/index.ts'
import { type AnySignerError, isSignerError, malformed, SignerError } from '../domain/errors.ts'
import type { ResolvedKey } from '../domain/key.ts'
import { PAYLOAD_OF, type RpcPayload } from './rpc-methods.ts'
import {
  admitRpc,
  askingFor,
  listedKeys,
  recordRefused,
  type RpcDeps,
  type RpcRequest,
  type RpcVisit,
} from './rpc-visit.ts'
import { leaveTogether, type Pending } from './release.ts'
import { sign } from './sign.ts'
import type { CallerLike, SignRequest } from './types.ts'

/** Calls in one body. */
export const RPC_BATCH_MAX = 20

type Id = string | number | null

export type RpcReply =
  | { readonly id: Id; readonly result: unknown }
  | { readonly id: Id; readonly error: AnySignerError | 'parse' | 'invalid' | { readonly unknownMethod: string } }

export interface RpcReplies {
  /** One, or as many as the batch asked for; undefined where nobody waits for an answer. */
  readonly replies: RpcReply | readonly RpcReply[] | undefined
}

/**
 * JSON-RPC 2.0 as Ethereum nodes and clients speak it. Each call that signs is a request of its own on the path of a
 * signature. Its idempotency key is the header's, with the place in the batch behind it, or else stands for what is asked:
 * the same transaction asked for again gives the same answer.
 *
 * @throws what stands before a call is looked at: `token/*`, `access/*`, `request/too-large`
 */
export async function answerRpc<Caller extends CallerLike>(
  deps: RpcDeps<Caller>,
  request: RpcRequest,
): Promise<RpcReplies> {
  const visit = await admitRpc(deps, request)
  let body: unknown
  try {
    body = parseStrictJson(request.body)
  } catch (error) {
    recordRefused(visit, error)
    return { replies: { id: null, error: 'parse' } }
  }
  if (!Array.isArray(body)) {
    const [reply] = await told(visit, [await answerOne(visit, body, '')])
    return { replies: reply }
  }
  if (body.length === 0 || body.length > RPC_BATCH_MAX) {
    recordRefused(visit, notRpc(`a batch of ${body.length}`))
    return { replies: { id: null, error: 'invalid' } }
  }
  const found: (RpcReply | Signed | undefined)[] = []
  for (const [at, call] of body.entries()) found.push(await answerOne(visit, call, `/${at + 1}`))
  const replies = await told(visit, found)
  return { replies: replies.length === 0 ? undefined : replies }
}

/** Signed, and on its way out. */
interface Signed {
  readonly id: Id
  readonly signed: Pending<unknown>
}

/** What somebody waits for, signatures at the last moment: the first may have been made long before. */
async function told<Caller extends CallerLike>(
  { deps }: RpcVisit<Caller>,
  found: readonly (RpcReply | Signed | undefined)[],
): Promise<readonly RpcReply[]> {
  const awaited = found.filter(each => each !== undefined)
  const left = [
    ...(await leaveTogether(
      deps,
      awaited.flatMap(each => ('signed' in each ? [each.signed] : [])),
    )),
  ]
  return awaited.map(each => {
    if (!('signed' in each)) return each
    const settled = left.shift()
    if (settled === undefined) throw new TypeError('a signature was lost on its way out')
    return 'answer' in settled ? { id: each.id, result: settled.answer } : { id: each.id, error: settled.refused }
  })
}

async function answerOne<Caller extends CallerLike>(
  visit: RpcVisit<Caller>,
  call: unknown,
  suffix: string,
): Promise<RpcReply | Signed | undefined> {
  const understood = readCall(call)
  if (understood === undefined) {
    recordRefused(visit, notRpc('a call'))
    return { id: idIn(call), error: 'invalid' }
  }
  const { id, ...asked } = understood
  const reply = await replyTo(visit, id ?? null, { ...asked, suffix })
  return id === undefined ? undefined : reply // a notification
}

async function replyTo<Caller extends CallerLike>(
  visit: RpcVisit<Caller>,
  id: Id,
  call: Call & { readonly suffix: string },
): Promise<RpcReply | Signed> {
  try {
    return { id, ...(await resultOf(visit, call)) }
  } catch (error) {
    if (error instanceof UnknownMethod) return { id, error: { unknownMethod: call.method } }
    return { id, error: isSignerError(error) ? error : visit.deps.incident(error) }
  }
}

const notRpc = (what: string) =>
  malformed('', `${what} is not JSON-RPC 2.0`, 'send {"jsonrpc":"2.0","id":1,"method":"…","params":[…]}')

class UnknownMethod extends Error {}

interface Call {
  readonly method: string
  /** By position, or by name, which no method here takes. */
  readonly params: readonly unknown[] | undefined
}

function readCall(call: unknown): (Call & { readonly id?: Id }) | undefined {
  if (!isObject(call)) return undefined
  const { jsonrpc, id, method, params = [], ...more } = call
  if (jsonrpc !== '2.0' || typeof method !== 'string' || method.length > 100) return undefined
  if (!(id === undefined || isId(id)) || Object.keys(more).length > 0) return undefined
  if (!Array.isArray(params) && !isObject(params)) return undefined
  return { method, params: Array.isArray(params) ? params : undefined, ...(id === undefined ? {} : { id }) }
}

/** For the answer to a call that is none: clients find their question by it. */
const idIn = (call: unknown): Id => (isObject(call) && isId(call['id']) ? call['id'] : null)

const isId = (id: unknown): id is Id => id === null || typeof id === 'string' || typeof id === 'number'

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

async function resultOf<Caller extends CallerLike>(
  visit: RpcVisit<Caller>,
  { method, params, suffix }: Call & { readonly suffix: string },
): Promise<{ readonly result: unknown } | Pick<Signed, 'signed'>> {
  const { deps } = visit
  switch (method) {
    case 'health_status':
      return { result: deps.version }
    case 'web3_clientVersion':
      return { result: `Countersign/${deps.version}` }
    case 'eth_accounts':
    case 'eth_requestAccounts':
      return { result: (await listedKeys(visit)).map(({ version }) => version.address) }
    case 'eth_chainId':
    case 'net_version':
      return { result: chainOf(await visit.keys(), method) }
    default: {
      const read = PAYLOAD_OF.get(method)
      if (read === undefined) {
        recordRefused(visit, new SignerError('request/unknown-route', { method: 'POST', path: '/rpc' }))
        throw new UnknownMethod()
      }
      const { wanted, answer } = await wantedOf(visit, read, params, suffix)
      return { signed: { released: (await sign(deps, wanted)).as(answer) } }
    }
  }
}

/** Clients ask which chain they are on before they sign; keys of several chains have no one answer. */
function chainOf(keys: readonly ResolvedKey[], method: string): string {
  const ids = new Set(keys.map(({ key }) => chainIdOf(key.network)))
  const [id, ...others] = ids
  if (id === undefined || others.length > 0) {
    const reason = id === undefined ? 'the token reaches no EVM key' : 'the token reaches keys of several chains'
    throw malformed('method', reason, 'name the chain in the transaction, or use a token for the keys of one chain')
  }
  return method === 'net_version' ? id.toString() : `0x${id.toString(16)}`
}

interface Wanted {
  readonly wanted: SignRequest
  readonly answer: RpcPayload['answer']
}

/** Which version of which key is to sign what. The version is part of it: an address is that of one, whatever signs by now. */
async function wantedOf<Caller extends CallerLike>(
  visit: RpcVisit<Caller>,
  read: (params: readonly unknown[]) => RpcPayload,
  params: readonly unknown[] | undefined,
  suffix: string,
): Promise<Wanted> {
  const { request } = visit
  try {
    if (params === undefined) throw malformed('params', 'are by name', 'send them by position, as a list')
    const { address, chainId, payload, answer } = read(params)
    const held = await visit.holding({ address: asKept(address) })
    const { key, version } = chosenOf(held, address, chainId)
    const wanted = askingFor(request, { key: key.name, version: version.version, payload }, { prefix: 'rpc', suffix })
    return { wanted, answer }
  } catch (error) {
    throw recordRefused(visit, error)
  }
}

/** Clients write addresses in whatever case; the registry has them with their checksum. */
function asKept(address: string): string {
  const lower = address.toLowerCase()
  return readEvmAddress(lower) ?? lower
}

/** @param held  what the caller reaches of this address */
function chosenOf(held: readonly ResolvedKey[], address: string, chainId: bigint | undefined): ResolvedKey {
  const [first, ...others] = held
  if (first === undefined) {
    throw new SignerError('access/denied', { action: 'sign', reason: `no key of the token has the address ${address}` })
  }
  const chosen = others.length === 0 ? first : held.find(one => chainId === chainIdOf(one.key.network))
  if (chosen !== undefined) return chosen
  throw malformed('chainId', 'several keys have this address, each on another chain', 'name the chain in the request')
}
