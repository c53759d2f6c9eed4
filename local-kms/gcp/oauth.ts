/**
 * The part of Google's authorization servers that clients' flows need: the token endpoint (RFC 7523), the security token service
 * (RFC 8693), impersonation, the metadata server, and bearer tokens that a service account signed itself. Served on the REST port.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { type Random, toHex } from '../core/random.ts'
import type { Incoming, Reply } from '../core/server.ts'
import { duplicateName } from '../core/json-names.ts'
import type { GcpCredential } from './access.ts'
import { type Federation, federationProblem } from './federation.ts'

/** A service account that can get tokens here. */
export interface GcpAccount {
  readonly email: string
  /** PEM, SubjectPublicKeyInfo: checks what the account signs. */
  readonly publicKey?: string | undefined
  /** Tokens of another issuer that stand for this account (workload identity federation). */
  readonly subjectTokens?: readonly string[] | undefined
  /** Whose signed tokens stand for this account: a provider of an identity pool, checked as Google does. */
  readonly federation?: Federation | undefined
  /** Accounts that may act for this one (`iam.serviceAccounts.getAccessToken`). Absent: everyone with a token. */
  readonly actors?: readonly string[] | undefined
  /** The account that the metadata server speaks for. */
  readonly metadata?: boolean | undefined
  /** As those of a credential. Absent: everything. */
  readonly permissions?: readonly string[] | undefined
  readonly resources?: readonly string[] | undefined
}

export interface OAuthOptions {
  readonly accounts: readonly GcpAccount[]
  readonly clock: Clock
  readonly random: () => Random
  /** Lifetime of what is given out. Default 3600. */
  readonly tokenSeconds: number
}

export interface OAuth {
  /** Undefined: the request is none for these servers. */
  handle(request: Incoming): Reply | undefined
  /** Tokens given out so far. */
  issued(): readonly GcpCredential[]
  /** The account that signed this bearer token itself. Undefined: none did, or it is no longer good. */
  selfSigned(token: string): GcpCredential | undefined
  reset(): void
}

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const METADATA = '/computeMetadata/v1'
const HOUR_SECONDS = 3600
const SKEW_SECONDS = 300

