import { StrKey } from '@stellar/stellar-sdk/base'
import { parseStrictJson } from '../bytes/json.ts'
import type { KeyRoom, NewKey } from '../cli/context.ts'
import { openPassphraseRow } from '../custody/index.ts'
import { canonicalAddress } from '../config/key-mapping.ts'
import { SignerError } from '../domain/errors.ts'
import { type Chain, type ResolvedKey, SCHEME_OF } from '../domain/key.ts'
import type { World } from '../domain/ports.ts'
import type { KeyRef } from '../domain/provider.ts'
import { defaultPolicy, parsePolicy } from '../policy/index.ts'
import { addBinding, restoreBinding } from '../service/bind.ts'
import { type KeyView, placesOf, viewOf } from '../service/keys.ts'
import { checkNetwork } from '../service/networks.ts'
import { addressOf } from '../service/payloads.ts'
import { adopt, adoptCiphertext, createNative, importNative, type RegisterDeps, wrapSeed } from '../service/register.ts'
import { restoreKey } from '../service/restore.ts'
import { type RevokeDeps, revokeKey } from '../service/revoke.ts'
import { asking, attemptsOf, publicKeyOf, seedOfFile, trialOf } from './custody.ts'
import { isPublishedKey } from './demo.ts'
import { LOCAL_OPERATOR } from './places.ts'
import { type Environment, openRoom, type Room, type RoomSettings } from './room.ts'

/** An operator waits longer than a caller. */
const OPERATOR_LIMITS = { deadlineMs: 15_000, tries: 3 }
/** An import is half a dozen requests, and a service may have to make the key that it wraps with first. */
const IMPORT_LIMITS = { deadlineMs: 120_000, tries: 1 }
/** Whoever revokes waits for the answer; the revocation itself does not wait for this. */
const DISABLE_LIMITS = { deadlineMs: 5_000, tries: 3 }

/** Registration against an open room: by a command, or by `dev` for its demo keys. */
export function registerDeps(room: Room, world: World, environment: Environment): RegisterDeps {
  const attempts = attemptsOf(world, OPERATOR_LIMITS)
  const patient = attemptsOf(world, IMPORT_LIMITS)
  return {
    registry: room.store.keys,
    audit: room.audit,
    clock: world.clock,
    random: world.random,
    actor: LOCAL_OPERATOR,
    provider: room.provider,
    admin: room.admin,
    call: (run, patience) => {
      const ask = asking(patience === undefined ? attempts : patient, world.random)
      return ask({ provider: 'key service', key: 'registration' }, run)
    },
    publicKeyOf,
    trial: trialOf(attempts, room.provider, world.random),
    mayServe: (place, provider) => room.mayServe({ ...place, environment }, provider.can),
    isPublished: publicKey => environment === 'production' && isPublishedKey(publicKey),
    policy: document => {
      const { text, hash } = document === undefined ? defaultPolicy() : parsePolicy(json(document))
      return { text, hash }
    },
    checkNetwork,
  }
}

/** Stops a key at its key service: for whoever revokes. */
export function disableIn(room: Room, world: World): Required<RevokeDeps>['disable'] {
  const ask = asking(attemptsOf(world, DISABLE_LIMITS), world.random)
  return async ({ provider, reference: key }) => {
    const admin = await room.admin(provider)
    await ask({ provider, key }, call => admin.disable(key, call))
  }
}

