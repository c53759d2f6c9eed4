import type { AuditRecord } from './aws/audit.ts'
import type { AwsInspection } from './aws/hosted.ts'
import type { ThrottleOptions } from './aws/quotas.ts'
import type { Role } from './aws/roles.ts'
import type { Credential, SigV4Mode } from './aws/sigv4.ts'
import type { AwsSnapshot } from './aws/store.ts'
import type { Clock } from './core/clock.ts'
import type { FaceName } from './core/face-name.ts'
import type { FaultRule } from './core/faults.ts'
import type { LatencyName, LatencyOptions } from './core/latency.ts'
import type { Random } from './core/random.ts'
import type { GcpFaceOptions, GcpSnapshot } from './gcp/face.ts'
import type { SeedDocument } from './seed.ts'
import type { VaultFaceOptions } from './vault/face.ts'

export interface LocalKmsOptions {
  /** Which services. Default: all. */
  readonly faces?: readonly FaceName[] | undefined
  /** Loopback addresses only, unless `allowNonLoopback`. Default 127.0.0.1. */
  readonly host?: string | undefined
  readonly allowNonLoopback?: boolean | undefined
  /** Of the AWS face. Default 0, here and below: any free port. */
  readonly port?: number | undefined
  readonly vaultPort?: number | undefined
  readonly gcpRestPort?: number | undefined
  readonly gcpGrpcPort?: number | undefined
  /** Default us-east-1. */
  readonly region?: string | undefined
  /** Default 000000000000. */
  readonly accountId?: string | undefined
  /** How requests' signatures are checked. Default off. */
  readonly sigv4?: SigV4Mode | undefined
  /** Of the AWS face. Default: access key `test`, secret `test`. */
  readonly credentials?: readonly Credential[] | undefined
  /** Who can be assumed through AWS STS. Default: those of the seed document. */
  readonly roles?: readonly Role[] | undefined
  /** What only the Vault face has; see its README. */
  readonly vault?: Omit<VaultFaceOptions, 'seed'> | undefined
  /** What only the Google Cloud KMS face has; see its README. */
  readonly gcp?: Omit<GcpFaceOptions, 'seed' | 'snapshot'> | undefined
  readonly seed?: SeedDocument | undefined
  /** A file with a seed document; read once, at start. */
  readonly seedFile?: string | undefined
  /** Reproduces ids, keys, data keys and random bytes in the order they are asked for. */
  readonly masterSeed?: string | Uint8Array | undefined
  /** Default none. Figures are our own assumption (README). */
  readonly latency?: LatencyName | LatencyOptions | undefined
  /** True: the default quotas of AWS and Google Cloud. Figures apply to AWS. Default: none. */
  readonly throttle?: boolean | ThrottleOptions | undefined
  readonly faults?: readonly FaultRule[] | undefined
  readonly clock?: Clock | undefined
  /** Keeps everything in this file, keys in the clear. */
  readonly persist?: string | undefined
  /** Called with each event, in the form of the service's own log. */
  readonly onAudit?: ((record: AuditRecord | Readonly<Record<string, unknown>>, face: FaceName) => void) | undefined
  /** Lets AWS Sign and Verify take a message of no bytes, which the service refuses. */
  readonly allowEmptyMessage?: boolean | undefined
  /** How long readers of an AWS alias see what it was before. Default 0. */
  readonly aliasLagMs?: number | undefined
  /** Nonces and ECDSA blinding; the system's own by default, whatever `masterSeed` says. */
  readonly entropy?: Random | undefined
}

export interface LocalKms {
  readonly faces: readonly FaceName[]
  /** Base URL of the AWS KMS face. Reading the address of a face that was not started throws a RangeError, here and below. */
  readonly aws: string
  /** Base URL of the Vault face, for VAULT_ADDR. */
  readonly vault: string
  /** May do everything there, for VAULT_TOKEN. */
  readonly vaultToken: string
  /** Base URL of the Google Cloud KMS face over REST. */
  readonly gcpRest: string
  /** `host:port` of the Google Cloud KMS face over gRPC, without TLS. */
  readonly gcpGrpc: string
  readonly region: string
  readonly accountId: string
  close(): Promise<void>
  /** Back to how it stood after start: keys, counters, faults, quotas, trail, streams. The clock goes on. */
  reset(face?: FaceName): void
  /** The whole state, secrets too. */
  snapshot(): LocalKmsSnapshot
  /** All of it or nothing; a face the snapshot has no word of stays as it is. */
  restore(snapshot: Partial<LocalKmsSnapshot>): void
  /** What there is, without secrets. */
  inspect(): LocalKmsInspection
  /** Requests by operation since start or reset. Default: those of the first face, which is AWS unless left out. */
  calls(face?: FaceName): Record<string, number>
  /** The events so far, shaped like AWS CloudTrail, the audit device of Vault, or Cloud Audit Logs. */
  audit(face?: 'aws'): readonly AuditRecord[]
  audit(face: FaceName): readonly Readonly<Record<string, unknown>>[]
  faults(): readonly FaultRule[]
  addFaults(...rules: FaultRule[]): void
  clearFaults(): void
  setLatency(latency: LatencyName | LatencyOptions, face?: FaceName): void
  /** Forces a state that callers cannot bring about, such as Unavailable. @throws RangeError unknown key or state. */
  setKeyState(keyId: string, state: string, face?: FaceName): void
  /** Forces a state of a whole server, such as Vault's `sealed` and `standby`. @throws RangeError unknown state, or no face that has one. */
  setServerState(state: string, face?: FaceName): void
}

/** The part of each face that is started. */
export interface LocalKmsSnapshot {
  readonly aws: AwsSnapshot
  readonly vault?: unknown
  readonly gcp?: GcpSnapshot
}

/** Without an AWS face its members are missing. */
export interface LocalKmsInspection extends AwsInspection {
  readonly warning: string
  readonly faces: readonly FaceName[]
  readonly now: number
  /** Of the AWS face. */
  readonly calls: Record<string, number>
  readonly faults: readonly FaultRule[]
  readonly vault?: unknown
  readonly gcp?: unknown
}
