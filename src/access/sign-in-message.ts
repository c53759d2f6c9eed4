/**
 * The text of ERC-4361 (Sign-In with Ethereum), read by its grammar and written back. Reading is exact: what was read and
 * is written again is the same text, character by character.
 */
import { readEvmAddress } from '../bytes/evm-address.ts'
import { isAuthority, isPathCharacters, isScheme, isStatement, isUri } from './rfc3986.ts'

export interface SignInMessage {
  /** Of the origin; absent stands for https. */
  readonly scheme?: string
  /** Authority of RFC 3986: host, perhaps with a port. */
  readonly domain: string
  /** With the checksum of EIP-55. */
  readonly address: string
  readonly statement?: string
  readonly uri: string
  readonly version: '1'
  /** Digits as they stand. */
  readonly chainId: string
  /** 8 or more letters and digits. */
  readonly nonce: string
  /** RFC 3339. */
  readonly issuedAt: string
  readonly expirationTime?: string
  readonly notBefore?: string
  readonly requestId?: string
  readonly resources?: readonly string[]
}

/** Parts that a message can be refused for, in the order in which they stand. */
export type SignInPart = keyof SignInMessage | 'layout'

export type SignInReading =
  | { readonly kind: 'message'; readonly message: SignInMessage }
  | { readonly kind: 'malformed'; readonly part: SignInPart }

const TITLE = ' wants you to sign in with your Ethereum account:'
const CHARACTERS_MAX = 4096
const NONCE_CHARACTERS_MIN = 8

const FIELDS = [
  ['uri', 'URI: ', isUri],
  ['version', 'Version: ', (text: string) => text === '1'],
  ['chainId', 'Chain ID: ', (text: string) => isNonEmpty(text) && allOf(text, isDigit)],
  ['nonce', 'Nonce: ', isNonce],
  ['issuedAt', 'Issued At: ', (text: string) => timeOf(text) !== undefined],
] as const
const OPTIONAL_FIELDS = [
  ['expirationTime', 'Expiration Time: ', (text: string) => timeOf(text) !== undefined],
  ['notBefore', 'Not Before: ', (text: string) => timeOf(text) !== undefined],
  ['requestId', 'Request ID: ', isPathCharacters],
] as const
const RESOURCES = 'Resources:'
const RESOURCE = '- '

interface Lines {
  readonly all: readonly string[]
  at: number
}

/** Linear in the length of the text. Beyond the grammar: an address without checksum and an empty statement are refused. */
export function readSignInMessage(text: string): SignInReading {
  if (text.length > CHARACTERS_MAX) return malformed('layout')
  const lines: Lines = { all: text.split('\n'), at: 0 }
  const fields: Record<string, string> = {}

  const title = lines.all[lines.at++] ?? ''
  if (!title.endsWith(TITLE)) return malformed('layout')
  const origin = title.slice(0, -TITLE.length)
  const colon = origin.indexOf('://')
  if (colon >= 0) {
    fields['scheme'] = origin.slice(0, colon)
    if (!isScheme(fields['scheme'])) return malformed('scheme')
  }
  const domain = colon < 0 ? origin : origin.slice(colon + 3)
  if (!isAuthority(domain)) return malformed('domain')

  const address = lines.all[lines.at++] ?? ''
  if (readEvmAddress(address) !== address) return malformed('address')
  if (lines.all[lines.at++] !== '') return malformed('layout')
  const statement = lines.all[lines.at++]
  if (statement !== '') {
    if (statement === undefined || !isStatement(statement)) return malformed('statement')
    fields['statement'] = statement
    if (lines.all[lines.at++] !== '') return malformed('layout')
  }

  for (const [name, label, isGood] of FIELDS) {
    const value = take(lines, label)
    if (value === undefined || !isGood(value)) return malformed(name)
    fields[name] = value
  }
  for (const [name, label, isGood] of OPTIONAL_FIELDS) {
    const value = take(lines, label)
    if (value === undefined) continue
    if (!isGood(value)) return malformed(name)
    fields[name] = value
  }
  const resources = takeResources(lines)
  if (resources?.every(isUri) === false) return malformed('resources')
  if (lines.at !== lines.all.length) return malformed('layout')
  const message = { ...fields, domain, address, ...(resources === undefined ? {} : { resources }) }
  return { kind: 'message', message: message as unknown as SignInMessage }
}

function take(lines: Lines, label: string): string | undefined {
  const line = lines.all[lines.at]
  if (line?.startsWith(label) !== true) return undefined
  lines.at++
  return line.slice(label.length)
}

function takeResources(lines: Lines): readonly string[] | undefined {
  if (lines.all[lines.at] !== RESOURCES) return undefined
  lines.at++
  const resources: string[] = []
  for (let one = take(lines, RESOURCE); one !== undefined; one = take(lines, RESOURCE)) resources.push(one)
  return resources
}

export function writeSignInMessage(message: SignInMessage): string {
  const { scheme, domain, address, statement, resources } = message
  const lines = [`${scheme === undefined ? '' : `${scheme}://`}${domain}${TITLE}`, address, '']
  if (statement !== undefined) lines.push(statement)
  lines.push('')
  for (const [name, label] of FIELDS) lines.push(`${label}${message[name]}`)
  for (const [name, label] of OPTIONAL_FIELDS) {
    if (message[name] !== undefined) lines.push(`${label}${message[name]}`)
  }
  if (resources !== undefined) lines.push(RESOURCES, ...resources.map(resource => `${RESOURCE}${resource}`))
  return lines.join('\n')
}

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/

/**
 * `date-time` of RFC 3339 with T and Z in upper case; no leap second.
 * @returns milliseconds since the epoch; what is finer is cut off.
 */
export function timeOf(text: string): number | undefined {
  if (text.length > 35 || !TIME.test(text)) return undefined
  const at = (from: number, to: number) => Number(text.slice(from, to))
  const [year, month, day] = [at(0, 4), at(5, 7), at(8, 10)]
  const [hour, minute, second] = [at(11, 13), at(14, 16), at(17, 19)]
  if (month < 1 || month > 12 || day < 1 || day > daysOf(year, month)) return undefined
  if (hour > 23 || minute > 59 || second > 59) return undefined
  const zoned = text.endsWith('Z') ? text.length - 1 : text.length - 6
  const fraction = text.slice(20, zoned).padEnd(3, '0').slice(0, 3)
  const offset = text.endsWith('Z') ? 0 : offsetOf(text.slice(zoned))
  if (offset === undefined) return undefined
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second, Number(fraction))
  return date.getTime() - offset
}

const daysOf = (year: number, month: number): number => {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0
}

function offsetOf(text: string): number | undefined {
  const [hours, minutes] = [Number(text.slice(1, 3)), Number(text.slice(4))]
  if (hours > 23 || minutes > 59) return undefined
  return (text.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39
const isAlphanumeric = (code: number): boolean =>
  isDigit(code) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)
const isNonEmpty = (text: string): boolean => text !== ''

function allOf(text: string, test: (code: number) => boolean): boolean {
  for (let at = 0; at < text.length; at++) if (!test(text.charCodeAt(at))) return false
  return true
}

function isNonce(text: string): boolean {
  return text.length >= NONCE_CHARACTERS_MIN && allOf(text, isAlphanumeric)
}

const malformed = (part: SignInPart): SignInReading => ({ kind: 'malformed', part })
