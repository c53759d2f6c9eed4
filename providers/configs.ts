import type { z } from 'zod'
import type { Secret } from '../src/domain/secret.ts'
import type { ProviderKind } from './kind.ts'
import { awsKms } from './aws-kms/config.ts'
import { gcpKms } from './gcp-kms/config.ts'
import { mock } from './mock/config.ts'
import { passphrase } from './passphrase/config.ts'
import { rawEnv } from './raw-env/config.ts'
import { vaultTransit } from './vault-transit/config.ts'

/** Every kind of provider, one line each. Configuration, documentation and the familiar variables follow from it. */
export const PROVIDERS = [awsKms, gcpKms, mock, passphrase, rawEnv, vaultTransit] as const

type Row = (typeof PROVIDERS)[number]
export type ProviderConfig = z.output<ReturnType<Row['schema']>>

export const PROVIDER_KINDS: readonly string[] = PROVIDERS.map(({ kind }) => kind)

type SchemasOf<R extends readonly ProviderKind[]> = { readonly [I in keyof R]: ReturnType<R[I]['schema']> }
type Schemas = SchemasOf<typeof PROVIDERS>

/** One schema a kind, for a union by `kind`. */
export const providerSchemas = (secret: z.ZodType<Secret>): Schemas =>
  PROVIDERS.map(({ schema }) => schema(secret)) as unknown as Schemas
