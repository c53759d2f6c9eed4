import { SignerError } from '../domain/errors.ts'

export const HEADER_CHARACTERS_MAX = 4096
export const TOKEN_TYPE = 'at+jwt'

/** Stable texts: programs may compare them, and none holds anything of the token. */
export const TOKEN_REASONS = {
  absent: 'send an Authorization header: Bearer and a token',
  repeated: 'the Authorization header came more than once',
  scheme: 'the Authorization header is not "Bearer", one space and a token',
  long: `the Authorization header is longer than ${HEADER_CHARACTERS_MAX} characters`,
  spelling: 'the token is not three parts of canonical base64url',
  header: `the token header must hold alg, kid and typ "${TOKEN_TYPE}" and nothing else`,
  key: 'the token names a key that is not configured',
  algorithm: 'the token names another algorithm than its key has',
  signature: 'the signature of the token does not verify',
  expired: 'the token has expired or is too old',
  claims: 'the claims of the token are not as RFC 9068 has them',
  life: 'the token lives longer than is allowed',
  revoked: 'the token was taken back',
  constraints: 'the claim cs is not a canonical object of known constraints',
  confirmation: 'the claim cnf does not hold exactly one of jkt, jwk and x5t#S256',
  bound: 'the token is bound to a key or a certificate, and the request does not prove that the sender has it',
  unbound: 'the sign scope needs a token that is bound to a key or a certificate',
  surplus: 'the request brings a proof that does not belong to its token and scheme',
  proofForm: 'the proof is not in the one accepted form',
  proofKey: 'the proof is made with another key than the token is bound to',
  proofRequest: 'the proof is for another request',
  proofTime: 'the proof is too old, or from the future',
  proofSignature: 'the signature of the proof does not verify',
  proofUsed: 'the proof was used before',
} as const

export type TokenReason = Exclude<keyof typeof TOKEN_REASONS, 'absent'>

export const invalid = (reason: TokenReason, cause?: unknown): SignerError<'token/invalid'> =>
  new SignerError('token/invalid', { reason: TOKEN_REASONS[reason] }, cause === undefined ? {} : { cause })
