import { ed25519 } from '@noble/curves/ed25519.js'
import { secretRoom } from '../../bytes/secret-room.ts'
import { verifySignature } from '../../bytes/verify.ts'
import { fromHex } from '../../bytes/hex.ts'
import { signature64 } from '../../domain/brands.ts'
import { needSeed, otherKey, type SeedEngine } from './engine.ts'

const PKCS8_PREFIX = fromHex('302e020100300506032b657004220420') ?? new Uint8Array()

/**
 * Ed25519 by WebCrypto, for the edge, where WASM may not be compiled from bytes.
 *
 * Our own bytes are wiped. The runtime's are not ours: the key object keeps copies of the seed until it is collected,
 * and nothing can hurry that. Where `sodium.ts` runs, it is the better choice.
 *
 * WebCrypto does not give the public key of a private one without exporting the private one too, so the comparison with
 * the pin is made on the finished signature: it verifies under the pin or it never leaves this function.
 */
export function webCryptoEngine(subtle: Crypto['subtle']): SeedEngine {
  return Object.freeze<SeedEngine>({
    name: 'webcrypto',
    scheme: 'ed25519',
    /** In big integers, which cannot be wiped; keys are not imported at the edge. */
    publicKey: seed => {
      needSeed(seed)
      return ed25519.getPublicKey(seed)
    },
    sign: async (seed, message, pin) => {
      const key = await importSeed(subtle, seed)
      const signature = new Uint8Array(await subtle.sign('Ed25519', key, new Uint8Array(message)))
      if (!(await verifySignature({ scheme: 'ed25519', message }, pin, signature))) throw otherKey()
      return signature64(signature)
    },
  })
}

async function importSeed(subtle: Crypto['subtle'], seed: Uint8Array): Promise<CryptoKey> {
  needSeed(seed)
  const pkcs8 = secretRoom(PKCS8_PREFIX.length + 32) as Uint8Array<ArrayBuffer>
  try {
    pkcs8.set(PKCS8_PREFIX)
    pkcs8.set(seed, PKCS8_PREFIX.length)
    return await subtle.importKey('pkcs8', pkcs8, 'Ed25519', false, ['sign'])
  } finally {
    pkcs8.fill(0)
  }
}
