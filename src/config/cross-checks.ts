/** What holds between sections, or needs the inside of a secret: every rule looks at one thing. No value of a secret is told. */
import { fromBase64Url } from '../bytes/base64.ts'
import { readWebhookSecret } from '../bytes/webhook.ts'
import { readEvmAddress } from '../bytes/evm-address.ts'
import type { ConfigProblem } from '../domain/errors.ts'
import { reveal, type Secret } from '../domain/secret.ts'
import { UNIX } from '../access/addresses.ts'
import { readHours } from '../access/hours.ts'
import { mappingProblems } from './key-mapping.ts'
import type { Draft } from './schema.ts'
import { isSafeOrigin } from './shapes.ts'
import { isStellarText } from '../bytes/stellar-text.ts'
import { templateProblems } from './transactions.ts'

type Rule = (draft: Draft) => readonly ConfigProblem[]

/** Runs on a configuration whose every field is good by itself. */
export const crossProblems = (draft: Draft): ConfigProblem[] => RULES.flatMap(rule => rule(draft))

const problem = (path: string, text: string, fix: string): ConfigProblem => ({ path, problem: text, fix })
const WILDCARDS = ['0.0.0.0', '::']

/** Whether two listeners would want the same place; hosts by name are not looked up, so equal ports are enough there. */
const sameDoor: Rule = ({ server, control }) => {
  if (server.socket !== undefined || control.socket !== undefined) {
    if (server.socket !== control.socket) return []
    return [problem('control.socket', 'is the socket of the data plane', 'give each plane a socket of its own')]
  }
  const address = (host: string) => (host === 'localhost' ? '127.0.0.1' : host)
  const [one, other] = [address(server.host), address(control.host)]
  const overlap = one === other || WILDCARDS.includes(one) || WILDCARDS.includes(other)
  if (server.port === 0 || server.port !== control.port || !overlap) return []
  return [
    problem(
      'control.port',
      `is ${control.port}, as server.port is`,
      'give each plane a port, an address or a socket of its own',
    ),
  ]
}

/** A proof for one plane must not fit the other. */
const sameUrl: Rule = ({ server, control }) =>
  control.baseUrls.flatMap((url, at) =>
    server.baseUrls.includes(url)
      ? [problem(`control.baseUrls.${at}`, 'is a URL of the data plane', 'reach each plane under a URL of its own')]
      : [],
  )

const trustedProxies: Rule = ({ proxies, server, control }) => [
  ...proxies.addresses.flatMap((entry, at) =>
    entry.endsWith('/0')
      ? [problem(`proxies.addresses.${at}`, 'would believe everybody', 'list the addresses of the proxies alone')]
      : [],
  ),
  ...(proxies.addresses.includes(UNIX) && server.socket === undefined && control.socket === undefined
    ? [
        problem(
          'proxies.addresses',
          'trusts callers on a socket, and no plane has one',
          'set server.socket, or remove "unix"',
        ),
      ]
    : []),
  ...(proxies.certificateHeader !== undefined && proxies.addresses.length === 0
    ? [
        problem(
          'proxies.certificateHeader',
          'is set, and no proxy is listed that it would be believed from',
          'list the proxies that end mTLS in proxies.addresses, or remove it',
        ),
      ]
    : []),
]

const keySource: Rule = ({ tokens }) => {
  if (tokens === undefined) return []
  const { jwks, jwksUrl } = tokens
  if (jwks === undefined && jwksUrl === undefined)
    return [problem('tokens.jwks', 'is missing', 'name the file with the public keys, or set tokens.jwksUrl')]
  if (jwks !== undefined && jwksUrl !== undefined)
    return [problem('tokens.jwksUrl', 'is set beside tokens.jwks', 'keep one of them')]
  if (jwksUrl === undefined) return []
  const url = new URL(jwksUrl)
  if (url.username !== '' || url.password !== '' || url.hash !== '')
    return [problem('tokens.jwksUrl', 'holds a user or a fragment', 'use scheme, host, port, path and query only')]
  return isSafeOrigin(url) ? [] : [problem('tokens.jwksUrl', 'is not https', 'use https://, or http:// on 127.0.0.1')]
}

const database: Rule = ({ store }) => {
  if (store.kind === 'sqlite') {
    return [
      ...(store.url === undefined
        ? []
        : [problem('store.url', 'is set, and the store is sqlite', 'set store.kind = "postgres", or remove it')]),
      ...(store.replicas === 1
        ? []
        : [
            problem(
              'store.kind',
              `is sqlite, and ${store.replicas} instances are to share it`,
              'use postgres: limits, spend windows and idempotency are exact only in one place',
            ),
          ]),
    ]
  }
  return store.url === undefined
    ? [problem('store.url', 'is missing', 'set it to "env:NAME" or "file:/path" with a postgres:// URL')]
    : databaseUrl(store.url, store.tls)
}

