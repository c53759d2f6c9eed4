import { randomId } from '../bytes/ids.ts'
import { equalBytes } from '../bytes/equal.ts'
import { sha256 } from '../bytes/sha256.ts'
import { checkPin } from '../bytes/verify.ts'
import { chainIdOf } from '../chains/evm/index.ts'
import { networkIdOf } from '../chains/stellar/index.ts'
import type { AuditActor, AuditLog } from '../domain/audit.ts'
import { SignerError } from '../domain/errors.ts'
import {
  KEY_NAME,
  type Binding,
  type Chain,
  type DatedVersion,
  SCHEME_OF,
  type EnvelopeRow,
  type Key,
  type KeyVersion,
  type ResolvedKey,
} from '../domain/key.ts'
import type { Alone, Clock, KeyRegistry, Random } from '../domain/ports.ts'
import type {
  Call,
  EnvelopeContext,
  KeyAdmin,
  KeyFacts,
  KeyProvider,
  KeyRef,
  Scheme,
  Signed,
  SignInput,
} from '../domain/provider.ts'
import { SecretBytes } from '../domain/secret.ts'
import { accountDetail, checkAccount } from './accounts.ts'
import { recordEvent } from './events.ts'
import { addressOf } from './payloads.ts'
import { verifyAfterSign } from './verify-after-sign.ts'
import { envelopeOf, wrapAt } from './wrap.ts'

/** Registration of keys: operators only. The data plane's path never imports this module. */
export interface RegisterDeps {
  readonly registry: KeyRegistry
  readonly audit: AuditLog
  readonly clock: Clock
  readonly random: Random
  readonly actor: AuditActor
  provider(name: string): Promise<KeyProvider>
  admin(name: string): Promise<KeyAdmin>
  /** Deadline and retries around one remote call. `patient`: a minute or two and one try, for what takes several requests. */
  call<T>(body: (call: Call) => Promise<T>, patience?: 'patient'): Promise<T>
  /** Derives the public key in the engine that wipes. */
  publicKeyOf(seed: SecretBytes, scheme: Scheme): Promise<Uint8Array>
  /** Signs as the path of a signature would, with a key that is not registered yet. */
  trial(key: ResolvedKey, row: EnvelopeRow | undefined, input: SignInput): Promise<Signed>
  /** @throws `start/refused` when a key of this provider may not serve this network here. */
  mayServe(place: { chain: Chain; network: string }, provider: KeyProvider): void
  /** True for a key whose private half everybody has, where that matters. */
  isPublished(publicKey: Uint8Array): boolean
  /** Our canonical form and hash of a policy document; the strict default when there is none. @throws `config/invalid` */
  policy(document: string | undefined): { text: string; hash: string }
  /** @throws `config/invalid` for a network the chain module does not know. */
  checkNetwork(chain: Chain, network: string): void
}

export interface NewKey {
  readonly name: string
  readonly chain: Chain
  readonly network: string
  readonly provider: string
  readonly policy?: string
  /** True: its public key may be behind another name on this network too. Whoever says so answers for what both policies allow together. */
  readonly shared?: boolean
  /** Stellar: the account it signs for; absent: its own address. */
  readonly account?: string
}

/** A signing key made inside the key service; the private key never exists outside it. */
export async function createNative(deps: RegisterDeps, key: NewKey): Promise<ResolvedKey> {
  const provider = await prepare(deps, key)
  const admin = await deps.admin(key.provider)
  const facts = await deps.call(call => admin.create({ scheme: SCHEME_OF[key.chain], label: key.name }, call))
  return registerNative(deps, key, provider, facts)
}

/** A signing key that exists in the service. An alias is resolved here, once; what it points to now is what is pinned. */
export async function adopt(deps: RegisterDeps, key: NewKey, reference: KeyRef): Promise<ResolvedKey> {
  const provider = await prepare(deps, key)
  return registerNative(deps, key, provider, await deps.call(call => provider.describe(reference, call)))
}

/**
 * A seed brought into the key service as a signing key of its own; it leaves this process only under the service's import key.
 * Takes ownership of the seed and wipes it. When the key cannot be registered after all, the service is told to give it up.
 */
export async function importNative(
  deps: RegisterDeps,
  key: NewKey,
  { seed, address }: { readonly seed: SecretBytes; readonly address?: string },
): Promise<ResolvedKey> {
  const scheme = SCHEME_OF[key.chain]
  try {
    const provider = await prepare(deps, key)
    if (!provider.can.native.includes(scheme)) {
      const reason = `${provider.name} does not sign ${scheme} itself; import the key without --native`
      throw new SignerError('key/unsupported', { key: key.name, wanted: scheme, reason })
    }
    const publicKey = await deps.publicKeyOf(seed, scheme)
    sameAddress(key.name, address, addressOf(key.chain, publicKey))
    await refuseTaken(deps, key, publicKey)
    const admin = await deps.admin(key.provider)
    const facts = await ended(deps, call => admin.importKey({ scheme, label: key.name, key: seed, publicKey }, call))
    seed.wipe()
    try {
      return await registerNative(deps, key, provider, facts)
    } catch (error) {
      await giveUp(deps, key, admin, facts.reference)
      throw error
    }
  } finally {
    seed.wipe()
  }
}

