/**
 * What an administrator may do. Nothing is granted beyond this table: a permission that no role lists, nobody has, as
 * `keys:unrevoke`, which a quorum of custodians alone can give (`break-glass.ts`).
 *
 * Three duties are kept apart (separation of duties, OWASP API5): to bring signatures about, to approve, and to make
 * policy. One person, under whatever roles, holds at most two of them. Making tokens is counted as signing, since a token
 * can carry the right to sign; naming administrators as making policy, since they are who approves.
 */
import { type Role, ROLES } from '../domain/admins.ts'
import { SignerError } from '../domain/errors.ts'

export const PERMISSIONS = [
  'sign',
  'keys:read',
  'keys:create',
  'keys:bind',
  'keys:restore',
  'keys:revoke',
  'keys:unrevoke',
  'keys:destroy',
  'flags:set',
  'policies:read',
  'policies:propose',
  'policies:approve',
  'policies:activate',
  'tokens:issue',
  'tokens:read',
  'tokens:revoke',
  'admins:read',
  'admins:manage',
  'audit:read',
  'status:read',
  'approvals:decide',
] as const
export type Permission = (typeof PERMISSIONS)[number]

export const ROLE_PERMISSIONS = {
  /** Asks for signatures in person. */
  requester: ['sign', 'keys:read', 'policies:read', 'status:read'],
  /** Judges what others ask for or propose. */
  approver: ['policies:approve', 'approvals:decide', 'keys:read', 'policies:read', 'status:read'],
  /** Keeps the service running: who may call it, and over which binding it signs. */
  operator: [
    'tokens:issue',
    'tokens:read',
    'tokens:revoke',
    'flags:set',
    'keys:revoke',
    'keys:read',
    'policies:read',
    'status:read',
  ],
  /** Sees everything, changes nothing. */
  auditor: ['audit:read', 'admins:read', 'keys:read', 'policies:read', 'tokens:read', 'status:read'],
  'key-admin': [
    'keys:create',
    'keys:bind',
    'keys:restore',
    'keys:revoke',
    'keys:destroy',
    'keys:read',
    'policies:read',
    'status:read',
  ],
  'policy-admin': [
    'policies:propose',
    'policies:activate',
    'admins:read',
    'admins:manage',
    'keys:read',
    'policies:read',
    'status:read',
  ],
} as const satisfies Record<Role, readonly Permission[]>

export const DUTIES = {
  sign: ['sign', 'tokens:issue'],
  approve: ['policies:approve', 'approvals:decide'],
  policy: ['policies:propose', 'policies:activate', 'admins:manage'],
} as const satisfies Record<string, readonly Permission[]>

/** All that these roles hold together; an unknown role holds nothing. */
export function permissionsOf(roles: readonly Role[]): ReadonlySet<Permission> {
  const table: Readonly<Record<string, readonly Permission[]>> = ROLE_PERMISSIONS
  return new Set(roles.flatMap(role => (Object.hasOwn(ROLE_PERMISSIONS, role) ? (table[role] ?? []) : [])))
}

/** @returns the same roles, once each, in the order of `ROLES`. @throws `request/malformed` for `roles` */
export function checkRoles(roles: readonly string[]): readonly Role[] {
  const known: readonly string[] = ROLES
  const stranger = roles.find(role => !known.includes(role))
  if (stranger !== undefined) {
    throw malformed(`${JSON.stringify(stranger.slice(0, 64))} is not a role`, `Use one or more of ${ROLES.join(', ')}`)
  }
  const sorted = ROLES.filter(role => roles.includes(role))
  if (sorted.length === 0) throw malformed('the list is empty', `Use one or more of ${ROLES.join(', ')}`)
  if (sorted.length !== roles.length) throw malformed('a role is named twice', 'Name each role once')
  if (holdsEveryDuty(permissionsOf(sorted))) {
    throw malformed(
      `${sorted.join(', ')} together could sign, approve and make policy`,
      'Give one of these duties to somebody else',
    )
  }
  return sorted
}

/** Whether somebody with all of this could sign, approve and make policy alone. */
export const holdsEveryDuty = (held: ReadonlySet<Permission>): boolean =>
  Object.values(DUTIES).every(duty => duty.some(permission => held.has(permission)))

const malformed = (reason: string, fix: string) =>
  new SignerError('request/malformed', { field: 'roles', reason: `Cannot give these roles: ${reason}`, fix })
