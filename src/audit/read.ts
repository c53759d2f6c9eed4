/** Records in order, from any point on, as long as the log grows if that is wanted: `countersign audit tail`. */
import type { Clock } from '../domain/ports.ts'
import type { AuditFiles } from './files.ts'
import type { StoredRecord } from './record.ts'
import { corrupt, findSegment } from './recover.ts'
import { whyNotTorn } from './tail.ts'
import { type Checked, listSegments, walk } from './walk.ts'

export interface ReadOptions {
  /** First record wanted; 1 without it. */
  readonly fromSeq?: number | undefined
  /** Waits for more at the end, until the signal. */
  readonly follow?: { readonly clock: Clock; readonly signal: AbortSignal; readonly everyMs?: number } | undefined
}

/**
 * Reads beside the writer without disturbing it; the newest records may not be on disk yet.
 * @throws `audit/corrupt` at the first break of the chain; a torn tail is where the log ends
 */
export async function* readRecords(
  files: AuditFiles,
  { fromSeq = 1, follow }: ReadOptions = {},
): AsyncGenerator<StoredRecord, void, void> {
  let next = fromSeq
  let after: { readonly segment: number; readonly checked: Checked } | undefined
  for (;;) {
    const { last, missing } = await listSegments(files)
    if (missing !== undefined) throw corrupt(missing, 0, 'the segment is missing')
    const from = after?.segment ?? (await findSegment(files, last, next))
    for await (const step of walk(files, { from, to: last, after: after?.checked })) {
      if (step.kind === 'fault') {
        const reason = await whyNotTorn(files, step, last)
        if (reason !== undefined) throw corrupt(step.segment, step.record, reason)
      } else if (step.kind === 'records') {
        for (const checked of step.records) {
          after = { segment: step.segment, checked }
          if (checked.record.seq < next) continue
          next = checked.record.seq + 1
          yield checked.record
        }
      }
    }
    if (follow === undefined || follow.signal.aborted) return
    try {
      await follow.clock.sleep(follow.everyMs ?? 500, follow.signal)
    } catch {
      return
    }
  }
}

/** `seq` of the newest record, 0 if there is none: where `tail` counts back from. Reads the last segment only. @throws `audit/corrupt` */
export async function newestSeq(files: AuditFiles): Promise<number> {
  const { last } = await listSegments(files)
  let newest = 0
  for await (const step of walk(files, { from: await findSegment(files, last, Number.MAX_SAFE_INTEGER), to: last })) {
    if (step.kind === 'header') newest = step.header.firstSeq - 1
    else if (step.kind === 'records') newest = step.records.at(-1)?.record.seq ?? newest
    else {
      const reason = await whyNotTorn(files, step, last)
      if (reason !== undefined) throw corrupt(step.segment, step.record, reason)
    }
  }
  return newest
}
