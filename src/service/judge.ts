import type { Job } from './records.ts'
import { orRefuse, orRelease, refuseByPolicy, reserve, understand } from './sign.ts'
import type { SignDeps, SignRequest } from './types.ts'

/** A request as it was judged. */
export type Judged = Pick<Job, 'request' | 'resolved' | 'asked' | 'headers'>

/**
 * Everything of `sign` that says no before anything is used up: nothing is claimed, nothing is signed, and the reservation
 * is given back. For those who sign several at once and none of them unless all may be. What was released before under this
 * Idempotency-Key is not decided again.
 * @throws as `sign` does until then, and with the same records
 */
export async function judge(deps: SignDeps, request: SignRequest): Promise<Judged> {
  const job = await understand(deps, request)
  const reservation = await reserve(deps, job)
  if (reservation.kind === 'replay') return job
  const decision = await orRelease(deps, job, async () => deps.decide(job.resolved, job.asked))
  if (decision.kind !== 'allow') throw await refuseByPolicy(deps, job, decision)
  await orRefuse(deps, job, () => deps.idempotency.release(job.entry))
  return job
}