/** @throws RangeError for a public key that is none */
export function createOAuth(options: OAuthOptions): OAuth {
  const { accounts, clock, tokenSeconds } = options
  const publicKeys = new Map(accounts.map(account => [account.email, readPublicKey(account)]))
  let issued: GcpCredential[] = []

  function give(account: GcpAccount): { token: string; expiresAt: string } {
    const token = `ya29.local-kms-${toHex(options.random().bytes(24))}`
    const now = clock.now()
    const expiresAt = new Date(now + tokenSeconds * 1000).toISOString()
    const { email: principal, permissions, resources } = account
    // Those of an hour ago are still told from tokens that never were
    issued = issued.filter(each => Date.parse(each.expiresAt!) > now - 3_600_000)
    issued.push({ token, principal, permissions, resources, expiresAt })
    return { token, expiresAt }
  }
  const bearer = (account: GcpAccount, more: object = {}): Reply =>
    json(200, { access_token: give(account).token, expires_in: tokenSeconds, token_type: 'Bearer', ...more })

  function token(parameters: ReadonlyMap<string, string>): Reply {
    if (parameters.get('grant_type') !== JWT_BEARER) return refusal('unsupported_grant_type', 'Invalid grant_type')
    const read = readJwt(parameters.get('assertion') ?? '')
    const account = accounts.find(each => each.email === read?.claims['iss'])
    if (read === undefined || account === undefined) return refusal('invalid_grant', 'Invalid grant: account not found')
    const problem = check(read, account, { audience: /\/token$/, orScope: false })
    return problem === undefined ? bearer(account) : refusal('invalid_grant', problem)
  }

  /** Undefined: all is well. */
  function check(jwt: Jwt, account: GcpAccount, wanted: { audience: RegExp; orScope: boolean }): string | undefined {
    const key = publicKeys.get(account.email)
    if (key === undefined || !verify('sha256', jwt.signed, key, jwt.signature)) return 'Invalid JWT Signature.'
    const now = clock.now() / 1000
    const [iat, exp] = [Number(jwt.claims['iat']), Number(jwt.claims['exp'])]
    if (!(iat <= now + SKEW_SECONDS && exp > now - SKEW_SECONDS && exp - iat <= HOUR_SECONDS)) {
      return (
        'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. ' +
        'Check your iat and exp values in the JWT claim.'
      )
    }
    const { aud, scope } = jwt.claims
    const fits = typeof aud === 'string' ? wanted.audience.test(aud) : wanted.orScope && typeof scope === 'string'
    return fits ? undefined : 'Invalid JWT: Failed audience check.'
  }

  function exchange(parameters: ReadonlyMap<string, string>): Reply {
    const subject = parameters.get('subject_token') ?? parameters.get('subjectToken') ?? ''
    const grant = parameters.get('grant_type') ?? parameters.get('grantType')
    if (grant !== EXCHANGE) return refusal('unsupported_grant_type', 'Invalid grant_type')
    const audience = parameters.get('audience') ?? ''
    if (audience === '') return refusal('invalid_request', 'Invalid value for "audience".')
    const federated = accounts.filter(each => each.federation?.provider === audience)
    const problems = federated.map(({ federation }) => federationProblem(subject, federation!, clock.now()))
    const account =
      federated[problems.indexOf(undefined)] ?? accounts.find(each => each.subjectTokens?.includes(subject) === true)
    if (account === undefined) {
      const said = problems.find(each => each !== undefined)
      return refusal('invalid_grant', said ?? 'The given credential is rejected by the attribute condition.')
    }
    return bearer(account, { issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' })
  }

  function impersonate(email: string, authorization: string | undefined): Reply {
    const caller = issued.find(each => `Bearer ${each.token}` === authorization)
    const account = accounts.find(each => each.email === email)
    if (caller === undefined || Date.parse(caller.expiresAt!) <= clock.now())
      return status(401, 'UNAUTHENTICATED', 'Invalid credentials.')
    const mayAct = account?.actors === undefined || account.actors.includes(caller.principal ?? '')
    if (account === undefined || !mayAct) {
      return status(
        403,
        'PERMISSION_DENIED',
        "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
      )
    }
    const { token: accessToken, expiresAt: expireTime } = give(account)
    return json(200, { accessToken, expireTime })
  }

  function metadata(path: string, request: Incoming): Reply {
    const flavor = { 'Metadata-Flavor': 'Google' }
    if (request.headers['metadata-flavor'] !== 'Google')
      return text(403, 'Missing Metadata-Flavor:Google header.', flavor)
    const account = accounts.find(each => each.metadata === true)
    const service = '/instance/service-accounts/'
    if (path === '' || path === '/instance') return text(200, 'instance/\nproject/\n', flavor)
    if (account === undefined || !path.startsWith(service)) return text(404, 'Not Found', flavor)
    const [who = '', what = ''] = path.slice(service.length).split('/')
    if (who !== 'default' && who !== account.email) return text(404, 'Not Found', flavor)
    if (what === 'email') return text(200, account.email, flavor)
    if (what !== 'token') return text(404, 'Not Found', flavor)
    const answer = bearer(account)
    return { ...answer, headers: { ...answer.headers, ...flavor } }
  }

  return {
    handle(request) {
      const path = request.target.split('?')[0]!.replace(/\/$/, '')
      if (path === METADATA || path.startsWith(`${METADATA}/`)) return metadata(path.slice(METADATA.length), request)
      if (request.method !== 'POST') return undefined
      if (path === '/token') return token(parametersOf(request))
      if (path === '/v1/token') return exchange(parametersOf(request))
      const account = /^\/v1\/projects\/-\/serviceAccounts\/([^/:]+):generateAccessToken$/.exec(path)?.[1]
      return account === undefined
        ? undefined
        : impersonate(decodeURIComponent(account), request.headers['authorization'])
    },
    issued: () => issued,
    selfSigned(presented) {
      const read = readJwt(presented)
      const account = accounts.find(each => each.email === read?.claims['iss'] && each.email === read.claims['sub'])
      if (read === undefined || account === undefined) return undefined
      const wanted = { audience: /^https:\/\/cloudkms\.googleapis\.com\/?$/, orScope: true }
      if (check(read, account, wanted) !== undefined) return undefined
      return {
        token: presented,
        principal: account.email,
        permissions: account.permissions,
        resources: account.resources,
      }
    },
    reset: () => void (issued = []),
  }
}

interface Jwt {
  readonly claims: Readonly<Record<string, unknown>>
  readonly signed: Uint8Array
  readonly signature: Uint8Array
}

/** Undefined: no compact JWS under RS256. */
function readJwt(compact: string): Jwt | undefined {
  const parts = compact.split('.')
  if (parts.length !== 3) return undefined
  const [head, body, signature] = parts as [string, string, string]
  try {
    const read = (part: string): Record<string, unknown> => {
      const json = Buffer.from(part, 'base64url').toString('utf8')
      if (duplicateName(json) !== undefined) throw new SyntaxError('a name twice')
      return JSON.parse(json) as Record<string, unknown>
    }
    if (read(head)['alg'] !== 'RS256') return undefined
    const signed = new TextEncoder().encode(`${head}.${body}`)
    return { claims: read(body), signed, signature: new Uint8Array(Buffer.from(signature, 'base64url')) }
  } catch {
    return undefined
  }
}

function readPublicKey({ email, publicKey }: GcpAccount): KeyObject | undefined {
  try {
    return publicKey === undefined ? undefined : createPublicKey(publicKey)
  } catch {
    throw new RangeError(`Cannot use the public key of account ${email}: a PEM of kind PUBLIC KEY is needed`)
  }
}

/** A form, or a JSON object of texts: Google takes both. */
function parametersOf(request: Incoming): ReadonlyMap<string, string> {
  const body = new TextDecoder().decode(request.body)
  if (!(request.headers['content-type'] ?? '').includes('json')) return new Map(new URLSearchParams(body))
  try {
    const entries = Object.entries(JSON.parse(body) as object)
    return new Map(entries.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value] as const] : [])))
  } catch {
    return new Map()
  }
}

const json = (code: number, value: object): Reply => ({
  status: code,
  headers: { 'Content-Type': 'application/json; charset=utf-8', 'x-local-kms': 'emulator; not a secure store' },
  body: new TextEncoder().encode(JSON.stringify(value)),
})
const text = (code: number, value: string, headers: Record<string, string>): Reply => ({
  status: code,
  headers: { 'Content-Type': 'application/text', ...headers },
  body: new TextEncoder().encode(value),
})
const refusal = (error: string, description: string): Reply => json(400, { error, error_description: description })
const status = (code: number, name: string, message: string): Reply =>
  json(code, { error: { code, message, status: name } })
