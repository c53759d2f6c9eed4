import { z } from 'zod'
import { readEvmAddress } from '../../bytes/evm-address.ts'
import { fromHex } from '../../bytes/hex.ts'
import { LIST_MAX, problem } from '../fields.ts'
import { quote } from '../finding.ts'

const UINT256_MAX = (1n << 256n) - 1n
const DIGITS_MAX = 78
const BYTES_MAX = 4_096

/** Decimal digits, no sign, no leading zero, below 2^256. */
export function uintOf(text: string): bigint | undefined {
  if (text.length === 0 || text.length > DIGITS_MAX) return undefined
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x30 || code > 0x39) return undefined
  }
  if (text.length > 1 && text.startsWith('0')) return undefined
  const value = BigInt(text)
  return value <= UINT256_MAX ? value : undefined
}

const intOf = (text: string): bigint | undefined => {
  if (!text.startsWith('-')) return uintOf(text)
  const value = uintOf(text.slice(1))
  return value === undefined || value === 0n ? undefined : -value
}

/** Wei, or the smallest unit of a token. */
export const uint = z.string().transform((text, context): bigint => {
  const value = uintOf(text)
  if (value !== undefined) return value
  return problem(context, `${quote(text)} is not a whole number`, 'Write digits only, such as "1000000000"')
})

export const int = z.string().transform((text, context): bigint => {
  const value = intOf(text)
  if (value !== undefined) return value
  return problem(context, `${quote(text)} is not a whole number`, 'Write digits only, such as "1000" or "-5"')
})

/** In mixed case, which is checked; becomes lower case, in which addresses are compared. */
export const address = z.string().transform((text, context): string => {
  const canonical = readEvmAddress(text)
  if (canonical === text) return text.toLowerCase()
  const fix = canonical === undefined ? 'Write 0x and 40 digits with the checksum of EIP-55' : `Write ${canonical}`
  return problem(context, `${quote(text)} is not an address with its checksum`, fix)
})

/** `self`: the account of the key. */
export const party = z.union([z.literal('self'), address])

function distinctSet(list: readonly string[], context: z.core.$RefinementCtx): ReadonlySet<string> {
  const seen = new Set<string>()
  list.forEach((text, at) => {
    if (seen.has(text)) problem(context, `${quote(text)} stands in the list twice`, 'Keep one of them', [at])
    seen.add(text)
  })
  return seen
}

export const addresses = z.array(address).max(LIST_MAX).transform(distinctSet)
export const parties = z.array(party).max(LIST_MAX).transform(distinctSet)
export const anyOrParties = z.union([z.literal('any'), parties])

/** 0x and pairs of digits in lower case. */
export const bytes = z.string().superRefine((text, context) => {
  if (text.startsWith('0x') && text.length <= 2 * BYTES_MAX + 2 && fromHex(text.slice(2), 'lower') !== undefined) return
  problem(context, `${quote(text)} is not bytes`, `Write 0x and pairs of lower-case digits, at most ${BYTES_MAX} bytes`)
})

export const hash = bytes.refine(text => text.length === 66, { message: 'is not 32 bytes' })

/** A word for addresses that are compared. @returns `undefined` for anything that is no address. */
export function lowerAddress(text: unknown): string | undefined {
  if (typeof text !== 'string' || text.length !== 42 || !text.startsWith('0x')) return undefined
  return fromHex(text.slice(2)) === undefined ? undefined : text.toLowerCase()
}

/** Is it one of them? `self` in the list stands for `own`. Both in lower case. */
export const among = (list: 'any' | ReadonlySet<string>, address: string, own: string): boolean =>
  list === 'any' || list.has(address) || (address === own && list.has('self'))
