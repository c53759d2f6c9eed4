import type { Clock } from '../domain/ports.ts'

/** Gives `body` a signal that ends it after `ms`. */
export async function before<T>(
  clock: Pick<Clock, 'sleep'>,
  ms: number,
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const [late, done] = [new AbortController(), new AbortController()]
  clock.sleep(ms, done.signal).then(
    () => late.abort('no answer in time'),
    () => {},
  )
  try {
    return await body(late.signal)
  } finally {
    done.abort('done')
  }
}
