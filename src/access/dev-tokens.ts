import { ed25519 } from '@noble/curves/ed25519.js'
import { importJWK, type JWK, SignJWT } from 'jose'
import { toBase64Url } from '../bytes/base64.ts'
import { randomId } from '../bytes/ids.ts'
import { SignerError } from '../domain/errors.ts'
import type { Jwks } from '../domain/jwks.ts'
import type { Clock, Random } from '../domain/ports.ts'
import { MAX_AGE_SECONDS } from './tokens.ts'

export interface DevIssuer {
  /** The public half, for `createTokenVerifier`. */
  readonly jwks: Jwks
  readonly issuer: string
  readonly audience: string
  /**
   * @param options.scopes words such as `sign:treasury` or `read:*`.
   * @param options.seconds life of the token, 1 to 900; 900 unless told.
   * @param options.constraints the claim `cs`; @param options.confirmation the claim `cnf`; neither is checked.
   * @throws `config/invalid`
   */
  issue(options: {
    subject: string
    scopes: readonly string[]
    seconds?: number
    constraints?: object
    confirmation?: object
  }): Promise<string>
}

const webRandom: Random = { bytes: length => crypto.getRandomValues(new Uint8Array(length)) }

/** Issues tokens for `countersign dev` and for tests, under a key that lives as long as this object. Not for production. */
export function createDevIssuer(options: {
  readonly clock: Pick<Clock, 'now'>
  readonly random?: Random
  readonly issuer?: string
  readonly audience?: string
}): DevIssuer {
  const { clock, random = webRandom, issuer = 'countersign-dev', audience = 'countersign' } = options
  const seed = random.bytes(32)
  const shape = { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', kid: randomId(random, 'dev') } as const
  const jwk = { ...shape, x: toBase64Url(ed25519.getPublicKey(seed)) }
  const secret: JWK = { ...jwk, d: toBase64Url(seed) }
  return {
    jwks: Object.freeze({ keys: Object.freeze([Object.freeze(jwk)]) }),
    issuer,
    audience,
    async issue({ subject, scopes, seconds = MAX_AGE_SECONDS, constraints: cs, confirmation: cnf }) {
      if (!Number.isInteger(seconds) || seconds < 1 || seconds > MAX_AGE_SECONDS) {
        const fix = `use 1 to ${MAX_AGE_SECONDS} seconds`
        throw new SignerError('config/invalid', {
          problems: [{ path: 'seconds', problem: `cannot issue a token for ${seconds} seconds`, fix }],
        })
      }
      const now = Math.floor(clock.now() / 1000)
      const limits = { ...(cs === undefined ? {} : { cs }), ...(cnf === undefined ? {} : { cnf }) }
      return new SignJWT({ scope: scopes.join(' '), ...limits })
        .setProtectedHeader({ alg: jwk.alg, kid: jwk.kid, typ: 'at+jwt' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(subject)
        .setJti(randomId(random, 'jti'))
        .setIssuedAt(now)
        .setExpirationTime(now + seconds)
        .sign(await importJWK(secret, jwk.alg))
    },
  }
}
