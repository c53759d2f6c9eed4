/** Opening the log, and opening it again after a seal. */
import type { AuditActor, AuditEntry, AuditLog } from '../domain/audit.ts'
import { isSignerError, SignerError } from '../domain/errors.ts'
import type { AuditIndex, Clock, Random } from '../domain/ports.ts'
import { INSTANCE_CHARS_MAX, shorten } from './entry.ts'
import { type AuditFile, type AuditFiles, type AuditLimits, type Head, LIMITS } from './files.ts'
import { followHead } from './head.ts'
import { startLog } from './log.ts'
import { readRecords } from './read.ts'
import { corrupt, type OnRecord, type Recovered, type RecoverOptions, recover, type Torn } from './recover.ts'
import { type OpenIntent, segmentNumber } from './record.ts'
import { createSegment, unbound } from './segment.ts'
import { createMarker, type Marker, readMarker, STATE_NAME, writeMarker } from './state.ts'
import { verifyAuditLog } from './verify.ts'

export interface OpenOptions {
  readonly files: AuditFiles
  readonly clock: Clock
  /** For the ids of the log's own records. */
  readonly random?: Random
  /** Which process writes; at most 64 characters. */
  readonly instance: string
  readonly index?: AuditIndex
  /**
   * Gets each record newer than the index head, in order, on disk by then: to rebuild what the store keeps. The index
   * lags, so it may get records it has seen. Without an index it gets all there are.
   */
  readonly onRecord?: OnRecord
  readonly limits?: Partial<AuditLimits>
}

/** What was found and mended at the start. */
export interface Recovery {
  /** Records read; older ones are covered by the index. */
  readonly records: number
  /** The newest record, after the recovery wrote its own. `seq` 0: none yet. */
  readonly head: Head
  readonly truncatedBytes: number
  /** What was cut away, if anything. */
  readonly torn?: Torn | undefined
  /** Audit ids of intents that got the outcome `interrupted` now. */
  readonly interrupted: readonly string[]
}

/**
 * Recovers, then writes. Everything the log says about its own repair is on disk when this resolves.
 * @throws `audit/sealed` while the marker says so · `audit/corrupt` naming segment and record · `start/refused` if
 *         another process writes, the directory is open to others or the disk fails
 */
export async function openAuditLog(options: OpenOptions): Promise<{ log: AuditLog; recovery: Recovery }> {
  const { files } = options
  const unlock = await files.lock()
  let marker: AuditFile | undefined
  try {
    const found = await findMarker(files)
    if (found.reason !== undefined) throw new SignerError('audit/sealed', { reason: found.reason })
    const head = await options.index?.head()
    marker = await createMarker(files, found.exists, openMarker(options))
    const recovered = await recover(files, recoverOptions(options, head))
    const events = tornEvents(options, recovered.torn)
    return await proceed(options, { marker, unlock, recovered, head, events })
  } catch (error) {
    await marker?.close().catch(() => {}) // the error that matters is the one on its way; closing twice is one of them
    await unlock()
    throw asSignerError(error)
  }
}

export interface ReopenOptions extends OpenOptions {
  /** Who orders it. */
  readonly actor: AuditActor
}

/**
 * The operator's answer to a seal (`countersign audit reopen`): verifies the whole log, cuts a torn tail, goes on in a
 * new segment with a record of it, and only then clears the marker. Leaves the log closed.
 * @throws `start/refused` if it is not sealed · `audit/corrupt` · `audit/sealed` if the disk fails again
 */
export async function reopenAuditLog(options: ReopenOptions): Promise<{ recovery: Recovery; wasSealed: string }> {
  const { files, clock, instance, actor } = options
  const unlock = await files.lock()
  try {
    const { exists, reason: wasSealed } = await findMarker(files)
    if (wasSealed === undefined) {
      const fix = 'Start the service: there is nothing to reopen.'
      throw new SignerError('start/refused', { reason: 'the audit log is not sealed', fix })
    }
    const head = await options.index?.head()
    const report = await verifyAuditLog(files, { head })
    if (!report.ok && report.kind === 'corrupt')
      throw corrupt(segmentNumber(report.segment) ?? 0, report.record, report.reason)
    const recovered = await recover(files, recoverOptions(options, head))
    await recovered.tail.file.close()
    const { seq, hash, prev, segment } = recovered.tail
    const open = [...recovered.open.values()]
    const start = {
      segment: segment + 1,
      after: { seq, hash },
      prev,
      instance: named(instance),
      time: isoNow(clock),
      open,
    }
    const tail = await createSegment(files, start, unbound)

    // Sealed on disk until the record of the reopening is there.
    const marker = await createMarker(files, exists, { ...openMarker(options), state: 'sealed', reason: wasSealed })
    const detail = { reason: wasSealed, truncatedBytes: recovered.torn?.bytes ?? 0 }
    const reopened: AuditEntry = { kind: 'event', auditId: newId(options), event: 'audit-reopened', actor, detail }
    const events = [...tornEvents(options, recovered.torn), reopened]
    const keepLock = async (): Promise<void> => {}
    const { log, recovery } = await proceed(options, {
      marker,
      unlock: keepLock,
      recovered: { ...recovered, tail },
      head,
      events,
    })
    await log.close()
    const state = await files.open(STATE_NAME, 'write')
    await writeMarker(state, openMarker(options))
    await state.close()
    return { recovery, wasSealed }
  } catch (error) {
    throw asSignerError(error)
  } finally {
    await unlock()
  }
}

