import canonicalize from 'canonicalize'
import type { Json } from '../bytes/json.ts'
import type { RateClaim } from '../domain/claims.ts'
import { SignerError } from '../domain/errors.ts'
import type { Caller } from './authorize.ts'

/**
 * What a token allows of what its scopes grant (the private claim `cs`). A constraint that is absent constrains nothing;
 * one that is there holds for every signature.
 */
export interface Constraints {
  readonly networks?: readonly string[]
  /** Classes: an operation type of Stellar, `evm-transaction`, `message`, … Every operation of a payload must be in the list. */
  readonly operations?: readonly string[]
  /** Asset to the most that one signature may move of it, in its smallest unit. An asset that is not here may not move. */
  readonly maxValue?: ReadonlyMap<string, bigint>
  /** Address blocks the request must come from. */
  readonly cidrs?: readonly string[]
  /** Business hours, in the form of the module that judges them. */
  readonly window?: Json
  /** Operations a minute. */
  readonly limit?: number
}

/** What other rooms know. A constraint without its judge is never met. */
export interface ConstraintJudges {
  readonly isBlock?: (cidr: string) => boolean
  readonly inBlocks?: (cidrs: readonly string[], peer: string) => boolean
  readonly isWindow?: (window: Json) => boolean
  /** @param now milliseconds since the epoch */
  readonly inWindow?: (window: Json, now: number) => boolean
}

