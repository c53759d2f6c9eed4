import type { Config } from '../config/schema.ts'
import type { ConfigProblem } from '../domain/errors.ts'
import type { World } from '../domain/ports.ts'
import type { KeyView } from '../service/keys.ts'

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
  audit(directory: string): AuditRoom
  checkConfig(file: string | undefined): Promise<{ environment: string; warnings: readonly ConfigProblem[] }>
  configSchema(): Promise<unknown>
  readonly addresses: Addresses
  bench(options: BenchOptions): Promise<{ table: string; json: unknown }>
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
  /** @param text 32 bytes, hex or base64. */
  ofPublicKey(text: string): Promise<AddressView>
  /** Wipes the bytes. */
  ofSeed(file: Uint8Array): Promise<AddressView>
  /** The seed as the ASCII bytes of its S… form; the caller wipes them. */
  generate(): Promise<AddressView & { readonly seed: Uint8Array }>
}

export interface AddressView {
  readonly address: string
  /** Base64. */
  readonly publicKey: string
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
  readonly auditId: string
  readonly milliseconds: number
}

export interface LocalKmsFlags {
  readonly port?: number
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
  importCiphertext(options: ImportCiphertext): Promise<KeyView>
  list(): Promise<readonly KeyView[]>
  show(name: string): Promise<KeyView & { readonly policy: unknown }>
  close(): Promise<void>
}

export interface NewKey {
  readonly name: string
  readonly chain: 'stellar'
  readonly network: string
  readonly provider: string
  /** Policy document as JSON text; absent: the strict default, which allows nothing. */
  readonly policy?: string
}
export type CreateKey = NewKey & { readonly custody: 'native' | 'envelope'; readonly wrappingKey?: string }
export type AdoptKey = NewKey & { readonly reference: string; readonly address?: string }
export type ImportSeed = NewKey & {
  readonly wrappingKey?: string
  readonly seed: Uint8Array
  readonly address?: string
}
export type ImportCiphertext = NewKey & {
  readonly wrappingKey: string
  readonly ciphertext: Uint8Array
  readonly address: string
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
  /** Runs the handler when the process is asked to stop. */
  onStop(handler: () => void): () => void
}
