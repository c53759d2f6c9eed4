import { sha256 } from '../bytes/sha256.ts'

/** Hundredths of a percent. */
export const BUCKETS = 10_000

/** What the draw depends on: the caller, our name of the key, and the caller's idempotency key. */
export interface Drawn {
  readonly scope: string
  readonly key: string
  readonly idempotencyKey: string
}

/**
 * Where a request stands between 0 and 9,999: the same for every retry of it, in every process, whatever the percentage.
 * So a request stays where it was sent first, and a higher percentage only adds requests.
 * @param salt name of the flag, so that two flags do not choose the same requests
 */
export function bucketOf(salt: string, { scope, key, idempotencyKey }: Drawn): number {
  const hash = sha256(new TextEncoder().encode(JSON.stringify([salt, scope, key, idempotencyKey])))
  const view = new DataView(hash.buffer, hash.byteOffset, hash.byteLength)
  return Number(view.getBigUint64(0) % BigInt(BUCKETS)) // 2^64 is so much more than 10^4 that no bucket is favoured
}

/** @param percent 0 to 100, two decimals at most */
export const isChosen = (percent: number, salt: string, drawn: Drawn): boolean =>
  bucketOf(salt, drawn) < Math.round(percent * 100)
