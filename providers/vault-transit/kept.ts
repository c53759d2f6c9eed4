import type { JsonObject } from './wire.ts'

/** What is asked for, and must be read back: keys that leave the service by no way. */
export const KEPT = { exportable: false, allow_plaintext_backup: false, derived: false } as const

/** Whether a key as it was read is the one that was just made or imported under this name, kept as it was asked to be. */
export const isFresh = (data: JsonObject, name: string): boolean =>
  data['name'] === name &&
  data['latest_version'] === 1 &&
  Object.entries(KEPT).every(([member, value]) => data[member] === value)
