import { checksummed } from '../../bytes/evm-address.ts'
import { fromHex } from '../../bytes/hex.ts'

/** What people are told of a call. Policy reads calls on its own, and in full; nothing here decides anything. */
type Word = 'address' | 'uint256' | 'bool'

interface Known {
  readonly name: string
  readonly words: readonly Word[]
  readonly text: (values: readonly string[], contract: string) => string
}

/** Selectors of ERC-20 and ERC-721: the functions whose whole arguments are words. */
const KNOWN: ReadonlyMap<string, Known> = new Map([
  known('a9059cbb', 'transfer', ['address', 'uint256'], ([to, amount], token) => {
    return `transfers ${amount} units of the token ${token} to ${to}`
  }),
  known('23b872dd', 'transferFrom', ['address', 'address', 'uint256'], ([from, to, amount], token) => {
    return `transfers ${amount} units (or number ${amount}) of the token ${token} from ${from} to ${to}`
  }),
  known('095ea7b3', 'approve', ['address', 'uint256'], ([spender, amount], token) => {
    return `lets ${spender} spend ${allowance(amount)} of the token ${token}`
  }),
  known('39509351', 'increaseAllowance', ['address', 'uint256'], ([spender, amount], token) => {
    return `lets ${spender} spend ${allowance(amount)} more of the token ${token}`
  }),
  known('a457c2d7', 'decreaseAllowance', ['address', 'uint256'], ([spender, amount], token) => {
    return `lets ${spender} spend ${amount} units less of the token ${token}`
  }),
  known('a22cb465', 'setApprovalForAll', ['address', 'bool'], ([operator, approved], token) => {
    const verb = approved === 'true' ? 'lets' : 'no longer lets'
    return `${verb} ${operator} move every token of ${token} that the account has`
  }),
])

/** Names alone, for functions whose arguments are no single words. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ['d505accf', 'permit'],
  ['ac9650d8', 'multicall'],
  ['5ae401dc', 'multicall'],
  ['1f0464d1', 'multicall'],
  ['82ad56cb', 'aggregate3'],
  ['6a761202', 'execTransaction'],
  ['b61d27f6', 'execute'],
  ['8d80ff0a', 'multiSend'],
  ['3659cfe6', 'upgradeTo'],
  ['4f1ef286', 'upgradeToAndCall'],
  ['f2fde38b', 'transferOwnership'],
  ['715018a6', 'renounceOwnership'],
  ['2f2ff15d', 'grantRole'],
  ['d547741f', 'revokeRole'],
])

function known(selector: string, name: string, words: readonly Word[], text: Known['text']): [string, Known] {
  return [selector, { name, words, text }]
}

const UNLIMITED = 1n << 128n
const allowance = (amount: string | undefined): string =>
  BigInt(amount ?? 0) >= UNLIMITED ? `without limit (${amount} units)` : `${amount} units`

/**
 * What a call does, without a subject: `transfers 5 units of …`.
 * @param data  at least one byte, 0x hex in lower case.
 */
export function callText(contract: string, data: string): string {
  const selector = data.slice(2, 10)
  const size = (data.length - 2) / 2
  if (selector.length < 8) return `calls ${contract} with ${size} bytes, which are no whole selector`
  const entry = KNOWN.get(selector)
  const values = entry === undefined ? undefined : wordsOf(entry.words, data.slice(10))
  if (entry !== undefined && values !== undefined) return entry.text(values, contract)
  const name = entry?.name ?? NAMES.get(selector)
  const called = name === undefined ? `function 0x${selector}` : `function ${name} (0x${selector})`
  return `calls ${called} of ${contract} with ${size - 4} bytes of arguments`
}

/** Undefined unless the bytes are exactly these words, each in its one encoding. */
function wordsOf(words: readonly Word[], hex: string): readonly string[] | undefined {
  if (hex.length !== words.length * 64) return undefined
  const values: string[] = []
  for (const [at, word] of words.entries()) {
    const text = hex.slice(at * 64, at * 64 + 64)
    const value = BigInt(`0x${text}`)
    if (word === 'address' && value >> 160n !== 0n) return undefined
    if (word === 'bool' && value > 1n) return undefined
    values.push(word === 'uint256' ? `${value}` : word === 'bool' ? `${value === 1n}` : addressIn(text))
  }
  return values
}

const addressIn = (word: string): string => checksummed(fromHex(word.slice(24)) ?? new Uint8Array(20))
