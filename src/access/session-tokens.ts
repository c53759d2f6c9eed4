import { importJWK, type JWK, SignJWT } from 'jose'
import { randomId } from '../bytes/ids.ts'
import type { Admin } from '../domain/admins.ts'
import type { Jwks } from '../domain/jwks.ts'
import type { Clock, Random } from '../domain/ports.ts'
import { reveal, type Secret } from '../domain/secret.ts'
import { type SessionToken, sessionClaims } from './session.ts'
import { TOKEN_TYPE } from './token-reasons.ts'
import { type AuthorizationHeader, createTokenVerifier } from './tokens.ts'

export interface SessionTokenOptions {
  /** The private JWK that signs service tokens too; its public half is `jwks`. */
  readonly key: Secret
  readonly jwks: Jwks
  readonly issuer: string
  /** Another one than that of service tokens: neither is ever taken for the other. */
  readonly audience: string
  readonly clock: Pick<Clock, 'now'>
  readonly random: Random
  readonly seconds?: number
}

export interface SessionTokens {
  issue(admin: Admin): Promise<string>
  /** Signature, life, issuer and audience; whose session it is, and whether it goes on, is asked elsewhere. @throws `token/*` */
  read(header: AuthorizationHeader): Promise<SessionToken & { readonly tokenId: string }>
}

/** Sessions of administrators as tokens of the control plane. */
export function createSessionTokens(options: SessionTokenOptions): SessionTokens {
  const { key, jwks, issuer, audience, clock, random, seconds } = options
  const [publicKey] = jwks.keys
  if (publicKey === undefined) throw new TypeError('A session issuer needs its public key')
  const { alg, kid } = publicKey
  const verify = createTokenVerifier({ jwks, issuer, audience, clock })
  return {
    async issue(admin) {
      const id = randomId(random, 'jti')
      const claims = sessionClaims(admin, { id, now: clock.now(), ...(seconds === undefined ? {} : { seconds }) })
      return new SignJWT({ ...claims, iss: issuer, aud: audience })
        .setProtectedHeader({ alg, kid, typ: TOKEN_TYPE })
        .sign(await importJWK(JSON.parse(reveal(key)) as JWK, alg))
    },
    async read(header) {
      const { subject, tokenId, scope, issuedAt } = await verify(header)
      return { subject, tokenId, scope, issuedAt }
    },
  }
}
