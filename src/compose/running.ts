import type { Running } from '../cli/context.ts'

/** Something that is up, and closes once however often it is asked to. `done` tells what came of the closing. */
export function running(ready: Running['ready'], close: () => Promise<void>): Running {
  const { promise: done, resolve, reject } = Promise.withResolvers<void>()
  done.catch(() => {}) // those who wait for it hear of a failure; that nobody waits is not one more
  let stopping = false
  return {
    ready,
    done,
    stop: () => {
      if (!stopping) {
        stopping = true
        close().then(resolve, reject)
      }
      return done
    },
  }
}

/** Runs every step, in this order, also after one that failed. @throws what failed first */
export async function closeAll(...steps: readonly (() => Promise<void> | void | undefined)[]): Promise<void> {
  const failures: unknown[] = []
  for (const step of steps) {
    try {
      await step()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}
