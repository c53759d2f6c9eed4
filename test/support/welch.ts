/** Do two classes of requests take the same time? Welch's t-test over cropped, randomly interleaved samples, as dudect does. */

export interface Class {
  readonly count: number
  readonly mean: number
  /** Unbiased. */
  readonly variance: number
}

export function describeClass(samples: readonly number[]): Class {
  const count = samples.length
  const mean = samples.reduce((sum, each) => sum + each, 0) / count
  const variance = samples.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (count - 1)
  return { count, mean, variance }
}

/**
 * Difference of the means in units of its standard error; samples may differ in number and variance.
 * @see B. L. Welch, Biometrika 34 (1947)
 */
export function welchT(a: Class, b: Class): number {
  const error = Math.sqrt(a.variance / a.count + b.variance / b.count)
  const difference = a.mean - b.mean
  return error === 0 ? (difference === 0 ? 0 : Math.sign(difference) * Number.POSITIVE_INFINITY) : difference / error
}

/** Degrees of freedom after Welch and Satterthwaite. */
export function degreesOfFreedom(a: Class, b: Class): number {
  const [u, v] = [a.variance / a.count, b.variance / b.count]
  return (u + v) ** 2 / (u ** 2 / (a.count - 1) + v ** 2 / (b.count - 1))
}

/** Both classes without what is slower than this share of all samples together: what the machine did meanwhile. */
export function crop(a: readonly number[], b: readonly number[], share: number): [number[], number[]] {
  const all = Float64Array.from([...a, ...b]).toSorted()
  const limit = all[Math.min(all.length - 1, Math.floor(all.length * share))] ?? Number.POSITIVE_INFINITY
  return [a.filter(each => each <= limit), b.filter(each => each <= limit)]
}

/** Above it, two classes differ beyond doubt; the bound of dudect (Reparaz, Balasch, Verbauwhede 2017) and of ISO 17825. */
export const T_MAX = 4.5
const SHARE = 0.9

export interface Verdict {
  readonly t: number
  /** Microseconds. */
  readonly meanA: number
  readonly meanB: number
  readonly count: number
}

export interface Campaign {
  /** Of each class. */
  readonly samples: number
  /** One request of the class; `n` counts on, so that a class can be many different requests. */
  run(which: 0 | 1, n: number): Promise<unknown> | unknown
  /** Before a sample, outside the time that is measured: lays out what `run` uses. */
  prepare?(which: 0 | 1, n: number): void
  /** Between samples, outside the time that is measured. */
  between?(n: number): void
}

const WARM_UP = 500

/** The order is drawn for each sample, so that nothing of the machine falls on one class alone. */
export async function compare({ samples, prepare, run, between }: Campaign): Promise<Verdict> {
  const times: [Float64Array, Float64Array] = [new Float64Array(samples), new Float64Array(samples)]
  const filled: [number, number] = [0, 0]
  const coins = new Uint8Array(65_536)
  const warmUp = Math.min(WARM_UP, samples)
  for (let n = -2 * warmUp; filled[0] < samples || filled[1] < samples; n++) {
    const at = ((n % coins.length) + coins.length) % coins.length
    if (at === 0) crypto.getRandomValues(coins)
    const coin = ((coins[at] ?? 0) & 1) as 0 | 1
    const which = filled[coin] < samples ? coin : coin === 0 ? 1 : 0
    prepare?.(which, Math.abs(n))
    const begun = performance.now()
    const running = run(which, Math.abs(n))
    if (running instanceof Promise) await running.catch(() => {})
    const took = performance.now() - begun
    if (n >= 0) times[which][filled[which]++] = took
    between?.(n)
  }
  const [a, b] = crop([...times[0]], [...times[1]], SHARE).map(describeClass) as [Class, Class]
  return { t: welchT(a, b), meanA: a.mean * 1000, meanB: b.mean * 1000, count: samples }
}

/** How many turns of the microtask queue a request takes; for requests that wait for nothing else. */
export async function turnsOf(run: () => Promise<unknown>): Promise<number> {
  let turns = 0
  let over = false
  const tick = (): void => {
    if (over || turns > 10_000) return
    turns++
    queueMicrotask(tick)
  }
  const running = run()
  queueMicrotask(tick)
  try {
    await running
  } catch {
    // a refusal takes its turns too
  }
  over = true
  return turns
}
