import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { equalBytes, toHex } from '../core/random.ts'
import type { Incoming } from '../core/server.ts'
import { AwsError } from './errors.ts'
import type { PolicyDocument, Rights } from './policy.ts'

/**
 * `off` looks at nothing. `lenient` checks the signature, allows a day of clock difference, and takes an access key it
 * does not know with the first configured secret. `strict` is as the service: ±5 minutes, scope, payload hash, token.
 */
export type SigV4Mode = 'off' | 'lenient' | 'strict'

export interface Credential extends Rights {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
  /** ISO 8601. */
  readonly expiresAt?: string | undefined
  readonly principalArn?: string | undefined
  /** The role a session was made from. */
  readonly roleArn?: string | undefined
  /** What a session was narrowed to when it was made. */
  readonly sessionPolicies?: readonly PolicyDocument[] | undefined
  /** Given out by STS: its token is needed wherever signatures are looked at. */
  readonly temporary?: boolean | undefined
}

export interface SigV4Options {
  readonly mode: SigV4Mode
  readonly credentials: readonly Credential[]
  readonly region: string
  /** The service that requests are signed for. Default kms. */
  readonly service?: string
}

const MINUTE = 60_000
const WINDOW = { lenient: 24 * 60 * MINUTE, strict: 5 * MINUTE } as const

const badSignature = (text: string): AwsError => new AwsError('InvalidSignatureException', text)
const incomplete = (text: string): AwsError => new AwsError('IncompleteSignatureException', text)
const unknownToken = (): AwsError =>
  new AwsError('UnrecognizedClientException', 'The security token included in the request is invalid.')

interface Authorization {
  readonly accessKeyId: string
  readonly scope: readonly [date: string, region: string, service: string, end: string]
  readonly signedHeaders: readonly string[]
  readonly signature: string
}

/**
 * AWS Signature Version 4 over headers, as published.
 * @returns the credential the request was signed with; a stand-in where the mode accepts an unknown one.
 * @throws the authentication errors of the service.
 */
export function authenticate(request: Incoming, options: SigV4Options, now: number): Credential {
  const header = request.headers['authorization']
  if (options.mode === 'off') return named(options, header?.match(/Credential=([^/,\s]+)/)?.[1])
  if (header === undefined) {
    throw new AwsError('MissingAuthenticationTokenException', 'Missing Authentication Token')
  }
  const authorization = parse(header)
  const date = request.headers['x-amz-date'] ?? request.headers['date']
  const at = date === undefined ? undefined : parseBasicDate(date)
  if (date === undefined || at === undefined) {
    throw incomplete(
      `Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=${shown(header)}`,
    )
  }
  const credential = known(options, authorization.accessKeyId)
  checkToken(request, credential, options.mode, now)
  checkTime(date, at, now, WINDOW[options.mode])
  if (options.mode === 'strict') checkScope(request, authorization, date, options)
  const signature = sign(request, authorization, date, credential.secretAccessKey)
  if (!equalBytes(new TextEncoder().encode(signature), new TextEncoder().encode(authorization.signature))) {
    throw badSignature(
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key ' +
        'and signing method. Consult the service documentation for details.',
    )
  }
  return credential.accessKeyId === authorization.accessKeyId
    ? credential
    : { ...credential, accessKeyId: authorization.accessKeyId, principalArn: undefined, allow: undefined }

  function known(from: SigV4Options, id: string): Credential {
    const exact = from.credentials.find(entry => entry.accessKeyId === id)
    const first = from.credentials[0]
    if (exact !== undefined) return exact
    if (from.mode === 'strict' || first === undefined) throw unknownToken()
    return { accessKeyId: first.accessKeyId, secretAccessKey: first.secretAccessKey }
  }
}

function named(options: SigV4Options, id: string | undefined): Credential {
  const found = options.credentials.find(entry => entry.accessKeyId === id)
  return found ?? { accessKeyId: id ?? 'anonymous', secretAccessKey: '' }
}

// The signature itself is not repeated
const shown = (header: string): string => header.replace(/Signature=[0-9a-f]+/, 'Signature=…')

function parse(header: string): Authorization {
  const [scheme, ...rest] = header.trim().split(/\s+/)
  if (scheme !== 'AWS4-HMAC-SHA256') {
    throw incomplete(`Unsupported AWS 'algorithm': '${scheme ?? ''}'.`)
  }
  const fields = new Map<string, string>()
  for (const part of rest.join('').split(',')) {
    const at = part.indexOf('=')
    if (at > 0) fields.set(part.slice(0, at), part.slice(at + 1))
  }
  const missing = ['Credential', 'Signature', 'SignedHeaders'].filter(name => !fields.get(name))
  if (missing.length > 0) {
    const text = missing.map(name => `Authorization header requires '${name}' parameter.`).join(' ')
    throw incomplete(`${text} Authorization=${shown(header)}`)
  }
  const parts = fields.get('Credential')!.split('/')
  const [accessKeyId, ...scope] = [parts.slice(0, -4).join('/'), ...parts.slice(-4)]
  if (parts.length < 5 || !accessKeyId) {
    throw incomplete(
      `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${fields.get('Credential')}'`,
    )
  }
  return {
    accessKeyId,
    scope: scope as unknown as Authorization['scope'],
    signedHeaders: fields.get('SignedHeaders')!.split(';'),
    signature: fields.get('Signature')!,
  }
}

