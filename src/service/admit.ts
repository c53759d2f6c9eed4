import type { CallerLike, SignDeps } from './types.ts'

/**
 * Whether a caller may, and how often. What is denied counts too, but not against the key: nobody uses up a limit that
 * belongs to others, or has limits kept for names that mean nothing.
 * @returns headers for the answer. @throws `access/denied`, `access/limited`
 */
export async function admitTo<Caller extends CallerLike>(
  { authorize, gateway }: Pick<SignDeps<Caller>, 'authorize' | 'gateway'>,
  caller: Caller,
  peer: string,
  { action, key }: { readonly action: Parameters<SignDeps['authorize']>[1]; readonly key: string },
): Promise<Readonly<Record<string, string>>> {
  try {
    authorize(caller, action, key)
  } catch (denied) {
    await gateway.admit(caller, peer, undefined)
    throw denied
  }
  return gateway.admit(caller, peer, key)
}
