import { SignerError } from '../domain/errors.ts'
import type { IdempotencyEntry } from '../domain/ports.ts'
import type { KeptTransaction, TransactionStore } from '../domain/transactions.ts'

interface Held {
  readonly kept: KeptTransaction
  readonly leaseUntil: number
}

/** As in the databases, gone with the process. Every body runs in one go, so each is one atomic step. */
export function memoryTransactions(): TransactionStore {
  const all = new Map<string, Held>()
  const idOf = ({ scope, key }: Pick<IdempotencyEntry, 'scope' | 'key'>): string => JSON.stringify([scope, key])
  const mine = (entry: IdempotencyEntry, leaseUntil: number): Held | undefined => {
    const held = all.get(idOf(entry))
    return held?.leaseUntil === leaseUntil && held.kept.entry.fingerprint === entry.fingerprint ? held : undefined
  }
  const inFlight = () => new SignerError('idempotency/in-flight', { retryAfterMs: 1_000 })
  return {
    async begin(entry, leaseUntil) {
      const held = all.get(idOf(entry))
      const kept = { ...held?.kept, entry: Object.freeze({ ...entry }) }
      if (held !== undefined) {
        if (held.kept.entry.fingerprint !== entry.fingerprint) return { kind: 'mismatch' }
        if (held.leaseUntil > entry.at) return { kind: 'in-flight' }
      }
      all.set(idOf(entry), { kept, leaseUntil })
      return { kind: 'yours', kept }
    },
    async prepare(entry, leaseUntil, prepared) {
      const held = mine(entry, leaseUntil)
      if (held === undefined || held.kept.prepared !== undefined) throw inFlight()
      all.set(idOf(entry), { kept: { ...held.kept, prepared: structuredClone(prepared) }, leaseUntil })
    },
    async sign(entry, leaseUntil, signed) {
      const held = mine(entry, leaseUntil)
      if (held === undefined || held.kept.signed !== undefined) throw inFlight()
      all.set(idOf(entry), { kept: { ...held.kept, signed: { ...signed } }, leaseUntil })
    },
    async settle(entry, end) {
      const held = all.get(idOf(entry))
      if (held === undefined || held.kept.end !== undefined) return
      all.set(idOf(entry), { ...held, kept: { ...held.kept, end: { ...end } } })
    },
    async release(entry, leaseUntil, { forget }) {
      const held = mine(entry, leaseUntil)
      if (held === undefined) return
      const { prepared, ...rest } = held.kept
      const keeps = prepared !== undefined && (!forget || rest.signed !== undefined)
      all.set(idOf(entry), { kept: keeps ? { ...rest, prepared } : rest, leaseUntil: 0 })
    },
    async find(hash) {
      const found = [...all.values()].filter(({ kept }) => kept.signed?.hash === hash)
      return found.toSorted((a, b) => a.kept.entry.at - b.kept.entry.at)[0]?.kept
    },
    async restore(entry, prepared) {
      const held = all.get(idOf(entry))
      if (held !== undefined && (held.kept.signed !== undefined || held.kept.entry.at > entry.at)) return
      all.set(idOf(entry), { kept: { ...held?.kept, entry, prepared }, leaseUntil: held?.leaseUntil ?? 0 })
    },
    async purge(before) {
      const old = [...all].filter(([, { kept }]) => kept.entry.at < before)
      for (const [id] of old) all.delete(id)
      return old.length
    },
  }
}
