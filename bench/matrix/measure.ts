import { Bench } from 'tinybench'
import type { EmulatorControl } from '../rig/emulator.ts'
import type { Usage } from '../rig/usage.ts'
import type { Subject } from '../subjects/subject.ts'
import { type Face, type Square, squareName } from './cells.ts'
import { type Bounds, closedLoop, type Load } from './load.ts'

/** What one round of one square gave. */
export interface Round {
  readonly load: Load
  /** Of the process that signs: the service's, or this one where a client signs. */
  readonly usage: Usage
  readonly calls: number
}

/** Whoever counts processor time and memory for the process that signs. */
export interface Observer {
  begin(): Promise<void> | void
  end(): Promise<Usage> | Usage
}

export interface Job {
  readonly square: Square
  readonly subject: Subject
  readonly face: Face | undefined
  readonly observer: Observer
  readonly bounds: Bounds & { readonly warmup: number }
}

/**
 * One round: connections and code warmed without latency, then timed with it, then everything checked that was given.
 * @throws when it does not sign at all, or gave a signature that does not verify
 */
export async function measureRound(
  { square, subject, face, observer, bounds }: Job,
  control: EmulatorControl,
): Promise<Round> {
  if (face !== undefined) await control.latency('none', face)
  await warm(subject, square, bounds.warmup)
  if (face !== undefined) await control.latency(square.profile, face)
  const before = face === undefined ? 0 : await control.calls(face)
  await observer.begin()
  const load =
    square.concurrency === 1
      ? await single(subject, bounds)
      : await closedLoop(subject.sign, square.concurrency, bounds)
  const usage = await observer.end()
  const calls = face === undefined ? 0 : (await control.calls(face)) - before
  if (load.latencies.length === 0) {
    throw new Error(`${squareName(square)} signed nothing: ${[...load.refused.keys()].join(', ')}`)
  }
  await verifyAll(square, subject, load.signatures)
  return { load, usage, calls }
}

async function warm(subject: Subject, { concurrency }: Square, signatures: number): Promise<void> {
  const each = Math.ceil(signatures / concurrency)
  const caller = async (): Promise<void> => {
    for (let i = 0; i < each; i++) await subject.sign().catch(() => {}) // what is turned away is counted when it is timed
  }
  await Promise.all(Array.from({ length: concurrency }, caller))
}

/** One after another, timed by tinybench. */
async function single(subject: Subject, { timeMs, samplesMin }: Bounds): Promise<Load> {
  const signatures: string[] = []
  const bench = new Bench({ time: timeMs, iterations: samplesMin, warmup: false, retainSamples: true, throws: true })
  bench.add('sign', async () => void signatures.push(await subject.sign()))
  const start = performance.now()
  const [task] = await bench.run()
  const elapsedMs = performance.now() - start
  const result = task?.result
  if (result?.state !== 'completed' || result.latency.samples === undefined) throw new Error('nothing was measured')
  return { latencies: [...result.latency.samples], elapsedMs, signatures, refused: new Map(), inFlightMax: 1 }
}

/** All of them: Ed25519 gives one signature for one message, so equal texts are checked once. */
export async function verifyAll(
  square: Square,
  subject: Pick<Subject, 'verify'>,
  signatures: readonly string[],
): Promise<void> {
  for (const signature of new Set(signatures)) {
    if (!(await subject.verify(signature))) throw new Error(`A signature of ${squareName(square)} does not verify`)
  }
}
