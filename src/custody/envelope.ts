import { isSignerError, SignerError } from '../domain/errors.ts'
import type { Signature64 } from '../domain/brands.ts'
import type { Binding, EnvelopeRow, KeyVersion } from '../domain/key.ts'
import {
  canEnvelope,
  type EnvelopeProvider,
  type KeyProvider,
  type Signed,
  type SignInput,
} from '../domain/provider.ts'
import type { Attempts } from './attempts.ts'
import { contextFault } from './context.ts'
import { refuseOtherKey, type SeedEngine } from './engines/engine.ts'
import type { Engines } from './engines/index.ts'
import { openSeed } from './seed.ts'

export interface EnvelopeJob {
  readonly version: KeyVersion
  readonly network: string
  readonly binding: Binding
  readonly input: SignInput
  readonly requestId: string
  readonly withinMs?: number
}

export interface EnvelopeDeps {
  readonly provider: KeyProvider
  /** Called once a signature; nothing is kept. */
  readonly readRow: (bindingId: string) => Promise<EnvelopeRow | undefined>
  readonly engines: Engines
  readonly attempts: Attempts
  /** For measurement: called when a key has been opened; what it returns is called when its bytes are wiped. */
  readonly keyOpened?: (() => () => void) | undefined
}

/**
 * Opens the key for one call: one read of the row, one decrypt, sign, wipe. The opened key exists as bytes only, from
 * the provider's answer to the signature, and is overwritten whatever happens in between.
 *
 * @throws `key/unsupported`, `key/mismatch` (no row), `envelope/mismatch` (row or key belong elsewhere) and
 *         `envelope/unreadable` before the service is asked or after it answered; `provider/*` as it says.
 */
export async function signByEnvelope(job: EnvelopeJob, deps: EnvelopeDeps): Promise<Signed> {
  const provider = needEnvelope(job, deps.provider)
  const engine = await deps.engines(job.input.scheme) // before the key is open: starting an engine takes its time
  const row = checkedRow(job, provider, await deps.readRow(job.binding.id))
  const opened = await deps.attempts({
    provider: provider.name,
    key: job.binding.reference,
    binding: job.binding.id,
    requestId: job.requestId,
    ...(job.withinMs === undefined ? {} : { withinMs: job.withinMs }),
    effect: 'read',
    run: call => provider.unwrap(job.binding.reference, row.ciphertext, row.context, call),
    onLate: late => late.plaintext.wipe(),
  })
  const wiped = deps.keyOpened?.()
  try {
    const signature = await opened.plaintext.use(bytes => signWith(engine, bytes, job, provider))
    const { providerRequestId } = opened
    return providerRequestId === undefined ? { signature } : { signature, providerRequestId }
  } finally {
    opened.plaintext.wipe()
    wiped?.()
  }
}

function needEnvelope({ binding, input, version }: EnvelopeJob, provider: KeyProvider): EnvelopeProvider {
  const refuse = (reason: string): SignerError =>
    new SignerError('key/unsupported', { key: binding.key, wanted: 'envelope custody', reason })
  if (!canEnvelope(provider)) throw refuse(`${provider.name} keeps no wrapping keys`)
  if (input.scheme !== version.scheme) throw refuse(`the key is of scheme ${version.scheme}, not ${input.scheme}`)
  return provider
}

function checkedRow(job: EnvelopeJob, provider: KeyProvider, row: EnvelopeRow | undefined): EnvelopeRow {
  if (row === undefined) {
    throw new SignerError('key/mismatch', {
      key: job.binding.key,
      reason: 'no encrypted key is stored for its binding',
    })
  }
  const belongs = row.bindingId === job.binding.id
  const fault = belongs ? contextFault(row.context, job.version, job.network) : 'it belongs to another binding'
  if (fault === undefined) return row
  throw new SignerError('envelope/unreadable', {
    provider: provider.name,
    reason: `The encrypted key was not sent to the service: ${fault}`,
  })
}

async function signWith(
  engine: SeedEngine,
  plaintext: Uint8Array,
  { input, version }: EnvelopeJob,
  provider: KeyProvider,
): Promise<Signature64> {
  const unreadable = (reason: string): SignerError =>
    new SignerError('envelope/unreadable', { provider: provider.name, reason })
  const opened = openSeed(version.scheme, plaintext)
  if (opened === undefined) throw unreadable('The decrypted bytes are in no known form of a private key')
  try {
    if (opened.statedPublicKey !== undefined) refuseOtherKey(opened.statedPublicKey, version.publicKey)
    const payload = input.scheme === 'ed25519' ? input.message : input.digest
    return await engine.sign(opened.seed, payload, version.publicKey)
  } catch (error) {
    if (isSignerError(error)) throw error
    // No cause: an engine's own words may quote what it was given.
    throw unreadable('The decrypted bytes are no private key of this scheme')
  } finally {
    opened.wipe()
  }
}
