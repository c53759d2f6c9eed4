import type { BreakerChange, Resilience } from '../custody/index.ts'
import type { AuditActor, AuditLog } from '../domain/audit.ts'
import type { Clock, Logger } from '../domain/ports.ts'
import type { Check } from '../http/edge.ts'

export interface BreakerJournalOptions {
  readonly audit: Pick<AuditLog, 'append'>
  readonly logger: Logger
  readonly clock: Pick<Clock, 'monotonic'>
  readonly newAuditId: () => string
  readonly perMinute?: number
}

const MINUTE_MS = 60_000
const SYSTEM: AuditActor = { subject: 'system', peer: 'none' }

/**
 * Every change of a breaker goes to the log of the process. Openings and closings go on record too, so many a minute:
 * a service that comes and goes must not fill the audit log. What was left out is counted in the next record.
 */
export function breakerJournal({ audit, logger, clock, newAuditId, perMinute = 30 }: BreakerJournalOptions) {
  let since = Number.NEGATIVE_INFINITY
  let recorded = 0
  let unrecorded = 0
  const mayRecord = (): boolean => {
    const now = clock.monotonic()
    if (now - since >= MINUTE_MS) [since, recorded] = [now, 0]
    return recorded++ < perMinute
  }
  return ({ provider, of, binding, state, again }: BreakerChange): void => {
    const about = { provider, of, ...(binding === undefined ? {} : { binding }) }
    const isNews = !again && state !== 'half-open'
    logger[isNews ? 'warn' : 'info'](`breaker-${state}`, { ...about, ...(again ? { again } : {}) })
    if (!isNews) return
    if (!mayRecord()) return void unrecorded++
    const detail = { ...about, ...(unrecorded === 0 ? {} : { unrecorded }) }
    unrecorded = 0
    audit
      .append({ kind: 'event', auditId: newAuditId(), event: `breaker-${state}`, actor: SYSTEM, detail })
      .catch(error => logger.error('breaker-unrecorded', { message: String(error) }))
  }
}

/**
 * Ready as long as one key service may be asked: with one of two down, an instance taken out of service would be missing
 * for the keys of the other. A breaker whose time is over counts as well, for only a request can find out.
 */
export function providersCheck(names: readonly string[], { stateOf }: Pick<Resilience, 'stateOf'>): Check {
  const states = names.map(name => ({ name, ...stateOf(name) }))
  const ok = states.length === 0 || states.some(({ state }) => state !== 'open')
  const troubled = states.filter(({ state, keysOpen }) => state !== 'closed' || keysOpen > 0)
  if (troubled.length === 0) return { name: 'providers', ok }
  const said = troubled.map(({ name, state, keysOpen }) => `${name}: ${state}, ${keysOpen} of its keys open`)
  return { name: 'providers', ok, detail: said.join('; ') }
}
