import { equalBytes } from '../bytes/equal.ts'
import { SignerError } from '../domain/errors.ts'
import type { Binding, DatedVersion, ResolvedKey, VersionState } from '../domain/key.ts'
import type { KeyCatalogue } from '../domain/ports.ts'
import { advance, agedOf, brokenInvariant, TRANSITIONS } from '../keys/lifecycle.ts'
import { recordEvent } from './events.ts'
import { provePossession, type RegisterDeps } from './register.ts'

/**
 * Out of quarantine, for operators who have found out what was wrong: every place that may serve the version proves possession
 * again, as at registration, against the pin of that day. Where it goes is the law's to say (`src/keys`): it signs, or stays
 * beside its successor, or waits for its turn. On record before the state changes; a crash in between leaves the key where it
 * was, or the next start carries out what is on record.
 *
 * @param wish  the version, where several are in quarantine
 * @throws `key/unknown`; `key/unsupported` when the version is not in quarantine, when it has to be named, or when its siblings
 *         leave it no place, with the rule that says so; and what the proof says when it fails: `key/mismatch`, `signature/*`,
 *         `envelope/*`, `provider/*`. Nothing changes then.
 */
export async function restoreKey(
  deps: RegisterDeps,
  name: string,
  wish: { readonly version?: number | undefined } = {},
): Promise<ResolvedKey> {
  const versions = await deps.registry.versions(name)
  const held = chosen(name, versions, wish.version)
  const { version } = held.version
  const to = placeIn(versions, name, version)
  const places = servingPlaces(held)
  for (const binding of places) await prove(deps, held, binding)

  await recordEvent(deps, 'key-restored', { key: name, version, to, bindings: places.length })
  if (!(await deps.registry.setState(name, version, to, ['quarantined']))) {
    throw refused(name, 'its state was changed meanwhile')
  }
  // Others may have begun a rotation since: two rotations at once is worse than one version that is restored once more.
  const broken = brokenInvariant((await deps.registry.versions(name)).map(agedOf))
  if (broken === undefined) return { ...held, version: { ...held.version, state: to } }
  await recordEvent(deps, 'key-quarantined', { key: name, version, was: to, reason: broken })
  await deps.registry.setState(name, version, 'quarantined', [to])
  throw refused(name, `its siblings were changed meanwhile: ${broken}`)
}

/** @throws `key/unknown`, `key/unsupported` */
function chosen(name: string, versions: readonly DatedVersion[], number: number | undefined): DatedVersion {
  const newest = versions.at(-1)
  if (newest === undefined) throw new SignerError('key/unknown', { key: name })
  const held = versions.filter(each => each.version.state === 'quarantined')
  const [first, ...more] = held
  if (number === undefined && more.length > 0) {
    const numbers = held.map(({ version }) => version.version).join(', ')
    throw refused(name, `versions ${numbers} are in quarantine: name one of them`)
  }
  const found = number === undefined ? (first ?? newest) : versions.find(each => each.version.version === number)
  if (found === undefined) throw new SignerError('key/unknown', { key: `${name} version ${number}` })
  const { version, state } = found.version
  if ('to' in TRANSITIONS[state].restore) return found
  throw refused(name, `version ${version} is ${state}, not in quarantine`)
}

/** @throws `key/unsupported` with the rule that it would break */
function placeIn(versions: readonly DatedVersion[], name: string, version: number): VersionState {
  const outcome = advance(versions.map(agedOf), [{ version, event: 'restore' }])
  if (outcome.kind === 'refused') throw refused(name, `version ${version}: ${outcome.reason}`)
  const to = outcome.versions.find(each => each.version === version)?.state
  if (to === undefined) throw refused(name, `there is no version ${version}`)
  return to
}

/** The first place, which serves whatever the flags say, and those that a flag may send a signature to. */
export const servingPlaces = ({ bindings }: ResolvedKey): readonly Binding[] =>
  bindings.filter(({ suspended }, at) => at === 0 || suspended === undefined)

/** What a proof needs of the world: no right to change anything. */
export type ProofDeps = Pick<RegisterDeps, 'random' | 'provider' | 'call' | 'trial' | 'mayServe'> & {
  readonly registry: Pick<KeyCatalogue, 'envelope'>
}

/** A binding signs a challenge again, and gives the pinned public key where it gives one. */
export async function prove(deps: ProofDeps, held: ResolvedKey, binding: Binding): Promise<void> {
  await comparePin(deps, held, binding)
  const row = await deps.registry.envelope(binding.id)
  await provePossession(deps, { ...held, bindings: [binding] }, row)
}

/** The key service still gives the pinned public key. Of a wrapped key it gives none: only a proof tells. @throws `key/mismatch` */
export async function comparePin(deps: ProofDeps, { key, version }: ResolvedKey, binding: Binding): Promise<void> {
  const provider = await deps.provider(binding.provider)
  deps.mayServe(key, provider)
  if (binding.custody !== 'native') return
  const { scheme, publicKey } = await deps.call(call => provider.describe(binding.reference, call))
  if (scheme === version.scheme && equalBytes(publicKey, version.publicKey)) return
  const reason = 'the key service gives another public key for it than the one that was pinned'
  throw new SignerError('key/mismatch', { key: binding.key, reason })
}

const refused = (key: string, reason: string): SignerError =>
  new SignerError('key/unsupported', { key, wanted: 'restore', reason })
