import { SignerError } from '../domain/errors.ts'

/** Lets a fixed number of requests in at once and sheds the rest at the door, so that those inside stay quick. */
export class Gate {
  readonly #most: number
  #inside = 0
  constructor(most: number) {
    this.#most = most
  }
  /** @throws `service/overloaded` */
  async pass<T>(body: () => Promise<T>): Promise<T> {
    if (this.#inside >= this.#most) throw new SignerError('service/overloaded', { retryAfterMs: 1000 })
    this.#inside++
    try {
      return await body()
    } finally {
      this.#inside--
    }
  }
}
