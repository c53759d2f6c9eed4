import { AwsClient, GoogleAuth, IdentityPoolClient, UserRefreshClient, type AuthClient } from 'google-auth-library'
import type { Clock, Fetch } from '../../src/domain/ports.ts'
import { isLoopback } from '../endpoint.ts'
import { oneFetch, orAborted } from '../one-fetch.ts'
import type { ProviderWorld } from '../world.ts'
import type { TokenSource } from './auth.ts'
import type { GcpKmsConfig } from './config.ts'
import { invalidCredentials as invalid } from './credential-file.ts'
import { CredentialsError } from './translate.ts'

/** The narrowest scope that opens Cloud KMS. */
const SCOPE = 'https://www.googleapis.com/auth/cloudkms'
const SERVICE = 'cloudkms.googleapis.com'
const ANSWER_BYTES_MAX = 256 * 1024
/** Requests for tokens are shared by all who wait, so no caller's deadline ends them. */
const TOKEN_REQUEST_MS = 10_000

/**
 * Everything that Google's library knows and nobody should write again: application-default credentials, workload
 * identity federation, user credentials, impersonation, the metadata server. It caches tokens, renews them before they
 * end and fetches each once however many wait.
 *
 * @param file a credential file from the configuration, checked by credential-file.ts; undefined: application-default
 *             credentials.
 * @throws `config/invalid` on a file that the library does not take.
 */
export function openGoogleAuth(
  config: GcpKmsConfig,
  world: ProviderWorld,
  file: Record<string, unknown> | undefined,
): TokenSource {
  const options = {
    transporterOptions: { fetchImplementation: fetchFor(world) as typeof fetch },
    ...(config.quotaProject === undefined ? {} : { quotaProjectId: config.quotaProject }),
  }
  const client = file === undefined ? applicationDefault(config, options) : fromFile(file, options)
  return {
    async headers(signal) {
      const waiting = client().then(each => each.getRequestHeaders(`https://${SERVICE}/`))
      const headers = await orAborted(waiting, signal).catch((error: unknown) => {
        throw signal.aborted ? signal.reason : credentialsError(error)
      })
      const authorization = headers.get('authorization')
      if (authorization === null) throw new CredentialsError('absent')
      // An answer without a token becomes one of these words in the library.
      if (!BEARER.test(authorization) || NO_TOKEN.has(authorization)) throw new CredentialsError('refused')
      const quota = config.quotaProject ?? headers.get('x-goog-user-project')
      return { authorization, ...(quota === null ? {} : { 'x-goog-user-project': quota }) }
    },
    // The library renews by time; a token that is refused before its time is dropped here.
    forget: () =>
      void client().then(
        each => each.setCredentials({ expiry_date: 1, refresh_token: each.credentials.refresh_token ?? null }),
        () => {},
      ),
    async identity(signal) {
      const each = await orAborted(client(), signal).catch((error: unknown) => {
        throw signal.aborted ? signal.reason : credentialsError(error)
      })
      const principal = principalOf(each)
      const kind =
        file === undefined ? 'application-default credentials' : `credential file of type ${String(file['type'])}`
      return { kind, ...(principal === undefined ? {} : { principal }) }
    },
  }
}

type Options = { readonly transporterOptions: object; readonly quotaProjectId?: string }

function applicationDefault(config: GcpKmsConfig, clientOptions: Options): () => Promise<AuthClient> {
  const auth = new GoogleAuth({
    scopes: [SCOPE],
    clientOptions: { ...clientOptions },
    // Without a project the library starts `gcloud` to find one. Nothing here asks it for a project.
    projectId: config.project ?? 'unused',
  })
  // A service account signs its own tokens for this service; no token request leaves.
  Object.assign(auth, { useJWTAccessWithScope: true, defaultServicePath: SERVICE })
  return () => auth.getClient()
}

function fromFile(file: Record<string, unknown>, options: Options): () => Promise<AuthClient> {
  const client = file['type'] === 'authorized_user' ? user(file, options) : federated(file, options)
  return async () => client
}

