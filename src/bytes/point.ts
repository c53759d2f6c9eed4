import { secp256k1 } from '@noble/curves/secp256k1.js'

/**
 * A secp256k1 public key in any of its three forms, as 65 bytes with leading 04 (SEC 1 §2.3.3).
 * @param bytes  33 (compressed), 64 (X‖Y) or 65. @returns undefined for any other length and for points off the curve.
 */
export function uncompressedPoint(bytes: Uint8Array): Uint8Array | undefined {
  const point = bytes.length === 64 ? Uint8Array.of(4, ...bytes) : bytes
  if (point.length !== 33 && point.length !== 65) return undefined
  try {
    return secp256k1.Point.fromBytes(point).toBytes(false)
  } catch {
    return undefined
  }
}
