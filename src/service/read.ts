/** What the data plane answers besides signatures. On record like them, but without a barrier: nothing leaves that was not public. */
import type { ResolvedKey } from '../domain/key.ts'
import type { Policy } from '../policy/index.ts'
import { mayDo } from './admit.ts'
import { type Answered, attend, NO_BODY } from './door.ts'
import { type Explanation, explainAsked } from './explain.ts'
import { type KeyView, resolveKey, viewOf } from './keys.ts'
import { parsePayload } from './payloads.ts'
import { readPayload } from './request.ts'
import type { Asking, CallerLike, SignDeps } from './types.ts'
import type { ClaimStore } from '../domain/claims.ts'
import type { KeyCatalogue } from '../domain/ports.ts'

export interface ReadDeps<Caller extends CallerLike>
  extends Pick<
    SignDeps<Caller>,
    | 'clock'
    | 'random'
    | 'limits'
    | 'authenticate'
    | 'gateway'
    | 'authorize'
    | 'audit'
    | 'recordRefusal'
    | 'incident'
    | 'factsOf'
  > {
  readonly catalogue: Pick<KeyCatalogue, 'resolve' | 'list' | 'holding'>
  readonly claims: Pick<ClaimStore, 'used'>
  policyOf(key: ResolvedKey): Policy
  ledgerOf(network: string): number | undefined
}

export interface KeyRequest extends Asking {
  readonly key: string
}
export interface ExplainRequest extends KeyRequest {
  readonly body: Uint8Array
}

export async function getKey<C extends CallerLike>(deps: ReadDeps<C>, request: KeyRequest): Promise<Answered<KeyView>> {
  const { key } = request
  return attend(deps, request, { event: 'key-read', object: { action: 'read', key }, body: NO_BODY }, async () =>
    viewOf(await resolveKey(deps.catalogue, key)),
  )
}

/** The keys that the caller may read; of others there is no trace. */
export async function listKeys<C extends CallerLike>(
  deps: ReadDeps<C>,
  request: Asking,
): Promise<Answered<{ keys: readonly KeyView[] }>> {
  return attend(deps, request, { event: 'keys-listed', body: NO_BODY }, async ({ caller }) => {
    const keys = await deps.catalogue.list()
    const seen = keys.filter(({ key, bindings }) => bindings.length > 0 && mayDo(deps, caller, 'read', key.name))
    return { keys: seen.map(viewOf) }
  })
}

/** A dry run of a signature, for those who may ask for one; the payload's own refusals included. */
export async function explainKey<C extends CallerLike>(
  deps: ReadDeps<C>,
  request: ExplainRequest,
): Promise<Answered<Explanation>> {
  const { key, body } = request
  return attend(
    deps,
    request,
    { event: 'sign-explained', object: { action: 'explain', key }, body },
    async ({ caller, peer }) => {
      const payload = readPayload(body, deps.limits.bodyBytes)
      const held = await resolveKey(deps.catalogue, key)
      const asked = parsePayload(payload, held)
      deps.gateway.constrain(caller, () => deps.factsOf(held, asked, peer), 'explain')
      return explainAsked(
        deps.claims,
        deps.policyOf(held),
        held,
        asked,
        deps.clock.now(),
        deps.ledgerOf(held.key.network),
      )
    },
  )
}
