import { SignerError } from '../../domain/errors.ts'
import type { EvmNetwork } from '../../domain/evm-network.ts'
import type { DatedVersion, KeyVersion } from '../../domain/key.ts'
import { maySign } from '../../domain/key.ts'
import type { KeyCatalogue } from '../../domain/ports.ts'
import { type Policy, readPolicy } from '../../policy/index.ts'
import { addressOf } from '../payloads.ts'
import { type ProofDeps, prove } from '../restore.ts'
import { successionOf } from '../rotate/signers.ts'
import { accountItems } from './accounts.ts'
import { type Asking, type TokenWords, tokenWords } from './asking.ts'
import { sweepGrant } from './grant.ts'
import { sweepPayloads } from './payloads.ts'
import { roleItems } from './roles.ts'
import { type Subject, subjectOf } from './subject.ts'
import { allowanceItems, collectionItem, operatorItems, permit2Items, tokenItem } from './tokens.ts'
import { type Sweep, SWEEP_KINDS, type SweepEnd, type SweepItem, type SweepWish } from './types.ts'

export type { Sweep, SweepItem, SweepWish } from './types.ts'

/** A key of an EVM chain whose address changes. */
export interface SweepPair {
  readonly key: string
  readonly network: string
  readonly policy: Policy
  readonly from: KeyVersion
  readonly to: KeyVersion
  /** Whether the new version ever was in a state in which it signs. */
  readonly mayHaveSigned: boolean
  /** Made after the old version and before the new one, and given up: their addresses were told to others all the same. */
  readonly between?: readonly KeyVersion[]
}

/** @throws `key/unknown`; `key/unsupported` for a key of another chain; `key/rotation` where nothing is being replaced */
export const sweepPair = async (registry: Pick<KeyCatalogue, 'versions'>, name: string): Promise<SweepPair> =>
  pairIn(name, await registry.versions(name))

/**
 * The same, where everything is about to go: the new address is that of a key that its key service signs with now. The seal of a
 * row is no MAC, and whoever edits one must not be paid.
 * @throws what `sweepPair` does; `key/mismatch`, `signature/*`, `envelope/*`, `provider/*` as the proof of a registration
 */
export async function provenPair(
  deps: ProofDeps & { readonly registry: Pick<KeyCatalogue, 'versions'> },
  name: string,
): Promise<SweepPair> {
  const held = await deps.registry.versions(name)
  const pair = pairIn(name, held)
  const next = held.find(({ version }) => version.version === pair.to.version)
  const place = next?.bindings[0]
  if (next === undefined || place === undefined || addressOf('evm', pair.to.publicKey) !== pair.to.address) {
    const reason = `the address of version ${pair.to.version} is not that of its public key`
    throw new SignerError('key/mismatch', { key: name, reason })
  }
  await prove(deps, next, place)
  return pair
}

function pairIn(name: string, held: readonly DatedVersion[]): SweepPair {
  const [first] = held
  if (first === undefined) throw new SignerError('key/unknown', { key: name })
  if (first.key.chain !== 'evm') {
    const reason = 'an account of this chain keeps its address and changes its signers: ask for add or drop'
    throw new SignerError('key/unsupported', { key: name, wanted: 'evm', reason })
  }
  const { from, to } = successionOf(name, held)
  const { network, policy } = first.key
  const isNew = ({ version }: DatedVersion): boolean => version.version === to.version
  const mayHaveSigned = held.find(isNew)?.times.activeFrom !== undefined
  const between = held.flatMap(({ version }) =>
    version.version > from.version && version.version < to.version ? [version] : [],
  )
  return { key: name, network, policy: readPolicy(policy), from, to, mayHaveSigned, between }
}

/**
 * What is left to do until the new address has what the old one had, read from the chain at one block. Asked again it shows
 * what is done by then.
 * @throws `request/malformed`, `network/unavailable`, `network/malformed`
 */
export async function surveySweep(
  pair: SweepPair,
  network: EvmNetwork,
  wish: SweepWish,
  signal: AbortSignal,
): Promise<Sweep> {
  const { key, policy, from, to } = pair
  const subject = subjectOf(policy, wish)
  const state = await network.latest(signal)
  const asking: Asking = { state, old: from.address, new: to.address, unread: [] }
  const granted = policy.rules.evm?.fee?.maxWei
  const items = await itemsOf(asking, subject, pair.mayHaveSigned, granted)
  const ends = { state, chainId: network.chainId, from: from.address, to: to.address, feeMaxWei: granted }
  const blind = asking.unread.length > 0
  const wanted = wish.payloads === true && maySign(from.state)
  const made = wanted ? await sweepPayloads({ ...ends, items, blind }) : undefined
  if (!(await state.stands())) {
    const reason = `block ${state.block.number} is no longer one of the chain: ask again`
    throw new SignerError('network/unavailable', { network: network.name, reason })
  }
  // Where the transactions are made here, what they may cost is known, and nothing above it is granted.
  const feeMaxWei = made === undefined || made.payloads.length === 0 ? granted : made.feeMaxWei
  const grant = sweepGrant({ network: pair.network, to: to.address, feeMaxWei, items })
  return {
    key,
    network: network.name,
    chainId: `${network.chainId}`,
    block: { number: `${state.block.number}`, hash: state.block.hash, time: isoOf(state.block.time) },
    from: endOf(from),
    to: endOf(to),
    items,
    unread: asking.unread.toSorted((a, b) => compare(`${a.contract} ${a.question}`, `${b.contract} ${b.question}`)),
    notes: [
      ...(made?.notes ?? []),
      ...notesOf(pair, subject, items, { granted: grant !== undefined, fee: feeMaxWei !== undefined }),
    ],
    ...(wish.payloads === true ? { payloads: made?.payloads ?? [] } : {}),
    ...(grant === undefined ? {} : { policy: grant }),
  }
}

