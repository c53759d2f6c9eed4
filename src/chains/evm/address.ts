import { keccak_256 } from '@noble/hashes/sha3.js'
import { toHex } from '../../bytes/hex.ts'

/**
 * The account that a secp256k1 key controls: the last 20 bytes of keccak-256 over X‖Y, in the mixed case of EIP-55.
 * @param publicKey  65 bytes, uncompressed, leading 04.
 */
export function evmAddress(publicKey: Uint8Array): string {
  if (publicKey.length !== 65 || publicKey[0] !== 4) {
    throw new RangeError(`Cannot make an address of ${publicKey.length} bytes: 65 are needed, beginning with 04`)
  }
  const lower = toHex(keccak_256(publicKey.subarray(1)).subarray(-20))
  const hash = toHex(keccak_256(new TextEncoder().encode(lower)))
  // A letter is upper case where the digit of the hash at its place is 8 or more.
  return `0x${Array.from(lower, (digit, at) => ((hash[at] ?? '') >= '8' ? digit.toUpperCase() : digit)).join('')}`
}
