import type { Call, Result } from '../context.ts'
import { bad } from '../errors.ts'
import { authOf, createToken, entityId } from '../tokens.ts'

/** What every method lets its roles say of the tokens they give. Times in seconds. */
export interface TokenRole {
  token_bound_cidrs: string[]
  token_explicit_max_ttl: number
  token_max_ttl: number
  token_no_default_policy: boolean
  token_num_uses: number
  token_period: number
  token_policies: string[]
  token_strictly_bind_ip: boolean
  token_ttl: number
  token_type: string
  /** Older names a field was last set by; it is shown under both. */
  old_names: string[]
}

export const TOKEN_FIELDS = {
  token_bound_cidrs: 'commaStrings',
  token_explicit_max_ttl: 'duration',
  token_max_ttl: 'duration',
  token_no_default_policy: 'bool',
  token_num_uses: 'int',
  token_period: 'duration',
  token_policies: 'commaStrings',
  token_strictly_bind_ip: 'bool',
  token_ttl: 'duration',
  token_type: 'string',
  // Older names of the same
  policies: 'commaStrings',
  ttl: 'duration',
  max_ttl: 'duration',
  num_uses: 'int',
  period: 'duration',
  bound_cidrs: 'commaStrings',
} as const

export const NEW_TOKEN_ROLE: TokenRole = {
  token_bound_cidrs: [],
  token_explicit_max_ttl: 0,
  token_max_ttl: 0,
  token_no_default_policy: false,
  token_num_uses: 0,
  token_period: 0,
  token_policies: [],
  token_strictly_bind_ip: false,
  token_ttl: 0,
  token_type: 'default',
  old_names: [],
}

const OLD_NAMES = {
  policies: 'token_policies',
  ttl: 'token_ttl',
  max_ttl: 'token_max_ttl',
  num_uses: 'token_num_uses',
  period: 'token_period',
  bound_cidrs: 'token_bound_cidrs',
} as const

/** As reading a role shows it. */
export function shownRole<T extends TokenRole>(role: T): Omit<T, 'old_names'> & Record<string, unknown> {
  const { old_names: old, ...shown } = role
  const twice = old.map(name => [name, role[OLD_NAMES[name as keyof typeof OLD_NAMES]]])
  return { ...shown, ...Object.fromEntries(twice) }
}

/** The role as it was with what the request sets. @throws VaultError 400 */
export function readTokenRole({ data }: Call, before: TokenRole): TokenRole {
  const has = (name: keyof TokenRole): string | undefined => {
    const old = Object.entries(OLD_NAMES).find(([, now]) => now === name)?.[0]
    return data.has(name) ? name : old !== undefined && data.has(old) ? old : undefined
  }
  const pick = <T>(name: keyof TokenRole, read: (from: string) => T, otherwise: T): T => {
    const from = has(name)
    return from === undefined ? otherwise : read(from)
  }
  const role: TokenRole = {
    token_bound_cidrs: pick('token_bound_cidrs', data.strings, before.token_bound_cidrs),
    token_explicit_max_ttl: pick('token_explicit_max_ttl', data.duration, before.token_explicit_max_ttl),
    token_max_ttl: pick('token_max_ttl', data.duration, before.token_max_ttl),
    token_no_default_policy: pick('token_no_default_policy', data.bool, before.token_no_default_policy),
    token_num_uses: pick('token_num_uses', data.int, before.token_num_uses),
    token_period: pick('token_period', data.duration, before.token_period),
    token_policies: pick('token_policies', data.strings, before.token_policies),
    token_strictly_bind_ip: pick('token_strictly_bind_ip', data.bool, before.token_strictly_bind_ip),
    token_ttl: pick('token_ttl', data.duration, before.token_ttl),
    token_type: pick('token_type', data.string, before.token_type) || 'default',
    old_names: Object.entries(OLD_NAMES)
      .filter(([old, now]) => data.has(old) || (before.old_names.includes(old) && !data.has(now)))
      .map(([old]) => old),
  }
  if (!['default', 'service', 'batch', 'default-service', 'default-batch'].includes(role.token_type)) {
    throw bad(`invalid 'token_type' value ${JSON.stringify(role.token_type)}`)
  }
  if (role.token_type.endsWith('batch') && role.token_num_uses !== 0) {
    throw bad("'token_type' cannot be 'batch' or 'default_batch' when set to generate tokens with limited use count")
  }
  if (role.token_num_uses < 0) throw bad("'token_num_uses' cannot be negative")
  if (role.token_max_ttl > 0 && role.token_ttl > role.token_max_ttl) {
    throw bad("'token_ttl' cannot be greater than 'token_max_ttl'")
  }
  return role
}

/** A token for whoever has just shown who they are. */
export function logIn(
  call: Call,
  role: TokenRole,
  who: { displayName: string; alias: string; meta: Record<string, string> },
): Result {
  const { core, namespace, mount } = call
  if (!addressFits(role.token_bound_cidrs, call.incoming.remoteAddress)) {
    throw bad('login request originated from invalid CIDR')
  }
  const type = role.token_type.endsWith('batch') ? 'batch' : 'service'
  const token = createToken(
    core,
    {
      namespace,
      type,
      policies: role.token_policies,
      noDefaultPolicy: role.token_no_default_policy,
      path: `auth/${mount.path}login`,
      displayName: who.displayName,
      meta: who.meta,
      entityId: entityId(core, mount, who.alias),
      orphan: true,
      ttl: role.token_ttl || mount.defaultTtl,
      maxTtl: role.token_max_ttl || mount.maxTtl,
      explicitMaxTtl: role.token_explicit_max_ttl,
      period: role.token_period,
      numUses: role.token_num_uses,
      renewable: true,
    },
    call.warnings,
  )
  call.changed()
  return { auth: authOf(token) }
}

/** IPv4 ranges; an emulator's callers are on loopback. */
export function addressFits(ranges: readonly string[], address: string): boolean {
  if (ranges.length === 0) return true
  const own = ipv4(address.replace(/^::ffff:/, '') === '::1' ? '127.0.0.1' : address.replace(/^::ffff:/, ''))
  return ranges.some(range => {
    const [base, length = '32'] = range.split('/')
    const from = ipv4(base!)
    if (own === undefined || from === undefined) return range === address
    const size = 2 ** (32 - Number(length))
    return Math.floor(own / size) === Math.floor(from / size)
  })
}

function ipv4(text: string): number | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every(part => /^\d{1,3}$/.test(part))) return undefined
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0)
}
