import type { Clock } from './clock.ts'
import type { FaceName } from './face-name.ts'
import type { Fault, Faults } from './faults.ts'
import type { Latency } from './latency.ts'
import type { Random, Streams } from './random.ts'
import type { Incoming, Reply } from './server.ts'

/** What every face gets from the process that hosts it. */
export interface FaceWorld {
  readonly clock: Clock
  /**
   * Ids, keys, data keys and random bytes; reproducible when `seeded`. The host keeps one stream a label: asked again, it goes
   * on where it stopped. What a face draws while it is made does not shift what it draws later: the host calls `reset` after.
   */
  readonly streams: Streams
  readonly seeded: boolean
  /** Nonces and ECDSA; the system's own, whatever the seed. */
  readonly entropy: Random
  readonly faults: Faults
  readonly latency: () => Latency
  readonly onAudit: ((face: FaceName, record: unknown) => void) | undefined
  /** Called before the answer to a call that changed something. */
  readonly onChange: () => void
  /**
   * Resolves once everything reported by `onChange` is on file (at once when nothing is kept). The host awaits it before it
   * sends an HTTP answer; a face that answers by itself (gRPC) awaits it too. Optional, for worlds made in tests.
   */
  readonly saved?: (() => Promise<void>) | undefined
}

/** One service, as its clients see it, and what the administration surface may do to it. */
export interface Face {
  readonly name: FaceName
  /** Every HTTP request to its port that is not for the administration surface. */
  handle(request: Incoming): Promise<Reply>
  /** Requests that came in, by operation, whatever became of them. */
  calls(): Record<string, number>
  /** The events so far, shaped like the service's own log. */
  audit(): readonly unknown[]
  /** Counters, trail, quotas and streams as after start; the state comes back by `restore`. */
  reset(streams: Streams): void
  /** The whole state, secrets too; JSON. */
  snapshot(): unknown
  restore(snapshot: unknown): void
  /** What there is, without secrets. */
  inspect(): unknown
  /** Forces a state callers cannot bring about. False: no such key here. @throws RangeError for a state there is not. */
  setKeyState(key: string, state: string): boolean
  /** Forces a state of the whole server (Vault: sealed, standby, …). Absent: there is none. @throws RangeError for a state there is not. */
  setServerState?(state: string): void
  close(): Promise<void>
}

export type { Clock, FaceName, Fault, Faults, Incoming, Latency, Random, Reply, Streams }
