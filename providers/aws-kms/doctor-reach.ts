import type { Finding } from '../../src/domain/doctor.ts'
import type { Call } from '../../src/domain/provider.ts'
import { isSignerError } from '../../src/domain/errors.ts'
import { oneFetch, TransportError } from '../one-fetch.ts'
import type { ProviderWorld } from '../world.ts'
import type { KmsClient } from './client.ts'
import type { AwsKmsConfig } from './config.ts'
import { CredentialError, type CredentialSource } from './credential-error.ts'
import { vendorErrorOf } from './doctor-words.ts'

/** SigV4 allows this much, either way. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html */
const OFFSET_MS_MAX = 5 * 60_000
const OFFSET_MS_WARN = 60_000

export interface Reached {
  readonly findings: readonly Finding[]
  readonly answered: boolean
}

/** One request without credentials, which AWS KMS refuses by name: enough to see who answers and what time it is there. */
export async function reach(client: KmsClient, world: ProviderWorld, call: Call): Promise<Reached> {
  const host = new URL(client.endpoint).host
  const before = world.clock.now()
  try {
    const { status, headers } = await oneFetch(world.fetch, {
      url: client.endpoint,
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': 'TrentService.GetPublicKey',
        'accept-encoding': 'identity',
      },
      body: '{}',
      signal: call.signal,
      bodyBytesMax: 64 * 1024,
    })
    const clock = clockFinding(headers.get('date'), before, world.clock.now())
    if (headers.has('x-amzn-requestid')) {
      return { answered: true, findings: [{ check: 'reachable', outcome: 'ok', facts: { host, status } }, clock] }
    }
    const foreign: Finding = {
      check: 'reachable',
      outcome: 'warning',
      facts: { host, status },
      meaning: 'something answers there that does not look like AWS KMS: it gives its answers no request id',
      fix: 'check endpoint, and any proxy between here and it',
    }
    return { answered: true, findings: [foreign, clock] }
  } catch (error) {
    const skipped: Finding = { check: 'clock', outcome: 'skipped', meaning: 'no answer came that could tell the time' }
    return { answered: false, findings: [unreachable(client.endpoint, error), skipped] }
  }
}

function clockFinding(date: string | null, before: number, after: number): Finding {
  const theirs = Date.parse(date ?? '')
  if (Number.isNaN(theirs)) {
    return { check: 'clock', outcome: 'skipped', meaning: 'the answer carries no Date that could be compared' }
  }
  // The header has whole seconds: the middle of its second against the middle of our wait.
  const offsetMs = Math.round((before + after) / 2 - (theirs + 500))
  const facts = { offsetMs }
  if (Math.abs(offsetMs) <= OFFSET_MS_WARN) return { check: 'clock', outcome: 'ok', facts }
  const seconds = Math.round(Math.abs(offsetMs) / 1000)
  const off = `this machine's clock is ${seconds} seconds ${offsetMs > 0 ? 'ahead of' : 'behind'} the service's`
  const fix = 'set the clock: `timedatectl set-ntp true`, or `chronyc makestep` where chrony runs'
  if (Math.abs(offsetMs) <= OFFSET_MS_MAX) {
    return { check: 'clock', outcome: 'warning', facts, meaning: `${off}; AWS refuses requests from 300 on`, fix }
  }
  return { check: 'clock', outcome: 'failed', facts, meaning: `${off}, and AWS refuses requests that are 300 off`, fix }
}

type Stage = 'name' | 'connection' | 'tls' | 'answer'

/** What each runtime says, by code or by the phrase of its HTTP client. */
const STAGES: readonly (readonly [Stage, RegExp])[] = [
  ['name', /ENOTFOUND|EAI_|dns error/],
  ['tls', /CERT|SSL|TLS|EPROTO|SELF_SIGNED|UNABLE_TO_|INVALID_CA|HOSTNAME_MISMATCH|certificate|corrupt message/],
  ['connection', /ECONN|EHOSTUNREACH|ENETUNREACH|ConnectionRefused|FailedToOpenSocket|CONNECT_TIMEOUT|tcp connect/],
]

function unreachable(endpoint: string, error: unknown): Finding {
  const { host, hostname, port, protocol } = new URL(endpoint)
  const kind = error instanceof TransportError ? error.kind : undefined
  const text = causes(error)
  const stage = STAGES.find(([, words]) => words.test(text))?.[0] ?? 'answer'
  const finding = { check: 'reachable', outcome: 'failed', vendorError: text, facts: { host, stage } } as const
  const number = port || (protocol === 'https:' ? '443' : '80')
  if (kind === 'redirected') {
    const meaning = 'the endpoint answers with a redirect, which is never followed'
    return { ...finding, meaning, fix: `take the proxy or the login page out of the way to ${host}` }
  }
  if (kind === 'aborted' || kind === 'not-sent') {
    const meaning = 'no answer came in time: packets are dropped on the way, or the deadline is too short'
    return { ...finding, meaning, fix: `open the way out to ${hostname} port ${number}, or raise the deadline` }
  }
  switch (stage) {
    case 'name':
      return {
        ...finding,
        meaning: `the name ${hostname} cannot be resolved`,
        fix: `check region and endpoint; \`getent hosts ${hostname}\` must print an address (a VPC endpoint needs private DNS)`,
      }
    case 'connection':
      return {
        ...finding,
        meaning: `${hostname} has an address, but nothing takes a connection on port ${number}`,
        fix: `open port ${number} to ${hostname} in security groups and firewalls; \`nc -vz ${hostname} ${number}\` must succeed`,
      }
    case 'tls':
      return {
        ...finding,
        meaning: `${hostname} takes connections, but its certificate or its TLS is not acceptable`,
        fix: `\`openssl s_client -connect ${hostname}:${number} -servername ${hostname}\` shows the certificate; take away what intercepts TLS, or name the right endpoint`,
      }
    default:
      return {
        ...finding,
        meaning: 'the connection broke before an answer was complete',
        fix: `try \`curl -v ${new URL('/ping', endpoint).href}\`, and look at what lies between here and there`,
      }
  }
}

