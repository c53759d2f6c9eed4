import { randomId } from '../../bytes/ids.ts'
import { checkPin } from '../../bytes/verify.ts'
import { contextFor } from '../../custody/index.ts'
import { isSignerError, malformed, SignerError } from '../../domain/errors.ts'
import type { Binding, Custody, DatedVersion, EnvelopeRow, Key, KeyVersion, ResolvedKey } from '../../domain/key.ts'
import type { KeyProvider, KeyRef, Scheme } from '../../domain/provider.ts'
import { SecretBytes } from '../../domain/secret.ts'
import { agedOf, brokenInvariant, mayBegin } from '../../keys/lifecycle.ts'
import { accountDetail, checkAccount } from '../accounts.ts'
import { recordEvent } from '../events.ts'
import { addressOf } from '../payloads.ts'
import { aloneUnder, provePossession, refuseShared, type RegisterDeps } from '../register.ts'
import { envelopeOf, wrapAt } from '../wrap.ts'
import { lastToSign } from './signers.ts'

export interface NextVersion {
  /** Absent: where the newest version is, in the same custody. */
  readonly provider?: string
  readonly custody?: Custody
  /** Envelope: the key that wraps it; absent: a new one. */
  readonly wrappingKey?: KeyRef
  /** Stellar: the account that it signs for; absent: that of the version it follows. */
  readonly account?: string
  /** True: it signs for its own address instead. */
  readonly newAccount?: boolean
}

/**
 * Makes the next version of a key: a public key of its own, that has signed a challenge and waits for its turn. It signs
 * nothing yet, and those who verify hear of it. On record before the key service makes anything, and again with its
 * reference before it is registered: a key that a crash leaves behind in the service is named in the log.
 *
 * It signs for the account of the version that it follows, unless told otherwise.
 *
 * @throws `key/unknown`; `key/rotation` while another rotation is under way, or when somebody else began one meanwhile;
 *         `key/unsupported`, `start/refused`, and what the proof says. Nothing changes then.
 */
export async function beginRotation(deps: RegisterDeps, name: string, wish: NextVersion = {}): Promise<KeyVersion> {
  const versions = await deps.registry.versions(name)
  const newest = versions.at(-1)
  if (newest === undefined) throw new SignerError('key/unknown', { key: name })
  const busy = mayBegin(versions.map(agedOf))
  if (busy !== undefined) throw new SignerError('key/rotation', { key: name, reason: busy })
  const { key } = newest
  const account = accountFor(versions, wish)
  const place = placeOf(newest, wish)
  const provider = await deps.provider(place.provider)
  deps.mayServe(key, provider)
  const number = newest.version.version + 1
  const about = { key: name, version: number, provider: place.provider, custody: place.custody }
  await recordEvent(deps, 'rotation-beginning', about)

  const id = randomId(deps.random, 'b')
  const { version, binding, envelope } = await make(
    deps,
    { key, number, id, provider, account, scheme: newest.version.scheme },
    place,
  )
  const detail = { ...about, address: version.address, ...accountDetail(version), reference: binding.reference }
  try {
    await prove(deps, { key, version, bindings: [binding] }, envelope)
    await recordEvent(deps, 'version-registering', detail)
    await add(deps, { version, binding, ...(envelope === undefined ? {} : { envelope }), ...aloneUnder(key) })
  } catch (error) {
    // Somebody has to destroy what was made there, and this says what it is.
    await recordEvent(deps, 'rotation-not-begun', {
      ...detail,
      errorCode: isSignerError(error) ? error.code : 'internal',
    })
    throw error
  }
  await recordEvent(deps, 'rotation-begun', detail)
  return version
}

async function prove(deps: RegisterDeps, next: ResolvedKey, envelope: EnvelopeRow | undefined): Promise<void> {
  const { key, version } = next
  checkPin(version.scheme, version.publicKey, key.name)
  if (deps.isPublished(version.publicKey)) {
    const reason = `the private half of version ${version.version} of ${key.name} is published: it is a development key`
    throw new SignerError('start/refused', { reason, fix: 'begin again at a key service that makes fresh keys' })
  }
  await provePossession(deps, next, envelope)
  await refuseShared(deps.registry, key, version.publicKey)
}

