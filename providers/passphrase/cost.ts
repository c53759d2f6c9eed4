/** How dear it is to try one passphrase. Stands in clear in every row, so that rows outlive a change of taste. */
export interface Cost {
  readonly kdf: 'argon2id' | 'scrypt'
  /** KiB. For scrypt with r = 8 this is N itself. */
  readonly memoryKiB: number
  /** Argon2id: passes over the memory, on one lane. scrypt: p, one after another. */
  readonly passes: number
}

export const COST_NAMES = ['argon2id', 'argon2id-64mib', 'scrypt', 'scrypt-128mib'] as const
export type CostName = (typeof COST_NAMES)[number]

/**
 * Everything we write and everything we read. `argon2id` and both scrypt sets are what OWASP's Password Storage Cheat
 * Sheet asks for at least (19 MiB and 2 passes; N = 2^14, r = 8, p = 5; N = 2^17, r = 8, p = 1); `argon2id-64mib` has the
 * memory and the passes of the second set of RFC 9106 §4. A row that names another cost is refused before any of it is
 * paid: whoever can write rows could otherwise have us fill the machine's memory.
 */
export const COSTS: Readonly<Record<CostName, Cost>> = Object.freeze({
  argon2id: Object.freeze({ kdf: 'argon2id', memoryKiB: 19_456, passes: 2 }),
  'argon2id-64mib': Object.freeze({ kdf: 'argon2id', memoryKiB: 65_536, passes: 3 }),
  scrypt: Object.freeze({ kdf: 'scrypt', memoryKiB: 16_384, passes: 5 }),
  'scrypt-128mib': Object.freeze({ kdf: 'scrypt', memoryKiB: 131_072, passes: 1 }),
})

export const knownCost = (kdf: Cost['kdf'], memoryKiB: number, passes: number): Cost | undefined =>
  Object.values(COSTS).find(cost => cost.kdf === kdf && cost.memoryKiB === memoryKiB && cost.passes === passes)
