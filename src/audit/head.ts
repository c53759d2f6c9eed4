/** The index head follows the log: after so many records or so much time, behind the appends, never in their way. */
import type { AuditIndex, Clock } from '../domain/ports.ts'
import type { AuditLimits, Head } from './files.ts'

export interface HeadFollower {
  /** These records are on disk. Returns at once. */
  advance(head: Head): void
  /** Brings the index up to date and stops. Never rejects: an index that lags is caught up at the next start. */
  close(): Promise<void>
}

export function followHead(
  index: AuditIndex | undefined,
  clock: Clock,
  limits: AuditLimits,
  start: Head,
): HeadFollower {
  if (index === undefined) return { advance: () => {}, close: async () => {} }
  let known = start
  let durable = start
  let setting: Promise<void> | undefined
  let alarm: AbortController | undefined

  const set = (): void => {
    if (setting !== undefined || durable.seq === known.seq) return
    alarm?.abort()
    alarm = undefined
    const head = durable
    const done = (): void => {
      known = head
      setting = undefined
    }
    // A refusal counts as done: the next advance tries again with a newer head.
    setting = index.setHead(head).then(done, done)
  }
  const arm = (): void => {
    if (alarm !== undefined) return
    alarm = new AbortController()
    clock.sleep(limits.headEveryMs, alarm.signal).then(set, () => {})
  }

  return {
    advance(head) {
      durable = head
      if (head.seq - known.seq >= limits.headEveryRecords) set()
      else arm()
    },
    async close() {
      await setting
      set()
      await setting
      alarm?.abort()
    },
  }
}