interface Found {
  readonly marker: AuditFile
  readonly unlock: () => Promise<void>
  readonly recovered: Recovered
  readonly head: Head | undefined
  readonly events: readonly AuditEntry[]
}

/** Starts the writer and has it write down what recovery did, before anybody else's records. */
async function proceed(options: OpenOptions, found: Found): Promise<{ log: AuditLog; recovery: Recovery }> {
  const { files, clock, index, onRecord } = options
  const { marker, unlock, recovered, events } = found
  const { tail, open, records, torn } = recovered
  const limits = { ...LIMITS, ...options.limits }
  const interrupted = [...open.values()]
  const head = followHead(index, clock, limits, found.head ?? { seq: 0, hash: '' })
  const log = startLog({ files, clock, instance: named(options.instance), limits, tail, open, marker, head, unlock })
  try {
    const entries = [...events, ...interrupted.map(interruption)]
    const receipts = await Promise.all(entries.map(entry => log.append(entry)))
    if (onRecord !== undefined && entries.length > 0) {
      for await (const record of readRecords(files, { fromSeq: tail.seq + 1 })) await onRecord(record)
    }
    const reached = receipts.at(-1) ?? { seq: tail.seq, hash: tail.hash }
    if (reached.seq > (found.head?.seq ?? 0)) await index?.setHead(reached)
    const truncatedBytes = torn?.bytes ?? 0
    return {
      log,
      recovery: {
        records,
        head: reached,
        truncatedBytes,
        torn,
        interrupted: interrupted.map(intent => intent.auditId),
      },
    }
  } catch (error) {
    await log.close()
    throw error
  }
}

/** `reason` tells why it counts as sealed. */
async function findMarker(files: AuditFiles): Promise<{ readonly exists: boolean; readonly reason?: string }> {
  const names = await files.list()
  const exists = names.includes(STATE_NAME)
  const isNew = !names.some(name => segmentNumber(name) !== undefined)
  if (!exists) return isNew ? { exists } : { exists, reason: 'the state file is missing beside segments' }
  const file = await files.open(STATE_NAME, 'read')
  try {
    const marker = await readMarker(file)
    if (marker?.state === 'sealed') return { exists, reason: marker.reason }
    // Power was cut while the very first one was made: there is no log yet that it could protect.
    return marker !== undefined || isNew ? { exists } : { exists, reason: 'the state file cannot be read' }
  } finally {
    await file.close()
  }
}

const SYSTEM: AuditActor = { subject: 'system', peer: 'none' }

function tornEvents(options: OpenOptions, torn: Torn | undefined): readonly AuditEntry[] {
  if (torn === undefined) return []
  const { segment, offset, bytes: truncatedBytes, record, reason } = torn
  const detail = { segment, offset, truncatedBytes, record, reason }
  return [{ kind: 'event', auditId: newId(options), event: 'audit-recovered', actor: SYSTEM, detail }]
}

const interruption = ({ auditId, requestId, operation, key, version, decision }: OpenIntent): AuditEntry => ({
  kind: 'outcome',
  auditId,
  requestId,
  result: 'interrupted',
  decision,
  operation,
  key,
  version,
  reason: 'the process stopped before the outcome was on disk; nothing was released',
})

const named = (instance: string): string => shorten(instance, INSTANCE_CHARS_MAX - 12)

const isoNow = (clock: Clock): string => new Date(clock.now()).toISOString()

const openMarker = ({ clock }: OpenOptions): Marker => ({
  state: 'open',
  reason: '',
  at: isoNow(clock),
  segment: 0,
  seq: 0,
})

const recoverOptions = ({ clock, instance, onRecord }: OpenOptions, head: Head | undefined): RecoverOptions => ({
  instance: named(instance),
  time: isoNow(clock),
  head,
  onRecord,
})

function newId({ random }: OpenOptions): string {
  const bytes = random?.bytes(16) ?? crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

/** What the system says about a disk becomes a refusal to start; its text may hold paths and stays in the cause. */
function asSignerError(error: unknown): SignerError {
  if (isSignerError(error)) return error
  const code = (error as { code?: unknown } | undefined)?.code
  const reason = `the audit log cannot be opened: ${typeof code === 'string' ? code : 'unexpected error'}`
  return new SignerError(
    'start/refused',
    { reason, fix: 'Check disk, space and permissions of the audit directory.' },
    { cause: error },
  )
}
