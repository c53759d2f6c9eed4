import { equalBytes } from '../bytes/equal.ts'
import { toHex } from '../bytes/hex.ts'
import { sha256 } from '../bytes/sha256.ts'
import { isStellarText } from '../bytes/stellar-text.ts'
import { SignerError } from '../domain/errors.ts'
import type {
  Binding,
  Chain,
  EnvelopeRow,
  Key,
  KeyVersion,
  ResolvedKey,
  VersionState,
  VersionTimes,
} from '../domain/key.ts'
import { replacedBy, SCHEME_OF, successorOf, VERSION_STATES } from '../domain/key.ts'
import type { StateMove, StoredResult } from '../domain/ports.ts'
import { type Scheme, SCHEMES } from '../domain/provider.ts'

/**
 * What a row must look like before anyone gets to see it, written or read. A table can be edited behind our back, so
 * types, lengths and known words are checked on the way out as on the way in, and an odd row is refused whole.
 */
const CHAINS: readonly Chain[] = ['stellar', 'evm']
/** Stellar accounts are Ed25519 keys, EVM accounts secp256k1 keys. */
const PUBLIC_KEY_BYTES: Readonly<Record<Scheme, number>> = { ed25519: 32, 'ecdsa-secp256k1': 65 }
const UNCOMPRESSED = 0x04

export const mismatch = (key: string, reason: string) => new SignerError('key/mismatch', { key, reason })

const text = (value: unknown): value is string => typeof value === 'string' && value.length > 0
const count = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const oneOf = <T extends string>(values: readonly T[], value: unknown): value is T => values.includes(value as T)

export const isVersionState = (value: unknown): value is VersionState => oneOf(VERSION_STATES, value)

/** @throws `key/mismatch` naming the first field that is not as it must be. */
export function checkKey(key: Key): Key {
  const name = text(key.name) ? key.name : '(no name)'
  if (!text(key.name)) throw mismatch(name, 'the name is empty')
  if (!oneOf(CHAINS, key.chain)) throw mismatch(name, 'the chain is unknown')
  if (!text(key.network)) throw mismatch(name, 'the network is empty')
  if (!text(key.policy)) throw mismatch(name, 'the policy is empty')
  if (!text(key.policyHash) || key.policyHash.length !== 64)
    throw mismatch(name, 'the policy hash is not 64 hex digits')
  if (!count(key.createdAt)) throw mismatch(name, 'the time of creation is not a time')
  return key
}

/** @throws `key/mismatch` when the hash on record is not the hash of the policy on record. */
export function checkPolicyHash(key: Key): void {
  const hash = toHex(sha256(new TextEncoder().encode(key.policy)))
  if (hash !== key.policyHash) throw mismatch(key.name, 'the policy does not have the hash on record')
}

/** @throws `key/mismatch` naming the first field that is not as it must be. */
export function checkVersion(key: Key, version: KeyVersion): KeyVersion {
  const { name } = key
  if (version.key !== name) throw mismatch(name, 'the version belongs to another key')
  if (!count(version.version) || version.version === 0) throw mismatch(name, 'the version number is not 1 or more')
  if (!oneOf(SCHEMES, version.scheme)) throw mismatch(name, 'the scheme is unknown')
  if (version.scheme !== SCHEME_OF[key.chain]) throw mismatch(name, `the scheme does not fit the chain ${key.chain}`)
  const wanted = PUBLIC_KEY_BYTES[version.scheme]
  if (!(version.publicKey instanceof Uint8Array)) throw mismatch(name, 'the public key is not bytes')
  if (version.publicKey.length !== wanted) {
    throw mismatch(name, `the public key has ${version.publicKey.length} bytes, not ${wanted}`)
  }
  if (version.scheme === 'ecdsa-secp256k1' && version.publicKey[0] !== UNCOMPRESSED) {
    throw mismatch(name, 'the public key is not an uncompressed point')
  }
  if (!text(version.address)) throw mismatch(name, 'the address is empty')
  checkAccount(key, version)
  if (!isVersionState(version.state)) throw mismatch(name, 'the state is unknown')
  return version
}

/** Its own address, or on Stellar another account. @throws `key/mismatch` */
function checkAccount({ name, chain }: Key, { account, address }: KeyVersion): void {
  if (account === address) return
  if (chain !== 'stellar') throw mismatch(name, `the account is not the address, as that of a key of ${chain} is`)
  if (typeof account === 'string' && isStellarText(account, 'address')) return
  throw mismatch(name, 'the account is not the address of a Stellar account')
}

