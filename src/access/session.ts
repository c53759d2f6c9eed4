/**
 * The session of an administrator. Its token says who logged in and nothing more: what that person may do is asked of the
 * store at each request, so whoever is disabled is out at once, and new roles begin with a new login.
 */
import type { Admin, AdminStore } from '../domain/admins.ts'
import { SignerError } from '../domain/errors.ts'
import { holdsEveryDuty, type Permission, permissionsOf } from './roles.ts'

/** The one scope of a session. Tokens for services must never carry it: their subject is free text. */
export const SESSION_SCOPE = 'admin:session'
export const SESSION_SECONDS_MAX = 900

/** Claims of RFC 9068 that are the session's; issuer, audience and signature are the token maker's. */
export interface SessionClaims {
  /** Address of the administrator. */
  readonly sub: string
  readonly jti: string
  /** Whole seconds. */
  readonly iat: number
  readonly exp: number
  readonly scope: typeof SESSION_SCOPE
}

/** @param options.seconds  life, 1 to 900; 900 unless told. @throws `config/invalid` */
export function sessionClaims(
  admin: Pick<Admin, 'address'>,
  options: { readonly id: string; readonly now: number; readonly seconds?: number },
): SessionClaims {
  const { id, now, seconds = SESSION_SECONDS_MAX } = options
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > SESSION_SECONDS_MAX) {
    const fix = `use 1 to ${SESSION_SECONDS_MAX} seconds`
    throw new SignerError('config/invalid', {
      problems: [{ path: 'login.sessionSeconds', problem: `cannot open a session for ${seconds} seconds`, fix }],
    })
  }
  const iat = Math.floor(now / 1000)
  return Object.freeze({ sub: admin.address, jti: id, iat, exp: iat + seconds, scope: SESSION_SCOPE })
}

/** Of a caller whose token is verified: signature, life, revocation, and whatever else it is bound to. */
export interface SessionToken {
  readonly subject: string
  /** The whole `scope` claim. */
  readonly scope: string
  /** `iat` in milliseconds. */
  readonly issuedAt: number
}

/**
 * Who that is now. To be asked at every request, never kept.
 * @throws `access/denied`: not a session, no such administrator any more, disabled, or changed since the login
 */
export async function openSession(token: SessionToken, admins: Pick<AdminStore, 'find'>): Promise<Admin> {
  if (token.scope !== SESSION_SCOPE) throw denied('this token is not the session of an administrator')
  const admin = await admins.find(token.subject)
  if (admin === undefined || admin.address !== token.subject || !admin.active) {
    throw denied('the session has ended')
  }
  // Until the end of its second: a token says no more exactly when it was made.
  if (!(token.issuedAt + 1000 > admin.changedAt)) throw denied('the session has ended: log in again')
  return admin
}

/**
 * Roles come from the store, which others may have written to: a combination that is not given out is worth nothing.
 * @throws `access/denied` unless the administrator is active and holds the permission
 */
export function authorizeAdmin(admin: Pick<Admin, 'active' | 'roles'>, permission: Permission): void {
  const held = admin.active ? permissionsOf(admin.roles) : new Set<Permission>()
  if (!held.has(permission) || holdsEveryDuty(held)) {
    throw new SignerError('access/denied', { action: permission, reason: `your roles do not hold ${permission}` })
  }
}

const denied = (reason: string) => new SignerError('access/denied', { action: 'admin', reason })
