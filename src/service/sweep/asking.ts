import { questionData, tickerIn, uintIn, unitsText } from '../../chains/evm/index.ts'
import type { EvmState } from '../../domain/evm-network.ts'
import type { Unread } from './types.ts'

/** `none`: the contract has no such function, or no contract is there. */
export type Reading<T> =
  | { readonly kind: 'read'; readonly value: T }
  | { readonly kind: 'none'; readonly reason: string }
  | { readonly kind: 'unread'; readonly reason: string }

export interface Asking {
  readonly state: EvmState
  readonly old: string
  readonly new: string
  /** What had no answer, as it comes. */
  readonly unread: Unread[]
}

/**
 * One question to a contract.
 * @param signature  of a function that only reads
 * @param words      its arguments
 * @param decode     `undefined` for what is not an answer to it
 */
export async function ask<T>(
  { state }: Pick<Asking, 'state'>,
  contract: string,
  signature: string,
  words: readonly (string | bigint)[],
  decode: (data: Uint8Array) => T | undefined,
): Promise<Reading<T>> {
  const found = await state.call(contract, questionData(signature, ...words))
  if (found.kind === 'failed') return { kind: 'unread', reason: `the node answers with error ${found.code}` }
  if (found.kind === 'reverted') return { kind: 'none', reason: 'it reverts' }
  if (found.data.length === 0) return { kind: 'none', reason: 'nothing answers: is a contract of this kind there?' }
  const value = decode(found.data)
  if (value !== undefined) return { kind: 'read', value }
  return { kind: 'none', reason: `it answers with ${found.data.length} bytes that are not of the type` }
}

/** The same for what must have an answer; undefined goes on the list of what could not be read. */
export const mustRead = <T>(asking: Asking, ...question: Question<T>): Promise<T | undefined> =>
  readOrNote(asking, true, question)

/** The same for functions that a contract may have or not: undefined where it does not have it. */
export const mayRead = <T>(asking: Asking, ...question: Question<T>): Promise<T | undefined> =>
  readOrNote(asking, false, question)

type Question<T> = [
  contract: string,
  signature: string,
  words: readonly (string | bigint)[],
  decode: (data: Uint8Array) => T | undefined,
]

async function readOrNote<T>(asking: Asking, must: boolean, question: Question<T>): Promise<T | undefined> {
  const found = await ask(asking, ...question)
  if (found.kind === 'read') return found.value
  const [contract, signature, words] = question
  if (must || found.kind === 'unread') {
    const name = signature.slice(0, signature.indexOf('('))
    asking.unread.push({ contract, question: `${name}(${words.join(', ')})`, reason: found.reason })
  }
  return undefined
}

/** How amounts of a token are written. The address is always there: anybody may call a token anything. */
export interface TokenWords {
  readonly name: string
  amount(units: bigint): string
}

const DECIMALS_MAX = 36n

export async function tokenWords(asking: Asking, token: string): Promise<TokenWords> {
  const [ticker, decimals] = await Promise.all([
    ask(asking, token, 'symbol()', [], tickerIn),
    ask(asking, token, 'decimals()', [], uintIn),
  ])
  const name = ticker.kind === 'read' ? `\`${ticker.value}\` (\`${token}\`)` : `the token \`${token}\``
  const places = decimals.kind === 'read' && decimals.value <= DECIMALS_MAX ? Number(decimals.value) : undefined
  return {
    name,
    amount: units => (places === undefined ? `${units} units` : `${unitsText(units, places)} (${units} units)`),
  }
}
