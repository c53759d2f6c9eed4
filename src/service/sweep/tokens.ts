import { boolIn, uintIn, wordsIn } from '../../chains/evm/index.ts'
import { type NamedAllowance, PERMIT2 } from '../../policy/index.ts'
import { type Asking, mustRead, type TokenWords } from './asking.ts'
import type { SweepItem } from './types.ts'

/** Allowances end here; more than any supply there is, so more is meant as "without limit". */
const UNLIMITED = 1n << 128n
/** The largest that Permit2 can keep. */
const PERMIT2_UNLIMITED = (1n << 160n) - 1n

type Words = (token: string) => Promise<TokenWords>

export async function tokenItem(asking: Asking, token: string, words: Words): Promise<readonly SweepItem[]> {
  const balance = (owner: string) => mustRead(asking, token, 'balanceOf(address)', [owner], uintIn)
  const [old, next, { name, amount }] = await Promise.all([balance(asking.old), balance(asking.new), words(token)])
  if (old === undefined) return []
  const there = next === undefined || next === 0n ? '' : `; the new address has ${amount(next)}`
  const text = old === 0n ? `the old address has nothing of ${name}${there}` : `move ${amount(old)} of ${name}${there}`
  return [{ kind: 'token', done: old === 0n, token, amount: `${old}`, text }]
}

/** ERC-721 counts its tokens; ERC-1155 has no such count, and what an account has of it is asked by id. */
export async function collectionItem(asking: Asking, collection: string): Promise<readonly SweepItem[]> {
  const old = await mustRead(asking, collection, 'balanceOf(address)', [asking.old], uintIn)
  if (old === undefined) return []
  const name = `the collection \`${collection}\``
  const text = old === 0n ? `the old address has nothing of ${name}` : `move ${old} of ${name}, each by its id`
  return [{ kind: 'collection', done: old === 0n, contract: collection, amount: `${old}`, text }]
}

export async function allowanceItems(
  asking: Asking,
  { token, spender }: NamedAllowance,
  words: Words,
): Promise<readonly SweepItem[]> {
  const allowance = (owner: string) => mustRead(asking, token, 'allowance(address,address)', [owner, spender], uintIn)
  const [old, next, { name, amount }] = await Promise.all([allowance(asking.old), allowance(asking.new), words(token)])
  const ends = { token, spender, old, next, kind: 'allowance', unlimited: UNLIMITED } as const
  return givenItems({ ...ends, what: name, amount })
}

/** Permit2 keeps allowances of its own, each with an end. @see Uniswap Permit2, AllowanceTransfer */
export async function permit2Items(
  asking: Asking,
  { token, spender }: NamedAllowance,
  words: Words,
): Promise<readonly SweepItem[]> {
  const { time } = asking.state.block
  const allowance = async (owner: string): Promise<bigint | undefined> => {
    const signature = 'allowance(address,address,address)'
    const found = await mustRead(asking, PERMIT2, signature, [owner, token, spender], data => {
      const [most, ends, nonce] = wordsIn(data, 3) ?? []
      if (most === undefined || ends === undefined || nonce === undefined) return undefined
      return most >> 160n === 0n && ends >> 48n === 0n && nonce >> 48n === 0n ? { most, ends } : undefined
    })
    if (found === undefined) return undefined
    return found.ends < time ? 0n : found.most // over: nobody can use it, and no step is needed
  }
  const [old, next, { name, amount }] = await Promise.all([allowance(asking.old), allowance(asking.new), words(token)])
  const ends = { token, spender, old, next, kind: 'permit2', unlimited: PERMIT2_UNLIMITED } as const
  return givenItems({ ...ends, what: `${name} through Permit2`, amount })
}

export async function operatorItems(
  asking: Asking,
  { token: collection, spender }: NamedAllowance,
): Promise<readonly SweepItem[]> {
  const signature = 'isApprovedForAll(address,address)'
  const allowed = async (owner: string): Promise<bigint | undefined> => {
    const found = await mustRead(asking, collection, signature, [owner, spender], boolIn)
    return found === undefined ? undefined : found ? 1n : 0n
  }
  const [old, next] = await Promise.all([allowed(asking.old), allowed(asking.new)])
  const ends = { token: collection, spender, old, next, kind: 'operator', unlimited: 2n } as const
  return givenItems({ ...ends, what: `the collection \`${collection}\``, amount: () => 'everything' })
}

interface Given {
  readonly kind: 'allowance' | 'permit2' | 'operator'
  readonly token: string
  readonly spender: string
  /** Undefined: it could not be read, which is said elsewhere. */
  readonly old: bigint | undefined
  readonly next: bigint | undefined
  readonly what: string
  readonly unlimited: bigint
  readonly amount: (units: bigint) => string
}

/** What the old address has given is taken back, and given by the new one where it is still wanted. */
function givenItems(given: Given): readonly SweepItem[] {
  const { kind, token, spender, old, next, what, unlimited } = given
  const amount = (units: bigint): string => (units >= unlimited ? 'all' : given.amount(units))
  const flag = (units: bigint) => (units >= unlimited ? ({ unlimited: true } as const) : {})
  const place = kind === 'operator' ? { contract: token, spender } : { token, spender }
  const units = (value: bigint) => (kind === 'operator' ? {} : { amount: `${value}` })
  const items: SweepItem[] = []
  if (next !== undefined && (next > 0n || (old ?? 0n) > 0n)) {
    const done = next > 0n
    const text = done
      ? `\`${spender}\` may move ${amount(next)} of ${what} of the new address`
      : `let \`${spender}\` move ${what} of the new address, as far as it still has to`
    items.push({ kind: 'grant', done, ...place, ...units(next), ...flag(next), text })
  }
  if (old !== undefined) {
    const done = old === 0n
    const limit = old >= unlimited ? ', without limit' : ''
    const text = done
      ? `\`${spender}\` may move nothing of ${what} of the old address`
      : `take back from \`${spender}\` what it may move of the old address${limit}: ${amount(old)} of ${what}`
    items.push({ kind, done, ...place, ...units(old), ...flag(old), text })
  }
  return items
}
