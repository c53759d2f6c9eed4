import { type Bound, narrower } from './bounds.ts'
import type { CallGrant } from './grants.ts'
import type { EvmGrants, EvmRules, EvmWindow, MessageGrant, TokenGrant, TypedDataGrant } from './schema.ts'

/**
 * `tightening` only where it can be seen, grant by grant, that nothing is allowed afterwards that was not allowed before:
 * every grant has one before that covers it, every window before is still there. All else is a loosening, also where
 * somebody could prove otherwise.
 */
export function directionOfEvm(before: EvmRules, after: EvmRules): 'tightening' | 'loosening' {
  const tighter =
    flag(after.rawDigests, before.rawDigests) &&
    each(after.messages, before.messages, message) &&
    each(after.typedData, before.typedData, typedData) &&
    grants(after.evm ?? {}, before.evm ?? {}) &&
    (nothing(after) || (before.evm?.windows ?? []).every(window => kept(window, after.evm?.windows ?? [])))
  return tighter ? 'tightening' : 'loosening'
}

/** Windows count transactions and typed data. */
const nothing = ({ evm, typedData }: EvmRules): boolean => evm === undefined && typedData === undefined

const flag = (after: boolean | undefined, before: boolean | undefined): boolean => after !== true || before === true

/** Every one after is covered by a single one before. */
const each = <T>(
  after: readonly T[] | undefined,
  before: readonly T[] | undefined,
  covers: (inner: T, outer: T) => boolean,
): boolean => (after ?? []).every(inner => (before ?? []).some(outer => covers(inner, outer)))

/** No grant after, or one before as well that is no less. */
const part = <T>(after: T | undefined, before: T | undefined, covers: (inner: T, outer: T) => boolean): boolean =>
  after === undefined || (before !== undefined && covers(after, before))

type Listed = 'any' | ReadonlySet<string> | readonly string[]

function listed(after: Listed, before: Listed): boolean {
  if (before === 'any' || after === 'any') return before === 'any'
  const all = new Set(before)
  return [...after].every(one => all.has(one))
}

const within = (after: bigint, before: bigint): boolean => after <= before

const kept = (window: EvmWindow, after: readonly EvmWindow[]): boolean =>
  after.some(
    other =>
      other.asset === window.asset &&
      other.destination === window.destination &&
      other.seconds === window.seconds &&
      other.max <= window.max,
  )

const grants = (after: EvmGrants, before: EvmGrants): boolean =>
  part(after.fee, before.fee, (inner, outer) => inner.maxWei <= outer.maxWei) &&
  within(after.maxWei ?? 0n, before.maxWei ?? 0n) &&
  part(after.payments, before.payments, (inner, outer) => listed(inner.destinations, outer.destinations)) &&
  each(after.calls, before.calls, call) &&
  each(after.sensitiveCalls, before.sensitiveCalls, call) &&
  each(after.tokens, before.tokens, token) &&
  part(after.create, before.create, (inner, outer) => listed(inner.initCodeHashes, outer.initCodeHashes)) &&
  part(after.blobs, before.blobs, (inner, outer) => inner.max <= outer.max) &&
  part(
    after.setCode,
    before.setCode,
    (inner, outer) => listed(inner.codes, outer.codes) && flag(inner.anyChain, outer.anyChain),
  )

const call = (inner: CallGrant, outer: CallGrant): boolean =>
  inner.function.signature === outer.function.signature &&
  listed(inner.to, outer.to) &&
  inner.maxWei <= outer.maxWei &&
  flag(inner.unlimitedApprovals, outer.unlimitedApprovals) &&
  inner.bounds.every((bound, at) => narrower(bound, outer.bounds[at] ?? 'nested'))

const token = (inner: TokenGrant, outer: TokenGrant): boolean =>
  inner.token === outer.token &&
  inner.maxPerTransaction <= outer.maxPerTransaction &&
  part(inner.recipients, outer.recipients, listed) &&
  part(inner.senders, outer.senders, listed) &&
  part(inner.spenders, outer.spenders, listed) &&
  flag(inner.unlimitedApprovals, outer.unlimitedApprovals)

const message = (inner: MessageGrant, outer: MessageGrant): boolean =>
  inner.prefix.startsWith(outer.prefix) && inner.maxBytes <= outer.maxBytes

const field = (inner: Bound, outer: Bound | undefined): boolean => outer !== undefined && narrower(inner, outer)

const typedData = (inner: TypedDataGrant, outer: TypedDataGrant): boolean =>
  inner.primaryType === outer.primaryType &&
  inner.domain.name === outer.domain.name &&
  inner.domain.version === outer.domain.version &&
  inner.domain.chainId === outer.domain.chainId &&
  inner.domain.verifyingContract === outer.domain.verifyingContract &&
  Object.entries(inner.fields).every(([path, bound]) =>
    field(bound, Object.hasOwn(outer.fields, path) ? outer.fields[path] : undefined),
  ) &&
  flag(inner.unlimitedApprovals, outer.unlimitedApprovals) &&
  part(inner.permit, outer.permit, (a, b) => a.maxAmount <= b.maxAmount && a.maxLifetimeSeconds <= b.maxLifetimeSeconds)
