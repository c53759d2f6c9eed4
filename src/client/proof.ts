import { fromBase64Url, sha256, toBase64Url, utf8 } from './bytes.ts'
import { clientError } from './errors.ts'

/** `crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify'])`, or ECDSA with P-256. The private half may be non-extractable. */
export interface ProofKeyPair {
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
}

export interface ProvenCall {
  readonly method: string
  /** Without a query. */
  readonly url: string
  readonly token: string
  /** As it is sent; empty for none. */
  readonly body: string
  readonly idempotencyKey: string | undefined
  /** Milliseconds since the epoch, as the service's clock has it. */
  readonly now: number
}

/** The key that tokens are bound to, and proofs made with it. */
export interface Prover {
  /** RFC 7638 with SHA-256: what the issuer of a token puts into `cnf.jkt`. */
  thumbprint(): Promise<string>
  prove(call: ProvenCall): Promise<string>
}

const P256 = { name: 'ECDSA', namedCurve: 'P-256' }

/** Ed25519 where the platform has it. The private half cannot be read out, by nobody. */
async function generate(): Promise<ProofKeyPair> {
  try {
    return (await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify'])) as CryptoKeyPair
  } catch {
    return crypto.subtle.generateKey(P256, false, ['sign', 'verify'])
  }
}

interface Ready {
  readonly sign: (message: Uint8Array<ArrayBuffer>) => Promise<ArrayBuffer>
  readonly alg: string
  readonly jwk: Readonly<Record<string, string>>
  readonly thumbprint: string
}

async function readyWith({ privateKey, publicKey }: ProofKeyPair): Promise<Ready> {
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey)
  if (kty === 'OKP' && crv === 'Ed25519' && x !== undefined) {
    const sign = (message: Uint8Array<ArrayBuffer>) => crypto.subtle.sign('Ed25519', privateKey, message)
    return { sign, alg: 'EdDSA', ...(await namedBy({ crv, kty, x })) }
  }
  if (kty === 'EC' && crv === 'P-256' && x !== undefined && y !== undefined) {
    const scheme = { name: 'ECDSA', hash: 'SHA-256' }
    const sign = (message: Uint8Array<ArrayBuffer>) => crypto.subtle.sign(scheme, privateKey, message)
    return { sign, alg: 'ES256', ...(await namedBy({ crv, kty, x, y })) }
  }
  throw clientError('client/options', `Cannot make proofs with a key of ${kty} ${crv}: use Ed25519 or ECDSA with P-256`)
}

/** @param jwk the required members, in the order of RFC 7638 §3 */
async function namedBy(jwk: Readonly<Record<string, string>>) {
  return { jwk, thumbprint: toBase64Url(await sha256(utf8(JSON.stringify(jwk)))) }
}

/** DPoP (RFC 9449) with the two claims of this service beside the RFC's: `bh` for the body, `ik` for the Idempotency-Key. */
export function createProver(given?: ProofKeyPair): Prover {
  let kept: Promise<Ready> | undefined
  const ready = (): Promise<Ready> => {
    kept ??= (async () => readyWith(given ?? (await generate())))().catch(error => {
      kept = undefined
      throw error
    })
    return kept
  }
  return {
    thumbprint: async () => (await ready()).thumbprint,
    prove: async ({ method, url, token, body, idempotencyKey, now }) => {
      const { sign, alg, jwk } = await ready()
      const claims = {
        jti: crypto.randomUUID(),
        htm: method,
        htu: url,
        iat: Math.floor(now / 1000),
        ath: await digest(token),
        ...(body === '' ? {} : { bh: await digest(body) }),
        ...(idempotencyKey === undefined ? {} : { ik: idempotencyKey }),
      }
      const signed = `${part({ typ: 'dpop+jwt', alg, jwk })}.${part(claims)}`
      return `${signed}.${toBase64Url(new Uint8Array(await sign(utf8(signed))))}`
    },
  }
}

const part = (value: object): string => toBase64Url(utf8(JSON.stringify(value)))
const digest = async (text: string): Promise<string> => toBase64Url(await sha256(utf8(text)))

/** What a token says of who may bring it (RFC 7800). Read, not verified: the service does that. */
export type Confirmation =
  | { readonly kind: 'none' | 'certificate' | 'unreadable' }
  | { readonly kind: 'key'; readonly thumbprint?: string }

export function confirmationOf(token: string): Confirmation {
  const [, payload, ...rest] = token.split('.', 4)
  if (payload === undefined || rest.length !== 1) return { kind: 'unreadable' }
  try {
    const { cnf } = JSON.parse(new TextDecoder().decode(fromBase64Url(payload))) as { cnf?: Record<string, unknown> }
    if (cnf === undefined || cnf === null) return { kind: 'none' }
    if (typeof cnf['jkt'] === 'string') return { kind: 'key', thumbprint: cnf['jkt'] }
    return { kind: cnf['jwk'] === undefined ? 'certificate' : 'key' }
  } catch {
    return { kind: 'unreadable' }
  }
}
