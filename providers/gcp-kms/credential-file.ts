import { configInvalid } from '../checks.ts'
import { reveal, type Secret } from '../../src/domain/secret.ts'

/** What is taken here, and what each kind has to satisfy before anything is sent anywhere. */
const TYPES: Readonly<Record<string, (file: Fields) => Problem | undefined>> = {
  service_account: () => undefined, // read and checked where its key is used
  external_account: federationProblem,
  authorized_user: userProblem,
}

type Fields = Readonly<Record<string, unknown>>
type Problem = readonly [problem: string, fix: string]

/** What a token is exchanged for is bound to it. @see https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token */
const POOL_PROVIDER =
  /^\/\/iam\.googleapis\.com\/(projects\/[0-9]{1,20}\/locations\/global\/workloadIdentityPools|locations\/global\/workforcePools)\/[a-z0-9-]{1,63}\/providers\/[a-z0-9-]{1,63}$/
const AS_MADE = 'use the file as gcloud iam workload-identity-pools made it'
const UNIVERSE = 'googleapis.com'

/** The one way in which credentials are refused. Nothing of the file is quoted. */
export const invalidCredentials = (problem: string, fix: string, path = 'credentials') =>
  configInvalid([{ path, problem, fix }])

/**
 * The text of a credential file, taken apart and looked at: when the provider is opened, not when it is first asked, so
 * that a file which cannot work, starts a program or sends tokens elsewhere stops the start and no signature.
 * @throws `config/invalid`
 */
export function credentialFile(credentials: Secret): Record<string, unknown> {
  const file = parsed(reveal(credentials))
  if (file === undefined) {
    throw invalidCredentials(
      'not the JSON text of a credential file',
      'refer to the file itself: credentials = "file:/path/to/key.json"',
    )
  }
  const type = file['type']
  const check = typeof type === 'string' && Object.hasOwn(TYPES, type) ? TYPES[type] : undefined
  if (check === undefined) {
    const fix = `use a file of type ${Object.keys(TYPES).join(', ')}; others work as application-default credentials (GOOGLE_APPLICATION_CREDENTIALS)`
    throw invalidCredentials('a credential file of a type that is not taken here', fix)
  }
  const problem = check(file)
  if (problem !== undefined) throw invalidCredentials(...problem)
  return file
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const file: unknown = JSON.parse(text)
    return typeof file === 'object' && file !== null && !Array.isArray(file)
      ? (file as Record<string, unknown>)
      : undefined
  } catch {
    return undefined // a JSON.parse error quotes its input
  }
}

/** Where a subject token or its exchange may go: Google alone. Google's library would build the host from `universe_domain`. */
function federationProblem(file: Fields): Problem | undefined {
  const source = (file['credential_source'] ?? {}) as Fields
  if (source['executable'] !== undefined)
    return ['the file would start a program', 'use a source of type file, url or AWS']
  if (!['file', 'url', 'environment_id'].some(member => typeof source[member] === 'string'))
    return ['the file has no source of type file, url or AWS', AS_MADE]
  if (typeof file['audience'] !== 'string' || !POOL_PROVIDER.test(file['audience']))
    return ['audience does not name one provider of one identity pool', AS_MADE]
  if (typeof file['subject_token_type'] !== 'string') return ['the file lacks subject_token_type', AS_MADE]
  if (!isGoogle(file['token_url'])) return ['token_url does not lead to Google', AS_MADE]
  const impersonation = file['service_account_impersonation_url']
  if (impersonation !== undefined && !isGoogle(impersonation))
    return ['service_account_impersonation_url does not lead to Google', AS_MADE]
  return universeProblem(file)
}

function userProblem(file: Fields): Problem | undefined {
  const complete = ['client_id', 'client_secret', 'refresh_token'].every(
    member => typeof file[member] === 'string' && file[member] !== '',
  )
  if (!complete) return ['the file lacks client_id, client_secret or refresh_token', 'use the file as gcloud made it']
  return universeProblem(file)
}

const universeProblem = ({ universe_domain: universe = UNIVERSE }: Fields): Problem | undefined =>
  universe === UNIVERSE
    ? undefined
    : ['the file is of another universe_domain than googleapis.com', 'use a file of Google Cloud itself']

function isGoogle(url: unknown): boolean {
  if (typeof url !== 'string' || !URL.canParse(url)) return false
  const { protocol, hostname, username, port } = new URL(url)
  return protocol === 'https:' && hostname.endsWith(`.${UNIVERSE}`) && username === '' && port === ''
}
