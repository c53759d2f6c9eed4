/** Members of answers, as each service spells them: true ones to begin a lie with. */
import { crc32c } from '@aws-crypto/crc32c'
import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { Networks, TransactionBuilder } from '@stellar/stellar-sdk/base'
import { pemOf } from '../support/gcp-answers.ts'
import { EXAMPLE } from '../support/rig.ts'
import { PUBLIC, type Remote, SCALAR, SEED, STRANGER_SEED } from './remotes.ts'

export type Members = Readonly<Record<string, unknown>>

/** What the example asks to be signed. */
export const HASH = Uint8Array.from(TransactionBuilder.fromXDR(EXAMPLE, Networks.TESTNET).hash())
/** In the place of an EVM transaction hash. */
export const DIGEST = Uint8Array.from({ length: 32 }, (_, i) => 255 - i)

export const SIGNATURE = ed25519.sign(HASH, SEED)
export const STRANGER_SIGNATURE = ed25519.sign(HASH, STRANGER_SEED)

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const crc = (bytes: Uint8Array): string => String(crc32c(bytes))

export function signatureMembers({ face }: Remote, signature: Uint8Array, version = 1): Members {
  if (face === 'aws') return { Signature: base64(signature) }
  if (face === 'vault') return { signature: `vault:v${version}:${base64(signature)}`, key_version: version }
  return { signature: base64(signature), signatureCrc32c: crc(signature) }
}

export function plaintextMembers({ face }: Remote, plaintext: Uint8Array): Members {
  if (face === 'aws') return { Plaintext: base64(plaintext) }
  if (face === 'vault') return { plaintext: base64(plaintext) }
  return { plaintext: base64(plaintext), plaintextCrc32c: crc(plaintext) }
}

/** RFC 8410, for a key of 32 bytes; of whatever it is given. */
export const spkiOf = (key: Uint8Array): Uint8Array =>
  Uint8Array.from([...Buffer.from('302a300506032b6570032100', 'hex'), ...key])

/** @param spki  instead of the plain form */
export function publicKeyMembers({ face }: Remote, key: Uint8Array, spki = spkiOf(key)): Members {
  if (face === 'aws') return { PublicKey: base64(spki) }
  if (face === 'vault') return { 'keys.1.public_key': base64(key) }
  const pem = pemOf(spki)
  return { pem, pemCrc32c: crc(new TextEncoder().encode(pem)) }
}

/** The first bit of it that can be off and leave a point a key may be: any other is refused before it is tried. */
export function publicKeyOneBitOff(): Uint8Array {
  for (let bit = 0; bit < 256; bit++) {
    const flipped = PUBLIC.slice()
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    if (ed25519.utils.isValidPublicKey(flipped, false) && ed25519.Point.fromBytes(flipped).isTorsionFree())
      return flipped
  }
  throw new Error('no bit leaves a point')
}

export const oneBitOff = (bytes: Uint8Array, bit = 8 * (bytes.length >> 1)): Uint8Array => {
  const flipped = bytes.slice()
  flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return flipped
}

const L = 2n ** 252n + 27742317777372353535851937790883648493n

/** RFC 8032 §5.1.7 refuses it: the same equation holds, for another spelling of S. */
export function plusOrder(signature: Uint8Array): Uint8Array {
  const scalar = Buffer.from(signature.slice(32).toReversed()).toString('hex')
  const sum = (BigInt(`0x${scalar}`) + L).toString(16).padStart(64, '0')
  return Uint8Array.from([...signature.slice(0, 32), ...Uint8Array.from(Buffer.from(sum, 'hex')).toReversed()])
}

/** A length in two bytes where one would do: BER, and no DER. */
export const ber = (der: Uint8Array): Uint8Array => Uint8Array.from([der[0] ?? 0, 0x81, ...der.slice(1)])

type Ecdsa = ReturnType<typeof secp256k1.Signature.fromBytes>

const ecdsa = (counter: number): Ecdsa => {
  const extraEntropy = new Uint8Array(32).fill(counter & 255)
  extraEntropy[0] = counter >> 8
  return secp256k1.Signature.fromBytes(secp256k1.sign(DIGEST, SCALAR, { prehash: false, lowS: true, extraEntropy }))
}

export const ecdsaDer = (): Uint8Array => ecdsa(0).toBytes('der')

export function ecdsaHighS(): Uint8Array {
  const { r, s } = ecdsa(0)
  return new secp256k1.Signature(r, secp256k1.Point.Fn.ORDER - s).toBytes('der')
}

/** An integer with fewer than 31 bytes of value, which DER writes short. */
export function ecdsaShort(): Uint8Array {
  for (let counter = 0; ; counter++) {
    const signature = ecdsa(counter)
    if (signature.r < 2n ** 247n || signature.s < 2n ** 247n) return signature.toBytes('der')
  }
}
