import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { SignerError } from '../../src/domain/errors.ts'
import type { KeyRef, Scheme } from '../../src/domain/provider.ts'
import { SecretBytes } from '../../src/domain/secret.ts'
import { toHex } from '../../src/bytes/hex.ts'
import { sha256 } from '../../src/bytes/sha256.ts'

/** What a development key can be for. `wrapping` keys open envelopes and have no public half. */
export type Use = Scheme | 'wrapping'
const USES: readonly Use[] = ['ed25519', 'ecdsa-secp256k1', 'wrapping']

const encoder = new TextEncoder()

/**
 * THE PRIVATE KEY IS PUBLIC: SHA-256 of `countersign development key, not secret, v1`, the use and the label, each
 * followed by a zero byte. The same label gives the same key on every machine, so demos and tests can be repeated, and
 * so anybody can sign with it.
 */
export function developmentSecret(use: Use, label: string): SecretBytes {
  const text = ['countersign development key, not secret, v1', use, label].map(part => `${part}\0`).join('')
  return new SecretBytes(sha256(encoder.encode(text)), `development key ${use} ${label}`)
}

/** @returns 32 bytes (Ed25519) or 65 bytes with leading 04 (secp256k1): the public key of a development label. */
export function devPublicKey(label: string, scheme: Scheme = 'ed25519'): Uint8Array {
  const secret = developmentSecret(scheme, label)
  try {
    return secret.use(bytes =>
      scheme === 'ed25519' ? ed25519.getPublicKey(bytes) : secp256k1.getPublicKey(bytes, false),
    )
  } finally {
    secret.wipe()
  }
}

/**
 * `mock/USE/LABEL/CHECK`. The check is derived from the key, so that a reference nobody made is unknown and a
 * mistyped label never silently means another key.
 */
export function reference(use: Use, label: string): KeyRef {
  return `mock/${use}/${label}/${check(use, label)}`
}

/** `mock/USE/imported-LABEL/CHECK`, where the check is of the public key: this one's private key is not public. */
export function importedReference(scheme: Scheme, label: string, publicKey: Uint8Array): KeyRef {
  return `mock/${scheme}/${IMPORTED}${label}/${toHex(sha256(publicKey).subarray(0, 4))}`
}
/** No label has a colon, so that no development key has such a reference. */
const IMPORTED = 'imported:'
export const isImported = (key: KeyRef): boolean => key.split('/')[2]?.startsWith(IMPORTED) === true

/** @throws `provider/refused` for a reference this provider did not make. */
export function parseReference(provider: string, key: KeyRef): { use: Use; label: string } {
  const [scheme, use, label, sum, ...rest] = key.split('/')
  const known = USES.find(each => each === use)
  if (scheme === 'mock' && known !== undefined && label !== undefined && isLabel(label) && rest.length === 0) {
    if (sum === check(known, label)) return { use: known, label }
  }
  throw new SignerError('provider/refused', {
    provider,
    reason: 'no such key; references look like mock/ed25519/LABEL/CHECK',
  })
}

/** @throws `provider/refused` */
export function requireLabel(provider: string, label: string): void {
  if (isLabel(label)) return
  const reason = 'a label has 1 to 64 letters, digits, dots, dashes or underscores'
  throw new SignerError('provider/refused', { provider, reason })
}

const isLabel = (label: string): boolean => /^[A-Za-z0-9._-]{1,64}$/.test(label)

function check(use: Use, label: string): string {
  const secret = developmentSecret(use, label)
  try {
    return toHex(secret.use(bytes => sha256(encoder.encode('check\0'), bytes)).subarray(0, 4))
  } finally {
    secret.wipe()
  }
}
