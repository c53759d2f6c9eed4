/** EVM accounts as text: `0x` and 40 digits in the mixed case of EIP-55, which is the one spelling that the signer keeps. */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { fromHex, toHex } from './hex.ts'

/** @param account  20 bytes. */
export function checksummed(account: Uint8Array): string {
  if (account.length !== 20) throw new RangeError(`Cannot write ${account.length} bytes as an address: 20 are needed`)
  const lower = toHex(account)
  const hash = toHex(keccak_256(new TextEncoder().encode(lower)))
  // A letter is upper case where the digit of the hash at its place is 8 or more.
  return `0x${Array.from(lower, (digit, at) => ((hash[at] ?? '') >= '8' ? digit.toUpperCase() : digit)).join('')}`
}

/**
 * @returns the address in mixed case, or `undefined` for anything that is no address: 40 digits after `0x`, all in lower
 *          case (no checksum) or with a checksum that is right.
 */
export function readEvmAddress(text: string): string | undefined {
  if (!text.startsWith('0x')) return undefined
  const account = fromHex(text.slice(2))
  if (account?.length !== 20) return undefined
  const address = checksummed(account)
  return text === address || text === address.toLowerCase() ? address : undefined
}

/**
 * The account that a secp256k1 key controls: the last 20 bytes of keccak-256 over X‖Y.
 * @param publicKey  65 bytes, uncompressed, leading 04.
 */
export function addressOfPublicKey(publicKey: Uint8Array): string {
  if (publicKey.length !== 65 || publicKey[0] !== 4) {
    throw new RangeError(`Cannot make an address of ${publicKey.length} bytes: 65 are needed, beginning with 04`)
  }
  return checksummed(keccak_256(publicKey.subarray(1)).subarray(-20))
}
