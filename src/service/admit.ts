import type { Action } from '../domain/actions.ts'
import type { AuditActor } from '../domain/audit.ts'
import type { Asking, CallerLike, SignDeps } from './types.ts'

/**
 * Who asks, and from where: the door, then the token with its proof.
 * @param known  hears as much of it as is known so far, so that a refusal at any step is on record with that
 * @throws what the door and `authenticate` throw
 */
export async function identify<Caller extends CallerLike>(
  { gateway, authenticate }: Pick<SignDeps<Caller>, 'gateway' | 'authenticate'>,
  request: Asking & { readonly body: Uint8Array },
  known: (actor: AuditActor) => void,
): Promise<{ readonly caller: Caller; readonly peer: string }> {
  known({ subject: 'unknown', peer: request.peer })
  const peer = gateway.enter(request)
  known({ subject: 'unknown', peer })
  const caller = await authenticate(request.authorization, { ...request, peer, socket: request.peer })
  known({ subject: caller.subject, tokenId: caller.tokenId, peer })
  return { caller, peer }
}

/** Whether a caller may, for what is left out where they may not: lists, and answers that give nothing away. */
export function mayDo<Caller extends CallerLike>(
  { authorize }: Pick<SignDeps<Caller>, 'authorize'>,
  caller: Caller,
  action: Action,
  key: string,
): boolean {
  try {
    authorize(caller, action, key)
    return true
  } catch {
    return false
  }
}

/**
 * Whether a caller may, and how often. What is denied counts too, but not against the key: nobody uses up a limit that
 * belongs to others, or has limits kept for names that mean nothing.
 * @returns headers for the answer. @throws `access/denied`, `access/limited`
 */
export async function admitTo<Caller extends CallerLike>(
  { authorize, gateway }: Pick<SignDeps<Caller>, 'authorize' | 'gateway'>,
  caller: Caller,
  peer: string,
  { action, key }: { readonly action: Action; readonly key: string },
): Promise<Readonly<Record<string, string>>> {
  try {
    authorize(caller, action, key)
  } catch (denied) {
    await gateway.admit(caller, peer, undefined)
    throw denied
  }
  return gateway.admit(caller, peer, key)
}