/** @throws `key/mismatch` naming the first field that is not as it must be. */
export function checkBinding(version: KeyVersion, binding: Binding): Binding {
  if (!text(binding.id)) throw mismatch(version.key, 'a binding has no id')
  if (binding.key !== version.key || binding.version !== version.version) {
    throw mismatch(version.key, 'a binding belongs to another version')
  }
  if (!text(binding.provider)) throw mismatch(version.key, 'a binding names no provider')
  if (binding.custody !== 'native' && binding.custody !== 'envelope') {
    throw mismatch(version.key, 'the custody of a binding is unknown')
  }
  if (!text(binding.reference)) throw mismatch(version.key, 'a binding has no reference')
  if (binding.suspended !== undefined && !text(binding.suspended)) {
    throw mismatch(version.key, 'a binding is suspended without a reason')
  }
  return binding
}

/** @throws `key/mismatch` */
export function checkEnvelope(row: EnvelopeRow): EnvelopeRow {
  const of = `binding ${text(row.bindingId) ? row.bindingId : '(no id)'}`
  if (!text(row.bindingId)) throw mismatch(of, 'the envelope names no binding')
  if (!(row.ciphertext instanceof Uint8Array) || row.ciphertext.length === 0)
    throw mismatch(of, 'the ciphertext is empty')
  const { context } = row
  if (context === null || typeof context !== 'object' || Array.isArray(context)) {
    throw mismatch(of, 'the context is not an object')
  }
  for (const value of Object.values(context)) {
    if (typeof value !== 'string') throw mismatch(of, 'a value of the context is not text')
  }
  return row
}

/** What `KeyRegistry.add` takes, whole and in agreement with itself. @throws `key/mismatch` */
export function checkAddition(entry: {
  key: Key
  version: KeyVersion
  binding: Binding
  envelope?: EnvelopeRow
}): void {
  checkKey(entry.key)
  checkPolicyHash(entry.key)
  checkVersion(entry.key, entry.version)
  checkPlace(entry.version, entry)
}

/** A binding with its encrypted key, or without one where it needs none. @throws `key/mismatch` */
export function checkPlace(version: KeyVersion, entry: { binding: Binding; envelope?: EnvelopeRow }): void {
  checkBinding(version, entry.binding)
  const name = version.key
  if (entry.envelope === undefined) {
    if (entry.binding.custody === 'envelope') throw mismatch(name, 'envelope custody needs an encrypted key')
    return
  }
  if (entry.binding.custody === 'native') throw mismatch(name, 'native custody takes no encrypted key')
  checkEnvelope(entry.envelope)
  if (entry.envelope.bindingId !== entry.binding.id)
    throw mismatch(name, 'the encrypted key belongs to another binding')
}

/** Frozen, so that nobody changes what others were handed. @throws `key/mismatch` */
export function resolvedKey(key: Key, version: KeyVersion, bindings: readonly Binding[]): ResolvedKey {
  checkKey(key)
  checkVersion(key, version)
  for (const binding of bindings) checkBinding(version, binding)
  if (bindings.length === 0) throw mismatch(key.name, `version ${version.version} has no binding`)
  return Object.freeze({
    key: Object.freeze(key),
    version: Object.freeze(version),
    bindings: Object.freeze(bindings.map(binding => Object.freeze(binding))),
  })
}

const RESULT_TEXTS = ['signature', 'key', 'provider', 'custody', 'auditId', 'requestId'] as const

/** An answer that is given again must be whole. @throws `store/unavailable` */
export function checkResult(value: unknown): StoredResult {
  const damaged = () => new SignerError('store/unavailable', { reason: 'an answer kept for replay cannot be read' })
  if (value === null || typeof value !== 'object') throw damaged()
  const row = value as Record<string, unknown>
  for (const field of RESULT_TEXTS) if (!text(row[field])) throw damaged()
  if (!count(row['version'])) throw damaged()
  if (Object.keys(row).length !== RESULT_TEXTS.length + 1) throw damaged()
  return Object.freeze(row as unknown as StoredResult)
}

/** States in which a version begins. */
const BEGINNINGS: readonly VersionState[] = ['pending', 'active', 'overlap']

/** What `KeyRegistry.addVersion` takes, beside those that are there. @returns the key. @throws as `addVersion` */
export function checkNextVersion(before: readonly ResolvedKey[], version: KeyVersion): Key {
  const newest = before.at(-1)
  if (newest === undefined) throw new SignerError('key/unknown', { key: version.key })
  const { key } = newest
  checkVersion(key, version)
  const named = (what: string) => new SignerError('key/exists', { key: `${key.name} ${what}` })
  const next = newest.version.version + 1
  if (version.version < next) throw named(`version ${version.version}`)
  if (version.version > next) throw mismatch(key.name, `the next version is ${next}, not ${version.version}`)
  const same = before.find(each => equalBytes(each.version.publicKey, version.publicKey))
  if (same !== undefined) throw named(`version ${same.version.version} with this public key`)
  if (!BEGINNINGS.includes(version.state)) {
    const reason = `a version begins as ${BEGINNINGS.join(', ')}`
    throw new SignerError('key/unsupported', { key: key.name, wanted: version.state, reason })
  }
  const active = before.find(each => each.version.state === 'active')
  if (version.state === 'active' && active !== undefined) throw secondActive(key.name, active.version.version)
  return key
}

