/** libsodium's own verification, as Stellar Core uses it: the second opinion on which signatures count. */
import factory from 'libsodium'

interface Sodium {
  readonly HEAPU8: Uint8Array
  _malloc(bytes: number): number
  _free(pointer: number): void
  _sodium_init(): number
  _crypto_sign_verify_detached(sig: number, message: number, lengthLow: number, lengthHigh: number, pk: number): number
}

export async function libsodiumVerify(): Promise<
  (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean
> {
  const load = factory as unknown as (options: object) => Promise<Sodium>
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
