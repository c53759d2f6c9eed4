/** What goes to disk together: the groups that waited, as frames, chained. */
import type { AuditEntry, AuditReceipt } from '../domain/audit.ts'
import { SignerError } from '../domain/errors.ts'
import { entryText, PLACE_BYTES, utf8Length } from './entry.ts'
import type { AuditLimits, Head } from './files.ts'
import { FRAME_OVERHEAD, putFrame } from './frame.ts'
import { type OpenIntent, recordPayload } from './record.ts'

/** The entries of one `append`. */
export interface Group {
  readonly entries: readonly AuditEntry[]
  readonly texts: readonly string[]
  /** Upper bound of what the frames of this group take. */
  readonly bytes: number
  /** ISO 8601, of the moment of the call. */
  readonly time: string
}

/** @throws `request/malformed`, `request/too-large` */
export function groupOf(entries: readonly AuditEntry[], time: string, limits: AuditLimits): Group {
  if (entries.length === 0) {
    throw new SignerError('request/malformed', {
      field: 'audit',
      reason: 'no entry',
      fix: 'Append at least one entry.',
    })
  }
  if (entries.length > limits.batchRecords)
    throw new SignerError('request/too-large', { limitBytes: limits.batchBytes })
  const texts = entries.map(entryText)
  const bytes = texts.reduce((sum, text) => sum + utf8Length(text) + PLACE_BYTES + FRAME_OVERHEAD, 0)
  return { entries, texts, bytes, time }
}

/** Takes from the front of `queue` what fits into one batch, at least one group. */
export function takeBatch<G extends Group>(queue: G[], limits: AuditLimits): G[] {
  let records = 0
  let bytes = 0
  let count = 0
  for (const group of queue) {
    records += group.texts.length
    bytes += group.bytes
    if (count > 0 && (records > limits.batchRecords || bytes > limits.batchBytes)) break
    count++
  }
  return queue.splice(0, count)
}

export interface Batch {
  readonly bytes: Uint8Array
  /** One for each group: its last record. */
  readonly receipts: readonly AuditReceipt[]
  readonly head: Head
}

/** @param prev  hash of the payload before, header or record */
export function encodeBatch(
  groups: readonly Group[],
  after: { readonly seq: number; readonly prev: string },
  instance: string,
  sha256: (bytes: Uint8Array) => string,
): Batch {
  const bytes = new Uint8Array(groups.reduce((sum, group) => sum + group.bytes, 0))
  const batch = after.seq + 1
  let { seq, prev } = after
  let at = 0
  const receipts = groups.map(group => {
    for (const text of group.texts) {
      seq++
      const payload = recordPayload({ seq, time: group.time, instance, prev, batch }, text)
      at = putFrame(bytes, at, payload)
      prev = sha256(payload)
    }
    return { seq, hash: prev }
  })
  return { bytes: bytes.subarray(0, at), receipts, head: { seq, hash: prev } }
}

/** After the groups are on disk: which intents still wait for their outcome. `firstSeq` is the `seq` of the first entry. */
export function settle(open: Map<string, OpenIntent>, groups: readonly Group[], firstSeq: number): void {
  let seq = firstSeq
  for (const entry of groups.flatMap(group => group.entries)) {
    if (entry.kind === 'outcome') open.delete(entry.auditId)
    if (entry.kind === 'intent') {
      const { auditId, requestId, operation, key, version, decision } = entry
      open.set(auditId, { seq, auditId, requestId, operation, key, version, decision })
    }
    seq++
  }
}