/** Where and when a request comes. */
export interface PlaceFacts {
  /** Address of the client as admission found it: the socket's, or what a listed proxy says. */
  readonly peer: string
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** What a payload would do, decoded. */
export interface SigningFacts extends PlaceFacts {
  readonly network: string
  /** Class of every operation in the payload; none is an answer that no list allows. */
  readonly operations: readonly string[]
  /** Asset to the most that leaves, in the smallest unit. Undefined: nobody can tell, which no `maxValue` allows. */
  readonly outgoing: ReadonlyMap<string, bigint> | undefined
}

const MEMBERS = ['networks', 'operations', 'maxValue', 'cidrs', 'window', 'limit'] as const
export type ConstraintName = (typeof MEMBERS)[number]

const LIST_MAX = 64
const WINDOW_CHARACTERS_MAX = 1024
const LIMIT_MAX = 1_000_000
const MINUTE_MS = 60_000
const NAME = /^[\x21-\x7e]{1,128}$/
const CLASS = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/
/** 2^256 has 78 digits. */
const UNITS = /^(0|[1-9][0-9]{0,77})$/

type Members = Readonly<Record<string, unknown>>
export type ReadConstraints = { readonly constraints: Constraints } | { readonly problem: string }

/**
 * Canonical, so that one set of constraints has one text: members in the order of RFC 8785, lists ascending and without
 * repetition, amounts whole numbers of the smallest unit as text without leading zeros, and nothing that is not known.
 *
 * @param value the claim `cs`, parsed. @returns the constraints, or which member is wrong and how
 */
export function readConstraints(value: unknown, judges: ConstraintJudges = {}): ReadConstraints {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return { problem: 'is not an object' }
  const members = value as Members
  const names = Object.keys(members)
  const unknown = names.find(name => !(MEMBERS as readonly string[]).includes(name))
  if (unknown !== undefined) return { problem: 'has an unknown member' }
  if (names.length === 0) return { problem: 'is empty: leave it out' }
  for (const name of names) {
    const problem = READERS[name as ConstraintName](members[name], judges)
    if (problem !== undefined) return { problem: `${name} ${problem}` }
  }
  if (canonicalize(members) !== JSON.stringify(members)) return { problem: 'is not in the order of RFC 8785' }
  const { maxValue, ...rest } = members as Omit<Constraints, 'maxValue'> & { maxValue?: Record<string, string> }
  if (maxValue === undefined) return { constraints: Object.freeze(rest) }
  const most = new Map(Object.entries(maxValue).map(([asset, units]) => [asset, BigInt(units)]))
  return { constraints: Object.freeze({ ...rest, maxValue: most }) }
}

/** One a member. @returns what is wrong */
const READERS: Record<ConstraintName, (value: unknown, judges: ConstraintJudges) => string | undefined> = {
  networks: value => listProblem(value, text => NAME.test(text)),
  operations: value => listProblem(value, text => CLASS.test(text)),
  maxValue: value => {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return 'is not an object'
    const entries = Object.entries(value as Members)
    if (entries.length > LIST_MAX) return `has more than ${LIST_MAX} assets`
    const good = entries.every(([asset, units]) => NAME.test(asset) && typeof units === 'string' && UNITS.test(units))
    return good
      ? undefined
      : 'is not asset to whole number of the smallest unit, as text: 10 XLM is "native": "100000000"'
  },
  cidrs: (value, { isBlock = () => true }) =>
    listProblem(value, text => NAME.test(text) && passes(() => isBlock(text))),
  window: (value, { isWindow = () => true }) => {
    const text = JSON.stringify(value)
    if (text.length > WINDOW_CHARACTERS_MAX) return `has more than ${WINDOW_CHARACTERS_MAX} characters`
    return passes(() => isWindow(value as Json)) ? undefined : 'is not a window'
  },
  limit: value =>
    Number.isInteger(value) && (value as number) >= 1 && (value as number) <= LIMIT_MAX
      ? undefined
      : `is not a whole number from 1 to ${LIMIT_MAX}`,
}

function listProblem(value: unknown, isGood: (text: string) => boolean): string | undefined {
  if (!Array.isArray(value) || value.length === 0 || value.length > LIST_MAX) return `is not a list of 1 to ${LIST_MAX}`
  const list = value as readonly unknown[]
  if (!list.every(text => typeof text === 'string' && isGood(text))) return 'holds what it cannot hold'
  const ascending = list.every((text, at) => at === 0 || (list[at - 1] as string) < (text as string))
  return ascending ? undefined : 'is not ascending without repetition'
}

/**
 * Whether the token may be used from here and now; for every request, whatever it asks.
 * @throws `access/denied` naming the constraint
 */
export function withinPlace(
  { constraints }: Pick<Caller, 'constraints'>,
  { peer, now }: PlaceFacts,
  judges: ConstraintJudges = {},
  action = 'authenticate',
): void {
  if (constraints === undefined) return
  const { cidrs, window } = constraints
  const { inBlocks, inWindow } = judges
  if (cidrs !== undefined && !passes(() => inBlocks?.(cidrs, peer)))
    throw denied(action, 'cidrs', 'the token is not for this address')
  if (window !== undefined && !passes(() => inWindow?.(window, now)))
    throw denied(action, 'window', 'the token is not for this time')
}

/**
 * Whether the token allows this signature, by everything but its scopes and its `limit`. Pure: same facts, same answer.
 * @throws `access/denied` naming the constraint
 */
export function withinConstraints(
  caller: Pick<Caller, 'constraints'>,
  facts: SigningFacts,
  judges: ConstraintJudges = {},
  action = 'sign',
): void {
  withinPlace(caller, facts, judges, action)
  const { networks, operations, maxValue } = caller.constraints ?? {}
  if (networks !== undefined && !networks.includes(facts.network))
    throw denied(action, 'networks', `the token is not for ${facts.network}`)
  if (operations !== undefined) {
    const surplus = facts.operations.find(operation => !operations.includes(operation))
    if (surplus !== undefined || facts.operations.length === 0)
      throw denied(action, 'operations', `the token does not allow ${surplus ?? 'a payload without operations'}`)
  }
  if (maxValue === undefined) return
  if (facts.outgoing === undefined) throw denied(action, 'maxValue', 'what the payload moves cannot be told')
  for (const [asset, units] of facts.outgoing) {
    // Less than nothing is no amount: the network refuses it too.
    if (units < 0n || units > (maxValue.get(asset) ?? 0n))
      throw denied(action, 'maxValue', `the token allows ${maxValue.get(asset) ?? 'none'} of ${asset} in one signature`)
  }
}

/** The token's own limit, to be counted with the others. */
export function rateOf({ tokenId, constraints }: Pick<Caller, 'tokenId' | 'constraints'>): RateClaim | undefined {
  if (constraints?.limit === undefined) return undefined
  return { name: `token:${tokenId}`, limit: constraints.limit, windowMs: MINUTE_MS }
}

/** Only a plain yes passes: a judge that throws, is missing or says anything else has not said yes. */
function passes(judge: () => boolean | undefined): boolean {
  try {
    return judge() === true
  } catch {
    return false
  }
}

const denied = (action: string, constraint: ConstraintName, reason: string) =>
  new SignerError('access/denied', { action, reason: `${constraint}: ${reason}` })