/**
 * What moves make of versions. Others of the key are not looked at, so that a damaged row stops nobody from revoking another.
 * @param held    the versions that are to move, as far as they are there
 * @param active  number of the active version
 * @returns undefined when one is not in a state it may come from
 * @throws `key/unknown`, `key/mismatch`, `key/unsupported`
 */
export function movedVersions<V extends Aged>(
  key: string,
  held: readonly V[],
  active: number | undefined,
  moves: readonly StateMove[],
): readonly (readonly [V, VersionState])[] | undefined {
  const moved = new Map<V, VersionState>()
  for (const { version, state, from } of moves) {
    const found = held.find(each => each.version.version === version)
    if (found === undefined) throw new SignerError('key/unknown', { key: `${key} version ${version}` })
    if (moved.has(found)) throw mismatch(key, `version ${version} would move twice`)
    if (from?.includes(found.version.state) === false) return undefined
    if (isDestroyed(found) && !AFTER_THE_END.includes(state))
      throw unfit(key, state, `version ${version} was destroyed`)
    moved.set(found, state)
  }
  const stays = moves.some(({ version }) => version === active) ? undefined : active
  const becoming = moves.filter(({ state }) => state === 'active').map(({ version }) => version)
  const first = stays ?? becoming[0]
  if (first !== undefined && becoming.some(version => version !== first)) throw secondActive(key, first)
  // Who leaves goes first: at no moment are two active.
  const rank = ([, state]: readonly [V, VersionState]): number => (state === 'active' ? 1 : 0)
  return [...moved].toSorted((a, b) => rank(a) - rank(b))
}

type Aged = ResolvedKey & { readonly times?: VersionTimes | undefined }

/** L7 of `src/keys/LIFECYCLE.md`: what somebody may have a copy of can still be revoked, and nothing else. */
const AFTER_THE_END: readonly VersionState[] = ['destroyed', 'revoked']
const isDestroyed = ({ version, times }: Aged): boolean =>
  version.state === 'destroyed' || times?.destroyedAt !== undefined

/** A place for a private key that is gone would bring it back. @throws `key/unsupported` */
export function refuseDestroyed(held: Aged, wanted: string): void {
  if (isDestroyed(held)) throw unfit(held.version.key, wanted, `version ${held.version.version} was destroyed`)
}

/** @throws `key/unsupported` */
export function requireDestroyed(held: Aged): void {
  if (isDestroyed(held)) return
  const { key, version, state } = held.version
  throw unfit(key, 'remove its encrypted keys', `version ${version} is ${state}, and was not destroyed`)
}

/** @throws `key/mismatch` */
export function checkStates(key: string, moves: readonly StateMove[]): void {
  if (!moves.every(({ state }) => isVersionState(state))) throw mismatch(key, 'the state is unknown')
}

export const secondActive = (key: string, active: number) =>
  new SignerError('key/unsupported', { key, wanted: 'active', reason: `version ${active} is active: move it on first` })

/** @throws `key/exists` when the version is at this provider and reference already */
export function refuseSecond(bindings: readonly Binding[], { key, provider, reference }: Binding): void {
  if (!bindings.some(each => each.provider === provider && each.reference === reference)) return
  throw new SignerError('key/exists', { key: `${key} at ${provider}` })
}

/** The bindings after another took the place of `oldId`, which is last now. @throws as `replaceBinding` */
export function replacedBindings(
  { version, bindings }: ResolvedKey,
  oldId: string,
  entry: { binding: Binding; envelope?: EnvelopeRow },
): readonly Binding[] {
  const { binding } = entry
  const old = bindings.find(({ id }) => id === oldId)
  if (old === undefined) throw mismatch(version.key, `binding ${oldId} belongs to another version`)
  checkPlace(version, entry)
  if (old.suspended !== undefined) throw unfit(version.key, 'replace', `${oldId} is suspended: ${old.suspended}`)
  refuseSecond(bindings, binding)
  return [...bindings.map(each => (each.id === oldId ? { ...binding } : each)), suspended(old, replacedBy(binding.id))]
}

/** The bindings without one that was replaced. @throws as `removeBinding` */
export function bindingsWithout({ version, bindings }: ResolvedKey, id: string): readonly Binding[] {
  const successor = successorOf(bindings.find(each => each.id === id) ?? {})
  if (!bindings.some(each => each.id !== id && each.id === successor)) {
    throw unfit(version.key, 'remove', `no other binding took the place of ${id}`)
  }
  return bindings.filter(each => each.id !== id)
}

const unfit = (key: string, wanted: string, reason: string) =>
  new SignerError('key/unsupported', { key, wanted, reason })

/** With this reason, or without one. */
export function suspended({ suspended: _, ...binding }: Binding, reason: string | undefined): Binding {
  return reason === undefined ? binding : { ...binding, suspended: reason }
}
