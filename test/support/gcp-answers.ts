/** Good answers of Cloud KMS to bend: real keys, real signatures, right checksums. */
import { crc32c } from '@aws-crypto/crc32c'
import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { ed25519ToSpki, secp256k1ToSpki } from '../../src/bytes/spki.ts'
import type { GcpMessage, GcpSeen } from './scripted-gcp.ts'

export const RING = 'projects/payments-test/locations/europe-west3/keyRings/signing'
export const KEY = `${RING}/cryptoKeys/treasury`
export const VERSION = `${KEY}/cryptoKeyVersions/1`
export const OTHER = `${KEY}/cryptoKeyVersions/2`
export const WRAPPING = `${RING}/cryptoKeys/wrapping`
export const WRAPPING_VERSION = `${WRAPPING}/cryptoKeyVersions/3`

const SEED = new Uint8Array(32).fill(0x42)
const SCALAR = new Uint8Array(32).fill(0x46)
export const ED_PUBLIC = ed25519.getPublicKey(SEED)
export const SECP_PUBLIC = secp256k1.getPublicKey(SCALAR, false)

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
export const crc = (bytes: Uint8Array): string => String(crc32c(bytes))
const bytesOf = (text: unknown): Uint8Array => Uint8Array.from(Buffer.from(String(text), 'base64'))

/** RFC 7468. */
export function pemOf(spki: Uint8Array): string {
  const lines = base64(spki).match(/.{1,64}/g) ?? []
  return `-----BEGIN PUBLIC KEY-----\n${lines.join('\n')}\n-----END PUBLIC KEY-----\n`
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

export function publicKeyAnswer(scheme: 'ed25519' | 'ecdsa-secp256k1', name = VERSION): GcpMessage {
  const pem = pemOf(scheme === 'ed25519' ? ed25519ToSpki(ED_PUBLIC) : secp256k1ToSpki(SECP_PUBLIC))
  return {
    name,
    pem,
    pemCrc32c: crc(text(pem)),
    algorithm: scheme === 'ed25519' ? 'EC_SIGN_ED25519' : 'EC_SIGN_SECP256K1_SHA256',
    protectionLevel: scheme === 'ed25519' ? 'SOFTWARE' : 'HSM',
  }
}

/** Signs what was asked, as the service would. */
export function signAnswer({ request, name }: Pick<GcpSeen, 'request' | 'name'>): GcpMessage {
  const digest = (request['digest'] as { sha256?: string } | undefined)?.sha256
  if (digest !== undefined) {
    const signature = secp256k1.Signature.fromBytes(
      secp256k1.sign(bytesOf(digest), SCALAR, { prehash: false, lowS: true }),
    ).toBytes('der')
    return {
      name,
      signature: base64(signature),
      signatureCrc32c: crc(signature),
      verifiedDigestCrc32c: true,
      protectionLevel: 'HSM',
    }
  }
  const signature = ed25519.sign(bytesOf(request['data']), SEED)
  return {
    name,
    signature: base64(signature),
    signatureCrc32c: crc(signature),
    verifiedDataCrc32c: true,
    protectionLevel: 'SOFTWARE',
  }
}

export const SECRET = Uint8Array.from({ length: 32 }, (_, i) => (i * 37 + 0x5a) & 0xff)
export const CIPHERTEXT = new Uint8Array(100).fill(7)

export const encryptAnswer = (): GcpMessage => ({
  name: WRAPPING_VERSION,
  ciphertext: base64(CIPHERTEXT),
  ciphertextCrc32c: crc(CIPHERTEXT),
  verifiedPlaintextCrc32c: true,
  verifiedAdditionalAuthenticatedDataCrc32c: true,
  protectionLevel: 'SOFTWARE',
})

export const decryptAnswer = (): GcpMessage => ({
  plaintext: base64(SECRET),
  plaintextCrc32c: crc(SECRET),
  usedPrimary: true,
  protectionLevel: 'SOFTWARE',
})
