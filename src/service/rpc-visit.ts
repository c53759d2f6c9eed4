/** Who comes in by JSON-RPC or by Web3Signer's REST, what they may see, and how they get to the path of a signature. */
import { randomId } from '../bytes/ids.ts'
import type { AuditActor } from '../domain/audit.ts'
import type { AnySignerError } from '../domain/errors.ts'
import { maySign, type ResolvedKey } from '../domain/key.ts'
import type { Held, KeyCatalogue } from '../domain/ports.ts'
import { identify, mayDo } from './admit.ts'
import { refuseEarly } from './records.ts'
import { fingerprintOf, readIdempotencyKey } from './request.ts'
import type { Asking, CallerLike, SignDeps, SignRequest } from './types.ts'

/** Nine blobs with their proofs in hex, and room for the rest. */
export const RPC_BYTES_MAX = 4 * 1024 * 1024

export interface RpcRequest extends Asking {
  readonly body: Uint8Array
  readonly idempotencyKey: string | undefined
}

export interface RpcDeps<Caller extends CallerLike> extends SignDeps<Caller> {
  readonly keys: Pick<KeyCatalogue, 'list' | 'holding'>
  readonly version: string
}

/** One HTTP request of somebody who may come in. */
export interface RpcVisit<Caller extends CallerLike> {
  /** With the caller as the one who is authenticated, and room for blobs. */
  readonly deps: RpcDeps<Caller>
  readonly caller: Caller
  readonly actor: AuditActor
  readonly request: RpcRequest
  /** EVM keys that this caller may have sign, read once. Of others there is no trace. */
  keys(): Promise<readonly ResolvedKey[]>
  /** Those of them that are meant, without reading the others. */
  holding(what: Held): Promise<readonly ResolvedKey[]>
}

/** Who asks is known, and counted once, before anything of the body is read. */
export async function admitRpc<Caller extends CallerLike>(
  deps: RpcDeps<Caller>,
  request: RpcRequest,
): Promise<RpcVisit<Caller>> {
  let actor: AuditActor = { subject: 'unknown', peer: request.peer }
  try {
    const { caller, peer } = await identify(deps, request, found => {
      actor = found
    })
    await deps.gateway.admit(caller, peer, undefined)
    const limits = { ...deps.limits, bodyBytes: RPC_BYTES_MAX }
    const known: RpcDeps<Caller> = { ...deps, authenticate: async () => caller, limits }
    let keys: Promise<readonly ResolvedKey[]> | undefined
    const reachable = (found: readonly ResolvedKey[]) => reachableAmong(found, deps, caller)
    return {
      deps: known,
      caller,
      actor,
      request,
      keys: () => (keys ??= deps.keys.list().then(reachable)),
      holding: what => deps.keys.holding(what).then(reachable),
    }
  } catch (error) {
    throw recordRefused({ deps, actor, request }, error)
  }
}

/** What is refused on the way to the path of a signature, which records its own refusals. @returns what is to be told */
export function recordRefused<Caller extends CallerLike>(
  { deps, actor, request: { requestId } }: Pick<RpcVisit<Caller>, 'deps' | 'actor' | 'request'>,
  error: unknown,
): AnySignerError {
  const about = { auditId: randomId(deps.random, 'a'), requestId, actor, key: '*', operation: 'rpc' }
  return refuseEarly(deps, about, error)
}

/** As the other door to lists of keys: on record. */
export async function listedKeys<Caller extends CallerLike>({
  deps: { audit, random },
  actor,
  request: { requestId },
  keys,
}: RpcVisit<Caller>): Promise<readonly ResolvedKey[]> {
  const found = await keys()
  const about = { auditId: randomId(random, 'a'), event: 'keys-listed', actor, detail: { requestId } }
  if (audit.state.kind === 'open') await audit.append({ kind: 'event', ...about })
  return found
}

/** EVM keys that this caller may have sign. Of others there is no trace. */
function reachableAmong<Caller extends CallerLike>(
  found: readonly ResolvedKey[],
  deps: RpcDeps<Caller>,
  caller: Caller,
): readonly ResolvedKey[] {
  // An address names a version, so one that goes on beside its successor is there too; clients take the first for their own.
  const keys = found.filter(
    ({ key, version }) => key.chain === 'evm' && maySign(version.state) && mayDo(deps, caller, 'sign', key.name),
  )
  return keys.toSorted((a, b) => place(a) - place(b))
}

const place = ({ version }: ResolvedKey): number => (version.state === 'active' ? 0 : 1)

/**
 * On the path of a signature.
 * @param prefix  of an idempotency key that stands for what is asked, where the caller sent none
 * @param suffix  behind the caller's own
 * @throws `idempotency/malformed`
 */
export function askingFor(
  request: RpcRequest,
  { key, version, payload }: { readonly key: string; readonly version: number; readonly payload: object },
  { prefix, suffix = '' }: { readonly prefix: string; readonly suffix?: string },
): SignRequest {
  const { idempotencyKey: sent } = request
  const idempotencyKey =
    sent === undefined
      ? `${prefix}-${fingerprintOf(key, payload, version)}`
      : `${readIdempotencyKey(sent, suffix.length)}${suffix}`
  return { ...request, key, version, body: new TextEncoder().encode(JSON.stringify(payload)), idempotencyKey }
}
