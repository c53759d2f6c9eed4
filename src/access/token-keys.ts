import { type CryptoKey, importJWK } from 'jose'
import type { ConfigProblem } from '../domain/errors.ts'
import { type Jwks, readJwks, type TokenAlgorithm, type TokenKey } from '../domain/jwks.ts'
import type { RemoteKeys } from './remote-keys.ts'
import { invalid } from './token-reasons.ts'

/** Whose tokens are taken, and the keys they are signed with. */
export interface TrustedIssuer {
  readonly issuer: string
  readonly jwks: Jwks | RemoteKeys
}

export interface KnownKey {
  /** The key belongs to one issuer: a token under it must carry this `iss`. */
  readonly issuer: string
  readonly alg: TokenAlgorithm
  /** Names the key by what it is, not by its kid: another key under the same kid is another key. */
  readonly id: string
  key(): Promise<CryptoKey | Uint8Array>
}

/** A kid is a key of a map and nothing else (T11). */
export type FindKey = (kid: string) => KnownKey | undefined | Promise<KnownKey | undefined>

/**
 * One look-up over all trusted issuers, the static ones first, in order. A kid that a remote set shares with a static one,
 * or with an earlier remote one, is not found there: no issuer can take the place of another.
 */
export function findKeyOf(issuers: readonly TrustedIssuer[]): {
  readonly find: FindKey
  readonly problems: readonly ConfigProblem[]
} {
  const problems: ConfigProblem[] = []
  const known = new Map<string, KnownKey>()
  const remotes: { readonly issuer: string; readonly keys: RemoteKeys }[] = []
  for (const [index, { issuer, jwks }] of issuers.entries()) {
    const path = index === 0 ? 'tokens' : `tokens.others[${index - 1}]`
    const complain = (field: string, problem: string, fix: string) =>
      problems.push({ path: `${path}.${field}`, problem, fix })
    if (issuer === '') complain('issuer', 'is empty', 'name the issuer as it stands in iss')
    if ('find' in jwks) {
      remotes.push({ issuer, keys: jwks })
      continue
    }
    const read = readJwks(jwks, `${path}.jwks`)
    problems.push(...read.problems)
    const own = read.jwks.keys.filter(({ kid }) => !known.has(kid))
    if (own.length < read.jwks.keys.length)
      complain('jwks', 'has a kid of another issuer', 'give every key of all issuers its own kid')
    for (const key of own) known.set(key.kid, knownKey(key, issuer))
  }
  if (remotes.length === 0) return { find: kid => known.get(kid), problems }
  // A key lives here as long as its set holds it.
  const fetched = new WeakMap<TokenKey, KnownKey>()
  const find = async (kid: string): Promise<KnownKey | undefined> => {
    const fixed = known.get(kid)
    if (fixed !== undefined) return fixed
    for (const { issuer, keys } of remotes) {
      const key = await keys.find(kid)
      if (key === undefined) continue
      const now = fetched.get(key) ?? knownKey(key, issuer)
      fetched.set(key, now)
      return now
    }
    return undefined
  }
  return { find, problems }
}

function knownKey(jwk: TokenKey, issuer: string): KnownKey {
  let imported: Promise<CryptoKey | Uint8Array> | undefined
  const point = jwk.kty === 'EC' ? `${jwk.x}.${jwk.y}` : jwk.x
  return { issuer, alg: jwk.alg, id: `${jwk.alg}.${point}`, key: () => (imported ??= importKey(jwk)) }
}

/** A point that is not on its curve shows only here. */
const importKey = (jwk: TokenKey): Promise<CryptoKey | Uint8Array> =>
  importJWK({ ...jwk }, jwk.alg).catch((error: unknown) => {
    throw invalid('key', error)
  })
