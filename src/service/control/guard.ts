import canonicalize from 'canonicalize'
import type { Permission } from '../../access/roles.ts'
import { authorizeAdmin, openSession } from '../../access/session.ts'
import { toHex } from '../../bytes/hex.ts'
import { randomId } from '../../bytes/ids.ts'
import { sha256 } from '../../bytes/sha256.ts'
import type { Admin } from '../../domain/admins.ts'
import type { AuditActor, EventEntry, OutcomeEntry } from '../../domain/audit.ts'
import { type AnySignerError, isSignerError, SignerError } from '../../domain/errors.ts'
import type { IdempotencyEntry } from '../../domain/ports.ts'
import { incidents } from '../incident.ts'
import { readIdempotencyKey } from '../request.ts'
import { type Stray, strayRecord } from '../stray.ts'
import type { Bearer, ControlParts, Visit } from './ports.ts'

/** One thing an administrator may do, as the table of routes has it. */
export interface Operation {
  /** `admins.add`: what the record calls it. */
  readonly name: string
  readonly permission: Permission
  /** Changes something: takes an Idempotency-Key, and is on record before it begins. */
  readonly writes: boolean
}

export interface Asking {
  readonly visit: Visit
  readonly requestId: string
  /** What it is about, as the path names it: a key, an address, an id; or nothing. */
  readonly object: string
  /** The same, where it is a key. */
  readonly key?: string | undefined
}

/** A request of somebody who may ask it. */
export interface Granted {
  readonly auditId: string
  readonly requestId: string
  readonly actor: AuditActor
  readonly admin: Admin
  /** The same for every retry of a write: what it makes gets its name from here. */
  readonly operationId: string
}

/** `facts` go on record with the outcome. */
export interface Done {
  readonly answer: object
  readonly facts?: Readonly<Record<string, string | number | boolean>>
  /** Name of what was made, where the route does not name it: what a replay is about. */
  readonly made?: string
}

export interface Answered {
  readonly answer: object
  readonly headers: Readonly<Record<string, string>>
}

/** Address of who asks, as the door says it. @throws `access/denied` */
export const clientOf = ({ clientOf: named }: ControlParts, { visit }: Asking): string => named?.(visit) ?? visit.peer

interface Steps<Input> {
  /** Reads path, query and body. Runs only for those who may ask. @throws `request/*` */
  understand(): Input
  act(granted: Granted, input: Input): Promise<Done>
  /** A write that was done before under the same Idempotency-Key: its answer, made from how things are now. */
  again?(granted: Granted, input: Input, made: string): Promise<Done>
}

/**
 * The path of every request to the control plane, in the order an auditor would ask for it:
 *
 *   authenticate → the administrator as the store knows them now → admit → authorize → understand → reserve →
 *   durable "accepted" (writes) → act → durable "done" → answer
 *
 * The holder of a break-glass token is no administrator: what they may do stands in its statement, and each use is on record
 * and alarms before anything is looked at.
 *
 * Authorization stands before anything of the request is read or looked up, so the answer to those who may not ask is the
 * same whether the object exists or not. Whatever ends a request is on record, with who, what for and why.
 *
 * @throws SignerError
 */
export async function perform<Input>(
  parts: ControlParts,
  operation: Operation,
  asking: Asking,
  steps: Steps<Input>,
): Promise<Answered> {
  const auditId = randomId(parts.world.random, 'a')
  const { visit, requestId } = asking
  let actor: AuditActor = { subject: 'unknown', peer: visit.peer }
  let headers: Readonly<Record<string, string>> = {}
  let admin: Admin
  let input: Input
  try {
    const peer = clientOf(parts, asking)
    actor = { ...actor, peer }
    const holder = await parts.breakGlass?.holder(parts, asking)
    if (holder === undefined) {
      const bearer = await counted(parts, visit, () => parts.authenticate(visit))
      actor = { subject: bearer.subject, tokenId: bearer.tokenId, peer }
      admin = await counted(parts, visit, () => administrator(parts, bearer))
    } else ({ actor, admin } = holder)
    headers = await parts.admit({
      visit,
      subject: actor.subject,
      ...(actor.tokenId === undefined ? {} : { tokenId: actor.tokenId }),
    })
    if (holder === undefined) authorizeAdmin(admin, operation.permission)
    else await holder.use(operation.name)
    if (parts.audit.state.kind === 'sealed') throw new SignerError('audit/sealed', { reason: parts.audit.state.reason })
    input = steps.understand()
    await holder?.narrow(operation.name, input)
  } catch (error) {
    throw refuse(parts, { operation, asking, auditId, actor }, error)
  }
  const about: About = { operation, asking, auditId, actor }
  const granted = { auditId, requestId, actor, admin, operationId: '' }
  const { answer, ...more } = operation.writes
    ? await write(parts, about, granted, input, steps)
    : await look(parts, about, granted, input, steps)
  return { answer, headers: { ...headers, ...more.headers } }
}

