import type { CurveName } from '../core/der.ts'

export type Purpose = 'ENCRYPT_DECRYPT' | 'ASYMMETRIC_SIGN' | 'ASYMMETRIC_DECRYPT' | 'RAW_ENCRYPT_DECRYPT' | 'MAC'
export type ProtectionLevel = 'SOFTWARE' | 'HSM'
export type HashName = 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512'

/** What an algorithm is, in one row. */
export interface AlgorithmRow {
  readonly purpose: Purpose
  readonly family: 'aead' | 'raw' | 'ed25519' | 'ecdsa' | 'rsa' | 'hmac'
  readonly levels: readonly ProtectionLevel[]
  /** Length of the material, where it is plain bytes. */
  readonly bytes?: number
  readonly curve?: CurveName
  readonly bits?: number
  readonly hash?: HashName
  readonly scheme?: 'pss' | 'pkcs1' | 'raw-pkcs1' | 'oaep'
  readonly mode?: 'gcm' | 'cbc' | 'ctr'
}

const BOTH = ['SOFTWARE', 'HSM'] as const

/** `RSA_SIGN_PSS_2048_SHA256` and its like: every part of the name is a fact. */
function rsa(scheme: 'pss' | 'pkcs1' | 'raw-pkcs1' | 'oaep', bits: number, hash?: HashName): AlgorithmRow {
  const purpose = scheme === 'oaep' ? 'ASYMMETRIC_DECRYPT' : 'ASYMMETRIC_SIGN'
  return { purpose, family: 'rsa', levels: BOTH, scheme, bits, ...(hash === undefined ? {} : { hash }) }
}
const raw = (mode: 'gcm' | 'cbc' | 'ctr', bytes: number): AlgorithmRow => ({
  purpose: 'RAW_ENCRYPT_DECRYPT',
  family: 'raw',
  levels: BOTH,
  mode,
  bytes,
})
const mac = (hash: HashName, bytes: number): AlgorithmRow => ({
  purpose: 'MAC',
  family: 'hmac',
  levels: BOTH,
  hash,
  bytes,
})
const ec = (curve: CurveName, hash: HashName, levels: readonly ProtectionLevel[] = BOTH): AlgorithmRow => ({
  purpose: 'ASYMMETRIC_SIGN',
  family: 'ecdsa',
  levels,
  curve,
  hash,
})

export const ALGORITHMS = {
  GOOGLE_SYMMETRIC_ENCRYPTION: { purpose: 'ENCRYPT_DECRYPT', family: 'aead', levels: BOTH, bytes: 32 },
  AES_128_GCM: raw('gcm', 16),
  AES_256_GCM: raw('gcm', 32),
  AES_128_CBC: raw('cbc', 16),
  AES_256_CBC: raw('cbc', 32),
  AES_128_CTR: raw('ctr', 16),
  AES_256_CTR: raw('ctr', 32),
  RSA_SIGN_PSS_2048_SHA256: rsa('pss', 2048, 'sha256'),
  RSA_SIGN_PSS_3072_SHA256: rsa('pss', 3072, 'sha256'),
  RSA_SIGN_PSS_4096_SHA256: rsa('pss', 4096, 'sha256'),
  RSA_SIGN_PSS_4096_SHA512: rsa('pss', 4096, 'sha512'),
  RSA_SIGN_PKCS1_2048_SHA256: rsa('pkcs1', 2048, 'sha256'),
  RSA_SIGN_PKCS1_3072_SHA256: rsa('pkcs1', 3072, 'sha256'),
  RSA_SIGN_PKCS1_4096_SHA256: rsa('pkcs1', 4096, 'sha256'),
  RSA_SIGN_PKCS1_4096_SHA512: rsa('pkcs1', 4096, 'sha512'),
  RSA_SIGN_RAW_PKCS1_2048: rsa('raw-pkcs1', 2048),
  RSA_SIGN_RAW_PKCS1_3072: rsa('raw-pkcs1', 3072),
  RSA_SIGN_RAW_PKCS1_4096: rsa('raw-pkcs1', 4096),
  RSA_DECRYPT_OAEP_2048_SHA256: rsa('oaep', 2048, 'sha256'),
  RSA_DECRYPT_OAEP_3072_SHA256: rsa('oaep', 3072, 'sha256'),
  RSA_DECRYPT_OAEP_4096_SHA256: rsa('oaep', 4096, 'sha256'),
  RSA_DECRYPT_OAEP_4096_SHA512: rsa('oaep', 4096, 'sha512'),
  RSA_DECRYPT_OAEP_2048_SHA1: rsa('oaep', 2048, 'sha1'),
  RSA_DECRYPT_OAEP_3072_SHA1: rsa('oaep', 3072, 'sha1'),
  RSA_DECRYPT_OAEP_4096_SHA1: rsa('oaep', 4096, 'sha1'),
  EC_SIGN_P256_SHA256: ec('p256', 'sha256'),
  EC_SIGN_P384_SHA384: ec('p384', 'sha384'),
  EC_SIGN_SECP256K1_SHA256: ec('secp256k1', 'sha256', ['HSM']),
  EC_SIGN_ED25519: { purpose: 'ASYMMETRIC_SIGN', family: 'ed25519', levels: ['SOFTWARE'], curve: 'ed25519' },
  HMAC_SHA1: mac('sha1', 20),
  HMAC_SHA224: mac('sha224', 28),
  HMAC_SHA256: mac('sha256', 32),
  HMAC_SHA384: mac('sha384', 48),
  HMAC_SHA512: mac('sha512', 64),
} as const satisfies Record<string, AlgorithmRow>

export type Algorithm = keyof typeof ALGORITHMS
export const ALGORITHM_NAMES = Object.keys(ALGORITHMS) as [Algorithm, ...Algorithm[]]
export const isAlgorithm = (name: unknown): name is Algorithm =>
  typeof name === 'string' && Object.hasOwn(ALGORITHMS, name)
export const algorithmRow = (name: Algorithm): AlgorithmRow => ALGORITHMS[name]

/** What a member of `Digest` holds must be as long as the hash it is named after. */
export const DIGEST_BYTES: Readonly<Record<string, number>> = { sha256: 32, sha384: 48, sha512: 64 }
