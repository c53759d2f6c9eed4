/** Revocations at chosen moments, and a process that stands still. */
import type { AuditLog } from '../../src/domain/audit.ts'
import type { KeyCatalogue } from '../../src/domain/ports.ts'
import { revokeKey } from '../../src/service/revoke.ts'
import type { Rig } from './rig.ts'

const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) }

/**
 * Revokes a key as another process would, to the acknowledgement: the time it waits passes for everybody.
 * @returns after the acknowledgement
 */
export async function revokeAtOnce(rig: Rig, key: string): Promise<void> {
  const sleep = async (ms: number): Promise<void> => rig.clock.advance(ms)
  const clock = { sleep }
  const actor = { subject: 'operator', peer: '127.0.0.1' }
  await revokeKey({ registry: rig.store.keys, audit: rig.log, random, actor, clock }, key, { reason: 'taken over' })
}

/** A catalogue whose answers about a state are old when they arrive: meanwhile `happens` has happened, once armed. */
export function slowStates(real: KeyCatalogue): {
  readonly catalogue: KeyCatalogue
  /** From the look of this number on, counted from now. */
  arm(look: number, happens: () => Promise<void>): void
} {
  let left = Number.POSITIVE_INFINITY
  let event = async (): Promise<void> => {}
  return {
    arm: (look, happens) => {
      left = look
      event = happens
    },
    catalogue: {
      ...real,
      stateOf: async (key, version) => {
        const state = await real.stateOf(key, version)
        if (--left === 0) await event()
        return state
      },
    },
  }
}

/** A log behind which something happens, once armed: after the record of an event is on the disk, before anybody hears so. */
export function afterRecordOf(event: string): {
  readonly audit: (real: AuditLog) => AuditLog
  arm(happens: () => Promise<void>): void
} {
  const armed: (() => Promise<void>)[] = []
  return {
    arm: happens => void armed.push(happens),
    audit: real => ({
      get state() {
        return real.state
      },
      close: real.close,
      append: async (...entries) => {
        const receipt = await real.append(...entries)
        if (entries.some(entry => entry.kind === 'event' && entry.event === event)) await armed.shift()?.()
        return receipt
      },
    }),
  }
}