/**
 * A request before there is a session: the two steps of a login. Only the peer can be counted. Who is let in is on disk
 * before they hear of it. What lets nobody in, a challenge, is recorded as refusals are: strangers ask for it from as many
 * addresses as they have, and each record would cost a wait for the disk and a place on it. The record of the login that
 * answers a challenge names it.
 * @throws SignerError
 */
export async function performOpen<Input>(
  parts: ControlParts,
  name: string,
  asking: Asking,
  steps: { understand(): Input; act(input: Input): Promise<Done & { readonly actor?: Omit<AuditActor, 'peer'> }> },
): Promise<Answered> {
  let about: About = {
    operation: { name },
    asking,
    auditId: randomId(parts.world.random, 'a'),
    actor: { subject: 'unknown', peer: asking.visit.peer },
  }
  try {
    const peer = clientOf(parts, asking)
    about = { ...about, actor: { subject: 'unknown', peer } }
    const headers = await parts.admit({ visit: asking.visit })
    if (parts.audit.state.kind === 'sealed') throw new SignerError('audit/sealed', { reason: parts.audit.state.reason })
    const { answer, facts, actor } = await steps.act(steps.understand())
    if (actor === undefined) parts.recordOpen(eventOf(about, 'done', facts))
    else {
      about = { ...about, actor: { ...actor, peer } }
      await record(parts, about, 'done', facts)
    }
    return { answer, headers }
  } catch (error) {
    throw refuse(parts, about, error)
  }
}

interface About {
  readonly operation: Pick<Operation, 'name'> & Partial<Operation>
  readonly asking: Asking
  readonly auditId: string
  readonly actor: AuditActor
}

async function look<Input>(
  parts: ControlParts,
  about: About,
  granted: Granted,
  input: Input,
  { act }: Steps<Input>,
): Promise<Answered> {
  try {
    const { answer, facts } = await act(granted, input)
    await record(parts, about, 'done', facts)
    return { answer, headers: {} }
  } catch (error) {
    throw refuse(parts, about, error)
  }
}

async function write<Input>(
  parts: ControlParts,
  about: About,
  before: Granted,
  input: Input,
  { act, again }: Steps<Input>,
): Promise<Answered> {
  let entry: IdempotencyEntry
  let granted: Granted
  try {
    const found = await reserve(parts, about, before, input)
    entry = found.entry
    granted = { ...before, operationId: found.operationId }
    if (found.replayed !== undefined) {
      const { answer } = await (again ?? act)(granted, input, found.replayed)
      await record(parts, about, 'replayed')
      return { answer, headers: { 'idempotency-replayed': 'true' } }
    }
  } catch (error) {
    throw refuse(parts, about, error)
  }
  try {
    await record(parts, about, 'accepted')
    const { answer, facts, made } = await act(granted, input)
    await record(parts, about, 'done', facts)
    await parts.idempotency
      .complete(entry, doneOf(about, made))
      .catch(error => parts.logger.error('control-answer-not-kept', { code: codeOf(error) }))
    return { answer, headers: {} }
  } catch (error) {
    await parts.idempotency
      .release(entry)
      .catch(later => parts.logger.error('control-reservation-not-released', { code: codeOf(later) }))
    throw await fail(parts, about, error)
  }
}

/** Who is not let in counts for the address alone: otherwise anybody could try without end. @throws `access/limited` */
async function counted<T>({ admit }: ControlParts, visit: Visit, body: () => Promise<T>): Promise<T> {
  try {
    return await body()
  } catch (error) {
    await admit({ visit })
    throw error
  }
}

/** The administrator of this moment, not of the login. */
async function administrator({ admins, tokens }: ControlParts, bearer: Bearer): Promise<Admin> {
  const admin = await openSession(bearer, admins)
  if (!(await tokens.isRevoked(bearer.tokenId))) return admin
  throw new SignerError('token/invalid', { reason: 'the token was revoked' })
}

