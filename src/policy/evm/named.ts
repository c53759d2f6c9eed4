import { checksummed } from '../../bytes/evm-address.ts'
import { fromHex } from '../../bytes/hex.ts'
import type { Bound } from './bounds.ts'
import { type TokenFunction, TOKEN_FUNCTIONS } from './known.ts'
import { isPermit } from './permits.ts'
import type { EvmRules, TypedDataGrant } from './schema.ts'

export interface NamedAllowance {
  readonly token: string
  readonly spender: string
}

/**
 * What a policy names on its chain: where an account of the key may hold something, or may have given something away. Each
 * once, with the checksum of EIP-55, in the order of the document.
 */
export interface NamedPlaces {
  readonly tokens: readonly string[]
  readonly allowances: readonly NamedAllowance[]
  /** Through Permit2. */
  readonly permits: readonly NamedAllowance[]
  /** `spender` may move all that the account has of a collection (ERC-721, ERC-1155, ERC-777). */
  readonly operators: readonly NamedAllowance[]
  /** Whose functions may be called, or that take what is signed for them: a Safe of which the key is an owner. */
  readonly contracts: readonly string[]
  /** Contracts whose spenders are not listed: anybody may have been given an allowance. Permit2: of any token, too. */
  readonly open: readonly string[]
}

/** One address on every chain that has it. @see https://docs.uniswap.org/contracts/v4/deployments */
export const PERMIT2 = '0x000000000022D473030F116dDEE9F6B43aC78BA3'
const permit2 = PERMIT2.toLowerCase()
/** Functions whose one argument is a truth value, or none: they give everything away. */
const givesAll = (known: TokenFunction): boolean =>
  known.amount < 0 || known.function.parameters[known.amount]?.kind === 'bool'

export function placesNamedBy({ evm = {}, typedData = [] }: EvmRules): NamedPlaces {
  const found = {
    tokens: new Set<string>(),
    allowances: new Set<string>(),
    permits: new Set<string>(),
    operators: new Set<string>(),
    contracts: new Set<string>(),
    open: new Set<string>(),
  }
  const pairs = (into: Set<string>, tokens: Iterable<string>, spenders: readonly string[] | undefined): void => {
    for (const token of tokens) {
      if (spenders === undefined) found.open.add(token)
      else for (const spender of spenders) into.add(`${token} ${spender}`)
    }
  }
  for (const { token, spenders = [] } of evm.tokens ?? []) {
    found.tokens.add(token)
    pairs(found.allowances, [token], [...spenders].filter(isAddress))
  }
  for (const { to, function: called, bounds } of [...(evm.calls ?? []), ...(evm.sensitiveCalls ?? [])]) {
    const known = TOKEN_FUNCTIONS.get(called.selector)
    for (const contract of to) if (contract !== permit2) found.contracts.add(contract)
    if (known === undefined) continue
    const named = known.token === undefined ? [...to] : listed(bounds[known.token])
    const tokens = named ?? []
    if (named === undefined && known.kind === 'approval') for (const contract of to) found.open.add(contract)
    if (givesAll(known)) {
      pairs(found.operators, tokens, listed(bounds[known.to]))
      continue
    }
    for (const token of tokens) found.tokens.add(token)
    if (known.kind === 'approval') {
      pairs(known.token === undefined ? found.allowances : found.permits, tokens, listed(bounds[known.to]))
    }
  }
  for (const grant of typedData) {
    const { primaryType, domain } = grant
    if (isPermit(primaryType)) permitPlaces(grant, found.tokens, found, pairs)
    else found.contracts.add(domain.verifyingContract)
  }
  return {
    tokens: [...found.tokens].map(written),
    allowances: pairsOf(found.allowances),
    permits: pairsOf(found.permits),
    operators: pairsOf(found.operators),
    contracts: [...found.contracts].map(written),
    open: [...found.open].map(written),
  }
}

/** ERC-2612 and ERC-3009 have the token as their contract; Permit2 has it in each detail. */
function permitPlaces(
  { primaryType, domain, fields }: TypedDataGrant,
  tokens: Set<string>,
  found: { readonly allowances: Set<string>; readonly permits: Set<string>; readonly open: Set<string> },
  pairs: (into: Set<string>, tokens: Iterable<string>, spenders: readonly string[] | undefined) => void,
): void {
  const contract = domain.verifyingContract
  if (primaryType === 'Permit') {
    tokens.add(contract)
    pairs(found.allowances, [contract], listed(fields['spender']))
    return
  }
  if (primaryType.endsWith('WithAuthorization')) tokens.add(contract) // ERC-3009: it leaves no allowance behind
  if (contract !== permit2) return
  const named = [
    fields['details.token'],
    fields['details[].token'],
    fields['permitted.token'],
    fields['permitted[].token'],
  ]
  const given = named.flatMap(bound => listed(bound) ?? [])
  if (given.length === 0) found.open.add(permit2)
  for (const token of given) {
    tokens.add(token)
    found.allowances.add(`${token} ${permit2}`)
  }
  // Transfers by signature leave no allowance behind.
  if (primaryType === 'PermitSingle' || primaryType === 'PermitBatch') {
    pairs(found.permits, given, listed(fields['spender']))
  }
}

const isAddress = (party: string): boolean => party !== 'self'

/** Undefined: the bound lists none, so any is possible. */
const listed = (bound: Bound | undefined): readonly string[] | undefined =>
  typeof bound === 'object' && 'addresses' in bound ? [...bound.addresses].filter(isAddress) : undefined

const written = (address: string): string => checksummed(fromHex(address.slice(2)) ?? new Uint8Array(20))

const pairsOf = (pairs: ReadonlySet<string>): readonly NamedAllowance[] =>
  [...pairs].map(pair => {
    const [token = '', spender = ''] = pair.split(' ')
    return { token: written(token), spender: written(spender) }
  })
