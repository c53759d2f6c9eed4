import { gather } from '../bytes/gather.ts'
import { parseStrictJson } from '../bytes/json.ts'
import { SignerError } from '../domain/errors.ts'
import { readJwks, type TokenKey } from '../domain/jwks.ts'
import type { Clock, Fetch } from '../domain/ports.ts'

export interface RemoteKeysOptions {
  /** From the configuration and from nowhere else. `https:`; `http:` on a loopback address only. */
  readonly url: string
  readonly fetch: Fetch
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>
  /** After this the set is fetched again when it is used; meanwhile the old one serves. Ten minutes unless told. */
  readonly refreshMs?: number
  /** Without a good answer for so long, the set is not used any more. A day unless told. */
  readonly maxAgeMs?: number
  /** Between two fetches, whatever asks for them. A minute unless told. */
  readonly pauseMs?: number
  readonly timeoutMs?: number
  readonly bodyBytesMax?: number
  /** Told why a fetch was of no use; nothing of the answer is in it. */
  readonly onTrouble?: (reason: string) => void
}

/** The key set of an issuer, at a URL. */
export interface RemoteKeys {
  /**
   * A kid that is not there has the set fetched again, at most once in every pause; the kid itself goes nowhere.
   * @throws `provider/unavailable` when there is no set that is good and young enough
   */
  find(kid: string): Promise<TokenKey | undefined>
  /** Fetches now. For the start and for an operator. @returns false when what was there before stays */
  refresh(): Promise<boolean>
}

const MINUTE_MS = 60_000
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']
/** What a key set may say about a key besides what is needed: providers add certificates and dates. */
const NEEDED = ['kty', 'crv', 'alg', 'kid', 'use', 'key_ops', 'x', 'y', 'd']
/** RFC 7517 leaves `alg` open; the kind of key leaves no choice. */
const ALGORITHM_OF: Readonly<Record<string, string>> = { 'OKP Ed25519': 'EdDSA', 'EC P-256': 'ES256' }

interface KeySet {
  readonly keys: ReadonlyMap<string, TokenKey>
  readonly fetchedAt: number
}

/**
 * Keeps the last good answer. Redirects are not followed, the answer is bounded in size and time, and what is not a usable
 * key is left out. An answer without any usable key, or with two keys of one kid, is no answer.
 * @throws `config/invalid` unless the URL may be fetched from
 */
export function createRemoteKeys(options: RemoteKeysOptions): RemoteKeys {
  const { clock, refreshMs = 10 * MINUTE_MS, maxAgeMs = 24 * 60 * MINUTE_MS, pauseMs = MINUTE_MS } = options
  const url = readUrl(options.url)
  let set: KeySet | undefined
  let triedAt = Number.NEGATIVE_INFINITY
  let under: Promise<boolean> | undefined

  const fetchNow = async (): Promise<boolean> => {
    triedAt = clock.monotonic()
    try {
      const keys = readKeySet(await fetchBounded(url, options), set?.keys)
      set = { keys, fetchedAt: clock.monotonic() }
      return true
    } catch (error) {
      options.onTrouble?.(error instanceof Trouble ? error.message : 'the request failed')
      return false
    }
  }
  const refresh = (): Promise<boolean> => (under ??= fetchNow().finally(() => (under = undefined)))
  const mayFetch = (): boolean => under !== undefined || clock.monotonic() - triedAt >= pauseMs
  const usable = (): KeySet | undefined =>
    set !== undefined && clock.monotonic() - set.fetchedAt <= maxAgeMs ? set : undefined

  return {
    refresh,
    async find(kid) {
      if (usable() === undefined && mayFetch()) await refresh()
      const current = usable()
      if (current === undefined) throw unavailable(pauseMs - (clock.monotonic() - triedAt))
      const key = current.keys.get(kid)
      if (key !== undefined) {
        // Nobody waits for this one.
        if (clock.monotonic() - current.fetchedAt > refreshMs && mayFetch()) void refresh()
        return key
      }
      if (mayFetch()) await refresh()
      return usable()?.keys.get(kid)
    },
  }
}

function readUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const secure = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.includes(url.hostname))
  if (url === undefined || !secure || url.username !== '' || url.password !== '' || url.hash !== '') {
    const fix = 'use https://… without user and fragment (http: only for localhost, 127.0.0.1 and [::1])'
    throw new SignerError('config/invalid', {
      problems: [{ path: 'tokens.jwksUrl', problem: 'is not a URL keys can be fetched from', fix }],
    })
  }
  return url.href
}

/** Ours, with a text that may be logged. */
class Trouble extends Error {}

async function fetchBounded(url: string, options: RemoteKeysOptions): Promise<Uint8Array> {
  const { fetch, clock, timeoutMs = 5_000, bodyBytesMax = 65_536 } = options
  const [ended, late] = [new AbortController(), new AbortController()]
  const timer = clock.sleep(timeoutMs, ended.signal).then(
    () => late.abort(),
    () => undefined,
  )
  const answer = async (): Promise<Uint8Array> => {
    // `manual` and not `error`: the one of the two that every runtime has.
    const response = await fetch(url, {
      headers: { accept: 'application/jwk-set+json, application/json' },
      redirect: 'manual',
      signal: late.signal,
    })
    if (response.status !== 200) {
      await response.body?.cancel()
      throw new Trouble(`the answer has the status ${response.status}`)
    }
    return readBounded(response, bodyBytesMax)
  }
  const deadline = timer.then((): never => {
    throw new Trouble(`no answer within ${timeoutMs} ms`)
  })
  deadline.catch(() => undefined)
  try {
    return await Promise.race([answer(), deadline])
  } finally {
    ended.abort()
  }
}

const readBounded = (response: Response, bytesMax: number): Promise<Uint8Array> =>
  gather((response.body ?? []) as AsyncIterable<Uint8Array>, bytesMax, () => {
    return new Trouble(`the answer is longer than ${bytesMax} bytes`)
  })

/** @param before a key that has not changed stays the same object, with everything that hangs on it */
function readKeySet(body: Uint8Array, before: KeySet['keys'] = new Map()): KeySet['keys'] {
  let document: unknown
  try {
    document = parseStrictJson(body)
  } catch {
    throw new Trouble('the answer is not JSON')
  }
  const list = isObject(document) ? document['keys'] : undefined
  if (!Array.isArray(list)) throw new Trouble('the answer is not a key set')
  const keys = new Map<string, TokenKey>()
  for (const candidate of list as readonly unknown[]) {
    const key = readRemoteKey(candidate)
    if (key === undefined) continue
    if (keys.has(key.kid)) throw new Trouble('the key set has two keys of one kid')
    const old = before.get(key.kid)
    keys.set(key.kid, old !== undefined && JSON.stringify(old) === JSON.stringify(key) ? old : key)
  }
  if (keys.size === 0) throw new Trouble('the key set has no usable key')
  return keys
}

function readRemoteKey(candidate: unknown): TokenKey | undefined {
  if (!isObject(candidate)) return undefined
  const named = NEEDED.filter(name => candidate[name] !== undefined).map(name => [name, candidate[name]] as const)
  const alg = ALGORITHM_OF[`${String(candidate['kty'])} ${String(candidate['crv'])}`]
  const { jwks, problems } = readJwks({ keys: [{ alg, ...Object.fromEntries(named) }] }, 'keys')
  return problems.length === 0 ? jwks.keys[0] : undefined
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

const unavailable = (waitMs: number) =>
  new SignerError('provider/unavailable', {
    provider: 'token-keys',
    reason: 'the keys of the token issuer cannot be fetched',
    retryAfterMs: Math.max(1_000, Math.ceil(waitMs)),
  })
