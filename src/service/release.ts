import type { AuditReceipt, Decision } from '../domain/audit.ts'
import { maySign, type Key, type VersionState } from '../domain/key.ts'
import { SignerError } from '../domain/errors.ts'
import type { Verified } from './verify-after-sign.ts'

/** What must be in hand before a signature leaves. Each member can only be had by doing the step. */
export interface Evidence {
  readonly verified: Verified
  readonly intent: AuditReceipt
  readonly outcome: AuditReceipt
  readonly decision: Decision
  readonly state: VersionState
  readonly key: Key
}

/**
 * The only way out. Asserts the invariants of docs/architecture.md in production as in tests:
 * I1 verified under the pinned key · I2 intent and outcome durable, in that order · I4 allowed under the policy now on
 * record · I5 the version may sign. (I3 holds by the reservation, I6 by the types, I7 by the log, I8 by every default.)
 */
export function release<T>(evidence: Evidence, answer: () => T): T {
  const { verified, intent, outcome, decision, state, key } = evidence
  if (verified.under.length === 0) throw broken('I1')
  if (!(intent.seq < outcome.seq)) throw broken('I2')
  if (decision.kind !== 'allow' || decision.policyHash !== key.policyHash) throw broken('I4')
  if (!maySign(state)) throw broken('I5')
  return answer()
}

const broken = (invariant: string) => new SignerError('internal', { incident: `invariant-${invariant}` })
