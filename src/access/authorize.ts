import { SignerError } from '../domain/errors.ts'
import type { Confirmation } from './confirmation.ts'
import type { Constraints } from './constraints.ts'
import type { Action } from '../domain/actions.ts'
import { ANY_KEY, type Scope } from './scopes.ts'

/** Who asks, from a verified token. */
export interface Caller {
  /** The token's `sub`. */
  readonly subject: string
  /** The token's `jti`. */
  readonly tokenId: string
  /** The whole `scope` claim, for words of other rooms. */
  readonly scope: string
  readonly scopes: readonly Scope[]
  /** Milliseconds since the epoch. */
  readonly issuedAt: number
  readonly expiresAt: number
  /** What the token allows of what its scopes grant; `withinConstraints` holds a request against it. */
  readonly constraints?: Constraints
  /** What the sender must have besides the token. */
  readonly confirmation?: Confirmation
  /** How it was shown, for this request. */
  readonly proof?: 'dpop' | 'signature' | 'certificate'
}

/**
 * Default deny: passes only when a scope names this action and this key, or this action and every key.
 * The answer does not tell whether the key exists.
 * @throws `access/denied`
 */
export function authorize(caller: Pick<Caller, 'scopes'>, action: Action, key: string): void {
  const granted = caller.scopes.some(scope => scope.action === action && (scope.key === ANY_KEY || scope.key === key))
  if (!granted)
    throw new SignerError('access/denied', {
      action,
      reason: `the token does not hold the scope ${action} for this key`,
    })
}
