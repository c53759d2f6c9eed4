/** One call from its coming in to its answer, whatever transport carries it. */
import type { Fault } from '../core/faults.ts'
import type { FaceWorld } from '../core/face.ts'
import { type Random, type Streams, toHex } from '../core/random.ts'
import { authenticate, authorize, type GcpCredential, mayDo, principalOf } from './access.ts'
import { algorithmRow } from './algorithms.ts'
import { auditRecord, type Authorization, type GcpAuditRecord } from './audit.ts'
import { keysNamed, type OpContext, type Operation, type Rules } from './context.ts'
import { damageOutput, errorOf } from './damage.ts'
import type { Method } from './descriptors.ts'
import { GcpError, unimplemented } from './errors.ts'
import type { Message } from './known-types.ts'
import { parseName } from './names.ts'
import { OPERATIONS } from './operations.ts'
import type { Quotas } from './quotas.ts'
import { findVersion, type GcpStore, type KeyVersion } from './store.ts'

export interface CallIn {
  readonly method: Method
  /** @throws GcpError for a request that cannot be read */
  readonly read: () => Message
  readonly authorization: string | undefined
  readonly userAgent: string
  readonly remoteAddress: string
  readonly freshConnection: boolean
  /** @throws GcpError for faults the transport cannot play */
  readonly check?: (faults: readonly Fault[]) => void
}

export interface CallOut {
  readonly output?: Message
  readonly error?: GcpError
  /** A fault stands in place of any answer. */
  readonly broken?: Fault
  readonly faults: readonly Fault[]
}

export interface EngineOptions {
  readonly world: FaceWorld
  readonly store: GcpStore
  readonly streams: () => Streams
  readonly rules: Rules
  readonly credentials: () => readonly GcpCredential[] | undefined
  /** Who signed this bearer token itself. */
  readonly selfSigned: (token: string) => GcpCredential | undefined
  readonly quotas: Quotas | undefined
  readonly count: (operation: string) => void
  readonly keep: (record: GcpAuditRecord) => void
}

/** What is known of a call while it is under way. */
interface Call {
  readonly in: CallIn
  request?: Message
  credential?: GcpCredential
  faults: readonly Fault[]
  readonly authorizations: Authorization[]
}

class Broken extends Error {
  readonly fault: Fault
  constructor(fault: Fault) {
    super('broken by a fault')
    this.fault = fault
  }
}

export type Engine = (incoming: CallIn) => Promise<CallOut>

export function createEngine(options: EngineOptions): Engine {
  const { world, store } = options
  const { clock } = world

  return async incoming => {
    const call: Call = { in: incoming, faults: [], authorizations: [] }
    try {
      const output = await answer(call)
      record(call, output, undefined)
      return { output: damageOutput(output, call.faults), faults: call.faults }
    } catch (problem) {
      if (problem instanceof Broken) return { broken: problem.fault, faults: call.faults }
      const error = problem instanceof GcpError ? problem : new GcpError('INTERNAL', 'Internal error encountered.')
      record(call, undefined, error)
      return { error, faults: call.faults }
    }
  }

  async function answer(call: Call): Promise<Message> {
    const { method } = call.in
    options.count(method.name)
    const full = `${method.service}.${method.name}`
    call.credential = authenticate(call.in.authorization, options.credentials(), full, clock.now(), options.selfSigned)
    const operation = OPERATIONS[method.name]
    if (operation === undefined) throw unimplemented(`local-kms does not implement ${method.name}.`)
    call.request = call.in.read()
    const { keys, project } = keysNamed(call.request)
    call.faults = world.faults.match(method.name, [...keys, ...keys.map(name => name.slice(name.lastIndexOf('/') + 1))])
    call.in.check?.(call.faults)
    const version = peek(keys)
    takeTokens(method.name, operation, project, version)
    const isRsa = version !== undefined && algorithmRow(version.algorithm).family === 'rsa'
    const factor = isRsa && method.name.startsWith('Asymmetric') ? 1.5 : 1
    const { freshConnection } = call.in
    const ms = world.latency().sample({ operation: method.name, keys, freshConnection, factor })
    if (ms > 0) await clock.sleep(ms / 2)
    await strike(call, 'before')
    const output = await carryOut(call, operation)
    await strike(call, 'after', output)
    if (ms > 0) await clock.sleep(ms / 2)
    return output
  }

  async function carryOut(call: Call, operation: Operation): Promise<Message> {
    const context = contextOf(call)
    try {
      return await operation.run(call.request!, context)
    } finally {
      if (operation.admin || context.changed) world.onChange()
    }
  }

  function contextOf(call: Call): OpContext {
    const credential = call.credential!
    return {
      store,
      now: clock.now(),
      entropy: world.entropy,
      stream: (label): Random => options.streams()(label),
      seeded: world.seeded,
      rules: options.rules,
      authorize(permission, resource) {
        const entry = { resource, permission, granted: mayDo(store, credential, permission, resource) }
        call.authorizations.push(entry)
        if (!entry.granted) authorize(store, credential, permission, resource)
      },
      held: (permissions, resource) => permissions.filter(each => mayDo(store, credential, each, resource)),
      stranger: call.faults.some(fault => fault.kind === 'other-key-signature'),
      changed: false,
    }
  }

  /** The version a request will use, as far as it can be told; what is wrong with it is found out later. */
  function peek(names: readonly string[]): KeyVersion | undefined {
    for (const full of names) {
      const name = parseName(full)
      const key = name === undefined ? undefined : store.keys.get(full.split('/cryptoKeyVersions/')[0]!)
      if (key === undefined || name === undefined) continue
      return findVersion(key, name.version === '' ? (key.primary ?? 1) : Number(name.version))
    }
    return undefined
  }

  function takeTokens(name: string, operation: Operation, project: string, version: KeyVersion | undefined): void {
    const kind = operation.crypto ? 'crypto' : operation.admin ? 'write' : 'read'
    options.quotas?.take({ operation: name, kind, project, version })
  }

  async function strike(call: Call, when: 'before' | 'after', output?: Message): Promise<void> {
    for (const fault of call.faults) {
      if ((('when' in fault && fault.when) || 'before') !== when) continue
      if (fault.kind === 'delay') await clock.sleep(fault.ms)
      const replaces = ['error', 'status', 'redirect', 'reset', 'hang'].includes(fault.kind)
      if (!replaces) continue
      // Whoever got no answer still stands in the trail, if it took effect
      if (when === 'after') record(call, output, undefined)
      if (fault.kind === 'error' && when === 'before') throw errorOf(fault)
      throw new Broken(fault)
    }
  }

  function record(call: Call, response: Message | undefined, error: GcpError | undefined): void {
    const { method, userAgent, remoteAddress } = call.in
    const entry = auditRecord({
      method,
      admin: OPERATIONS[method.name]?.admin === true,
      request: call.request,
      response,
      error,
      principal: call.credential === undefined ? '' : principalOf(call.credential),
      authorizations: call.authorizations,
      now: clock.now(),
      insertId: toHex(options.streams()('insert ids').bytes(8)),
      remoteAddress,
      userAgent,
    })
    options.keep(entry)
    world.onAudit?.('gcp', entry)
  }
}
