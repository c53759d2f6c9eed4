/** One at a time for each name, in the order in which they came. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>()

  /** @throws what `late` gives when the signal is aborted before it is their turn */
  async take<T>(name: string, signal: AbortSignal, late: () => Error, body: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name) ?? Promise.resolve()
    let done = (): void => {}
    const turn = new Promise<void>(resolve => {
      done = resolve
    })
    const mine = before.then(() => turn)
    this.#last.set(name, mine)
    try {
      await Promise.race([before, whenAborted(signal, late)])
      return await body()
    } finally {
      done()
      void mine.then(() => this.#last.get(name) === mine && this.#last.delete(name)) // whoever left early is not the end
    }
  }
}

const whenAborted = (signal: AbortSignal, late: () => Error): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(late())
    signal.addEventListener('abort', () => reject(late()), { once: true })
  })
