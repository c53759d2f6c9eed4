import { randomId } from '../bytes/ids.ts'
import type { AuditActor, AuditLog } from '../domain/audit.ts'
import { SignerError } from '../domain/errors.ts'
import { VERSION_STATES, type VersionState } from '../domain/key.ts'
import type { KeyRegistry, Random } from '../domain/ports.ts'
import { TRANSITIONS } from '../keys/lifecycle.ts'

export interface RevokeDeps {
  readonly registry: Pick<KeyRegistry, 'list' | 'setState'>
  readonly audit: Pick<AuditLog, 'append'>
  readonly random: Random
  readonly actor: AuditActor
}

export interface Revocation {
  /** Versions that are revoked now, those that were before included. */
  readonly revoked: readonly number[]
  /** Of these, the ones that this call revoked. */
  readonly now: readonly number[]
}

/** What may be revoked, as the table of `src/keys/LIFECYCLE.md` says. */
export const REVOCABLE: readonly VersionState[] = VERSION_STATES.filter(state => 'to' in TRANSITIONS[state].revoke)

/**
 * Stops a key at once: from the moment this resolves, no instance that shares the store releases a signature of it, those
 * under way included, because the path reads the state again after the signature and after its record. One person can do it
 * and needs nobody's consent; nobody can take it back alone.
 *
 * On record before the state changes, so that a start after a power cut finds it; a log that takes no record keeps nobody
 * from revoking.
 *
 * @param version  this one; absent: all versions of the key
 * @throws `key/unknown` for a key or version that is not there; what the log or the store says
 */
export async function revokeKey(
  deps: RevokeDeps,
  name: string,
  { version, reason }: { readonly version?: number | undefined; readonly reason: string },
): Promise<Revocation> {
  const versions = (await deps.registry.list()).filter(({ key }) => key.name === name)
  const chosen = versions.filter(held => version === undefined || held.version.version === version)
  if (chosen.length === 0) throw new SignerError('key/unknown', { key: name })
  let unrecorded: unknown
  const now: number[] = []
  for (const { version: found } of chosen) {
    if (found.state === 'revoked') continue
    const detail = { key: name, version: found.version, was: found.state, reason }
    const auditId = randomId(deps.random, 'a')
    await deps.audit
      .append({ kind: 'event', auditId, event: 'key-revoked', actor: deps.actor, detail })
      .catch(error => {
        unrecorded = error
      })
    if (await deps.registry.setState(name, found.version, 'revoked', REVOCABLE)) now.push(found.version)
  }
  if (unrecorded !== undefined) throw unrecorded
  return { revoked: chosen.map(({ version: { version: number } }) => number), now }
}
