/** What is measured of access and policy, as data: who asks with what, at a service set up how. */
import type { Extent, Way } from '../matrix/cells.ts'

/** The path without a gateway, with one, and with one and a policy that has spend windows. */
export const SETUPS = ['plain', 'gateway', 'windows'] as const
export type Setup = (typeof SETUPS)[number]

export interface Variant {
  readonly name: string
  readonly setup: Setup
  /** The token carries constraints. */
  readonly constrained: boolean
  /** The token is bound to a key, and every request brings a DPoP proof made with it. */
  readonly proven: boolean
}

/** The first is what the others are held against. */
export const VARIANTS: readonly Variant[] = [
  { name: 'bearer', setup: 'plain', constrained: false, proven: false },
  { name: 'gateway', setup: 'gateway', constrained: true, proven: false },
  { name: 'gateway, DPoP', setup: 'gateway', constrained: true, proven: true },
  { name: 'gateway, DPoP, windows', setup: 'windows', constrained: true, proven: true },
]

/** The path alone, and the way most installations go. */
export const GATEWAY_WAYS: readonly Pick<Way, 'provider' | 'transport'>[] = [
  { provider: 'mock', transport: 'none' },
  { provider: 'aws-kms', transport: 'lean' },
]

/** One way and number of callers; all variants of it take turns. */
export interface Group {
  readonly provider: string
  readonly transport: string
  readonly concurrency: number
}

const CALLERS = [1, 16]

export const GROUPS: readonly Group[] = GATEWAY_WAYS.flatMap(({ provider, transport }) =>
  CALLERS.map(concurrency => ({ provider, transport, concurrency })),
)

export const groupName = ({ provider, transport, concurrency }: Group): string =>
  ['gateway', provider, transport, 'native', 'none', `c=${concurrency}`].join(' ')

/** A number of calls and not a time, for their proofs are made before. */
export interface Turns {
  /** Every variant of every group has one turn a round. */
  readonly rounds: number
  /** Warming included: no round begins after it, from the third on. */
  readonly timeMs: number
  readonly callsAlone: number
  readonly callsTogether: number
  /** Of each variant of each way: so much code is new in each of them that the first hundreds are slower. */
  readonly warmup: number
}

export const TURNS: Readonly<Record<Extent, Turns>> = {
  quick: { rounds: 12, timeMs: 16_000, callsAlone: 32, callsTogether: 128, warmup: 480 },
  full: { rounds: 40, timeMs: 90_000, callsAlone: 64, callsTogether: 256, warmup: 2000 },
}
