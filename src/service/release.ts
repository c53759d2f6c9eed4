import type { AuditReceipt, Decision } from '../domain/audit.ts'
import { type AnySignerError, isSignerError, SignerError } from '../domain/errors.ts'
import { type Key, maySign, type VersionState } from '../domain/key.ts'
import type { Clock } from '../domain/ports.ts'
import type { Verified } from './verify-after-sign.ts'

/**
 * How long what was read of a version's state may be relied upon, in milliseconds of the reader's own clocks. Whoever
 * lets a signature out does so within this time of a look, or looks again; and a revocation is acknowledged later than this
 * after the state has changed (`SETTLED_MS`). So a process that stood still in between lets nothing out, wherever it runs.
 */
export const LOOK_GOOD_MS = 500
/** From the change of a state to the moment at which nobody relies on a look from before. More, since clocks do not run alike. */
export const SETTLED_MS = LOOK_GOOD_MS + 100
/** A store that is asked so often and answers too late every time is not there. */
const LOOKS_MAX = 4

/** What was read of the state of a version, of one that may sign. */
export interface Look {
  readonly state: VersionState
  /** Before it was asked for: what was read held then, or later. */
  readonly at: Moment
  /** @throws `key/not-active`, on record: it does not leave */
  again(): Promise<Look>
  /** Puts on record that it does not leave. @returns what is to be told */
  withhold(error: AnySignerError): Promise<AnySignerError>
}

/** By both clocks: the one that only grows stands still while the machine is suspended, the other one may be set. */
export interface Moment {
  readonly monotonic: number
  readonly now: number
}
type Clocks = Pick<Clock, 'monotonic' | 'now'>

export const momentOf = (clock: Clocks): Moment => ({ monotonic: clock.monotonic(), now: clock.now() })

const isLate = (clock: Clocks, { monotonic, now }: Moment): boolean =>
  clock.monotonic() - monotonic > LOOK_GOOD_MS || Math.abs(clock.now() - now) > LOOK_GOOD_MS

function tooSlow(): SignerError<'store/unavailable'> {
  const reason = `the state of a version takes longer to read than the ${LOOK_GOOD_MS} ms it is good for`
  return new SignerError('store/unavailable', { reason })
}

/** What must be in hand before a signature leaves. Each member can only be had by doing the step. */
export interface Evidence {
  readonly verified: Verified
  readonly intent: AuditReceipt
  readonly outcome: AuditReceipt
  readonly decision: Decision
  readonly look: Look
  readonly key: Key
}

/**
 * What may leave, not yet outside: the one way to it is `leave` (or `leaveTogether`), which looks at the state again where the
 * last look is old. So a new way out cannot forget to.
 */
class Released<T> {
  readonly #inside: T
  #look: Look
  constructor(inside: T, look: Look) {
    this.#inside = inside
    this.#look = look
  }

  /** The same in another form. */
  as<U>(form: (inside: T) => U): Released<U> {
    return new Released(form(this.#inside), this.#look)
  }

  static inside<T>(released: Released<T>): T {
    return released.#inside
  }

  /** @returns undefined when somebody must look first; otherwise it has left, so what is returned goes out without waiting */
  static out<T>(released: Released<T>, clock: Clocks): { readonly answer: T } | undefined {
    return isLate(clock, released.#look.at) ? undefined : { answer: released.#inside }
  }

  /** @throws `key/not-active`, on record */
  static async look<T>(released: Released<T>): Promise<void> {
    released.#look = await released.#look.again()
  }

  /** @returns why it does not leave, on record */
  static withhold<T>(released: Released<T>): Promise<AnySignerError> {
    return released.#look.withhold(tooSlow())
  }
}

export type { Released }

/** For what goes on inside and is told to nobody: whatever comes of it asks again before it leaves. `test/architecture` knows who may. */
export const insideOf = <T>(released: Released<T>): T => Released.inside(released)

/**
 * The first way to a `Released`. Asserts the invariants of docs/architecture.md in production as in tests:
 * I1 verified under the pinned key · I2 intent and outcome durable, in that order · I4 allowed under the policy now on
 * record · I5 the version may sign. (I3 holds by the reservation, I6 by the types, I7 by the log, I8 by every default.)
 */
export function release<T>(evidence: Evidence, answer: () => T): Released<T> {
  const { intent, outcome, decision, key } = evidence
  if (!(intent.seq < outcome.seq)) throw broken('I2')
  if (decision.kind !== 'allow' || decision.policyHash !== key.policyHash) throw broken('I4')
  return releaseAgain(evidence, answer)
}

/** The second: what was released before, for a retry. I1 and I5 hold for it anew. */
export function releaseAgain<T>({ verified, look }: Pick<Evidence, 'verified' | 'look'>, answer: () => T): Released<T> {
  if (verified.under.length === 0) throw broken('I1')
  if (!maySign(look.state)) throw broken('I5')
  return new Released(answer(), look)
}

const broken = (invariant: string) => new SignerError('internal', { incident: `invariant-${invariant}` })

/**
 * Asks until an answer is so fresh that one may rely on it, for what is no `Released`.
 * @throws `store/unavailable` when it takes too long every time
 */
export async function freshly<T>(clock: Clocks, ask: () => Promise<T>): Promise<T> {
  for (let looks = 0; looks < LOOKS_MAX; looks++) {
    const at = momentOf(clock)
    const answer = await ask()
    if (!isLate(clock, at)) return answer
  }
  throw tooSlow()
}

/** One of several that were asked for together. */
export type Settled<T> = { readonly answer: T } | { readonly refused: AnySignerError }
export type Pending<T> = { readonly released: Released<T> } | { readonly refused: AnySignerError }

interface Leaving {
  readonly clock: Clocks
  /** Gives an unexpected throw a number. */
  incident(error: unknown): AnySignerError
}

/**
 * The last step of every way out: what it resolves to is handed to the runtime before anything else is waited for.
 * @throws `key/not-active` when the version may not sign any more, `token/invalid` for its caller, `store/unavailable` when nobody
 *         can say in time; on record
 */
export async function leave<T>({ clock }: Pick<Leaving, 'clock'>, released: Released<T>): Promise<T> {
  let ready = Released.out(released, clock)
  for (let looks = 0; ready === undefined; looks++) {
    await renew(released, looks)
    ready = Released.out(released, clock)
  }
  return ready.answer
}

/** All at one moment: what may not leave by then is refused, and the others go. In their order; never rejects. */
export async function leaveTogether<T>(deps: Leaving, pending: readonly Pending<T>[]): Promise<readonly Settled<T>[]> {
  let left = pending
  for (let looks = 0; ; looks++) {
    const settled = left.map(each => ('refused' in each ? each : Released.out(each.released, deps.clock)))
    if (settled.every(each => each !== undefined)) return settled
    const renewed = left.map(async (each, at) => {
      if ('refused' in each || settled[at] !== undefined) return each
      try {
        await renew(each.released, looks)
        return each
      } catch (error) {
        return { refused: isSignerError(error) ? error : deps.incident(error) }
      }
    })
    left = await Promise.all(renewed)
  }
}

async function renew<T>(released: Released<T>, looks: number): Promise<void> {
  if (looks >= LOOKS_MAX) throw await Released.withhold(released)
  await Released.look(released)
}
