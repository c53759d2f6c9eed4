import { createWatch, type Meters, thisProcess } from '../rig/usage.ts'
import type { Emulator, EmulatorControl } from '../rig/emulator.ts'
import type { RemoteService } from '../rig/orders.ts'
import { keyName } from '../rig/service.ts'
import { engineSubject } from '../subjects/engine.ts'
import { sdkSubject } from '../subjects/sdk.ts'
import { serviceSubject } from '../subjects/service.ts'
import type { Subject } from '../subjects/subject.ts'
import { type Face, type LibraryName, nameOf, type Square, squareName, WAYS } from './cells.ts'
import { openLoop } from './load.ts'
import { measureRound, type Round, verifyAll } from './measure.ts'
import { type Cell, cellOf, type OpenCell, refusals, withOverheads } from './report.ts'
import { clockStep, spreadOf } from './samples.ts'
import type { Settings } from './settings.ts'

export interface Rig {
  readonly emulator: Emulator
  readonly control: EmulatorControl
  readonly service: RemoteService
  /** Absent where they are not there: the single binary holds none of them. */
  readonly library?: (name: LibraryName, emulator: Emulator) => Promise<Subject>
}

export interface Tools {
  shuffle<T>(list: readonly T[]): T[]
  onProgress(line: string): void
  readonly signal: AbortSignal
  readonly meters?: Meters
}

/** Measures all squares, every round in a new order, then the arrivals at fixed rates. */
export async function runSuite(
  rig: Rig,
  squares: readonly Square[],
  settings: Settings,
  tools: Tools,
): Promise<{ cells: readonly Cell[]; openLoop: readonly OpenCell[] }> {
  const subjects = await openSubjects(rig, squares)
  const here = createWatch(tools.meters ?? thisProcess)
  const step = clockStep()
  const rounds = new Map<Square, Round[]>(squares.map(square => [square, []]))
  const started = performance.now()
  let done = 0
  try {
    for (let round = 0; round < settings.rounds; round++) {
      for (const square of tools.shuffle(squares)) {
        tools.signal.throwIfAborted()
        const taken = await measureRound(
          {
            square,
            subject: subjects.of(square),
            face: faceOf(square),
            observer: square.subject === 'service' ? rig.service : here,
            bounds: isSlow(square) ? settings.slow : settings,
          },
          rig.control,
        )
        rounds.get(square)?.push(taken)
        done++
        tools.onProgress(progress(square, taken, done, squares.length * settings.rounds, started))
      }
    }
    const cells = withOverheads(squares.map(square => cellOf(square, rounds.get(square) ?? [], step)))
    return { cells, openLoop: await openCells(rig, subjects, cells, settings, tools, squares) }
  } finally {
    await subjects.close()
  }
}

const wayOf = ({ provider, transport }: Square) =>
  WAYS.find(way => way.provider === provider && way.transport === transport)
const faceOf = (square: Square): Face | undefined => wayOf(square)?.face
const isSlow = (square: Square): boolean => wayOf(square)?.slow === true

/** One subject serves all its squares: what an application keeps open, it keeps open. */
async function openSubjects(rig: Rig, squares: readonly Square[]) {
  const opened = new Map<string, Subject>()
  const keyOf = (square: Square): string => [square.subject, nameOf(square), square.custody].join(' ')
  const open = (square: Square): Promise<Subject> => {
    if (square.subject === 'engine') return engineSubject()
    if (square.subject === 'service') return serviceSubject(rig.service, keyName(square, square.custody))
    if (square.subject === 'sdk') return sdkSubject(nameOf(square), square.custody, rig.emulator)
    if (rig.library === undefined) throw new Error(`${square.subject} is not in the binary: run the bench from source`)
    return rig.library(square.subject, rig.emulator)
  }
  for (const square of squares) {
    const key = keyOf(square)
    if (!opened.has(key)) opened.set(key, await open(square))
  }
  return {
    of(square: Square): Subject {
      const subject = opened.get(keyOf(square))
      if (subject === undefined) throw new Error(`${squareName(square)} was not opened`)
      return subject
    },
    close: async () => {
      for (const subject of opened.values()) await subject.close()
    },
  }
}

function progress(square: Square, { load }: Round, done: number, all: number, started: number): string {
  const { p50Ms, p99Ms, samples } = spreadOf(load.latencies)
  const left = ((performance.now() - started) / done) * (all - done)
  const count = `[${String(done).padStart(String(all).length)}/${all}, ${Math.ceil(left / 1000)} s left]`
  return `${count} ${squareName(square)}: p50 ${p50Ms.toFixed(2)} p99 ${p99Ms.toFixed(2)} ms, ${samples} samples`
}

/** At parts of what the closed loop of 16 reached, so that the rate can be kept and a queue is the path's own doing. */
async function openCells(
  rig: Rig,
  subjects: Awaited<ReturnType<typeof openSubjects>>,
  cells: readonly Cell[],
  settings: Settings,
  tools: Tools,
  squares: readonly Square[],
): Promise<OpenCell[]> {
  const chosen = cells.filter(
    ({ concurrency, profile, subject, provider }) =>
      concurrency === 16 &&
      profile === 'none' &&
      provider === 'aws-kms' &&
      (subject === 'service' || subject === 'sdk'),
  )
  const jobs = chosen.flatMap(cell => settings.open.shares.map(share => ({ cell, share })))
  const out: OpenCell[] = []
  for (const { cell, share } of tools.shuffle(jobs)) {
    tools.signal.throwIfAborted()
    const face = faceOf(cell)
    if (face !== undefined) await rig.control.latency(cell.profile, face)
    const square = squares.find(each => squareName(each) === squareName(cell))
    if (square === undefined) continue
    const subject = subjects.of(square)
    const ratePerSecond = Math.max(1, Math.round(cell.perSecond * share))
    const load = await openLoop(subject.sign, ratePerSecond, settings.open.timeMs)
    await verifyAll(square, subject, load.signatures)
    const { provider, transport, custody, profile } = square
    out.push({
      provider,
      transport,
      custody,
      subject: square.subject,
      profile,
      ratePerSecond,
      ...spreadOf(load.latencies),
      perSecond: (load.latencies.length / load.elapsedMs) * 1e3,
      inFlightMax: load.inFlightMax,
      refused: refusals([load.refused]),
    })
    tools.onProgress(`arrivals at ${ratePerSecond}/s: ${squareName(square)}`)
  }
  return out.toSorted((a, b) => rank(a) - rank(b))
}

const rank = ({ subject, custody, ratePerSecond }: OpenCell): number =>
  (subject === 'service' ? 2e9 : 0) + (custody === 'native' ? 0 : 1e9) + ratePerSecond
