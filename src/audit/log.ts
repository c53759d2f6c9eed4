/**
 * The barrier: an append resolves when its bytes are on disk, or not at all. One writer loop takes all that wait, writes
 * once, syncs once (one call where writes go through), then answers. Whatever goes wrong seals. Laws A1 to A5 of FORMAT.md; every branch here is tested.
 */
import type { AuditEntry, AuditLog, AuditReceipt } from '../domain/audit.ts'
import { SignerError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports.ts'
import { type Batch, encodeBatch, type Group, groupOf, settle, takeBatch } from './batch.ts'
import type { AuditFile, AuditFiles, AuditLimits } from './files.ts'
import type { HeadFollower } from './head.ts'
import type { OpenIntent } from './record.ts'
import { segmentName } from './record.ts'
import { watchOverdue } from './overdue.ts'
import { createSegment, type Tail, writeWhole } from './segment.ts'
import { writeMarker } from './state.ts'

interface Waiting extends Group {
  readonly resolve: (receipt: AuditReceipt) => void
  readonly reject: (error: unknown) => void
}

export interface LogStart {
  readonly files: AuditFiles
  readonly clock: Clock
  readonly instance: string
  readonly limits: AuditLimits
  /** Where recovery found the end. The log owns the file from here on. */
  readonly tail: Tail
  /** Intents without an outcome, by audit id. */
  readonly open: Map<string, OpenIntent>
  /** The open `STATE` file. */
  readonly marker: AuditFile
  readonly head: HeadFollower
  /** Releases the writer's lock. */
  readonly unlock: () => Promise<void>
}

export function startLog(start: LogStart): AuditLog {
  const { files, clock, instance, limits, open, marker, head, unlock } = start
  const queue: Waiting[] = []
  let tail = start.tail
  let sealed: string | undefined
  let marking: Promise<void> | undefined
  let closing: Promise<void> | undefined
  let writing = Promise.resolve()
  let running = false
  const { bound, ...overdue } = watchOverdue(clock, limits.deadlineMs)

  const commit = async (groups: readonly Waiting[]): Promise<Batch> => {
    const bytes = groups.reduce((sum, group) => sum + group.bytes, 0)
    if (tail.offset + bytes > limits.segmentBytes && !tail.fresh) await rotate()
    const batch = encodeBatch(groups, tail, instance, files.sha256)
    const sync = tail.file.writesThrough !== true
    await writeWhole(tail.file, batch.bytes, tail.offset, segmentName(tail.segment), bound, sync)
    return batch
  }

  const rotate = async (): Promise<void> => {
    const full = tail.file
    const { seq, hash, prev } = tail
    const time = new Date(clock.now()).toISOString()
    const next = { segment: tail.segment + 1, after: { seq, hash }, prev, instance, time, open: [...open.values()] }
    tail = await createSegment(files, next, bound)
    await bound('close of the full segment', full.close())
  }

  const write = async (): Promise<void> => {
    // Lets everyone who asks in this turn of the event loop into the first batch.
    await Promise.resolve()
    for (let groups = takeBatch(queue, limits); groups.length > 0; groups = takeBatch(queue, limits)) {
      try {
        const batch = await commit(groups)
        settle(open, groups, tail.seq + 1)
        tail = { ...tail, ...batch.head, prev: batch.head.hash, offset: tail.offset + batch.bytes.length, fresh: false }
        groups.forEach((group, at) => group.resolve(batch.receipts[at]!))
        head.advance(batch.head)
      } catch (cause) {
        seal(cause, groups)
      }
    }
    running = false
  }

  const seal = (cause: unknown, groups: readonly Waiting[]): void => {
    const at = new Date(clock.now()).toISOString()
    sealed = (cause as Error).message
    for (const group of [...groups, ...queue.splice(0)])
      group.reject(new SignerError('audit/sealed', { reason: sealed }, { cause }))
    // Best effort on a disk that just failed: this process stays sealed in any case.
    const mark = writeMarker(marker, { state: 'sealed', reason: sealed, at, segment: tail.segment, seq: tail.seq })
    marking = bound('write of the state marker', mark).catch(() => {})
  }

  const append = async (entries: readonly AuditEntry[]): Promise<AuditReceipt> => {
    if (sealed !== undefined) throw new SignerError('audit/sealed', { reason: sealed })
    if (closing !== undefined) throw new SignerError('service/stopping', { reason: 'the audit log is closed' })
    const group = groupOf(entries, new Date(clock.now()).toISOString(), limits)
    if (isCrowded(entries)) throw new SignerError('service/overloaded', { retryAfterMs: 1_000 })
    return new Promise((resolve, reject) => {
      queue.push({ ...group, resolve, reject })
      if (running) return
      running = true
      writing = write()
    })
  }

  /** Only intents are turned away: what has begun must be able to end. */
  const isCrowded = (entries: readonly AuditEntry[]): boolean =>
    entries.some(entry => entry.kind === 'intent') &&
    (queue.length >= limits.queueMax || open.size >= limits.openIntentsMax)

  const close = async (): Promise<void> => {
    await writing
    await marking
    await head.close()
    const ignore = (): void => {}
    await bound('close', tail.file.close()).catch(ignore)
    await bound('close', marker.close()).catch(ignore)
    overdue.stop()
    // A call that hangs may still write: then the lock goes with the process, not before.
    if (overdue.stuck() === 0) await unlock()
  }

  return {
    append: (...entries) => append(entries),
    get state(): AuditLog['state'] {
      return sealed === undefined ? { kind: 'open' } : { kind: 'sealed', reason: sealed }
    },
    close: () => (closing ??= close()),
  }
}
