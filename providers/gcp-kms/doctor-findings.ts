import type { Finding, Patient } from '../../src/domain/doctor.ts'
import { isSignerError } from '../../src/domain/errors.ts'
import { TransportError } from '../one-fetch.ts'
import { adviceOn, createFix, grantFix, NEEDED, narrowFix, TOO_WIDE } from './doctor-advice.ts'
import { isVersionName } from './names.ts'
import { CredentialsError, VendorError } from './translate.ts'
import type { Identity } from './wire.ts'

const CLOCK_WARN_MS = 10_000
/** Google refuses tokens that are much older or younger than its own clock. */
const CLOCK_FAIL_MS = 300_000

/** What was learned about one key before anything is said of it. */
export interface Chart {
  readonly patient: Patient
  /** Full name of the key without its version; undefined: the reference cannot be read. */
  readonly key: string | undefined
  /** Of the rights that were asked about, those that are held; an error: they could not be asked. */
  readonly held: ReadonlySet<string> | unknown
}

/** The failure below our own error: doctors show what callers are not shown. */
export const causeOf = (error: unknown): unknown =>
  isSignerError(error) && error.cause !== undefined ? error.cause : error

export function vendorText(error: unknown): { vendorError?: string } {
  const cause = causeOf(error)
  if (cause instanceof VendorError) {
    const { reason, httpStatus } = cause.facts
    const status = cause.status === '' ? `HTTP ${httpStatus ?? 0}` : cause.status
    return { vendorError: `${status}${reason === undefined ? '' : ` (${reason})`}: ${cause.message}`.slice(0, 400) }
  }
  if (isSignerError(error) && 'reason' in error.detail) return { vendorError: error.detail.reason }
  return {}
}

export function reachable(failure: unknown, answered: boolean): Finding {
  const check = 'reachable'
  if (answered) return { check, outcome: 'ok' }
  if (failure instanceof CredentialsError) {
    return { check, outcome: 'skipped', meaning: 'nothing was sent: there is no access token' }
  }
  const kind = failure instanceof TransportError ? failure.kind : 'malformed'
  const meanings: Readonly<Record<string, string>> = {
    unreachable: 'name, connection or certificate of the endpoint fail',
    redirected: 'the endpoint answers with a redirect, which is never followed',
    aborted: 'the endpoint takes the request and does not answer in time',
    'not-sent': 'there was no time left to ask',
    lost: 'the connection breaks before an answer is complete',
  }
  return {
    check,
    outcome: 'failed',
    vendorError: kind,
    meaning: meanings[kind] ?? 'the endpoint does not answer like Cloud KMS',
    fix: 'allow https to the endpoint through name service, firewall and proxy; try: curl -sv ENDPOINT/v1/',
  }
}

export function clock(answered: boolean, serverTime: number | undefined, ours: number): Finding {
  const check = 'clock'
  if (!answered || serverTime === undefined) {
    const meaning = answered ? 'the transport does not show the time of the service; rest does' : 'there was no answer'
    return { check, outcome: 'skipped', meaning }
  }
  // The header has whole seconds.
  const offsetMs = Math.round(ours - (serverTime + 500))
  const facts = { offsetMs }
  const off = Math.abs(offsetMs)
  if (off <= CLOCK_WARN_MS) return { check, outcome: 'ok', facts }
  const meaning = `the clock of this machine is ${Math.round(off / 1_000)} seconds ${offsetMs > 0 ? 'ahead' : 'behind'}; Google refuses tokens of another time`
  const fix = 'synchronise the clock: timedatectl set-ntp true'
  return { check, outcome: off > CLOCK_FAIL_MS ? 'failed' : 'warning', meaning, fix, facts }
}

export function credentialsFinding(
  failure: unknown,
  reason: CredentialsError | undefined,
  answered: boolean,
  { kind, principal }: Identity,
): Finding {
  const check = 'credentials'
  const facts = { kind, ...(principal === undefined ? {} : { identity: principal }) }
  if (reason !== undefined) {
    const row = {
      absent: {
        meaning: 'no credentials are configured and application-default credentials offer none',
        fix: 'set credentials = "file:/path/to/key.json", or run where there is a service account, or: gcloud auth application-default login',
      },
      refused: {
        meaning:
          'Google does not exchange the credentials for a token: revoked, disabled, or not allowed to impersonate',
        fix: 'gcloud iam service-accounts describe EMAIL, and gcloud iam service-accounts keys list --iam-account EMAIL',
      },
      unreachable: {
        meaning: 'the place that gives tokens cannot be reached',
        fix: 'allow https to sts.googleapis.com, oauth2.googleapis.com and iamcredentials.googleapis.com, or the metadata server',
      },
    }[reason.kind]
    return { check, outcome: 'failed', vendorError: `credentials ${reason.kind}`, ...row }
  }
  if (failure instanceof VendorError && failure.status === 'UNAUTHENTICATED') {
    const meaning = 'the service does not accept the access token: expired, revoked, or for another service'
    const fix = 'renew accessToken, or use credentials that renew themselves; check the clock'
    return { check, outcome: 'failed', ...vendorText(failure), meaning, fix, facts }
  }
  return answered
    ? { check, outcome: 'ok', facts }
    : { check, outcome: 'skipped', meaning: 'there was no answer', facts }
}

export function* skipped(patients: readonly Patient[]): Iterable<Finding> {
  for (const { reference } of patients) {
    yield { check: 'key', outcome: 'skipped', reference, meaning: 'the service could not be asked' }
  }
}

export function keyFailure(error: unknown, { use, reference }: Patient, key: string): Omit<Finding, 'check'> {
  const cause = causeOf(error)
  if (cause instanceof VendorError) {
    const version = isVersionName(reference) ? reference : undefined
    const advice = adviceOn(cause.status, cause.facts.reason, cause.message, key, version)
    return { outcome: 'failed', ...vendorText(error), ...advice }
  }
  const unsupported = isSignerError(error) && error.code === 'key/unsupported'
  const meaning = unsupported
    ? 'the key is of a kind that cannot sign for a chain'
    : 'the answer about the key cannot be trusted'
  const fix = unsupported ? createFix(key, use) : 'look at what stands between this machine and the service'
  return { outcome: 'failed', ...vendorText(error), meaning, fix }
}

export function* permissionFindings({ patient, key, held }: Chart, identity: Identity): Iterable<Finding> {
  if (key === undefined) return
  const { reference, use } = patient
  for (const [permission, role] of NEEDED[use]) {
    const about = { check: 'permission', reference, permission } as const
    if (!(held instanceof Set)) {
      const meaning = 'testIamPermissions itself was refused, so the right could not be asked about'
      yield { ...about, outcome: 'skipped', ...vendorText(held), meaning }
    } else if (held.has(permission)) {
      yield { ...about, outcome: 'ok' }
    } else {
      const meaning = `the identity does not hold ${permission} on the key, or there is no such key`
      // There is no error to quote: the service answers with the list of what is held.
      const vendorError = `testIamPermissions does not list ${permission}`
      yield { ...about, outcome: 'failed', vendorError, meaning, fix: grantFix(key, role, identity) }
    }
  }
  if (!(held instanceof Set)) return
  for (const permission of TOO_WIDE) {
    if (!held.has(permission)) continue
    const meaning = `the identity that serves signatures also holds ${permission}`
    yield { check: 'permission', reference, permission, outcome: 'warning', meaning, fix: narrowFix(key, use) }
  }
}
