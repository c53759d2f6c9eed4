import type { Clock } from '../core/clock.ts'
import type { Fault, Faults } from '../core/faults.ts'
import type { Latency } from '../core/latency.ts'
import { type Random, rememberStreams, type Streams, uuid } from '../core/random.ts'
import type { Incoming, Reply } from '../core/server.ts'
import { createThrottle } from '../core/throttle.ts'
import { authorize, conditionKeys, principalOf } from './access.ts'
import { type AuditRecord, auditRecord, stsAuditRecord } from './audit.ts'
import { parseBlob } from './ciphertext.ts'
import { findKey, type OpContext, type Operation, type Output } from './context.ts'
import { AwsError, throttled } from './errors.ts'
import { notBuilt } from './keys.ts'
import { generateMaterial } from './material.ts'
import { OPERATIONS } from './operations.ts'
import { quotaOf, type ThrottleOptions } from './quotas.ts'
import type { Role } from './roles.ts'
import { createSessions } from './sessions.ts'
import { readInput } from './shapes.ts'
import { authenticate, type Credential, type SigV4Options } from './sigv4.ts'
import type { AwsStore, KmsKey } from './store.ts'
import { createSts } from './sts.ts'
import { isQueryRequest } from './sts-wire.ts'
import { damageOutput, damageReply, failure, faultReply, operationName, parseBody, success } from './wire.ts'
import { fromBase64 } from '../core/random.ts'

export interface AwsFaceOptions {
  readonly store: AwsStore
  readonly clock: Clock
  readonly streams: Streams
  readonly seeded: boolean
  readonly entropy: Random
  readonly sigv4: SigV4Options
  /** Who can be assumed through STS, which answers at the same address. */
  readonly roles?: readonly Role[] | undefined
  readonly faults: Faults
  readonly latency: () => Latency
  readonly throttle: ThrottleOptions | undefined
  readonly allowEmptyMessage: boolean
  readonly aliasLagMs: number
  readonly onAudit: ((record: AuditRecord) => void) | undefined
  /** Called before the answer to a call that changed something. */
  readonly onChange: () => void
}

export interface AwsFace {
  handle(request: Incoming): Promise<Reply>
  /** Requests that came in, by operation, whatever became of them. */
  calls(): Record<string, number>
  audit(): readonly AuditRecord[]
  reset(streams: Streams): void
}

/** What is known of a call while it is under way. */
interface Call {
  readonly requestId: string
  name: string
  input: Record<string, unknown> | undefined
  credential: Credential | undefined
  faults: readonly Fault[]
  readonly touched: KmsKey[]
}

/** An answer that a fault put in place of the true one. */
class Replaced extends Error {
  readonly reply: Reply
  constructor(reply: Reply) {
    super('replaced by a fault')
    this.reply = reply
  }
}

