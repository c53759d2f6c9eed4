import type { Clock } from '../domain/ports.ts'

/** The request a proof must be for, as it came in. */
export interface ProvenRequest {
  readonly method: string
  /** The path of the request line as received: absolute, without query. */
  readonly path: string
  readonly body: Uint8Array
  readonly idempotencyKey?: string | undefined
}

export interface ProofRules {
  readonly clock: Pick<Clock, 'now'>
  /** How old a proof may be, and how far ahead of our clock: 1 to 60. */
  readonly proofSeconds: number
}

/** A proof that holds, and how to see whether it was used before. */
export interface Proof {
  readonly kind: 'dpop' | 'signature'
  /** Of the key it was made with. */
  readonly thumbprint: string
  /** What its maker called it. */
  readonly identifier: string
  /** Milliseconds since the epoch. */
  readonly freshUntil: number
}

export const PROOF_SECONDS = 15
export const PROOF_SECONDS_MAX = 60

/** @param at seconds since the epoch. @returns until when the proof is fresh, or undefined when it is not now */
export function freshUntil(at: number, { clock, proofSeconds }: ProofRules): number | undefined {
  const [made, now, life] = [at * 1000, clock.now(), proofSeconds * 1000]
  return made >= now - life && made <= now + life ? made + life : undefined
}
