import type { Config } from '../config/schema.ts'
import type { ConfigProblem } from '../domain/errors.ts'
import type { Finding, Patient } from '../domain/doctor.ts'
import type { World } from '../domain/ports.ts'
import type { Chain } from '../domain/key.ts'
import type { Scheme } from '../domain/provider.ts'
import type { LocalAdmins } from '../service/control/local-admins.ts'
import type { DestroyPlan, DestroyReport, DestroyWish } from '../service/destroy.ts'
import type { Inventory } from '../service/inventory.ts'
import type { KeyView, PlaceView } from '../service/keys.ts'
import type { PinOptions, PinReport } from '../service/pins.ts'
import type { RunOptions } from '../service/migrate/run.ts'
import type { SeedJob, SeedReport } from '../service/migrate/seed.ts'
import type { BlobsJob, PassphraseRowsJob } from '../service/migrate/sources.ts'
import type { MigrationReport } from '../service/migrate/types.ts'
import type { Revocation } from '../service/revoke.ts'
import type { RewrapJob, RewrapOptions, RewrapReport } from '../service/rewrap/types.ts'
import type {
  NextVersion,
  RotationStep,
  RotationView,
  SignerTransaction,
  SignerWish,
  StepWish,
} from '../service/rotate/index.ts'
import type { Sweep, SweepWish } from '../service/sweep/index.ts'

/** What a command may do to the outside. In tests all of it is memory. */
export interface Terminal {
  /** Data. With `--json`, one object. */
  out(text: string): Promise<void>
  /** Talk. */
  err(text: string): Promise<void>
  readonly interactive: boolean
  readInput(limitBytes: number): Promise<Uint8Array>
  readFile(path: string): Promise<Uint8Array>
  /** 0600; refuses to overwrite. */
  writeSecretFile(path: string, bytes: Uint8Array): Promise<void>
}

export interface Running {
  readonly ready: Readonly<Record<string, unknown>>
  stop(): Promise<void>
  /** Resolves when the process was asked to stop and everything is closed. */
  readonly done: Promise<void>
}

/** What the composition offers to commands; the command line itself wires nothing. */
export interface Services {
  version(): string
  loadConfig(options: { file?: string; flags: Readonly<Record<string, unknown>> }): Promise<Config>
  serve(config: Config, options: { requireHardening: boolean }): Promise<Running>
  dev(options: DevOptions): Promise<DevRunning>
  localKms(options: LocalKmsFlags): Promise<Running>
  openKeys(config: Config): Promise<KeyRoom>
  openMigration(config: Config): Promise<MigrationRoom>
  openRewrap(config: Config): Promise<RewrapRoom>
  openInventory(config: Config): Promise<InventoryRoom>
  openDestroy(config: Config): Promise<DestroyRoom>
  /** @param options  `proof`: seeds are opened. `quarantine`: the registry is written, so the store must be free. */
  openPins(config: Config, options: { readonly proof: boolean; readonly quarantine: boolean }): Promise<PinRoom>
  openRotation(config: Config): Promise<RotationRoom>
  openAdmins(config: Config): Promise<AdminRoom>
  /** Flags of routing, beside a running service or without one. */
  openFlags(config: Config, file: string | undefined): Promise<FlagRoom>
  /** Who vouches for what the data plane says of its keys. */
  metadataIssuer(config: Config): Promise<{ readonly thumbprint: string; readonly jwk: object }>
  audit(directory: string): AuditRoom
  checkConfig(file: string | undefined): Promise<{ environment: string; warnings: readonly ConfigProblem[] }>
  configSchema(): Promise<unknown>
  readonly addresses: Addresses
  /** Wipes the bytes. */
  openLoginKey(seedFile: Uint8Array): Promise<LoginKey>
  /** Asks every configured key service what it would let us do; changes nothing. */
  doctor(config: Config, options: DoctorOptions): AsyncIterable<Diagnosis>
  bench(options: BenchOptions): Promise<{ table: string; json: unknown }>
  /** A link of this name to this program. Overwrites nothing. @param dir without it: the folder of this program */
  linkPlugin(name: string, dir: string | undefined): Promise<PluginLink>
}

export interface PluginLink {
  readonly path: string
  /** This program. */
  readonly target: string
  /** Whether its folder is one of PATH. */
  readonly onPath: boolean
  /** False: it was there already. */
  readonly created: boolean
}

export interface DevRunning extends Running {
  /** Has the example signed natively and by decrypt, and verified by another library. */
  readonly demo: () => Promise<readonly DemoResult[]>
  /** The envelope that `demo` signs. */
  readonly example: string
  /** What starts this program again, for lines to copy. */
  readonly command: readonly string[]
}

export interface BenchOptions {
  readonly short: boolean
  readonly onProgress: (line: string) => void
  readonly signal: AbortSignal
}

