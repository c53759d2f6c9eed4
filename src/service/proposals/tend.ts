import type { AuditActor } from '../../domain/audit.ts'
import { isSignerError } from '../../domain/errors.ts'
import type { Logger } from '../../domain/ports.ts'
import type { CallerLike } from '../types.ts'
import type { ProposalDeps } from './deps.ts'
import { goOn } from './execute.ts'
import { tellOf } from './tell.ts'

const AT_ONCE = 10

/**
 * What has to happen though nobody asks: proposals that have expired end, and what a process took and never ended is asked
 * of the network and ended, or sent once more.
 */
export async function tendProposals<C extends CallerLike>(
  deps: ProposalDeps<C>,
  actor: AuditActor,
  logger: Pick<Logger, 'warn'>,
): Promise<void> {
  const { store, signing } = deps
  const now = signing.clock.now()
  await store.expire(now, AT_ONCE, deps.tells ? tellOf('proposal.expired', now) : undefined)
  const abandoned = await store.abandoned(now, AT_ONCE)
  const settling = abandoned.map(id =>
    goOn(deps, id, actor).catch((error: unknown) => {
      const code = isSignerError(error) ? error.code : 'unexpected'
      logger.warn('proposal-unsettled', { proposal: id, code })
    }),
  )
  await Promise.all(settling)
}