function databaseUrl(secret: Secret, tls: 'verify' | 'off'): ConfigProblem[] {
  const text = reveal(secret)
  const url = URL.canParse(text) ? new URL(text) : undefined
  const known = url?.protocol === 'postgres:' || url?.protocol === 'postgresql:'
  if (url === undefined || !known || url.pathname.length < 2 || url.username === '')
    return [problem('store.url', 'is not the URL of a database', 'use postgres://USER:PASSWORD@HOST:PORT/DATABASE')]
  // A second place that decides about TLS would stand in a text that nobody reads.
  if ([...url.searchParams.keys()].some(name => name !== 'host'))
    return [problem('store.url', 'has parameters besides host', 'remove them; about TLS decide store.tls and store.ca')]
  const host = url.searchParams.get('host') ?? url.hostname.replace('[', '').replace(']', '')
  if (tls === 'verify' || ['localhost', '127.0.0.1', '::1'].includes(host) || host.startsWith('/')) return []
  const fix = 'use "verify", with store.ca where its certificate is your own'
  return [problem('store.tls', 'is off, and the database is on another machine', fix)]
}

/** @see SEP-10: the domain of the endpoint itself, which may differ from the home domain. */
const logins: Rule = ({ environment, login, control }) => {
  const { homeDomain, webAuthDomain, serverKey } = login
  const badKey =
    serverKey !== undefined && !isStellarText(reveal(serverKey), 'seed')
      ? [problem('login.serverKey', 'is not a Stellar seed', 'put the S… of a key made for this alone there')]
      : []
  if (homeDomain === undefined) {
    const orphan = webAuthDomain === undefined && serverKey === undefined
    return orphan
      ? badKey
      : [...badKey, problem('login.homeDomain', 'is missing, and other settings of the login are there', 'set it')]
  }
  const hosts = control.baseUrls.map(url => new URL(url).host)
  const served = webAuthDomain ?? homeDomain
  return [
    ...badKey,
    ...(serverKey === undefined && environment !== 'development'
      ? [problem('login.serverKey', 'is missing', 'set it to "file:/path" with the S… of a key made for this alone')]
      : []),
    ...(control.baseUrls.length === 0 && environment !== 'development'
      ? [
          problem(
            'control.baseUrls',
            'is missing, and people log in under it',
            'set the https URL of the control plane',
          ),
        ]
      : []),
    ...(hosts.length > 0 && !hosts.includes(served)
      ? [
          problem(
            'login.webAuthDomain',
            `"${served}" is not the host of a URL in control.baseUrls`,
            'set it to the host under which people log in',
          ),
        ]
      : []),
  ]
}

/** A looser policy comes in force between the two, or never. */
const approvalTimes: Rule = ({ approvals: { coolDownMinutes, expiryHours } }) =>
  coolDownMinutes < expiryHours * 60
    ? []
    : [
        problem(
          'approvals.coolDownMinutes',
          `is ${coolDownMinutes}, and a proposal is void after ${expiryHours * 60} minutes: no policy could become looser`,
          'make it shorter than approvals.expiryHours',
        ),
      ]

/** Compared as text: one spelling for each person, and each once. */
const people = (path: string, addresses: readonly string[]): ConfigProblem[] =>
  addresses.flatMap((address, at) => {
    const place = `${path}.${at}`
    const canonical = isStellarText(address, 'address') ? address : readEvmAddress(address)
    if (canonical === undefined) return [problem(place, 'is not an address', 'use G…, or 0x… with its checksum')]
    if (canonical !== address) return [problem(place, 'is not in its one spelling', `write ${canonical}`)]
    return addresses.indexOf(address) === at ? [] : [problem(place, 'stands there twice', 'name each address once')]
  })

const approvers: Rule = ({ approvals: { approvers: addresses, loosening } }) => {
  if (addresses === undefined) return []
  const found = people('approvals.approvers', addresses)
  if (found.length > 0 || addresses.length >= loosening) return found
  return [
    problem(
      'approvals.approvers',
      `names ${addresses.length}, and a looser policy needs ${loosening}`,
      'name as many people as approvals.loosening says, or more',
    ),
  ]
}

