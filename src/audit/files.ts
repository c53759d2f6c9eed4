/**
 * What the audit log asks of a file system: one flat directory. `node-files.ts` is the real one, `memory-files.ts`
 * the one that fails on demand. Errors are passed on as the system gave them; the log decides what they mean.
 */
export interface AuditFile {
  /**
   * `write` itself resolves only when bytes and length are on disk, as after `datasync`, and rejects when that fails: a
   * file opened O_DSYNC, which saves a call. Absent or false: a write counts after `datasync`.
   */
  readonly writesThrough?: boolean
  /** Writes at `position` and answers how many bytes were taken, which may be fewer than offered. */
  write(bytes: Uint8Array, position: number): Promise<number>
  /** Fills `into` from `position` and answers how many bytes there were: fewer only at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>
  /** Resolves when the contents and the length are on disk (`fdatasync`). Nothing to do after a write that went through. */
  datasync(): Promise<void>
  truncate(length: number): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

export interface AuditFiles {
  /** For messages: where this is. */
  readonly where: string
  /** SHA-256 as lower-case hex. It belongs to the port because the fastest one differs by runtime. */
  readonly sha256: (bytes: Uint8Array) => string
  /** Names in the directory, in any order. */
  list(): Promise<readonly string[]>
  /** `create` fails if the name exists; `write` and `read` fail if it does not. */
  open(name: string, how: 'create' | 'write' | 'read'): Promise<AuditFile>
  /** Resolves when names made or removed are on disk. */
  syncDir(): Promise<void>
  /** Becomes the only writer. @returns the release. @throws `start/refused` while another one lives */
  lock(): Promise<() => Promise<void>>
}

export interface Head {
  readonly seq: number
  readonly hash: string
}

export interface AuditLimits {
  /** A segment that would grow beyond this is followed by a new one. */
  readonly segmentBytes: number
  /** Most records of one write and sync. */
  readonly batchRecords: number
  /** Most bytes of one write and sync; a single `append` may exceed it. */
  readonly batchBytes: number
  /** A write or sync that takes longer has failed. */
  readonly deadlineMs: number
  /** Appends that may wait; beyond it, new intents are refused with `service/overloaded`. Outcomes never are. */
  readonly queueMax: number
  /** Intents that may be without an outcome at a time. */
  readonly openIntentsMax: number
  /** The index head follows after so many records … */
  readonly headEveryRecords: number
  /** … or so many milliseconds. */
  readonly headEveryMs: number
}

export const LIMITS: AuditLimits = Object.freeze({
  segmentBytes: 64 * 1024 * 1024,
  batchRecords: 64,
  batchBytes: 1024 * 1024,
  deadlineMs: 5_000,
  queueMax: 4_096,
  openIntentsMax: 4_096,
  headEveryRecords: 256,
  headEveryMs: 1_000,
})
