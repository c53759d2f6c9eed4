import type { Random } from '../core/random.ts'
import { AwsError, invalidState, invalidUsage, notFound } from './errors.ts'
import type { Shape } from './shapes.ts'
import { type KeyUsage, specRow } from './specs.ts'
import { type AwsStore, aliasArn, aliasTarget, DAY_MS, type KmsKey, keyArn, materialId, settle } from './store.ts'

/** What one call has at hand. */
export interface OpContext {
  readonly operation: string
  readonly store: AwsStore
  readonly now: number
  /** For nonces and ECDSA: never repeats, whatever seed is set. */
  readonly entropy: Random
  /** For ids, keys and data keys: reproducible when a master seed is set. */
  stream(label: string): Random
  readonly seeded: boolean
  readonly allowEmptyMessage: boolean
  readonly aliasLagMs: number
  /** Whether the caller may do this there; throws AccessDeniedException. @param action where it is not the operation's name. */
  authorize(resource: string, action?: string): void
  /** Keys this call touched, for audit, faults and latency. */
  readonly touched: KmsKey[]
  /** Something other than the operation itself changed the store: a due rotation. */
  changed: boolean
}

export type Output = Record<string, unknown> | undefined

export interface Operation {
  readonly input: Shape<never>
  readonly run: (input: never, context: OpContext) => Output | Promise<Output>
  /** Changes state: the audit record says readOnly false. */
  readonly mutates: boolean
}

/** Ties a handler to the shape of its input. */
export function operation<I>(
  input: Shape<I>,
  run: (input: I, context: OpContext) => Output | Promise<Output>,
  flags: { mutates?: boolean } = {},
): Operation {
  return { input: input as Shape<never>, run, mutates: flags.mutates === true }
}

const UUID = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/
const MULTI_REGION_ID = /^mrk-[0-9a-fA-F]{32}$/

/** Cryptographic operations and DescribeKey: key id, key ARN, alias name or alias ARN. */
export function findKey(context: OpContext, id: string, action?: string): KmsKey {
  const key = lookUp(context, id, true)
  if (!context.touched.includes(key)) context.touched.push(key)
  context.authorize(key.arn, action)
  return key
}

/** Management operations: key id or key ARN only. */
export function findManagedKey(context: OpContext, id: string): KmsKey {
  const key = lookUp(context, id, false)
  if (!context.touched.includes(key)) context.touched.push(key)
  context.authorize(key.arn)
  return key
}

function lookUp(context: OpContext, id: string, aliases: boolean): KmsKey {
  const { store } = context
  if (!id.startsWith('arn:')) {
    if (aliases && id.startsWith('alias/')) return byAlias(context, id)
    const arn = keyArn(store, id)
    const key = byArn(context, arn)
    if (key !== undefined) return key
    if (UUID.test(id) || MULTI_REGION_ID.test(id)) throw notFound(`Key '${arn}' does not exist`)
    throw notFound(`Invalid keyId '${id}'`)
  }
  const key = byArn(context, id)
  if (key !== undefined) return key
  const [, , service, region, account, resource, ...rest] = id.split(':')
  if (service !== 'kms' || resource === undefined || account === undefined || rest.length > 0) {
    throw new AwsError('InvalidArnException', `Invalid arn ${id}`)
  }
  if (region !== store.region) throw notFound(`Invalid arn ${region}`)
  if (aliases && resource.startsWith('alias/')) return byAlias(context, resource, id)
  if (!resource.startsWith('key/')) throw new AwsError('InvalidArnException', `Invalid arn ${id}`)
  throw notFound(`Key '${id}' does not exist`)
}

function byArn(context: OpContext, arn: string): KmsKey | undefined {
  const key = context.store.keys.get(arn)
  if (key === undefined || !settle(context.store, key, context.now)) return undefined
  while (key.rotation.enabled && key.rotation.next !== undefined && key.rotation.next <= context.now) {
    const due = key.rotation.next
    key.rotation.next = due + key.rotation.periodDays * DAY_MS
    rotate(context, key, due, 'AUTOMATIC')
  }
  return key
}

/** Adds symmetric material; what is there already goes on decrypting. */
export function rotate(context: OpContext, key: KmsKey, at: number, rotation: 'AUTOMATIC' | 'ON_DEMAND'): void {
  const bytes = context.stream(`${key.id} material ${key.materials.length}`).bytes(32)
  key.materials.push({ id: materialId(key.arn, bytes), bytes, since: at, rotation })
  context.changed = true
}

function byAlias(context: OpContext, name: string, arn = aliasArn(context.store, name)): KmsKey {
  const alias = arn === aliasArn(context.store, name) ? context.store.aliases.get(name) : undefined
  const target = alias === undefined ? undefined : aliasTarget(alias, context.now)
  const key = target === undefined ? undefined : byArn(context, target)
  if (key === undefined) throw notFound(`Alias ${arn} is not found.`)
  return key
}

/** The state table for cryptographic operations and GetPublicKey. */
export function requireUsable(key: KmsKey): void {
  switch (key.state) {
    case 'Enabled':
    case 'Updating':
      return
    case 'Disabled':
      throw new AwsError('DisabledException', `${key.arn} is disabled.`)
    default:
      throw stateRefusal(key)
  }
}

/** For management operations that a key awaiting deletion (or listed states) refuses. */
export function refuseStates(key: KmsKey, ...states: KmsKey['state'][]): void {
  if (!states.includes(key.state)) return
  throw key.state === 'Disabled' ? new AwsError('DisabledException', `${key.arn} is disabled.`) : stateRefusal(key)
}

function stateRefusal(key: KmsKey): AwsError {
  const words: Partial<Record<KmsKey['state'], string>> = {
    PendingDeletion: 'pending deletion',
    PendingImport: 'pending import',
  }
  return invalidState(`${key.arn} is ${words[key.state] ?? key.state.toLowerCase()}.`)
}

export function requireUsage(context: OpContext, key: KmsKey, usage: KeyUsage): void {
  if (key.usage !== usage) {
    throw invalidUsage(`${key.arn} key usage is ${key.usage} which is not valid for ${context.operation}.`)
  }
}

export function requireAlgorithm(key: KmsKey, kind: 'signing' | 'encryption' | 'mac', algorithm: string): void {
  if (!specRow(key.spec)[kind].includes(algorithm)) {
    throw invalidUsage(`Algorithm ${algorithm} is incompatible with key spec ${key.spec}.`)
  }
}
