import type { GatewayCell } from '../gateway/measure.ts'
import type { Square } from './cells.ts'
import { baselineOf } from './cells.ts'
import type { Round } from './measure.ts'
import { median, type Spread, spreadOf, STEPS_MIN } from './samples.ts'
import type { Settings } from './settings.ts'

/** One square with its figures; milliseconds unless the name says otherwise. */
export interface Cell extends Square, Spread {
  readonly perSecond: number
  /** Calls that the key service answered, by signature that was given. */
  readonly callsPerSignature: number
  /** Of the process that signs, all its threads. */
  readonly cpuMsPerSignature: number
  readonly peakRssMb: number
  /** How long an opened key lay in the service's memory; 0 for native; null where it is not measured. */
  readonly exposureP50Ms: number | null
  readonly exposureMaxMs: number | null
  /** Sum over all keys opened, by second of the clock on the wall. */
  readonly exposureMsPerSecond: number | null
  readonly refused: Readonly<Record<string, number>>
  /** How far the rounds' own medians lie apart, as a part of the median. */
  readonly roundSpread: number
  /** False: too few steps of the clock to be believed. */
  readonly clockTrusted: boolean
  /** p50 less the p50 of the vendor's client called directly; null without one. */
  readonly overheadMs: number | null
  readonly overheadRatio: number | null
}

export interface OpenCell extends Spread {
  readonly provider: string
  readonly transport: string
  readonly custody: string
  readonly subject: string
  readonly profile: string
  /** Arrivals a second that were asked for, and signatures a second that came. */
  readonly ratePerSecond: number
  readonly perSecond: number
  readonly inFlightMax: number
  readonly refused: Readonly<Record<string, number>>
}

export interface Meta {
  readonly commit: string
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly memoryGb: number
    readonly platform: string
    readonly loadBefore: number
  }
  readonly runtime: string
  readonly version: string
  readonly settings: Settings
  readonly date: string
  readonly seconds: number
  readonly timerStepMs: number
  /** Percent of the processors' time that other machines on the same host took meanwhile; null where nobody counts it. */
  readonly stealPercent: number | null
  readonly steal: { readonly before: number; readonly after: number } | null
  readonly assumptions: readonly string[]
}

export interface Report {
  readonly meta: Meta
  readonly cells: readonly Cell[]
  readonly openLoop: readonly OpenCell[]
  /** What access and policy add on the path. */
  readonly gateway: readonly GatewayCell[]
}

export function cellOf(
  square: Square,
  rounds: readonly Round[],
  clockStepMs: number,
): Omit<Cell, 'overheadMs' | 'overheadRatio'> {
  const latencies = rounds.flatMap(({ load }) => load.latencies)
  const elapsedMs = sum(rounds.map(({ load }) => load.elapsedMs))
  const exposures = rounds.flatMap(({ usage }) => usage.exposuresMs)
  const spread = spreadOf(latencies)
  const medians = rounds.map(({ load }) => median(load.latencies))
  const serviceDecrypts = square.subject === 'service' && square.custody === 'decrypt'
  const unknown = square.custody === 'decrypt' && !serviceDecrypts
  const exposed = (value: () => number): number | null =>
    unknown || square.subject === 'engine' ? null : serviceDecrypts ? value() : 0
  const given = latencies.length
  return {
    ...square,
    ...spread,
    perSecond: (given / elapsedMs) * 1000,
    callsPerSignature: sum(rounds.map(({ calls }) => calls)) / given,
    cpuMsPerSignature: sum(rounds.map(({ usage }) => usage.cpuMs)) / given,
    peakRssMb: Math.max(...rounds.map(({ usage }) => usage.peakRssMb)),
    exposureP50Ms: exposed(() => median(exposures)),
    exposureMaxMs: exposed(() => Math.max(...exposures)),
    exposureMsPerSecond: exposed(() => (sum(exposures) / elapsedMs) * 1000),
    refused: refusals(rounds.map(({ load }) => load.refused)),
    roundSpread: (Math.max(...medians) - Math.min(...medians)) / spread.p50Ms,
    clockTrusted: spread.p50Ms >= STEPS_MIN * clockStepMs,
  }
}

/** Adds what the vendor's client took in the same run. */
export function withOverheads(cells: readonly Omit<Cell, 'overheadMs' | 'overheadRatio'>[]): Cell[] {
  return cells.map(cell => {
    const base = baselineOf(cell, cells) as (typeof cells)[number] | undefined
    if (base === undefined) return { ...cell, overheadMs: null, overheadRatio: null }
    return { ...cell, overheadMs: cell.p50Ms - base.p50Ms, overheadRatio: cell.p50Ms / base.p50Ms }
  })
}

export const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0)

export function refusals(all: readonly ReadonlyMap<string, number>[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const each of all) for (const [why, count] of each) counts[why] = (counts[why] ?? 0) + count
  return counts
}

/** What the figures rest on, said wherever they are shown. */
export const ASSUMPTIONS: readonly string[] = [
  'The key services are emulated by local-kms on this machine, in a process of its own. No real service was asked; what the emulator itself takes is in every figure, in those of the vendor’s clients too.',
  'The percentile profiles of latency (aws-in-region, gcp-hsm and so on) are our own assumption: no vendor publishes such figures. Connections are warm: what opening one costs is left out.',
  'Traffic goes over loopback without TLS. Client, service and emulator share the processors: at high concurrency they take time from each other, which a deployment on machines of their own does not.',
  'The data directory lies where the system keeps temporary files; how long a durable record takes depends on that disk.',
  'The vendor’s client called directly does less: no token, no policy, no record, nobody verifies. With decrypt it opens a seed that is bound to no context, signs with the same engine as the service, and overwrites one copy.',
  'The libraries are dependencies of development and not in the binary. @rumblefishdev/eth-signer-kms signs secp256k1, the others Ed25519.',
  'How long key bytes lay in memory counts from the provider handing over the opened key to its wipe, inside the service. Copies in buffers of sockets and of the runtime before that are not seen by it; test/residue looks for those.',
]
