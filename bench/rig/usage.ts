/** What a process used while it was watched. */
export interface Usage {
  readonly cpuMs: number
  readonly peakRssMb: number
  /** Milliseconds each opened key lay in memory, from the provider's answer to the wipe. */
  readonly exposuresMs: readonly number[]
}

export interface Watch {
  begin(): void
  end(): Usage
  /** Told when a key is opened; what it returns is told when the bytes are wiped. */
  readonly keyOpened: () => () => void
}

export interface Meters {
  /** Microseconds of processor time so far, all threads. */
  cpu(): number
  rss(): number
  now(): number
  /** Calls back again and again until undone. */
  every(look: () => void): () => void
}

const MEGABYTE = 1024 * 1024

export function createWatch(meters: Meters): Watch {
  let cpuFrom = 0
  let peak = 0
  let exposures: number[] = []
  let undo = () => {}
  const look = (): void => {
    peak = Math.max(peak, meters.rss())
  }
  return {
    begin() {
      undo()
      exposures = []
      peak = meters.rss()
      undo = meters.every(look)
      cpuFrom = meters.cpu()
    },
    end() {
      const cpuMs = (meters.cpu() - cpuFrom) / 1000
      look()
      undo()
      undo = () => {}
      return { cpuMs, peakRssMb: peak / MEGABYTE, exposuresMs: exposures }
    },
    keyOpened() {
      const from = meters.now()
      const mine = exposures
      return () => void mine.push(meters.now() - from)
    },
  }
}

const LOOK_MS = 50

/** This process, looked at every 50 ms. */
export const thisProcess: Meters = {
  cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },
  rss: () => process.memoryUsage.rss(),
  now: () => performance.now(),
  every(look) {
    const timer = setInterval(look, LOOK_MS)
    timer.unref()
    return () => clearInterval(timer)
  },
}
