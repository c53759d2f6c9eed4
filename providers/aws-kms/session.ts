import type { Clock } from '../../src/domain/ports.ts'

/** Credentials, as the SDK takes and gives them. */
export interface Identity {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}

/** What keeps temporary credentials fresh: one request at a time, however many calls wait for it. */
export interface Session {
  /** @throws what `load` throws, when there is nothing left that still holds. */
  get(): Promise<Identity>
  /**
   * The service said that these have expired.
   * @returns true when others are there or will be fetched by the next call; false when these came a moment ago, so that new
   * ones would fare no better.
   */
  giveUp(accessKeyId: string | undefined): boolean
}

/** Renewed so long before the end; short-lived ones at half of their time. */
const RENEW_AHEAD_MS = 5 * 60_000
/** Not used so shortly before the end: the request has a way to go. */
const SPARE_MS = 15_000
/** After a failed renewal, with credentials that still hold. */
const PAUSE_MS = 30_000
/**
 * A load this old is given up. Requests of ours have deadlines of their own; a program that a profile starts
 * (`credential_process`) has none, and one that waits for somebody to answer it would keep every call waiting for ever.
 */
const LOAD_MS_MAX = 60_000
/** Credentials this young that have expired already mean a clock that is wrong. */
const YOUNG_MS = 60_000

interface Held {
  readonly identity: Identity
  readonly since: number
  readonly renewAt: number
  readonly end: number
}

/**
 * Renewal is ahead of time and in the background, so that no signature waits for it; nothing runs between calls.
 * @param load one request, or a chain of lookups; called again for every renewal.
 */
export function createSession(load: () => Promise<Identity>, clock: Pick<Clock, 'now'>): Session {
  let held: Held | undefined
  let pending: { readonly promise: Promise<Identity>; readonly since: number } | undefined
  let notBefore = 0

  /** The load that is under way, unless it is older than any can be; the clock may have been set meanwhile. */
  const underWay = () =>
    pending !== undefined && Math.abs(clock.now() - pending.since) <= LOAD_MS_MAX ? pending.promise : undefined

  function renew(): Promise<Identity> {
    const known = underWay()
    if (known !== undefined) return known
    const promise = load()
      .then(identity => {
        if (pending === mine) held = hold(identity, clock.now())
        return identity
      })
      .finally(() => {
        if (pending === mine) pending = undefined
      })
    const mine = { promise, since: clock.now() }
    pending = mine
    return promise
  }

  return {
    get: async () => {
      const now = clock.now()
      if (held === undefined || now >= held.end) return renew()
      if (now >= held.renewAt && now >= notBefore && underWay() === undefined) {
        renew().catch(() => {
          notBefore = clock.now() + PAUSE_MS
        })
      }
      return held.identity
    },
    giveUp(accessKeyId) {
      if (held === undefined || held.identity.accessKeyId !== accessKeyId) return true
      if (clock.now() - held.since < YOUNG_MS) return false
      held = undefined
      return true
    },
  }
}

function hold(identity: Identity, now: number): Held {
  const end = identity.expiration?.getTime() ?? Number.POSITIVE_INFINITY
  const ahead = Math.min(RENEW_AHEAD_MS, Math.max(0, (end - now) / 2))
  return { identity, since: now, renewAt: end - ahead, end: end - Math.min(SPARE_MS, ahead) }
}
