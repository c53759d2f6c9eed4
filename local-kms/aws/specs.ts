import type { CurveName } from '../core/der.ts'

/** What each key spec can do. One row holds everything the operations ask about it. */
export type KeyUsage = 'ENCRYPT_DECRYPT' | 'SIGN_VERIFY' | 'GENERATE_VERIFY_MAC'

export interface SpecRow {
  readonly family: 'symmetric' | 'hmac' | 'ed25519' | 'ecdsa' | 'rsa'
  readonly usages: readonly KeyUsage[]
  readonly signing: readonly string[]
  readonly encryption: readonly string[]
  readonly mac: readonly string[]
  readonly curve?: CurveName
  /** RSA modulus. */
  readonly bits?: number
  /** Secret bytes of symmetric and HMAC keys. */
  readonly bytes?: number
}

const RSA_SIGNING = [
  'RSASSA_PKCS1_V1_5_SHA_256',
  'RSASSA_PKCS1_V1_5_SHA_384',
  'RSASSA_PKCS1_V1_5_SHA_512',
  'RSASSA_PSS_SHA_256',
  'RSASSA_PSS_SHA_384',
  'RSASSA_PSS_SHA_512',
] as const
const NONE = { signing: [], encryption: [], mac: [] } as const

const rsa = (bits: number): SpecRow => ({
  ...NONE,
  family: 'rsa',
  usages: ['ENCRYPT_DECRYPT', 'SIGN_VERIFY'],
  signing: RSA_SIGNING,
  encryption: ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'],
  bits,
})
const ecdsa = (curve: CurveName, hash: 256 | 384 | 512): SpecRow => ({
  ...NONE,
  family: 'ecdsa',
  usages: ['SIGN_VERIFY'],
  signing: [`ECDSA_SHA_${hash}`],
  curve,
})
const hmac = (hash: 224 | 256 | 384 | 512): SpecRow => ({
  ...NONE,
  family: 'hmac',
  usages: ['GENERATE_VERIFY_MAC'],
  mac: [`HMAC_SHA_${hash}`],
  bytes: hash / 8,
})

export const SPECS = {
  SYMMETRIC_DEFAULT: {
    ...NONE,
    family: 'symmetric',
    usages: ['ENCRYPT_DECRYPT'],
    encryption: ['SYMMETRIC_DEFAULT'],
    bytes: 32,
  },
  ECC_NIST_EDWARDS25519: {
    ...NONE,
    family: 'ed25519',
    usages: ['SIGN_VERIFY'],
    signing: ['ED25519_SHA_512', 'ED25519_PH_SHA_512'],
    curve: 'ed25519',
  },
  ECC_SECG_P256K1: ecdsa('secp256k1', 256),
  ECC_NIST_P256: ecdsa('p256', 256),
  ECC_NIST_P384: ecdsa('p384', 384),
  ECC_NIST_P521: ecdsa('p521', 512),
  RSA_2048: rsa(2048),
  RSA_3072: rsa(3072),
  RSA_4096: rsa(4096),
  HMAC_224: hmac(224),
  HMAC_256: hmac(256),
  HMAC_384: hmac(384),
  HMAC_512: hmac(512),
} as const satisfies Record<string, SpecRow>

export type KeySpec = keyof typeof SPECS

export const specRow = (spec: KeySpec): SpecRow => SPECS[spec]
export const isBuiltSpec = (spec: string): spec is KeySpec => Object.hasOwn(SPECS, spec)

// The enumerations of the model, built or not
export const KEY_SPECS = [
  'RSA_2048',
  'RSA_3072',
  'RSA_4096',
  'ECC_NIST_P256',
  'ECC_NIST_P384',
  'ECC_NIST_P521',
  'ECC_SECG_P256K1',
  'SYMMETRIC_DEFAULT',
  'HMAC_224',
  'HMAC_256',
  'HMAC_384',
  'HMAC_512',
  'SM2',
  'ML_DSA_44',
  'ML_DSA_65',
  'ML_DSA_87',
  'ECC_NIST_EDWARDS25519',
  'ML_KEM_512',
  'ML_KEM_768',
  'ML_KEM_1024',
] as const
export const KEY_PAIR_SPECS = [
  'RSA_2048',
  'RSA_3072',
  'RSA_4096',
  'ECC_NIST_P256',
  'ECC_NIST_P384',
  'ECC_NIST_P521',
  'ECC_SECG_P256K1',
  'SM2',
  'ECC_NIST_EDWARDS25519',
  'ML_KEM_512',
  'ML_KEM_768',
  'ML_KEM_1024',
] as const
export const KEY_USAGES = [
  'SIGN_VERIFY',
  'ENCRYPT_DECRYPT',
  'GENERATE_VERIFY_MAC',
  'KEY_AGREEMENT',
  'ENCAPSULATE_DECAPSULATE',
] as const
export const SIGNING_ALGORITHMS = [
  ...(['RSASSA_PSS_SHA_256', 'RSASSA_PSS_SHA_384', 'RSASSA_PSS_SHA_512', 'RSASSA_PKCS1_V1_5_SHA_256'] as const),
  ...(['RSASSA_PKCS1_V1_5_SHA_384', 'RSASSA_PKCS1_V1_5_SHA_512', 'ECDSA_SHA_256', 'ECDSA_SHA_384'] as const),
  ...(['ECDSA_SHA_512', 'SM2DSA', 'ML_DSA_SHAKE_256', 'ED25519_SHA_512', 'ED25519_PH_SHA_512'] as const),
] as const
export const ENCRYPTION_ALGORITHMS = ['SYMMETRIC_DEFAULT', 'RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256', 'SM2PKE'] as const
export const MAC_ALGORITHMS = ['HMAC_SHA_224', 'HMAC_SHA_256', 'HMAC_SHA_384', 'HMAC_SHA_512'] as const
export const MESSAGE_TYPES = ['RAW', 'DIGEST', 'EXTERNAL_MU'] as const
export const ORIGINS = ['AWS_KMS', 'EXTERNAL', 'AWS_CLOUDHSM', 'EXTERNAL_KEY_STORE'] as const
export const WRAPPING_ALGORITHMS = [
  'RSAES_PKCS1_V1_5',
  'RSAES_OAEP_SHA_1',
  'RSAES_OAEP_SHA_256',
  'RSA_AES_KEY_WRAP_SHA_1',
  'RSA_AES_KEY_WRAP_SHA_256',
  'SM2PKE',
] as const
export const WRAPPING_KEY_SPECS = ['RSA_2048', 'RSA_3072', 'RSA_4096', 'SM2'] as const