export function createAwsFace(options: AwsFaceOptions): AwsFace {
  const { store, clock } = options
  const throttle = createThrottle(clock)
  let calls = new Map<string, number>()
  let trail: AuditRecord[] = []
  let streams = rememberStreams(options.streams)
  const sessions = createSessions()
  const sts = createSts({
    accountId: store.accountId,
    clock,
    random: () => streams('sts'),
    roles: options.roles,
    strict: options.sigv4.mode === 'strict',
    sessions,
    faults: options.faults,
    latency: options.latency,
    authenticate: request => authenticated(request, 'sts'),
  })

  /** Credentials from the start, and those that STS gave out since. */
  function authenticated(request: Incoming, service: string): Credential {
    const credentials = [...options.sigv4.credentials, ...sessions.list()]
    return authenticate(request, { ...options.sigv4, credentials, service }, clock.now())
  }

  async function handle(request: Incoming): Promise<Reply> {
    const call: Call = {
      requestId: uuid(streams('request ids')),
      name: 'Unknown',
      input: undefined,
      credential: undefined,
      faults: [],
      touched: [],
    }
    if (isQueryRequest(request)) {
      const { reply, error } = await sts.handle(request, call)
      count(call.name)
      record(request, call, undefined, error, stsAuditRecord)
      return reply
    }
    try {
      const output = await answer(request, call)
      record(request, call, output, undefined)
      const damaged = output === undefined ? undefined : damageOutput(output, call.faults)
      return damageReply(success(damaged, call.requestId, clock.now()), damaged, call.faults, clock.now())
    } catch (problem) {
      if (problem instanceof Replaced) return problem.reply
      const error = problem instanceof AwsError ? problem : new AwsError('KMSInternalException', undefined, 500)
      record(request, call, undefined, error)
      return damageReply(failure(error, call.requestId, clock.now()), undefined, call.faults, clock.now())
    }
  }

  const count = (name: string): void => void calls.set(name, (calls.get(name) ?? 0) + 1)

  async function answer(request: Incoming, call: Call): Promise<Output> {
    try {
      call.name = operationName(request)
    } finally {
      count(call.name)
    }
    call.credential = authenticated(request, 'kms')
    call.input = parseBody(request)
    const operation = OPERATIONS[call.name]
    if (operation === undefined) throw notBuilt(call.name)
    const keys = peek(call)
    const ids = keys.map(key => key.id)
    call.faults = options.faults.match(call.name, ids)
    takeTokens(call, keys)
    const factor = keys[0]?.spec.startsWith('RSA_') && ['Sign', 'Decrypt'].includes(call.name) ? 1.5 : 1
    const { freshConnection } = request
    const ms = options.latency().sample({ operation: call.name, keys: ids, freshConnection, factor })
    if (ms > 0) await clock.sleep(ms / 2)
    await strike(call, 'before', undefined, request)
    const output = await carryOut(call, operation)
    await strike(call, 'after', output, request)
    if (ms > 0) await clock.sleep(ms / 2)
    return output
  }

  async function carryOut(call: Call, operation: Operation): Promise<Output> {
    const input = readInput(operation.input, call.input)
    const context = contextOf(call)
    try {
      const output = await operation.run(input, context)
      if (!call.faults.some(fault => fault.kind === 'other-key-signature') || call.name !== 'Sign') return output
      return await signWithStranger(call, operation, input)
    } finally {
      if (operation.mutates || context.changed) options.onChange()
    }
  }

  /** The same call against a store in which the key has other material. */
  async function signWithStranger(call: Call, operation: Operation, input: never): Promise<Output> {
    const key = call.touched[0]!
    const bytes = await generateMaterial(key.spec, options.entropy, false)
    const stranger = { ...key, materials: [{ id: key.materials[0]!.id, bytes, since: key.creationDate }] }
    return operation.run(input, { ...contextOf(call), store: { ...store, keys: new Map([[key.arn, stranger]]) } })
  }

  function contextOf(call: Call): OpContext {
    return {
      operation: call.name,
      store,
      now: clock.now(),
      entropy: options.entropy,
      stream: streams,
      seeded: options.seeded,
      allowEmptyMessage: options.allowEmptyMessage,
      aliasLagMs: options.aliasLagMs,
      touched: call.touched,
      changed: false,
      authorize(resource, operation = call.name) {
        if (call.credential === undefined) return
        const action = `kms:${operation}`
        const context = conditionKeys(store, clock.now(), action, call.input ?? {}, resource)
        authorize(call.credential, principalOf(call.credential, store.accountId), { action, resource, context })
      },
    }
  }

  /** The keys a request names, as far as they can be told; what is wrong with it is found out later. */
  function peek(call: Call): KmsKey[] {
    const blob = call.input?.['CiphertextBlob']
    const told = typeof blob === 'string' ? parseBlob(fromBase64(blob) ?? new Uint8Array(0))?.keyId : undefined
    const names = ['KeyId', 'SourceKeyId', 'DestinationKeyId', 'TargetKeyId'].map(member => call.input?.[member])
    const context = { ...contextOf(call), touched: [], authorize: () => {} }
    return [...names, told].flatMap(name => {
      try {
        return typeof name === 'string' ? [findKey(context, name)] : []
      } catch {
        return []
      }
    })
  }

  function takeTokens(call: Call, keys: readonly KmsKey[]): void {
    if (options.throttle === undefined) return
    const quota = quotaOf(call.name, keys[0], call.input?.['KeyPairSpec'], store.region, options.throttle)
    if (quota !== undefined && !throttle.take(quota.group, quota.perSecond)) throw throttled()
    const { perKey } = options.throttle
    if (perKey !== undefined && keys[0] !== undefined && !throttle.take(keys[0].arn, perKey)) throw throttled()
  }

  async function strike(call: Call, when: 'before' | 'after', output: Output, request: Incoming): Promise<void> {
    for (const fault of call.faults) {
      if ((('when' in fault && fault.when) || 'before') !== when) continue
      if (fault.kind === 'delay') await clock.sleep(fault.ms)
      const reply = faultReply(fault, call.requestId, clock.now())
      if (reply === undefined) continue
      // Whoever got no answer still stands in the trail, if it took effect
      if (when === 'after') record(request, call, output, undefined)
      throw new Replaced(reply)
    }
  }

  function record(request: Incoming, call: Call, output: Output, error?: AwsError, form = auditRecord): void {
    const entry = form({
      operation: call.name,
      mutates: OPERATIONS[call.name]?.mutates === true,
      input: call.input,
      output,
      error,
      credential: call.credential,
      principalArn: principalOf(call.credential ?? { accessKeyId: 'anonymous', secretAccessKey: '' }, store.accountId),
      touched: call.touched,
      now: clock.now(),
      requestId: call.requestId,
      eventId: uuid(streams('event ids')),
      region: store.region,
      accountId: store.accountId,
      sourceAddress: request.remoteAddress,
      userAgent: request.headers['user-agent'] ?? '',
    })
    trail.push(entry)
    if (trail.length > TRAIL_MAX) trail = trail.slice(-TRAIL_MAX / 2)
    options.onAudit?.(entry)
  }

  return {
    handle,
    calls: () => Object.fromEntries([...calls].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    audit: () => [...trail],
    reset(fresh) {
      calls = new Map()
      sessions.clear()
      trail = []
      throttle.reset()
      streams = rememberStreams(fresh)
    },
  }
}

const TRAIL_MAX = 100_000
