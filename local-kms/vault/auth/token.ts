import type { Call, Result, Route } from '../context.ts'
import { bad, bare, coded } from '../errors.ts'
import { formatTime, GoError, parseDuration } from '../go.ts'
import type { Token } from '../state.ts'
import { authOf, cleanPolicies, createToken, findAccessor, findToken, renewToken, revokeToken } from '../tokens.ts'
import { tokenOf } from '../request.ts'

/** What `lookup` tells. @param hidden  by accessor: the id stays unsaid */
export function shownToken(call: Call, token: Token, hidden = false): Record<string, unknown> {
  const now = call.core.now()
  return {
    accessor: token.accessor,
    creation_time: Math.floor(token.createdMs / 1000),
    creation_ttl: token.creationTtl,
    display_name: token.displayName,
    entity_id: token.entityId,
    expire_time: token.expiresMs === 0 ? null : formatTime(token.expiresMs),
    explicit_max_ttl: token.explicitMaxTtl,
    id: hidden ? '' : token.id,
    issue_time: formatTime(token.createdMs),
    ...(token.lastRenewalMs === 0
      ? {}
      : {
          last_renewal: formatTime(token.lastRenewalMs),
          last_renewal_time: Math.floor(token.lastRenewalMs / 1000),
        }),
    meta: token.meta,
    ...(token.namespace === '' ? {} : { namespace_path: token.namespace }),
    num_uses: token.usesLeft,
    orphan: token.orphan,
    path: token.path,
    ...(token.period === 0 ? {} : { period: token.period }),
    policies: token.policies,
    renewable: token.renewable,
    ttl: token.expiresMs === 0 ? 0 : Math.max(0, Math.round((token.expiresMs - Math.round(now / 1000) * 1000) / 1000)),
    type: token.type,
  }
}

const CREATE_FIELDS = {
  id: 'string',
  policies: 'strings',
  meta: 'kv',
  no_parent: 'bool',
  no_default_policy: 'bool',
  renewable: 'bool',
  ttl: 'string',
  lease: 'string',
  display_name: 'string',
  num_uses: 'int',
  period: 'string',
  explicit_max_ttl: 'string',
  type: 'string',
  entity_alias: 'string',
} as const

/** Checks in the server's order; what only the privileged may ask for comes with `sudo` on the path. */
function create(call: Call, orphaned = false): Result {
  const { core, data, namespace, privileged, warnings } = call
  const parent = call.token!
  const type = readType(data.string('type'))
  if (parent.type === 'batch') throw bad('batch tokens cannot create more tokens')
  const wanted = data.strings('policies')
  const seconds = (name: string): number => readSeconds(name, data.string(name))
  const request = {
    numUses: data.int('num_uses'),
    explicitMaxTtl: seconds('explicit_max_ttl'),
    period: seconds('period'),
    ttl: seconds('ttl') || seconds('lease'),
    id: data.string('id'),
  }
  if (request.numUses < 0) throw bad('number of uses cannot be negative')
  if (type === 'batch') refuseForBatch(request)
  if (request.id !== '') checkId(call, request.id)
  if (data.bool('no_parent') && !privileged) throw bad('root or sudo privileges required to create orphan token')
  const parents = new Set(parent.policies)
  const policies = cleanPolicies(
    wanted.length > 0 ? wanted : parent.policies,
    data.bool('no_default_policy') || (parents.has('root') && wanted.length === 0),
  )
  const outside = policies.filter(name => name !== 'default' && !parents.has(name))
  if (!privileged && outside.length > 0) throw bad('child policies must be subset of parent')
  if (policies.includes('root') && !parents.has('root'))
    throw bad('root tokens may not be created without parent token being root')
  if (request.period > 0 && !privileged) throw bad('root or sudo privileges required to create periodic token')
  for (const name of policies) {
    if (name === 'root' || Object.hasOwn(namespace.policies, name)) continue
    warnings.push(`Policy ${JSON.stringify(name)} does not exist`)
  }
  if (request.id !== '') warnings.push(CUSTOM_ID)
  const token = createToken(
    core,
    {
      namespace,
      type,
      policies,
      noDefaultPolicy: true,
      path: 'auth/token/create',
      displayName: displayName(data.string('display_name')),
      meta: data.has('meta') ? (data.map('meta') as Record<string, string>) : null,
      entityId: orphaned || data.bool('no_parent') ? '' : parent.entityId,
      parent: orphaned || data.bool('no_parent') ? '' : parent.id,
      orphan: orphaned || data.bool('no_parent'),
      ttl: request.ttl,
      explicitMaxTtl: request.explicitMaxTtl,
      period: request.period,
      numUses: request.numUses,
      renewable: data.bool('renewable', true),
      ...(request.id === '' || type === 'batch' ? {} : { id: request.id }),
    },
    warnings,
  )
  return { auth: authOf(token) }
}

const CUSTOM_ID =
  'Supplying a custom ID for the token uses the weaker SHA1 hashing instead of the more secure SHA2-256 HMAC for token obfuscation. SHA1 hashed tokens on the wire leads to less secure lookups.'

function readType(text: string): 'service' | 'batch' {
  if (text === '' || text === 'service' || text === 'default-service') return 'service'
  if (text === 'batch') return 'batch'
  throw bad("invalid 'token_type' value")
}

