import { equalBytes } from '../bytes/equal.ts'
import { verifySignature } from '../bytes/verify.ts'
import { isSignerError, WRONG_ANSWERS } from '../domain/errors.ts'
import type { Binding, ResolvedKey } from '../domain/key.ts'
import type { Clock } from '../domain/ports.ts'
import type { Signed, SignInput } from '../domain/provider.ts'

/** A signature that was answered, and where the same is to be signed again. */
export interface ShadowJob {
  readonly key: ResolvedKey
  /** Whose signature was answered. */
  readonly binding: Binding
  readonly shadow: Binding
  readonly input: SignInput
  readonly signature: Uint8Array
  readonly auditId: string
  readonly requestId: string
}

/** `different`: it does not verify under the pin, or another Ed25519 signature came. `error`: none came. */
export type ShadowResult =
  | { readonly kind: 'equal' }
  | { readonly kind: 'different'; readonly reason: string }
  | { readonly kind: 'error'; readonly code: string }

export interface ShadowCounts {
  readonly equal: number
  readonly different: number
  readonly errors: number
  readonly dropped: number
}

export interface ShadowOptions {
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>
  readonly sign: (job: ShadowJob) => Promise<Signed>
  /** @throws when the version may not sign any more */
  readonly mayStillSign: (job: ShadowJob) => Promise<boolean>
  /** A difference or an error, at once. Never rejects. */
  readonly onTrouble: (job: ShadowJob, result: Exclude<ShadowResult, { kind: 'equal' }>) => Promise<void>
  /** What was compared since the last time, once a minute while there is something and at the end. Never rejects. */
  readonly onCounts: (about: { readonly key: string; readonly binding: string }, counts: ShadowCounts) => Promise<void>
  readonly places?: number
  readonly queue?: number
  readonly everyMs?: number
}

export interface Shadow {
  /** Returns at once, whatever happens. */
  add(job: ShadowJob): void
  /** Waits for what is queued, `ms` at most; nothing is taken after that. */
  stop(ms: number): Promise<void>
  totals(): ShadowCounts
}

const NONE: ShadowCounts = { equal: 0, different: 0, errors: 0, dropped: 0 }

/**
 * Signs again what was signed already, somewhere else, and compares. Runs beside the path and after it: what it does can
 * neither delay nor fail a caller, and its signatures are forgotten here.
 */
export function createShadow(options: ShadowOptions): Shadow {
  const { clock, places = 4, queue: queueMax = 256, everyMs = 60_000 } = options
  const queue: ShadowJob[] = []
  const since = new Map<string, { readonly key: string; readonly binding: string; counts: ShadowCounts }>()
  const stopped = new AbortController()
  const idle: (() => void)[] = []
  let totals = NONE
  let running = 0
  let reporting = false
  let isOver = false

  const count = ({ key, shadow }: ShadowJob, what: keyof ShadowCounts): void => {
    const entry = since.get(shadow.id) ?? { key: key.key.name, binding: shadow.id, counts: NONE }
    entry.counts = { ...entry.counts, [what]: entry.counts[what] + 1 }
    since.set(shadow.id, entry)
    totals = { ...totals, [what]: totals[what] + 1 }
    if (!reporting) void report()
  }
  const tell = async (): Promise<void> => {
    const entries = [...since.values()]
    since.clear()
    for (const { key, binding, counts } of entries) await options.onCounts({ key, binding }, counts)
  }
  const report = async (): Promise<void> => {
    reporting = true
    await clock.sleep(everyMs, stopped.signal).catch(() => {})
    reporting = false
    if (!stopped.signal.aborted) await tell()
  }

  const compare = async (job: ShadowJob): Promise<void> => {
    if (!(await options.mayStillSign(job).catch(() => false))) return
    const result = await comparison(options, job)
    count(job, result.kind === 'error' ? 'errors' : result.kind)
    if (result.kind !== 'equal') await options.onTrouble(job, result)
  }
  const work = async (): Promise<void> => {
    await clock.sleep(0).catch(() => {}) // the answer leaves first
    for (let job = queue.shift(); job !== undefined && !stopped.signal.aborted; job = queue.shift()) {
      await compare(job).catch(() => {})
    }
    running--
    if (running === 0) for (const wake of idle.splice(0)) wake()
  }

  return {
    add(job) {
      if (isOver || queue.length >= queueMax) return count(job, 'dropped')
      queue.push(job)
      if (running >= places) return
      running++
      void work()
    },
    async stop(ms) {
      isOver = true
      const enough = new AbortController()
      if (running > 0) {
        const drained = new Promise<void>(resolve => idle.push(resolve))
        await Promise.race([drained, clock.sleep(ms, enough.signal).catch(() => {})])
      }
      enough.abort()
      for (const job of queue.splice(0)) count(job, 'dropped')
      stopped.abort()
      await tell()
    },
    totals: () => totals,
  }
}

/** Ed25519 has one signature for a key and a message (RFC 8032 §5.1.6); ECDSA has many, so those are verified. */
async function comparison({ sign }: ShadowOptions, job: ShadowJob): Promise<ShadowResult> {
  const { key, input } = job
  try {
    const { signature } = await sign(job)
    if (!(await verifySignature(input, key.version.publicKey, signature)))
      return { kind: 'different', reason: 'it does not verify under the pinned public key' }
    if (input.scheme === 'ed25519' && !equalBytes(signature, job.signature))
      return { kind: 'different', reason: 'it is another signature of the same message' }
    return { kind: 'equal' }
  } catch (error) {
    if (!isSignerError(error)) return { kind: 'error', code: 'unexpected' }
    const { code } = error
    // A wrong answer that the provider's own reader caught is a difference as well.
    return WRONG_ANSWERS.has(code) ? { kind: 'different', reason: code } : { kind: 'error', code }
  }
}
