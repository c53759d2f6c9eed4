import type { FaceWorld, Random, Streams } from '../core/face.ts'
import type { Incoming } from '../core/server.ts'
import type { FieldData, Fields } from './fields.ts'
import type { Mount, Namespace, Token, VaultState } from './state.ts'

/** OpenBao ignores hash parameters for Ed25519; Vault CE from 1.19 on refuses them. */
export type Flavour = 'openbao' | 'vault'

/** What every handler of this face shares. */
export interface Core {
  readonly world: FaceWorld
  readonly flavour: Flavour
  /** Shown by health and seal-status. */
  readonly serverVersion: string
  state: VaultState
  readonly streams: Streams
  readonly entropy: Random
  now(): number
}

export type OperationKind = 'read' | 'update' | 'create' | 'delete' | 'list' | 'patch' | 'other'

/** One request on its way to a handler. */
export interface Call {
  readonly core: Core
  readonly namespace: Namespace
  readonly mount: Mount
  readonly operation: OperationKind
  readonly data: FieldData
  /** Undefined on logins. */
  readonly token: Token | undefined
  /** May do what needs `sudo` here. */
  readonly privileged: boolean
  readonly incoming: Incoming
  readonly warnings: string[]
  /** A fault wants a valid signature of a key nobody asked for. */
  readonly stranger: boolean
  /** State changed: the host is told before the answer leaves. */
  changed(): void
}

export interface Auth {
  readonly client_token: string
  readonly accessor: string
  readonly policies: readonly string[]
  readonly token_policies: readonly string[]
  readonly metadata: Record<string, string> | null
  readonly lease_duration: number
  readonly renewable: boolean
  readonly entity_id: string
  readonly token_type: string
  readonly orphan: boolean
  readonly mfa_requirement: null
  readonly num_uses: number
}

/** Undefined from a read: 404. Undefined from anything else: 204. */
export interface Result {
  readonly data?: Record<string, unknown> | null
  readonly auth?: Auth
  readonly status?: number
  /** The members of `data` stand beside the envelope, too, as old clients expect of some system paths. */
  readonly flat?: boolean
}

export type Handler = (call: Call) => Result | undefined | Promise<Result | undefined>

export interface Route {
  /** `keys/:name/config`; a last `:name?` may be missing; a last `*name` takes the rest. */
  readonly path: string
  /** What faults and counters call it; default: the fixed parts of `path`. */
  readonly label?: string
  readonly fields?: Fields
  readonly read?: Handler
  readonly update?: Handler
  readonly remove?: Handler
  readonly list?: Handler
  /** Tells `create` from `update`, for policies. */
  readonly exists?: (call: Call) => boolean
  /** Needs no token. */
  readonly open?: boolean
  /** Writes to it change nothing that lasts, unless the handler says so. */
  readonly pure?: boolean
  /** Needs `sudo` besides. */
  readonly root?: boolean
  /** Path parameters of any characters but a slash, where names are otherwise words with dots and hyphens inside. */
  readonly anyName?: boolean
}
