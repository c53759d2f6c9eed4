import { isSignerError } from '../domain/errors.ts'
import type { Clock, Logger, World } from '../domain/ports.ts'
import type { StellarNetwork } from '../domain/stellar-network.ts'
import type { DataRoutes } from '../http/app.ts'
import { cosignRoutes } from '../http/routes-cosign.ts'
import { proposalRoutes } from '../http/routes-proposals.ts'
import { cosign } from '../service/cosign.ts'
import { createProposals, PROPOSAL_TIMES } from '../service/proposals/index.ts'
import type { CallerLike, SignDeps } from '../service/types.ts'
import { createWebhooks, type WebhookSettings } from '../service/webhooks.ts'
import { LOCAL_OPERATOR } from './places.ts'
import type { Room } from './room.ts'

/** What goes on beside the requests. */
export interface Tending {
  /** What is under way goes on at the next start. */
  stop(): Promise<void>
}

const [TEND_MS, TELL_MS, STOP_MS] = [5_000, 2_000, 1_000]

/** Several signatures: on one envelope at once, or over days. */
export function openProposals<Caller extends CallerLike>(
  webhooks: WebhookSettings | undefined,
  signing: SignDeps<Caller>,
  network: (name: string) => StellarNetwork | undefined,
  { room, world, logger }: { readonly room: Room; readonly world: World; readonly logger: Logger },
): { readonly routes: readonly DataRoutes[]; readonly tending: Tending } {
  const { store, audit } = room
  const tells = webhooks !== undefined
  const proposals = createProposals({ signing, store: store.proposals, network, times: PROPOSAL_TIMES, tells })
  const tell =
    webhooks === undefined
      ? undefined
      : createWebhooks(webhooks, { world, queue: store.notices, audit, actor: LOCAL_OPERATOR, logger })
  const stop = new AbortController()
  const every = (name: string, ms: number, body: () => Promise<unknown>) =>
    untilStopped(world.clock, stop.signal, ms, () =>
      body().catch((error: unknown) => {
        const code = isSignerError(error) ? error.code : 'unexpected'
        logger.warn('round-failed', { round: name, code })
      }),
    )
  const loops = [
    every('proposals', TEND_MS, () => proposals.tend(LOCAL_OPERATOR, logger)),
    ...(tell === undefined ? [] : [every('webhooks', TELL_MS, tell)]),
  ]
  return {
    routes: [cosignRoutes(request => cosign(signing, request)), proposalRoutes(proposals)],
    tending: {
      stop: async () => {
        stop.abort('stopped')
        const ended = new AbortController()
        const late = world.clock.sleep(STOP_MS, ended.signal).catch(() => {})
        await Promise.race([Promise.all(loops), late])
        ended.abort('ended')
      },
    },
  }
}

async function untilStopped(
  clock: Pick<Clock, 'sleep'>,
  signal: AbortSignal,
  ms: number,
  round: () => Promise<unknown>,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(ms, signal).catch(() => {}) // the only way out is the signal
    if (!signal.aborted) await round()
  }
}
