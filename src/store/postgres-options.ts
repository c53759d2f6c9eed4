import { SignerError } from '../domain/errors.ts'
import { Secret } from '../domain/secret.ts'

/** Where the server is, and how it is reached. Nothing is taken from the environment. */
export interface PostgresConnection {
  readonly host: string
  /** 5432 unless told. */
  readonly port?: number
  readonly database: string
  readonly user: string
  /** A function when it changes, as with tokens of a cloud identity; it is asked for every new connection. */
  readonly password?: Secret | (() => Promise<Secret>)
  /**
   * `verify` (default): TLS, and the certificate must be for this host. `off`: plain text; only for a socket on this
   * machine, which is all that is accepted without `mayBePlain`.
   */
  readonly tls?: 'verify' | 'off'
  /** PEM. The authorities of the runtime unless told. */
  readonly ca?: string
  /** Client certificate, PEM. */
  readonly certificate?: string
  readonly certificateKey?: Secret
  /** For `tls: 'off'` over a network that is trusted some other way, such as a mesh or a private link. */
  readonly mayBePlain?: boolean
}

const refuse = (problem: string, fix: string) =>
  new SignerError('config/invalid', { problems: [{ path: 'store.url', problem, fix }] })

/**
 * `postgres://user@host:port/database?sslmode=verify-full`. Only what is listed here is understood, and a URL that says
 * something else is refused rather than read half.
 * @param password  not in the URL unless it came as a secret as a whole
 * @throws `config/invalid`; the text of the URL is not quoted, for it may hold a password
 */
export function readPostgresUrl(url: Secret | string, text: string): PostgresConnection {
  const parsed = URL.parse(text)
  if (parsed === null || (parsed.protocol !== 'postgres:' && parsed.protocol !== 'postgresql:')) {
    throw refuse('is not a postgres:// URL', 'write postgres://user@host:5432/database')
  }
  const password = decodeURIComponent(parsed.password)
  if (password !== '' && typeof url === 'string') {
    throw refuse('holds a password in plain sight', 'give the password, or the whole URL, as a file: or env: reference')
  }
  const database = decodeURIComponent(parsed.pathname.slice(1))
  const user = decodeURIComponent(parsed.username)
  const socket = parsed.searchParams.get('host')
  const host = socket ?? decodeURIComponent(parsed.hostname).replace(/^\[|\]$/g, '')
  if (host === '' || database === '' || user === '') {
    throw refuse('names no host, user or database', 'write postgres://user@host:5432/database')
  }
  for (const name of parsed.searchParams.keys()) {
    if (name !== 'sslmode' && name !== 'host')
      throw refuse(`has the unknown parameter ${name}`, 'use sslmode or host only')
  }
  const mode = parsed.searchParams.get('sslmode') ?? 'verify-full'
  if (mode !== 'verify-full' && mode !== 'disable') {
    throw refuse(
      `has sslmode=${mode}, which does not prove who answers`,
      'use verify-full, or disable for a local socket',
    )
  }
  return {
    host,
    ...(parsed.port === '' ? {} : { port: Number(parsed.port) }),
    database,
    user,
    ...(password === '' ? {} : { password: new Secret(password, 'store password') }),
    tls: mode === 'disable' ? 'off' : 'verify',
  }
}

const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '::1']

/** @throws `start/refused` for plain text over a network nobody vouched for */
export function refusePlain({ host, tls, mayBePlain }: PostgresConnection): void {
  if (tls !== 'off' || mayBePlain === true || host.startsWith('/') || LOOPBACK.includes(host)) return
  throw new SignerError('start/refused', {
    reason: `the store at ${host} would be reached in plain text`,
    fix: 'use TLS (sslmode=verify-full), or say that the network is trusted',
  })
}
