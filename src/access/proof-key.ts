import { fromBase64Url, toBase64Url } from '../bytes/base64.ts'
import { sha256 } from '../bytes/sha256.ts'
import { verifySignature } from '../bytes/verify.ts'
import { hasExactly } from '../bytes/jws.ts'

/** The public half of a key that callers prove to have. */
export interface ProofKey {
  /** RFC 7638 with SHA-256, base64url. */
  readonly thumbprint: string
  /** What `alg` may say in a JWS under this key. */
  readonly algorithms: readonly string[]
  /** @param signature 64 bytes: R‖S (RFC 8032) or r‖s (RFC 7518 §3.4). Never rejects. */
  verify(message: Uint8Array, signature: Uint8Array): Promise<boolean>
}

/** Only what is public, and nothing that is not needed: a private member would be one that travels with every request. */
const MEMBERS = { OKP: ['kty', 'crv', 'x'], EC: ['kty', 'crv', 'x', 'y'] }

const encoder = new TextEncoder()

/** @returns undefined unless it is a bare public JWK, Ed25519 (RFC 8037) or P-256 (RFC 7518 §6.2). */
export function readProofKey(value: unknown): ProofKey | undefined {
  if (value === null || typeof value !== 'object') return undefined
  const { kty, crv, x, y } = value as Record<string, unknown>
  const bare = value as Record<string, unknown>
  if (kty === 'OKP' && crv === 'Ed25519' && hasExactly(bare, MEMBERS.OKP)) {
    const bytes = coordinate(x)
    return bytes === undefined ? undefined : ed25519ProofKey(bytes)
  }
  if (kty === 'EC' && crv === 'P-256' && hasExactly(bare, MEMBERS.EC)) {
    const [left, right] = [coordinate(x), coordinate(y)]
    return left === undefined || right === undefined ? undefined : p256ProofKey(x as string, y as string)
  }
  return undefined
}

/** @param x 32 bytes. */
export function ed25519ProofKey(x: Uint8Array): ProofKey {
  return {
    thumbprint: thumbprintOf(`{"crv":"Ed25519","kty":"OKP","x":"${toBase64Url(x)}"}`),
    algorithms: ['EdDSA', 'Ed25519'],
    verify: async (message, signature) => verifySignature({ scheme: 'ed25519', message }, x, signature),
  }
}

function p256ProofKey(x: string, y: string): ProofKey {
  return {
    thumbprint: thumbprintOf(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`),
    algorithms: ['ES256'],
    verify: async (message, signature) => {
      const curve = { name: 'ECDSA', namedCurve: 'P-256' }
      try {
        const key = await crypto.subtle.importKey('jwk', { kty: 'EC', crv: 'P-256', x, y }, curve, false, ['verify'])
        const scheme = { name: 'ECDSA', hash: 'SHA-256' }
        return await crypto.subtle.verify(scheme, key, new Uint8Array(signature), new Uint8Array(message))
      } catch {
        return false // a point that is not on the curve
      }
    },
  }
}

/** @param required the required members in their order, without white space (RFC 7638 §3). */
const thumbprintOf = (required: string): string => toBase64Url(sha256(encoder.encode(required)))

function coordinate(value: unknown): Uint8Array | undefined {
  const bytes = typeof value === 'string' ? fromBase64Url(value) : undefined
  return bytes?.length === 32 ? bytes : undefined
}
