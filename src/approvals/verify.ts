import { hasExactly } from '../bytes/jws.ts'
import { verifySignature } from '../bytes/verify.ts'
import type { VersionState } from '../domain/key.ts'
import { JOSE, type JoseAlgorithm, readPublicJwk } from './algorithms.ts'
import { type ApprovalClaims, readClaims } from './claims.ts'
import { openCompact } from './compact.ts'
import { type KeyEntry, readMetadata, SKEW_SECONDS } from './metadata.ts'
import { APPROVAL_TYPE, SIGNING_INPUT_MAX } from './payload.ts'
import { refused } from './refused.ts'

export interface ApprovalTerms {
  /** Thumbprint of the metadata key that is trusted (RFC 7638, SHA-256, base64url). */
  readonly issuer: string
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Who asks: an approval for somebody else is none. */
  readonly audience?: string
  readonly action?: string
}

export interface VerifiedApproval {
  readonly kid: string
  readonly key: string
  readonly version: number
  readonly address: string
  readonly alg: JoseAlgorithm
  readonly state: VersionState
  readonly claims: ApprovalClaims
}

const SIGNATURE_CHARACTERS = 86

/**
 * Whether an approval is good, from itself and the signed document of keys alone: nothing is fetched, no clock is read.
 *
 * A version that is retired or destroyed goes on vouching for what it signed until then. Of one that is revoked nothing is
 * good, whenever it says it was signed: whoever has the key can write any time. One in quarantine vouches for nothing until
 * somebody has looked at it. The caller sees to it that an approval (`jti`) is acted upon once.
 *
 * @throws `approval/refused` with the rule that says no: `metadata`, `issuer`, `form`, `key`, `state`, `signature`, `time`,
 *         `audience` or `action`
 */
export async function verifyApproval(jws: string, metadata: string, terms: ApprovalTerms): Promise<VerifiedApproval> {
  const { keys } = await readMetadata(metadata, terms)
  const opened = openCompact(jws, SIGNING_INPUT_MAX + 1 + SIGNATURE_CHARACTERS)
  if (opened === undefined) throw refused('form', 'it is not a JWS in compact form')
  const { header, payload, signature, signingInput } = opened
  const { alg, kid, typ } = header
  if (!hasExactly(header, ['alg', 'kid', 'typ']) || typ !== APPROVAL_TYPE)
    throw refused('form', `it is not a JWS of type ${APPROVAL_TYPE}`)
  const entry = keys.find(each => each.kid === kid)
  const known = readPublicJwk(entry?.jwk)
  if (entry === undefined || known === undefined) throw refused('key', 'the document does not list its key')
  // The key says which algorithm it is for; the header may only agree.
  if (alg !== entry.alg) throw refused('key', `its key is for ${entry.alg}`)
  if (!(await verifySignature(JOSE[known.scheme].toSign(signingInput), known.publicKey, signature)))
    throw refused('signature', 'its signature is not good')
  const claims = readClaims(payload)
  if (claims === undefined) throw refused('form', 'its claims are not those of an approval')
  if (claims.iss !== entry.key) throw refused('key', 'it names another key than the one that signed it')
  refuseState(entry)
  refuseTimes(entry, claims, Math.floor(terms.now / 1000))
  if (terms.audience !== undefined && claims.aud !== terms.audience)
    throw refused('audience', 'it is for somebody else')
  if (terms.action !== undefined && claims.action !== terms.action)
    throw refused('action', 'it approves something else')
  const { key, version, address, state } = entry
  return { kid: entry.kid, key, version, address, alg: entry.alg, state, claims }
}

function refuseState({ state, revokedAt }: KeyEntry): void {
  if (state === 'revoked' || revokedAt !== undefined)
    throw refused('state', 'its key is revoked: nothing that it signed is good')
  switch (state) {
    case 'pending': // it may have been in use before, and waits again
    case 'active':
    case 'overlap':
    case 'retired':
    case 'destroyed':
      return
    case 'quarantined':
      throw refused('state', 'its key is in quarantine: ask again later')
    default:
      state satisfies never
      throw refused('state', 'its key is in a state that this version does not know')
  }
}

function refuseTimes({ validFrom, validUntil }: KeyEntry, { iat, exp }: ApprovalClaims, now: number): void {
  if (iat > now + SKEW_SECONDS) throw refused('time', 'it is dated in the future')
  if (exp <= now) throw refused('time', 'it has expired')
  if (validFrom === undefined) throw refused('state', 'its key has not come into use')
  // It was good when it was signed, so it ends after its key came into use.
  if (exp <= validFrom) throw refused('time', 'its key came into use after it had expired')
  if (validUntil !== undefined && iat > validUntil + SKEW_SECONDS)
    throw refused('time', 'it is dated after the end of its key')
}
