import { systemClock } from './core/clock.ts'
import { FACE_NAMES, type FaceName } from './core/face-name.ts'
import { createHost } from './core/host.ts'
import { systemRandom } from './core/random.ts'
import { faceMaker, type MadeFaces, schemaOf } from './faces.ts'
import { type Doors, openDoors } from './doors.ts'
import type { LocalKms, LocalKmsInspection, LocalKmsOptions, LocalKmsSnapshot } from './options.ts'
import { parseSeed, type ReadSeed, readSeedFile } from './seed.ts'

export type { AuditRecord } from './aws/audit.ts'
export type { ThrottleOptions } from './aws/quotas.ts'
export type { Credential, SigV4Mode } from './aws/sigv4.ts'
export type { AwsSnapshot, KeyState } from './aws/store.ts'
export { type Clock, type VirtualClock, virtualClock } from './core/clock.ts'
export { FACE_NAMES, type FaceName } from './core/face-name.ts'
export type { Fault, FaultRule } from './core/faults.ts'
export { LATENCY_PROFILES, type LatencyName, type LatencyOptions, type LatencyProfile } from './core/latency.ts'
export type { Random } from './core/random.ts'
export { PortError, type PortOption } from './doors.ts'
export type { LocalKms, LocalKmsInspection, LocalKmsOptions, LocalKmsSnapshot } from './options.ts'
export type { SeedDocument } from './seed.ts'

/**
 * Starts the emulator: AWS KMS, HashiCorp Vault Transit and Google Cloud KMS, each on loopback ports of its own.
 * @throws RangeError for options or a seed document that cannot be used; PortError for a port it does not get;
 *   SyntaxError when the persisted file is none.
 */
export async function startLocalKms(options: LocalKmsOptions = {}): Promise<LocalKms> {
  const names = checkFaces(options.faces ?? FACE_NAMES)
  const seed = await readSeed(options, names)
  const made: MadeFaces = {}
  const host = await createHost(
    {
      faces: names,
      clock: options.clock ?? systemClock,
      masterSeed: options.masterSeed ?? seed?.masterSeed,
      entropy: options.entropy ?? systemRandom,
      latency: options.latency ?? 'none',
      faults: options.faults ?? [],
      persist: options.persist,
      onAudit: options.onAudit && ((record, face) => options.onAudit?.(record as Record<string, unknown>, face)),
    },
    faceMaker(options, seed, made),
  )
  let doors: Doors
  try {
    doors = await openDoors(options, host, made)
    host.save()
  } catch (problem) {
    await host.close()
    throw problem
  }

  const address = <T>(face: FaceName, value: T | undefined): T => {
    if (value !== undefined) return value
    throw new RangeError(`The ${face} face was not started: name it in faces`)
  }
  return {
    faces: names,
    get aws() {
      return address('aws', doors.aws)
    },
    get vault() {
      return address('vault', doors.vault)
    },
    get vaultToken() {
      return address('vault', made.vault?.rootToken)
    },
    get gcpRest() {
      return address('gcp', doors.gcpRest)
    },
    get gcpGrpc() {
      return address('gcp', doors.gcpGrpc)
    },
    region: options.region ?? seed?.region ?? 'us-east-1',
    accountId: options.accountId ?? seed?.accountId ?? '000000000000',
    reset: face => host.reset(face),
    snapshot: () => host.snapshot() as LocalKmsSnapshot,
    restore: snapshot => host.restore(snapshot),
    inspect: () => host.inspect() as LocalKmsInspection,
    calls: face => host.calls(face),
    audit: (face?: FaceName) => host.audit(face) as never,
    faults: () => host.faults(),
    addFaults: (...rules) => host.addFaults(...rules),
    clearFaults: () => host.clearFaults(),
    setLatency: (latency, face) => host.setLatency(latency, face),
    setKeyState: (key, state, face) => host.setKeyState(key, state, face),
    setServerState: (state, face) => host.setServerState(state, face),
    async close() {
      await doors.close()
      await host.close()
    },
  }
}

/** In the order of FACE_NAMES, so that AWS comes first where it is there. */
function checkFaces(wanted: readonly FaceName[]): readonly FaceName[] {
  const unknown = wanted.find(name => !FACE_NAMES.includes(name))
  if (unknown !== undefined) {
    throw new RangeError(`Unknown face '${unknown}': use ${FACE_NAMES.join(', ')}`)
  }
  return FACE_NAMES.filter(name => wanted.includes(name))
}

async function readSeed(options: LocalKmsOptions, faces: readonly FaceName[]): Promise<ReadSeed | undefined> {
  if (options.seed !== undefined && options.seedFile !== undefined) {
    throw new RangeError('Cannot use both seed and seedFile: give one of them')
  }
  const value = options.seedFile === undefined ? options.seed : readSeedFile(options.seedFile)
  return value === undefined ? undefined : parseSeed(value, faces, schemaOf)
}
