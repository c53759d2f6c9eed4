import { SignerError } from '../domain/errors.ts'
import { reveal, Secret } from '../domain/secret.ts'

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
 * @param url  as a secret when it holds the password
 * @throws `config/invalid`; the text is not quoted, for it may hold a password
 */
export function readPostgresUrl(url: Secret | string): PostgresConnection {
  const parsed = URL.parse(typeof url === 'string' ? url : reveal(url))
  if (parsed === null || (parsed.protocol !== 'postgres:' && parsed.protocol !== 'postgresql:')) throw notAnUrl()
  const [user, password, name, host] = [
    parsed.username,
    parsed.password,
    parsed.pathname.slice(1),
    parsed.hostname,
  ].map(decoded) as [string, string, string, string]
  if (password !== '' && typeof url === 'string') {
    throw refuse('holds a password in plain sight', 'give the password, or the whole URL, as a file: or env: reference')
  }
  const place = parsed.searchParams.get('host') ?? host.replace(/^\[|\]$/g, '')
  if (place === '' || name === '' || user === '') {
    throw refuse('names no host, user or database', 'write postgres://user@host:5432/database')
  }
  const unknown = [...parsed.searchParams.keys()].find(each => each !== 'sslmode' && each !== 'host')
  if (unknown !== undefined) throw refuse(`has the unknown parameter ${unknown}`, 'use sslmode or host only')
  const mode = parsed.searchParams.get('sslmode') ?? 'verify-full'
  if (mode !== 'verify-full' && mode !== 'disable') {
    throw refuse(
      `has sslmode=${mode}, which does not prove who answers`,
      'use verify-full, or disable for a local socket',
    )
  }
  return {
    host: place,
    ...(parsed.port === '' ? {} : { port: Number(parsed.port) }),
    database: name,
    user,
    ...(password === '' ? {} : { password: new Secret(password, 'store password') }),
    tls: mode === 'disable' ? 'off' : 'verify',
  }
}

const notAnUrl = () => refuse('is not a postgres:// URL', 'write postgres://user@host:5432/database')

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw notAnUrl()
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
