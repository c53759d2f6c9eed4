import { SignerError } from '../../src/domain/errors.ts'
import type { Call, Capabilities, EnvelopeProvider, KeyRef } from '../../src/domain/provider.ts'
import { reveal, type Secret, SecretBytes } from '../../src/domain/secret.ts'
import { checkedConfig, configInvalid, contextProblem } from '../checks.ts'
import { requireLive } from '../software/guards.ts'
import type { ProviderWorld } from '../world.ts'
import { createBulkhead, FULL } from './bulkhead.ts'
import { type PassphraseConfig, passphraseSchema } from './config.ts'
import { COSTS } from './cost.ts'
import { createDerive, type Derive, nativeKdfs, type Surroundings } from './derive.ts'
import { openRow, PLAINTEXT_BYTES_MAX, readRow, sealRow } from './row.ts'
import { weaknesses } from './strength.ts'

const CAN: Capabilities = Object.freeze({
  native: Object.freeze([] as const),
  envelope: true,
  rotation: 'none',
  production: true,
})

const REFERENCE = 'passphrase/'
/** Past this, waiting would outlast every deadline; a refusal now is of more use. */
const WAITING_MAX = 256
/** A row takes this long in the middle of what we measured; somebody who was not let in may ask again after it. */
const RETRY_AFTER_MS = 200
const SALT_BYTES = 16
const NONCE_BYTES = 12

/** What this process computes with; arguments, so that tests can count and slow it. */
export interface Machine {
  readonly derive: Derive
  readonly native: { readonly argon2id: boolean }
  readonly cores: number
}

export const machineOf = (
  surroundings: Surroundings & { readonly navigator?: { readonly hardwareConcurrency?: number } } = globalThis,
): Machine => ({
  derive: createDerive(surroundings),
  native: nativeKdfs(surroundings),
  cores: surroundings.navigator?.hardwareConcurrency ?? 1,
})

/**
 * The pool that derives also syncs files and resolves names (a thread a core on Bun, four on Node): filled up, it would
 * keep the audit record of every other key waiting. One thread stays free where there is more than one.
 */
const parallelBy = ({ cores }: Machine): number => Math.min(Math.max(cores - 1, 1), 3)

/**
 * Keys of low-value accounts, encrypted under a passphrase and opened by this process for one call at a time. Nothing
 * derived is kept: each row costs the KDF each time. Whoever has the passphrase and the rows has the keys.
 * @throws `config/invalid` naming each passphrase that is too weak, or used twice
 */
export async function create(
  config: PassphraseConfig,
  world: ProviderWorld,
  machine: Machine = machineOf(),
): Promise<EnvelopeProvider> {
  const checked = checkedConfig(passphraseSchema(), config, 'see providers/passphrase/README.md')
  const name = checked.name ?? checked.kind
  const weak = weaknesses(checked.passphrases, world.environment)
  if (weak.length > 0) throw configInvalid(weak)
  const passphrases = new Map(Object.entries(checked.passphrases).map(([label, secret]) => [REFERENCE + label, secret]))
  const cost = COSTS[checked.kdf ?? (machine.native.argon2id ? 'argon2id' : 'scrypt')]
  const bulkhead = createBulkhead({ parallel: checked.parallel ?? parallelBy(machine), waitingMax: WAITING_MAX })
  let closed = false

  function find(key: KeyRef): Secret {
    const found = passphrases.get(key)
    if (found !== undefined) return found
    throw refused('the configuration names no such passphrase: write it as passphrase/NAME')
  }
  const refused = (reason: string) => new SignerError('provider/refused', { provider: name, reason })
  const unreadable = (reason: string) => new SignerError('envelope/unreadable', { provider: name, reason })

  /** Waits for a place and for the work, and stops waiting at once when the call is given up; the work is then undone. */
  async function work<T>(
    call: Call,
    key: Secret,
    body: (passphrase: Uint8Array) => Promise<T>,
    undo: (late: T) => void,
  ) {
    const inside = async (): Promise<T> => {
      requireLive(name, call, closed)
      const passphrase = new TextEncoder().encode(reveal(key))
      try {
        return await body(passphrase)
      } finally {
        passphrase.fill(0)
      }
    }
    try {
      return await orAbort(call.signal, bulkhead.run(call.signal, inside), undo)
    } catch (cause) {
      if (cause instanceof SignerError) throw cause
      if (cause === FULL) throw unavailable('too many keys are waiting to be opened', { retryAfterMs: RETRY_AFTER_MS })
      if (call.signal.aborted) throw unavailable('given up before the key was open')
      throw unavailable('the key could not be derived on this machine', {}, cause)
    }
  }
  const unavailable = (reason: string, more: { retryAfterMs?: number } = {}, cause?: unknown) =>
    new SignerError('provider/unavailable', { provider: name, reason, ...more }, cause === undefined ? {} : { cause })

  const notForSigning = (key: KeyRef, call: Call, wanted: string): never => {
    requireLive(name, call, closed)
    find(key)
    throw new SignerError('key/unsupported', { key, wanted, reason: 'a passphrase wraps keys, it is none' })
  }

  return Object.freeze({
    name,
    can: CAN,

    async describe(key, call) {
      return notForSigning(key, call, 'a signing key')
    },

    async sign(key, input, call) {
      return notForSigning(key, call, String((input as { scheme?: unknown }).scheme).slice(0, 40))
    },

    async wrap(wrappingKey, plaintext, context, call) {
      requireLive(name, call, closed)
      const secret = find(wrappingKey)
      const problem = contextProblem(context) ?? sizeProblem(plaintext)
      if (problem !== undefined) throw refused(problem)
      const entropy = { salt: world.random.bytes(SALT_BYTES), nonce: world.random.bytes(NONCE_BYTES) }
      const seal = (passphrase: Uint8Array) =>
        plaintext.use(bytes => sealRow({ passphrase, derive: machine.derive }, cost, entropy, bytes, context))
      return work(call, secret, seal, () => {})
    },

    async unwrap(wrappingKey, ciphertext, context, call) {
      requireLive(name, call, closed)
      const secret = find(wrappingKey)
      const problem = contextProblem(context)
      if (problem !== undefined) throw unreadable(problem)
      const row = readRow(ciphertext)
      if (row === undefined)
        throw unreadable('the ciphertext is no row of this provider, or names a cost it does not pay')
      const open = (passphrase: Uint8Array) => openRow({ passphrase, derive: machine.derive }, row, context)
      const opened = await work(call, secret, open, late => late?.fill(0))
      if (opened === undefined) throw unreadable('ciphertext, context and passphrase do not belong together')
      return { plaintext: new SecretBytes(opened, 'plaintext of unwrap') }
    },

    async close() {
      closed = true
      passphrases.clear()
    },
  } satisfies EnvelopeProvider)
}

async function orAbort<T>(signal: AbortSignal, working: Promise<T>, undo: (late: T) => void): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const leave = (): void => reject(signal.reason)
  signal.addEventListener('abort', leave, { once: true })
  try {
    return await Promise.race([working, aborted])
  } catch (error) {
    if (signal.aborted) void working.then(undo, () => {})
    throw error
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

const sizeProblem = ({ length }: SecretBytes): string | undefined =>
  length >= 1 && length <= PLAINTEXT_BYTES_MAX ? undefined : `a plaintext has 1 to ${PLAINTEXT_BYTES_MAX} bytes`
