import { uuid } from '../../core/random.ts'
import type { Call, Result, Route } from '../context.ts'
import { bad, bare, failed, VaultError } from '../errors.ts'
import { formatTime } from '../go.ts'
import type { Mount } from '../state.ts'
import { addressFits, logIn, NEW_TOKEN_ROLE, readTokenRole, shownRole, TOKEN_FIELDS, type TokenRole } from './login.ts'

export interface AppRole extends TokenRole {
  role_id: string
  bind_secret_id: boolean
  local_secret_ids: boolean
  secret_id_bound_cidrs: string[] | null
  secret_id_num_uses: number
  secret_id_ttl: number
  /** By the secret id itself. */
  secrets: Record<string, SecretId>
}

interface SecretId {
  readonly accessor: string
  readonly metadata: Record<string, string>
  readonly numUses: number
  usesLeft: number
  readonly ttl: number
  readonly createdMs: number
  readonly expiresMs: number
  /** Where it may be shown, and where the token it gives may be; absent in what was saved before there were such. */
  readonly cidrList?: readonly string[]
  readonly tokenCidrs?: readonly string[]
}

export function approles(mount: Mount): Record<string, AppRole> {
  return (mount.state['roles'] ??= {}) as Record<string, AppRole>
}

const NEW_ROLE = {
  ...NEW_TOKEN_ROLE,
  bind_secret_id: true,
  local_secret_ids: false,
  secret_id_bound_cidrs: null,
  secret_id_num_uses: 0,
  secret_id_ttl: 0,
}

const ROLE_FIELDS = {
  ...TOKEN_FIELDS,
  role_name: 'string',
  role_id: 'string',
  bind_secret_id: 'bool',
  local_secret_ids: 'bool',
  secret_id_bound_cidrs: 'commaStrings',
  secret_id_num_uses: 'int',
  secret_id_ttl: 'duration',
} as const

const nameOf = (call: Call): string => call.data.string('role_name').toLowerCase()
const roleOf = (call: Call): AppRole | undefined => approles(call.mount)[nameOf(call)]

function existing(call: Call): AppRole {
  const role = roleOf(call)
  if (role === undefined) throw bare(404, `role ${JSON.stringify(call.data.string('role_name'))} does not exist`)
  return role
}

function writeRole(call: Call): undefined {
  const { data, core } = call
  const before = roleOf(call) ?? { ...NEW_ROLE, role_id: uuid(core.streams('vault approles')), secrets: {} }
  const role: AppRole = {
    ...before,
    ...readTokenRole(call, before),
    role_id: data.string('role_id') || before.role_id,
    bind_secret_id: data.bool('bind_secret_id', before.bind_secret_id),
    local_secret_ids: data.bool('local_secret_ids', before.local_secret_ids),
    secret_id_bound_cidrs: data.has('secret_id_bound_cidrs')
      ? data.strings('secret_id_bound_cidrs')
      : before.secret_id_bound_cidrs,
    secret_id_num_uses: data.int('secret_id_num_uses', before.secret_id_num_uses),
    secret_id_ttl: data.duration('secret_id_ttl', before.secret_id_ttl),
  }
  const bound =
    role.bind_secret_id || role.token_bound_cidrs.length > 0 || (role.secret_id_bound_cidrs ?? []).length > 0
  if (!bound) throw failed('at least one constraint should be enabled on the role')
  approles(call.mount)[nameOf(call)] = role
}

function readRole(call: Call): Result | undefined {
  const role = roleOf(call)
  if (role === undefined) return undefined
  const { role_id: _, secrets: __, ...shown } = role
  return { data: shownRole(shown) }
}

const SECRET_FIELDS = {
  role_name: 'string',
  secret_id: 'string',
  metadata: 'string',
  cidr_list: 'commaStrings',
  token_bound_cidrs: 'commaStrings',
  num_uses: 'int',
  ttl: 'duration',
} as const

function addSecret(call: Call, id: string): Result {
  const { data, core } = call
  const role = existing(call)
  const now = core.now()
  if (Object.hasOwn(role.secrets, id)) throw failed('failed to store secret_id: SecretID is already registered')
  const numUses = data.int('num_uses', role.secret_id_num_uses)
  if (numUses < 0) throw bad('num_uses cannot be negative')
  const ttl = data.duration('ttl', role.secret_id_ttl)
  const [cidrList, tokenCidrs] = [data.strings('cidr_list'), data.strings('token_bound_cidrs')]
  requireSubset(cidrList, role.secret_id_bound_cidrs ?? [])
  requireSubset(tokenCidrs, role.token_bound_cidrs)
  const secret: SecretId = {
    accessor: uuid(core.streams('vault approles')),
    metadata: readMetadata(data.string('metadata')),
    numUses,
    usesLeft: numUses,
    ttl,
    createdMs: now,
    expiresMs: ttl === 0 ? 0 : now + ttl * 1000,
    cidrList,
    tokenCidrs,
  }
  role.secrets[id] = secret
  return {
    data: { secret_id: id, secret_id_accessor: secret.accessor, secret_id_num_uses: numUses, secret_id_ttl: ttl },
  }
}

/** What a secret id adds may narrow its role and not widen it. */
function requireSubset(own: readonly string[], ofRole: readonly string[]): void {
  const isInside = (range: string): boolean => {
    const [base = '', bits = '32'] = range.split('/')
    return ofRole.some(wide => Number(wide.split('/')[1] ?? '32') <= Number(bits) && addressFits([wide], base))
  }
  if (ofRole.length === 0 || own.every(isInside)) return
  throw new VaultError(500, [
    '1 error occurred:\n\t* failed to verify subset relationship between CIDR blocks on the role ' +
      `[${ofRole.map(each => JSON.stringify(each)).join(' ')}] and CIDR blocks on the secret ID ` +
      `[${own.map(each => JSON.stringify(each)).join(' ')}]: <nil>\n\n`,
  ])
}

