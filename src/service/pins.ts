import { type AnySignerError, type ErrorCode, isSignerError, SignerError, WRONG_ANSWERS } from '../domain/errors.ts'
import type { Binding, Custody, DatedVersion } from '../domain/key.ts'
import type { Clock, KeyCatalogue, KeyRegistry } from '../domain/ports.ts'
import { MAY_BE_QUARANTINED } from './quarantine.ts'
import { comparePin, type ProofDeps, prove, servingPlaces } from './restore.ts'

/**
 * Whether each key service still has the keys that were pinned: for an alias or a row that was exchanged, a key that was
 * disabled or a permission that was taken, before a caller finds out. No wrong signature could leave without this, since each
 * is verified under the pin.
 *
 * Of a version that signs, or waits to, every place that may serve it signs a challenge again, which is verified under the
 * pin; a service that signs itself also gives its public key for comparison. Two places at a time and with pauses, by calls
 * of its own: nothing here takes a place, a try or a breaker of the path of a signature.
 */
export interface PinDeps extends ProofDeps {
  readonly clock: Clock
  readonly registry: Pick<KeyRegistry, 'names' | 'versions' | 'envelope'>
}

/**
 * `wrong`: what came fits the pin, the row or itself not, as no honest service answers about a healthy key. `unanswered`: the
 * service said no, or nothing, or could not be asked; the key may be as it should be.
 */
export type PinVerdict = 'ok' | 'wrong' | 'unanswered'

export interface PinFinding {
  readonly key: string
  readonly version: number
  readonly binding: string
  readonly provider: string
  readonly custody: Custody
  /** The place that serves the version when no flag says otherwise. */
  readonly first: boolean
  readonly verdict: PinVerdict
  /** Unless it is ok. */
  readonly error?: AnySignerError
}

export interface PinCounts {
  readonly checked: number
  readonly ok: number
  readonly wrong: number
  readonly unanswered: number
}

export interface PinReport extends PinCounts {
  readonly durationMs: number
  /** Wrapped keys that were not looked at, since only a proof tells of them. */
  readonly skipped: number
  /** It was stopped before the last place. */
  readonly stopped: boolean
}

export interface PinOptions {
  /** Absent: every key. */
  readonly name?: string | undefined
  /** False: public keys are compared, nothing is signed and no seed opened. */
  readonly proof: boolean
  /** From the beginning of one place to that of the next. */
  readonly paceMs: number
  readonly signal?: AbortSignal | undefined
  /** Waited for before the same worker goes on. */
  readonly onFinding?: (finding: PinFinding) => Promise<void>
  /** @param places  as many as there were at the beginning */
  readonly onProgress?: (counts: PinCounts, places: number) => void
}

const WORKERS = 2
/** The service does not answer. So many places in a row, and it is not asked again in this round. */
const SILENCE: ReadonlySet<ErrorCode> = new Set(['provider/unavailable', 'provider/ambiguous'])
const SILENT_MAX = 5

/**
 * A row that was tampered with hides no other key: all others are looked at first.
 * @throws `key/unknown` for a name that is not there; `key/mismatch` for a row that cannot be read; what the store says
 */
