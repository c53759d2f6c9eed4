import { ADMIN_PREFIX, type AdminTarget, handleAdmin } from './admin.ts'
import type { Clock } from './clock.ts'
import { FACE_NAMES, type FaceName } from './face-name.ts'
import type { Face, FaceWorld } from './face.ts'
import { createFaultBook, type FaultRule } from './faults.ts'
import { createLatency, type Latency, type LatencyName, type LatencyOptions } from './latency.ts'
import { type Random, rememberStreams, seededStreams, type Streams, systemRandom } from './random.ts'
import { createSaver, readJsonFile, replaceFile } from './saver.ts'
import type { Incoming, Reply } from './server.ts'

export const WARNING =
  'local-kms is an emulator and no secure store: keys lie in memory, snapshots and files in the clear'

export interface HostOptions {
  /** Without repetition; the first one is meant where none is named. */
  readonly faces: readonly FaceName[]
  readonly clock: Clock
  readonly masterSeed: string | Uint8Array | undefined
  readonly entropy: Random
  readonly latency: LatencyName | LatencyOptions
  readonly faults: readonly FaultRule[]
  readonly persist: string | undefined
  readonly onAudit: ((record: unknown, face: FaceName) => void) | undefined
}

export type Snapshots = Readonly<Partial<Record<FaceName, unknown>>>

export interface Host extends AdminTarget {
  snapshot(): Snapshots
  /** All of it or nothing; a face the snapshot has no word of stays as it is. */
  restore(snapshot: Snapshots): void
  /** What the port of this face answers: the face itself, or the administration surface. */
  handler(face: FaceName): (request: Incoming) => Promise<Reply>
  save(): void
  close(): Promise<void>
}

/** Makes one face. @param kept  its part of the persisted file */
export type MakeFace = (name: FaceName, world: FaceWorld, kept: unknown) => Promise<Face>

/**
 * What the faces of one process share: clock, seed, faults, latency, file, administration. Each face has streams, counters and
 * chances of its own, so that calls to one never change what another does.
 */
