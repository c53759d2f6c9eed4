import { toBase64Url } from '../bytes/base64.ts'
import { sha256 } from '../bytes/sha256.ts'
import type { HeaderValue } from './credentials.ts'
import { hasExactly, readCompact, readJsonObject } from '../bytes/jws.ts'
import { readProofKey } from './proof-key.ts'
import { freshUntil, type Proof, type ProofRules, type ProvenRequest } from './proof-rules.ts'
import { HEADER_CHARACTERS_MAX, invalid } from './token-reasons.ts'

export interface DpopRules extends ProofRules {
  /** Bases of the URLs callers use, without the path: never taken from a Host header. */
  readonly publicUrls: readonly string[]
  /** `required`: a proof for a request with a body or an Idempotency-Key must hold `bh` and `ik`. */
  readonly bodyBinding: 'required' | 'optional'
}

const TYPE = 'dpop+jwt'
const CLAIMS = ['jti', 'htm', 'htu', 'iat', 'ath']
/** Ours, beside RFC 9449 §4.2: what it leaves open is which body the request has, and which Idempotency-Key. */
const BINDINGS = ['bh', 'ik']
const IDENTIFIER = /^[\x21-\x7e]{1,128}$/

const encoder = new TextEncoder()

/**
 * Checks DPoP proofs (RFC 9449 §4.3) for requests with a token, with two private claims beside the RFC's:
 *
 *   bh   base64url of the SHA-256 of the body; for every request with a body
 *   ik   the Idempotency-Key; for every request with one
 *
 * Nothing else is taken: no other algorithm, no other member, no query in `htu`, no normalisation of URLs.
 *
 * @returns a function that throws `token/invalid` unless the proof is for this token and this request, and made with the
 *          key of this thumbprint. Whether it was used before is for the caller to see.
 */
export function createDpopCheck(rules: DpopRules) {
  return async (header: HeaderValue, token: string, thumbprint: string, request: ProvenRequest): Promise<Proof> => {
    const text = typeof header === 'object' && header.length === 1 ? header[0] : header
    if (typeof text !== 'string' || text.length > HEADER_CHARACTERS_MAX) throw invalid('proofForm')
    const parts = readCompact(text)
    if (parts === undefined) throw invalid('proofForm')
    const key = readDpopHeader(parts.header)
    if (key.thumbprint !== thumbprint) throw invalid('proofKey')
    const { jti, iat, ...claims } = readDpopClaims(parts.payload)
    if (!isFor(request, token, claims, rules)) throw invalid('proofRequest')
    const until = freshUntil(iat, rules)
    if (until === undefined) throw invalid('proofTime')
    const signed = encoder.encode(text.slice(0, text.lastIndexOf('.')))
    if (!(await key.verify(signed, parts.signature))) throw invalid('proofSignature')
    return { kind: 'dpop', thumbprint, identifier: jti, freshUntil: until }
  }
}

function readDpopHeader(bytes: Uint8Array) {
  const header = readJsonObject(bytes)
  if (header === undefined || !hasExactly(header, ['typ', 'alg', 'jwk']) || header['typ'] !== TYPE)
    throw invalid('proofForm')
  const key = readProofKey(header['jwk'])
  // As with tokens: the key says which algorithm it is for, and the header may only agree.
  if (key === undefined || !key.algorithms.includes(header['alg'] as string)) throw invalid('proofForm')
  return key
}

interface DpopClaims {
  readonly jti: string
  readonly iat: number
  readonly htm: unknown
  readonly htu: unknown
  readonly ath: unknown
  readonly bh?: unknown
  readonly ik?: unknown
}

function readDpopClaims(bytes: Uint8Array): DpopClaims {
  const claims = readJsonObject(bytes)
  if (claims === undefined || !hasExactly(claims, CLAIMS, BINDINGS)) throw invalid('proofForm')
  const { jti, iat, htm, htu, ath, ...bindings } = claims
  if (typeof jti !== 'string' || !IDENTIFIER.test(jti) || !Number.isSafeInteger(iat)) throw invalid('proofForm')
  return { jti, iat: iat as number, htm, htu, ath, ...bindings }
}

function isFor(request: ProvenRequest, token: string, claims: Omit<DpopClaims, 'jti' | 'iat'>, rules: DpopRules) {
  const { method, path, body, idempotencyKey } = request
  const { htm, htu, ath, bh, ik } = claims
  const bodyHash = body.length === 0 ? undefined : toBase64Url(sha256(body))
  const required = rules.bodyBinding === 'required'
  return (
    htm === method &&
    rules.publicUrls.some(base => htu === base + path) &&
    ath === toBase64Url(sha256(encoder.encode(token))) &&
    (bh === bodyHash || (bh === undefined && !required)) &&
    (ik === idempotencyKey || (ik === undefined && !required))
  )
}
