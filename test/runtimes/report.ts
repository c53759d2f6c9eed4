/**
 * How a suite for several runtimes is run and told: cases assert nothing, they report all that came out, and every runtime
 * must report the same bytes. Web APIs only.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import canonicalize from 'canonicalize'
import { isSignerError } from '../../src/domain/errors.ts'

/** What a case gives: any value; bytes, bigints and typed errors have a fixed spelling. */
export type Case = () => unknown
export type Cases = Readonly<Record<string, Case>>

export interface SuiteResult {
  readonly results: readonly { readonly name: string; readonly digest: string; readonly failed?: string }[]
  /** SHA-256 over the canonical JSON of all outputs. */
  readonly digest: string
}

/** What a runtime says of the core. */
export type CoreReport = SuiteResult & { readonly runtime: string }

/** What a runtime says of the key services: through the entries for the edge, and where it has them those for a machine. */
export interface ServicesReport {
  readonly runtime: string
  readonly edge: SuiteResult
  /** By service: what reading and signing say where nobody listens. */
  readonly nowhere: Readonly<Record<string, readonly unknown[]>>
  readonly machine?: SuiteResult
  /** AWS KMS only, through AWS's own client. */
  readonly sdk: SuiteResult
  /** Google Cloud KMS only, through Google's own client. */
  readonly grpc?: SuiteResult
}

/** Runs every case, one after the other. */
export async function runRooms(rooms: Readonly<Record<string, Cases>>): Promise<SuiteResult> {
  const results: SuiteResult['results'][number][] = []
  for (const [room, cases] of Object.entries(rooms)) {
    for (const [title, run] of Object.entries(cases)) {
      const name = `${room}: ${title}`
      try {
        results.push({ name, digest: digestOf(await run()) })
      } catch (error) {
        // A case reports the errors it expects; one that escapes is a failure on any runtime.
        results.push({
          name,
          digest: '',
          failed: error instanceof Error ? `${error.message}\n${error.stack}` : String(error),
        })
      }
    }
  }
  return { results, digest: digestOf(results.map(({ name, digest }) => [name, digest])) }
}

/** What came out, or the code and facts of the typed error that did. Anything else escapes. */
export async function outcome(run: () => unknown): Promise<unknown> {
  try {
    return { value: await run() }
  } catch (error) {
    if (isSignerError(error)) return { error: error.code, detail: error.detail }
    throw error
  }
}

const digestOf = (value: unknown): string => hex(sha256(new TextEncoder().encode(canonicalize(plain(value)) ?? '')))

/** JSON has no bytes and no bigints; `undefined` counts too, so that a field that is missing somewhere shows. */
function plain(value: unknown): unknown {
  if (value === undefined) return { $undefined: true }
  if (typeof value === 'bigint') return { $bigint: value.toString() }
  if (value instanceof Uint8Array) return { $bytes: hex(value) }
  if (value instanceof Map) return { $map: [...value].map(plain) }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? { $function: true } : value
  return Object.fromEntries(Object.entries(value).map(([name, inside]) => [name, plain(inside)]))
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
