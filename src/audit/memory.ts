/** An audit log without a disk: chained like the real one, gone with the process. For the edge core, where a sink ships the records, and for unit tests. NOT durable. */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import type { AuditEntry, AuditLog, AuditRecord } from '../domain/audit.ts'
import { SignerError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports.ts'
import { groupOf } from './batch.ts'
import { LIMITS } from './files.ts'
import { GENESIS, headerPayload, parseRecord, recordPayload, type StoredRecord } from './record.ts'

export interface MemoryAuditLog extends AuditLog {
  readonly durable: false
  /** The newest records, oldest first. */
  records(): readonly AuditRecord[]
}

export interface MemoryLogOptions {
  readonly clock: Clock
  readonly instance: string
  /** Records kept; 10,000 without it. The chain goes on over those that are let go. */
  readonly keep?: number
  /** Gets each record and its line before `append` resolves; if it rejects, the log is sealed. */
  readonly sink?: (record: AuditRecord, line: Uint8Array) => Promise<void>
}

const hash = (bytes: Uint8Array): string => bytesToHex(sha256(bytes))

export function openMemoryAuditLog({ clock, instance, keep = 10_000, sink }: MemoryLogOptions): MemoryAuditLog {
  const kept: StoredRecord[] = []
  const now = (): string => new Date(clock.now()).toISOString()
  let prev = hash(
    headerPayload({
      format: 1,
      segment: 1,
      firstSeq: 1,
      head: GENESIS,
      prev: GENESIS,
      instance,
      time: now(),
      open: [],
    }),
  )
  let seq = 0
  let sealed: string | undefined
  let isClosed = false
  let last: Promise<unknown> = Promise.resolve()

  const write = async (texts: readonly string[], time: string) => {
    if (sealed !== undefined) throw new SignerError('audit/sealed', { reason: sealed })
    const batch = seq + 1
    for (const text of texts) {
      const line = recordPayload({ seq: seq + 1, time, instance, prev, batch }, text)
      const record = parseRecord(line)!
      try {
        await sink?.(record, line)
      } catch (cause) {
        sealed = 'the audit sink failed'
        throw new SignerError('audit/sealed', { reason: sealed }, { cause })
      }
      kept.push(record)
      if (kept.length > keep) kept.shift()
      seq++
      prev = hash(line)
    }
    return { seq, hash: prev }
  }

  const append = async (entries: readonly AuditEntry[]) => {
    if (isClosed) throw new SignerError('service/stopping', { reason: 'the audit log is closed' })
    const time = now()
    const { texts } = groupOf(entries, time, LIMITS)
    // One after the other, so that a slow sink cannot put groups into each other.
    const turn = last.then(() => write(texts, time))
    last = turn.catch(() => {})
    return turn
  }

  return {
    durable: false,
    append: (...entries) => append(entries),
    get state(): AuditLog['state'] {
      return sealed === undefined ? { kind: 'open' } : { kind: 'sealed', reason: sealed }
    },
    async close() {
      isClosed = true
      await last
    },
    records: () => [...kept],
  }
}
