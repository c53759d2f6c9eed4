import { sum } from '../matrix/report.ts'
import { countedLoop, type Load } from '../matrix/load.ts'
import { median, type Spread, spreadOf } from '../matrix/samples.ts'
import type { EmulatorControl } from '../rig/emulator.ts'
import type { RemoteService } from '../rig/orders.ts'
import { keyName } from '../rig/service.ts'
import type { Usage } from '../rig/usage.ts'
import { createProver } from './proofs.ts'
import { type ReadySubject, variantSubject } from './subject.ts'
import { GATEWAY_WAYS, type Group, groupName, type Turns, type Variant, VARIANTS } from './variants.ts'

/** One variant with its figures; milliseconds unless the name says otherwise. */
export interface GatewayCell extends Group, Spread {
  readonly custody: 'native'
  readonly variant: string
  readonly perSecond: number
  readonly cpuMsPerSignature: number
  /** p50 less that of the first variant of the same group; null for the first itself. */
  readonly overMs: number | null
  /** The same as a part of the variant's own p50. */
  readonly sharePercent: number | null
  /** How far the rounds' own differences lie apart: half of what is between their quartiles. */
  readonly overUnrestMs: number | null
}

export interface GatewayTools {
  shuffle<T>(list: readonly T[]): T[]
  onProgress(line: string): void
  readonly signal: AbortSignal
  /** Milliseconds since the epoch, for the proofs. */
  now(): number
}

const ROUNDS_MIN = 3

interface Turn {
  readonly load: Load
  readonly usage: Usage
}

interface Row {
  readonly group: Group
  readonly variant: Variant
  readonly subject: ReadySubject
  readonly turns: Turn[]
}

/**
 * What access and policy add on the path: each round, all variants of a group follow each other in a new order, in turns
 * of a tenth of a second, so that a slow moment of the machine hits them alike.
 * @throws when anything is refused, or a signature does not verify
 */
export async function measureGateway(
  service: RemoteService,
  control: EmulatorControl,
  groups: readonly Group[],
  turns: Turns,
  tools: GatewayTools,
): Promise<readonly GatewayCell[]> {
  if (groups.length === 0) return []
  await control.latency('none', 'aws')
  const subjects = await openSubjects(service, tools)
  const rows = groups.map(group =>
    VARIANTS.map((variant): Row => ({ group, variant, subject: subjects(group, variant), turns: [] })),
  )
  const until = performance.now() + turns.timeMs
  // One row a subject, the last: many callers warm sooner.
  const warming = new Map(rows.flat().map(row => [row.subject, row]))
  for (const row of warming.values()) await turn(row, service, turns.warmup)
  for (let round = 0; round < turns.rounds; round++) {
    if (round >= ROUNDS_MIN && performance.now() > until) break
    for (const row of tools.shuffle(rows).flatMap(group => tools.shuffle(group))) {
      tools.signal.throwIfAborted()
      const { callsAlone, callsTogether } = turns
      row.turns.push(await turn(row, service, row.group.concurrency === 1 ? callsAlone : callsTogether))
    }
    tools.onProgress(`gateway: round ${round + 1} of at most ${turns.rounds}`)
  }
  return rows.flatMap(cellsOf)
}

async function openSubjects(service: RemoteService, { now }: Pick<GatewayTools, 'now'>) {
  const prover = await createProver(now)
  const opened = new Map<string, ReadySubject>()
  const nameOf = (way: Pick<Group, 'provider' | 'transport'>, { name }: Variant) => `${keyName(way, 'native')} ${name}`
  for (const way of GATEWAY_WAYS) {
    for (const variant of VARIANTS) {
      opened.set(nameOf(way, variant), await variantSubject(service, variant, keyName(way, 'native'), prover))
    }
  }
  return (group: Group, variant: Variant): ReadySubject => {
    const subject = opened.get(nameOf(group, variant))
    if (subject === undefined) throw new Error(`${groupName(group)} was not opened`)
    return subject
  }
}

/** Requests and proofs are made before; signatures are looked at after. */
async function turn({ group, variant, subject }: Row, service: RemoteService, calls: number): Promise<Turn> {
  await subject.ready(calls)
  await service.begin()
  const load = await countedLoop(subject.sign, group.concurrency, calls)
  const usage = await service.end()
  const who = `${groupName(group)} ${variant.name}`
  if (load.refused.size > 0) throw new Error(`${who} was refused: ${[...load.refused.keys()].join(', ')}`)
  for (const signature of load.signatures) {
    if (!(await subject.verify(signature))) throw new Error(`A signature of ${who} does not verify`)
  }
  return { load, usage }
}

/** All variants of a group; the first is the one the others are held against. */
function cellsOf(rows: readonly Row[]): GatewayCell[] {
  const [base] = rows
  return rows.map(({ group, variant, turns }) => {
    const spread = spreadOf(latenciesOf(turns))
    const against = base === undefined || variant === base.variant ? undefined : base.turns
    const overMs = against === undefined ? null : spread.p50Ms - median(latenciesOf(against))
    const overs = (against ?? []).map(({ load }, round) => medianOf(turns[round]) - median(load.latencies))
    return {
      provider: group.provider,
      transport: group.transport,
      custody: 'native',
      variant: variant.name,
      concurrency: group.concurrency,
      ...spread,
      perSecond: (spread.samples / sum(turns.map(({ load }) => load.elapsedMs))) * 1000,
      cpuMsPerSignature: sum(turns.map(({ usage }) => usage.cpuMs)) / spread.samples,
      overMs,
      sharePercent: overMs === null ? null : (overMs / spread.p50Ms) * 100,
      overUnrestMs: overs.length === 0 ? null : halfBetweenQuartiles(overs),
    }
  })
}

const latenciesOf = (turns: readonly Turn[]): number[] => turns.flatMap(({ load }) => [...load.latencies])
const medianOf = (turn: Turn | undefined): number => median(turn?.load.latencies ?? [])
const halfBetweenQuartiles = (values: readonly number[]): number => {
  const { p25Ms, p75Ms } = spreadOf(values)
  return (p75Ms - p25Ms) / 2
}
