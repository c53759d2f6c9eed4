import { assertMayServe } from '../../providers/index.ts'
import { fraction } from '../custody/jitter.ts'
import type { AuditActor } from '../domain/audit.ts'
import { isSignerError } from '../domain/errors.ts'
import type { Clock, Logger, World } from '../domain/ports.ts'
import type { KeyProvider } from '../domain/provider.ts'
import type { Check } from '../http/edge.ts'
import { pinRound, type PinRoundDeps } from '../service/pin-round.ts'
import type { PinDeps, PinReport } from '../service/pins.ts'
import { asking, attemptsOf, type CallLimits, trialOf } from './custody.ts'
import type { Environment, Room } from './room.ts'

/** Nobody waits for it, and what did not answer is asked again in the next round. */
const LIMITS: CallLimits = { deadlineMs: 5_000, tries: 2 }
/** Two places a second, so four calls: a fraction of the smallest quota of docs/costs.md, where 1,000 keys take nine minutes. */
const PACE_MS = 500
const HOUR_MS = 60 * 60 * 1000
/** Replicas that were started together drift apart. */
const JITTER = 0.1
const STOP_MS = 1_000
const SYSTEM: AuditActor = { subject: 'system', peer: 'none' }

interface Around {
  readonly keys: PinDeps['registry']
  readonly provider: (name: string) => Promise<KeyProvider>
  readonly environment: Environment
  readonly world: World
}

/** By calls of its own, without guards: a check neither opens a breaker nor takes a place of those who sign. */
export function pinDeps({ keys, provider, environment, world }: Around): PinDeps {
  const { clock, random } = world
  const attempts = attemptsOf(world, LIMITS)
  const ask = asking(attempts, random)
  return {
    clock,
    random,
    registry: keys,
    provider,
    call: run => ask({ provider: 'key service', key: 'pin' }, run),
    trial: trialOf(attempts, provider, random),
    mayServe: (place, { can }) => assertMayServe({ ...place, environment }, can),
  }
}

export interface PinWatch {
  /** Returns at once. */
  start(): void
  readonly check: () => Check
  stop(): Promise<void>
}

interface WatchParts {
  readonly room: Room
  readonly world: World
  readonly logger: Logger
  readonly environment: Environment
  readonly suspect: PinRoundDeps['suspect']
}

/**
 * A round when the service listens, and one every so often after that; a round that the store or the log made impossible is
 * tried again after an hour. Durations are those of the monotonic clock: one that is set back or forward changes nothing.
 */
export function watchPins(everyMs: number, { room, world, logger, environment, suspect }: WatchParts): PinWatch {
  const { clock, random } = world
  const { keys } = room.store
  const deps: PinRoundDeps = {
    ...pinDeps({ keys, provider: room.provider, environment, world }),
    audit: room.audit,
    logger,
    actor: SYSTEM,
    suspect,
    suspendBinding: keys.suspendBinding,
  }
  const stop = new AbortController()
  let last: PinReport | undefined
  let failed: string | undefined
  const round = async (): Promise<number> => {
    try {
      const report = await pinRound(deps, { paceMs: PACE_MS, signal: stop.signal })
      if (!report.stopped) [last, failed] = [report, undefined]
      return everyMs
    } catch (error) {
      failed = isSignerError(error) ? error.code : 'unexpected'
      if (isSignerError(error) && error.code === 'key/mismatch') {
        const { key } = error.detail as { readonly key?: string }
        logger.error('pins-not-checked', { code: failed, key: key ?? '' })
      } else logger.warn('pins-not-checked', { code: failed })
      return Math.min(everyMs, HOUR_MS)
    }
  }
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const ms = await round()
      await longSleep(clock, ms * (1 - JITTER * fraction(random)), stop.signal)
    }
  }
  let running: Promise<void> | undefined
  return {
    start: () => {
      running ??= loop().catch(() => {}) // the only way out is the signal
    },
    // Always ready: a wrong key is out by itself, on every replica, and one that does not answer may be one of thousands.
    // Whether a whole service can be reached is what `providers` says.
    check: () => {
      if (failed !== undefined) return { name: 'pins', ok: true, detail: `the last round ended with ${failed}` }
      const { wrong = 0, unanswered = 0, checked } = last ?? {}
      if (wrong + unanswered === 0) return { name: 'pins', ok: true }
      return {
        name: 'pins',
        ok: true,
        detail: `of ${checked} places ${wrong} were wrong, ${unanswered} did not answer`,
      }
    },
    stop: async () => {
      stop.abort('stopped')
      const ended = new AbortController()
      const late = clock.sleep(STOP_MS, ended.signal).catch(() => {})
      await Promise.race([running, late])
      ended.abort('ended')
    },
  }
}

/** In steps: a timer takes no more than 24 days. */
async function longSleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const end = clock.monotonic() + ms
  for (let left = ms; left > 0 && !signal.aborted; left = end - clock.monotonic()) {
    await clock.sleep(Math.min(left, HOUR_MS), signal)
  }
}
