/**
 * What was signed here before and lies in the store, on its way out: to a network, or to somebody who asks for it. The key is
 * not asked again, so whether its signatures may still go is asked here.
 */
import type { AuditActor } from '../domain/audit.ts'
import { type AnySignerError, isSignerError, SignerError } from '../domain/errors.ts'
import type { DatedVersion, VersionState } from '../domain/key.ts'
import type { StellarNetwork, Submission } from '../domain/stellar-network.ts'
import type { SignedBy } from '../domain/transactions.ts'
import { freshly } from './release.ts'
import type { SignDeps } from './types.ts'

export type StandingDeps = Pick<SignDeps, 'catalogue' | 'clock' | 'audit'>

/**
 * What a version signed while it might stays good when its life ends in peace: when it retires, or waits for its turn again.
 * Not when it is revoked or suspended; and of one that is destroyed nobody says here whether it was revoked before.
 */
const GOOD: ReadonlySet<VersionState | undefined> = new Set(['active', 'overlap', 'retired', 'pending'] as const)

/**
 * Reads the states of these versions, so lately that one may rely on it.
 * @throws `key/not-active` for the first that does not stand; `store/unavailable`
 */
export async function requireStanding(
  { catalogue, clock }: Pick<StandingDeps, 'catalogue' | 'clock'>,
  by: readonly SignedBy[],
): Promise<void> {
  const found = await freshly(clock, () =>
    Promise.all(by.map(async each => ({ ...each, state: await catalogue.stateOf(each.key, each.version) }))),
  )
  const fallen = found.find(({ state }) => !GOOD.has(state))
  if (fallen !== undefined) throw notStanding(fallen)
}

const notStanding = ({ key, version, state }: SignedBy & { readonly state: VersionState | undefined }) =>
  new SignerError('key/not-active', { key, version, state: state ?? 'unknown' })

/** A version of ours whose signature lies in the store. */
export interface Signer extends SignedBy {
  readonly address: string
  readonly state: VersionState | undefined
  readonly stands: boolean
}

/**
 * Of addresses whose signatures lie in the store, those of our keys, and whether they stand; so lately that one may rely on it.
 * @param keys  names of all keys that may be meant
 */
export async function signersAmong(
  { catalogue, clock }: Pick<StandingDeps, 'catalogue' | 'clock'>,
  keys: readonly string[],
  addresses: readonly string[],
): Promise<readonly Signer[]> {
  if (addresses.length === 0) return []
  const wanted = new Set(addresses)
  const isMeant = ({ version }: DatedVersion): boolean => wanted.has(version.address)
  const held = (await Promise.all([...new Set(keys)].map(key => catalogue.versions(key)))).flat().filter(isMeant)
  return freshly(clock, () =>
    Promise.all(
      held.map(async ({ version: { key, version, address } }) => {
        const state = await catalogue.stateOf(key, version)
        return { key, version, address, state, stands: GOOD.has(state) }
      }),
    ),
  )
}

/** Who sends what. */
export interface Sender {
  readonly auditId: string
  readonly actor: AuditActor
  readonly requestId: string
}

export interface Departure extends Sender {
  readonly hash: string
  readonly envelope: string
  /** Whose signatures are in it, of ours. */
  readonly by: readonly SignedBy[]
}

/**
 * The one way to a network. Nothing is asked between the look and the request that sends it.
 * @throws as `requireStanding`, on record: it was not sent, this time; as `submit` of the network
 */
export async function submitStanding(
  deps: StandingDeps,
  node: Pick<StellarNetwork, 'reached' | 'submit'>,
  { envelope, hash, by, auditId, actor, requestId }: Departure,
  signal: AbortSignal,
): Promise<Submission> {
  await node.reached(signal)
  try {
    await requireStanding(deps, by)
  } catch (error) {
    const detail = { requestId, hash, ...fallenIn(error) }
    await deps.audit.append({ kind: 'event', auditId, event: 'release-withheld', actor, detail })
    throw error
  }
  return node.submit(envelope, signal)
}

function fallenIn(error: unknown): Readonly<Record<string, string | number>> {
  if (!isSignerError(error)) return { errorCode: 'unexpected' }
  const failure: AnySignerError = error
  return failure.code === 'key/not-active'
    ? { errorCode: failure.code, key: failure.detail.key, version: failure.detail.version }
    : { errorCode: failure.code }
}
