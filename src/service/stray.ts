import { randomId } from '../bytes/ids.ts'
import type { OutcomeEntry } from '../domain/audit.ts'
import type { ErrorCode } from '../domain/errors.ts'
import type { Random } from '../domain/ports.ts'

/** A request that was refused before anybody asked who sent it. */
export interface Stray {
  readonly requestId: string
  readonly peer: string
  /** Method and path, without the query. */
  readonly object: string
  readonly code: ErrorCode
}

/** Who tries doors leaves a trace too: the record of a route that is not there, a body that cannot be read, a full house. */
export const strayRecord = (random: Random, { requestId, peer, object, code }: Stray): OutcomeEntry => ({
  kind: 'outcome',
  auditId: randomId(random, 'a'),
  requestId,
  actor: { subject: 'unknown', peer },
  operation: 'none',
  object: object.slice(0, 255),
  result: code === 'internal' ? 'failed' : 'refused',
  decision: 'none',
  errorCode: code,
})
