import { clientOfPeer, nameOfClient } from '../access/addresses.ts'
import {
  admit,
  type AdmissionQuestion,
  assertAllowed,
  claimsFor,
  type Limit,
  lanesFor,
  rateHeaders,
} from '../access/admission.ts'
import { createAuthenticator } from '../access/authenticate.ts'
import { type Caller, authorize } from '../access/authorize.ts'
import { rateOf, withinConstraints } from '../access/constraints.ts'
import { countFailures } from '../access/failures.ts'
import { clientOf } from '../access/forwarded.ts'
import type { OfficeClock } from '../access/hours.ts'
import { createJudges } from '../access/judges.ts'
import { Lanes } from '../access/lanes.ts'
import { clientThumbprint } from '../access/proxy-identity.ts'
import type { ReplayStore } from '../access/replays.ts'
import { invalid } from '../access/token-reasons.ts'
import { createMemoryRates } from '../access/rate.ts'
import { MAX_SKEW_SECONDS, refuseRevoked, type TokenRules } from '../access/tokens.ts'
import type { TokenLedger } from '../domain/admins.ts'
import type { RateStore } from '../domain/claims.ts'
import type { World } from '../domain/ports.ts'
import type { Asking, Gateway } from '../service/types.ts'
import type { SignerParts } from '../service/signer.ts'
import type { Entrance, GatewaySettings } from './gateway-settings.ts'

const SKEW_MS = MAX_SKEW_SECONDS * 1000

export interface GatewayParts {
  readonly world: Pick<World, 'clock'>
  readonly rates: RateStore
  readonly ledger: TokenLedger
  readonly office: OfficeClock
  /** Proofs that were used; in this process unless told. */
  readonly replays?: ReplayStore
  /** Of authentications that fail; in this process unless told. */
  readonly failures?: RateStore
}

/** The door of one plane: whom it lets in, from where, when, how often. */
export function openDoor(
  plane: 'data' | 'control',
  { admission, forwarding }: GatewaySettings,
  { world: { clock }, rates, office }: Pick<GatewayParts, 'world' | 'rates' | 'office'>,
) {
  const entrance: Entrance = admission[plane]
  const action = plane === 'data' ? 'use the data plane' : 'use the control plane'
  return {
    /** @returns the client's address. @throws `access/denied`, `request/malformed` */
    enter({ peer, sent }: Pick<Asking, 'peer' | 'sent'>): string {
      const client = clientOf(peer, name => sent?.headers.get(name), forwarding)
      if (entrance.allow !== undefined) assertAllowed(client, entrance.allow, action)
      if (entrance.hours !== undefined) office.assertOpen(entrance.hours, action)
      return nameOfClient(client)
    },
    /** @returns headers for the answer. @throws `access/limited` */
    async admit(question: Omit<AdmissionQuestion, 'client'>, peer: string): Promise<Readonly<Record<string, string>>> {
      const claims = claimsFor({ ...question, client: clientOfPeer(peer) }, admission.limits)
      const answer = await admit(rates, claims, clock.monotonic())
      return answer === undefined ? {} : rateHeaders(answer)
    },
  }
}

/** The data plane's way in, as `createSigner` takes it. */
export function dataGateway(
  settings: GatewaySettings,
  tokens: TokenRules,
  publicUrls: readonly string[],
  parts: GatewayParts,
): Pick<SignerParts<Caller>, 'authenticate' | 'authorize' | 'gateway'> {
  const judges = createJudges(parts.office)
  const isRevoked = (id: string): Promise<boolean> => parts.ledger.isRevoked(id)
  const authenticator = createAuthenticator({
    ...tokens,
    judges,
    isRevoked,
    publicUrls,
    senderConstraint: settings.senderConstraint,
    proofSeconds: settings.proofSeconds,
    ...(parts.replays === undefined ? {} : { replays: parts.replays }),
  })
  const door = openDoor('data', settings, parts)
  const lanes = new Lanes()
  const { failures: failureRates = createMemoryRates(), world } = parts
  const failures = countFailures({ rates: failureRates, clock: world.clock, limit: settings.admission.failures })
  const gateway: Gateway<Caller> = {
    enter: door.enter,
    admit: ({ subject, tokenId, ...caller }, peer, key) => {
      const tokenLimit = limitOf({ tokenId, ...caller })
      const own = tokenLimit === undefined ? {} : { tokenLimit }
      return door.admit({ operation: 'service', subject, tokenId, key, ...own }, peer)
    },
    constrain: (caller, facts, action) => {
      if (caller.constraints !== undefined) withinConstraints(caller, facts(), judges, action)
    },
    recheck: async caller => {
      // Of a batch the last ones may come long after the first.
      if (parts.world.clock.now() > caller.expiresAt + SKEW_MS) throw invalid('expired')
      await refuseRevoked(caller, isRevoked)
    },
    within: ({ tokenId }, body) => lanes.pass(lanesFor({ tokenId }, settings.admission.concurrency), body),
  }
  return {
    authorize: (caller, action, key) => authorize(caller, action, key),
    gateway,
    authenticate: (authorization, { sent, peer, body, ...asking }) => {
      const header = (name: string): string | undefined => sent?.headers.get(name) ?? undefined
      return failures.attempt(peer, () =>
        authenticator({
          authorization,
          dpop: header('dpop'),
          signature: header('signature'),
          signatureInput: header('signature-input'),
          contentDigest: header('content-digest'),
          certificateThumbprint: clientThumbprint(asking.socket ?? peer, header, settings.identity),
          method: sent?.method ?? '',
          path: sent === undefined ? '' : new URL(sent.url).pathname,
          body,
          idempotencyKey: header('idempotency-key'),
          peer,
        }),
      )
    },
  }
}

function limitOf(caller: Pick<Caller, 'tokenId' | 'constraints'>): Limit | undefined {
  const claim = rateOf(caller)
  return claim === undefined ? undefined : { limit: claim.limit, windowMs: claim.windowMs }
}
