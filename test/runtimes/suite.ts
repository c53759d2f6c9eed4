/**
 * One suite for every runtime (M-14, R-36): the portable core on fixed inputs, with a clock that stands still and randomness
 * from a seed. It asserts nothing; it reports all that came out, and four runtimes must report the same bytes.
 * Web APIs only: this file and all it imports is also bundled for the edge.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import canonicalize from 'canonicalize'
import type { EngineCapability } from '../../src/custody/index.ts'
import { isSignerError } from '../../src/domain/errors.ts'
import { auditCases } from './cases/audit.ts'
import { bytesCases } from './cases/bytes.ts'
import { mockCases } from './cases/mock.ts'
import { passphraseCases } from './cases/passphrase.ts'
import { signCases } from './cases/sign.ts'
import { stellarCases } from './cases/stellar.ts'
import { storeCases } from './cases/store.ts'
import { tokenCases } from './cases/tokens.ts'

/** What a case gives: any value; bytes, bigints and typed errors have a fixed spelling. */
export type Case = () => unknown
export type Cases = Readonly<Record<string, Case>>

export interface SuiteResult {
  readonly results: readonly { readonly name: string; readonly digest: string; readonly failed?: string }[]
  /** SHA-256 over the canonical JSON of all outputs. */
  readonly digest: string
}

/** @param capability  what the runtime allows: another engine may sign, the signature is the same. */
export async function runSuite(capability: EngineCapability): Promise<SuiteResult> {
  const rooms: Readonly<Record<string, Cases>> = {
    bytes: bytesCases,
    stellar: stellarCases,
    mock: mockCases,
    passphrase: passphraseCases,
    store: storeCases,
    audit: auditCases,
    tokens: tokenCases,
    sign: signCases(capability),
  }
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
