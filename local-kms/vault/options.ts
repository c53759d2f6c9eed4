import type { Face } from '../core/face.ts'
import type { VaultAuditRecord } from './audit.ts'
import type { Flavour } from './context.ts'
import type { VaultSeed } from './seed-schema.ts'
import type { StandbyOptions } from './server-state.ts'
import type { VaultState } from './state.ts'

export interface VaultFaceOptions {
  readonly seed?: VaultSeed | undefined
  /** Rate-limit quotas from the start; their answers carry Retry-After. */
  readonly throttle?:
    | readonly { path?: string; rate: number; intervalSeconds?: number; blockSeconds?: number }[]
    | undefined
  /** Default `root`. */
  readonly rootToken?: string | undefined
  /** Default `openbao`. */
  readonly flavour?: Flavour | undefined
  /** Shown by health and seal-status. Default 2.7.2, or 1.21.0 for Vault. */
  readonly serverVersion?: string | undefined
  /** Refuse calls without `X-Vault-Request`, as a proxy in front of the server does. Default false. */
  readonly requireRequestHeader?: boolean | undefined
  readonly standby?: StandbyOptions | undefined
  /** A JWT method at `auth/jwt` in one go; the same as `seed.jwt`. */
  readonly jwt?: VaultSeed['jwt']
}

export interface VaultFace extends Face {
  readonly rootToken: string
  audit(): readonly VaultAuditRecord[]
  snapshot(): VaultState
  /** @throws RangeError for a state there is not */
  setServerState(state: string): void
}
