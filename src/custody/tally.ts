/** Two counts over a sliding span of time, in slots: constant memory, whatever the rate. */
export interface Tally {
  add(now: number, first: number, second: number): void
  /** Of the span that ends now, give or take one slot. */
  sums(now: number): { readonly first: number; readonly second: number }
}

export function createTally(spanMs: number, slots = 10): Tally {
  const slotMs = spanMs / slots
  const first = new Float64Array(slots)
  const second = new Float64Array(slots)
  let newest = Number.NEGATIVE_INFINITY
  const turn = (now: number): number => {
    const slot = Math.floor(now / slotMs)
    if (slot - newest >= slots) {
      first.fill(0)
      second.fill(0)
    } else
      for (let at = newest + 1; at <= slot; at++) {
        first[at % slots] = 0
        second[at % slots] = 0
      }
    newest = Math.max(newest, slot)
    return newest % slots
  }
  const sum = (counts: Float64Array): number => counts.reduce((total, count) => total + count, 0)
  return {
    add(now, one, other) {
      const slot = turn(now)
      first[slot] = (first[slot] as number) + one
      second[slot] = (second[slot] as number) + other
    },
    sums(now) {
      turn(now)
      return { first: sum(first), second: sum(second) }
    },
  }
}
