import type { AnySignerError } from '../../domain/errors.ts'
import type { Chain } from '../../domain/key.ts'
import type { KeyRef, Scheme } from '../../domain/provider.ts'
import type { SecretBytes } from '../../domain/secret.ts'
import type { RegisterDeps } from '../register.ts'

/** Where keys come from. */
export const SOURCES = ['env', 'passphrase-rows', 'kms-blob'] as const
export type Source = (typeof SOURCES)[number]

export interface MigrateDeps extends RegisterDeps {
  /** The seed in any of its forms. Takes the bytes and wipes them. @throws `request/malformed` for what is no seed */
  seedOf(file: Uint8Array, label: string, scheme: Scheme): SecretBytes
  /**
   * An address in its one spelling, with the public key where the address holds it (Stellar); undefined for anything else.
   */
  account(chain: Chain, text: string): Account | undefined
}

export interface Account {
  readonly address: string
  readonly publicKey?: Uint8Array
}

/** Where keys go to. */
export interface Target {
  readonly chain: Chain
  readonly network: string
  readonly provider: string
  readonly policy?: string
}

/** A key of another platform, in one line of a file. */
export interface SourceRow {
  /** Counted from 1. */
  readonly line: number
  readonly name: string
  readonly address: string
  /** What is encrypted: text of the row for a passphrase, bytes for a key service. */
  readonly sealed: Uint8Array
  /** The key that opens it, where the line names one. */
  readonly wrappingKey?: KeyRef
}

/** A line that did not move, and why. */
export interface LineProblem {
  readonly line: number
  readonly name?: string
  readonly address?: string
  readonly error: AnySignerError
}

export interface ReadRows {
  readonly rows: readonly SourceRow[]
  readonly problems: readonly LineProblem[]
}

export interface Progress {
  readonly rows: number
  /** Of them, those that are dealt with. */
  readonly done: number
  readonly migrated: number
  readonly present: number
  readonly failed: number
}

export interface MigrationReport extends Omit<Progress, 'failed' | 'done'> {
  readonly source: Source
  /** Nothing was written; `migrated` counts what would move. */
  readonly dryRun: boolean
  /** By line. */
  readonly failed: readonly LineProblem[]
  /** Why it ended before the last line. What is not counted above was not touched: run it again. */
  readonly stopped?: string
  readonly checklist: readonly ChecklistItem[]
}

/** One place where an old copy may be, and what to do there. */
export interface ChecklistItem {
  readonly id: string
  readonly what: string
}
