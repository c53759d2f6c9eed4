import type { ConfigProblem } from '../../src/domain/errors.ts'
import { reveal, type Secret } from '../../src/domain/secret.ts'
import { DEVELOPMENT_PASSPHRASE } from '../development-keys.ts'
import type { Environment } from '../world.ts'

const BYTES_MIN = 20
const BYTES_MAX = 1024
const DIFFERENT_MIN = 8
const FIX = 'make one with `openssl rand -base64 32` and keep it where the other secrets are'

/**
 * What is plainly too weak. Rows can be guessed at by whoever has the database, at leisure and on better machines than
 * ours; a KDF makes that dearer by a factor, only the passphrase makes it hopeless. Nothing of it is quoted.
 */
export function weaknesses(
  passphrases: Readonly<Record<string, Secret>>,
  environment: Environment = 'production',
): ConfigProblem[] {
  const before = new Map<string, string>()
  return Object.entries(passphrases).flatMap(([name, secret]) => {
    const text = reveal(secret)
    const published = environment === 'production' && text === DEVELOPMENT_PASSPHRASE
    const problem =
      (published ? 'is the one that `countersign dev` prints: everybody has it' : weakness(text)) ??
      (before.has(text) ? `is the same as ${before.get(text)}` : undefined)
    before.set(text, name)
    return problem === undefined ? [] : [{ path: `passphrases.${name}`, problem, fix: FIX }]
  })
}

function weakness(text: string): string | undefined {
  if (!text.isWellFormed()) return 'is not well-formed Unicode'
  const { length } = new TextEncoder().encode(text)
  if (length < BYTES_MIN) return `is shorter than ${BYTES_MIN} bytes`
  if (length > BYTES_MAX) return `is longer than ${BYTES_MAX} bytes`
  if (new Set(text).size < DIFFERENT_MIN) return `has fewer than ${DIFFERENT_MIN} different characters`
  return undefined
}
