import type { World } from '../src/domain/ports.ts'

export const ENVIRONMENTS = ['development', 'staging', 'production'] as const
/** Where this process runs, as the operator declared it. */
export type Environment = (typeof ENVIRONMENTS)[number]

/** What a provider is opened with: time, randomness, network, and the place it would serve. */
export interface ProviderWorld extends World {
  readonly environment: Environment
  /** A file as UTF-8 text, for credentials that somebody else keeps fresh there. Absent where there are no files. */
  readonly readFile?: (path: string) => Promise<string>
}
