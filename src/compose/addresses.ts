import { StrKey } from '@stellar/stellar-sdk/base'
import { openProvider } from '../../providers/index.ts'
import { fromBase64, toBase64 } from '../bytes/base64.ts'
import { fromHex } from '../bytes/hex.ts'
import { randomId } from '../bytes/ids.ts'
import { uncompressedPoint } from '../bytes/point.ts'
import { evmAddress } from '../chains/evm/address.ts'
import type { Addresses, AddressView } from '../cli/context.ts'
import type { Config } from '../config/schema.ts'
import { SignerError } from '../domain/errors.ts'
import type { World } from '../domain/ports.ts'
import type { KeyRef } from '../domain/provider.ts'
import { SecretBytes } from '../domain/secret.ts'
import { attemptsOf, publicKeyOf, seedOfFile } from './custody.ts'
import { readFileText } from './places.ts'

const LIMITS = { deadlineMs: 15_000, tries: 3 }

/** Addresses of public keys, of seeds in files, and of keys that live in a key service. */
export function createAddresses(world: World): Addresses {
  const ofSeed = async (seed: SecretBytes): Promise<AddressView> => {
    try {
      return viewOf(await publicKeyOf(seed))
    } finally {
      seed.wipe()
    }
  }
  return {
    ofPublicKey: async text => {
      const bytes =
        (/^(0x)?([0-9A-Fa-f]{2})+$/.test(text) ? fromHex(text.replace(/^0x/, '')) : undefined) ?? fromBase64(text)
      const view = bytes === undefined ? undefined : viewOfAny(bytes)
      if (view !== undefined) return view
      throw new SignerError('request/malformed', {
        field: 'public-key',
        reason: `${JSON.stringify(text.slice(0, 80))} is no public key in hex or base64`,
        fix: 'give 32 bytes (Ed25519), or 33, 64 or 65 bytes (secp256k1: compressed, X and Y, or 04 before them)',
      })
    },
    ofSeed: file => ofSeed(seedOfFile(file, '--seed-file')),
    ofKey: (config, provider, reference) => ofKey(world, config, provider, reference),
    generate: async () => {
      const raw = world.random.bytes(32)
      const text = new TextEncoder().encode(`${StrKey.encodeEd25519SecretSeed(raw)}\n`)
      return { ...(await ofSeed(new SecretBytes(raw, 'new seed'))), seed: text }
    },
  }
}

async function ofKey(world: World, config: Config, name: string, reference: KeyRef): Promise<AddressView> {
  const configured = Object.hasOwn(config.providers, name) ? config.providers[name] : undefined
  if (configured === undefined) {
    throw new SignerError('request/malformed', {
      field: '--provider',
      reason: `${JSON.stringify(name.slice(0, 80))} is not configured`,
      fix: `use one of ${Object.keys(config.providers).join(', ') || '(none is configured)'}`,
    })
  }
  const around = { ...world, environment: config.environment, readFile: readFileText }
  const provider = await openProvider(configured, around)
  try {
    const facts = await attemptsOf(
      world,
      LIMITS,
    )({
      provider: name,
      key: reference,
      requestId: randomId(world.random, 'r'),
      effect: 'read',
      run: call => provider.describe(reference, call),
    })
    return { ...viewOf(facts.publicKey), reference: facts.reference, protection: facts.protection }
  } finally {
    await provider.close()
  }
}

/** @param publicKey as providers give it: 32 bytes, or 65 with leading 04. */
function viewOf(publicKey: Uint8Array): AddressView {
  return publicKey.length === 32
    ? {
        chain: 'stellar',
        scheme: 'ed25519',
        address: StrKey.encodeEd25519PublicKey(publicKey),
        publicKey: toBase64(publicKey),
      }
    : { chain: 'evm', scheme: 'ecdsa-secp256k1', address: evmAddress(publicKey), publicKey: toBase64(publicKey) }
}

/** Undefined: no form of a public key. A point that is not on the curve is none. */
function viewOfAny(bytes: Uint8Array): AddressView | undefined {
  if (bytes.length === 32) return viewOf(bytes)
  const point = uncompressedPoint(bytes)
  return point === undefined ? undefined : viewOf(point)
}
