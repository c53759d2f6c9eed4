import type { IdempotencyEntry } from '../domain/ports.ts'
import type { Claims, SlotClaim } from '../domain/claims.ts'
import type { RestorableClaims } from './store.ts'
import {
  checkClaims,
  type Counter,
  EMPTY,
  giveBack,
  idleAt,
  holdsAt,
  inTheWay,
  leftBehind,
  type SlotHolder,
  type Spent,
  spend,
  taken,
  usedIn,
} from './windows.ts'

interface Own {
  readonly at: number
  readonly held: boolean
  readonly spent: readonly Spent[]
  readonly slots: readonly string[]
}

/** Spend windows and places on the chain in memory. */
export function memoryClaims(): RestorableClaims {
  const counters = new Map<string, Counter>()
  const claims = new Map<string, Own>()
  /** By place, then by entry. */
  const slots = new Map<string, Map<string, SlotHolder & { readonly at: number }>>()
  const idOf = ({ scope, key, fingerprint }: IdempotencyEntry) => JSON.stringify([scope, key, fingerprint])

  const others = (id: string, { slot }: SlotClaim, now: number): SlotHolder[] =>
    [...(slots.get(slot) ?? [])]
      .filter(([owner]) => owner !== id)
      .map(([, holder]) => holder)
      .filter(holdsAt(now))

  const keep = (entry: IdempotencyEntry, spent: readonly Spent[], { slot }: Claims, held: boolean): void => {
    const id = idOf(entry)
    const before = claims.get(id)?.slots ?? []
    if (slot !== undefined) {
      const holders = slots.get(slot.slot) ?? new Map()
      holders.set(id, {
        hash: slot.hash,
        effects: slot.effects,
        fee: slot.fee,
        expiresAt: slot.expiresAt,
        at: entry.at,
      })
      slots.set(slot.slot, holders)
    }
    const all = slot === undefined || before.includes(slot.slot) ? before : [...before, slot.slot]
    claims.set(id, { at: entry.at, held, spent, slots: all })
  }

  return {
    async claim(entry, wanted) {
      checkClaims(wanted)
      const id = idOf(entry)
      const before = claims.get(id)
      if (wanted.slot !== undefined) {
        const other = inTheWay(wanted.slot, others(id, wanted.slot, entry.at))
        if (other !== undefined) return { kind: 'taken', slot: wanted.slot.slot, hash: other.hash }
      }
      const names = [...wanted.spends, ...(before?.spent ?? [])].map(({ counter }) => counter)
      const after = new Map(names.map(name => [name, counters.get(name) ?? EMPTY]))
      giveBack(after, before?.spent ?? [])
      const answer = spend(after, wanted.spends, entry.at)
      if (answer.kind === 'exceeded') return answer
      for (const [name, counter] of after) counters.set(name, counter)
      keep(entry, answer.spent, wanted, leftBehind(before, entry))
      return { kind: 'claimed' }
    },

    async drop(entry) {
      const id = idOf(entry)
      const own = claims.get(id)
      if (own === undefined || own.held || own.at !== entry.at) return
      giveBack(counters, own.spent)
      for (const slot of own.slots) slots.get(slot)?.delete(id)
      claims.delete(id)
    },

    async restore(entry, told) {
      checkClaims(told)
      const before = claims.get(idOf(entry))
      if (before !== undefined && before.at > entry.at) return
      giveBack(counters, before?.spent ?? [])
      keep(entry, taken(counters, told.spends, entry.at), told, leftBehind(before, entry))
    },

    async used(asked, now) {
      return asked.map(({ counter, windowMs }) => usedIn(counters.get(counter) ?? EMPTY, windowMs, now))
    },

    async purge(before) {
      let purged = 0
      for (const [name, counter] of counters) if (idleAt(counter) <= before && counters.delete(name)) purged++
      for (const [slot, holders] of slots) {
        for (const [id, { at }] of holders) if (at < before && holders.delete(id)) purged++
        if (holders.size === 0) slots.delete(slot)
      }
      for (const [id, { at }] of claims) if (at < before && claims.delete(id)) purged++
      return purged
    },
  }
}
