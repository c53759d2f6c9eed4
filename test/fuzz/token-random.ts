/** Seeded randomness of the token mutator: the same seed gives the same mutants on every runtime (mulberry32). */
export interface Dice {
  /** 0 ≤ n < `sides`. */
  roll(sides: number): number
  pick<T>(values: readonly T[]): T
  bytes(length: number): Uint8Array
}

export function createDice(seed: number): Dice {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  const roll = (sides: number): number => next() % sides
  return {
    roll,
    pick: <T>(values: readonly T[]): T => values[roll(values.length)] as T,
    bytes: length => Uint8Array.from({ length }, () => roll(256)),
  }
}
