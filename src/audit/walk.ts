/** Walks the chain over segments and says where it breaks. Verify, recovery and readers all see the log through this. */
import type { AuditFiles, Head } from './files.ts'
import {
  GENESIS,
  parseHeader,
  parseRecord,
  segmentName,
  type SegmentHeader,
  segmentNumber,
  type StoredRecord,
} from './record.ts'
import { scanFrames } from './scan.ts'

export interface Checked {
  readonly record: StoredRecord
  readonly hash: string
  readonly offset: number
  readonly end: number
}

export interface Fault {
  readonly kind: 'fault'
  readonly segment: number
  /** The first record that is damaged or missing. */
  readonly record: number
  readonly offset: number
  readonly reason: string
  /** A frame is not whole: in the last segment this may be a torn write. Otherwise checksums hold and the contents are wrong. */
  readonly isFrame: boolean
  /** Length of the segment when it was read; a writer may have gone on since. */
  readonly size: number
}

export type Step =
  | {
      readonly kind: 'header'
      readonly header: SegmentHeader
      readonly hash: string
      readonly end: number
      readonly payload: number
    }
  | { readonly kind: 'records'; readonly segment: number; readonly records: readonly Checked[] }
  | Fault

/** Something with a hash and a `prev`: a header or a record. */
interface Link {
  readonly segment: number
  readonly record: number
  readonly offset: number
  readonly hash: string
  readonly prev: string
}

/** The numbers of all segments, or where the first gap is. */
export async function listSegments(files: AuditFiles): Promise<{ readonly last: number; readonly missing?: number }> {
  const numbers = (await files.list()).flatMap(name => segmentNumber(name) ?? []).toSorted((a, b) => a - b)
  const missing = numbers.findIndex((number, at) => number !== at + 1)
  return missing < 0 ? { last: numbers.length } : { last: numbers.length, missing: missing + 1 }
}

export interface WalkOptions {
  readonly from: number
  readonly to: number
  /** The newest record the index knows: settles which of two records was changed at the very end. */
  readonly head?: Head | undefined
  /** Go on behind this record of segment `from` instead of at its start. */
  readonly after?: Checked | undefined
}

/** Ends after the last segment or after the first fault. The header of the first segment walked is taken at its word. */
export async function* walk(
  files: AuditFiles,
  { from, to, head, after }: WalkOptions,
): AsyncGenerator<Step, void, void> {
  let before = after && linkOf(from, after)
  /** `later.prev` is not the hash of `earlier`: the next link tells which of the two is wrong. */
  let doubt: { readonly earlier: Link; readonly later: Link } | undefined
  let expected = after !== undefined ? after.record.seq + 1 : from === 1 ? 1 : 0
  let batch = after?.record.batch ?? 0

  const join = (link: Link): Fault | undefined => {
    if (doubt !== undefined) {
      const answered = settled(doubt, link.prev)
      doubt = undefined
      return answered
    }
    if (before !== undefined && link.prev !== before.hash) doubt = { earlier: before, later: link }
    before = link
    return undefined
  }

  function openDoubt(): Fault | undefined {
    return doubt === undefined ? undefined : settled(doubt, doubt.later.record === head?.seq ? head.hash : undefined)
  }

  for (let segment = from; segment <= to; segment++) {
    const file = await files.open(segmentName(segment), 'read')
    try {
      const size = await file.size()
      const fault = (offset: number, reason: string, isFrame = false): Fault => ({
        kind: 'fault',
        segment,
        record: expected,
        offset,
        reason,
        isFrame,
        size,
      })
      if (size === 0) {
        yield openDoubt() ?? fault(0, 'the segment is empty', true)
        return
      }
      for await (const chunk of scanFrames(file, size, segment === from ? after?.end : 0)) {
        const records: Checked[] = []
        let broken: Fault | undefined
        for (const { offset, end, payload } of chunk.frames) {
          const hash = files.sha256(payload)
          if (offset === 0) {
            const header = parseHeader(payload)
            broken =
              header === undefined
                ? fault(0, 'the first frame is no segment header')
                : headerFault(header, segment, expected, before, fault)
            if (broken !== undefined || header === undefined) break
            expected = header.firstSeq
            batch = 0
            broken = join({ segment, record: expected, offset, hash, prev: header.prev })
            if (broken !== undefined) break
            yield { kind: 'header', header, hash, end, payload: payload.length }
            continue
          }
          const record = parseRecord(payload)
          if (record === undefined) broken = fault(offset, 'the payload is no record')
          else if (record.seq !== expected)
            broken = fault(offset, `record ${record.seq} stands in the place of record ${expected}`)
          else if (record.batch !== batch && record.batch !== record.seq)
            broken = fault(offset, 'the record names a batch it cannot belong to')
          else broken = join({ segment, record: expected, offset, hash, prev: record.prev })
          if (broken !== undefined || record === undefined) break
          batch = record.batch
          if (doubt === undefined) records.push({ record, hash, offset, end })
          expected++
        }
        if (records.length > 0) yield { kind: 'records', segment, records }
        if (broken === undefined && chunk.damage !== undefined) {
          broken = fault(chunk.damage.at, chunk.damage.reason, true)
        }
        if (broken !== undefined) {
          yield openDoubt() ?? broken
          return
        }
      }
    } finally {
      await file.close()
    }
  }
  const last = openDoubt()
  if (last !== undefined) yield last
}

const linkOf = (segment: number, { record, hash, offset }: Checked): Link => ({
  segment,
  record: record.seq,
  offset,
  hash,
  prev: record.prev,
})

/** @param witness  what the link behind says the hash of `later` is */
function settled({ earlier, later }: { earlier: Link; later: Link }, witness: string | undefined): Fault {
  // Without a witness for `later`, the plain reading: `earlier` is not what it was when `later` was written.
  const wrong = witness !== undefined && witness !== later.hash ? later : earlier
  const { segment, record, offset } = wrong
  const reason =
    wrong === earlier
      ? 'the contents are not what the record behind was chained to'
      : 'the record is not chained to the one before'
  return { kind: 'fault', segment, record, offset, reason, isFrame: false, size: 0 }
}

function headerFault(
  header: SegmentHeader,
  segment: number,
  expected: number,
  before: Link | undefined,
  fault: (offset: number, reason: string) => Fault,
): Fault | undefined {
  if (header.segment !== segment) return fault(0, `the header belongs to segment ${header.segment}`)
  if (segment === 1 && header.prev !== GENESIS) return fault(0, 'the first segment names a segment before it')
  if (expected === 0 || header.firstSeq === expected) return undefined
  if (header.firstSeq < expected || before === undefined)
    return fault(0, `the segment starts at record ${header.firstSeq} instead of ${expected}`)
  const reason = `records ${expected} to ${header.firstSeq - 1} are missing at the end of the segment`
  return {
    kind: 'fault',
    segment: before.segment,
    record: expected,
    offset: before.offset,
    reason,
    isFrame: false,
    size: 0,
  }
}