function user(file: Record<string, unknown>, options: Options): AuthClient {
  const client = new UserRefreshClient({ ...options })
  try {
    client.fromJSON(file)
  } catch {
    throw invalid('the file lacks client_id, client_secret or refresh_token', 'use the file as gcloud made it')
  }
  return client
}

function federated(file: Record<string, unknown>, options: Options): AuthClient {
  const source = (file['credential_source'] ?? {}) as Record<string, unknown>
  const settings = { ...file, ...options, scopes: [SCOPE] }
  try {
    const client =
      source['environment_id'] === undefined
        ? new IdentityPoolClient(settings as unknown as ConstructorParameters<typeof IdentityPoolClient>[0])
        : new AwsClient(settings as unknown as ConstructorParameters<typeof AwsClient>[0])
    // The library gives the token exchange a transport of its own; the exchange too has to go through our fetch.
    const exchange = (client as unknown as { stsCredential?: object }).stsCredential
    if (exchange !== undefined) Object.assign(exchange, { transporter: client.transporter })
    return client
  } catch {
    throw invalid(
      'the file is no workload identity configuration',
      'use the file as gcloud iam workload-identity-pools made it',
    )
  }
}

function principalOf(client: AuthClient): string | undefined {
  const { email, getServiceAccountEmail, getTargetPrincipal } = client as unknown as {
    email?: unknown
    getServiceAccountEmail?: () => string | null
    getTargetPrincipal?: () => string
  }
  const found = email ?? getServiceAccountEmail?.call(client) ?? getTargetPrincipal?.call(client)
  return typeof found === 'string' ? found : undefined
}

/** 4xx of a token endpoint is a no; everything else is no answer. The library's error may quote the request: it goes no further. */
function credentialsError(error: unknown): CredentialsError {
  if (error instanceof CredentialsError) return error
  const { message, status, response, code } = (error ?? {}) as Record<string, unknown>
  const answered = Number((response as { status?: unknown } | undefined)?.status ?? status ?? Number.NaN)
  const said = typeof message === 'string' ? message : ''
  if (said.startsWith('Could not load the default credentials')) return new CredentialsError('absent')
  if ((answered >= 400 && answered < 500 && answered !== 429) || said.startsWith('Error code ')) {
    return new CredentialsError('refused')
  }
  return new CredentialsError(typeof code === 'string' && code === 'ENOENT' ? 'absent' : 'unreachable')
}

const BEARER = /^Bearer [\x21-\x7e]{1,16384}$/
const NO_TOKEN: ReadonlySet<string> = new Set(['Bearer undefined', 'Bearer null'])

/** Metadata services of clouds, which speak plain http on a link-local address. */
const METADATA = new Set(['169.254.169.254', 'metadata.google.internal'])

/** The one fetch, in the shape the library takes: no redirect, capped, ended by our clock. */
function fetchFor({ fetch, clock }: { fetch: Fetch; clock: Clock }) {
  return async (input: URL | string, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(input)
    if (url.protocol !== 'https:' && !isLoopback(url.hostname) && !METADATA.has(url.hostname)) {
      throw new Error('credentials are asked for over https only')
    }
    const late = new AbortController()
    const done = new AbortController()
    clock.sleep(TOKEN_REQUEST_MS, done.signal).then(
      () => late.abort(),
      () => {},
    )
    try {
      const { body } = init
      const answer = await oneFetch(fetch, {
        url: url.href,
        method: init.method ?? 'GET',
        headers: Object.fromEntries(new Headers(init.headers)),
        ...(body === undefined || body === null ? {} : { body: formOf(body) }),
        signal: late.signal,
        bodyBytesMax: ANSWER_BYTES_MAX,
      })
      const empty = answer.status === 204 || answer.status === 304
      return new Response(empty ? null : (answer.body as Uint8Array<ArrayBuffer>), {
        status: answer.status,
        headers: answer.headers,
      })
    } finally {
      done.abort()
    }
  }
}
/** The library sends JSON as text and forms as URLSearchParams; nothing else. */
function formOf(body: unknown): string {
  if (typeof body === 'string') return body
  if (body instanceof URLSearchParams) return body.toString()
  throw new Error('a request for credentials has a body of another kind')
}
