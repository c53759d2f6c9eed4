import type { FaceWorld } from '../core/face.ts'
import type { Fault } from '../core/faults.ts'
import { rememberStreams, type Streams, uuid } from '../core/random.ts'
import type { Incoming, Reply } from '../core/server.ts'
import { type AuditFacts, requestRecord, responseRecord, type VaultAuditRecord } from './audit.ts'
import { authorize } from './authorize.ts'
import { DEFAULT_POLICY } from './default-policy.ts'
import { routesOf } from './backends.ts'
import type { Call, Core, Result } from './context.ts'
import { notFound, unknownToken, unsupportedPath, VaultError, wireTexts } from './errors.ts'
import { readFields } from './fields.ts'
import { inspectState, setKeyState } from './inspect.ts'
import { envelopeOf, membersOf, outcomeOf } from './outcome.ts'
import type { VaultFace, VaultFaceOptions } from './options.ts'
import { describe, tryLocate } from './locate.ts'
import { createQuotas } from './quotas.ts'
import { type Asked, type Located, locate, readParameters, readTarget, tokenOf } from './request.ts'
import { handlerOf, type Matched, matchRoute, mergeParams } from './router.ts'
import { applySeed, parseSeed } from './seed.ts'
import { answerBelow, turnAway } from './server-state.ts'
import { newState, SERVER_STATES, type ServerState, type Token, type VaultState } from './state.ts'
import { createToken, revokeToken } from './tokens.ts'
import { damageMembers, damageReply, empty, faultReply, json, refusal } from './wire.ts'
import { wrapAnswer } from './wrapping.ts'

export type { VaultFace, VaultFaceOptions } from './options.ts'

/** An answer that a fault put in place of the true one. */
class Replaced extends Error {
  readonly reply: Reply
  constructor(reply: Reply) {
    super('replaced by a fault')
    this.reply = reply
  }
}

/** What is known of a request while it is under way. */
interface Progress {
  readonly requestId: string
  faults: readonly Fault[]
  facts: AuditFacts | undefined
  login: boolean
}

const TRAIL_MAX = 100_000
/** Answered in every state of the server. */
const BELOW = ['sys/health', 'sys/seal-status', 'sys/leader', 'sys/init', 'sys/unseal']

