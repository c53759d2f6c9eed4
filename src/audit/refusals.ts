/**
 * Refusals before an intent: the first of each window one by one, the rest as a count. A flood of bad requests must not
 * fill the disk that good ones need (T48), and must not go unrecorded either. Callers whose token was good have a window
 * of their own, so that what one of them is refused does not drown in a flood of strangers. So do requests that anybody
 * may make and that give nobody anything, such as the first step of a login (T66).
 */
import type { AuditLog, EventEntry, OutcomeEntry } from '../domain/audit.ts'
import type { Clock } from '../domain/ports.ts'

export interface RefusalLimits {
  /** Recorded one by one in each window. */
  readonly perWindow: number
  readonly windowMs: number
}

export interface Refusals {
  /** Resolves when it is on disk, or at once if it is only counted. @throws `audit/sealed` */
  record(entry: OutcomeEntry | EventEntry): Promise<void>
  /** Writes the count of the running window, if any. */
  flush(): Promise<void>
}

export interface RefusalOptions {
  readonly log: AuditLog
  readonly clock: Clock
  /** For the ids of the summaries. */
  readonly newAuditId: () => string
  readonly limits?: RefusalLimits
}

const DEFAULTS: RefusalLimits = { perWindow: 100, windowMs: 60_000 }
/** Distinct error codes and peers that are told apart: memory stays bounded whatever comes. */
const DISTINCT_MAX = 32
const PEERS_MAX = 1_024

export function createRefusals(options: RefusalOptions): Refusals {
  const strangers = createWindows(options, 'unknown')
  const callers = createWindows(options, 'many')
  const open = createWindows(options, 'unknown', 'requests-summarised')
  return {
    record: entry =>
      (entry.kind === 'event' ? open : entry.actor?.tokenId === undefined ? strangers : callers).record(entry),
    async flush() {
      await Promise.all([strangers.flush(), callers.flush(), open.flush()])
    },
  }
}

function createWindows(
  { log, clock, newAuditId, limits = DEFAULTS }: RefusalOptions,
  subject: string,
  event = 'refusals-summarised',
): Refusals {
  let window = open()

  function open() {
    return {
      at: clock.now(),
      since: clock.monotonic(),
      recorded: 0,
      counted: 0,
      codes: new Map<string, number>(),
      peers: new Set<string>(),
    }
  }

  const summarise = async (past: ReturnType<typeof open>): Promise<void> => {
    if (past.counted === 0) return
    const detail: Record<string, string | number> = {
      since: new Date(past.at).toISOString(),
      recorded: past.recorded,
      counted: past.counted,
      peers: past.peers.size,
    }
    for (const [code, count] of past.codes) detail[`code ${code}`] = count
    await log.append({
      kind: 'event',
      auditId: newAuditId(),
      event,
      actor: { subject, peer: 'many' },
      detail,
    })
  }

  const turn = async (): Promise<void> => {
    const past = window
    window = open()
    await summarise(past)
  }

  const count = (entry: OutcomeEntry | EventEntry): void => {
    const isFirst = window.counted === 0
    window.counted++
    if (window.peers.size < PEERS_MAX) window.peers.add(entry.actor?.peer ?? 'unknown')
    const what = entry.kind === 'event' ? entry.event : (entry.errorCode ?? 'none')
    const code = window.codes.has(what) || window.codes.size < DISTINCT_MAX ? what : 'other'
    window.codes.set(code, (window.codes.get(code) ?? 0) + 1)
    if (!isFirst) return
    // The summary comes even if nobody knocks again. A log that is sealed by then has said so elsewhere.
    const counted = window
    const rest = counted.since + limits.windowMs - clock.monotonic()
    clock
      .sleep(Math.max(0, rest))
      .then(() => (counted === window ? turn() : undefined))
      .catch(() => {})
  }

  return {
    async record(entry) {
      const passing = clock.monotonic() - window.since >= limits.windowMs ? turn() : undefined
      if (window.recorded < limits.perWindow) {
        window.recorded++
        await Promise.all([passing, log.append(entry)])
      } else {
        count(entry)
        await passing
      }
    },
    flush: turn,
  }
}