export async function createHost(options: HostOptions, make: MakeFace): Promise<Host> {
  const { clock, masterSeed, faces: names } = options
  const first = names[0]
  if (first === undefined) throw new RangeError('Cannot start local-kms without a face: name aws, vault or gcp')
  const kept = options.persist === undefined ? undefined : readJsonFile(options.persist)
  if (kept !== undefined && !FACE_NAMES.some(name => name in kept)) throw new SyntaxError('holds no state of any face')

  // The first face that was built has the labels as they are; its seeded keys stay what they were before there were others
  const labelled = (face: FaceName, streams: Streams): Streams =>
    face === 'aws' ? streams : label => streams(`${face} ${label}`)
  const streamsOf = (face: FaceName): Streams =>
    rememberStreams(labelled(face, masterSeed === undefined ? () => systemRandom : seededStreams(masterSeed)))
  // Latency and faults draw from streams of their own: the same seed, or none, gives the same row in every run
  const play = (face: FaceName, label: string): Random =>
    labelled(face, seededStreams(masterSeed ?? 'local-kms'))(label)

  const book = createFaultBook(options.faults, names, face => play(face, 'faults'))
  const latencyOf = (face: FaceName, latency: LatencyName | LatencyOptions): Latency =>
    createLatency(typeof latency === 'string' ? { profile: latency } : latency, play(face, 'latency'), face)
  const latencyOptions = new Map(names.map(face => [face, options.latency]))
  const latencies = new Map(names.map(face => [face, latencyOf(face, options.latency)]))

  const faces = new Map<FaceName, Face>()
  const snapshot = (): Snapshots => Object.fromEntries([...faces].map(([name, face]) => [name, face.snapshot()]))
  const write = (path: string): void => {
    if (faces.size < names.length) return // still being made
    // The part of a face that is not started this time is carried along
    replaceFile(path, JSON.stringify({ ...kept, warning: WARNING, ...snapshot() }))
  }
  const { persist } = options
  const saver = createSaver(persist === undefined ? undefined : () => write(persist))

  try {
    for (const name of names) {
      const world: FaceWorld = {
        clock,
        streams: streamsOf(name),
        seeded: masterSeed !== undefined,
        entropy: options.entropy,
        faults: book.of(name),
        latency: () => latencies.get(name)!,
        onAudit: options.onAudit && ((face, record) => options.onAudit?.(record, face)),
        onChange: () => saver.changed(),
        saved: () => saver.saved(),
      }
      const face = await make(name, world, kept?.[name])
      face.reset(streamsOf(name)) // what was drawn while it was made does not shift what comes
      faces.set(name, face)
    }
  } catch (problem) {
    await closeAll(faces.values())
    throw problem
  }
  const initial = snapshot()

  const which = (name: FaceName = first): Face => {
    const face = faces.get(name)
    if (face !== undefined) return face
    throw new RangeError(`There is no face '${name}' here: there are ${names.join(', ')}`)
  }
  const some = (name: FaceName | undefined): readonly Face[] =>
    name === undefined ? [...faces.values()] : [which(name)]

  const host: Host = {
    clock,
    faces: names,
    reset(only) {
      for (const face of some(only)) {
        face.restore(initial[face.name])
        face.reset(streamsOf(face.name))
        latencies.set(face.name, latencyOf(face.name, latencyOptions.get(face.name)!))
      }
      book.reset(only)
      saver.now()
    },
    inspect: only => (only === undefined ? inspectAll() : which(only).inspect()),
    calls: name => which(name).calls(),
    audit: name => which(name).audit(),
    faults: () => book.list(),
    addFaults: (...rules) => book.add(...rules),
    clearFaults: () => book.clear(),
    setLatency(latency, only) {
      const made = some(only).map(({ name }) => [name, latencyOf(name, latency)] as const)
      for (const [name, each] of made) {
        latencies.set(name, each)
        latencyOptions.set(name, latency)
      }
    },
    setKeyState(key, state, only) {
      if (!some(only).some(face => face.setKeyState(key, state))) {
        throw new RangeError(`Cannot set the state of '${key}': there is no such key`)
      }
      saver.now()
    },
    setServerState(state, only) {
      const able = some(only).filter(face => face.setServerState !== undefined)
      if (able.length === 0) throw new RangeError(`Cannot set server state '${state}': no face here has one`)
      for (const face of able) face.setServerState?.(state)
      saver.now()
    },
    snapshot,
    restore(given) {
      const before = snapshot()
      try {
        for (const [name, face] of faces) if (given[name] !== undefined) face.restore(given[name])
      } catch (problem) {
        for (const [name, face] of faces) face.restore(before[name])
        throw problem
      }
      saver.now()
    },
    handler: name => {
      const face = which(name)
      return async request => {
        if (request.target.startsWith(ADMIN_PREFIX)) return handleAdmin(request, host, name)
        const reply = await face.handle(request)
        try {
          await saver.saved()
        } catch (problem) {
          return unsaved(persist, problem)
        }
        return reply
      }
    },
    save: () => saver.now(),
    close: () => closeAll(faces.values()),
  }

  /** What AWS has stands on top, as it did when there was nothing else. */
  function inspectAll(): Record<string, unknown> {
    const { aws, ...others } = Object.fromEntries([...faces].map(([name, face]) => [name, face.inspect()]))
    return {
      warning: WARNING,
      ...(aws as object | undefined),
      now: clock.now(),
      faces: names,
      calls: faces.get('aws')?.calls() ?? {},
      faults: book.list(),
      ...others,
    }
  }
  return host
}

async function closeAll(faces: Iterable<Face>): Promise<void> {
  for (const face of faces) await face.close()
}

/** Nobody is told that something was done which the next start will not know. */
function unsaved(path: string | undefined, problem: unknown): Reply {
  const error = `local-kms cannot write ${String(path)}: ${problem instanceof Error ? problem.message : String(problem)}`
  const body = new TextEncoder().encode(JSON.stringify({ error }))
  return { status: 500, headers: { 'content-type': 'application/json' }, body }
}
