import { equalBytes } from '../bytes/equal.ts'
import { type ConfigProblem, SignerError } from '../domain/errors.ts'
import type { Caller } from './authorize.ts'
import { isThumbprint } from './confirmation.ts'
import { withinPlace } from './constraints.ts'
import { type AuthorizationScheme, type HeaderValue, readCredentials, SCHEMES } from './credentials.ts'
import { createDpopCheck } from './dpop.ts'
import { PROOF_SECONDS, PROOF_SECONDS_MAX, type Proof, type ProvenRequest } from './proof-rules.ts'
import { createReplayMemory, proofId, type ReplayStore } from './replays.ts'
import { createSignatureCheck } from './request-proof.ts'
import { invalid } from './token-reasons.ts'
import { createTokenReader, refuseRevoked, type TokenRules } from './tokens.ts'

export interface AuthenticatorRules extends TokenRules {
  /** Bases of the URLs that callers use, such as `https://sign.example`; DPoP proofs must name one of them. */
  readonly publicUrls: readonly string[]
  /** `required` (unless told): who holds a sign scope must prove to be the one it was given to. */
  readonly senderConstraint?: 'required' | 'optional'
  /** `required` (unless told): DPoP proofs cover body and Idempotency-Key too. */
  readonly bodyBinding?: 'required' | 'optional'
  /** How old a proof may be: 1 to 60, 15 unless told. */
  readonly proofSeconds?: number
  /** Proofs used before; in this process unless told. */
  readonly replays?: ReplayStore
}

/** A request as it came in: nothing decoded, nothing believed. Several headers of one name are a list, or refused before. */
export interface AuthenticationRequest extends ProvenRequest {
  readonly authorization: HeaderValue
  readonly dpop?: HeaderValue
  readonly signature?: HeaderValue
  readonly signatureInput?: HeaderValue
  readonly contentDigest?: HeaderValue
  /** Base64url SHA-256 of the client's certificate, from a listed proxy that checked it; from nobody else. */
  readonly certificateThumbprint?: string | undefined
  /** Address of the client as admission found it. */
  readonly peer: string
}

/**
 * Who asks: a token, and the proof that it is in the hands it was made for.
 *
 *   cnf absent              Authorization: Bearer, no proof; without a sign scope unless `senderConstraint` is optional
 *   cnf jkt or jwk          Authorization: DPoP with a DPoP header, or Bearer with Signature and Signature-Input
 *   cnf x5t#S256            Authorization: Bearer, over a connection with that certificate
 *
 * Any other combination is refused, also one that brings more than it needs. DPoP and signatures cover the request, so what
 * stands between the caller and here cannot change it; a certificate only says who sent it to the proxy.
 *
 * @returns a function that rejects with `token/missing`, `token/invalid`, `access/denied` when the token is not for this
 *          address or time, and with what the ledger, the replay store or a remote key set throws when they cannot be asked.
 * @throws  `config/invalid`
 */
export function createAuthenticator(rules: AuthenticatorRules): (request: AuthenticationRequest) => Promise<Caller> {
  const { clock, senderConstraint = 'required', bodyBinding = 'required', proofSeconds = PROOF_SECONDS } = rules
  const { replays = createReplayMemory(), isRevoked, judges } = rules
  const read = createTokenReader(rules)
  const publicUrls = readBases(rules.publicUrls, proofSeconds)
  const byDpop = createDpopCheck({ clock, proofSeconds, publicUrls, bodyBinding })
  const bySignature = createSignatureCheck({ clock, proofSeconds })

  const prove = async (caller: Caller, scheme: AuthorizationScheme, token: string, request: AuthenticationRequest) => {
    const { dpop, signature, signatureInput, contentDigest } = request
    const offered = {
      dpop: isSent(dpop),
      signature: isSent(signature) || isSent(signatureInput),
    }
    const { confirmation } = caller
    if (confirmation?.kind === 'key') {
      const { thumbprint } = confirmation
      if (offered.dpop && offered.signature) throw invalid('surplus')
      if (scheme === 'DPoP') {
        if (!offered.dpop) throw invalid('bound')
        return byDpop(dpop, token, thumbprint, request)
      }
      if (offered.dpop) throw invalid('surplus')
      if (!offered.signature) throw invalid('bound')
      const authorization = `${scheme} ${token}`
      return bySignature({ authorization, signature, signatureInput, contentDigest }, thumbprint, request)
    }
    if (offered.dpop || offered.signature || scheme !== 'Bearer') throw invalid('surplus')
    if (confirmation?.kind === 'certificate') {
      if (!sameThumbprint(request.certificateThumbprint, confirmation.thumbprint)) throw invalid('bound')
      return 'certificate'
    }
    const mayBearer = senderConstraint === 'optional' || caller.scopes.every(({ action }) => action !== 'sign')
    if (!mayBearer) throw invalid('unbound')
    return undefined
  }

  /** Last of all, so that nobody can use a proof up who could not have used it. */
  const useOnce = async ({ kind, thumbprint, identifier, freshUntil }: Proof): Promise<void> => {
    if ((await replays.use(proofId(kind, thumbprint, identifier), freshUntil, clock.now())) !== true)
      throw invalid('proofUsed')
  }

  return async request => {
    const { scheme, token } = readCredentials(request.authorization, SCHEMES)
    const caller = await read(token)
    const proof = await prove(caller, scheme, token, request)
    withinPlace(caller, { peer: request.peer, now: clock.now() }, judges)
    if (isRevoked !== undefined) await refuseRevoked(caller, isRevoked)
    if (proof === undefined) return caller
    if (proof === 'certificate') return Object.freeze({ ...caller, proof })
    await useOnce(proof)
    return Object.freeze({ ...caller, proof: proof.kind })
  }
}

const isSent = (header: HeaderValue): boolean => header !== undefined && header.length > 0

const encoder = new TextEncoder()

function sameThumbprint(sent: string | undefined, wanted: string): boolean {
  return isThumbprint(sent) && equalBytes(encoder.encode(sent), encoder.encode(wanted))
}

const WEB = ['https:', 'http:']
const MORE_THAN_A_BASE = /[?#@]/

/** @returns the bases without a slash at the end, so that a path can follow. */
function readBases(publicUrls: readonly string[], proofSeconds: number): readonly string[] {
  const problems: ConfigProblem[] = []
  if (!Number.isInteger(proofSeconds) || proofSeconds < 1 || proofSeconds > PROOF_SECONDS_MAX) {
    const fix = `use 1 to ${PROOF_SECONDS_MAX}`
    problems.push({ path: 'tokens.proofSeconds', problem: 'is out of range', fix })
  }
  const bases = publicUrls.map((text, index) => {
    const url = URL.canParse(text) ? new URL(text) : undefined
    const base = text.endsWith('/') ? text.slice(0, -1) : text
    // The spelling callers must use is the one in the configuration, so it has to be the plain one.
    const plain = url !== undefined && WEB.includes(url.protocol) && [base, `${base}/`].includes(url.href)
    if (!plain || MORE_THAN_A_BASE.test(text)) {
      const fix =
        'use scheme, host and port (and a path, if a proxy cuts one off) as browsers write them: https://sign.example'
      problems.push({ path: `tokens.publicUrls[${index}]`, problem: 'is not the base of a URL', fix })
    }
    return base
  })
  if (problems.length > 0) throw new SignerError('config/invalid', { problems })
  return bases
}