export async function checkPins(deps: PinDeps, options: PinOptions): Promise<PinReport> {
  const { clock, registry } = deps
  const { name, proof, signal } = options
  const started = clock.monotonic()
  const { all, damaged } = await readable(registry, name)
  if (name !== undefined && all.length + damaged.length === 0) throw new SignerError('key/unknown', { key: name })
  const queue = all.filter(isChecked).map(held => ({ name: held.key.name, number: held.version.version, held }))
  const places = queue.reduce((sum, { held }) => sum + placesOf(held, proof).length, 0)
  const skipped = queue.reduce((sum, { held }) => sum + servingPlaces(held).length, 0) - places
  const counts = { checked: 0, ok: 0, wrong: 0, unanswered: 0 }
  const silent = new Map<string, number>()
  const turn = paced(clock, options.paceMs, signal)
  let over = false

  const lookAt = async (held: DatedVersion, binding: Binding): Promise<PinFinding | undefined> => {
    const { key, version } = held.version
    const { id, provider, custody } = binding
    const first = held.bindings[0]?.id === id
    const about = { key, version, binding: id, provider, custody, first }
    if ((silent.get(provider) ?? 0) >= SILENT_MAX) {
      const reason = `not asked: ${SILENT_MAX} places in a row had no answer from it`
      return {
        ...about,
        verdict: 'unanswered',
        error: asAny(new SignerError('provider/unavailable', { provider, reason })),
      }
    }
    const error = await failureOf(() => (proof ? prove : comparePin)(deps, held, binding))
    if (error === undefined || !SILENCE.has(error.code)) silent.delete(provider)
    else silent.set(provider, (silent.get(provider) ?? 0) + 1)
    if (error === undefined) return { ...about, verdict: 'ok' }
    // Moved, replaced, stopped or removed under our hands: what came of it says nothing about how it stands now.
    const now = (await versionNow(registry, key, version))?.bindings.find(each => each.id === id)
    if (now?.reference !== binding.reference || now.suspended !== binding.suspended) return undefined
    return { ...about, verdict: WRONG_ANSWERS.has(error.code) ? 'wrong' : 'unanswered', error }
  }
  const checkVersion = async (key: string, number: number): Promise<void> => {
    const held = await versionNow(registry, key, number) // the round may be hours old
    for (const binding of held === undefined ? [] : placesOf(held, proof)) {
      if (held === undefined || !(await turn()) || over) return
      const finding = await lookAt(held, binding)
      if (finding === undefined) continue
      if (signal?.aborted === true) return // who closes the store is not waited for
      counts.checked++
      counts[finding.verdict]++
      await options.onFinding?.(finding)
      options.onProgress?.({ ...counts }, places)
      if (finding.verdict === 'wrong' && finding.first) return // the version is over
    }
  }
  const rest = queue.values()
  const work = async (): Promise<void> => {
    for (const { name: key, number } of rest) {
      if (over || signal?.aborted === true) return
      try {
        await checkVersion(key, number)
      } catch (error) {
        if (isDamage(error)) {
          damaged.push(error)
          continue
        }
        over = true
        throw error
      }
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: WORKERS }, work))
  for (const each of ended) if (each.status === 'rejected') throw each.reason
  for (const error of damaged) throw error
  return { ...counts, skipped, durationMs: Math.round(clock.monotonic() - started), stopped: signal?.aborted === true }
}

/** At one stroke; key by key only where a row is damaged, so that it hides no other key. */
async function readable(
  registry: PinDeps['registry'],
  name: string | undefined,
): Promise<{ readonly all: readonly DatedVersion[]; readonly damaged: unknown[] }> {
  try {
    return { all: await registry.versions(name), damaged: [] }
  } catch (error) {
    if (!isDamage(error)) throw error
    if (name !== undefined) return { all: [], damaged: [error] }
  }
  const all: DatedVersion[] = []
  const damaged: unknown[] = []
  for (const each of await registry.names()) {
    try {
      all.push(...(await registry.versions(each)))
    } catch (error) {
      if (!isDamage(error)) throw error
      damaged.push(error)
    }
  }
  return { all, damaged }
}

/** Of a row; what a place says so is a finding. */
const isDamage = (error: unknown): boolean => isSignerError(error) && error.code === 'key/mismatch'

const isChecked = ({ version }: DatedVersion): boolean => MAY_BE_QUARANTINED.includes(version.state)

const placesOf = (held: DatedVersion, proof: boolean): readonly Binding[] =>
  servingPlaces(held).filter(({ custody }) => proof || custody === 'native')

/** As long as it is to be checked. */
async function versionNow(
  registry: Pick<KeyCatalogue, 'versions'>,
  name: string,
  number: number,
): Promise<DatedVersion | undefined> {
  const held = (await registry.versions(name)).find(({ version }) => version.version === number)
  return held !== undefined && isChecked(held) ? held : undefined
}

async function failureOf(body: () => Promise<void>): Promise<AnySignerError | undefined> {
  try {
    await body()
    return undefined
  } catch (error) {
    if (!isSignerError(error))
      return asAny(new SignerError('internal', { incident: 'an unexpected fault' }, { cause: error }))
    if (error.code === 'store/unavailable') throw error // of no key service
    return error
  }
}

const asAny = (error: SignerError): AnySignerError => error as AnySignerError

/** @returns whose turn it is waits for it; false when the round was stopped meanwhile */
function paced(clock: Clock, paceMs: number, signal: AbortSignal | undefined): () => Promise<boolean> {
  let next = clock.monotonic()
  return async () => {
    const now = clock.monotonic()
    const at = Math.max(now, next)
    next = at + paceMs
    if (at > now) await clock.sleep(at - now, signal).catch(() => {})
    return signal?.aborted !== true
  }
}