export interface Addresses {
  /** @param text hex or base64: 32 bytes (Ed25519), or 33, 64 or 65 (secp256k1). */
  ofPublicKey(text: string): Promise<AddressView>
  /** Asks the key service. `reference` in the provider's own form, aliases included. */
  ofKey(config: Config, provider: string, reference: string): Promise<AddressView>
  /** Wipes the bytes. */
  ofSeed(file: Uint8Array): Promise<AddressView>
  /** The seed as the ASCII bytes of its S… form; the caller wipes them. */
  generate(): Promise<AddressView & { readonly seed: Uint8Array }>
}

/** Signs login challenges and nothing else. */
export interface LoginKey {
  readonly address: string
  /** @returns the challenge with one more signature. @throws `login/refused` when it is not what was expected */
  answer(transaction: string, expected: ExpectedLogin): Promise<string>
  wipe(): void
}

/** What a good challenge of SEP-10 says. */
export interface ExpectedLogin {
  readonly homeDomain: string
  readonly webAuthDomain: string
  /** Our name of the Stellar network. */
  readonly network: string
  readonly serverAccount?: string
}

export interface AddressView {
  readonly chain: 'stellar' | 'evm'
  readonly scheme: Scheme
  readonly address: string
  /** Base64. */
  readonly publicKey: string
  /** What to pin, when a key service was asked. */
  readonly reference?: string
  readonly protection?: string
}

/** One finding, and the provider it is about. `provider` is absent for what concerns this program itself. */
export type Diagnosis = Finding & { readonly provider?: string }

export interface DoctorOptions {
  /** Only this one. */
  readonly provider?: string
  /** A key to examine; without it, the keys of the registry. */
  readonly patient?: Patient
  readonly signal: AbortSignal
}

export interface DevOptions {
  readonly data?: string
  readonly port: number
  readonly xdr?: string
  readonly latency?: string
  readonly say: (line: string) => void
  /** What must be seen even by those who asked for data only. */
  readonly warn: (line: string) => void
}

export interface DemoResult {
  readonly key: string
  readonly custody: string
  readonly provider: string
  readonly address: string
  readonly hash: string
  readonly signature: string
  readonly verified: boolean
  /** Whose library said so. */
  readonly by: 'stellar-sdk' | 'viem'
  readonly auditId: string
  readonly milliseconds: number
}

export interface LocalKmsFlags {
  readonly port?: number
  readonly vaultPort?: number
  readonly gcpRestPort?: number
  readonly gcpGrpcPort?: number
  /** Absent: all of them. */
  readonly faces?: readonly ('aws' | 'vault' | 'gcp')[]
  readonly seedFile?: string
  readonly latency?: string
  readonly sigv4?: 'off' | 'lenient' | 'strict'
  readonly persist?: string
}

/** Operator use of the registry, one command at a time. Owns the store while it is open, so never beside a running service. */
export interface KeyRoom {
  create(options: CreateKey): Promise<KeyView>
  adopt(options: AdoptKey): Promise<KeyView>
  importSeed(options: ImportSeed): Promise<KeyView>
  /** A seed as a signing key of the key service itself. Wipes the seed. */
  importNative(options: ImportNative): Promise<KeyView>
  importCiphertext(options: ImportCiphertext): Promise<KeyView>
  /** A row of another platform, opened with its passphrase and wrapped anew. Wipes the passphrase. */
  importPassphraseRow(options: ImportPassphraseRow): Promise<KeyView>
  list(): Promise<readonly KeyView[]>
  show(name: string): Promise<KeyView & { readonly policy: unknown; readonly bindings: readonly PlaceView[] }>
  /** Out of quarantine, once the key has proved itself again. @param version  where several are in quarantine */
  restore(name: string, version?: number): Promise<KeyView>
  /** Stops a key, or one version of it. */
  revoke(name: string, wish: { readonly version?: number; readonly reason: string }): Promise<Revocation>
  /** One more place of the same public key, once it has proved that it is there. Wipes the seed. */
  bind(options: BindKey): Promise<KeyView & { readonly bindings: readonly PlaceView[] }>
  /** Ends the suspension of a binding, once it has proved itself again. */
  restoreBinding(name: string, binding: string): Promise<KeyView & { readonly bindings: readonly PlaceView[] }>
  close(): Promise<void>
}

/** Keys of other platforms, on their way into the registry. Owns the store while it is open. */
export interface MigrationRoom {
  /** Wipes the seed. */
  seed(job: SeedJob): Promise<SeedReport>
  /** Wipes the passphrase. */
  passphraseRows(job: PassphraseRowsJob, options: RunOptions): Promise<MigrationReport>
  blobs(job: BlobsJob, options: RunOptions): Promise<MigrationReport>
  close(): Promise<void>
}

/** Keys under another wrapping key. Owns the store while it is open, unless the store is shared. */
export interface RewrapRoom {
  rewrap(job: RewrapJob, options: RewrapOptions): Promise<RewrapReport>
  close(): Promise<void>
}

