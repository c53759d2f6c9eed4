/** A control plane with break-glass: three custodians, two of whom must sign, and a clock that can be set. */
import { createHours } from '../../src/access/hours.ts'
import type { BreakGlassRule } from '../../src/access/break-glass.ts'
import { openMemoryAuditLog, type MemoryAuditLog } from '../../src/audit/memory.ts'
import type { ChallengeStore } from '../../src/domain/admins.ts'
import type { AuditRecord } from '../../src/domain/audit.ts'
import { type ControlParts, withBreakGlass } from '../../src/service/control/index.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import { type ControlRig, openControlRig, type Person, person } from './control-rig.ts'
import { NOW, problemOf } from './rig.ts'

export const CUSTODIANS: readonly Person[] = ['cust-1', 'cust-2', 'cust-3'].map(person)
export const HOLDER = person('holder')
export const GLASS: BreakGlassRule = {
  custodians: CUSTODIANS.map(({ address }) => address),
  quorum: 2,
  minutes: 15,
  environment: 'test',
  audience: 'countersign/control',
}

/** Of a refusal: `403 access/denied`. */
export const codeOf = async (response: Response): Promise<string> =>
  `${response.status} ${(await problemOf(response)).code}`

/** Both are told: the wall clock jumps, the monotonic one goes on. */
export interface SetClock {
  /** Milliseconds since the epoch. */
  wall: number
  passed: number
}

export interface GlassWorld extends ControlRig {
  readonly time: SetClock
  /** As time passes on both. */
  pass(ms: number): void
  /** The newest records, the oldest first. */
  log: MemoryAuditLog
  events(name: string): readonly AuditRecord[]
  alarms(name: string): readonly Record<string, unknown>[]
  /** A statement, as it is asked for. */
  ask(wish?: object): Promise<string>
  /** @returns the answer of the last step */
  open(text: string, by: readonly Person[], over?: (text: string) => string): Promise<Response>
  /** A good token for this wish. */
  token(wish?: object): Promise<{ readonly token: string; readonly id: string; readonly expiresAt: string }>
}

/** One whose requests bring a token that takes the revocation of `treasury` back, and who is an auditor besides. */
export async function openQuorum(): Promise<{ readonly rig: ControlRig; readonly who: Person }> {
  const glass = openGlass()
  await glass.admin('auditor', 'holder')
  await glass.parts.revoke('treasury', { reason: 'r' }, { subject: 'operator', peer: '127.0.0.1' })
  const { token } = await glass.token({ actions: ['unrevoke-key'], keyVersion: { key: 'treasury', version: 1 } })
  const call: ControlRig['call'] = (method, path, options) =>
    glass.call(method, path, { ...options, token: `Bearer ${token}` })
  return { rig: { ...glass, call }, who: HOLDER }
}

/** What stays over a restart. */
export interface Kept {
  readonly time: SetClock
  readonly log: MemoryAuditLog
  readonly challenges: ChallengeStore
  readonly tokens: ControlParts['tokens']
}

export interface GlassOptions {
  readonly rule?: Partial<BreakGlassRule>
  readonly kept?: Kept
  readonly instance?: string
  readonly parts?: (real: ControlParts) => ControlParts
}

export function openGlass({
  rule,
  kept,
  instance = 'test',
  parts: over = real => real,
}: GlassOptions = {}): GlassWorld & {
  readonly kept: Kept
} {
  const time = kept?.time ?? { wall: NOW, passed: 0 }
  const began = time.passed
  let asked = 0
  const clock = {
    now: () => time.wall,
    monotonic: () => time.passed - began + ++asked / 1000, // of this process, with fractions as real ones have
    sleep: () => new Promise<void>(() => {}),
  }
  const log = kept?.log ?? openMemoryAuditLog({ clock, instance, keep: 100_000 })
  const lastRecordAt = (): number | undefined => {
    const times = log.records().map(record => Date.parse(record.time))
    return times.length === 0 ? undefined : Math.max(...times)
  }
  const { challenges } = kept ?? openMemoryStore()
  let tokens: ControlParts['tokens'] | undefined
  const rig = openControlRig({
    audit: () => log,
    parts: real => {
      tokens = kept?.tokens ?? real.tokens
      const parts = over({
        ...real,
        tokens,
        world: { ...real.world, clock },
        records: async function* (fromSeq) {
          for (const record of log.records()) if (record.seq >= fromSeq) yield record
        },
        newestSeq: async () => log.records().length,
        about: { ...real.about, instance },
      })
      const watch = createHours({ clock, lastRecordAt })
      return withBreakGlass(parts, { rule: { ...GLASS, ...rule }, challenges, watch })
    },
  })
  const ask = async (wish: object = {}): Promise<string> => {
    const body = { holder: HOLDER.address, reason: 'nobody can log in', actions: ['read'], ...wish }
    const response = await rig.call('POST', '/auth/break-glass/statement', { body })
    const answer = (await response.json()) as { text?: string }
    if (answer.text === undefined) throw new Error(JSON.stringify(answer))
    return answer.text
  }
  const open: GlassWorld['open'] = async (text, by, over = same => same) => {
    const signatures = by.map(({ address, sign }) => ({ address, signature: sign(over(text)) }))
    return rig.call('POST', '/auth/break-glass', { body: { text, signatures } })
  }
  return Object.assign(rig, {
    time,
    log,
    records: () => log.records(),
    kept: { time, log, challenges, tokens: tokens ?? rig.parts.tokens },
    pass: (ms: number) => {
      time.wall += ms
      time.passed += ms
    },
    events: (name: string) => log.records().filter(record => record.kind === 'event' && record.event === name),
    alarms: (name: string) => rig.logs.filter(({ event, level }) => event === name && level === 'error'),
    ask,
    open,
    token: async (wish?: object) => {
      const response = await open(await ask(wish), [...CUSTODIANS.slice(0, 2), HOLDER])
      if (response.status !== 200) throw new Error(await response.text())
      return (await response.json()) as { token: string; id: string; expiresAt: string }
    },
  })
}
