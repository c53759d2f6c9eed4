import { secp256k1 } from '@noble/curves/secp256k1.js'
import type { Hex } from 'viem'
import { addressOfPublicKey } from '../../bytes/evm-address.ts'
import { toHex } from '../../bytes/hex.ts'
import { recoveryId } from '../../bytes/recovery.ts'
import { type Digest32, signature64 } from '../../domain/brands.ts'
import { SignerError } from '../../domain/errors.ts'
import type { EvmSignature } from './encode.ts'

const HALF_ORDER = secp256k1.Point.CURVE().n >> 1n

export interface Made {
  readonly digest: Digest32
  /** 64 bytes, r‖s. */
  readonly signature: Uint8Array
  /** 65 bytes, uncompressed. */
  readonly publicKey: Uint8Array
  /** Of the key that was asked, with its checksum. */
  readonly address: string
}

/**
 * The signature in the forms of EVM chains. They know no public keys and take whatever account a signature recovers to, so
 * that account is compared with the key's once more here.
 * @throws `signature/unverified` for s above half the order (EIP-2), and unless r‖s recovers the pinned key
 */
export function recoverable({ digest, signature, publicKey, address }: Made): EvmSignature & { readonly text: Hex } {
  const bytes = signature64(signature)
  const [r, s] = [toHex(bytes.subarray(0, 32)), toHex(bytes.subarray(32))]
  if (BigInt(`0x${s}`) > HALF_ORDER) throw unverified('s is above half the order of the curve (EIP-2)')
  if (addressOfPublicKey(publicKey) !== address) throw unverified('the public key is not that of the account')
  const yParity = recoveryId(digest, bytes, publicKey)
  return { r: `0x${r}`, s: `0x${s}`, yParity, text: `0x${r}${s}${yParity === 0 ? '1b' : '1c'}` }
}

const unverified = (reason: string) => new SignerError('signature/unverified', { reason })
