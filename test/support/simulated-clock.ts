/** A world that runs as fast as it can: time jumps from sleeper to sleeper, in order, and randomness has a seed. */
import type { Clock, Random } from '../../src/domain/ports.ts'
import { seeded, settle } from './audit-world.ts'

interface Sleeper {
  readonly due: number
  readonly order: number
  readonly wake: () => void
  gone: boolean
}

export interface SimulatedClock extends Clock {
  /** Runs everything that is due until then, and what that sets going. */
  runTo(ms: number): Promise<void>
}

export function simulatedClock(start = Date.UTC(2026, 0, 1)): SimulatedClock {
  const heap: Sleeper[] = []
  let now = 0
  let order = 0
  const before = (a: Sleeper, b: Sleeper): boolean => a.due < b.due || (a.due === b.due && a.order < b.order)
  const swap = (a: number, b: number): void => void ([heap[a], heap[b]] = [heap[b] as Sleeper, heap[a] as Sleeper])
  const push = (sleeper: Sleeper): void => {
    heap.push(sleeper)
    for (let at = heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1
      if (!before(heap[at] as Sleeper, heap[parent] as Sleeper)) return
      swap(at, parent)
      at = parent
    }
  }
  const pop = (): Sleeper | undefined => {
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || first === last) return first
    heap[0] = last
    for (let at = 0; ; ) {
      const [left, right] = [2 * at + 1, 2 * at + 2]
      let least = at
      if (left < heap.length && before(heap[left] as Sleeper, heap[least] as Sleeper)) least = left
      if (right < heap.length && before(heap[right] as Sleeper, heap[least] as Sleeper)) least = right
      if (least === at) return first
      swap(at, least)
      at = least
    }
  }
  return {
    now: () => start + now,
    monotonic: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const sleeper: Sleeper = { due: now + ms, order: order++, wake: resolve, gone: false }
        const stop = (): void => {
          sleeper.gone = true
          reject(signal?.reason as Error)
        }
        if (signal?.aborted === true) return stop()
        signal?.addEventListener('abort', stop, { once: true })
        push(sleeper)
      }),
    async runTo(ms) {
      await settle()
      for (let next = heap[0]; next !== undefined && next.due <= ms; next = heap[0]) {
        const sleeper = pop() as Sleeper
        if (sleeper.gone) continue
        now = sleeper.due
        sleeper.wake()
        await settle()
      }
      now = ms
    },
  }
}

export function seededRandom(seed: number): Random {
  const chance = seeded(seed)
  return { bytes: length => Uint8Array.from({ length }, () => Math.floor(chance() * 256)) }
}
