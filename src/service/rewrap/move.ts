import { equalBytes } from '../../bytes/equal.ts'
import { randomId } from '../../bytes/ids.ts'
import { secretCopy } from '../../bytes/secret-room.ts'
import { contextFault, contextFor } from '../../custody/index.ts'
import { isSignerError, SignerError } from '../../domain/errors.ts'
import { type Binding, type DatedVersion, successorOf } from '../../domain/key.ts'
import type { Call, EnvelopeProvider } from '../../domain/provider.ts'
import type { SecretBytes } from '../../domain/secret.ts'
import { recordEvent } from '../events.ts'
import { provePossession } from '../register.ts'
import { prove } from '../restore.ts'
import { envelopeOf } from '../wrap.ts'
import type { RewrapDeps, RewrapJob } from './types.ts'

export const isReplaced = (binding: Binding): boolean =>
  binding.custody === 'envelope' && successorOf(binding) !== undefined

interface Move {
  readonly row: DatedVersion
  readonly old: Binding
  readonly target: EnvelopeProvider
  readonly job: RewrapJob
  readonly dryRun: boolean
}

/** Opens the old row once, wraps, and has the new row sign a challenge; then the new binding is the one that serves. */
export async function move(deps: RewrapDeps, { row, old, target, job, dryRun }: Move): Promise<void> {
  const { key, version } = row
  deps.mayServe(key, target)
  const id = randomId(deps.random, 'b')
  const context = contextFor(version, key.network)
  const seed = await open(deps, row, old)
  let ciphertext: Uint8Array
  try {
    if (!equalBytes(await deps.publicKeyOf(seed, version.scheme), version.publicKey)) {
      const reason = 'the old row holds another key than the one that was pinned'
      throw new SignerError('key/mismatch', { key: key.name, reason })
    }
    ciphertext = await deps.call(call => target.wrap(job.wrappingKey, seed, context, call))
  } finally {
    seed.wipe()
  }
  const at = { id, key: key.name, version: version.version, provider: job.provider }
  const binding: Binding = { ...at, custody: 'envelope', reference: job.wrappingKey }
  const envelope = { bindingId: id, ciphertext, context }
  await provePossession(deps, { ...row, bindings: [binding] }, envelope)
  if (dryRun) return
  await record(deps, 'key-rewrapping', old, binding)
  await deps.registry.replaceBinding(old.id, { binding, envelope })
}

/** The new row signs a challenge as it is stored; then the old one goes. */
export async function finish(deps: RewrapDeps, row: DatedVersion): Promise<void> {
  for (const old of row.bindings.filter(isReplaced)) {
    const successor = row.bindings.find(({ id }) => id === successorOf(old))
    if (successor === undefined) throw unsupported(old.key, `the binding that took the place of ${old.id} is gone`)
    await prove(deps, row, successor)
    await record(deps, 'key-rewrapped', old, successor) // before the row goes: one that was killed says it twice, not never
    await deps.registry.removeBinding(old.id)
  }
}

async function open(deps: RewrapDeps, { key, version }: DatedVersion, old: Binding): Promise<SecretBytes> {
  const provider = await envelopeAt(deps, old.provider)
  const unreadable = (reason: string) => new SignerError('envelope/unreadable', { provider: provider.name, reason })
  const row = await deps.registry.envelope(old.id)
  if (row === undefined) throw unreadable(`no encrypted key is stored for ${old.id}`)
  const fault = contextFault(row.context, version, key.network)
  if (fault !== undefined) throw unreadable(`The encrypted key was not sent to the service: ${fault}`)
  const unwrap = async (call: Call) => {
    const { plaintext } = await provider.unwrap(old.reference, row.ciphertext, row.context, call)
    if (call.signal.aborted) plaintext.wipe() // nobody waits for it any more
    return plaintext
  }
  const plaintext = await deps.call(unwrap)
  try {
    return plaintext.use(bytes => deps.seedOf(secretCopy(bytes), `seed of ${key.name}`, version.scheme))
  } catch (error) {
    if (!isSignerError(error) || error.code !== 'request/malformed') throw error
    throw unreadable('The decrypted bytes are in no known form of a private key')
  } finally {
    plaintext.wipe()
  }
}

export async function envelopeAt(deps: RewrapDeps, name: string): Promise<EnvelopeProvider> {
  return envelopeOf(name, await deps.provider(name), 'rewrap')
}

const record = (deps: RewrapDeps, event: 'key-rewrapping' | 'key-rewrapped', old: Binding, now: Binding) =>
  recordEvent(deps, event, {
    key: now.key,
    version: now.version,
    binding: now.id,
    provider: now.provider,
    reference: now.reference,
    oldBinding: old.id,
    oldProvider: old.provider,
    oldReference: old.reference,
  })

export const unsupported = (key: string, reason: string) =>
  new SignerError('key/unsupported', { key, wanted: 'rewrap', reason })