/** What an import does at its end, or after its deadline, decides what is there; so nobody goes on before. */
async function ended(deps: RegisterDeps, body: (call: Call) => Promise<KeyFacts>): Promise<KeyFacts> {
  let running: Promise<KeyFacts> | undefined
  const run = (call: Call): Promise<KeyFacts> => {
    running = body(call)
    return running
  }
  try {
    return await deps.call(run, 'patient')
  } catch (error) {
    if (running === undefined) throw error
    return running
  }
}

/** Only where the registry says that nobody refers to it; a store that does not answer may have taken the row. */
async function giveUp(deps: RegisterDeps, key: NewKey, admin: KeyAdmin, reference: KeyRef): Promise<void> {
  try {
    if ((await deps.registry.resolve(key.name)) !== undefined) return
    await deps.call(call => admin.scheduleDestroy(reference, { days: 0 }, call))
  } catch {
    // What went wrong before is what the operator hears.
  }
}

/** A fresh seed, or one handed in, wrapped by the key service. Takes ownership of the seed and wipes it. */
export async function wrapSeed(
  deps: RegisterDeps,
  key: NewKey,
  options: { readonly wrappingKey?: KeyRef; readonly seed?: SecretBytes; readonly address?: string },
): Promise<ResolvedKey> {
  const seed = options.seed ?? new SecretBytes(deps.random.bytes(32), `seed of ${key.name}`)
  try {
    const provider = envelopeOf(key.name, await prepare(deps, key))
    const publicKey = await deps.publicKeyOf(seed, SCHEME_OF[key.chain])
    const address = addressOf(key.chain, publicKey)
    sameAddress(key.name, options.address, address)
    const context = { pubkey: address, key: key.name, version: '1', network: key.network }
    const place = { name: key.provider, provider, wrappingKey: options.wrappingKey, label: key.name }
    const { reference, ciphertext } = await wrapAt(deps, seed, context, place)
    return await registerEnvelope(deps, key, { publicKey, wrappingKey: reference, ciphertext, context })
  } finally {
    seed.wipe()
  }
}

/** A ciphertext written by another program, bound to `{"pubkey": address}` alone. Opened once to prove the address. */
export async function adoptCiphertext(
  deps: RegisterDeps,
  key: NewKey,
  options: { readonly wrappingKey: KeyRef; readonly ciphertext: Uint8Array; readonly publicKey: Uint8Array },
): Promise<ResolvedKey> {
  envelopeOf(key.name, await prepare(deps, key))
  const context = { pubkey: addressOf(key.chain, options.publicKey) }
  return registerEnvelope(deps, key, { ...options, context })
}

async function prepare(deps: RegisterDeps, key: NewKey): Promise<KeyProvider> {
  if (!KEY_NAME.test(key.name)) {
    throw new SignerError('request/malformed', {
      field: 'name',
      reason: `${JSON.stringify(key.name.slice(0, 80))} is not a key name`,
      fix: 'use 1 to 64 letters, digits, and _ . - after the first',
    })
  }
  deps.checkNetwork(key.chain, key.network)
  checkAccount(key.chain, key.account)
  deps.policy(key.policy) // one that cannot be read stops us before the key service makes a key for it
  if ((await deps.registry.resolve(key.name)) !== undefined) throw new SignerError('key/exists', { key: key.name })
  const provider = await deps.provider(key.provider)
  deps.mayServe(key, provider)
  return provider
}

async function registerNative(
  deps: RegisterDeps,
  key: NewKey,
  provider: KeyProvider,
  facts: KeyFacts,
): Promise<ResolvedKey> {
  const scheme = SCHEME_OF[key.chain]
  if (facts.scheme !== scheme || !provider.can.native.includes(scheme)) {
    throw new SignerError('key/unsupported', {
      key: key.name,
      wanted: scheme,
      reason: `a ${key.chain} key signs ${scheme} and ${facts.reference} is ${facts.scheme}`,
    })
  }
  return register(deps, key, { custody: 'native', reference: facts.reference, publicKey: facts.publicKey })
}

function registerEnvelope(
  deps: RegisterDeps,
  key: NewKey,
  made: { wrappingKey: KeyRef; publicKey: Uint8Array; ciphertext: Uint8Array; context: EnvelopeContext },
): Promise<ResolvedKey> {
  const { wrappingKey, publicKey, ciphertext, context } = made
  return register(deps, key, {
    custody: 'envelope',
    reference: wrappingKey,
    publicKey,
    envelope: { ciphertext, context },
  })
}

interface Made {
  readonly custody: 'native' | 'envelope'
  readonly reference: KeyRef
  readonly publicKey: Uint8Array
  readonly envelope?: Omit<EnvelopeRow, 'bindingId'>
}

