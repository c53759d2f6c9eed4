/** Load: how often, how many at once, and what counts as the beginning of a call. */
export interface Load {
  /** Milliseconds, one a signature that was given. */
  readonly latencies: readonly number[]
  readonly elapsedMs: number
  readonly signatures: readonly string[]
  /** Calls that were turned away or failed, by what was said. */
  readonly refused: ReadonlyMap<string, number>
  /** Most calls under way at once. */
  readonly inFlightMax: number
}

export type Sign = () => Promise<string>

export interface Bounds {
  readonly timeMs: number
  /** Goes on past `timeMs` until there are so many, or until three times `timeMs` are over. */
  readonly samplesMin: number
}

const now = (): number => performance.now()

function notes() {
  const latencies: number[] = []
  const signatures: string[] = []
  const refused = new Map<string, number>()
  let inFlight = 0
  let inFlightMax = 0
  return {
    latencies,
    /** @param from when the call was meant to begin. */
    async call(sign: Sign, from: number): Promise<void> {
      inFlight++
      inFlightMax = Math.max(inFlightMax, inFlight)
      try {
        const signature = await sign()
        latencies.push(now() - from)
        signatures.push(signature)
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        refused.set(why, (refused.get(why) ?? 0) + 1)
      } finally {
        inFlight--
      }
    },
    load: (elapsedMs: number): Load => ({ latencies, elapsedMs, signatures, refused, inFlightMax }),
  }
}

/** So many callers, each of whom asks again as soon as it has its answer. */
export async function closedLoop(sign: Sign, callers: number, { timeMs, samplesMin }: Bounds): Promise<Load> {
  const noted = notes()
  const start = now()
  const goesOn = (): boolean => {
    const passed = now() - start
    return passed < timeMs || (noted.latencies.length < samplesMin && passed < 3 * timeMs)
  }
  const caller = async (): Promise<void> => {
    while (goesOn()) await noted.call(sign, now())
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return noted.load(now() - start)
}

/** As `closedLoop`, for so many calls: what they need is made before, so that it is not timed. */
export async function countedLoop(sign: Sign, callers: number, calls: number): Promise<Load> {
  const noted = notes()
  const start = now()
  let left = calls
  const caller = async (): Promise<void> => {
    while (left-- > 0) await noted.call(sign, now())
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return noted.load(now() - start)
}

/**
 * Arrivals at a fixed rate, whether the answers come or not. A call's latency counts from when it was due: what a stall
 * holds up is in the figures, which a closed loop leaves out because it stops asking (coordinated omission).
 */
export async function openLoop(
  sign: Sign,
  perSecond: number,
  timeMs: number,
  sleep: (ms: number) => Promise<void> = ms => new Promise(resolve => setTimeout(resolve, ms)),
): Promise<Load> {
  const noted = notes()
  const gap = 1000 / perSecond
  const arrivals = Math.max(1, Math.floor(timeMs / gap))
  const start = now()
  const under: Promise<void>[] = []
  for (let arrival = 0; arrival < arrivals; arrival++) {
    const due = start + arrival * gap
    if (due > now()) await sleep(due - now())
    under.push(noted.call(sign, due))
  }
  await Promise.all(under)
  return noted.load(now() - start)
}
