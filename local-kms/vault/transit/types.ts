export interface TypeRow {
  readonly family: 'aead' | 'ed25519' | 'ecdsa' | 'rsa' | 'hmac'
  /** Symmetric: key length; RSA: of the modulus. */
  readonly bytes: number
  readonly curve?: 'p256' | 'p384' | 'p521'
  /** As the versions of a key are named. */
  readonly shown: string
  readonly encrypts: boolean
  readonly signs: boolean
  readonly derives: boolean
}

const aead = (shown: string, bytes: number): TypeRow => ({
  family: 'aead',
  bytes,
  shown,
  encrypts: true,
  signs: false,
  derives: true,
})
const rsa = (bits: number): TypeRow => ({
  family: 'rsa',
  bytes: bits / 8,
  shown: `rsa-${bits}`,
  encrypts: true,
  signs: true,
  derives: false,
})
const ecdsa = (curve: 'p256' | 'p384' | 'p521', shown: string): TypeRow => ({
  family: 'ecdsa',
  bytes: 0,
  curve,
  shown,
  encrypts: false,
  signs: true,
  derives: false,
})

export const TYPES = {
  'aes128-gcm96': aead('aes128-gcm96', 16),
  'aes256-gcm96': aead('aes256-gcm96', 32),
  'chacha20-poly1305': aead('chacha20-poly1305', 32),
  'xchacha20-poly1305': aead('xchacha20-poly1305', 32),
  ed25519: { family: 'ed25519', bytes: 32, shown: 'ed25519', encrypts: false, signs: true, derives: true },
  'ecdsa-p256': ecdsa('p256', 'P-256'),
  'ecdsa-p384': ecdsa('p384', 'P-384'),
  'ecdsa-p521': ecdsa('p521', 'P-521'),
  'rsa-2048': rsa(2048),
  'rsa-3072': rsa(3072),
  'rsa-4096': rsa(4096),
  hmac: { family: 'hmac', bytes: 0, shown: 'hmac', encrypts: false, signs: false, derives: false },
} as const satisfies Record<string, TypeRow>
export type KeyType = keyof typeof TYPES

export const rowOf = (type: KeyType): TypeRow => TYPES[type]