async function itemsOf(
  asking: Asking,
  subject: Subject,
  mayHaveSigned: boolean,
  feeMaxWei: bigint | undefined,
): Promise<readonly SweepItem[]> {
  const known = new Map<string, Promise<TokenWords>>()
  const words = (token: string): Promise<TokenWords> => {
    const found = known.get(token) ?? tokenWords(asking, token)
    known.set(token, found)
    return found
  }
  const found = await Promise.all([
    accountItems(asking, mayHaveSigned, feeMaxWei),
    ...subject.contracts.map(contract => roleItems(asking, contract)),
    ...subject.allowances.map(pair => allowanceItems(asking, pair, words)),
    ...subject.permits.map(pair => permit2Items(asking, pair, words)),
    ...subject.operators.map(pair => operatorItems(asking, pair)),
    ...subject.collections.map(collection => collectionItem(asking, collection)),
    ...subject.tokens.map(token => tokenItem(asking, token, words)),
  ])
  const rank = ({ kind }: SweepItem): number => SWEEP_KINDS.indexOf(kind)
  return found.flat().toSorted((a, b) => rank(a) - rank(b))
}

const NOT_SEEN =
  'Not seen from here: tokens and spenders that neither the policy nor an option names; what contracts keep for the old address (deposits, stakes, claims, names); roles inside contracts beyond owner, default admin and isOwner; lists outside the chain (withdrawal addresses at exchanges, partners, allowlists of programs); permits that were signed and not used yet, which need no transaction of the old address; the same address on other chains.'

const KEEP =
  "Keep this list: once that policy is the key's, a new one asks only for what it names, and for no roles elsewhere. Name the rest with --token, --spender and --collection."

/** Whether nobody but the new address may be paid, or be sent the tokens of a call. */
function sweepsTo({ rules: { evm } }: Policy, address: string): boolean {
  const own = address.toLowerCase()
  const alone = (list: ReadonlySet<string> | 'any' | undefined): boolean =>
    typeof list === 'object' && list.size === 1 && list.has(own)
  const sent = evm?.calls?.flatMap(({ bounds }) => bounds) ?? []
  const named = sent.flatMap(bound => (typeof bound === 'object' && 'addresses' in bound ? [bound.addresses] : []))
  return alone(evm?.payments?.destinations) || named.some(alone)
}

function notesOf(
  { key, from, to, policy, between = [] }: SweepPair,
  { open }: Subject,
  items: readonly SweepItem[],
  { granted, fee }: { readonly granted: boolean; readonly fee: boolean },
): readonly string[] {
  const waits = to.state === 'pending'
  const roles = items.some(({ kind, done }) => kind === 'role' && !done)
  const silent = `Version ${from.version} is ${from.state} and signs no more: what its address still has is not moved from here.`
  const byNumber = `The old version signs where it is asked for by number: POST /v1/keys/${key}/versions/${from.version}/sign.`
  return [
    ...(maySign(from.state) ? [] : [silent]),
    ...(from.state === 'overlap' ? [byNumber] : []),
    ...(waits ? ['The new version signs nothing before --open: what it has to give or to accept waits for that.'] : []),
    ...(open.length === 0
      ? []
      : [`The policy lists no spenders for ${open.join(', ')}: name those there may be with --spender.`]),
    ...between.map(
      ({ version, address }) => `Version ${version} was given up: what its address ${address} got is not on this list.`,
    ),
    ...(sweepsTo(policy, to.address)
      ? ['The policy of the key looks like the policy of a sweep: this list asks for what that names, and no more.']
      : []),
    ...(granted ? [KEEP] : []),
    ...(granted && !fee ? ['The policy grants no fee: add evm.fee.maxWei, or nothing of it can be signed.'] : []),
    ...(roles ? ['Changes of roles are not in that policy: grant each of them for itself, in sensitiveCalls.'] : []),
    NOT_SEEN,
  ]
}

const endOf = ({ version, state, address }: KeyVersion): SweepEnd => ({ version, state, address })

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The last moment that has a name in RFC 3339, for those who lie about the time. */
const TIME_MAX = 253_402_300_799n
const isoOf = (seconds: bigint): string =>
  new Date(Number(seconds < TIME_MAX ? seconds : TIME_MAX) * 1000).toISOString().replace('.000Z', 'Z')
