import { isDevelopmentKey } from '../../providers/index.ts'
import { StrKey } from '@stellar/stellar-sdk/base'
import { fromBase64, toBase64 } from '../bytes/base64.ts'
import { randomId } from '../bytes/ids.ts'
import { fromHex } from '../bytes/hex.ts'
import { parseStrictJson } from '../bytes/json.ts'
import { passphraseOf } from '../chains/stellar/index.ts'
import type { AddressView, Addresses, KeyRoom, NewKey } from '../cli/context.ts'
import { SignerError } from '../domain/errors.ts'
import type { World } from '../domain/ports.ts'
import { SecretBytes } from '../domain/secret.ts'
import { defaultPolicy, parsePolicy } from '../policy/index.ts'
import { type KeyView, viewOf } from '../service/keys.ts'
import { adopt, adoptCiphertext, createNative, type RegisterDeps, wrapSeed } from '../service/register.ts'
import { attemptsOf, custodyOf, publicKeyOf, seedOfFile } from './custody.ts'
import { LOCAL_OPERATOR } from './places.ts'
import { type Environment, openRoom, type Room, type RoomSettings } from './room.ts'

/** An operator waits longer than a caller. */
const OPERATOR_LIMITS = { deadlineMs: 15_000, tries: 3 }

/** Registration against an open room: by a command, or by `dev` for its demo keys. */
export function registerDeps(room: Room, world: World, environment: Environment): RegisterDeps {
  const attempts = attemptsOf(world, OPERATOR_LIMITS)
  return {
    registry: room.store.keys,
    audit: room.audit,
    clock: world.clock,
    random: world.random,
    actor: LOCAL_OPERATOR,
    provider: room.provider,
    admin: room.admin,
    call: run => attempts({ provider: 'key service', requestId: randomId(world.random, 'r'), effect: 'read', run }),
    publicKeyOf,
    trial: (key, row, input) => {
      const [binding] = key.bindings
      if (binding === undefined) throw new TypeError('Cannot try a key without a binding')
      return custodyOf(attempts, room.provider, async () => row)(key, binding, input, randomId(world.random, 'r'))
    },
    mayServe: (place, provider) => room.mayServe({ ...place, environment }, provider.can),
    isPublished: publicKey => environment === 'production' && isDevelopmentKey(publicKey),
    policy: document => {
      const { text, hash } = document === undefined ? defaultPolicy() : parsePolicy(json(document))
      return { text, hash }
    },
    checkNetwork: (_chain, network) => void passphraseOf(network),
  }
}

export async function openKeyRoom(settings: RoomSettings, world: World): Promise<KeyRoom> {
  const room = await openRoom(settings, world)
  const deps = registerDeps(room, world, settings.environment)
  const shown = async (made: Promise<Parameters<typeof viewOf>[0]>): Promise<KeyView> => viewOf(await made)
  return {
    create: ({ custody, wrappingKey, ...key }) =>
      shown(
        custody === 'native'
          ? createNative(deps, key)
          : wrapSeed(deps, key, wrappingKey === undefined ? {} : { wrappingKey }),
      ),
    adopt: ({ reference, ...key }) => shown(adopt(deps, key, reference)),
    importSeed: async ({ seed, wrappingKey, address, ...key }) =>
      shown(
        wrapSeed(deps, key as NewKey, {
          seed: seedOfFile(seed, `seed of ${key.name}`),
          ...(wrappingKey === undefined ? {} : { wrappingKey }),
          ...(address === undefined ? {} : { address }),
        }),
      ),
    importCiphertext: ({ wrappingKey, ciphertext, address, ...key }) =>
      shown(adoptCiphertext(deps, key, { wrappingKey, ciphertext, publicKey: publicKeyOfAddress(address) })),
    list: async () => (await room.store.keys.list()).map(viewOf),
    show: async name => {
      const resolved = await room.store.keys.resolve(name)
      if (resolved === undefined) throw new SignerError('key/unknown', { key: name })
      return { ...viewOf(resolved), policy: JSON.parse(resolved.key.policy) as unknown }
    },
    close: room.close,
  }
}

export function createAddresses(world: World): Addresses {
  const view = (publicKey: Uint8Array): AddressView => ({
    address: StrKey.encodeEd25519PublicKey(publicKey),
    publicKey: toBase64(publicKey),
  })
  const ofSeed = async (seed: SecretBytes): Promise<AddressView> => {
    try {
      return view(await publicKeyOf(seed))
    } finally {
      seed.wipe()
    }
  }
  return {
    ofPublicKey: async text => {
      const publicKey = (/^[0-9A-Fa-f]{64}$/.test(text) ? fromHex(text) : undefined) ?? fromBase64(text)
      if (publicKey?.length === 32) return view(publicKey)
      throw new SignerError('request/malformed', {
        field: 'public-key',
        reason: `${JSON.stringify(text.slice(0, 80))} is not 32 bytes in hex or base64`,
        fix: 'give 64 hex digits, or 44 characters of base64',
      })
    },
    ofSeed: file => ofSeed(seedOfFile(file, '--seed-file')),
    generate: async () => {
      const raw = world.random.bytes(32)
      const text = new TextEncoder().encode(`${StrKey.encodeEd25519SecretSeed(raw)}\n`)
      return { ...(await ofSeed(new SecretBytes(raw, 'new seed'))), seed: text }
    },
  }
}

function publicKeyOfAddress(address: string): Uint8Array {
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
