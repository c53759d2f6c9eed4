import { SignerError } from '../domain/errors.ts'

/** How many operations of one name may be under way at once. */
export interface Lane {
  readonly name: string
  readonly most: number
}

const RETRY_AFTER_MS = 1000

/**
 * Counts what is under way for each tenant and token, so that one of them cannot fill the house for all. What is too much
 * is shed at once and waits nowhere. Holds a name only while it is in use.
 */
export class Lanes {
  readonly #busy = new Map<string, number>()
  /** How many names are in use. */
  get size(): number {
    return this.#busy.size
  }
  /** @throws `service/overloaded` when any lane is full; `body` did not run then and no lane was entered */
  async pass<T>(lanes: readonly Lane[], body: () => Promise<T>): Promise<T> {
    const names = new Set(lanes.map(({ name }) => name))
    if (lanes.some(({ name, most }) => !((this.#busy.get(name) ?? 0) < most)))
      throw new SignerError('service/overloaded', { retryAfterMs: RETRY_AFTER_MS })
    for (const name of names) this.#busy.set(name, (this.#busy.get(name) ?? 0) + 1)
    try {
      return await body()
    } finally {
      for (const name of names) {
        const left = (this.#busy.get(name) ?? 0) - 1
        if (left > 0) this.#busy.set(name, left)
        else this.#busy.delete(name)
      }
    }
  }
}
