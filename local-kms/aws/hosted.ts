import type { Face, FaceWorld } from '../core/face.ts'
import { type AuditRecord } from './audit.ts'
import { createAwsFace } from './face.ts'
import type { ThrottleOptions } from './quotas.ts'
import type { Role } from './roles.ts'
import { applySeed, type SeedKey } from './seed.ts'
import type { Credential, SigV4Mode } from './sigv4.ts'
import {
  type AwsSnapshot,
  aliasTarget,
  applySnapshot,
  createStore,
  type KeyState,
  metadata,
  settleAll,
  takeSnapshot,
} from './store.ts'

export interface AwsHostedOptions {
  readonly region: string
  readonly accountId: string
  readonly sigv4: SigV4Mode
  readonly credentials: readonly Credential[]
  readonly roles?: readonly Role[] | undefined
  readonly keys: readonly SeedKey[]
  /** What was kept; the seed adds to it what is not there. */
  readonly snapshot: AwsSnapshot | undefined
  readonly throttle: ThrottleOptions | undefined
  readonly allowEmptyMessage: boolean
  readonly aliasLagMs: number
}

export interface AwsHosted extends Face {
  audit(): readonly AuditRecord[]
  snapshot(): AwsSnapshot
  inspect(): AwsInspection
}

export interface AwsInspection {
  readonly region: string
  readonly accountId: string
  readonly sigv4: SigV4Mode
  readonly keys: readonly { readonly metadata: unknown; readonly aliases: readonly string[]; readonly tags: unknown }[]
}

const STATES: readonly string[] = [
  'Creating',
  'Enabled',
  'Disabled',
  'PendingImport',
  'Unavailable',
  'Updating',
] satisfies KeyState[]

/** AWS KMS as one face of a process that has others. @throws RangeError for a seed or a snapshot that cannot be used. */
export async function createAwsHosted(world: FaceWorld, options: AwsHostedOptions): Promise<AwsHosted> {
  const { clock, streams, seeded } = world
  const { region, accountId, sigv4: mode, credentials } = options
  const store = createStore(accountId, region)
  if (options.snapshot !== undefined) applySnapshot(store, options.snapshot)
  await applySeed(store, options.keys, { now: clock.now(), streams, seeded })
  const face = createAwsFace({
    store,
    clock,
    streams,
    seeded,
    entropy: world.entropy,
    sigv4: { mode, credentials, region },
    roles: options.roles,
    faults: world.faults,
    latency: world.latency,
    throttle: options.throttle,
    allowEmptyMessage: options.allowEmptyMessage,
    aliasLagMs: options.aliasLagMs,
    onAudit: world.onAudit && (record => world.onAudit?.('aws', record)),
    onChange: world.onChange,
  })

  return {
    name: 'aws',
    handle: request => face.handle(request),
    calls: () => face.calls(),
    audit: () => face.audit(),
    reset: fresh => face.reset(fresh),
    snapshot: () => takeSnapshot(store),
    restore: snapshot => applySnapshot(store, snapshot as AwsSnapshot),
    inspect() {
      const now = clock.now()
      settleAll(store, now)
      return {
        region,
        accountId,
        sigv4: mode,
        keys: [...store.keys.values()].map(key => ({
          metadata: metadata(key),
          aliases: [...store.aliases.values()].filter(a => aliasTarget(a, now) === key.arn).map(a => a.name),
          tags: Object.fromEntries(key.tags),
        })),
      }
    },
    setKeyState(name, state) {
      const key = [...store.keys.values()].find(entry => entry.id === name || entry.arn === name)
      if (key === undefined) return false
      if (!STATES.includes(state)) throw new RangeError(`Cannot set state '${state}': use one of ${STATES.join(', ')}`)
      key.state = state as KeyState
      world.onChange()
      return true
    },
    close: () => Promise.resolve(),
  }
}
