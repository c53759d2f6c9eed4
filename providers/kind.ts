import type { z } from 'zod'
import type { Secret } from '../src/domain/secret.ts'

/** What the rest of the program must know of a provider before it is opened: plain data, no SDK. */
export interface ProviderKind<S extends z.ZodType = z.ZodType> {
  readonly kind: string
  /** The fields of its table in the configuration; `secret` stands where a secret belongs. */
  readonly schema: (secret?: z.ZodType<Secret>) => S
  /** Other words people use for it (`HSM_PROVIDER`), in lower case without hyphens. */
  readonly aliases: readonly string[]
  /** Variables people have set already; they fill a field that file, `COUNTERSIGN_…` and flags left open. First wins. */
  readonly familiar: readonly FamiliarVariable[]
  /** What each field means, for documentation and `config schema`. */
  readonly meanings: Readonly<Record<string, string>>
}

export interface FamiliarVariable {
  readonly variable: string
  readonly field: string
  /** The field is a secret: it gets a reference to the variable, never its value. */
  readonly secret?: true
  /** Fields that, when the configuration has one of them, leave the variable without meaning. */
  readonly unless?: readonly string[]
}

/** Keeps the exact schema type of a row. */
export const providerKind = <S extends z.ZodType>(row: ProviderKind<S>): ProviderKind<S> => Object.freeze(row)

/** Fields every provider has. */
export const COMMON_MEANINGS = {
  kind: 'which key service',
  name: 'its name; follows from the table and may be left out',
} as const
