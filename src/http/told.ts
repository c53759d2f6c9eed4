import type { Answered } from '../service/door.ts'
import type { Signature } from '../service/together.ts'
import type { Visited } from './edge.ts'
import { PROBLEMS, problemOf } from './problem.ts'

/** What the service answered, with what it says of rate limits. */
export const tell = <T extends object>(
  c: Visited,
  { answer, headers }: Answered<T>,
  status: 200 | 202 = 200,
): Response => c.json(answer, status, headers)

/** One of several signatures: the status it would have had alone, and its answer or its problem. */
export function toldOf(signature: Signature, requestId: string) {
  if ('refused' in signature) {
    return { status: PROBLEMS[signature.refused.code].status, problem: problemOf(signature.refused, requestId) }
  }
  const { headers: _, ...answer } = signature.answer
  return { status: 200, answer }
}

/** The same for several keys, each by its name. */
export const toldOfEach = (results: readonly (Signature & { readonly key: string })[], requestId: string) =>
  results.map(({ key, ...signature }) => ({ key, ...toldOf(signature, requestId) }))
