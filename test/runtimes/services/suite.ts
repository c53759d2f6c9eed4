/**
 * The three key services over fetch, the same on every runtime (M-14): what they say, sign, open and refuse, through the
 * providers, through custody and through the whole path. Web APIs only.
 */
import type { EngineCapability } from '../../../src/custody/index.ts'
import type { World } from '../../../src/domain/ports.ts'
import { type Cases, runRooms, type SuiteResult } from '../report.ts'
import { custodyCases } from './custody.ts'
import { keyCases } from './keys.ts'
import type { Openers } from './openers.ts'
import { configOf, type Places, SERVICES, type Service, type Wires } from './places.ts'
import { codesNowhere, faultCases, refusalCases } from './refusals.ts'
import type { Subject } from './subject.ts'

export interface Reach {
  readonly capability: EngineCapability
  readonly world: World
  readonly openers: Openers
  readonly places: Places
  readonly wires?: Wires
}

export function subjectOf(service: Service, { capability, world, openers, places, wires }: Reach): Subject {
  /** The one line that TypeScript cannot follow: config and opener are of the same service. */
  const opener = openers[service] as (config: unknown, world: object) => ReturnType<Subject['open']>
  return {
    service,
    capability,
    world,
    open: (manner = 'right', fetch = world.fetch) =>
      opener(configOf(service, places, manner, wires), { ...world, fetch, environment: 'development' }),
  }
}

/** Rooms of one service: `NAME`, and `NAME under faults` for what the wire does. */
export function roomsOf(subject: Subject): Readonly<Record<string, Cases>> {
  return {
    [subject.service]: { ...keyCases(subject), ...custodyCases(subject), ...refusalCases(subject) },
    [`${subject.service} under faults`]: faultCases(subject),
  }
}

export const runServices = (reach: Reach): Promise<SuiteResult> =>
  runRooms(Object.assign({}, ...SERVICES.map(service => roomsOf(subjectOf(service, reach)))))

/** One service by the other way to it. Its room only: what goes wrong on another wire is told in other words. */
export function runOtherWire(service: Service, reach: Reach): Promise<SuiteResult> {
  const { [service]: room = {} } = roomsOf(subjectOf(service, reach))
  return runRooms({ [service]: room })
}

/** Codes of reading and of signing where nobody listens, by service. */
export async function runNowhere(reach: Reach): Promise<Readonly<Record<string, readonly unknown[]>>> {
  const codes = SERVICES.map(async service => [service, await codesNowhere(subjectOf(service, reach))] as const)
  return Object.fromEntries(await Promise.all(codes))
}
