/** Brands: a value of these types exists only because it was checked. */
declare const brand: unique symbol
type Branded<T, B extends string> = T & { readonly [brand]: B }

/** 32 bytes that are the result of a hash. */
export type Digest32 = Branded<Uint8Array, 'Digest32'>
/** 64 bytes: R‖S for Ed25519, r‖s for ECDSA (big-endian halves, s at most n/2). */
export type Signature64 = Branded<Uint8Array, 'Signature64'>

export function digest32(bytes: Uint8Array): Digest32 {
  if (bytes.length !== 32) throw new RangeError(`Cannot use ${bytes.length} bytes as a digest: 32 are needed`)
  return bytes as Digest32
}

export function signature64(bytes: Uint8Array): Signature64 {
  if (bytes.length !== 64) throw new RangeError(`Cannot use ${bytes.length} bytes as a signature: 64 are needed`)
  return bytes as Signature64
}
