import type { Signature } from '../service/together.ts'
import { PROBLEMS, problemOf } from './problem.ts'

/** One of several signatures: the status it would have had alone, and its answer or its problem. */
export function toldOf(signature: Signature, requestId: string) {
  if ('refused' in signature) {
    return { status: PROBLEMS[signature.refused.code].status, problem: problemOf(signature.refused, requestId) }
  }
  const { headers: _, ...answer } = signature.answer
  return { status: 200, answer }
}