/** `20261122T034101Z`, or an HTTP date. Milliseconds since the epoch. */
function parseBasicDate(text: string): number | undefined {
  const basic = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  const ms =
    basic === null
      ? Date.parse(text)
      : Date.parse(`${text.slice(0, 4)}-${basic[2]}-${basic[3]}T${basic[4]}:${basic[5]}:${basic[6]}Z`)
  return Number.isNaN(ms) ? undefined : ms
}

const basicDate = (ms: number): string => new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '')

function checkTime(date: string, at: number, now: number, window: number): void {
  const minutes = window / MINUTE
  if (at < now - window) {
    throw badSignature(
      `Signature expired: ${date} is now earlier than ${basicDate(now - window)} (${basicDate(now)} - ${minutes} min.)`,
    )
  }
  if (at > now + window) {
    throw badSignature(
      `Signature not yet current: ${date} is still later than ${basicDate(now + window)} (${basicDate(now)} + ${minutes} min.)`,
    )
  }
}

function checkToken(request: Incoming, credential: Credential, mode: SigV4Mode, now: number): void {
  const sent = request.headers['x-amz-security-token']
  if ((mode === 'strict' || credential.temporary === true) && sent !== credential.sessionToken) throw unknownToken()
  if (credential.expiresAt !== undefined && Date.parse(credential.expiresAt) <= now) {
    throw new AwsError('ExpiredTokenException', 'The security token included in the request is expired')
  }
}

function checkScope(
  request: Incoming,
  authorization: Authorization,
  date: string,
  { region, service: wanted = 'kms' }: SigV4Options,
): void {
  const [day, scopeRegion, service, end] = authorization.scope
  if (end !== 'aws4_request') throw badSignature(`Credential should be scoped with a valid terminator: 'aws4_request'.`)
  if (service !== wanted) throw badSignature(`Credential should be scoped to correct service: '${wanted}'. `)
  if (scopeRegion !== region)
    throw badSignature(`Credential should be scoped to a valid region, not '${scopeRegion}'. `)
  const stamp = basicDate(parseBasicDate(date)!)
  if (day !== stamp.slice(0, 8)) {
    throw badSignature(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${day}' != '${stamp.slice(0, 8)}', from '${stamp}'.`,
    )
  }
  const mustSign = ['host', ...Object.keys(request.headers).filter(name => name.startsWith('x-amz-'))]
  for (const name of mustSign) {
    if (authorization.signedHeaders.includes(name)) continue
    if (name === 'x-amz-user-agent') continue // some SDKs add it after signing
    throw badSignature(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`)
  }
  const claimed = request.headers['x-amz-content-sha256']
  if (claimed !== undefined && claimed !== toHex(sha256(request.body))) {
    throw badSignature('The value passed in as x-amz-content-sha256 does not match the computed payload hash.')
  }
}

function sign(request: Incoming, authorization: Authorization, date: string, secret: string): string {
  const utf8 = new TextEncoder()
  const [day, region, service, end] = authorization.scope
  const headers = authorization.signedHeaders
    .map(name => `${name}:${(request.headers[name] ?? '').trim().replace(/ +/g, ' ')}\n`)
    .join('')
  const [path, query] = splitTarget(request.target)
  const canonical = [
    request.method,
    path,
    canonicalQuery(query),
    headers,
    authorization.signedHeaders.join(';'),
    toHex(sha256(request.body)),
  ].join('\n')
  const stamp = basicDate(parseBasicDate(date)!)
  const toSign = ['AWS4-HMAC-SHA256', stamp, authorization.scope.join('/'), toHex(sha256(utf8.encode(canonical)))].join(
    '\n',
  )
  let key: Uint8Array = utf8.encode(`AWS4${secret}`)
  for (const part of [day, region, service, end, toSign]) key = hmac(sha256, key, utf8.encode(part))
  return toHex(key)
}

function splitTarget(target: string): [string, string] {
  const at = target.indexOf('?')
  return at < 0 ? [target || '/', ''] : [target.slice(0, at) || '/', target.slice(at + 1)]
}

function canonicalQuery(query: string): string {
  if (query === '') return ''
  return query
    .split('&')
    .map(part => (part.includes('=') ? part : `${part}=`))
    .toSorted((a, b) => (a < b ? -1 : 1))
    .join('&')
}
