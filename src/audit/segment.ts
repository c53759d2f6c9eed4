/** Making segments: a new file, its header, and both on disk before the first record. */
import type { AuditFile, AuditFiles, Head } from './files.ts'
import { frameOf } from './frame.ts'
import { headerPayload, type OpenIntent, segmentName } from './record.ts'

/** Where the next record goes. */
export interface Tail extends Head {
  readonly file: AuditFile
  readonly segment: number
  readonly offset: number
  /** SHA-256 of the last payload in the file, header or record: the `prev` of the next record. */
  readonly prev: string
  /** No record in the file yet. */
  readonly fresh: boolean
}

export interface NewSegment {
  readonly segment: number
  /** The last record before it; `seq` 0 and `GENESIS` for the first segment. */
  readonly after: Head
  /** Hash of the last payload before it; `GENESIS` for the first segment. */
  readonly prev: string
  readonly instance: string
  readonly time: string
  readonly open: readonly OpenIntent[]
}

/** Bounds each step; the log gives its deadline, recovery none. */
export type Bound = <T>(what: string, work: Promise<T>) => Promise<T>
export const unbound: Bound = (_what, work) => work

/** @param exists  a file of this name is there, but its header never reached the disk: it is written anew */
export async function createSegment(files: AuditFiles, start: NewSegment, bound: Bound, exists = false): Promise<Tail> {
  const name = segmentName(start.segment)
  const payload = headerPayload({
    format: 1,
    segment: start.segment,
    firstSeq: start.after.seq + 1,
    head: start.after.hash,
    prev: start.prev,
    instance: start.instance,
    time: start.time,
    open: start.open,
  })
  const frame = frameOf(payload)
  const file = await bound(`open of ${name}`, files.open(name, exists ? 'write' : 'create'))
  if (exists) await bound(`truncate of ${name}`, file.truncate(0))
  await writeWhole(file, frame, 0, name, bound)
  await bound('sync of the directory', files.syncDir())
  return {
    file,
    segment: start.segment,
    offset: frame.length,
    ...start.after,
    prev: files.sha256(payload),
    fresh: true,
  }
}

/**
 * One write, one sync. A short write is an error: what is on disk now is not known, and the log does not guess.
 *
 * @param sync  false where the write went through: then only these bytes are on disk for certain. Recovery and new segments
 *              sync, because that takes along whatever else of the file is not on disk yet.
 */
export async function writeWhole(
  file: AuditFile,
  bytes: Uint8Array,
  at: number,
  name: string,
  bound: Bound,
  sync = true,
): Promise<void> {
  const written = await bound(`write to ${name}`, file.write(bytes, at))
  if (written !== bytes.length) throw new Error(`write to ${name} took ${written} of ${bytes.length} bytes`)
  if (sync) await bound(`sync of ${name}`, file.datasync())
}