/** The end of keys. Owns the store while it is open, unless the store is shared. */
export interface DestroyRoom {
  /** Changes nothing. */
  plan(name: string, wish: DestroyWish): Promise<DestroyPlan>
  destroy(name: string, wish: DestroyWish): Promise<DestroyReport>
  close(): Promise<void>
}

export interface InventoryRoom {
  /** @param ask  whether key services are asked what protects their keys */
  take(options: { readonly ask: boolean }): Promise<Inventory>
  close(): Promise<void>
}

export interface PinRoom {
  check(options: Omit<PinOptions, 'paceMs'>): Promise<PinReport>
  close(): Promise<void>
}

export type RotationReport = RotationView & { readonly changed?: boolean }

/** Steps of rotations, as `KeyRoom` alone in its store unless that is shared. */
export interface RotationRoom {
  status(name: string): Promise<RotationReport>
  begin(name: string, wish: NextVersion): Promise<RotationReport>
  step(name: string, step: RotationStep, wish: StepWish): Promise<RotationReport>
  /** The transaction that changes the signers of the account. @param wish  without `state` the network is asked */
  signers(name: string, wish: SignersWish): Promise<SignerTransaction>
  /** What is left to move to the new address of an EVM key, read from the chain. */
  sweep(name: string, wish: SweepWish): Promise<Sweep>
  close(): Promise<void>
}

export type SignersWish = Omit<SignerWish, 'account' | 'free'> & { readonly account?: string; readonly state?: string }

/** Administrators, for the owner of the machine. Owns the store while it is open, unless the store is shared. */
export interface AdminRoom extends LocalAdmins {
  close(): Promise<void>
}

export interface NewKey {
  readonly name: string
  readonly chain: Chain
  readonly network: string
  readonly provider: string
  /** Policy document as JSON text; absent: the strict default, which allows nothing. */
  readonly policy?: string
  /** True: its public key may be behind another name on this network too. */
  readonly shared?: boolean
  /** Stellar: the account that it signs for; absent: its own address. */
  readonly account?: string
}
export type BindKey = { readonly name: string; readonly provider: string } & (
  | { readonly reference: string }
  | { readonly seed: Uint8Array; readonly wrappingKey?: string }
)
export type CreateKey = NewKey & { readonly custody: 'native' | 'envelope'; readonly wrappingKey?: string }
export type AdoptKey = NewKey & { readonly reference: string; readonly address?: string }
export type ImportSeed = NewKey & {
  readonly wrappingKey?: string
  readonly seed: Uint8Array
  readonly address?: string
}
export type ImportNative = NewKey & { readonly seed: Uint8Array; readonly address?: string }
export type ImportPassphraseRow = NewKey & {
  readonly row: Uint8Array
  readonly passphrase: Uint8Array
  readonly address: string
  readonly wrappingKey?: string
}
export type ImportCiphertext = NewKey & {
  readonly wrappingKey: string
  readonly ciphertext: Uint8Array
  readonly address: string
}

/** A flag as it is written: mode, and what belongs to it. */
export type FlagValue = Readonly<Record<string, unknown>>

export interface FlagRule {
  readonly environment?: string
  readonly key?: string
  readonly caller?: string
  readonly flag: FlagValue
}

export interface FlagView {
  readonly file: string
  /** Of the rules, whatever their spelling. Empty: there are none. */
  readonly hash: string
  readonly rules: readonly FlagRule[]
  /** The newest first. */
  readonly history: readonly { readonly number: number; readonly hash: string; readonly at: string }[]
}

export interface FlagRoom {
  show(): Promise<FlagView>
  /** @param expected  refuses unless this is the hash now */
  set(rule: FlagRule, expected?: string): Promise<FlagView>
  /** @param to  number of the history; without it, what was before */
  rollback(to?: number): Promise<FlagView>
}

export interface AuditRoom {
  verify(onProgress?: (records: number) => void): Promise<AuditVerdict>
  tail(options: {
    fromSeq?: number
    follow: boolean
    signal?: AbortSignal
  }): AsyncIterable<Readonly<Record<string, unknown>>>
  reopen(): Promise<Readonly<Record<string, unknown>> & { readonly wasSealed: string }>
}

/** `warning`: what could not be checked. */
export type AuditVerdict = { readonly warning?: string } & (
  | { readonly ok: true; readonly records: number; readonly lastSeq: number; readonly headHash: string }
  | {
      readonly ok: false
      readonly segment: string
      /** The first that is damaged or missing. */
      readonly record: number
      readonly offset: number
      readonly reason: string
      readonly fix: string
    }
)

export interface CliContext {
  readonly terminal: Terminal
  readonly services: Services
  readonly world: World
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The file name this program was started by: as a plugin of another one it has that one's commands only. */
  readonly programName?: string
  /** Runs the handler when the process is asked to stop. */
  onStop(handler: () => void): () => void
}
