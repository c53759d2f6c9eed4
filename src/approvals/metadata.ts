/** What verifiers learn of keys: a key set for JOSE libraries, and a signed document that also says what was when. */
import { hasExactly, readJsonObject } from '../bytes/jws.ts'
import { verifySignature } from '../bytes/verify.ts'
import { type DatedVersion, VERSION_STATES, type VersionState } from '../domain/key.ts'
import { type Scheme, SCHEMES } from '../domain/provider.ts'
import { JOSE, type JoseAlgorithm, kidOf, type PublicJwk, readPublicJwk, thumbprintOf } from './algorithms.ts'
import { canonicalJson } from './canonical.ts'
import { isRecord, isSeconds } from './claims.ts'
import { openCompact, signingInputOf, withSignature } from './compact.ts'
import type { MetadataKey } from './metadata-key.ts'
import { refused } from './refused.ts'

export const METADATA_TYPE = 'key-metadata+jws'
/** For ten thousand keys with some versions each. */
const DOCUMENT_CHARACTERS_MAX = 32 * 1024 * 1024
/** How far the clocks of signer and verifier may be apart. */
export const SKEW_SECONDS = 60

/** One version of a key. Times are whole seconds since the epoch. */
export interface KeyEntry {
  /** As it stands in the header of approvals: `treasury-v3`. */
  readonly kid: string
  readonly key: string
  readonly version: number
  readonly scheme: Scheme
  readonly alg: JoseAlgorithm
  /** G… or 0x…. */
  readonly address: string
  readonly jwk: PublicJwk
  readonly state: VersionState
  /** The first time that it might sign; absent: it never might. */
  readonly validFrom?: number
  /** From then on it signs nothing. */
  readonly validUntil?: number
  /** Nothing that it ever signed is good. */
  readonly revokedAt?: number
}

export interface KeyMetadata {
  readonly iss: string
  readonly iat: number
  readonly exp: number
  readonly keys: readonly KeyEntry[]
}

/** Rounded so that what was signed within its time stays within it. */
export function entryOf({ version: held, times }: DatedVersion): KeyEntry {
  const { key, version, scheme, address, state, publicKey } = held
  const { alg, jwkOf } = JOSE[scheme]
  const { activeFrom, retiredAt, destroyedAt, revokedAt } = times
  const ends = [retiredAt, destroyedAt].filter(time => time !== undefined)
  return {
    kid: kidOf(key, version),
    key,
    version,
    scheme,
    alg,
    address,
    jwk: jwkOf(publicKey),
    state,
    ...(activeFrom === undefined ? {} : { validFrom: Math.floor(activeFrom / 1000) }),
    ...(ends.length === 0 ? {} : { validUntil: Math.ceil(Math.min(...ends) / 1000) }),
    ...(revokedAt === undefined ? {} : { revokedAt: Math.floor(revokedAt / 1000) }),
  }
}

/** States whose public keys a verifier without the document may use. Of the others nothing is good, or not now. */
const LISTED: readonly VersionState[] = ['pending', 'active', 'overlap', 'retired']

/** RFC 7517 §5. Members beside those of the RFC are for people: who must know what was when reads the document. */
export function jwksOf(entries: readonly KeyEntry[]) {
  const listed = entries.filter(({ state, revokedAt }) => LISTED.includes(state) && revokedAt === undefined)
  return {
    keys: listed.map(({ kid, alg, jwk, state, validFrom, validUntil }) => ({
      ...jwk,
      kid,
      alg,
      use: 'sig',
      state,
      ...(validFrom === undefined ? {} : { validFrom }),
      ...(validUntil === undefined ? {} : { validUntil }),
    })),
  }
}

/** The document as a JWS in compact form. Its header carries the public key, which verifiers hold against what they pinned. */
export async function signMetadata(key: MetadataKey, metadata: KeyMetadata): Promise<string> {
  const header = { alg: 'EdDSA', jwk: key.jwk, kid: key.thumbprint, typ: METADATA_TYPE }
  const signingInput = signingInputOf(header, new TextEncoder().encode(canonicalJson(metadata)))
  return withSignature(signingInput, await key.sign(new TextEncoder().encode(signingInput)))
}

/**
 * @param issuer  thumbprint of the key that must have signed it (RFC 7638, SHA-256, base64url), as the verifier pinned it
 * @param now     milliseconds since the epoch
 * @throws `approval/refused`
 */
export async function readMetadata(
  jws: string,
  { issuer, now }: { issuer: string; now: number },
): Promise<KeyMetadata> {
  const opened = openCompact(jws, DOCUMENT_CHARACTERS_MAX)
  if (opened === undefined) throw refused('metadata', 'the document of keys is not a JWS in compact form')
  const { header, payload, signature, signingInput } = opened
  const { alg, typ, kid, jwk } = header
  if (!hasExactly(header, ['alg', 'jwk', 'kid', 'typ']) || alg !== 'EdDSA' || typ !== METADATA_TYPE)
    throw refused('metadata', `the document of keys is not a JWS of type ${METADATA_TYPE}`)
  const signer = readPublicJwk(jwk)
  if (signer?.scheme !== 'ed25519') throw refused('metadata', 'the document of keys has no Ed25519 key in its header')
  if (thumbprintOf(signer.jwk) !== issuer || kid !== issuer)
    throw refused('issuer', 'the document of keys is signed by another issuer than the one that is trusted')
  if (!(await verifySignature(JOSE.ed25519.toSign(signingInput), signer.publicKey, signature)))
    throw refused('metadata', 'the signature of the document of keys is not good')
  const metadata = readDocument(payload)
  if (metadata === undefined) throw refused('metadata', 'the document of keys has another form than this version knows')
  const seconds = Math.floor(now / 1000)
  if (metadata.iat > seconds + SKEW_SECONDS) throw refused('metadata', 'the document of keys is dated in the future')
  if (metadata.exp <= seconds) throw refused('metadata', 'the document of keys has expired: fetch it again')
  return metadata
}

function readDocument(payload: Uint8Array): KeyMetadata | undefined {
  const document = readJsonObject(payload)
  if (document === undefined || !hasExactly(document, ['iss', 'iat', 'exp', 'keys'])) return undefined
  const { iss, iat, exp, keys } = document
  if (typeof iss !== 'string' || !isSeconds(iat) || !isSeconds(exp) || !Array.isArray(keys)) return undefined
  if (!keys.every(isEntry)) return undefined
  if (new Set(keys.map(({ kid }) => kid)).size < keys.length) return undefined
  return { iss, iat, exp, keys }
}

const MEMBERS = ['kid', 'key', 'version', 'scheme', 'alg', 'address', 'jwk', 'state']
const TIMES = ['validFrom', 'validUntil', 'revokedAt'] as const

/** Every member says the same of the key, or the entry is none. */
function isEntry(value: unknown): value is KeyEntry {
  if (!isRecord(value) || !hasExactly(value, MEMBERS, TIMES)) return false
  const entry: Partial<Record<keyof KeyEntry, unknown>> = value
  const { kid, key, version, scheme, alg, address, jwk, state } = entry
  const known = readPublicJwk(jwk)
  return (
    typeof key === 'string' &&
    Number.isSafeInteger(version) &&
    kid === kidOf(key, version as number) &&
    SCHEMES.some(each => each === scheme) &&
    known?.scheme === scheme &&
    alg === JOSE[known?.scheme ?? 'ed25519'].alg &&
    typeof address === 'string' &&
    VERSION_STATES.some(each => each === state) &&
    TIMES.every(name => entry[name] === undefined || isSeconds(entry[name]))
  )
}
