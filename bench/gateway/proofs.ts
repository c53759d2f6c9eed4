import { toBase64Url } from '../../src/bytes/base64.ts'
import { sha256 } from '../../src/bytes/sha256.ts'

/** What a caller with a key of its own puts beside its token (RFC 9449, with the claims of body and Idempotency-Key). */
export interface Prover {
  /** RFC 7638 thumbprint of its key, for `cnf.jkt`. */
  readonly thumbprint: string
  /** @param url as the service is known by, not where it listens. */
  prove(request: { token: string; url: string; body: string; idempotencyKey: string }): Promise<string>
}

const encoder = new TextEncoder()
const json = (value: object): string => toBase64Url(encoder.encode(JSON.stringify(value)))
const digest = (text: string): string => toBase64Url(sha256(encoder.encode(text)))

/** With an Ed25519 key that lives as long as this object. */
export async function createProver(now: () => number): Promise<Prover> {
  const pair = (await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])) as CryptoKeyPair
  const { x = '' } = await crypto.subtle.exportKey('jwk', pair.publicKey)
  const jwk = { crv: 'Ed25519', kty: 'OKP', x }
  const header = json({ typ: 'dpop+jwt', alg: 'EdDSA', jwk })
  return {
    thumbprint: digest(JSON.stringify(jwk)), // members are in the order that RFC 7638 asks for
    async prove({ token, url, body, idempotencyKey }) {
      const iat = Math.floor(now() / 1000)
      const ids = { jti: crypto.randomUUID(), htm: 'POST', htu: url, iat }
      const text = `${header}.${json({ ...ids, ath: digest(token), bh: digest(body), ik: idempotencyKey })}`
      const signature = await crypto.subtle.sign('Ed25519', pair.privateKey, encoder.encode(text))
      return `${text}.${toBase64Url(new Uint8Array(signature))}`
    },
  }
}
