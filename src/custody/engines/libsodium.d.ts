/** The raw build of libsodium: WASM functions over linear memory. The package carries no types. */
declare module 'libsodium' {
  export interface Libsodium {
    /** All of linear memory; a new array after growth, so never keep it. */
    readonly HEAPU8: Uint8Array
    _sodium_init(): number
    _malloc(bytes: number): number
    _free(pointer: number): void
    _crypto_sign_seed_keypair(publicKey: number, secretKey: number, seed: number): number
    /** The length is 64 bits, low half first. */
    _crypto_sign_detached(
      signature: number,
      signatureLength: 0,
      message: number,
      lengthLow: number,
      lengthHigh: 0,
      secretKey: number,
    ): number
    _crypto_sign_verify_detached(
      signature: number,
      message: number,
      lengthLow: number,
      lengthHigh: 0,
      publicKey: number,
    ): number
  }
  export default function load(options: { readonly getRandomValue: () => number }): Promise<Libsodium>
}
