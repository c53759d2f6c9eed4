import { addressOfPublicKey } from '../../bytes/evm-address.ts'

/**
 * The account that a secp256k1 key controls, in the mixed case of EIP-55.
 * @param publicKey  65 bytes, uncompressed, leading 04.
 */
export const evmAddress = (publicKey: Uint8Array): string => addressOfPublicKey(publicKey)
