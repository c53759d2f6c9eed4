import type { ArgumentGrant, FunctionGrant } from './contract-fields.ts'
import { type Difference, isWithin, less, more } from './differences.ts'
import type { PolicyRules } from './schema.ts'

/** A contract stands in one of both lists. `asset`: what its calls move is counted. */
interface Listed {
  readonly contract: string
  readonly asset?: string
  readonly functions: readonly FunctionGrant[]
}

const listedBy = ({ contracts = [], tokens = [] }: PolicyRules): readonly Listed[] => [...contracts, ...tokens]

export function contractDifferences(before: PolicyRules, after: PolicyRules): Difference[] {
  return [
    ...beyond(after, before).map(({ path, name }) => more(path, `Calls of ${name} are granted that were not before.`)),
    ...beyond(before, after).map(({ path, name }) => less(path, `Not all calls of ${name} are granted any more.`)),
  ]
}

/** What the first grants and the second does not. */
function beyond(first: PolicyRules, second: PolicyRules): { path: string; name: string }[] {
  const others = new Map(listedBy(second).map(entry => [entry.contract, entry]))
  return listedBy(first).flatMap(entry => {
    const other = others.get(entry.contract)
    const room = entry.asset === undefined ? 'contracts' : 'tokens'
    return entry.functions
      .filter(grant => other === undefined || !covers(other, entry, grant))
      .map(({ name }) => ({ path: `${room}.${entry.contract}.${name}`, name }))
  })
}

/** A call that is counted has to fit more rules than one that is not. */
const covers = (wide: Listed, narrow: Listed, grant: FunctionGrant): boolean =>
  (wide.asset === undefined || wide.asset === narrow.asset) &&
  wide.functions.some(one => one.name === grant.name && coversArguments(one.arguments, grant.arguments))

function coversArguments(wide: FunctionGrant['arguments'], narrow: FunctionGrant['arguments']): boolean {
  if (wide === undefined) return true
  if (narrow === undefined) return false
  return narrow.every(grant => coveredBy(wide, grant))
}

function coveredBy(grants: readonly ArgumentGrant[], narrow: ArgumentGrant): boolean {
  const here = grants.filter(({ at }) => at === 'all' || at === narrow.at)
  if (here.some(wide => wide.any === true)) return true
  if (narrow.any === true) return false
  const { bools, symbols, strings, bytes, addresses, integer, vec, map } = narrow
  const holds = <T>(values: readonly T[] | undefined, of: (wide: ArgumentGrant) => readonly T[] | undefined): boolean =>
    (values ?? []).every(value => here.some(wide => of(wide)?.includes(value) === true))
  return (
    (narrow.void !== true || here.some(wide => wide.void === true)) &&
    holds(bools, wide => wide.bools) &&
    holds(symbols, wide => wide.symbols) &&
    holds(strings, wide => wide.strings) &&
    holds(bytes, wide => wide.bytes) &&
    holds(addresses, wide => wide.addresses) &&
    (integer === undefined || isWithin(integer, undefined) || here.some(wide => isWithin(integer, wide.integer))) &&
    lengthsHeld(vec, here, wide => wide.vec) &&
    lengthsHeld(map, here, wide => wide.map)
  )
}

function lengthsHeld(
  narrow: ArgumentGrant['vec'],
  grants: readonly ArgumentGrant[],
  of: (wide: ArgumentGrant) => ArgumentGrant['vec'],
): boolean {
  if (narrow === undefined) return true
  const range = (lengths: NonNullable<ArgumentGrant['vec']>) => ({ min: lengths.minLength, max: lengths.maxLength })
  if (isWithin(range(narrow), undefined)) return true
  return grants.some(wide => {
    const lengths = of(wide)
    return lengths !== undefined && isWithin(range(narrow), range(lengths))
  })
}
