import type { Random } from '../domain/ports.ts'
import { fraction } from './jitter.ts'
import { createTally } from './tally.ts'

/** `answered`: the service spoke, whatever it said. `failed`: it did not, or said that it cannot. `unsent`: it was not asked. */
export type Verdict = 'answered' | 'failed' | 'unsent'
export type CircuitState = 'closed' | 'open' | 'half-open'

export interface CircuitOptions {
  readonly random: Random
  /** Failures in a row that open it. Under load more are needed: a tenth of the calls of the last ten seconds. */
  readonly failures: number
  /** How long it stays open: a random time between half of this and all of it. */
  readonly resetMs: number
  /** Opens also when so many of the calls of the last ten seconds failed, if there were enough of them. */
  readonly ratio?: number
  /** A further condition for opening. */
  readonly mayOpen?: () => boolean
}

/** Who may probe an open circuit: each lane has one probe at a time and a reset time of its own. */
export type Lane = 'first' | 'second'

export interface Pass {
  readonly generation: number
  readonly probe: Lane | undefined
}

export interface Circuit {
  /** Milliseconds until a call has a chance; 0: now. Changes nothing. */
  waitMs(now: number, lane?: Lane): number
  /** Only when `waitMs` is 0. */
  enter(now: number, lane?: Lane): Pass
  /** @returns what changed: `opened`, `reopened` after a probe that failed, `closed`. */
  leave(now: number, pass: Pass, verdict: Verdict): 'opened' | 'reopened' | 'closed' | undefined
  /** `half-open`: the time is over, and the next call decides, or is about to. */
  state(now: number): CircuitState
  /** Closed, and the last call was answered, or there was none. */
  isWell(): boolean
}

const SPAN_MS = 10_000
const CALLS_FOR_RATIO = 20

/**
 * Closed, it counts; open, it lets nothing pass; when its time is over, one call passes and decides. Answers to calls
 * that were made before it opened no longer count, for they tell of the past.
 */
export function createCircuit(options: CircuitOptions): Circuit {
  const { random, failures, resetMs, ratio = Number.POSITIVE_INFINITY, mayOpen = () => true } = options
  const probeWaitMs = Math.min(resetMs, 1_000)
  const lanes = { first: { due: 0, probing: false }, second: { due: 0, probing: false } }
  let tally = createTally(SPAN_MS)
  let open = false
  let generation = 0
  let inRow = 0

  const later = (now: number): number => now + resetMs * (0.5 + 0.5 * fraction(random))
  const isTooMuch = (now: number): boolean => {
    const { first: calls, second: failed } = tally.sums(now)
    if (inRow >= Math.max(failures, calls / 10)) return true
    return calls >= CALLS_FOR_RATIO && failed >= ratio * calls
  }
  const trip = (now: number): 'opened' => {
    open = true
    generation++
    lanes.first = { due: later(now), probing: false }
    lanes.second = { due: later(now), probing: false }
    return 'opened'
  }
  const close = (): 'closed' => {
    open = false
    generation++
    inRow = 0
    tally = createTally(SPAN_MS)
    return 'closed'
  }

  return {
    waitMs(now, lane = 'first') {
      if (!open) return 0
      const { due, probing } = lanes[lane]
      return probing ? probeWaitMs : Math.max(0, due - now)
    },
    enter(_now, lane = 'first') {
      if (open) lanes[lane].probing = true
      return { generation, probe: open ? lane : undefined }
    },
    leave(now, pass, verdict) {
      if (pass.generation !== generation) return undefined
      if (pass.probe !== undefined) {
        const lane = lanes[pass.probe]
        lane.probing = false
        if (verdict === 'answered') return close()
        if (verdict === 'unsent') return undefined
        lane.due = later(now)
        return 'reopened'
      }
      if (verdict === 'unsent') return undefined
      tally.add(now, 1, verdict === 'failed' ? 1 : 0)
      inRow = verdict === 'failed' ? inRow + 1 : 0
      return inRow > 0 && isTooMuch(now) && mayOpen() ? trip(now) : undefined
    },
    state(now) {
      if (!open) return 'closed'
      return lanes.first.probing || now >= lanes.first.due ? 'half-open' : 'open'
    },
    isWell: () => !open && inRow === 0,
  }
}
