import { isSignerError } from '../domain/errors.ts'
import type { DatedVersion, VersionState } from '../domain/key.ts'
import type { KeyCatalogue } from '../domain/ports.ts'
import type { KeyFacts, KeyRef, Scheme } from '../domain/provider.ts'

const DAY_MS = 86_400_000

export interface InventoryDeps {
  readonly registry: Pick<KeyCatalogue, 'versions'>
  readonly now: number
  /** How long a version may sign; absent: for ever. */
  readonly cryptoPeriodDays?: number
  /** What a key service says of a key that signs there. May throw. Absent: nobody is asked. */
  readonly protection?: (provider: string, reference: KeyRef) => Promise<KeyFacts['protection']>
}

/** One version of a key, as auditors ask about it. */
export interface InventoryEntry {
  readonly name: string
  readonly version: number
  readonly chain: string
  readonly network: string
  readonly address: string
  /** What it signs for. */
  readonly account: string
  readonly algorithm: string
  readonly state: VersionState
  readonly places: readonly InventoryPlace[]
  /** ISO 8601. */
  readonly created: string
  /** When it might sign for the first time. */
  readonly activeFrom?: string
  /** Whole days since then; since it was made, for one that has never been active. */
  readonly ageDays: number
  readonly cryptoPeriodDays?: number
  /** When the crypto-period ends. Absent where there is none, or where the version signs no more. */
  readonly nextRotation?: string
  readonly overdue: boolean
}

export interface InventoryPlace {
  readonly provider: string
  readonly custody: string
  readonly reference: string
  /**
   * Native: what the key service says of it, `unknown` when it did not answer. Envelope: `software`, since the key is opened
   * in this process for each signature, whatever protects the key that wraps it.
   */
  readonly protection: KeyFacts['protection']
}

export interface Inventory {
  /** When it was taken. */
  readonly at: string
  readonly cryptoPeriodDays?: number
  readonly overdue: number
  readonly keys: readonly InventoryEntry[]
}

const ALGORITHMS: Readonly<Record<Scheme, string>> = {
  ed25519: 'Ed25519',
  'ecdsa-secp256k1': 'ECDSA secp256k1',
}

/** States in which a version signs or can come back to it: its crypto-period runs. */
const RUNNING: readonly VersionState[] = ['active', 'overlap', 'quarantined']

/** Every version of every key, whatever its state; by name, then number. */
export async function takeInventory(deps: InventoryDeps): Promise<Inventory> {
  const ask = askOnce(deps)
  const versions = await deps.registry.versions()
  const keys = await Promise.all(versions.map(async held => entryOf(deps, held, await placesOf(held, ask))))
  const { cryptoPeriodDays } = deps
  return {
    at: iso(deps.now),
    ...(cryptoPeriodDays === undefined ? {} : { cryptoPeriodDays }),
    overdue: keys.filter(({ overdue }) => overdue).length,
    keys,
  }
}

function entryOf(deps: InventoryDeps, held: DatedVersion, places: readonly InventoryPlace[]): InventoryEntry {
  const { key, version, times } = held
  const since = times.activeFrom ?? times.createdAt
  return {
    name: key.name,
    version: version.version,
    chain: key.chain,
    network: key.network,
    address: version.address,
    account: version.account,
    algorithm: ALGORITHMS[version.scheme],
    state: version.state,
    places,
    created: iso(times.createdAt),
    ...(times.activeFrom === undefined ? {} : { activeFrom: iso(times.activeFrom) }),
    ageDays: Math.max(0, Math.floor((deps.now - since) / DAY_MS)), // the clock may have been set back
    ...periodOf(deps, held),
  }
}

function periodOf({ cryptoPeriodDays, now }: InventoryDeps, { version, times }: DatedVersion) {
  if (cryptoPeriodDays === undefined) return { overdue: false }
  if (times.activeFrom === undefined || !RUNNING.includes(version.state)) return { cryptoPeriodDays, overdue: false }
  const ends = times.activeFrom + cryptoPeriodDays * DAY_MS
  return { cryptoPeriodDays, nextRotation: iso(ends), overdue: now >= ends }
}

type Ask = (provider: string, reference: KeyRef) => Promise<KeyFacts['protection']>

const placesOf = ({ version, bindings }: DatedVersion, ask: Ask): Promise<InventoryPlace[]> =>
  Promise.all(
    bindings.map(async ({ provider, custody, reference }) => {
      const native = custody === 'native'
      const protection = native
        ? version.state === 'destroyed'
          ? 'unknown'
          : await ask(provider, reference)
        : 'software'
      return { provider, custody, reference, protection }
    }),
  )

/** One question at a time to each service, and none after the first that nobody answered: a service that is down is waited for once. */
function askOnce({ protection }: InventoryDeps): Ask {
  const lines = new Map<string, Promise<boolean>>()
  return async (provider, reference) => {
    if (protection === undefined) return 'unknown'
    let found: KeyFacts['protection'] = 'unknown'
    const line = (lines.get(provider) ?? Promise.resolve(true)).then(async answers => {
      if (!answers) return false
      try {
        found = await protection(provider, reference)
        return true
      } catch (error) {
        return !isDown(error)
      }
    })
    lines.set(provider, line)
    await line
    return found
  }
}

const isDown = (error: unknown): boolean => isSignerError(error) && error.code === 'provider/unavailable'

const iso = (at: number): string => new Date(at).toISOString()
