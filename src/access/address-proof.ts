/**
 * Proof that whoever holds an address has signed a text: SEP-53 for G…, EIP-191 for 0x…
 *
 * An address stands for its one key. Signers and thresholds of a Stellar account live on the network and are not asked,
 * so a G… proves itself by its master key, whatever weight that has there. A contract account (EIP-1271, EIP-6492) has no
 * key and cannot prove itself: its answer would depend on the state of a chain that this service does not read.
 */
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { StrKey } from '@stellar/stellar-sdk/base'
import { fromBase64 } from '../bytes/base64.ts'
import { addressOfPublicKey, readEvmAddress } from '../bytes/evm-address.ts'
import { fromHex } from '../bytes/hex.ts'
import { recoverPublicKey } from '../bytes/recovery.ts'
import { sha256 } from '../bytes/sha256.ts'
import { verifySignature } from '../bytes/verify.ts'
import { type Digest32, digest32, type Signature64, signature64 } from '../domain/brands.ts'

export type AddressKind = 'stellar' | 'evm'

const ADDRESS_CHARACTERS_MAX = 56
const encoder = new TextEncoder()

/**
 * An address of an administrator in its one spelling.
 * @returns `undefined` for everything that is not G… with its checksum, or 0x… with the checksum of EIP-55 or all in
 *          lower case. A muxed address (M…) is a number beside an account and stands for nobody here.
 */
export function readAddress(text: string): { readonly kind: AddressKind; readonly address: string } | undefined {
  if (text.length > ADDRESS_CHARACTERS_MAX) return undefined
  if (StrKey.isValidEd25519PublicKey(text)) return { kind: 'stellar', address: text }
  const address = readEvmAddress(text)
  return address === undefined ? undefined : { kind: 'evm', address }
}

/** @see SEP-53: SHA-256 over the prefix and the message. */
export const sep53Digest = (message: Uint8Array): Digest32 =>
  sha256(encoder.encode('Stellar Signed Message:\n'), message)

/** @see EIP-191, version 0x45 (`personal_sign`): keccak-256 over the prefix, the length in decimal bytes, and the message. */
export function eip191Digest(message: Uint8Array): Digest32 {
  const prefix = encoder.encode(`\x19Ethereum Signed Message:\n${message.length}`)
  return digest32(keccak_256.create().update(prefix).update(message).digest())
}

/**
 * Whether `signature` is that of `address` over `text` (UTF-8). Never throws: what cannot be read proves nothing.
 * @param address    as `readAddress` writes it.
 * @param signature  G…: 64 bytes in base64. 0x…: `0x` and 65 bytes in lower-case hex, r‖s‖v with s at most n/2 and v 27
 *                   or 28. Each signature has one spelling.
 */
export async function provesAddress(address: string, text: string, signature: string): Promise<boolean> {
  const known = readAddress(address)
  if (known?.address !== address || !text.isWellFormed()) return false
  const message = encoder.encode(text)
  return known.kind === 'stellar'
    ? signedByAccount(address, sep53Digest(message), fromBase64(signature))
    : signedByEvmAccount(address, eip191Digest(message), signature)
}

/** Ed25519 over 32 bytes by the master key of a G… address. */
export async function signedByAccount(
  address: string,
  digest: Digest32,
  signature: Uint8Array | undefined,
): Promise<boolean> {
  if (signature?.length !== 64) return false
  return verifySignature({ scheme: 'ed25519', message: digest }, StrKey.decodeEd25519PublicKey(address), signature)
}

function signedByEvmAccount(address: string, digest: Digest32, text: string): boolean {
  const bytes = text.startsWith('0x') ? fromHex(text.slice(2), 'lower') : undefined
  const v = bytes?.[64]
  if (bytes?.length !== 65 || (v !== 27 && v !== 28)) return false
  const signature = signature64(bytes.slice(0, 64))
  if (!hasLowS(signature)) return false
  const publicKey = recoverPublicKey(digest, signature, v === 27 ? 0 : 1)
  return publicKey !== undefined && addressOfPublicKey(publicKey) === address
}

/** EIP-2. Of the two signatures (s and n − s) that anybody can make out of one, only one counts. */
function hasLowS(signature: Signature64): boolean {
  try {
    return !secp256k1.Signature.fromBytes(signature, 'compact').hasHighS()
  } catch {
    return false // r or s is zero or not below n
  }
}
