/** So many at a time, so many waiting; a place in the queue is given up by its signal. */
export interface Bulkhead {
  /**
   * @returns what `body` gives.
   * @throws `Full` when nobody more may wait; the signal's reason when it is aborted while waiting. `body` has not begun.
   */
  run<T>(signal: AbortSignal, body: () => Promise<T>): Promise<T>
}

export const FULL: unique symbol = Symbol('full')

export function createBulkhead({ parallel, waitingMax }: { parallel: number; waitingMax: number }): Bulkhead {
  const queue = new Set<() => void>()
  let running = 0

  const place = (signal: AbortSignal): Promise<void> => {
    if (running < parallel) {
      running++
      return Promise.resolve()
    }
    if (queue.size >= waitingMax) return Promise.reject(FULL)
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        queue.delete(enter)
        reject(signal.reason)
      }
      const enter = (): void => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      queue.add(enter)
      signal.addEventListener('abort', leave, { once: true })
    })
  }

  /** The place goes to the one that has waited longest, without being free in between. */
  const next = (): void => {
    const [enter] = queue
    if (enter === undefined) return void running--
    queue.delete(enter)
    enter()
  }

  return {
    run: async (signal, body) => {
      signal.throwIfAborted()
      await place(signal)
      try {
        return await body()
      } finally {
        next()
      }
    },
  }
}