/** A Vault or OpenBao server with the Transit engine, as its clients see it. @throws RangeError for a seed that cannot be used */
export async function createVaultFace(world: FaceWorld, options: VaultFaceOptions = {}): Promise<VaultFace> {
  const rootToken = options.rootToken ?? 'root'
  const flavour = options.flavour ?? 'openbao'
  let streams = rememberStreams(world.streams)
  const core: Core = {
    world,
    flavour,
    serverVersion: options.serverVersion ?? (flavour === 'vault' ? '1.21.0' : '2.7.2'),
    state: newState(streams, DEFAULT_POLICY, world.clock.now()),
    streams: label => streams(label),
    entropy: world.entropy,
    now: () => world.clock.now(),
  }
  const rootNamespace = core.state.namespaces['']!
  const rootRequest = {
    namespace: rootNamespace,
    type: 'service',
    policies: ['root'],
    path: 'auth/token/create',
  } as const
  createToken(core, { ...rootRequest, displayName: 'token', orphan: true, ttl: 0, renewable: false, id: rootToken }, [])
  const seed = parseSeed(options.seed ?? { version: 1 }, options.jwt)
  await applySeed(core, seed)
  for (const [i, { path = '', rate, intervalSeconds = 1, blockSeconds = 0 }] of (options.throttle ?? []).entries()) {
    core.state.quotaHeaders = true
    core.state.quotas[`throttle-${i + 1}`] = {
      path,
      rate,
      intervalMs: intervalSeconds * 1000,
      blockMs: blockSeconds * 1000,
      inheritable: true,
    }
  }
  const quotas = createQuotas(core)
  let calls = new Map<string, number>()
  let trail: VaultAuditRecord[] = []

  async function handle(incoming: Incoming): Promise<Reply> {
    const progress: Progress = {
      requestId: uuid(streams('vault request ids')),
      faults: [],
      facts: undefined,
      login: false,
    }
    try {
      return await answer(incoming, progress)
    } catch (problem) {
      if (problem instanceof Replaced) return problem.reply
      const error = problem instanceof VaultError ? problem : new VaultError(500, ['internal error'], true)
      if (progress.facts !== undefined)
        record(responseRecord(core, progress.facts, {}, wireTexts(error, progress.login)[0] ?? ''))
      return damageReply(refusal(error, progress.login, core.now()), undefined, progress.faults, core.now())
    }
  }

  async function answer(incoming: Incoming, progress: Progress): Promise<Reply> {
    const path = incoming.target.split('?')[0]!
    if (path === '/') return empty(307, core.now(), { Location: '/ui/' })
    if (!path.startsWith('/v1/')) throw notFound()
    if (options.requireRequestHeader && incoming.headers['x-vault-request'] !== 'true') {
      throw new VaultError(412, ["missing 'X-Vault-Request' header"])
    }
    const below = path.slice('/v1/'.length)
    const initialising = below === 'sys/init' && incoming.method !== 'GET'
    if (BELOW.includes(below) && !initialising) {
      count(below)
      progress.faults = world.faults.match(below, [])
      await strike(progress, 'before')
      const reply = answerBelow(core, below, incoming, options.standby ?? {})
      await strike(progress, 'after')
      if (reply !== undefined) return damageReply(reply, undefined, progress.faults, core.now())
    }
    if (initialising) return serve(incoming, progress)
    return turnAway(core, incoming, options.standby ?? {}) ?? serve(incoming, progress)
  }

  async function serve(incoming: Incoming, progress: Progress): Promise<Reply> {
    const asked = readTarget(core, incoming)
    const located = tryLocate(asked)
    const matched = located === undefined ? undefined : matchRoute(routesOf(located.mount), located.path)
    const label = describe(located, matched)
    count(label)
    const key = matched?.params['name']
    const keys = key === undefined || located === undefined ? [] : [key, `${located.mount.path}${key}`]
    progress.faults = world.faults.match(label, keys)
    progress.login = matched?.route.open === true
    quotas.take(`${asked.namespace.path}${asked.path}`, incoming.remoteAddress)
    const { freshConnection } = incoming
    const ms = world.latency().sample({ operation: label, keys, freshConnection, factor: 1 })
    if (ms > 0) await world.clock.sleep(ms / 2)
    await strike(progress, 'before')
    const { result, call } = await carryOut(incoming, progress, asked, located, matched)
    await strike(progress, 'after')
    if (ms > 0) await world.clock.sleep(ms / 2)
    return written(result, call, progress, incoming)
  }

  async function carryOut(
    incoming: Incoming,
    progress: Progress,
    asked: Asked,
    located: Located | undefined,
    matched: Matched | undefined,
  ): Promise<{ result: Result | undefined; call: Call }> {
    const open = matched?.route.open === true
    const given = readParameters(incoming, asked)
    const merged = mergeParams(matched?.route ?? { path: '' }, matched?.params ?? {}, given)
    const clientToken = tokenOf(incoming)
    const facts = {
      requestId: progress.requestId,
      operation: asked.operation,
      path: asked.path,
      namespace: asked.namespace,
      mount: located?.mount,
      isAuth: located?.isAuth === true,
      token: undefined,
      clientToken,
      allowed: false,
      data: given,
      incoming,
    }
    progress.facts = facts
    const makeCall = (token: Token | undefined, privileged: boolean, operation = asked.operation): Call => ({
      core,
      namespace: asked.namespace,
      mount: located!.mount,
      operation,
      data: readFields(merged.fields, merged.raw),
      token,
      privileged,
      incoming,
      warnings: [...merged.warnings],
      stranger: progress.faults.some(fault => fault.kind === 'other-key-signature'),
      changed: world.onChange,
    })
    if (open) {
      record(requestRecord(core, facts, undefined))
      const call = makeCall(undefined, false)
      return { call, result: await run(call, matched) }
    }
    // A path with a table of its own tells a new object from one that is there
    const kind =
      asked.operation === 'update' &&
      matched?.route.exists !== undefined &&
      !matched.route.exists(makeCall(undefined, false))
        ? 'create'
        : asked.operation
    const pass = authorize(core, clientToken, asked, kind, given, matched?.route.root === true)
    progress.facts = { ...facts, operation: kind, token: pass.token, allowed: pass.allowed }
    record(requestRecord(core, progress.facts, pass.allowed ? undefined : 'permission denied'))
    try {
      if (!pass.allowed) throw pass.refusal ?? unknownToken()
      if (located === undefined) locate(asked.namespace, asked.path)
      if (matched === undefined || located === undefined) throw unsupportedPath()
      const call = makeCall(pass.token, pass.sudo, kind)
      return { call, result: await run(call, matched) }
    } finally {
      if (pass.token !== undefined && pass.lastUse) revokeToken(core, pass.token)
      if (pass.token !== undefined && pass.token.numUses > 0) world.onChange()
    }
  }

  async function run(call: Call, { route }: Matched): Promise<Result | undefined> {
    const result = await handlerOf(route, call.operation)(call)
    if (!route.pure && ['update', 'create', 'delete'].includes(call.operation)) world.onChange()
    if (result === undefined && ['read', 'list'].includes(call.operation)) throw notFound()
    if (call.operation === 'list' && (result?.data?.['keys'] as unknown[] | undefined)?.length === 0) throw notFound()
    return result
  }

  function written(result: Result | undefined, call: Call, progress: Progress, incoming: Incoming): Reply {
    const now = core.now()
    const outcome = outcomeOf(result, call)
    record(responseRecord(core, progress.facts!, outcome, undefined))
    if (outcome.silent) return damageReply(empty(204, now), undefined, progress.faults, now)
    const { name, members } = membersOf(outcome)
    const damaged = { name, members: members === null ? null : damageMembers(members, progress.faults) }
    const envelope = envelopeOf(core, progress.requestId, outcome, damaged, call.mount.type)
    const body = result?.flat ? { ...envelope.data, ...envelope } : envelope
    const whole = wrapAnswer(call, incoming, envelope) ?? body
    return damageReply(json(result?.status ?? 200, whole, now), envelope, progress.faults, now)
  }

  async function strike(progress: Progress, when: 'before' | 'after'): Promise<void> {
    for (const fault of progress.faults) {
      if ((('when' in fault && fault.when) || 'before') !== when) continue
      if (fault.kind === 'delay') await world.clock.sleep(fault.ms)
      const reply = faultReply(fault, core.now())
      if (reply === undefined) continue
      // Whoever got no answer still stands in the trail, if it took effect
      if (when === 'after' && progress.facts !== undefined) record(responseRecord(core, progress.facts, {}, undefined))
      throw new Replaced(reply)
    }
  }

  const count = (label: string): void => void calls.set(label, (calls.get(label) ?? 0) + 1)

  function record(entry: VaultAuditRecord): void {
    trail.push(entry)
    if (trail.length > TRAIL_MAX) trail = trail.slice(-TRAIL_MAX / 2)
    world.onAudit?.('vault', entry)
  }

  return {
    name: 'vault',
    rootToken,
    handle,
    calls: () => Object.fromEntries([...calls].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    audit: () => [...trail],
    reset(fresh: Streams) {
      calls = new Map()
      trail = []
      quotas.reset()
      streams = rememberStreams(fresh)
    },
    snapshot: () => structuredClone(core.state),
    restore(snapshot) {
      core.state = structuredClone(snapshot) as VaultState
    },
    inspect: () => inspectState(core),
    setKeyState: (key, state) => setKeyState(core, key, state),
    setServerState(state) {
      if (!(SERVER_STATES as readonly string[]).includes(state)) {
        throw new RangeError(`Cannot set server state '${state}': use one of ${SERVER_STATES.join(', ')}`)
      }
      core.state.server = state as ServerState
      world.onChange()
    },
    close: async () => {},
  }
}
