import { StrKey } from '@stellar/stellar-sdk/base'
import { z } from 'zod'
import { OPERATION_TYPES, type OperationType } from '../domain/stellar.ts'
import { integerOf, stroopsOf, uint64Of } from './amounts.ts'

/**
 * Operations that change who controls an account or a trust line, take back what was paid, or move value this form of
 * policy cannot measure. They need the louder field `sensitiveOperations`; `operations` refuses them.
 */
export const SENSITIVE_OPERATIONS = [
  'setOptions',
  'allowTrust',
  'accountMerge',
  'bumpSequence',
  'beginSponsoringFutureReserves',
  'endSponsoringFutureReserves',
  'revokeSponsorship',
  'clawback',
  'clawbackClaimableBalance',
  'setTrustLineFlags',
  'liquidityPoolDeposit',
] as const satisfies readonly OperationType[]

const isSensitive = (type: string): boolean => SENSITIVE_OPERATIONS.some(sensitive => sensitive === type)

export const ORDINARY_OPERATIONS: readonly OperationType[] = OPERATION_TYPES.filter(type => !isSensitive(type))

type Refine = z.core.$RefinementCtx

/** Every problem says what would do. */
export function problem(context: Refine, message: string, fix: string, path: (string | number)[] = []): never {
  context.addIssue({ code: 'custom', message, params: { fix }, path })
  return z.NEVER
}

const quote = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)

export const ordinaryOperation = z.string().transform((text, context): OperationType => {
  const type = OPERATION_TYPES.find(one => one === text)
  if (type === undefined) {
    return problem(context, `${quote(text)} is not an operation`, `Use ${ORDINARY_OPERATIONS.join(', ')}`)
  }
  if (isSensitive(type)) {
    return problem(
      context,
      `${type} changes who controls an account or moves value no limit can measure`,
      'Name it in sensitiveOperations if this key must sign it',
    )
  }
  return type
})

export const sensitiveOperation = z.string().transform((text, context): OperationType => {
  const type = SENSITIVE_OPERATIONS.find(one => one === text)
  if (type !== undefined) return type
  return problem(context, `${quote(text)} is not a sensitive operation`, `Use ${SENSITIVE_OPERATIONS.join(', ')}`)
})

export const amount = z.string().transform((text, context): bigint => {
  const stroops = stroopsOf(text)
  if (stroops !== undefined) return stroops
  return problem(context, `${quote(text)} is not an amount`, 'Write digits with at most seven decimals, such as "10.5"')
})

export const stroops = z.string().transform((text, context): bigint => {
  const value = integerOf(text)
  if (value !== undefined) return value
  return problem(context, `${quote(text)} is not a number of stroops`, 'Write digits only, such as "1000"')
})

export const muxedId = z.string().transform((text, context): bigint => {
  const value = uint64Of(text)
  if (value !== undefined) return value
  return problem(context, `${quote(text)} is not a muxed id`, 'Write digits only, below 2^64')
})

export const address = z.string().superRefine((text, context) => {
  if (StrKey.isValidEd25519PublicKey(text)) return
  const fix = text.startsWith('M') ? 'Write the G… account underneath and list ids in muxedIds' : 'Write a G… address'
  problem(context, `${quote(text)} is not the address of an account`, fix)
})

export const contract = z.string().superRefine((text, context) => {
  if (!StrKey.isValidContract(text)) {
    problem(context, `${quote(text)} is not the address of a contract`, 'Write a C… address')
  }
})

export const asset = z.string().superRefine((text, context) => {
  if (text === 'native' || text === 'any') return
  const colon = text.indexOf(':')
  const code = text.slice(0, Math.max(colon, 0))
  if (isCode(code) && StrKey.isValidEd25519PublicKey(text.slice(colon + 1))) return
  problem(context, `${quote(text)} is not an asset`, 'Write native, CODE:G…, or any')
})

/** Printable ASCII, so that a name has one spelling. */
export const name = z.string().superRefine((text, context) => {
  if (text.length > 0 && text.length <= 300 && printable(text)) return
  problem(context, `${quote(text)} is not a name`, 'Write 1 to 300 printable ASCII characters')
})

function printable(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x20 || code > 0x7e) return false
  }
  return true
}

function isCode(text: string): boolean {
  if (text.length === 0 || text.length > 12) return false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const digit = code >= 0x30 && code <= 0x39
    const letter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)
    if (!digit && !letter) return false
  }
  return true
}

/** A list whose entries differ: a second entry for the same thing is a mistake, not a rule. */
export function distinct<T>(list: readonly T[], key: (entry: T) => string, context: Refine): void {
  const seen = new Set<string>()
  list.forEach((entry, at) => {
    const text = key(entry)
    if (seen.has(text)) problem(context, `${quote(text)} stands in the list twice`, 'Keep one of them', [at])
    seen.add(text)
  })
}
