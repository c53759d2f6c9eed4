import { fromBase64 } from '../bytes/base64.ts'
import { SignerError } from '../domain/errors.ts'

/** An answer of the network, read field by field; whatever is not what it has to be is `network/malformed`. */
export interface Answer {
  /** Of the field that is there. */
  object(name: string): Answer
  list(name: string): readonly Answer[]
  maybe(name: string): Answer | undefined
  text(name: string): string
  /** Of the kind that XDR travels in. */
  base64(name: string): string
  whole(name: string): number
  /** Decimal text. */
  bigint(name: string): bigint
  /** For a place of a list: the value itself. */
  readonly value: unknown
}

export const malformed = (network: string, reason: string, cause?: unknown): SignerError<'network/malformed'> =>
  new SignerError('network/malformed', { network, reason }, cause === undefined ? {} : { cause })

const TEXT_MAX = 4 * 1024 * 1024

export function reader(network: string, value: unknown, path = 'the answer'): Answer {
  const bad = (name: string, wanted: string) => malformed(network, `${name} in ${path} is not ${wanted}`)
  const fields = (): Readonly<Record<string, unknown>> => {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      throw malformed(network, `${path} is not an object`)
    }
    return value as Record<string, unknown>
  }
  const at = (name: string): unknown => (Object.hasOwn(fields(), name) ? fields()[name] : undefined)
  const text = (name: string): string => {
    const found = at(name)
    if (typeof found !== 'string' || found.length === 0 || found.length > TEXT_MAX) throw bad(name, 'a text')
    return found
  }
  return {
    value,
    object: name => {
      const found = at(name)
      if (found === null || typeof found !== 'object' || Array.isArray(found)) throw bad(name, 'an object')
      return reader(network, found, name)
    },
    list: name => {
      const found = at(name)
      if (!Array.isArray(found)) throw bad(name, 'a list')
      return found.map((one: unknown) => reader(network, one, name))
    },
    maybe: name => (at(name) === undefined || at(name) === null ? undefined : reader(network, at(name), name)),
    text,
    base64: name => {
      const found = text(name)
      if (fromBase64(found) === undefined) throw bad(name, 'base64')
      return found
    },
    whole: name => {
      const found = at(name)
      if (typeof found !== 'number' || !Number.isSafeInteger(found) || found < 0) throw bad(name, 'a whole number')
      return found
    },
    bigint: name => {
      const found = at(name)
      if (typeof found !== 'string' || !/^[0-9]{1,20}$/.test(found)) throw bad(name, 'a number in decimal text')
      return BigInt(found)
    },
  }
}

const REASON_CHARACTERS_MAX = 240

/** What a node says may stand in an answer and a log: short, and in printable ASCII. */
export function shown(text: string): string {
  let out = ''
  for (const character of text.slice(0, REASON_CHARACTERS_MAX)) {
    const code = character.charCodeAt(0)
    out += code >= 0x20 && code < 0x7f ? character : ' '
  }
  return out.replaceAll(/ {2,}/g, ' ').trim()
}

/** What the network calls a refusal, and what it means; the code itself for those that speak for themselves. */
const MEANINGS: Readonly<Record<string, string>> = {
  txTooEarly: 'it may not run yet',
  txTooLate: 'its time is over',
  txBadSeq: 'its sequence number is not the next one of its source account',
  txBadAuth: 'signatures are missing, or their weight does not reach the threshold of an account',
  txBadAuthExtra: 'it carries a signature that nothing asks for',
  txInsufficientBalance: 'the fee would take the account below its reserve',
  txInsufficientFee: 'the network asks for a higher fee at present',
  txNoAccount: 'there is no such source account',
  txSorobanInvalid: 'its resources do not fit the limits of the network',
  txMalformed: 'it is not well formed',
}

export const meaningOf = (code: string): string => MEANINGS[code] ?? `the network answers ${code}`
