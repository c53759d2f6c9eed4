import { randomId } from '../bytes/ids.ts'
import { secretCopy } from '../bytes/secret-room.ts'
import {
  type Attempts,
  createAttempts,
  createCustody,
  createEngines,
  createResilience,
  type BreakerChange,
  type Custody,
  openSeed,
  type Resilience,
} from '../custody/index.ts'
import { SignerError } from '../domain/errors.ts'
import type { EnvelopeRow } from '../domain/key.ts'
import type { Call, KeyProvider, Scheme } from '../domain/provider.ts'
import type { World } from '../domain/ports.ts'
import { SecretBytes } from '../domain/secret.ts'
import type { ProofDeps } from '../service/restore.ts'

export interface CallLimits {
  readonly deadlineMs: number
  readonly tries: number
}

/** This composition is for machines; the edge has one of its own, where WASM from bytes is forbidden. */
const engines = createEngines({ wasmFromBytes: true })

export const attemptsOf = ({ clock, random }: World, { deadlineMs, tries }: CallLimits): Attempts =>
  createAttempts({ clock, random, deadlineMs, triesMax: tries })

/** Asks a key service about one reference. Only for what may be asked again. */
export type Ask = <T>(
  at: { readonly provider: string; readonly key: string },
  run: (call: Call) => Promise<T>,
) => Promise<T>

export const asking =
  (attempts: Attempts, random: World['random']): Ask =>
  (at, run) =>
    attempts({ ...at, requestId: randomId(random, 'r'), effect: 'read', run })

/** Signs as the path of a signature would, with a version that need not be registered. */
export const trialOf =
  (attempts: Attempts, provider: (name: string) => Promise<KeyProvider>, random: World['random']): ProofDeps['trial'] =>
  (key, row, input) => {
    const [binding] = key.bindings
    if (binding === undefined) throw new TypeError('Cannot try a key without a binding')
    return custodyOf(attempts, provider, async () => row)(key, binding, input, randomId(random, 'r'))
  }

export interface GuardLimits extends CallLimits {
  readonly concurrency: number
  readonly providerConcurrency?: number | undefined
  readonly breakerFailures: number
  readonly breakerResetMs: number
}

/** The attempts of the data plane: the same, behind guards. */
export const guardedAttempts = (
  { clock, random }: World,
  limits: GuardLimits,
  onChange: (change: BreakerChange) => void,
): Resilience =>
  createResilience({
    clock,
    random,
    deadlineMs: limits.deadlineMs,
    triesMax: limits.tries,
    // With the half as many that may wait, one key service takes three quarters of the places inside at most.
    places: limits.providerConcurrency ?? Math.ceil(limits.concurrency / 2),
    breaker: { failures: limits.breakerFailures, resetMs: limits.breakerResetMs, onChange },
  })

/** Signs with whatever the registry says, one read of the row a signature. */
export function custodyOf(
  attempts: Attempts,
  provider: (name: string) => Promise<KeyProvider>,
  readRow: (bindingId: string) => Promise<EnvelopeRow | undefined>,
  keyOpened?: () => () => void,
): Custody {
  return createCustody({ provider, readRow, engines, attempts, keyOpened })
}

/** @throws `request/malformed` for 32 bytes that are no private key of the curve */
export async function publicKeyOf(seed: SecretBytes, scheme: Scheme = 'ed25519'): Promise<Uint8Array> {
  const engine = await engines(scheme)
  try {
    return seed.use(bytes => engine.publicKey(bytes))
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    const [, fix] = SEED_FORMS[scheme]
    const reason = 'holds 32 bytes that are no private key of this curve: they are out of range'
    throw new SignerError('request/malformed', { field: seed.label, reason, fix }, { cause })
  }
}

/** @param pin the public key that the seed must give */
export async function signWithSeed(seed: SecretBytes, payload: Uint8Array, pin: Uint8Array): Promise<Uint8Array> {
  const engine = await engines('ed25519')
  return seed.use(bytes => engine.sign(bytes, payload, pin))
}

const SEED_FORMS: Readonly<Record<Scheme, readonly [what: string, fix: string]>> = {
  ed25519: ['no Ed25519 seed', 'give a file with the S… seed on one line, with PKCS#8 DER, or with the 32 raw bytes'],
  'ecdsa-secp256k1': [
    'no secp256k1 key',
    'give a file with the 64 hex digits of the key on one line, with PKCS#8 DER, or with the 32 raw bytes',
  ],
}

/** The key in a file: its S… or hex form, PKCS#8, or 32 raw bytes. Takes the bytes and wipes them. */
export function seedOfFile(file: Uint8Array, label: string, scheme: Scheme = 'ed25519'): SecretBytes {
  try {
    const opened = openSeed(scheme, file.length === 32 ? file : file.subarray(0, endOf(file)))
    if (opened === undefined) {
      const [what, fix] = SEED_FORMS[scheme]
      throw new SignerError('request/malformed', { field: label, reason: `holds ${what}`, fix })
    }
    const seed = new SecretBytes(secretCopy(opened.seed), label)
    opened.wipe()
    return seed
  } finally {
    file.fill(0)
  }
}

/** A text file ends in a line break. */
function endOf(file: Uint8Array): number {
  let end = file.length
  while (end > 0 && (file[end - 1] === 0x0a || file[end - 1] === 0x0d)) end--
  return end
}
