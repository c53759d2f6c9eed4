import { malformed } from '../../domain/errors.ts'
import { type NamedAllowance, PERMIT2, placesNamedBy, type Policy } from '../../policy/index.ts'
import type { SweepWish } from './types.ts'

/** Everything that is asked about, each once. */
export interface Subject {
  readonly tokens: readonly string[]
  readonly collections: readonly string[]
  readonly allowances: readonly NamedAllowance[]
  readonly permits: readonly NamedAllowance[]
  readonly operators: readonly NamedAllowance[]
  readonly contracts: readonly string[]
  /** Of which only a part can be asked about: the policy lists no spenders. */
  readonly open: readonly string[]
}

/** About a minute for a node that answers in 30 ms. */
const QUESTIONS_MAX = 20_000

/** @throws `request/malformed` where that is too much */
export function subjectOf(policy: Policy, wish: SweepWish): Subject {
  const named = placesNamedBy(wish.policy ? policy.rules : {})
  const tokens = [...new Set([...named.tokens, ...wish.tokens])]
  const collections = [...new Set([...wish.collections, ...named.operators.map(({ token }) => token)])]
  const allowances = distinct([...named.allowances, ...pairs(tokens, wish.spenders)])
  const throughPermit2 = new Set(allowances.filter(({ spender }) => spender === PERMIT2).map(({ token }) => token))
  const others = wish.spenders.filter(spender => spender !== PERMIT2)
  const subject = {
    tokens: tokens.filter(token => !collections.includes(token)),
    collections,
    allowances: allowances.filter(({ token }) => !collections.includes(token)),
    permits: distinct([...named.permits, ...pairs([...throughPermit2], others)]),
    operators: distinct([...named.operators, ...pairs(collections, wish.spenders)]),
    contracts: named.contracts,
    open: named.open,
  }
  const questions =
    4 * tokens.length +
    2 * collections.length +
    2 * (subject.allowances.length + subject.permits.length + subject.operators.length) +
    6 * subject.contracts.length
  if (questions <= QUESTIONS_MAX) return subject
  const reason = `would ask ${questions} questions, and ${QUESTIONS_MAX} are the most`
  throw malformed(
    '--print sweep',
    reason,
    'name a part of the tokens and spenders, with --only-named, one part after the other',
  )
}

const pairs = (tokens: readonly string[], spenders: readonly string[]): NamedAllowance[] =>
  tokens.flatMap(token => spenders.map(spender => ({ token, spender })))

const distinct = (list: readonly NamedAllowance[]): readonly NamedAllowance[] => [
  ...new Map(list.map(pair => [`${pair.token} ${pair.spender}`, pair])).values(),
]