function readSeconds(name: string, text: string): number {
  let seconds: number
  try {
    seconds = parseDuration(text)
  } catch (problem) {
    if (problem instanceof GoError) throw bad(problem.message)
    throw problem
  }
  if (seconds < 0) throw bad(`${name} must be positive`)
  return seconds
}

function refuseForBatch(request: { numUses: number; explicitMaxTtl: number; period: number }): void {
  const members = { num_uses: request.numUses, explicit_max_ttl: request.explicitMaxTtl, period: request.period }
  const wrong = Object.entries(members).find(([, value]) => value !== 0)
  if (wrong !== undefined) throw bad(`batch tokens cannot have ${JSON.stringify(wrong[0])} set`)
}

function checkId(call: Call, id: string): void {
  if (!call.privileged) throw bad('root or sudo privileges required to specify token id')
  const prefix = ['s.', 'b.', 'r.', 'hvs.', 'hvb.', 'hvr.'].find(each => id.startsWith(each))
  if (prefix !== undefined) throw bad(`custom token ID cannot have the '${prefix}' prefix`)
  if (id.includes('.')) throw bad("custom token ID cannot have a '.' in the value")
  if (findToken(call.core, id) !== undefined) throw bad('cannot create a token with a duplicate ID')
}

function displayName(given: string): string {
  const clean = given
    .replaceAll(/[^a-zA-Z0-9-]/g, '-')
    .replaceAll(/-{2,}/g, '-')
    .replace(/-$/, '')
  return clean === '' ? 'token' : `token-${clean}`
}

function named(call: Call, missing: () => never): Token {
  const id = call.data.string('token')
  return findToken(call.core, id) ?? missing()
}

function byAccessor(call: Call): Token {
  const token = findAccessor(call.core, call.data.string('accessor'))
  if (token === undefined) throw coded(400, 'invalid accessor')
  return token
}

function renew(call: Call, token: Token): Result {
  const seconds = renewToken(call.core, token, call.data.duration('increment'), call.warnings)
  return { auth: authOf(token, seconds) }
}

function own(call: Call): Token {
  return findToken(call.core, tokenOf(call.incoming))!
}

const ID_FIELDS = { token: 'string', accessor: 'string', increment: 'duration' } as const

export const tokenRoutes: readonly Route[] = [
  { path: 'create', fields: CREATE_FIELDS, update: call => create(call) },
  { path: 'create-orphan', fields: CREATE_FIELDS, update: call => create(call, true) },
  {
    path: 'create/:role',
    fields: CREATE_FIELDS,
    update(call) {
      throw bad(`unknown role ${call.data.string('role')}`)
    },
  },
  { path: 'lookup-self', pure: true, fields: ID_FIELDS, read: lookupSelf, update: lookupSelf },
  {
    path: 'lookup',
    pure: true,
    fields: ID_FIELDS,
    update(call) {
      if (call.data.string('token') === '') return { data: shownToken(call, own(call)) }
      const token = named(call, () => {
        throw bare(403, 'bad token')
      })
      return { data: shownToken(call, token) }
    },
  },
  {
    path: 'lookup-accessor',
    pure: true,
    fields: ID_FIELDS,
    update: call => ({ data: shownToken(call, byAccessor(call), true) }),
  },
  { path: 'renew-self', fields: ID_FIELDS, update: call => renew(call, own(call)) },
  {
    path: 'renew',
    fields: ID_FIELDS,
    update(call) {
      if (call.data.string('token') === '') throw bad('missing token ID')
      const token = named(call, () => {
        throw bad('token not found')
      })
      return renew(call, token)
    },
  },
  { path: 'renew-accessor', fields: ID_FIELDS, update: call => renew(call, byAccessor(call)) },
  { path: 'revoke-self', fields: ID_FIELDS, update: call => revoke(call, own(call)) },
  {
    path: 'revoke',
    fields: ID_FIELDS,
    update(call) {
      if (call.data.string('token') === '') throw bad('missing token ID')
      const token = findToken(call.core, call.data.string('token'))
      return token === undefined ? undefined : revoke(call, token)
    },
  },
  {
    path: 'revoke-accessor',
    fields: ID_FIELDS,
    update(call) {
      const token = findAccessor(call.core, call.data.string('accessor'))
      if (token === undefined) {
        call.warnings.push('No token found with this accessor')
        return undefined
      }
      return revoke(call, token)
    },
  },
  {
    path: 'revoke-orphan',
    root: true,
    fields: ID_FIELDS,
    update(call) {
      if (call.data.string('token') === '') throw bad('missing token ID')
      const token = named(call, () => {
        throw bad('token to revoke not found')
      })
      revokeToken(call.core, token, true)
      return undefined
    },
  },
  {
    path: 'accessors',
    root: true,
    list: call => ({
      data: {
        keys: Object.values(call.core.state.tokens)
          .filter(each => each.namespace === call.namespace.path)
          .map(each => each.accessor),
      },
    }),
  },
]

function lookupSelf(call: Call): Result {
  return { data: shownToken(call, own(call)) }
}

function revoke(call: Call, token: Token): undefined {
  if (token.type === 'batch') throw bad('batch tokens cannot be revoked')
  revokeToken(call.core, token)
}
