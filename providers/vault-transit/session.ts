import { SignerError } from '../../src/domain/errors.ts'
import { reveal, Secret } from '../../src/domain/secret.ts'
import { audienceProblem } from '../audience.ts'
import { orAborted, TransportError } from '../one-fetch.ts'
import type { ProviderWorld } from '../world.ts'
import { type AuthMethod, SERVICE_ACCOUNT_TOKEN, type VaultTransitConfig } from './config.ts'
import { type Failure, type Operation, toSignerError } from './translate.ts'
import { type Ask, type CallRecord, objectOf } from './wire.ts'

/** A token in use, and until when. All times are of the clock that only grows. */
export interface Held {
  readonly token: Secret
  readonly from: 'configuration' | 'file' | 'login'
  readonly renewable: boolean
  /** As the login gave it; a renewed lease that is much shorter means that the longest life of the token is near. */
  readonly leaseMs: number
  readonly renewAt: number
  readonly expiresAt: number
}

export interface Session {
  /**
   * A token to call with. Past two thirds of its lease it is renewed beside the call, or logged in for again; without one
   * all callers wait for the same login.
   * @throws SignerError, nothing signed; TransportError `not-sent` when `signal` fires while waiting.
   */
  token(signal: AbortSignal): Promise<Held>
  /** Vault answered 403 with this token. Another one, or undefined when that would not help. */
  instead(refused: Held, texts: readonly string[], signal: AbortSignal): Promise<Held | undefined>
  /** The other one was refused as well, in these words: so it is the rights, not the token. */
  inVain(texts: readonly string[]): void
  close(): void
}

/** One exchange without the session's own token handling. Never throws. */
export type Once = (
  operation: Operation,
  ask: Ask,
  token: Secret | undefined,
  signal: AbortSignal,
) => Promise<CallRecord>

const LOGIN: Operation = { name: 'Login', kind: 'read' }
const RENEW: Operation = { name: 'Renew', kind: 'read' }

/** A login belongs to no caller's deadline, so it has its own. */
const FLIGHT_MS = 10_000
/** A token file is read again after this. */
const FILE_MS = 60_000
/** After a login that did not help, "permission denied" is believed for this long. */
const IN_VAIN_MS = 60_000
/** What a header may hold. */
const TOKEN = /^[\x21-\x7e]{1,8192}$/

