/** A world for tests of the audit log: a clock that is told, entries with recognisable contents, and small helpers. */
import { createHash } from 'node:crypto'
import type { AuditEntry, AuditLog, EventEntry, IntentEntry, OutcomeEntry } from '../../src/domain/audit.ts'
import { isSignerError } from '../../src/domain/errors.ts'
import type { AuditIndex, Clock } from '../../src/domain/ports.ts'
import type { AuditFiles, Head } from '../../src/audit/files.ts'
import { createMemoryFiles, type MemoryFiles } from '../../src/audit/memory-files.ts'
import { type OpenOptions, openAuditLog, type Recovery } from '../../src/audit/open.ts'
import { readRecords } from '../../src/audit/read.ts'
import type { StoredRecord } from '../../src/audit/record.ts'

export interface ManualClock extends Clock {
  advance(ms: number): void
}

export function manualClock(start = Date.UTC(2026, 0, 1)): ManualClock {
  let passed = 0
  const sleepers = new Set<{ readonly due: number; readonly wake: () => void }>()
  return {
    now: () => start + passed,
    monotonic: () => passed,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const sleeper = { due: passed + ms, wake: resolve }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', () => {
          sleepers.delete(sleeper)
          reject(signal.reason as Error)
        })
      }),
    advance(ms) {
      passed += ms
      for (const sleeper of sleepers) {
        if (sleeper.due > passed) continue
        sleepers.delete(sleeper)
        sleeper.wake()
      }
    },
  }
}

/** For child processes and measurements. */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms)
      signal?.addEventListener('abort', () => {
        clearTimeout(timer)
        reject(signal.reason as Error)
      })
    }),
}

/** Lets everything that can go on go on. */
export const settle = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

export const intent = (id: string, more: Partial<IntentEntry> = {}): IntentEntry => ({
  kind: 'intent',
  auditId: id,
  requestId: `request-${id}`,
  actor: { subject: 'payments', tokenId: 'token-7', peer: '127.0.0.1' },
  operation: 'sign',
  key: 'treasury',
  version: 1,
  address: 'GBRPYHIL2CI3FNQ4BXLFMNDLFJUNPU2HY3ZMFSHONUCEOASW7QC7OX2H',
  network: 'testnet',
  payloadType: 'stellar-transaction',
  digest: '7f'.repeat(32),
  summary: 'Pays 10 XLM from treasury to GA…',
  decision: 'allow',
  policyHash: 'ab'.repeat(32),
  idempotency: { scope: 'payments', key: `idem-${id}`, fingerprint: '01'.repeat(32) },
  ...more,
})

export const outcome = (id: string, more: Partial<OutcomeEntry> = {}): OutcomeEntry => ({
  kind: 'outcome',
  auditId: id,
  requestId: `request-${id}`,
  result: 'released',
  decision: 'allow',
  key: 'treasury',
  version: 1,
  provider: 'mock',
  signature: Buffer.from(new Uint8Array(64).fill(9)).toString('base64'),
  durationMs: 12,
  ...more,
})

export const event = (id: string, more: Partial<EventEntry> = {}): EventEntry => ({
  kind: 'event',
  auditId: id,
  event: 'tested',
  actor: { subject: 'operator', peer: 'cli' },
  detail: { id, pad: 'x'.repeat(20) },
  ...more,
})

export const openLog = (
  files: AuditFiles,
  more: Partial<OpenOptions> = {},
): Promise<{ log: AuditLog; recovery: Recovery }> =>
  openAuditLog({ files, clock: manualClock(), instance: 'test', ...more })

/** The native hash, for tests that check many records. */
export function fastFiles(files: MemoryFiles = createMemoryFiles()): MemoryFiles {
  return Object.assign(files, { sha256: (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex') })
}

/** A closed log of `count` events, four to a batch. */
export async function logOf(count: number, segmentBytes?: number, make: (id: string) => AuditEntry = id => event(id)) {
  const files = fastFiles()
  const index = memoryIndex()
  const limits = segmentBytes === undefined ? {} : { segmentBytes }
  const { log } = await openLog(files, { index, limits })
  for (let at = 0; at < count; at += 4) {
    const wave = Array.from({ length: Math.min(4, count - at) }, (_, n) => log.append(make(`e${at + n + 1}`)))
    await Promise.all(wave)
  }
  await log.close()
  return { files, head: (await index.head())!, index }
}

export function memoryIndex(start?: Head): AuditIndex & { readonly set: Head[] } {
  const set: Head[] = start === undefined ? [] : [start]
  return {
    set,
    head: async () => set.at(-1),
    setHead: async head => void set.push(head),
  }
}

export async function allRecords(files: AuditFiles, fromSeq?: number): Promise<StoredRecord[]> {
  const records: StoredRecord[] = []
  for await (const record of readRecords(files, { fromSeq })) records.push(record)
  return records
}

/** Small, fast, seeded (mulberry32); prints reproduce it. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export const withCode = (code: string) => (error: unknown) => isSignerError(error) && error.code === code

/** Resolved, rejected with this code, or still waiting. */
export function watch(promise: Promise<unknown>): { readonly state: string } {
  const watched = { state: 'waiting' }
  promise.then(
    () => (watched.state = 'resolved'),
    (error: unknown) => (watched.state = isSignerError(error) ? error.code : String(error)),
  )
  return watched
}
