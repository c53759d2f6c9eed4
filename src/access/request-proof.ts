import { fromBase64, fromBase64Url, toBase64 } from '../bytes/base64.ts'
import { sha256 } from '../bytes/sha256.ts'
import type { HeaderValue } from './credentials.ts'
import { ed25519ProofKey } from './proof-key.ts'
import { freshUntil, type Proof, type ProofRules, type ProvenRequest } from './proof-rules.ts'
import { invalid } from './token-reasons.ts'

export interface SignedHeaders {
  readonly authorization: string
  readonly signature: HeaderValue
  readonly signatureInput: HeaderValue
  readonly contentDigest: HeaderValue
}

const LABEL = 'sig1='
/** After the covered components, in this order. `keyid` is the public key itself. */
const PARAMETERS =
  /^;created=([1-9][0-9]{0,14});nonce="([A-Za-z0-9_-]{16,64})";keyid="([A-Za-z0-9_-]{43})";alg="ed25519"$/
const HEADER_CHARACTERS_MAX = 1024
/** What cannot stand in a field value, and would start another line of what is signed. */
const LINE_ENDS = /[\r\n\0]/

const encoder = new TextEncoder()

/**
 * Checks signed requests: HTTP Message Signatures (RFC 9421) with Content-Digest (RFC 9530), in one fixed profile.
 *
 *   Content-Digest:  sha-256=:<base64>:
 *   Signature-Input: sig1=("@method" "@path" "content-digest" "authorization" "idempotency-key");created=<seconds>;
 *                    nonce="<16 to 64 of A-Z a-z 0-9 _ ->";keyid="<base64url of the 32 bytes of the key>";alg="ed25519"
 *   Signature:       sig1=:<base64>:
 *
 * The list of components follows from the request: without a body there is no `content-digest`, without an
 * Idempotency-Key no `idempotency-key`, and nothing else varies, not even white space. So there is one text that can be
 * signed for a request, and leaving a header out makes it another request.
 *
 * @returns a function that throws `token/invalid` unless the signature is for this token and this request, and made with
 *          the key of this thumbprint. Whether the nonce was used before is for the caller to see.
 */
export function createSignatureCheck(rules: ProofRules) {
  return async (headers: SignedHeaders, thumbprint: string, request: ProvenRequest): Promise<Proof> => {
    const components = componentsOf(headers, request)
    const list = `(${components.map(([name]) => `"${name}"`).join(' ')})`
    const input = member(headers.signatureInput)
    const [, created = '', nonce = '', keyId = ''] = PARAMETERS.exec(input.slice(list.length)) ?? []
    if (!input.startsWith(list) || keyId === '') throw invalid('proofForm')
    const signature = bytesItem(member(headers.signature))
    const publicKey = fromBase64Url(keyId)
    if (signature?.length !== 64 || publicKey === undefined) throw invalid('proofForm')
    const key = ed25519ProofKey(publicKey)
    if (key.thumbprint !== thumbprint) throw invalid('proofKey')
    const until = freshUntil(Number(created), rules)
    if (until === undefined) throw invalid('proofTime')
    const base = [...components, ['@signature-params', input] as const].map(([name, value]) => `"${name}": ${value}`)
    if (!(await key.verify(encoder.encode(base.join('\n')), signature))) throw invalid('proofSignature')
    return { kind: 'signature', thumbprint, identifier: nonce, freshUntil: until }
  }
}

/** What must be covered (RFC 9421 §2), name and value, in the order it must be covered in. */
function componentsOf(headers: SignedHeaders, request: ProvenRequest): readonly (readonly [string, string])[] {
  const { method, path, body, idempotencyKey } = request
  const digest = single(headers.contentDigest)
  // Whoever names a digest means it, covered or not.
  if (digest !== contentDigest(body) && (digest !== undefined || body.length > 0)) throw invalid('proofRequest')
  const components: (readonly [string, string])[] = [
    ['@method', method],
    ['@path', path],
    ...(body.length === 0 ? [] : [['content-digest', contentDigest(body)] as const]),
    ['authorization', headers.authorization],
    ...(idempotencyKey === undefined ? [] : [['idempotency-key', idempotencyKey] as const]),
  ]
  if (components.some(([, value]) => LINE_ENDS.test(value))) throw invalid('proofForm')
  return components
}

/** RFC 9530 §2 with the one algorithm. */
export const contentDigest = (body: Uint8Array): string => `sha-256=:${toBase64(sha256(body))}:`

/** The value of the one member of a dictionary (RFC 8941 §3.2) that has this label and no other. */
function member(header: HeaderValue): string {
  const text = single(header)
  if (text === undefined || text.length > HEADER_CHARACTERS_MAX || !text.startsWith(LABEL)) throw invalid('proofForm')
  return text.slice(LABEL.length)
}

/** @throws `token/invalid` for a header that came more than once */
function single(header: HeaderValue): string | undefined {
  if (typeof header !== 'object') return header
  if (header.length > 1) throw invalid('proofForm')
  return header[0]
}

/** Bytes of `:base64:` (RFC 8941 §3.3.5). */
function bytesItem(text: string): Uint8Array | undefined {
  if (text.length < 2 || !text.startsWith(':') || !text.endsWith(':')) return undefined
  return fromBase64(text.slice(1, -1))
}
