/** The payloads of frames: segment headers and records, and the chain that joins them. */
import type { AuditRecord, IntentEntry } from '../domain/audit.ts'
import { quote } from './entry.ts'

export const FORMAT = 1
/** `prev` of the first segment. */
export const GENESIS = '0'.repeat(64)

/** As it stands in the file. `batch`: `seq` of the first record synced together with this one. */
export type StoredRecord = AuditRecord & { readonly batch: number }

/** What it takes to close an intent whose process died. */
export interface OpenIntent {
  readonly seq: number
  readonly auditId: string
  readonly requestId: string
  readonly operation: string
  readonly key: string
  readonly version: number
  readonly decision: IntentEntry['decision']
}

export interface SegmentHeader {
  readonly format: typeof FORMAT
  readonly segment: number
  readonly firstSeq: number
  /** Hash of the newest record before this segment. */
  readonly head: string
  /** Hash of the last payload of the segment before, record or header. */
  readonly prev: string
  readonly instance: string
  readonly time: string
  readonly open: readonly OpenIntent[]
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const segmentName = (segment: number): string => `${String(segment).padStart(8, '0')}.log`

/** Undefined: not the name of a segment. */
export function segmentNumber(name: string): number | undefined {
  if (name.length !== 12 || !name.endsWith('.log')) return undefined
  const segment = Number(name.slice(0, 8))
  return Number.isInteger(segment) && segment > 0 && segmentName(segment) === name ? segment : undefined
}

export interface Place {
  readonly seq: number
  readonly time: string
  readonly instance: string
  readonly prev: string
  readonly batch: number
}

/** @param text  from `entryText` */
export function recordPayload(place: Place, text: string): Uint8Array {
  const { seq, time, instance, prev, batch } = place
  return encoder.encode(
    `{"seq":${seq},"time":"${time}","instance":${quote(instance)},"prev":"${prev}","batch":${batch},${text.slice(1)}`,
  )
}

export function headerPayload(header: SegmentHeader): Uint8Array {
  const open = header.open.map(intent => {
    const { seq, auditId, requestId, operation, key, version, decision } = intent
    return `{"seq":${seq},"auditId":${quote(auditId)},"requestId":${quote(requestId)},"operation":${quote(operation)},"key":${quote(key)},"version":${version},"decision":"${decision}"}`
  })
  return encoder.encode(
    `{"format":${FORMAT},"segment":${header.segment},"firstSeq":${header.firstSeq},"head":"${header.head}","prev":"${header.prev}",` +
      `"instance":${quote(header.instance)},"time":"${header.time}","open":[${open.join(',')}]}`,
  )
}

/** Undefined: this is not a record. */
export function parseRecord(payload: Uint8Array): StoredRecord | undefined {
  const value = parseObject(payload)
  if (value === undefined) return undefined
  const { seq, prev, batch, time, instance, kind, auditId } = value
  const whole =
    isCount(seq) &&
    isCount(batch) &&
    batch <= seq &&
    typeof prev === 'string' &&
    typeof time === 'string' &&
    typeof instance === 'string' &&
    typeof auditId === 'string' &&
    (kind === 'intent' || kind === 'outcome' || kind === 'event')
  return whole ? (value as unknown as StoredRecord) : undefined
}

/** Undefined: this is not the header of a segment. */
export function parseHeader(payload: Uint8Array): SegmentHeader | undefined {
  const value = parseObject(payload)
  if (value === undefined) return undefined
  const { format, segment, firstSeq, head, prev, open } = value
  const whole =
    format === FORMAT &&
    isCount(segment) &&
    isCount(firstSeq) &&
    typeof head === 'string' &&
    typeof prev === 'string' &&
    Array.isArray(open)
  return whole ? (value as unknown as SegmentHeader) : undefined
}

function parseObject(payload: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(decoder.decode(payload))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0

/** Keeps the list of intents without an outcome up to date. */
export function follow(open: Map<string, OpenIntent>, record: StoredRecord): void {
  if (record.kind === 'intent') {
    const { seq, auditId, requestId, operation, key, version, decision } = record
    open.set(auditId, { seq, auditId, requestId, operation, key, version, decision })
  } else if (record.kind === 'outcome') {
    open.delete(record.auditId)
  }
}
