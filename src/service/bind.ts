import { equalBytes } from '../bytes/equal.ts'
import { randomId } from '../bytes/ids.ts'
import { contextFor } from '../custody/index.ts'
import { SignerError } from '../domain/errors.ts'
import type { Binding, EnvelopeRow, ResolvedKey } from '../domain/key.ts'
import type { KeyProvider, KeyRef } from '../domain/provider.ts'
import type { SecretBytes } from '../domain/secret.ts'
import { recordEvent } from './events.ts'
import { provePossession, type RegisterDeps } from './register.ts'
import { prove } from './restore.ts'
import { envelopeOf, wrapAt } from './wrap.ts'

/** Where else the key lives: in the service as it is, or as its seed, wrapped there. */
export type NewPlace = { readonly name: string; readonly provider: string } & (
  | { readonly reference: KeyRef }
  /** Taken and wiped. */
  | { readonly seed: SecretBytes; readonly wrappingKey?: KeyRef }
)

/**
 * One more binding of the active version of a key. The same public key must be there, and prove it: what is pinned is
 * compared, and a challenge signed through the new binding is verified under the pin. On record before it is registered.
 *
 * @throws `key/unknown`, `key/not-active`, `key/exists` when the version is there already; `key/mismatch` when another
 *         public key is there; `key/unsupported`, `start/refused`, and what the proof says: `signature/*`, `envelope/*`,
 *         `provider/*`. Nothing changes then.
 */
export async function addBinding(deps: RegisterDeps, place: NewPlace): Promise<ResolvedKey> {
  try {
    return await addPlace(deps, place)
  } finally {
    if ('seed' in place) place.seed.wipe()
  }
}

async function addPlace(deps: RegisterDeps, place: NewPlace): Promise<ResolvedKey> {
  const resolved = await deps.registry.resolve(place.name)
  if (resolved === undefined) throw new SignerError('key/unknown', { key: place.name })
  const provider = await deps.provider(place.provider)
  deps.mayServe(resolved.key, provider)
  const { key, version } = resolved
  const id = randomId(deps.random, 'b')
  const at = { id, key: key.name, version: version.version, provider: place.provider }
  const { binding, envelope } =
    'seed' in place
      ? await wrapped(deps, resolved, provider, at, place)
      : { binding: await native(deps, resolved, provider, at, place.reference), envelope: undefined }
  const { provider: name, reference } = binding
  if (resolved.bindings.some(each => each.provider === name && each.reference === reference)) {
    throw new SignerError('key/exists', { key: `${key.name} at ${name}` })
  }
  await provePossession(deps, { ...resolved, bindings: [binding] }, envelope)
  const detail = {
    key: key.name,
    version: version.version,
    binding: id,
    provider: name,
    custody: binding.custody,
    reference,
  }
  await recordEvent(deps, 'binding-adding', detail)
  await deps.registry.addBinding({ binding, ...(envelope === undefined ? {} : { envelope }) })
  await recordEvent(deps, 'binding-added', detail)
  return { ...resolved, bindings: [...resolved.bindings, binding] }
}

type At = Pick<Binding, 'id' | 'key' | 'version' | 'provider'>

async function native(
  deps: RegisterDeps,
  { version }: ResolvedKey,
  provider: KeyProvider,
  at: At,
  reference: KeyRef,
): Promise<Binding> {
  const facts = await deps.call(call => provider.describe(reference, call))
  if (facts.scheme !== version.scheme || !provider.can.native.includes(facts.scheme)) {
    const reason = `the key signs ${version.scheme} and ${facts.reference} is ${facts.scheme}`
    throw new SignerError('key/unsupported', { key: at.key, wanted: version.scheme, reason })
  }
  samePin(at.key, facts.publicKey, version.publicKey)
  return { ...at, custody: 'native', reference: facts.reference }
}

async function wrapped(
  deps: RegisterDeps,
  { key, version }: ResolvedKey,
  keyService: KeyProvider,
  at: At,
  { seed, wrappingKey }: { readonly seed: SecretBytes; readonly wrappingKey?: KeyRef },
): Promise<{ binding: Binding; envelope: EnvelopeRow }> {
  const provider = envelopeOf(at.key, keyService)
  samePin(at.key, await deps.publicKeyOf(seed, version.scheme), version.publicKey)
  const context = contextFor(version, key.network)
  const place = { name: at.provider, provider, wrappingKey, label: at.key }
  const { reference, ciphertext } = await wrapAt(deps, seed, context, place)
  return {
    binding: { ...at, custody: 'envelope', reference },
    envelope: { bindingId: at.id, ciphertext, context },
  }
}

function samePin(key: string, found: Uint8Array, pinned: Uint8Array): void {
  if (equalBytes(found, pinned)) return
  throw new SignerError('key/mismatch', { key, reason: 'another public key is there than the one that was pinned' })
}

/**
 * Ends the suspension of a binding that gave a wrong answer in shadow, once it has proved itself again.
 * @throws `key/unknown`; `key/unsupported` when it is not suspended; and what the proof says
 */
export async function restoreBinding(deps: RegisterDeps, name: string, id: string): Promise<ResolvedKey> {
  const resolved = (await deps.registry.versions(name)).find(({ bindings }) => bindings.some(each => each.id === id))
  const binding = resolved?.bindings.find(each => each.id === id)
  if (resolved === undefined || binding === undefined) throw new SignerError('key/unknown', { key: `${name} at ${id}` })
  if (binding.suspended === undefined) {
    throw new SignerError('key/unsupported', { key: name, wanted: 'restore', reason: `${id} is not suspended` })
  }
  await prove(deps, resolved, binding)
  const detail = { key: name, version: binding.version, binding: id, was: binding.suspended }
  await recordEvent(deps, 'binding-restored', detail)
  await deps.registry.suspendBinding(id, undefined)
  return (await deps.registry.resolve(name)) ?? resolved
}
