import { fromBase64Url } from '../bytes/base64.ts'
import { hasExactly, readJsonObject } from '../bytes/jws.ts'
import { verifySignature } from '../bytes/verify.ts'
import { SignerError } from '../domain/errors.ts'
import { reveal, type Secret } from '../domain/secret.ts'
import { JOSE, type PublicJwk, readPublicJwk, thumbprintOf } from './algorithms.ts'

/** Signs what this signer says of its keys, and nothing else. Nobody's money. */
export interface MetadataKey {
  readonly jwk: PublicJwk
  /** What verifiers pin: RFC 7638, SHA-256, base64url. */
  readonly thumbprint: string
  /** @returns 64 bytes, verified */
  sign(message: Uint8Array): Promise<Uint8Array>
}

/**
 * @param secret  a private JWK for Ed25519 as JSON text: kty, crv, x, d; kid, alg, use and key_ops are read over
 * @throws `config/invalid` without a word about the key itself
 */
export async function openMetadataKey(secret: Secret): Promise<MetadataKey> {
  const read = readJsonObject(new TextEncoder().encode(reveal(secret)))
  if (read === undefined || !hasExactly(read, ['kty', 'crv', 'x', 'd'], ['kid', 'alg', 'use', 'key_ops']))
    throw badKey()
  const { kty, crv, x, d } = read
  const known = readPublicJwk({ crv, kty, x })
  if (known === undefined || typeof d !== 'string' || fromBase64Url(d)?.length !== 32) throw badKey()
  const { publicKey, jwk } = known
  const key = await crypto.subtle.importKey('jwk', { ...jwk, d }, 'Ed25519', false, ['sign']).catch(() => {
    throw badKey() // without what the runtime says about it
  })
  const sign = async (message: Uint8Array): Promise<Uint8Array> => {
    const signature = new Uint8Array(await crypto.subtle.sign('Ed25519', key, new Uint8Array(message)))
    if (await verifySignature(JOSE.ed25519.toSign(message), publicKey, signature)) return signature
    throw badKey()
  }
  await sign(new Uint8Array(32)) // its halves belong together
  return { jwk, thumbprint: thumbprintOf(jwk), sign }
}

const badKey = () =>
  new SignerError('config/invalid', {
    problems: [
      {
        path: 'metadata.key',
        problem: 'is not a private key for Ed25519',
        fix: 'use a JWK: {"kty":"OKP","crv":"Ed25519","x":"…","d":"…"}',
      },
    ],
  })
