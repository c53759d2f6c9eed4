/** What the log holds after a stop of any kind, and its end made sound. Reads what is newer than the index, at least the last segment. */
import type { AuditRecord } from '../domain/audit.ts'
import { SignerError } from '../domain/errors.ts'
import type { AuditFiles, Head } from './files.ts'
import {
  follow,
  GENESIS,
  type OpenIntent,
  parseHeader,
  segmentName,
  type SegmentHeader,
  type StoredRecord,
} from './record.ts'
import { scanFrames } from './scan.ts'
import { createSegment, type Tail, unbound, writeWhole } from './segment.ts'
import { whyNotTorn } from './tail.ts'
import { type Fault, listSegments, walk } from './walk.ts'

/** Called in the order of the log. May be called again for records it has seen: the index lags. */
export type OnRecord = (record: AuditRecord) => void | Promise<void>

export interface RecoverOptions {
  readonly instance: string
  /** ISO 8601, for the header if the first segment is made now. */
  readonly time: string
  /** The newest record the index knows. */
  readonly head?: Head | undefined
  readonly onRecord?: OnRecord | undefined
}

export interface Torn {
  readonly segment: string
  readonly offset: number
  readonly bytes: number
  /** The first record that was not whole. */
  readonly record: number
  readonly reason: string
}

export interface Recovered {
  readonly tail: Tail
  readonly open: Map<string, OpenIntent>
  /** Records read, not all there are. */
  readonly records: number
  readonly torn?: Torn | undefined
}

interface End extends Head {
  segment: number
  offset: number
  prev: string
  fresh: boolean
  /** Where the last batch starts: the only bytes that can be unsynced. */
  batchOffset: number
}

const NOTHING: Head = { seq: 0, hash: GENESIS }

/** @throws `audit/corrupt`, and then nothing was changed on disk */
export async function recover(files: AuditFiles, options: RecoverOptions): Promise<Recovered> {
  const { head, instance, time, onRecord } = options
  const { last, missing } = await listSegments(files)
  if (missing !== undefined) throw corrupt(missing, 0, 'the segment is missing')
  if (last === 0) {
    if (head !== undefined) throw corrupt(1, 1, `the log is empty, the index knows record ${head.seq}`)
    const first = { segment: 1, after: NOTHING, prev: GENESIS, instance, time, open: [] }
    const tail = await createSegment(files, first, unbound)
    return { tail, open: new Map(), records: 0 }
  }

  const open = new Map<string, OpenIntent>()
  const held: StoredRecord[] = []
  let records = 0
  let end: End | undefined
  let fault: Fault | undefined
  const release = async (): Promise<void> => {
    if (onRecord !== undefined) for (const record of held) if (record.seq > (head?.seq ?? 0)) await onRecord(record)
    held.length = 0
  }

  for await (const step of walk(files, { from: await firstToRead(files, last, options), to: last, head })) {
    if (step.kind === 'fault') fault = step
    else if (step.kind === 'header') {
      const { header, hash, end: offset } = step
      if (end === undefined) for (const intent of header.open) open.set(intent.auditId, intent)
      end = {
        seq: header.firstSeq - 1,
        hash: header.head,
        segment: header.segment,
        offset,
        prev: hash,
        fresh: true,
        batchOffset: 0,
      }
    } else {
      for (const { record, hash, offset, end: after } of step.records) {
        if (record.seq === head?.seq && hash !== head.hash)
          throw corrupt(step.segment, record.seq, 'the index knows this record with other contents')
        const isNewBatch = record.batch === record.seq
        // A batch is handed on once the next one shows that it was on disk; the last one after it was made so.
        if (isNewBatch) await release()
        held.push(record)
        follow(open, record)
        records++
        const batchOffset = isNewBatch ? offset : end!.batchOffset
        end = { seq: record.seq, hash, segment: step.segment, offset: after, prev: hash, fresh: false, batchOffset }
      }
    }
  }

  const reason = fault === undefined ? undefined : await whyNotTorn(files, fault, last)
  if (fault !== undefined && reason !== undefined) throw corrupt(fault.segment, fault.record, reason)
  const reached = end ?? NOTHING
  if (head !== undefined && reached.seq < head.seq)
    throw corrupt(last, reached.seq + 1, `the log ends at record ${reached.seq}, the index knows record ${head.seq}`)

  const { tail, torn } = await mend(files, last, end, fault, options, open)
  await release()
  return { tail, open, records, torn }
}

/** Cuts the torn tail and puts the last batch on disk once more: a failed sync may have left its pages clean and unwritten. */
async function mend(
  files: AuditFiles,
  last: number,
  end: End | undefined,
  fault: Fault | undefined,
  { instance, time }: RecoverOptions,
  open: ReadonlyMap<string, OpenIntent>,
): Promise<{ tail: Tail; torn?: Torn | undefined }> {
  const name = segmentName(last)
  const file = await files.open(name, 'write')
  const torn =
    fault === undefined
      ? undefined
      : {
          segment: name,
          offset: fault.offset,
          bytes: (await file.size()) - fault.offset,
          record: fault.record,
          reason: fault.reason,
        }
  if (end === undefined || end.segment !== last) {
    await file.close()
    const after = end === undefined ? NOTHING : { seq: end.seq, hash: end.hash }
    const again = { segment: last, after, prev: end?.prev ?? GENESIS, instance, time, open: [...open.values()] }
    const tail = await createSegment(files, again, unbound, true)
    return { tail, torn }
  }
  if (torn !== undefined) await file.truncate(end.offset)
  const again = new Uint8Array(end.offset - end.batchOffset)
  await file.read(again, end.batchOffset)
  await writeWhole(file, again, end.batchOffset, name, unbound)
  const { seq, hash, segment, offset, prev, fresh } = end
  return { tail: { file, seq, hash, segment, offset, prev, fresh }, torn }
}

/** The newest segment that starts at or before what is wanted and whose header can be read; else the first. */
async function firstToRead(files: AuditFiles, last: number, { head, onRecord }: RecoverOptions): Promise<number> {
  const wanted = head?.seq ?? (onRecord === undefined ? Number.MAX_SAFE_INTEGER : 1)
  return findSegment(files, last, wanted)
}

/** The newest segment up to `last` that starts at or before record `seq`. */
export async function findSegment(files: AuditFiles, last: number, seq: number): Promise<number> {
  for (let segment = last; segment > 1; segment--) {
    const header = await readHeader(files, segment)
    if (header !== undefined && header.firstSeq <= seq) return segment
  }
  return 1
}

async function readHeader(files: AuditFiles, segment: number): Promise<SegmentHeader | undefined> {
  const file = await files.open(segmentName(segment), 'read')
  try {
    for await (const { frames } of scanFrames(file, await file.size())) {
      const first = frames[0]
      if (first !== undefined) return first.offset === 0 ? parseHeader(first.payload) : undefined
    }
    return undefined
  } finally {
    await file.close()
  }
}

export const corrupt = (segment: number, record: number, reason: string): SignerError =>
  new SignerError('audit/corrupt', { segment: segmentName(segment), record, reason })