export async function openKeyRoom(settings: RoomSettings, world: World): Promise<KeyRoom> {
  const room = await openRoom(settings, world)
  const deps = registerDeps(room, world, settings.environment)
  const register = async (make: () => Promise<ResolvedKey>): Promise<KeyView> => viewOf(await make())
  const importSeed: KeyRoom['importSeed'] = async ({ seed: file, wrappingKey, address, ...key }) => {
    const seed = seedOfFile(file, `seed of ${key.name}`, SCHEME_OF[key.chain])
    try {
      return await register(() =>
        wrapSeed(deps, key, {
          seed,
          ...(wrappingKey === undefined ? {} : { wrappingKey }),
          ...(address === undefined ? {} : { address }),
        }),
      )
    } finally {
      seed.wipe()
    }
  }
  return {
    create: ({ custody, wrappingKey, ...key }) =>
      register(() =>
        custody === 'native'
          ? createNative(deps, key)
          : wrapSeed(deps, key, wrappingKey === undefined ? {} : { wrappingKey }),
      ),
    adopt: ({ reference, address, ...key }) =>
      register(async () =>
        adopt(deps, key, address === undefined ? reference : await pinned(deps, key, reference, address)),
      ),
    importSeed,
    importNative: async ({ seed: file, address, ...key }) => {
      const seed = seedOfFile(file, `seed of ${key.name}`, SCHEME_OF[key.chain])
      try {
        await requireLasting(room, key)
        return await register(() => importNative(deps, key, { seed, ...(address === undefined ? {} : { address }) }))
      } finally {
        seed.wipe()
      }
    },
    importPassphraseRow: async ({ row, passphrase, ...key }) => {
      try {
        publicKeyOfAddress(key, key.address)
        return await importSeed({ ...key, seed: openPassphraseRow(row, passphrase) })
      } finally {
        passphrase.fill(0)
      }
    },
    importCiphertext: ({ wrappingKey, ciphertext, address, ...key }) =>
      register(async () =>
        adoptCiphertext(deps, key, { wrappingKey, ciphertext, publicKey: publicKeyOfAddress(key, address) }),
      ),
    list: async () => (await room.store.keys.list()).map(viewOf),
    show: async name => {
      const versions = await room.store.keys.versions(name)
      const resolved = versions.find(({ version }) => version.state === 'active') ?? versions.at(-1)
      if (resolved === undefined) throw new SignerError('key/unknown', { key: name })
      return { ...viewOf(resolved), policy: JSON.parse(resolved.key.policy) as unknown, bindings: placesOf(resolved) }
    },
    restore: (name, version) => register(() => restoreKey(deps, name, { version })),
    revoke: (name, wish) => revokeKey({ ...deps, disable: disableIn(room, world) }, name, wish),
    bind: async place => {
      const { name, provider } = place
      const chain = (await room.store.keys.resolve(name))?.key.chain ?? 'stellar'
      const where =
        'reference' in place
          ? { reference: place.reference }
          : { ...place, seed: seedOfFile(place.seed, `seed of ${name}`, SCHEME_OF[chain]) }
      return withPlaces(await addBinding(deps, { name, provider, ...where }))
    },
    restoreBinding: async (name, binding) => withPlaces(await restoreBinding(deps, name, binding)),
    close: room.close,
  }
}

/** @throws `key/unsupported` for a provider in this process, which a command takes with it when it ends */
async function requireLasting(room: Room, { name, provider }: NewKey): Promise<void> {
  const { can, name: called } = await room.provider(provider)
  if (can.production) return
  const reason = `${called} keeps keys in the process that imports them, and this one ends with the command; import the seed without --native`
  throw new SignerError('key/unsupported', { key: name, wanted: 'import', reason })
}

const withPlaces = (key: ResolvedKey) => ({ ...viewOf(key), bindings: placesOf(key) })

/** The reference to pin, once the key behind it has the address that was asked for. */
async function pinned(deps: RegisterDeps, key: NewKey, reference: KeyRef, address: string): Promise<KeyRef> {
  const wanted = addressOfChain(key.chain, address)
  const provider = await deps.provider(key.provider)
  const facts = await deps.call(call => provider.describe(reference, call))
  const found = facts.scheme === SCHEME_OF[key.chain] ? addressOf(key.chain, facts.publicKey) : undefined
  if (found === wanted) return facts.reference
  throw new SignerError('key/mismatch', {
    key: key.name,
    reason: `the key behind --reference does not give ${address}`,
  })
}

/** @throws `request/malformed` */
function addressOfChain(chain: Chain, address: string): string {
  const canonical = canonicalAddress(address)
  if (canonical !== undefined && canonical.startsWith('0x') === (chain === 'evm')) return canonical
  throw new SignerError('request/malformed', {
    field: '--address',
    reason: `${JSON.stringify(address.slice(0, 80))} is not ${chain === 'evm' ? 'an EVM' : 'a Stellar'} address`,
    fix: `give the ${chain === 'evm' ? '0x…' : 'G…'} address of the key`,
  })
}

/** @throws `key/unsupported` for an EVM key, whose address is a hash of it; `request/malformed` */
function publicKeyOfAddress({ name, chain }: Pick<NewKey, 'name' | 'chain'>, address: string): Uint8Array {
  if (chain === 'evm') {
    const reason = 'an EVM address does not hold the public key; import the key itself with --seed-file'
    throw new SignerError('key/unsupported', { key: name, wanted: 'this source', reason })
  }
  if (StrKey.isValidEd25519PublicKey(address)) return StrKey.decodeEd25519PublicKey(address)
  throw new SignerError('request/malformed', {
    field: '--address',
    reason: `${JSON.stringify(address.slice(0, 80))} is not a Stellar address`,
    fix: 'give the G… address of the key',
  })
}

function json(document: string): unknown {
  return parseStrictJson(new TextEncoder().encode(document))
}
