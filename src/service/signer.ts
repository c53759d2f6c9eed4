import { randomId } from '../bytes/ids.ts'
import type { AuditActor, AuditLog, OutcomeEntry } from '../domain/audit.ts'
import { type AnySignerError, isSignerError, SignerError } from '../domain/errors.ts'
import type { Binding, Key, ResolvedKey } from '../domain/key.ts'
import type { IdempotencyStore, KeyCatalogue, KeyRegistry, Logger, World } from '../domain/ports.ts'
import { decide, type Policy, readPolicy } from '../policy/index.ts'
import { type KeyView, viewOf } from './keys.ts'
import { firstBinding, type Router, type ShadowJob } from '../routing/index.ts'
import type { Asked } from './payloads.ts'
import { createQuarantine } from './quarantine.ts'
import { earlyRefusal } from './records.ts'
import { sign } from './sign.ts'
import type { CallerLike, SignAnswer, SignDeps, SignRequest } from './types.ts'

/** What a data plane is made of; `compose` gives the real parts, tests and other runtimes give others. */
export interface SignerParts<Caller extends CallerLike> {
  readonly world: World
  readonly logger: Logger
  readonly limits: { readonly bodyBytes: number; readonly deadlineMs?: number }
  readonly catalogue: KeyCatalogue
  /** The one write of the data plane to the registry: a key whose service answers wrongly goes into quarantine. */
  readonly setState: KeyRegistry['setState']
  readonly idempotency: IdempotencyStore
  readonly audit: AuditLog
  authenticate(authorization: string | undefined): Promise<Caller>
  authorize(caller: Caller, action: 'sign' | 'read', key: string): void
  custody: SignDeps['custody']
  /** Asked for every request. @throws `start/refused` when this binding may not serve this key here. */
  mayServe(key: ResolvedKey, binding: Binding): Promise<void> | void
  recordRefusal(outcome: OutcomeEntry): void
  /** Flags that choose among the bindings of a key; without them the first one serves it. */
  readonly routing?: { readonly route: Router; readonly shadow: (job: ShadowJob) => void }
}

export interface KeyRequest {
  readonly key: string
  readonly authorization: string | undefined
  readonly requestId: string
  readonly peer: string
}

export interface Signer {
  sign(request: SignRequest): Promise<SignAnswer>
  getKey(request: KeyRequest): Promise<KeyView>
  incident(error: unknown): AnySignerError
}

/** The data plane as an object: binds the parts to the path of a signature. */
export function createSigner<Caller extends CallerLike>(parts: SignerParts<Caller>): Signer {
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

  const incident = (error: unknown): AnySignerError => {
    const id = randomId(world.random, 'i')
    logger.error('incident', { incident: id, ...faceOf(error) })
    return new SignerError('internal', { incident: id }, { cause: error })
  }

  const deps: SignDeps<Caller> = {
    clock: world.clock,
    random: world.random,
    limits: { ...parts.limits, deadlineMs: parts.limits.deadlineMs ?? Number.POSITIVE_INFINITY },
    authenticate: parts.authenticate,
    authorize: parts.authorize,
    catalogue,
    idempotency: parts.idempotency,
    audit: parts.audit,
    route: parts.routing?.route ?? (async resolved => ({ bindings: [await firstBinding(parts, resolved)] })),
    shadow: parts.routing?.shadow ?? (() => {}),
    decide: (resolved, asked) => judge(policyOf(resolved), resolved, asked, world.clock.now()),
    custody: parts.custody,
    suspect,
    recordRefusal: parts.recordRefusal,
    onStoreLag: error => logger.error('store-lags', faceOf(error)),
    incident,
  }

  return {
    sign: request => sign(deps, request),
    getKey: request => getKey({ ...parts, catalogue }, request, incident),
    incident,
  }
}

/** Reads are on record too, but need no barrier: nothing leaves that was not public. */
async function getKey<C extends CallerLike>(
  parts: SignerParts<C>,
  request: KeyRequest,
  incident: Signer['incident'],
): Promise<KeyView> {
  const { key, requestId, peer } = request
  const auditId = randomId(parts.world.random, 'a')
  let actor: AuditActor = { subject: 'unknown', peer }
  try {
    const caller = await parts.authenticate(request.authorization)
    actor = { subject: caller.subject, tokenId: caller.tokenId, peer }
    parts.authorize(caller, 'read', key)
    const resolved = await parts.catalogue.resolve(key)
    if (resolved === undefined) throw new SignerError('key/unknown', { key })
    const view = viewOf(resolved)
    const event = { kind: 'event', auditId, event: 'key-read', actor, detail: { requestId, key } } as const
    if (parts.audit.state.kind === 'open') await parts.audit.append(event)
    return view
  } catch (error) {
    const refusal = isSignerError(error) ? error : incident(error)
    parts.recordRefusal(earlyRefusal({ auditId, requestId, actor, key, operation: 'read' }, refusal))
    throw refusal
  }
}

/** A row that is no policy any more was changed behind our back: that is a fault of the key, not of the request. */
function storedPolicy({ name, policy }: Key): Policy {
  try {
    return readPolicy(policy)
  } catch (cause) {
    throw new SignerError('key/mismatch', { key: name, reason: 'its policy on record cannot be read' }, { cause })
  }
}

const judge = (policy: Policy, { key, version }: ResolvedKey, asked: Asked, now: number) =>
  decide(policy, asked.view, { now, keyAddress: version.address, keyNetwork: key.network })

/**
 * What a log may hold of a throw nobody foresaw: what kind, and where. Its message stays out: the text is not ours, and
 * others have put into it what they were working on.
 */
function faceOf(error: unknown): Record<string, string> {
  if (!(error instanceof Error)) return { kind: typeof error }
  const { name, message, stack = '' } = error
  const { code } = error as { code?: unknown }
  const frames = stack.slice(Math.max(0, stack.indexOf(message)) + message.length).split('\n')
  const at = frames.filter(line => line.startsWith('    at ')).map(line => line.trim())
  return {
    kind: name.slice(0, 100),
    ...(typeof code === 'string' && ERROR_CODE.test(code) ? { code } : {}),
    at: at.join(' ').slice(0, 2000),
  }
}

/** As systems and libraries spell them: `EIO`, `ERR_JWT_EXPIRED`. */
const ERROR_CODE = /^[A-Z][A-Z0-9_]{1,63}$/
