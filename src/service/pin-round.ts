import { randomId } from '../bytes/ids.ts'
import type { AuditActor, AuditLog, EventEntry } from '../domain/audit.ts'
import { type AnySignerError, isSignerError } from '../domain/errors.ts'
import type { KeyRegistry, Logger } from '../domain/ports.ts'
import { checkPins, type PinDeps, type PinFinding, type PinOptions, type PinReport } from './pins.ts'
import type { Quarantine } from './quarantine.ts'

export interface PinRoundDeps extends PinDeps {
  readonly audit: Pick<AuditLog, 'append'>
  readonly logger: Logger
  readonly actor: AuditActor
  /** Of the path of a signature, so that what is found here is out at its next look. */
  readonly suspect: Quarantine['suspect']
  readonly suspendBinding: KeyRegistry['suspendBinding']
}

export type PinRoundOptions = Pick<PinOptions, 'name' | 'paceMs' | 'signal' | 'onFinding' | 'onProgress'>

/**
 * One look at every place, and what follows from it. What a version is served from answered wrongly: the version goes into
 * quarantine, as after a wrong answer to a caller. Another of its places did: that place is suspended, as after a shadow that
 * differed, and the version signs on. Who did not answer is told to the log of the process, and nothing is done.
 *
 * On record: the round as `pins-checked`, unless there was nothing to check or it was stopped, and each of these before it is
 * done. All of them carry the id of the round.
 */
export async function pinRound(deps: PinRoundDeps, options: PinRoundOptions): Promise<PinReport> {
  const { audit, logger, actor } = deps
  const auditId = randomId(deps.random, 'a')
  const record = (event: string, detail: EventEntry['detail']) =>
    audit.append({ kind: 'event', auditId, event, actor, detail })

  const suspend = async ({ key, version, binding, provider }: PinFinding, errorCode: string): Promise<void> => {
    const reason = `its answer did not fit the pin: ${errorCode}`
    await record('binding-suspended', { key, version, binding, provider, reason })
    await deps.suspendBinding(binding, reason)
  }
  const arrest = async ({ key, version, binding }: PinFinding, error: AnySignerError): Promise<void> => {
    const { events, enforce } = await deps.suspect({ auditId, actor, key, version, binding }, error)
    try {
      if (events.length > 0) await audit.append(...events)
    } finally {
      await enforce(async () => {})
    }
  }
  const act = async (finding: PinFinding): Promise<void> => {
    const { key, version, binding, provider, first, verdict, error } = finding
    if (error !== undefined) {
      const wrong = verdict === 'wrong'
      logger[wrong ? 'error' : 'warn'](`pin-${verdict}`, { key, version, binding, provider, code: error.code })
      // A log or a store that fails here fails for every caller too, and says so; the other places are looked at all the same.
      if (wrong) {
        await (first ? arrest(finding, error) : suspend(finding, error.code)).catch((failure: unknown) => {
          const code = isSignerError(failure) ? failure.code : 'unexpected'
          logger.error('pin-not-enforced', { key, version, binding, code })
        })
      }
    }
    await options.onFinding?.(finding)
  }

  const report = await checkPins(deps, { ...options, proof: true, onFinding: act })
  const { checked, ok, wrong, unanswered, durationMs, stopped } = report
  if (checked > 0 && !stopped) await record('pins-checked', { checked, ok, wrong, unanswered, durationMs })
  return report
}
