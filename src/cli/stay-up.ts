import type { CliContext, Running } from './context.ts'

/**
 * Starts something and stays until the process is asked to stop; then closes it, whenever that was asked: a Ctrl-C during
 * the start must not leave behind what the start made.
 * @param whenReady  runs once it is up, unless a stop came first
 */
export async function stayUp<T extends Running>(
  context: CliContext,
  start: () => Promise<T>,
  whenReady: (running: T) => Promise<void>,
): Promise<void> {
  await whileUp(context, start, async running => {
    await whenReady(running)
    await running.done
  })
}

/** The same for work that has an end of its own: whatever comes of it, what was started is closed. */
export async function whileUp<T extends Running>(
  context: CliContext,
  start: () => Promise<T>,
  work: (running: T) => Promise<void>,
): Promise<void> {
  let running: T | undefined
  let asked = false
  const undo = context.onStop(() => {
    asked = true
    running?.stop().catch(() => {}) // whoever awaits `done` below hears of it
  })
  try {
    running = await start()
    try {
      if (!asked) await work(running)
    } finally {
      await running.stop()
    }
  } finally {
    undo()
  }
}
