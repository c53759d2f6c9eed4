/** What others are told of by webhook, and the queue it waits in until it has arrived. */

export const NOTICE_EVENTS = [
  'proposal.opened',
  'proposal.signed',
  'proposal.ready',
  'proposal.executed',
  'proposal.failed',
  'proposal.cancelled',
  'proposal.expired',
] as const
export type NoticeEvent = (typeof NOTICE_EVENTS)[number]

export interface Notice {
  /** The same for the same happening, however often it is sent: who receives it twice can tell. */
  readonly id: string
  readonly event: NoticeEvent
  /** JSON text, as it is sent. */
  readonly body: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

export interface QueuedNotice extends Notice {
  /** How often it was handed out, this time included. */
  readonly tries: number
}

/** At least once: what was handed out and never ended is handed out again. */
export interface NoticeQueue {
  /** What is due, the oldest first; nobody else gets it before `until`. One atomic step. */
  take(now: number, until: number, limit: number): Promise<readonly QueuedNotice[]>
  /** It has arrived, or nobody will try any more. */
  end(id: string): Promise<void>
  postpone(id: string, until: number): Promise<void>
}
