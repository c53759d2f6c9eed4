import { addSigner, dropSigner, type SignerPlan } from '../../chains/stellar/index.ts'
import { SignerError } from '../../domain/errors.ts'
import type { DatedVersion } from '../../domain/key.ts'
import type { Clock, KeyCatalogue } from '../../domain/ports.ts'
import type { AccountState } from '../../domain/stellar-network.ts'

/** Whose signers change, and which takes the place of which. */
export interface SignerPair {
  readonly network: string
  /** The account of the first version of the key: its own, unless told. */
  readonly account: string
  readonly from: DatedVersion['version']
  readonly to: DatedVersion['version']
}

/** @throws `key/unknown`; `key/unsupported` for a key of another chain; `key/rotation` where nothing is being replaced */
export async function signerPair(registry: Pick<KeyCatalogue, 'versions'>, name: string): Promise<SignerPair> {
  const held = await registry.versions(name)
  const [first] = held
  if (first === undefined) throw new SignerError('key/unknown', { key: name })
  if (first.key.chain !== 'stellar') {
    const reason = 'an account of this chain has one key: move what it holds to the address of the new version'
    throw new SignerError('key/unsupported', { key: name, wanted: 'stellar', reason })
  }
  const versions = held.map(({ version }) => version)
  const to = versions.find(({ state }) => state === 'pending') ?? versions.find(({ state }) => state === 'active')
  const signed = new Set(
    held.flatMap(({ version, times }) => (times.activeFrom === undefined ? [] : [version.version])),
  )
  const from = versions.findLast(({ version }) => to !== undefined && version < to.version && signed.has(version))
  if (to === undefined || from === undefined) {
    throw new SignerError('key/rotation', { key: name, reason: 'no version takes the place of another: begin' })
  }
  return { network: first.key.network, account: first.version.address, from, to }
}

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
  if (plan.kind !== 'refused') return plan
  throw new SignerError('transaction/rejected', { network, resultCode: plan.code, reason: plan.reason })
}
