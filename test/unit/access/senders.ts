/** Callers that hold a key of their own, and make proofs with it: by the book, or as told. */
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'
import { ed25519 } from '@noble/curves/ed25519.js'
import { createHash } from 'node:crypto'
import type { AuthenticationRequest } from '../../../src/access/authenticate.ts'
import { fromBase64Url, toBase64, toBase64Url } from '../../../src/bytes/base64.ts'
import { NOW_S } from './forge.ts'

export const BASE = 'https://sign.example'

const encode = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)
const json = (value: unknown): string => toBase64Url(encode(typeof value === 'string' ? value : JSON.stringify(value)))
const hash = (data: Uint8Array | string): string => createHash('sha256').update(data).digest('base64url')

export interface Sender {
  readonly jwk: JWK
  /** By jose, not by us. */
  readonly jkt: string
  readonly alg: 'EdDSA' | 'ES256'
  sign(message: Uint8Array<ArrayBuffer>): Promise<Uint8Array>
}

export async function createSender(alg: 'EdDSA' | 'ES256' = 'EdDSA', fill?: number): Promise<Sender> {
  if (alg === 'ES256') {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
    const jwk = await exportJWK(publicKey)
    const scheme = { name: 'ECDSA', hash: 'SHA-256' }
    const sign = async (message: Uint8Array<ArrayBuffer>) =>
      new Uint8Array(await crypto.subtle.sign(scheme, privateKey, message))
    return { jwk, jkt: await calculateJwkThumbprint(jwk), alg, sign }
  }
  const seed = fill === undefined ? crypto.getRandomValues(new Uint8Array(32)) : new Uint8Array(32).fill(fill)
  const pkcs8 = Uint8Array.of(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20, ...seed)
  const key = await crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', false, ['sign'])
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: toBase64Url(ed25519.getPublicKey(seed)) }
  const sign = async (message: Uint8Array<ArrayBuffer>) =>
    new Uint8Array(await crypto.subtle.sign('Ed25519', key, message))
  return { jwk, jkt: await calculateJwkThumbprint(jwk), alg, sign }
}

export type Bare = Pick<AuthenticationRequest, 'method' | 'path' | 'body' | 'peer'> & { idempotencyKey?: string }

export const bare: Bare = {
  method: 'POST',
  path: '/v1/keys/treasury/sign',
  body: encode('{"payload":"AAAA","payloadType":"stellar-xdr"}'),
  idempotencyKey: 'order-1',
  peer: '192.0.2.7',
}

let made = 0
/** As good as random for a test, and the same in every run. */
export const fresh = (): string => `proof-${String(made++).padStart(20, '0')}`

/** The JWS of a DPoP proof. `header` and `claims` replace members; a string replaces the whole. */
export async function dpopProof(
  sender: Sender,
  token: string,
  request: Bare = bare,
  over: { header?: object | string; claims?: object | string } = {},
): Promise<string> {
  const header = { typ: 'dpop+jwt', alg: sender.alg, jwk: sender.jwk }
  const claims = {
    jti: fresh(),
    htm: request.method,
    htu: BASE + request.path,
    iat: NOW_S,
    ath: hash(token),
    ...(request.body.length === 0 ? {} : { bh: hash(request.body) }),
    ...(request.idempotencyKey === undefined ? {} : { ik: request.idempotencyKey }),
  }
  const merged = [
    typeof over.header === 'string' ? over.header : { ...header, ...over.header },
    typeof over.claims === 'string' ? over.claims : { ...claims, ...over.claims },
  ]
  const signed = merged.map(json).join('.')
  return `${signed}.${toBase64Url(await sender.sign(encode(signed)))}`
}

/** A request with a DPoP token and its proof. */
export async function byDpop(sender: Sender, token: string, request: Bare = bare): Promise<AuthenticationRequest> {
  return { ...request, authorization: `DPoP ${token}`, dpop: await dpopProof(sender, token, request) }
}

export interface SignatureParts {
  readonly components: string
  readonly created: number | string
  readonly nonce: string
  readonly keyId: string
  readonly rest: string
  readonly authorization: string
  readonly path: string
}

/** A request with Signature headers, its base written out line by line (RFC 9421 §2.5). */
export async function bySignature(
  sender: Sender,
  token: string,
  request: Bare = bare,
  over: Partial<SignatureParts> = {},
): Promise<AuthenticationRequest> {
  const authorization = over.authorization ?? `Bearer ${token}`
  const digest = `sha-256=:${toBase64(fromBase64Url(hash(request.body)) ?? new Uint8Array())}:`
  const hasBody = request.body.length > 0
  const list = [
    '"@method" "@path"',
    hasBody ? ' "content-digest"' : '',
    ' "authorization"',
    request.idempotencyKey === undefined ? '' : ' "idempotency-key"',
  ].join('')
  const { components = list, created = NOW_S, nonce = fresh(), keyId = String(sender.jwk.x), rest = '' } = over
  const params = `(${components});created=${created};nonce="${nonce}";keyid="${keyId}";alg="ed25519"${rest}`
  const lines = [
    `"@method": ${request.method}`,
    `"@path": ${over.path ?? request.path}`,
    ...(hasBody ? [`"content-digest": ${digest}`] : []),
    `"authorization": ${authorization}`,
    ...(request.idempotencyKey === undefined ? [] : [`"idempotency-key": ${request.idempotencyKey}`]),
    `"@signature-params": ${params}`,
  ]
  return {
    ...request,
    authorization,
    signatureInput: `sig1=${params}`,
    signature: `sig1=:${toBase64(await sender.sign(encode(lines.join('\n'))))}:`,
    ...(hasBody ? { contentDigest: digest } : {}),
  }
}