/** A use is counted before its address is looked at, as the server does it. */
function requireAddress(ranges: readonly string[], address: string, words: string): void {
  if (addressFits(ranges, address)) return
  throw bad(`source address ${JSON.stringify(address)} unauthorized ${words}: <nil>`)
}

function readMetadata(text: string): Record<string, string> {
  if (text === '') return {}
  try {
    return JSON.parse(text) as Record<string, string>
  } catch {
    throw bad(`failed to parse metadata: ${JSON.stringify(text)}`)
  }
}

/** Undefined: unknown, used up or expired; those are forgotten. */
function findSecret(call: Call, role: AppRole, id: string): SecretId | undefined {
  const secret = Object.hasOwn(role.secrets, id) ? role.secrets[id] : undefined
  if (secret === undefined) return undefined
  if (secret.expiresMs !== 0 && secret.expiresMs <= call.core.now()) {
    delete role.secrets[id]
    return undefined
  }
  return secret
}

const NO_MATCH = 'invalid role or secret ID'

function login(call: Call): Result {
  const { data, mount } = call
  if (data.string('role_id') === '') throw new VaultError(500, ['missing role_id'])
  const found = Object.entries(approles(mount)).find(([, role]) => role.role_id === data.string('role_id'))
  if (found === undefined) throw bad(NO_MATCH)
  const [name, role] = found
  const { remoteAddress } = call.incoming
  let metadata: Record<string, string> = {}
  let tokenCidrs: readonly string[] = []
  if (role.bind_secret_id) {
    const id = data.string('secret_id')
    if (id === '') throw bad('missing secret_id')
    const secret = findSecret(call, role, id)
    if (secret === undefined) throw bad(NO_MATCH)
    if (secret.numUses > 0) {
      secret.usesLeft -= 1
      if (secret.usesLeft === 0) delete role.secrets[id]
    }
    const through = secret.numUses === 0 ? 'through' : 'by'
    requireAddress(secret.cidrList ?? [], remoteAddress, `${through} CIDR restrictions on the secret ID`)
    ;({ metadata, tokenCidrs = [] } = secret)
  }
  requireAddress(role.secret_id_bound_cidrs ?? [], remoteAddress, 'by CIDR restrictions on the role')
  const bound = tokenCidrs.length > 0 ? { ...role, token_bound_cidrs: [...tokenCidrs] } : role
  return logIn(call, bound, {
    displayName: mount.path.replace(/\/$/, ''),
    alias: role.role_id,
    meta: { ...metadata, role_name: name },
  })
}

function lookupSecret(call: Call): Result | undefined {
  const secret = findSecret(call, existing(call), call.data.string('secret_id'))
  if (secret === undefined) return undefined
  return {
    data: {
      cidr_list: secret.cidrList ?? [],
      creation_time: formatTime(secret.createdMs),
      expiration_time: secret.expiresMs === 0 ? '0001-01-01T00:00:00Z' : formatTime(secret.expiresMs),
      last_updated_time: formatTime(secret.createdMs),
      metadata: secret.metadata,
      secret_id_accessor: secret.accessor,
      secret_id_num_uses: secret.usesLeft,
      secret_id_ttl: secret.ttl,
      token_bound_cidrs: secret.tokenCidrs ?? [],
    },
  }
}

function dropSecret(call: Call): undefined {
  delete existing(call).secrets[call.data.string('secret_id')]
}

export const approleRoutes: readonly Route[] = [
  { path: 'login', open: true, fields: { role_id: 'string', secret_id: 'string' }, update: login, read: login },
  { path: 'role', list: call => ({ data: { keys: Object.keys(approles(call.mount)).toSorted() } }) },
  {
    path: 'role/:role_name',
    fields: ROLE_FIELDS,
    exists: call => roleOf(call) !== undefined,
    read: readRole,
    update: writeRole,
    remove(call) {
      delete approles(call.mount)[nameOf(call)]
      return undefined
    },
  },
  {
    path: 'role/:role_name/role-id',
    fields: { role_id: 'string' },
    read: call => (roleOf(call) === undefined ? undefined : { data: { role_id: existing(call).role_id } }),
    update(call) {
      if (call.data.string('role_id') === '') throw bad('missing role_id')
      existing(call).role_id = call.data.string('role_id')
      return undefined
    },
  },
  {
    path: 'role/:role_name/secret-id',
    fields: SECRET_FIELDS,
    list: call => ({
      data: {
        keys: Object.values(existing(call).secrets)
          .map(each => each.accessor)
          .toSorted(),
      },
    }),
    update: call => addSecret(call, uuid(call.core.streams('vault approles'))),
  },
  {
    path: 'role/:role_name/custom-secret-id',
    fields: SECRET_FIELDS,
    update(call) {
      if (call.data.string('secret_id') === '') throw bad('missing secret_id')
      return addSecret(call, call.data.string('secret_id'))
    },
  },
  { path: 'role/:role_name/secret-id/lookup', pure: true, fields: SECRET_FIELDS, update: lookupSecret },
  { path: 'role/:role_name/secret-id/destroy', fields: SECRET_FIELDS, update: dropSecret, remove: dropSecret },
]