/** Proof of possession first, then the record, then the row: a registered key has signed a challenge that we verified. */
async function register(deps: RegisterDeps, asked: NewKey, made: Made): Promise<ResolvedKey> {
  checkPin(SCHEME_OF[asked.chain], made.publicKey, asked.name)
  if (deps.isPublished(made.publicKey)) throw published(asked.name)
  const { text, hash } = deps.policy(asked.policy)
  const { name, chain, network } = asked
  const key: Key = { name, chain, network, policy: text, policyHash: hash, createdAt: deps.clock.now() }
  const address = addressOf(chain, made.publicKey)
  const version: KeyVersion = {
    key: name,
    version: 1,
    scheme: SCHEME_OF[chain],
    publicKey: made.publicKey,
    address,
    account: asked.account ?? address,
    state: 'active',
  }
  const id = randomId(deps.random, 'b')
  const binding: Binding = {
    id,
    key: name,
    version: 1,
    provider: asked.provider,
    custody: made.custody,
    reference: made.reference,
  }
  const row = made.envelope === undefined ? undefined : { bindingId: id, ...made.envelope }

  const resolved: ResolvedKey = { key, version, bindings: [binding] }
  await provePossession(deps, resolved, row)
  await refuseShared(deps.registry, asked, made.publicKey) // whoever asks has the key, and may hear under which name we do
  const detail = {
    key: name,
    version: 1,
    chain,
    network,
    address,
    ...accountDetail(version),
    policyHash: hash,
    provider: asked.provider,
    custody: made.custody,
    reference: made.reference,
    ...(asked.shared === true ? { shared: true } : {}),
  }
  await recordEvent(deps, 'key-registering', detail) // on record before the key can sign
  await deps.registry.add({
    key,
    version,
    binding,
    ...(row === undefined ? {} : { envelope: row }),
    ...aloneUnder(asked),
  })
  await recordEvent(deps, 'key-registered', detail)
  return resolved
}

/**
 * On one network, one public key has one name: under a second name it would have a second policy, and what is signed without
 * naming its account (legacy Soroban authorizations) would be good for both. Whatever state the other is in: a key that was
 * revoked must not come back under a new name. Networks are compared by their id, for one may have two names; an EVM key may
 * have a name on each chain, as its account has a life on each.
 * @throws `key/exists` with the other key's name
 */
export async function refuseShared(
  registry: Pick<KeyRegistry, 'holding'>,
  asked: Named,
  publicKey: Uint8Array,
): Promise<void> {
  aloneUnder(asked).alone?.(await registry.holding({ publicKey }))
}

type Named = Pick<NewKey, 'name' | 'chain' | 'network' | 'shared'>

/** The same for the step that adds it, so that of two names at once one is refused. Empty where it may be shared. */
export const aloneUnder = (asked: Named): { readonly alone?: Alone } =>
  asked.shared === true ? {} : { alone: others => refuseAmong(asked, others) }

function refuseAmong(asked: Named, others: readonly DatedVersion[]): void {
  const other = others.find(
    ({ key }) =>
      key.chain === asked.chain && key.name !== asked.name && sameNetwork(asked.chain, key.network, asked.network),
  )
  if (other === undefined) return
  const reason = `its public key is version ${other.version.version} of ${other.key.name} on this network already; sign with ${other.key.name}, add another place to it with \`countersign keys bind\`, make a fresh key, or say --shared`
  throw new SignerError('key/exists', { key: asked.name, reason })
}

/** What of a public key could stand in the way of its registration, before a key service has the key or opens it. */
export async function refuseTaken(
  deps: Pick<RegisterDeps, 'registry' | 'isPublished'>,
  asked: Parameters<typeof refuseShared>[1],
  publicKey: Uint8Array,
): Promise<void> {
  if (deps.isPublished(publicKey)) throw published(asked.name)
  await refuseShared(deps.registry, asked, publicKey)
}

const sameNetwork = (chain: Chain, a: string, b: string): boolean =>
  chain === 'stellar' ? equalBytes(networkIdOf(a), networkIdOf(b)) : chainIdOf(a) === chainIdOf(b)

/**
 * A message no chain can mistake for its own: it is longer than a transaction hash and begins with its purpose. Of a
 * secp256k1 key its SHA-256 is signed, which no EVM chain makes.
 */
export async function provePossession(
  deps: Pick<RegisterDeps, 'random' | 'trial'>,
  key: ResolvedKey,
  row: EnvelopeRow | undefined,
): Promise<void> {
  const purpose = new TextEncoder().encode('countersign proof of possession v1\n')
  const message = new Uint8Array(purpose.length + 32)
  message.set(purpose)
  message.set(deps.random.bytes(32), purpose.length)
  const { scheme } = key.version
  const input: SignInput = scheme === 'ed25519' ? { scheme, message } : { scheme, digest: sha256(message) }
  const { signature } = await deps.trial(key, row, input)
  await verifyAfterSign(input, key.version.publicKey, signature)
}

const published = (key: string) =>
  new SignerError('start/refused', {
    reason: `the private half of ${key} is published: it is a development key`,
    fix: 'make a fresh key with `countersign keys create`',
  })

/** @throws `key/mismatch` */
export function sameAddress(key: string, wanted: string | undefined, found: string): void {
  if (wanted === undefined || wanted === found) return
  throw new SignerError('key/mismatch', { key, reason: `the seed gives ${found}, not ${wanted}` })
}
