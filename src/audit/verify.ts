/** The whole chain, from the first record of the first segment, without the service: what `countersign audit verify` says. */
import type { AuditFiles, Head } from './files.ts'
import { GENESIS, segmentName } from './record.ts'
import { whyNotTorn } from './tail.ts'
import { listSegments, walk } from './walk.ts'

export type VerifyReport =
  | {
      readonly ok: true
      readonly records: number
      readonly segments: number
      readonly firstSeq: number
      readonly lastSeq: number
      readonly headHash: string
    }
  | {
      readonly ok: false
      /** `torn-tail`: a write was cut off at the very end; the next start cuts it away. `corrupt`: somebody or something changed the log. */
      readonly kind: 'corrupt' | 'torn-tail'
      readonly segment: string
      /** `seq` of the first record that is damaged or missing. */
      readonly record: number
      readonly offset: number
      readonly reason: string
      readonly fix: string
      /** Records before it whose chain holds. */
      readonly records: number
    }

export interface VerifyOptions {
  /** The newest record somebody remembers: a log that is shorter, or different there, fails. */
  readonly head?: Head | undefined
  /** After each chunk of about a megabyte. */
  readonly onProgress?: ((progress: { readonly segment: string; readonly records: number }) => void) | undefined
}

const EVIDENCE =
  "Keep a copy of the directory as evidence, then compare with the exported log and the key service's own log."
const TORN =
  'Start the service (or wait, if it is writing at this moment): it cuts the tail away and records that it did.'

/** Reads only. @returns the first thing that is wrong; throws only what the file system throws */
export async function verifyAuditLog(
  files: AuditFiles,
  { head, onProgress }: VerifyOptions = {},
): Promise<VerifyReport> {
  const { last, missing } = await listSegments(files)
  let records = 0
  let headHash = GENESIS
  let offset = 0
  const failed = (
    segment: number,
    record: number,
    at: number,
    reason: string,
    kind: 'corrupt' | 'torn-tail' = 'corrupt',
  ): VerifyReport => {
    return {
      ok: false,
      kind,
      segment: segmentName(segment),
      record,
      offset: at,
      reason,
      fix: kind === 'corrupt' ? EVIDENCE : TORN,
      records,
    }
  }
  if (last === 0) return failed(1, 1, 0, 'there is no log here')

  for await (const step of walk(files, { from: 1, to: missing === undefined ? last : missing - 1, head })) {
    if (step.kind === 'fault') {
      const reason = await whyNotTorn(files, step, missing === undefined ? last : 0)
      const kind = reason === undefined ? 'torn-tail' : 'corrupt'
      return failed(step.segment, step.record, step.offset, reason ?? step.reason, kind)
    }
    if (step.kind === 'header') {
      offset = step.end
      continue
    }
    for (const { record, hash, offset: at, end } of step.records) {
      if (record.seq === head?.seq && hash !== head.hash)
        return failed(step.segment, record.seq, at, 'this record had other contents when it was written')
      records++
      headHash = hash
      offset = end
    }
    onProgress?.({ segment: segmentName(step.segment), records })
  }
  if (missing !== undefined) return failed(missing, records + 1, 0, 'the segment is missing')
  if (head !== undefined && records < head.seq)
    return failed(last, records + 1, offset, `the log ends at record ${records}, record ${head.seq} was written`)
  return { ok: true, records, segments: last, firstSeq: records === 0 ? 0 : 1, lastSeq: records, headHash }
}
