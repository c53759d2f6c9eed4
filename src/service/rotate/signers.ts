import { addSigner, dropSigner, type SignerPlan } from '../../chains/stellar/index.ts'
import { SignerError } from '../../domain/errors.ts'
import type { DatedVersion, VersionState } from '../../domain/key.ts'
import type { Clock, KeyCatalogue } from '../../domain/ports.ts'
import type { AccountState } from '../../domain/stellar-network.ts'

/** Whose signers change, and which takes the place of which. */
export interface SignerPair {
  readonly network: string
  /** The one that both versions sign for. */
  readonly account: string
  readonly from: DatedVersion['version']
  readonly to: DatedVersion['version']
}

/**
 * @param wish  `anyAccount`: the caller names the account
 * @throws `key/unknown`; `key/unsupported` for a key of another chain; `key/rotation` where nothing is being replaced, or the
 *         versions sign for two accounts
 */
export async function signerPair(
  registry: Pick<KeyCatalogue, 'versions'>,
  name: string,
  wish: { readonly anyAccount?: boolean } = {},
): Promise<SignerPair> {
  const held = await registry.versions(name)
  const [first] = held
  if (first === undefined) throw new SignerError('key/unknown', { key: name })
  if (first.key.chain !== 'stellar') {
    const reason = 'an account of this chain has one key: ask for sweep, the list of what moves to the new address'
    throw new SignerError('key/unsupported', { key: name, wanted: 'stellar', reason })
  }
  const { from, to } = successionOf(name, held)
  if (wish.anyAccount !== true && to.account !== from.account) {
    const reason = `version ${to.version} signs for ${to.account}, and version ${from.version} for ${from.account}: no signers take each other's place, unless an account is named (--account)`
    throw new SignerError('key/rotation', { key: name, reason })
  }
  return { network: first.key.network, account: from.account, from, to }
}

export type Succession = Pick<SignerPair, 'from' | 'to'>

/**
 * Which version takes the place of which: the one that waits or signs, and of those before it the one that signs, or did last.
 * @throws `key/rotation`
 */
export function successionOf(name: string, held: readonly DatedVersion[]): Succession {
  const versions = held.map(({ version }) => version)
  const to = versions.find(({ state }) => state === 'pending') ?? versions.find(({ state }) => state === 'active')
  const from = lastToSign(held.filter(({ version }) => to !== undefined && version.version < to.version))?.version
  if (to === undefined || from === undefined) {
    throw new SignerError('key/rotation', { key: name, reason: 'no version takes the place of another: begin' })
  }
  return { from, to }
}

/** Not the newest, which may have been tried and taken back. Undefined: none of them ever might sign. */
export const lastToSign = (held: readonly DatedVersion[]): DatedVersion | undefined =>
  held
    .filter(({ times }) => times.activeFrom !== undefined)
    .toSorted(
      (a, b) =>
        endOf(a) - endOf(b) || place(a) - place(b) || wentOut(a) - wentOut(b) || a.version.version - b.version.version,
    )
    .at(-1)

const endOf = ({ version: { state }, times }: DatedVersion): number =>
  UNENDED.includes(state) ? Number.MAX_SAFE_INTEGER : (times.retiredAt ?? times.revokedAt ?? times.destroyedAt ?? 0)

/** The one that signs last of all. */
const UNENDED: readonly VersionState[] = ['pending', 'quarantined', 'overlap', 'active']
const place = ({ version: { state } }: DatedVersion): number => UNENDED.indexOf(state)
/** In the same millisecond: one that had a successor, before one that was only tried. */
const wentOut = ({ times }: DatedVersion): number => (times.overlapFrom === undefined ? 0 : 1)

export interface SignerWish {
  readonly step: 'add' | 'drop'
  /** Undefined: there is no such account. */
  readonly account: AccountState | undefined
  /** Stroops above the reserve, where they are known. */
  readonly free?: bigint
  /** Stroops. */
  readonly fee: number
  readonly validSeconds: number
  /** Absent: the next one of the account. */
  readonly sequence?: bigint
}

export type SignerTransaction = Extract<SignerPlan, { kind: 'planned' | 'done' }>

/** The transaction that adds or drops a signer. @throws `transaction/rejected` with why the account must not be given it */
export function signerTransaction(pair: SignerPair, wish: SignerWish, clock: Pick<Clock, 'now'>): SignerTransaction {
  const { account, free, fee, validSeconds } = wish
  const { network, from, to } = pair
  const change = { account, from: from.address, to: to.address, ...(free === undefined ? {} : { free }) }
  const sequence = wish.sequence ?? (account?.sequence ?? 0n) + 1n
  const frame = { network, sequence, fee, now: clock.now(), validSeconds }
  const plan = (wish.step === 'add' ? addSigner : dropSigner)(change, frame)
  if (plan.kind === 'done') return plan
  if (plan.kind === 'planned') {
    if ([from, to].some(version => version.account !== pair.account) || account?.address !== pair.account) return plan
    const { sources: _, ...grant } = plan.grant
    return { ...plan, grant } // it is their own
  }
  throw new SignerError('transaction/rejected', { network, resultCode: plan.code, reason: plan.reason })
}
