import { importPKCS8, SignJWT } from 'jose'
import { isSignerError } from '../../src/domain/errors.ts'
import type { Clock } from '../../src/domain/ports.ts'
import { reveal, type Secret } from '../../src/domain/secret.ts'
import { orAborted } from '../one-fetch.ts'
import type { ProviderWorld } from '../world.ts'
import type { GcpKmsConfig } from './config.ts'
import { credentialFile, invalidCredentials as invalid } from './credential-file.ts'
import { CredentialsError } from './translate.ts'
import type { Identity } from './wire.ts'

/** Where the headers that say who we are come from. */
export interface TokenSource {
  /** @throws CredentialsError, or the signal's reason. Nothing was sent to the key service. */
  headers(signal: AbortSignal): Promise<Readonly<Record<string, string>>>
  /** The service did not accept the token: the next call asks for a new one. */
  forget(): void
  identity(signal: AbortSignal): Promise<Identity>
}

/** Loads Google's own library; absent where it cannot run (the edge). */
export type LoadGoogleAuth = () => Promise<typeof import('./google-auth.ts')>

/** What a self-signed token is for. With an audience instead of a scope it is of use to this one service. */
const AUDIENCE = 'https://cloudkms.googleapis.com/'
const TOKEN_LIFETIME_S = 3_600

/** @throws `config/invalid` on credentials that cannot be read, or that this runtime has no library for. */
export function openAuth(
  config: GcpKmsConfig,
  world: ProviderWorld,
  local: boolean,
  load: LoadGoogleAuth | undefined,
): TokenSource {
  const quota = config.quotaProject === undefined ? {} : { 'x-goog-user-project': config.quotaProject }
  if (config.accessToken !== undefined) return accessToken(config.accessToken, quota)
  if (config.credentials !== undefined) {
    const file = credentialFile(config.credentials)
    if (file['type'] === 'service_account') return serviceAccount(file, quota, world.clock)
    if (load === undefined) throw invalid("credentials of this type need a runtime with Google's library", EDGE_FIX)
    return viaLibrary(load, config, world, file)
  }
  // An emulator on loopback gets neither a metadata lookup nor anybody's real credentials.
  if (local && world.environment !== 'production') return NOBODY
  if (load === undefined)
    throw invalid("application-default credentials need a runtime with Google's library", EDGE_FIX)
  return viaLibrary(load, config, world, undefined)
}

const EDGE_FIX = 'give accessToken, or credentials with the key of a service account'

const NOBODY: TokenSource = Object.freeze({
  headers: async () => ({}),
  forget: () => {},
  identity: async () => ({ kind: 'none: an emulator on this machine' }),
})

/** What a header may hold. gRPC would quote the rest in its error, and others say that the connection broke. */
const TOKEN = /^[\x21-\x7e]{1,16384}$/

function accessToken(token: Secret, quota: Record<string, string>): TokenSource {
  if (!TOKEN.test(reveal(token))) {
    const fix = 'give the token alone, as gcloud auth print-access-token prints it'
    throw invalid('empty, or holds characters no token has', fix, 'accessToken')
  }
  return {
    headers: async () => ({ authorization: `Bearer ${reveal(token)}`, ...quota }),
    forget: () => {},
    identity: async () => ({ kind: 'access token from the configuration' }),
  }
}

/**
 * A token signed by ourselves with the key of the service account: no request to anybody, on every runtime.
 * @see https://google.aip.dev/auth/4111 (self-signed JWT)
 */
function serviceAccount(file: Record<string, unknown>, quota: Record<string, string>, clock: Clock): TokenSource {
  const { client_email: email, private_key: pem, private_key_id: kid } = file
  if (typeof email !== 'string' || typeof pem !== 'string' || !pem.startsWith('-----BEGIN PRIVATE KEY-')) {
    throw invalid(
      'the service account key lacks client_email or a PKCS #8 private_key',
      'use the JSON file as Google made it',
    )
  }
  const kept = cachedToken(clock, async () => {
    const issuedAt = Math.floor(clock.now() / 1_000)
    try {
      const key = await importPKCS8(pem, 'RS256')
      const token = await new SignJWT()
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...(typeof kid === 'string' ? { kid } : {}) })
        .setIssuer(email)
        .setSubject(email)
        .setAudience(AUDIENCE)
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + TOKEN_LIFETIME_S)
        .sign(key)
      return { token, expiresAt: (issuedAt + TOKEN_LIFETIME_S) * 1_000, issuedAt: issuedAt * 1_000 }
    } catch {
      // What an importer says about a key may quote the key.
      throw new CredentialsError('refused')
    }
  })
  return {
    headers: async signal => ({ authorization: `Bearer ${await kept.get(signal)}`, ...quota }),
    forget: () => kept.forget(),
    identity: async () => ({ kind: 'service account key', principal: email }),
  }
}

/** Google's library, asked at the first call and not before. */
function viaLibrary(
  load: LoadGoogleAuth,
  config: GcpKmsConfig,
  world: ProviderWorld,
  file: Record<string, unknown> | undefined,
): TokenSource {
  let opened: Promise<TokenSource> | undefined
  const source = (): Promise<TokenSource> => {
    opened ??= load()
      .then(module => module.openGoogleAuth(config, world, file))
      .catch((error: unknown) => {
        opened = undefined
        // A file that Google's library does not take will not be taken the next time either.
        throw isSignerError(error) ? new CredentialsError('refused', { cause: error }) : error
      })
    return opened
  }
  return {
    headers: async signal => (await orAborted(source(), signal)).headers(signal),
    forget: () =>
      void opened?.then(
        each => each.forget(),
        () => {},
      ),
    identity: async signal => (await orAborted(source(), signal)).identity(signal),
  }
}

export interface Token {
  readonly token: string
  readonly issuedAt: number
  readonly expiresAt: number
}

/** Renewed this long before it ends, or in the last fifth of a shorter life: clocks differ, requests take time. */
const RENEW_BEFORE_MS = 5 * 60_000

/** One token at a time, fetched once however many wait for it. A fetch that fails is not remembered. */
export function cachedToken(clock: Clock, fetchToken: () => Promise<Token>) {
  let current: Token | undefined
  let pending: Promise<Token> | undefined
  const fresh = ({ issuedAt, expiresAt }: Token): boolean =>
    clock.now() < expiresAt - Math.min(RENEW_BEFORE_MS, (expiresAt - issuedAt) / 5)

  function renewed(): Promise<Token> {
    pending ??= fetchToken()
      .then(token => {
        current = token
        return token
      })
      .finally(() => {
        pending = undefined
      })
    return pending
  }

  return {
    async get(signal: AbortSignal): Promise<string> {
      if (current !== undefined && fresh(current)) return current.token
      return (await orAborted(renewed(), signal)).token
    },
    forget: (): void => {
      current = undefined
    },
  }
}
