import { randomId } from '../bytes/ids.ts'
import { parseStrictJson } from '../bytes/json.ts'
import { chainIdOf } from '../chains/evm/index.ts'
import type { AuditActor } from '../domain/audit.ts'
import { type AnySignerError, isSignerError, malformed, SignerError } from '../domain/errors.ts'
import type { ResolvedKey } from '../domain/key.ts'
import type { KeyCatalogue } from '../domain/ports.ts'
import { identify } from './admit.ts'
import { earlyRefusal } from './records.ts'
import { fingerprintOf } from './request.ts'
import { PAYLOAD_OF, type RpcPayload } from './rpc-methods.ts'
import { sign } from './sign.ts'
import type { Asking, CallerLike, SignDeps } from './types.ts'

/** Calls in one body. */
export const RPC_BATCH_MAX = 20

export interface RpcRequest extends Asking {
  readonly body: Uint8Array
  readonly idempotencyKey: string | undefined
}

export interface RpcDeps<Caller extends CallerLike> extends SignDeps<Caller> {
  readonly keys: Pick<KeyCatalogue, 'list'>
  readonly version: string
  /** Bytes; blobs make transactions large. */
  readonly rpcBytes: number
}

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
  const caller = await admitRpc(deps, request)
  let body: unknown
  try {
    body = parseStrictJson(request.body)
  } catch {
    return { replies: { id: null, error: 'parse' } }
  }
  const known: RpcDeps<Caller> = {
    ...deps,
    authenticate: async () => caller,
    limits: { ...deps.limits, bodyBytes: deps.rpcBytes },
  }
  if (!Array.isArray(body)) return { replies: await answerOne(known, caller, request, body, '') }
  if (body.length === 0 || body.length > RPC_BATCH_MAX) return { replies: { id: null, error: 'invalid' } }
  const replies: RpcReply[] = []
  for (const [at, call] of body.entries()) {
    const reply = await answerOne(known, caller, request, call, `/${at + 1}`)
    if (reply !== undefined) replies.push(reply)
  }
  return { replies: replies.length === 0 ? undefined : replies }
}

/** Who asks is known, and counted once, before anything of the body is read. */
export async function admitRpc<Caller extends CallerLike>(deps: RpcDeps<Caller>, request: RpcRequest): Promise<Caller> {
  let actor: AuditActor = { subject: 'unknown', peer: request.peer }
  try {
    const { caller, peer } = await identify(deps, request, found => {
      actor = found
    })
    await deps.gateway.admit(caller, peer, undefined)
    return caller
  } catch (error) {
    const refusal = isSignerError(error) ? error : deps.incident(error)
    const about = { auditId: randomId(deps.random, 'a'), requestId: request.requestId, actor, operation: 'rpc' }
    deps.recordRefusal(earlyRefusal({ ...about, key: '*' }, refusal))
    throw refusal
  }
}

async function answerOne<Caller extends CallerLike>(
  deps: RpcDeps<Caller>,
  caller: Caller,
  request: RpcRequest,
  call: unknown,
  suffix: string,
): Promise<RpcReply | undefined> {
  const understood = readCall(call)
  if (understood === undefined) return { id: null, error: 'invalid' }
  const { id = null, method, params } = understood
  const reply = await (async (): Promise<RpcReply> => {
    try {
      return { id, result: await resultOf(deps, caller, request, { method, params, suffix }) }
    } catch (error) {
      if (error instanceof UnknownMethod) return { id, error: { unknownMethod: method } }
      return { id, error: isSignerError(error) ? error : deps.incident(error) }
    }
  })()
  return understood.id === undefined ? undefined : reply // a notification
}

class UnknownMethod extends Error {}

interface Call {
  readonly method: string
  readonly params: readonly unknown[]
}

function readCall(call: unknown): (Call & { readonly id?: Id }) | undefined {
  if (call === null || typeof call !== 'object' || Array.isArray(call)) return undefined
  const { jsonrpc, id, method, params = [], ...more } = call as Record<string, unknown>
  const isId = id === undefined || id === null || typeof id === 'string' || typeof id === 'number'
  if (jsonrpc !== '2.0' || typeof method !== 'string' || method.length > 100 || !Array.isArray(params)) return undefined
  if (!isId || Object.keys(more).length > 0) return undefined
  return { method, params, ...(id === undefined ? {} : { id }) }
}

async function resultOf<Caller extends CallerLike>(
  deps: RpcDeps<Caller>,
  caller: Caller,
  request: RpcRequest,
  { method, params, suffix }: Call & { readonly suffix: string },
): Promise<unknown> {
  switch (method) {
    case 'health_status':
    case 'web3_clientVersion':
      return method === 'health_status' ? deps.version : `Countersign/${deps.version}`
    case 'eth_accounts':
    case 'eth_requestAccounts':
      return (await signingKeys(deps, caller)).map(({ version }) => version.address)
    case 'eth_chainId':
    case 'net_version':
      return chainOf(await signingKeys(deps, caller), method)
    default: {
      const read = PAYLOAD_OF.get(method)
      if (read === undefined) throw new UnknownMethod()
      return signed(deps, caller, request, read(params), suffix)
    }
  }
}

/** EVM keys that this caller may have sign. Of others there is no trace. */
export async function signingKeys<Caller extends CallerLike>(
  deps: RpcDeps<Caller>,
  caller: Caller,
): Promise<readonly ResolvedKey[]> {
  const may = ({ key }: ResolvedKey): boolean => {
    try {
      deps.authorize(caller, 'sign', key.name)
      return true
    } catch {
      return false
    }
  }
  const keys = await deps.keys.list()
  return keys.filter(held => held.key.chain === 'evm' && held.version.state === 'active' && may(held))
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

async function signed<Caller extends CallerLike>(
  deps: RpcDeps<Caller>,
  caller: Caller,
  request: RpcRequest,
  { address, chainId, payload, answer }: RpcPayload,
  suffix: string,
): Promise<unknown> {
  const held = (await signingKeys(deps, caller)).filter(({ version }) => sameAddress(version.address, address))
  const [first, ...others] = held
  if (first === undefined) {
    throw new SignerError('access/denied', { action: 'sign', reason: `no key of the token has the address ${address}` })
  }
  const chosen = others.length === 0 ? first : held.find(one => chainId === chainIdOf(one.key.network))
  if (chosen === undefined) {
    throw malformed('chainId', 'several keys have this address, each on another chain', 'name the chain in the request')
  }
  const key = chosen.key.name
  const idempotencyKey =
    request.idempotencyKey === undefined ? `rpc-${fingerprintOf(key, payload)}` : `${request.idempotencyKey}${suffix}`
  const body = new TextEncoder().encode(JSON.stringify(payload))
  return answer(await sign(deps, { ...request, key, body, idempotencyKey }))
}

const sameAddress = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()
