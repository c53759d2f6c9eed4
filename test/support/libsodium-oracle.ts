/* oxlint-disable no-underscore-dangle -- the names of libsodium's WASM exports */
/** libsodium's own verification, as Stellar Core uses it: the second opinion on which signatures count. */
import load from 'libsodium'

type Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean

export async function libsodiumVerify(): Promise<Verify> {
  const sodium = await load({ getRandomValue: () => 0 })
  sodium._sodium_init()
  return (publicKey, message, signature) => {
    const at = sodium._malloc(96 + message.length)
    sodium.HEAPU8.set(signature, at)
    sodium.HEAPU8.set(publicKey, at + 64)
    sodium.HEAPU8.set(message, at + 96)
    const result = sodium._crypto_sign_verify_detached(at, at + 96, message.length, 0, at + 64)
    sodium._free(at)
    return result === 0
  }
}
