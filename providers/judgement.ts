import { type ErrorCode, SignerError } from '../src/domain/errors.ts'
import type { TransportError } from './one-fetch.ts'

/** What a failed exchange means for the caller, whichever service it was with. */
export type Meaning = 'throttled' | 'unavailable' | 'ambiguous' | 'refused' | 'unreadable' | 'corrupt' | 'malformed'
/** Reasons are our own words; what a vendor said stays in `cause`. */
export type Row = readonly [meaning: Meaning, reason: string]

/** `read` leaves nothing behind; `effect` makes something (a signature, a key) that may exist though no answer came. */
export type OperationKind = 'read' | 'effect'

export const CODES = {
  throttled: 'provider/unavailable',
  unavailable: 'provider/unavailable',
  ambiguous: 'provider/ambiguous',
  refused: 'provider/refused',
  unreadable: 'envelope/unreadable',
  corrupt: 'provider/corrupt',
  malformed: 'provider/malformed',
} as const satisfies Record<Meaning, ErrorCode>

/** An answer that came and is not what was asked for. */
export const malformed = (provider: string, reason: string, requestId?: string): SignerError<'provider/malformed'> =>
  new SignerError('provider/malformed', { provider, reason, ...(requestId === undefined ? {} : { requestId }) })

/** What a throttling service is given when it names no time: the vendors' own clients start at one second too. */
export const THROTTLED_RETRY_MS = 1_000

/** No answer of the service itself came, and the request may have arrived: what it makes may be made. */
export const unanswered = ({ kind }: { readonly kind: OperationKind }): Meaning =>
  kind === 'effect' ? 'ambiguous' : 'unavailable'

/** Where the services differ in words. */
export interface TransportWords {
  /** What the configuration calls the place. */
  readonly place: 'endpoint' | 'address'
  /** `the answer is larger than any …` */
  readonly anyAnswer: string
  /** What an operator should know of redirects of this service. */
  readonly redirected?: string
}

/**
 * The one table that tells "nothing was done" from "something may have been done" when the exchange itself failed.
 * Closed: a new kind of transport error does not compile until it has its row.
 */
export function judgeTransport(
  { kind }: TransportError,
  operation: { readonly kind: OperationKind },
  { place, anyAnswer, redirected = '' }: TransportWords,
): Row {
  switch (kind) {
    case 'not-sent':
      return ['unavailable', 'given up before the request was sent']
    case 'unreachable':
      return ['unavailable', `the ${place} cannot be reached: name, connection or certificate`]
    case 'aborted':
      return [unanswered(operation), 'no answer before the deadline']
    case 'lost':
      return [unanswered(operation), 'the connection broke before the answer was complete']
    case 'redirected':
      return ['malformed', `the ${place} answered with a redirect, which is never followed${redirected}`]
    case 'oversized':
      return ['malformed', `the answer is larger than ${anyAnswer}`]
    default:
      return kind satisfies never
  }
}
