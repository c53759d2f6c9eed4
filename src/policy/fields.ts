import { StrKey } from '@stellar/stellar-sdk/base'
import { z } from 'zod'
import { OPERATION_TYPES, type OperationType } from '../domain/stellar.ts'
import { integerOf, stroopsOf, uint64Of, wideIntegerOf } from './amounts.ts'

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

/** Of every list of grants. */
export const LIST_MAX = 10_000
export const LEDGERS_AHEAD_MAX = 6_307_200 // a year of five seconds each
export const YEAR_SECONDS = 31_536_000

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

/** Who can receive: an account, or a contract. */
export const receiver = z.string().superRefine((text, context) => {
  if (StrKey.isValidEd25519PublicKey(text) || StrKey.isValidContract(text)) return
  const fix = text.startsWith('M') ? 'Write the G… account underneath and list ids in muxedIds' : 'Write G… or C…'
  problem(context, `${quote(text)} is not the address of an account or a contract`, fix)
})

/** `CODE:G…` */
const isCredit = (text: string): boolean => {
  const colon = text.indexOf(':')
  return isCode(text.slice(0, Math.max(colon, 0))) && StrKey.isValidEd25519PublicKey(text.slice(colon + 1))
}

const isAsset = (text: string): boolean => text === 'native' || isCredit(text) || StrKey.isValidContract(text)

export const asset = z.string().superRefine((text, context) => {
  if (text === 'any' || isAsset(text)) return
  problem(
    context,
    `${quote(text)} is not an asset`,
    'Write native, CODE:G…, any, or the C… address of a token contract',
  )
})

export const oneAsset = z.string().superRefine((text, context) => {
  if (isAsset(text)) return
  problem(context, `${quote(text)} is not one asset`, 'Write native, CODE:G…, or the C… address of the token contract')
})

export const windowAsset = z.string().superRefine((text, context) => {
  if (text === 'any' || text === 'fee' || isAsset(text)) return
  problem(context, `${quote(text)} cannot be counted`, 'Write native, CODE:G…, C…, any, or fee')
})

export const line = z.string().superRefine((text, context) => {
  if (isCredit(text)) return
  problem(context, `${quote(text)} is not an asset with an issuer`, 'Write CODE:G…')
})

/** Who may sign for an account: a key, a transaction known before, a hash, or a signed payload. */
export const signer = z.string().superRefine((text, context) => {
  const fits =
    StrKey.isValidEd25519PublicKey(text) ||
    StrKey.isValidSignedPayload(text) ||
    decodes(text, value => StrKey.decodePreAuthTx(value)) ||
    decodes(text, value => StrKey.decodeSha256Hash(value))
  if (!fits) problem(context, `${quote(text)} is not a signer`, 'Write a strkey: G…, T…, X… or P…')
})

function decodes(text: string, decode: (text: string) => Uint8Array): boolean {
  try {
    return decode(text).length === 32
  } catch {
    return false
  }
}

/** An address as an argument: `G…`, `C…`, `M…` for exactly one sub-account, or `self` for the account of the key. */
export const argumentAddress = z.string().transform((text, context): string => {
  if (text === 'self' || StrKey.isValidEd25519PublicKey(text) || StrKey.isValidContract(text)) return text
  if (StrKey.isValidMed25519PublicKey(text)) {
    const bytes = StrKey.decodeMed25519PublicKey(text)
    const id = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(32)
    return addressText(StrKey.encodeEd25519PublicKey(bytes.slice(0, 32)), id)
  }
  return problem(context, `${quote(text)} is not an address`, 'Write G…, C…, M…, or self')
})

/** One text for an account and its sub-account. */
export const addressText = (address: string, muxedId: bigint | null): string =>
  muxedId === null ? address : `${address}#${muxedId}`

export const wideInteger = z.string().transform((text, context): bigint => {
  const value = wideIntegerOf(text)
  if (value !== undefined) return value
  return problem(context, `${quote(text)} is not an integer`, 'Write digits, with - before them if negative')
})

/** In the escape form of SEP-51, as arguments are shown. */
export const text = z.string().superRefine((value, context) => {
  if (value.length <= 1000 && printable(value)) return
  problem(context, `${quote(value)} is not a text`, 'Write printable ASCII, and \\xNN for other bytes')
})

export const hex = z.string().superRefine((value, context) => {
  if (value.length % 2 === 0 && isHex(value)) return
  problem(context, `${quote(value)} is not hex`, 'Write an even number of digits 0-9 and a-f')
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

function isHex(value: string): boolean {
  for (const character of value) if (!'0123456789abcdef'.includes(character)) return false
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
