import type { AuditRecord } from '../../domain/audit.ts'
import type { Done } from './guard.ts'
import type { ControlParts } from './ports.ts'

export interface AuditQuery {
  /** First record looked at. */
  readonly seq: number
  /** Answers so many at most; 1 to 1,000. */
  readonly limit: number
  /** Milliseconds since the epoch: at or after, and before. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  readonly key?: string | undefined
  readonly subject?: string | undefined
  /** `released`, `refused`, `failed`, `interrupted`; of a decision `allow`, `deny`, `undecided`; of a change `accepted`, `done`. */
  readonly result?: string | undefined
  /** `sign`, `read`, or the name of an event. */
  readonly operation?: string | undefined
}

/** Records looked at for one answer: a question that few records answer takes several requests, never a long one. */
export const SCAN_MAX = 20_000

/**
 * Reads forward. `next` is where the following question starts; it is absent when the end of the log was reached.
 * @throws `audit/corrupt`
 */
export async function queryAudit(parts: ControlParts, query: AuditQuery): Promise<Done> {
  const records: object[] = []
  let scanned = 0
  let next: number | undefined
  for await (const record of parts.records(query.seq)) {
    if (records.length >= query.limit || scanned >= SCAN_MAX) {
      next = record.seq
      break
    }
    scanned++
    if (matches(record, query)) records.push(shown(record))
  }
  return {
    answer: { records, scanned, ...(next === undefined ? {} : { next }) },
    facts: { scanned, records: records.length, ...asked(query) },
  }
}

/**
 * Everything the log holds about it except how it lies on the disk, and the signature: one leaves by the data plane, while its
 * version may sign, or not at all. Whoever has to show one has the log.
 */
function shown(record: AuditRecord & { readonly batch?: number; readonly signature?: string }): object {
  const { batch: _, signature: __, ...rest } = record
  return rest
}

function matches(record: AuditRecord, { from, to, key, subject, result, operation }: AuditQuery): boolean {
  const time = Date.parse(record.time)
  if (from !== undefined && !(time >= from)) return false
  if (to !== undefined && !(time < to)) return false
  if (key !== undefined && keyOf(record) !== key) return false
  if (subject !== undefined && record.actor?.subject !== subject) return false
  if (operation !== undefined && operationOf(record) !== operation) return false
  return result === undefined || resultOf(record) === result
}

const keyOf = (record: AuditRecord): unknown => (record.kind === 'event' ? record.detail['key'] : record.key)

const operationOf = (record: AuditRecord): string | undefined =>
  record.kind === 'event' ? record.event : record.operation

function resultOf(record: AuditRecord): unknown {
  switch (record.kind) {
    case 'intent':
      return record.decision
    case 'outcome':
      return record.result
    case 'event':
      return record.detail['outcome']
  }
}

/** The question goes on record too: who looked for whom. */
function asked(query: AuditQuery): Record<string, string | number> {
  const given = Object.entries(query).filter((entry): entry is [string, string | number] => entry[1] !== undefined)
  return Object.fromEntries(given.map(([name, value]) => [`query.${name}`, value]))
}