async function add(deps: RegisterDeps, entry: Parameters<RegisterDeps['registry']['addVersion']>[0]): Promise<void> {
  const { key, version: number } = entry.version
  try {
    await deps.registry.addVersion(entry)
  } catch (error) {
    const there = (await deps.registry.versions(key)).find(({ version }) => version.version === number)
    if (there === undefined) throw error
    if (there.bindings.some(({ id }) => id === entry.binding.id)) return // ours: only the answer was lost
    const reason = `somebody else made version ${number} meanwhile; the key ${entry.binding.reference} is left over at ${entry.binding.provider}`
    throw new SignerError('key/rotation', { key, reason }, { cause: error })
  }
  // Another may have been restored while this one was made: whoever comes second goes, as there.
  const broken = brokenInvariant((await deps.registry.versions(key)).map(agedOf))
  if (broken === undefined) return
  await deps.registry.setState(key, number, 'retired', ['pending'])
  throw new SignerError('key/rotation', { key, reason: `its siblings were changed meanwhile: ${broken}` })
}

/**
 * The account of the version that signs; where none does, of the last that did.
 * @throws `request/malformed` for an account that it cannot be
 */
function accountFor(versions: readonly DatedVersion[], { account, newAccount }: NextVersion): string | undefined {
  const before = lastToSign(versions) ?? versions.at(-1)
  const chain = before?.key.chain ?? 'stellar'
  if (newAccount === true && chain !== 'stellar') {
    throw malformed('newAccount', 'is of Stellar: an EVM key is its account, which always changes', 'leave it out')
  }
  if (newAccount === true && account !== undefined) {
    throw malformed('newAccount', 'stands beside an account', 'give one of them')
  }
  checkAccount(chain, account)
  if (newAccount === true || chain !== 'stellar') return undefined
  return account ?? before?.version.account
}

interface Place {
  readonly provider: string
  readonly custody: Custody
  readonly wrappingKey?: KeyRef | undefined
}

function placeOf({ key, bindings: [first] }: DatedVersion, wish: NextVersion): Place {
  const provider = wish.provider ?? first?.provider
  const custody = wish.custody ?? first?.custody
  if (provider === undefined || custody === undefined) {
    throw new SignerError('key/mismatch', { key: key.name, reason: 'its newest version has no binding' })
  }
  if (custody === 'envelope' || wish.wrappingKey === undefined)
    return { provider, custody, wrappingKey: wish.wrappingKey }
  const reason = 'a wrapping key wraps nothing in native custody'
  throw new SignerError('key/unsupported', { key: key.name, wanted: 'native', reason })
}

interface Next {
  readonly key: Key
  readonly number: number
  readonly id: string
  readonly provider: KeyProvider
  readonly scheme: Scheme
  /** Undefined: its own address. */
  readonly account: string | undefined
}

interface Made {
  readonly version: KeyVersion
  readonly binding: Binding
  readonly envelope?: EnvelopeRow
}

const make = (deps: RegisterDeps, next: Next, place: Place): Promise<Made> =>
  place.custody === 'native' ? makeNative(deps, next, place) : makeWrapped(deps, next, place)

async function makeNative(deps: RegisterDeps, next: Next, place: Place): Promise<Made> {
  const { key, provider, scheme } = next
  if (!provider.can.native.includes(scheme)) {
    const reason = `${provider.name} does not sign ${scheme} itself`
    throw new SignerError('key/unsupported', { key: key.name, wanted: scheme, reason })
  }
  const admin = await deps.admin(place.provider)
  const label = labelOf(next)
  const { reference, publicKey, scheme: found } = await deps.call(call => admin.create({ scheme, label }, call))
  if (found !== scheme) {
    const reason = `the key service made a key that signs ${found}`
    throw new SignerError('key/mismatch', { key: key.name, reason })
  }
  return { version: versionOf(next, publicKey), binding: bindingOf(next, place, reference) }
}

async function makeWrapped(deps: RegisterDeps, next: Next, place: Place): Promise<Made> {
  const { key, scheme, number } = next
  const provider = envelopeOf(key.name, next.provider)
  const seed = new SecretBytes(deps.random.bytes(32), `seed of ${key.name} version ${number}`)
  try {
    const version = versionOf(next, await deps.publicKeyOf(seed, scheme))
    const context = contextFor(version, key.network)
    const { wrappingKey } = place
    const at = { name: place.provider, provider, wrappingKey, label: labelOf(next) }
    const { reference, ciphertext } = await wrapAt(deps, seed, context, at)
    const binding = bindingOf(next, place, reference)
    return { version, binding, envelope: { bindingId: binding.id, ciphertext, context } }
  } finally {
    seed.wipe()
  }
}

const labelOf = ({ key, number }: Next): string => `${key.name}-v${number}`

function versionOf({ key, number, scheme, account }: Next, publicKey: Uint8Array): KeyVersion {
  const address = addressOf(key.chain, publicKey)
  return { key: key.name, version: number, scheme, publicKey, address, account: account ?? address, state: 'pending' }
}

const bindingOf = ({ key, number, id }: Next, { provider, custody }: Place, reference: KeyRef): Binding => ({
  id,
  key: key.name,
  version: number,
  provider,
  custody,
  reference,
})
