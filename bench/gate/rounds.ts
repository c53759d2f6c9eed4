import { closedLoop, type Load, type Sign } from '../matrix/load.ts'
import type { Observer } from '../matrix/measure.ts'
import { median } from '../matrix/samples.ts'
import { percentile } from '../report.ts'
import type { EmulatorControl } from '../rig/emulator.ts'
import { keyName } from '../rig/service.ts'
import type { Emulator } from '../rig/emulator.ts'
import type { RemoteService } from '../rig/orders.ts'
import { createWatch, thisProcess } from '../rig/usage.ts'
import { sdkSubject } from '../subjects/sdk.ts'
import { barrierSubject } from '../subjects/barrier.ts'
import { serviceSubject } from '../subjects/service.ts'
import type { Subject } from '../subjects/subject.ts'
import { type Budget, type GateRound, judge, type Verdict } from './rule.ts'

/** The default transport. */
const WAY = { provider: 'aws-kms', transport: 'lean' }
/** One caller, in parts that take turns. */
const PARTS = 4
const PART = 15
const WARMUP = 120
const CALLERS = 16
const TOGETHER_MS = 150

export interface GateRig {
  readonly emulator: Emulator
  readonly control: EmulatorControl
  readonly service: RemoteService
}

export interface GateOptions {
  readonly budget: Budget
  /** Part of the measured time of the path by which every request is made slower: the gate has to see it. 0: none. */
  readonly slowdown: number
  /** Of the clock of this process: no round begins after it, and what there is then decides. */
  readonly until: number
  shuffle<T>(list: readonly T[]): T[]
  onProgress(line: string): void
}

export interface Gated extends Verdict {
  readonly rounds: readonly GateRound[]
}

export async function runGate(rig: GateRig, options: GateOptions): Promise<Gated> {
  await rig.control.latency('none', 'aws')
  const sdk = await sdkSubject('aws-kms-sdk', 'native', rig.emulator)
  const native = await serviceSubject(rig.service, keyName(WAY, 'native'))
  const decrypt = await serviceSubject(rig.service, keyName(WAY, 'decrypt'))
  const barrier = await barrierSubject()
  const all = [sdk, native, decrypt]
  try {
    for (const subject of all) {
      await timed(subject.sign, WARMUP)
      await together(subject.sign)
      if (!(await subject.verify(await subject.sign()))) throw new Error('a signature of the gate does not verify')
    }
    const busy = await busyTimes(native, rig.service, options)
    const rounds: GateRound[] = []
    const { until } = options
    for (;;) {
      rounds.push(await oneRound({ sdk, barrier, native, decrypt }, rig.service, busy, options))
      const late = performance.now() > until
      const { verdict, findings } = judge(rounds, options.budget, late)
      const { min, step } = options.budget.rounds
      if (!late && (rounds.length < min || (rounds.length - min) % step !== 0)) continue
      options.onProgress(`${rounds.length} rounds: ${verdict}`)
      if (verdict !== 'again') return { rounds, findings, verdict }
    }
  } finally {
    for (const subject of [...all, barrier]) await subject.close()
  }
}

interface Busy {
  readonly alone: number
  readonly together: number
}

/**
 * Milliseconds for which each request keeps the processor busy: a part of its quickest round trip alone, and of the
 * processor time it takes among others.
 */
async function busyTimes(
  native: Subject,
  service: RemoteService,
  { slowdown, onProgress }: GateOptions,
): Promise<Busy> {
  if (slowdown === 0) return { alone: 0, together: 0 }
  const [alone, cpu]: [number[], number[]] = [[], []]
  for (let part = 0; part < PARTS; part++) {
    alone.push(quickest(await timed(native.sign, PART * 3)))
    cpu.push(await cpuOf(native.sign, service))
  }
  const busy = { alone: median(alone) * slowdown, together: median(cpu) * slowdown }
  onProgress(`slowed by ${busy.alone.toFixed(3)} ms alone, ${busy.together.toFixed(3)} ms among ${CALLERS}`)
  return busy
}

async function oneRound(
  {
    sdk,
    barrier,
    native,
    decrypt,
  }: Readonly<Record<'sdk' | 'native' | 'decrypt', Subject>> & {
    readonly barrier: { write(): Promise<void> }
  },
  service: RemoteService,
  busy: Busy,
  { shuffle }: GateOptions,
): Promise<GateRound> {
  await service.slow(busy.alone)
  const samples: Record<'sdkMs' | 'barrierMs' | 'nativeMs' | 'decryptMs', number[]> = {
    sdkMs: [],
    barrierMs: [],
    nativeMs: [],
    decryptMs: [],
  }
  const alone = [
    async () => void samples.sdkMs.push(...(await timed(sdk.sign, PART))),
    async () => void samples.barrierMs.push(...(await timed(barrier.write, PART))),
    async () => void samples.nativeMs.push(...(await timed(native.sign, PART))),
    async () => void samples.decryptMs.push(...(await timed(decrypt.sign, PART))),
  ]
  // In parts, each in a new order: what the machine does for a tenth of a second hits all of them alike.
  for (let part = 0; part < PARTS; part++) for (const measure of shuffle(alone)) await measure()
  await service.slow(busy.together)
  const cpu = { sdkCpuMs: 0, nativeCpuMs: 0 }
  const here = createWatch(thisProcess)
  const together = [
    async () => void (cpu.sdkCpuMs = await cpuOf(sdk.sign, here)),
    async () => void (cpu.nativeCpuMs = await cpuOf(native.sign, service)),
  ]
  for (const measure of shuffle(together)) await measure()
  await service.slow(0)
  const { sdkMs, barrierMs, nativeMs, decryptMs } = samples
  return {
    sdkMs: quickest(sdkMs),
    barrierMs: quickest(barrierMs),
    nativeMs: quickest(nativeMs),
    decryptMs: quickest(decryptMs),
    ...cpu,
  }
}

const quickest = (samples: readonly number[]): number =>
  percentile(
    samples.toSorted((a, b) => a - b),
    10,
  )

async function cpuOf(sign: Sign, observer: Observer): Promise<number> {
  await observer.begin()
  const { latencies } = await together(sign)
  return (await observer.end()).cpuMs / latencies.length
}

async function timed(sign: () => Promise<unknown>, count: number): Promise<number[]> {
  const out: number[] = []
  for (let i = 0; i < count; i++) {
    const start = performance.now()
    await sign()
    out.push(performance.now() - start)
  }
  return out
}

async function together(sign: Sign): Promise<Load> {
  const load = await closedLoop(sign, CALLERS, { timeMs: TOGETHER_MS, samplesMin: 50 })
  if (load.refused.size > 0) throw new Error(`refused: ${[...load.refused.keys()].join(', ')}`)
  return load
}