const custodians: Rule = ({ breakGlass }) => {
  if (breakGlass === undefined) return []
  const { custodians: addresses, quorum } = breakGlass
  const found = people('breakGlass.custodians', addresses)
  if (found.length > 0 || quorum <= addresses.length) return found
  return [
    problem('breakGlass.quorum', `is ${quorum}, of ${addresses.length} custodians`, 'make it no more than there are'),
  ]
}

const issuerKey: Rule = ({ issuer }) =>
  issuer.key === undefined || readIssuerJwk(reveal(issuer.key)) !== undefined
    ? []
    : [
        problem(
          'issuer.key',
          'is not a private key for Ed25519',
          'use a JWK: {"kty":"OKP","crv":"Ed25519","kid":"…","x":"…","d":"…"}',
        ),
      ]

/** Read over once more where it is opened, which also proves that its halves belong together. */
const metadataKey: Rule = ({ metadata: { key } }) => {
  if (key === undefined || readEd25519Jwk(reveal(key)) !== undefined) return []
  const fix = 'use a JWK: {"kty":"OKP","crv":"Ed25519","x":"…","d":"…"}'
  return [problem('metadata.key', 'is not a private key for Ed25519', fix)]
}

const webhookSecret: Rule = ({ webhooks }) =>
  webhooks === undefined || readWebhookSecret(reveal(webhooks.secret)) !== undefined
    ? []
    : [problem('webhooks.secret', 'is no secret of webhooks', 'use whsec_ and 24 to 64 bytes in base64')]

/** In one process, what the control plane gives out is for the data plane beside it. */
const ownAudience: Rule = ({ plane, tokens, issuer }) =>
  plane === 'all' && tokens !== undefined && tokens.audience !== issuer.audience
    ? [
        problem(
          'issuer.audience',
          'is not tokens.audience, so the data plane would refuse every service token',
          'give both the same value',
        ),
      ]
    : []

/** A private JWK as RFC 8037 §2 has it, with a kid. */
export interface IssuerJwk {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  readonly kid: string
  readonly x: string
  readonly d: string
}

/** @returns undefined for anything else; what was wrong is not told, for it is a secret. */
export function readIssuerJwk(text: string): IssuerJwk | undefined {
  const jwk = readEd25519Jwk(text)
  return jwk?.kid === undefined ? undefined : { ...jwk, kid: jwk.kid }
}

/** The same, also without a kid. */
function readEd25519Jwk(text: string): (Omit<IssuerJwk, 'kid'> & { readonly kid?: string }) | undefined {
  let value: Partial<Record<string, unknown>>
  try {
    value = Object(JSON.parse(text)) as Partial<Record<string, unknown>>
  } catch {
    return undefined
  }
  const { kty, crv, kid, x, d } = value
  const is32 = (part: unknown): part is string => typeof part === 'string' && fromBase64Url(part)?.length === 32
  if (kty !== 'OKP' || crv !== 'Ed25519' || !is32(x) || !is32(d)) return undefined
  if (kid === undefined) return { kty, crv, x, d }
  return typeof kid === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(kid) ? { kty, crv, kid, x, d } : undefined
}

const openingHours: Rule = ({ admission }) =>
  (['data', 'control'] as const).flatMap(plane => {
    const { hours } = admission[plane]
    const path = `admission.${plane}.hours`
    if (hours.windows.length > 0) return readHours(hours, path).problems
    return hours.except.length === 0
      ? []
      : [problem(`${path}.except`, 'names dates, and there are no windows that they would close', 'add windows')]
  })

const flagsOnce: Rule = ({ flags }) =>
  flags.file !== undefined && flags.service !== undefined
    ? [problem('flags.service', 'is set beside flags.file', 'keep the flags in one place')]
    : []

const mapped: Rule = ({ keys, providers }) => [
  ...(keys.provider !== undefined && !Object.hasOwn(providers, keys.provider)
    ? [
        problem(
          'keys.provider',
          'is not configured',
          `use one of ${Object.keys(providers).join(', ') || '(none is configured)'}`,
        ),
      ]
    : []),
  ...mappingProblems({ keys, providers }),
]

const built: Rule = ({ templates, networks }) => templateProblems(templates, networks)

const RULES: readonly Rule[] = [
  built,
  sameDoor,
  sameUrl,
  trustedProxies,
  keySource,
  database,
  logins,
  issuerKey,
  metadataKey,
  webhookSecret,
  approvalTimes,
  approvers,
  custodians,
  ownAudience,
  openingHours,
  flagsOnce,
  mapped,
]
