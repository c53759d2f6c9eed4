import type { AuditLog, OutcomeEntry } from '../domain/audit.ts'
import type { ClaimStore } from '../domain/claims.ts'
import { type AnySignerError, type ErrorCode, SignerError } from '../domain/errors.ts'
import type { Binding, Key, ResolvedKey } from '../domain/key.ts'
import type { IdempotencyStore, KeyCatalogue, KeyRegistry, Logger, World } from '../domain/ports.ts'
import { decide, outgoingOf, type Policy, readPolicy } from '../policy/index.ts'
import { type BatchRequest, type BatchResult, signBatch } from './batch.ts'
import { type Explanation, factsFor } from './explain.ts'
import { faceOf, incidents } from './incident.ts'
import type { KeyView } from './keys.ts'
import { firstBinding, type Router, type ShadowJob } from '../routing/index.ts'
import { createQuarantine } from './quarantine.ts'
import type { Answered } from './door.ts'
import { explainKey, type ExplainRequest, getKey, type KeyRequest, listKeys, type ReadDeps } from './read.ts'
import { leave } from './release.ts'
import { sign } from './sign.ts'
import { strayRecord } from './stray.ts'
import type { Asking, CallerLike, Gateway, SignAnswer, SignDeps, SignRequest } from './types.ts'

/** What a data plane is made of; `compose` gives the real parts, tests and other runtimes give others. */
export interface SignerParts<Caller extends CallerLike> {
  readonly world: World
  readonly logger: Logger
  readonly limits: { readonly bodyBytes: number; readonly deadlineMs?: number }
  readonly catalogue: KeyCatalogue
  /** The one write of the data plane to the registry: a key whose service answers wrongly goes into quarantine. */
  readonly setState: KeyRegistry['setState']
  readonly idempotency: IdempotencyStore
  /** True: other processes use the same store. */
  readonly shared?: boolean
  readonly audit: AuditLog
  authenticate: SignDeps<Caller>['authenticate']
  authorize: SignDeps<Caller>['authorize']
  /** Without it everybody with a token may come in, as often as they like. */
  readonly gateway?: Gateway<Caller>
  readonly claims: ClaimStore
  /** Keys without the equivocation guard. */
  readonly unguarded?: ReadonlySet<string>
  custody: SignDeps['custody']
  /** The last closed ledger of a Stellar network, where somebody knows it. */
  ledgerOf?(network: string): number | undefined
  /** Asked for every request. @throws `start/refused` when this binding may not serve this key here. */
  mayServe(key: ResolvedKey, binding: Binding): Promise<void> | void
  recordRefusal(outcome: OutcomeEntry): void
  /** Flags that choose among the bindings of a key; without them the first one serves it. */
  readonly routing?: { readonly route: Router; readonly shadow: (job: ShadowJob) => void }
}

/** What the other services of the data plane share with the path of a signature. */
export interface SignerRoom<Caller extends CallerLike = CallerLike> {
  readonly deps: SignDeps<Caller>
  readonly reading: ReadDeps<Caller>
}

export interface Signer {
  sign(request: SignRequest): Promise<SignAnswer>
  signBatch(request: BatchRequest): Promise<readonly BatchResult[]>
  getKey(request: KeyRequest): Promise<Answered<KeyView>>
  listKeys(request: Asking): Promise<Answered<{ keys: readonly KeyView[] }>>
  explain(request: ExplainRequest): Promise<Answered<Explanation>>
  /** For a request that the edge refused itself, before it asked for any of these. @param object method and path */
  recordStray(asking: Asking, object: string, code: ErrorCode): void
  incident(error: unknown): AnySignerError
}

/** The data plane as an object: binds the parts to the path of a signature. */
export const createSigner = <Caller extends CallerLike>(parts: SignerParts<Caller>): Signer =>
  signerIn(parts, openSignerRoom(parts))

export function openSignerRoom<Caller extends CallerLike>(parts: SignerParts<Caller>): SignerRoom<Caller> {
  const { world, logger } = parts
  const policies = new Map<string, Policy>()
  const { catalogue, suspect } = createQuarantine(parts.catalogue, parts.setState, logger)

  /** Parsed once for each hash: a policy is public data and its text never changes under its hash. */
  const policyOf = ({ key }: ResolvedKey): Policy => {
    const known = policies.get(key.policyHash)
    if (known !== undefined) return known
    const policy = storedPolicy(key)
    if (policy.hash !== key.policyHash) {
      throw new SignerError('key/mismatch', { key: key.name, reason: 'its policy does not have the hash on record' })
    }
    policies.set(policy.hash, policy)
    return policy
  }

  const ledgerOf = (network: string): number | undefined => parts.ledgerOf?.(network)
  const incident = incidents(world.random, logger)

  const deps: SignDeps<Caller> = {
    clock: world.clock,
    random: world.random,
    limits: { ...parts.limits, deadlineMs: parts.limits.deadlineMs ?? Number.POSITIVE_INFINITY },
    authenticate: parts.authenticate,
    authorize: parts.authorize,
    catalogue,
    idempotency: parts.idempotency,
    shared: parts.shared ?? false,
    audit: parts.audit,
    route: parts.routing?.route ?? (async resolved => ({ bindings: [await firstBinding(parts, resolved)] })),
    shadow: parts.routing?.shadow ?? (() => {}),
    gateway: parts.gateway ?? OPEN,
    claims: parts.claims,
    unguarded: parts.unguarded ?? new Set(),
    decide: (held, asked) =>
      decide(policyOf(held), asked.view, factsFor(held, world.clock.now(), ledgerOf(held.key.network))),
    factsOf: (held, asked, peer) => ({
      network: held.key.network,
      operations: asked.operations,
      outgoing: outgoingOf(policyOf(held), asked.view),
      peer,
      now: world.clock.now(),
    }),
    custody: parts.custody,
    suspect,
    recordRefusal: parts.recordRefusal,
    onStoreLag: error => logger.error('store-lags', faceOf(error)),
    incident,
  }

  const reading: ReadDeps<Caller> = { ...deps, catalogue, claims: parts.claims, policyOf, ledgerOf }
  return { deps, reading }
}

export function signerIn<Caller extends CallerLike>(
  parts: SignerParts<Caller>,
  { deps, reading }: SignerRoom<Caller>,
): Signer {
  const { world } = parts
  return {
    sign: async request => leave(deps, await sign(deps, request)),
    signBatch: request => signBatch(deps, request),
    getKey: request => getKey(reading, request),
    listKeys: request => listKeys(reading, request),
    explain: request => explainKey(reading, request),
    recordStray: (asking, object, code) => {
      const { requestId } = asking
      parts.recordRefusal(strayRecord(world.random, { requestId, peer: clientOf(deps.gateway, asking), object, code }))
    },
    incident: deps.incident,
  }
}

/** As the door says it; where it lets nobody in, as the socket does. */
function clientOf({ enter }: Pick<Gateway, 'enter'>, asking: Asking): string {
  try {
    return enter(asking)
  } catch {
    return asking.peer
  }
}

/** Nobody is kept out, nothing is counted. */
const OPEN: Gateway = {
  enter: ({ peer }) => peer,
  admit: async () => ({}),
  constrain: () => {},
  within: (_, body) => body(),
  recheck: async () => {},
}

/** A row that is no policy any more was changed behind our back: that is a fault of the key, not of the request. */
function storedPolicy({ name, policy }: Key): Policy {
  try {
    return readPolicy(policy)
  } catch (cause) {
    throw new SignerError('key/mismatch', { key: name, reason: 'its policy on record cannot be read' }, { cause })
  }
}
