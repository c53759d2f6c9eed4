import type { AuditRecord } from '../domain/audit.ts'
import { isSignerError } from '../domain/errors.ts'
import { maySign, type VersionState } from '../domain/key.ts'
import type { IdempotencyEntry, KeyRegistry, StoredResult } from '../domain/ports.ts'
import { restoreControl } from './restore-control.ts'
import { claimsOfEntry, leavesNoSignature } from '../service/records.ts'
import { preparedIn } from '../service/transactions/journal.ts'
import { MAY_BE_QUARANTINED } from '../service/quarantine.ts'
import { DESTROYABLE } from '../service/destroy.ts'
import { REVOCABLE } from '../service/revoke.ts'
import { movesOfRecord } from '../service/rotate/index.ts'
import type { RestorableClaims, RestorableIdempotency, Store } from '../store/store.ts'

/** Puts back into the store what the log holds and a crash kept out of it, in the order of the log. */
export function replayInto(
  store: Omit<Store, 'close' | 'auditIndex' | 'rates' | 'challenges' | 'orphans' | 'proposals' | 'notices'>,
) {
  const restore = restorer(store.idempotency, store.claims)
  return async (record: AuditRecord): Promise<void> => {
    await restore(record)
    await restoreQuarantine(store, record)
    await restoreRotation(store, record)
    await restoreControl(store, record)
    const transaction = preparedIn(record)
    if (transaction !== undefined) await store.transactions.restore(transaction.entry, transaction.prepared)
  }
}

/**
 * The last word about a version wins; what was revoked in the meantime stays so unless a quorum took that back, and what was
 * destroyed always. Where others share the store the last word may stand in another log, so no log ends a quarantine or a
 * revocation there: people do, once more.
 */
async function restoreQuarantine(
  { keys, shared }: { readonly keys: Pick<KeyRegistry, 'setState'>; readonly shared: boolean },
  record: AuditRecord,
): Promise<void> {
  if (record.kind !== 'event') return
  const { key, version } = record.detail
  if (typeof key !== 'string' || typeof version !== 'number') return
  try {
    if (record.event === 'key-quarantined') await keys.setState(key, version, 'quarantined', arrestedFrom(record))
    // Only the end of it: one that was merely begun is asked for again by whoever wanted it.
    if (record.event === 'key-destroyed') await keys.setState(key, version, 'destroyed', DESTROYABLE)
    if (record.event === 'key-revoked') await keys.setState(key, version, 'revoked', REVOCABLE)
    if (record.event === 'key-unrevoked' && !shared) await keys.setState(key, version, 'quarantined', ['revoked'])
    if (record.event === 'key-restored' && !shared)
      await keys.setState(key, version, restoredInto(record), ['quarantined'])
  } catch (error) {
    if (!hasMovedOn(error)) throw error
  }
}

type EventRecord = Extract<AuditRecord, { kind: 'event' }>

/** One that waited then may have got its turn before the crash; one that signed then and waits now was withdrawn since. */
const arrestedFrom = ({ detail }: EventRecord): readonly VersionState[] =>
  detail['was'] === 'pending' ? MAY_BE_QUARANTINED : MAY_BE_QUARANTINED.filter(maySign)

/** A record of an earlier release names no state: it was `active` then. */
const restoredInto = ({ detail }: EventRecord): VersionState =>
  MAY_BE_QUARANTINED.find(state => state === detail['to']) ?? 'active'

/**
 * A step of a rotation that was on record when the process died, and is not in the registry. Each version moves only from
 * the state that it was in then, so what came later stays. In a shared store whoever lives on may have done otherwise.
 */
async function restoreRotation(
  { keys, shared }: { readonly keys: Pick<KeyRegistry, 'setStates'>; readonly shared: boolean },
  record: AuditRecord,
): Promise<void> {
  const step = shared ? undefined : movesOfRecord(record)
  if (step === undefined) return
  try {
    await keys.setStates(step.key, step.moves)
  } catch (error) {
    if (!hasMovedOn(error)) throw error
  }
}

/** The key is not there, and cannot sign; or another version is the one that signs, and this one stays as it is. */
const hasMovedOn = (error: unknown): boolean =>
  isSignerError(error) && (error.code === 'key/unknown' || error.code === 'key/unsupported')

/** Rebuilds idempotency entries, and what signatures use up, from intents and outcomes, in the order of the log. */
export function restorer(idempotency: RestorableIdempotency, claims: RestorableClaims) {
  const intents = new Map<string, { entry: IdempotencyEntry; at: number }>()
  return async (record: AuditRecord): Promise<void> => {
    if (record.kind === 'intent' && record.idempotency !== undefined) {
      const entry = { ...record.idempotency, at: Date.parse(record.time) }
      intents.set(record.auditId, { entry, at: record.seq })
      const taken = record.claims === undefined ? undefined : claimsOfEntry(record.claims)
      if (taken !== undefined) await claims.restore(entry, taken)
      return
    }
    if (record.kind !== 'outcome') return
    const entry = intents.get(record.auditId)?.entry
    if (entry === undefined) return
    intents.delete(record.auditId)
    if (record.result === 'failed' && leavesNoSignature(record.errorCode)) await claims.drop(entry)
    await idempotency.restore(entry, resultOf(record))
  }
}

function resultOf(record: AuditRecord): StoredResult | undefined {
  if (record.kind !== 'outcome' || record.result !== 'released') return undefined
  const { signature, key, version, provider, custody, auditId, requestId } = record
  if (signature === undefined || key === undefined || version === undefined) return undefined
  return { signature, key, version, provider: provider ?? '', custody: custody ?? '', auditId, requestId }
}