export function openSession(
  config: VaultTransitConfig,
  world: ProviderWorld,
  once: Once,
  describe: (record: CallRecord) => Failure,
): Session {
  const provider = config.name ?? config.kind
  const method: AuthMethod = config.auth ?? 'token'
  const now = () => world.clock.monotonic()
  const closing = new AbortController()
  let held: Held | undefined
  let flight: { readonly promise: Promise<Held>; readonly since: number } | undefined
  let vain = { until: Number.NEGATIVE_INFINITY, bare: false }

  /** One at a time, whoever asks. One that is older than any can be is given up: its runtime may have dropped it (workerd). */
  function single(run: (signal: AbortSignal) => Promise<Held>): Promise<Held> {
    if (flight !== undefined && now() - flight.since <= FLIGHT_MS) return flight.promise
    const done = new AbortController()
    const late = new AbortController()
    world.clock.sleep(FLIGHT_MS, done.signal).then(
      () => late.abort(new Error('the login took too long')),
      () => {},
    )
    const promise = run(AbortSignal.any([late.signal, closing.signal]))
      .then(fresh => {
        if (flight === mine) held = fresh
        return fresh
      })
      .finally(() => {
        done.abort(new Error('done'))
        if (flight === mine) flight = undefined
      })
    const mine = { promise, since: now() }
    flight = mine
    promise.catch(() => {}) // those who wait see it; a renewal beside a call has nobody who waits
    return promise
  }

  async function logIn(signal: AbortSignal): Promise<Held> {
    const since = now()
    if (config.tokenFile !== undefined)
      return { ...untilRefused(await readToken(config.tokenFile), 'file'), expiresAt: since + FILE_MS }
    const ask = await loginAsk()
    const record = await once(LOGIN, ask, undefined, signal)
    const lease = leaseOf(record, since)
    requireOwn(objectOf(objectOf(record.output)['auth']))
    return lease
  }

  /** A token of another role, or one that may do everything, is not what was asked for; nothing is signed with it. */
  function requireOwn({
    metadata,
    policies,
    token_policies: ofToken,
    identity_policies: ofIdentity,
  }: Record<string, unknown>): void {
    const all = [policies, ofToken, ofIdentity].flatMap(each => (Array.isArray(each) ? (each as unknown[]) : []))
    const wrong = all.includes('root')
      ? 'the answer holds a token of the policy root'
      : config.role !== undefined && !isRole(objectOf(metadata)['role'], config.role)
        ? 'the answer holds a token of another role than the one asked for'
        : undefined
    if (wrong !== undefined) throw new SignerError('provider/malformed', { provider, reason: `Login: ${wrong}` })
  }

  async function loginAsk(): Promise<Ask> {
    const path = `auth/${config.authMount ?? method}/login`
    if (method === 'approle') {
      const secretId = config.secretId as Secret
      return {
        method: 'POST',
        path,
        body: { role_id: config.roleId, secret_id: reveal(secretId) },
        secrets: [secretId],
      }
    }
    const file = config.jwtFile ?? (method === 'kubernetes' ? SERVICE_ACCOUNT_TOKEN : undefined)
    const jwt = file === undefined ? (config.jwt as Secret) : await readToken(file)
    const problem = audienceProblem(reveal(jwt), config.audience ?? '')
    if (problem !== undefined) throw new SignerError('provider/refused', { provider, reason: `Login: ${problem}` })
    return { method: 'POST', path, body: { role: config.role, jwt: reveal(jwt) }, secrets: [jwt] }
  }

  async function readToken(path: string): Promise<Secret> {
    let text: string | undefined
    try {
      text = (await world.readFile?.(path))?.trim()
    } catch (cause) {
      throw new SignerError(
        'provider/unavailable',
        { provider, reason: 'Login: the file with the token cannot be read' },
        { cause },
      )
    }
    return checked(new Secret(text ?? '', 'token file'))
  }

  /** What cannot be a header is refused here: a runtime would quote it in its error. */
  function checked(token: Secret): Secret {
    if (TOKEN.test(reveal(token))) return token
    throw new SignerError('provider/refused', {
      provider,
      reason: 'Login: the token is empty or holds characters no token has',
    })
  }

  function leaseOf(record: CallRecord, since: number): Held {
    if (record.output === undefined) throw toSignerError(describe(record))
    const { client_token: token, lease_duration: seconds, renewable } = objectOf(record.output['auth'])
    if (
      typeof token !== 'string' ||
      !TOKEN.test(token) ||
      typeof renewable !== 'boolean' ||
      typeof seconds !== 'number' ||
      !Number.isSafeInteger(seconds) ||
      seconds < 0
    ) {
      const reason = `${record.operation.name}: the answer holds no token and lease`
      throw new SignerError('provider/malformed', { provider, reason })
    }
    const secret = new Secret(token, 'Vault token')
    if (seconds === 0) return untilRefused(secret, 'login') // a token that does not end
    const leaseMs = seconds * 1_000
    return {
      token: secret,
      from: 'login',
      renewable,
      leaseMs,
      renewAt: since + (leaseMs * 2) / 3,
      expiresAt: since + leaseMs,
    }
  }

  /** Renews; where that is refused, or gives little more, logs in anew. */
  async function refresh(before: Held, signal: AbortSignal): Promise<Held> {
    if (!before.renewable) return logIn(signal)
    const since = now()
    const record = await once(RENEW, { method: 'POST', path: 'auth/token/renew-self', body: {} }, before.token, signal)
    if (record.output === undefined) {
      if (record.answered && (record.status ?? 500) < 500 && record.status !== 429) return logIn(signal)
      throw toSignerError(describe(record))
    }
    const renewed = { ...leaseOf(record, since), token: before.token }
    if (renewed.leaseMs >= (before.leaseMs * 2) / 3) return { ...renewed, leaseMs: before.leaseMs }
    return logIn(signal).catch(() => ({ ...renewed, leaseMs: before.leaseMs }))
  }

  function refreshBeside(before: Held): void {
    if (flight !== undefined && now() - flight.since <= FLIGHT_MS) return
    single(signal => refresh(before, signal)).catch(() => {
      // It still lives: the next calls go on with it, and one of them tries again a little later.
      if (held === before) held = { ...before, renewAt: now() + Math.max(1_000, (before.expiresAt - now()) / 4) }
    })
  }

  async function waitFor(login: Promise<Held>, signal: AbortSignal): Promise<Held> {
    try {
      return await orAborted(login, signal)
    } catch (error) {
      throw signal.aborted ? new TransportError('not-sent', { cause: signal.reason }) : error
    }
  }

  const fixed = config.token === undefined ? undefined : untilRefused(config.token, 'configuration')
  return {
    async token(signal) {
      if (fixed !== undefined) {
        checked(fixed.token)
        return fixed
      }
      if (held === undefined || now() >= held.expiresAt) return waitFor(single(logIn), signal)
      if (now() >= held.renewAt) refreshBeside(held)
      return held
    },
    async instead(refused, texts, signal) {
      if (fixed !== undefined) return undefined
      if (held !== undefined && held !== refused && held.token !== refused.token) return held
      const said = texts.some(text => text.includes('invalid token') || text.includes('bad token'))
      // A policy that denies one key says nothing of a token that ends after it: that is said in other words.
      if (!said && now() < vain.until && (vain.bare || !isBare(texts))) return undefined
      held = undefined
      const other = await waitFor(single(logIn), signal)
      return reveal(other.token) === reveal(refused.token) ? undefined : other // a file may still hold the old one
    },
    inVain(texts) {
      vain = { until: now() + IN_VAIN_MS, bare: isBare(texts) }
    },
    close: () => closing.abort(new Error('closed')),
  }
}

/** Servers write the name of a role in lower case, or as it was sent. */
const isRole = (told: unknown, asked: string): boolean =>
  typeof told === 'string' && told.toLowerCase() === asked.toLowerCase()

/** How OpenBao says that it does not know the token; a policy says it in a list of one error. */
const isBare = (texts: readonly string[]): boolean => texts.length === 1 && texts[0] === 'permission denied'

const untilRefused = (token: Secret, from: Held['from']): Held => {
  const never = Number.POSITIVE_INFINITY
  return { token, from, renewable: false, leaseMs: never, renewAt: never, expiresAt: never }
}
