import { decimalOf } from '../domain/stellar.ts'
import { type Difference, less, more, ofSetsOrAny } from './differences.ts'
import { destinationIn } from './question.ts'
import type { PolicyRules, SpendWindow } from './schema.ts'

type Payments = NonNullable<PolicyRules['payments']>

/** How an account may be paid under its own address, and which sub-accounts of it. */
interface Reach {
  readonly plain: 'no' | 'with a memo' | 'with or without a memo'
  readonly muxed: 'any' | readonly bigint[]
}

const PLAIN = ['no', 'with a memo', 'with or without a memo'] as const

/** @param account undefined: one that no list names. */
function reachOf(payments: Payments | undefined, account: string | undefined): Reach {
  if (payments === undefined) return { plain: 'no', muxed: [] }
  const { destinations, muxed } = payments
  if (destinations === 'any') return { plain: 'with or without a memo', muxed: muxed ?? [] }
  const entry = account === undefined ? undefined : destinationIn(destinations, account)
  if (entry === undefined) return { plain: 'no', muxed: [] }
  return {
    plain: entry.memo === 'required' ? 'with a memo' : 'with or without a memo',
    muxed: muxed ?? entry.muxedIds,
  }
}

const accountsOf = ({ payments }: PolicyRules): readonly string[] =>
  payments === undefined || payments.destinations === 'any' ? [] : payments.destinations.map(({ account }) => account)

export function destinationDifferences(before: PolicyRules, after: PolicyRules): Difference[] {
  const accounts: (string | undefined)[] = [...new Set([...accountsOf(before), ...accountsOf(after)]), undefined]
  return accounts.flatMap(account => {
    const was = reachOf(before.payments, account)
    const is = reachOf(after.payments, account)
    const path = `payments.destinations.${account ?? 'any'}`
    const who = account ?? 'Everybody else'
    const found = ofSetsOrAny(`${path}.muxedIds`, was.muxed, is.muxed)
    const step = PLAIN.indexOf(is.plain) - PLAIN.indexOf(was.plain)
    if (step > 0) found.push(more(path, `${who} may be paid ${is.plain} now.`))
    if (step < 0) found.push(less(path, `${who} may be paid less freely: ${is.plain}.`))
    return found
  })
}

type Cap = Payments['assets'][number]

/** @param asset undefined: one that no list names. */
const capsOf = ({ payments }: PolicyRules, asset: string | undefined): readonly Cap[] =>
  (payments?.assets ?? []).filter(cap => cap.asset === 'any' || cap.asset === asset)

export function assetDifferences(before: PolicyRules, after: PolicyRules): Difference[] {
  const named = [before, after].flatMap(({ payments }) => payments?.assets ?? []).map(({ asset }) => asset)
  const assets: (string | undefined)[] = [...new Set(named.filter(asset => asset !== 'any')), undefined]
  return assets.flatMap(asset => {
    const was = capsOf(before, asset)
    const is = capsOf(after, asset)
    const path = `payments.assets.${asset ?? 'any'}`
    return [
      ...is.filter(cap => !fits(cap, was)).map(cap => more(path, `Payments up to ${capText(cap)} are granted now.`)),
      ...was.filter(cap => !fits(cap, is)).map(cap => less(path, `Not all payments up to ${capText(cap)} any more.`)),
    ]
  })
}

const fits = (cap: Cap, others: readonly Cap[]): boolean =>
  others.some(other => cap.maxPerOperation <= other.maxPerOperation && cap.maxPerTransaction <= other.maxPerTransaction)

const capText = (cap: Cap): string =>
  `${decimalOf(cap.maxPerOperation)} in an operation and ${decimalOf(cap.maxPerTransaction)} in a transaction`

/**
 * Windows limit. One that goes, or rises, allows more; so does one that becomes longer, or counts more receivers together,
 * since its counter is another one, which nothing has filled yet.
 */
export function windowDifferences({ windows: was = [] }: PolicyRules, { windows: is = [] }: PolicyRules): Difference[] {
  return [
    ...was
      .filter(window => !is.some(other => keeps(other, window)))
      .map(window => more(pathOf(window), `The limit of ${windowText(window)} is gone, or higher.`)),
    ...is
      .filter(window => !was.some(other => keeps(other, window)))
      .map(window => less(pathOf(window), `There is a limit of ${windowText(window)} now.`)),
  ]
}

/** Every counter of the second is one of the first, with a limit that is no higher. */
const keeps = (one: SpendWindow, other: SpendWindow): boolean =>
  one.seconds === other.seconds &&
  one.max <= other.max &&
  (one.asset === other.asset || (one.asset === 'any' && other.asset !== 'fee')) &&
  (one.destination === other.destination || (one.destination === 'each' && other.destination !== undefined))

const pathOf = ({ asset, destination, seconds }: SpendWindow): string =>
  `windows.${asset}.${destination ?? 'all'}.${seconds}`

const windowText = ({ asset, destination, seconds, max }: SpendWindow): string =>
  `${decimalOf(max)} of ${asset} to ${destination ?? 'all receivers'} in ${seconds} seconds`
