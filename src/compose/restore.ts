import type { AuditRecord } from '../domain/audit.ts'
import type { IdempotencyEntry, StoredResult } from '../domain/ports.ts'
import type { RestorableIdempotency } from '../store/store.ts'

/** Rebuilds idempotency entries from intents and outcomes, in the order of the log. */
export function restorer(idempotency: RestorableIdempotency) {
  const intents = new Map<string, { entry: IdempotencyEntry; at: number }>()
  return async (record: AuditRecord): Promise<void> => {
    if (record.kind === 'intent' && record.idempotency !== undefined) {
      intents.set(record.auditId, { entry: { ...record.idempotency, at: Date.parse(record.time) }, at: record.seq })
      return
    }
    if (record.kind !== 'outcome') return
    const entry = intents.get(record.auditId)?.entry
    if (entry === undefined) return
    intents.delete(record.auditId)
    await idempotency.restore(entry, resultOf(record))
  }
}

function resultOf(record: AuditRecord): StoredResult | undefined {
  if (record.kind !== 'outcome' || record.result !== 'released') return undefined
  const { signature, key, version, provider, custody, auditId, requestId } = record
  if (signature === undefined || key === undefined || version === undefined) return undefined
  return { signature, key, version, provider: provider ?? '', custody: custody ?? '', auditId, requestId }
}