function causes(error: unknown): string {
  const texts: string[] = []
  let at = error instanceof TransportError ? error.cause : error
  for (let depth = 0; depth < 5 && typeof at === 'object' && at !== null; depth++) {
    const { code, message, cause } = at as { code?: unknown; message?: unknown; cause?: unknown }
    texts.push([code, message].filter(part => typeof part === 'string').join(': '))
    at = cause
  }
  return texts.filter(text => text !== '').join('; ') || 'no further words'
}

export interface Identified {
  readonly finding: Finding
  /** Undefined: unknown, though there may be credentials. */
  readonly arn?: string
  readonly usable: boolean
}

/** sts:GetCallerIdentity: no policy can forbid it, so it tells who we are even to whom everything is forbidden. */
export async function identify(
  client: KmsClient,
  config: AwsKmsConfig,
  world: ProviderWorld,
  call: Call,
): Promise<Identified> {
  const { credentials, local } = client
  const { source } = credentials
  const check = 'credentials'
  try {
    await credentials.provider()
  } catch (error) {
    return { usable: false, finding: { check, outcome: 'failed', ...noCredentials(error, source, config) } }
  }
  if (local && config.stsEndpoint === undefined) {
    const meaning = 'the endpoint is on this machine, so AWS STS is not asked whose credentials these are'
    return { usable: true, finding: { check, outcome: 'skipped', facts: { source }, meaning } }
  }
  try {
    const { callerIdentity } = await import('./sts.ts')
    const { arn, account } = await aborting(callerIdentity(config, world, credentials.provider), call.signal)
    return { usable: true, arn, finding: { check, outcome: 'ok', facts: { identity: arn, account, source } } }
  } catch (error) {
    return notIdentified(error, source, config)
  }
}

const aborting = <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    if (signal.aborted) reject(new TransportError('aborted'))
    else signal.addEventListener('abort', () => reject(new TransportError('aborted')), { once: true })
    promise.then(resolve, reject)
  })

function notIdentified(error: unknown, source: CredentialSource, config: AwsKmsConfig): Identified {
  const said = vendorErrorOf(error)
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
  if (status === undefined || status >= 500) {
    const meaning = 'AWS STS could not be asked whose credentials these are; AWS KMS is asked all the same'
    const fix = `give stsEndpoint, or open the way to sts.${config.region}.amazonaws.com; signing itself does not need it`
    return {
      usable: true,
      finding: { check: 'credentials', outcome: 'warning', ...said, facts: { source }, meaning, fix },
    }
  }
  const meaning = 'AWS does not accept the credentials: wrong, deleted, expired, or of another partition'
  const finding: Finding = {
    check: 'credentials',
    outcome: 'failed',
    ...said,
    facts: { source },
    meaning,
    fix: renew(source),
  }
  return { usable: false, finding }
}

const renew = (source: CredentialSource): string =>
  source === 'static keys'
    ? 'make a new access key (`aws iam create-access-key`) and put it where accessKeyId and secretAccessKey point'
    : `renew what the ${source} gives out; \`aws sts get-caller-identity\` in the same place must succeed`

function noCredentials(error: unknown, source: CredentialSource, config: AwsKmsConfig) {
  const reason =
    error instanceof CredentialError ? error.reason : isSignerError(error) ? error.code : 'the source failed'
  const said = vendorErrorOf(error)
  const role = config.roleArn ?? 'the role'
  const fixes: Record<CredentialSource, string> = {
    'static keys': 'give accessKeyId and secretAccessKey',
    emulator: 'give stsEndpoint of the emulator',
    'default chain':
      'give the machine an instance profile or a service account, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID with ' +
      'AWS_SECRET_ACCESS_KEY, or configure profile, roleArn with webIdentityTokenFile, or static keys',
    profile: `\`aws sts get-caller-identity --profile ${config.profile ?? 'NAME'}\` must succeed as this user; else run \`aws configure\` or \`aws sso login\``,
    role:
      `allow these credentials sts:AssumeRole on ${role}, and name them in its trust policy ` +
      `(\`aws iam get-role --role-name ${role.split('/').at(-1)}\`), with the same externalId`,
    'web identity':
      `check webIdentityTokenFile, and in the trust policy of ${role} the provider, audience and subject ` +
      '(`aws iam list-open-id-connect-providers`)',
  }
  return { ...said, facts: { source }, meaning: reason, fix: fixes[source] }
}
