import type { AuditIndex, IdempotencyEntry, IdempotencyStore } from '../domain/ports.ts'

interface Ports {
  readonly idempotency: IdempotencyStore
  readonly auditIndex: AuditIndex
}

/**
 * Keeps the index head behind every reservation that is still open. Recovery replays only records newer than the head;
 * were the head to pass a release whose answer the store has not kept yet, a crash in between would forget the answer
 * and the same idempotency key could release a second signature (I3). So a head is written only when every request that
 * was open when it was offered has ended. A newer head offered meanwhile waits its turn.
 */
export function lagHead({ idempotency, auditIndex }: Ports): Ports {
  type Head = Parameters<AuditIndex['setHead']>[0]
  const open = new Set<IdempotencyEntry>()
  let turn: { readonly head: Head; readonly before: Set<IdempotencyEntry> } | undefined
  let next: Head | undefined

  const advance = async (): Promise<void> => {
    while (turn !== undefined && turn.before.size === 0) {
      const { head } = turn
      turn = next === undefined ? undefined : { head: next, before: new Set(open) }
      next = undefined
      await auditIndex.setHead(head)
    }
  }
  const end = (entry: IdempotencyEntry): Promise<void> => {
    open.delete(entry)
    turn?.before.delete(entry)
    return advance()
  }

  return {
    idempotency: {
      reserve: async entry => {
        open.add(entry)
        try {
          const reservation = await idempotency.reserve(entry)
          if (reservation.kind !== 'reserved') await end(entry)
          return reservation
        } catch (error) {
          await end(entry)
          throw error
        }
      },
      // An entry whose answer could not be kept stays open: the head stays behind it, and the next start repairs it.
      complete: async (entry, result) => {
        await idempotency.complete(entry, result)
        await end(entry)
      },
      release: async entry => {
        await idempotency.release(entry)
        await end(entry)
      },
    },
    auditIndex: {
      head: () => auditIndex.head(),
      setHead: async head => {
        if (turn === undefined) turn = { head, before: new Set(open) }
        else next = head
        await advance()
      },
    },
  }
}
