import { Bench } from 'tinybench'
import { CASES } from './cases.ts'
import { type Measurement, measurementOf, type Report, table } from './report.ts'

/** What the benchmark drives; the composition starts it, each part in a process of its own. */
export interface Rig {
  /** The emulator alone. */
  readonly kms: string
  /** Calls the emulator has answered so far, by operation. */
  calls(): Promise<Readonly<Record<string, number>>>
  /** The signer in front of it. */
  readonly service: string
  readonly token: string
  /** Key id of `demo-stellar` and the transaction to sign. */
  readonly keyId: string
  readonly hash: Uint8Array
  readonly xdr: string
  verify(key: string, signature: Uint8Array): boolean
  readonly facts: Report['facts']
  stop(): Promise<void>
}

export interface Settings {
  readonly rounds: number
  readonly iterations: number
  readonly warmup: number
}

export const LONG: Settings = { rounds: 10, iterations: 100, warmup: 50 }
export const SHORT: Settings = { rounds: 4, iterations: 25, warmup: 20 }

/**
 * Times single operations one after another. Each round runs every case in a new order, so that a slow minute of the
 * machine hits all of them; samples of all rounds are pooled. Signatures are verified outside the timed section.
 */
export async function runBench(
  rig: Rig,
  settings: Settings,
  tools: { shuffle: <T>(list: readonly T[]) => T[]; onProgress: (line: string) => void },
): Promise<{ table: string; json: Report }> {
  const cases = await Promise.all(CASES.map(async open => open(rig)))
  const samples = new Map<string, number[]>(cases.map(c => [c.name, []]))
  const calls = new Map<string, number>()
  try {
    for (const c of cases) {
      for (let i = 0; i < settings.warmup; i++) await c.run()
      calls.set(c.name, await callsPerRun(rig, c.run))
      if (!rig.verify(c.key, await c.signature())) throw new Error(`The signature of ${c.name} does not verify`)
    }
    for (let round = 1; round <= settings.rounds; round++) {
      for (const c of tools.shuffle(cases))
        samples.get(c.name)?.push(...(await timed(c.name, c.run, settings.iterations)))
      tools.onProgress(`round ${round} of ${settings.rounds}`)
    }
  } finally {
    for (const c of cases) c.close()
  }
  const measurements: Measurement[] = cases.map(c =>
    measurementOf(c.name, c.baseline, samples.get(c.name) ?? [], calls.get(c.name) ?? 0),
  )
  const json: Report = { facts: rig.facts, settings, measurements }
  return { table: table(json), json }
}

async function timed(name: string, run: () => Promise<unknown>, iterations: number): Promise<number[]> {
  const bench = new Bench({ iterations, time: 0, warmup: false, retainSamples: true, throws: true })
  bench.add(name, async () => void (await run()))
  const [task] = await bench.run()
  const result = task?.result
  if (result?.state !== 'completed' || result.latency.samples === undefined) throw new Error(`${name} was not measured`)
  return [...result.latency.samples]
}

async function callsPerRun(rig: Rig, run: () => Promise<unknown>): Promise<number> {
  const before = total(await rig.calls())
  const runs = 10
  for (let i = 0; i < runs; i++) await run()
  return (total(await rig.calls()) - before) / runs
}

const total = (calls: Readonly<Record<string, number>>) => Object.values(calls).reduce((sum, count) => sum + count, 0)