/** What was done is kept, not what was answered: a token must not lie in the store, and a key may be in another state by now. */
async function reserve(
  { idempotency, world }: ControlParts,
  { operation, asking }: About,
  { actor }: Granted,
  input: unknown,
): Promise<{ entry: IdempotencyEntry; operationId: string; replayed?: string }> {
  const key = readIdempotencyKey(asking.visit.headers.get('idempotency-key') ?? undefined)
  const scope = `control:${actor.subject}`
  const fingerprint = hashOf([operation.name, asking.object, input])
  const entry = { scope, key, fingerprint, at: world.clock.now() }
  const operationId = hashOf([scope, key, fingerprint]).slice(0, 32)
  const found = await idempotency.reserve(entry)
  switch (found.kind) {
    case 'reserved':
      return { entry, operationId }
    case 'replay':
      return { entry, operationId, replayed: found.result.key }
    case 'in-flight':
      throw new SignerError('idempotency/in-flight', { retryAfterMs: 250 })
    case 'mismatch':
      throw new SignerError('idempotency/mismatch', { reason: 'used before for another request' })
  }
}

const hashOf = (value: unknown): string => toHex(sha256(new TextEncoder().encode(canonicalize(value))))

const doneOf = ({ operation, asking, auditId }: About, made = operation.name) => ({
  signature: 'none', // nothing was signed
  key: made,
  version: 1,
  provider: 'control',
  custody: 'none',
  auditId,
  requestId: asking.requestId,
})

type Outcome = 'accepted' | 'done' | 'replayed'

/** Durable when it resolves. */
export async function record(
  parts: Pick<ControlParts, 'audit'>,
  about: About,
  outcome: Outcome,
  facts?: Done['facts'],
): Promise<void> {
  await parts.audit.append(eventOf(about, outcome, facts))
}

function eventOf(
  { operation, asking, auditId, actor }: About,
  outcome: Outcome,
  facts: Done['facts'] = {},
): EventEntry {
  const { requestId, object, key } = asking
  const { name: event, permission = 'none' } = operation
  const named = { object: object === '' ? 'none' : object, ...(key === undefined ? {} : { key }) }
  const detail = { requestId, permission, ...named, ...facts, outcome }
  return { kind: 'event', auditId, event, actor, detail }
}

export const recordStray = (parts: Recorder, stray: Stray): void =>
  parts.recordRefusal(strayRecord(parts.world.random, stray))

/** Before anything was accepted: bounded. @returns what the caller is told */
export function refuse(parts: Recorder, about: About, error: unknown): AnySignerError {
  const failure = asFailure(parts, error)
  parts.recordRefusal(refusal(about, failure))
  return failure
}

/** After it was accepted: one outcome for each, on disk before the caller hears of it unless the log itself is what broke. */
async function fail(parts: Recorder & Pick<ControlParts, 'audit'>, about: About, error: unknown) {
  const failure = asFailure(parts, error)
  const outcome = refusal(about, failure)
  await parts.audit.append(outcome).catch(() => parts.recordRefusal(outcome))
  return failure
}

type Recorder = Pick<ControlParts, 'world' | 'logger' | 'recordRefusal'>

const asFailure = ({ world, logger }: Recorder, error: unknown): AnySignerError =>
  isSignerError(error) ? error : incidents(world.random, logger)(error)

function refusal({ operation, asking, auditId, actor }: About, failure: AnySignerError): OutcomeEntry {
  const { requestId, object, key } = asking
  return {
    kind: 'outcome',
    auditId,
    requestId,
    actor,
    operation: operation.name,
    ...(operation.permission === undefined ? {} : { permission: operation.permission }),
    ...(object === '' ? {} : { object: object.slice(0, 255) }),
    ...(key === undefined ? {} : { key: key.slice(0, 255) }),
    result: failure.code === 'internal' ? 'failed' : 'refused',
    decision: 'none',
    errorCode: failure.code,
    ...('reason' in failure.detail ? { reason: failure.detail.reason } : {}),
  }
}

export const notPermitted = (action: Permission, reason: string) => new SignerError('access/denied', { action, reason })

const codeOf = (error: unknown): string => (isSignerError(error) ? error.code : 'unexpected')
