import { randomId } from '../bytes/ids.ts'
import type { Action } from '../domain/actions.ts'
import type { AuditActor } from '../domain/audit.ts'
import { admitTo, identify } from './admit.ts'
import { refuseEarly } from './records.ts'
import type { Asking, CallerLike, SignDeps } from './types.ts'

export type DoorDeps<Caller extends CallerLike> = Pick<
  SignDeps<Caller>,
  'clock' | 'random' | 'authenticate' | 'gateway' | 'authorize' | 'audit' | 'recordRefusal' | 'incident'
>

/** What somebody wants besides a signature. */
export interface Matter {
  /** How the record of it is called, such as `key-read`. */
  readonly event: string
  /** Absent: no key in particular; then who asks is known, and `work` says what they may see. */
  readonly object?: { readonly action: Action; readonly key: string }
  readonly body: Uint8Array
  /** What a refusal is recorded as; the action on the object unless told. */
  readonly operation?: string
}

/** An answer, and headers of rate limits for it. */
export interface Answered<T> {
  readonly answer: T
  readonly headers: Readonly<Record<string, string>>
}

export interface Visitor<Caller> {
  readonly caller: Caller
  readonly actor: AuditActor
  /** The client's address. */
  readonly peer: string
  readonly auditId: string
  /** Goes into the record beside request and key; never a secret. */
  note(detail: Readonly<Record<string, string | number | boolean>>): void
}

/** The same door as for a signature, and one record whatever comes of it; without a barrier. */
export async function attend<C extends CallerLike, T>(
  deps: DoorDeps<C>,
  request: Asking,
  { event, object, body, operation }: Matter,
  work: (visitor: Visitor<C>) => Promise<T>,
): Promise<Answered<T>> {
  const { requestId } = request
  const { action = 'read', key } = object ?? {}
  const auditId = randomId(deps.random, 'a')
  let actor: AuditActor = { subject: 'unknown', peer: request.peer }
  let noted: Readonly<Record<string, string | number | boolean>> = {}
  try {
    const { caller, peer } = await identify(deps, { ...request, body }, found => {
      actor = found
    })
    const headers = await (object === undefined
      ? deps.gateway.admit(caller, peer, undefined)
      : admitTo(deps, caller, peer, object))
    const note = (detail: typeof noted): void => {
      noted = { ...noted, ...detail }
    }
    const answer = await work({ caller, actor, peer, auditId, note })
    const detail = { requestId, ...(key === undefined ? {} : { key }), ...noted }
    if (deps.audit.state.kind === 'open') await deps.audit.append({ kind: 'event', auditId, event, actor, detail })
    return { answer, headers }
  } catch (error) {
    throw refuseEarly(deps, { auditId, requestId, actor, key: key ?? '*', operation: operation ?? action }, error)
  }
}

export const NO_BODY = new Uint8Array()
