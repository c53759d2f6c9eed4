import { StrKey } from '@stellar/stellar-sdk/base'
import type { Scheme } from '../../src/domain/provider.ts'
import { reveal, type Secret, SecretBytes } from '../../src/domain/secret.ts'
import { fromHex } from '../../src/bytes/hex.ts'

/**
 * Reads a secret as people keep it in an environment variable. Both forms say their curve themselves.
 * @returns undefined for anything else; nothing of the text is ever quoted.
 * @see SEP-23 (strkey, version byte S with CRC-16); 0x-hex as Ethereum tools print private keys.
 */
export function readSecret(secret: Secret): { scheme: Scheme; bytes: SecretBytes } | undefined {
  const text = reveal(secret).trim()
  if (text.startsWith('S') && text.length === 56) {
    const seed = strkeySeed(text)
    return seed === undefined ? undefined : { scheme: 'ed25519', bytes: new SecretBytes(seed, secret.label) }
  }
  if (!text.startsWith('0x') || text.length !== 66) return undefined
  const scalar = fromHex(text.slice(2))
  return scalar === undefined ? undefined : { scheme: 'ecdsa-secp256k1', bytes: new SecretBytes(scalar, secret.label) }
}

function strkeySeed(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(StrKey.decodeEd25519SecretSeed(text))
  } catch {
    return undefined
  }
}
