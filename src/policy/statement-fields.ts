/** Grants for what a Stellar key signs besides transactions, and for approvals. Grants only; what is absent grants nothing. */
import { z } from 'zod'
import * as field from './fields.ts'

const DAY_SECONDS = 86_400

const addresses = z
  .array(field.receiver)
  .max(field.LIST_MAX)
  .superRefine((list, context) => field.distinct(list, one => one, context))

/**
 * Soroban authorizations that are signed apart from a transaction. Their calls must be granted in `contracts` or `tokens`,
 * what they move in `payments`.
 */
export const authorizations = z.strictObject({
  /**
   * How far from the last closed ledger an authorization may expire. A number needs a configured network, since somebody
   * has to know that ledger; `any` does not look at it.
   */
  expiration: z.union([
    z.literal('any'),
    z.strictObject({ maxLedgersAhead: z.number().int().min(1).max(field.LEDGERS_AHEAD_MAX) }),
  ]),
  /** Accounts and contract accounts besides the key's own account that it may sign for. */
  accounts: addresses.optional(),
  /** Accounts in whose name it may sign as a delegate (CAP-71). */
  delegateOf: addresses.optional(),
  /** True: also in the form that does not name the account (before CAP-71): good for every account the key is a signer of. */
  legacy: z.boolean().optional(),
})

const domains = z
  .array(field.name)
  .min(1)
  .max(field.LIST_MAX)
  .superRefine((list, context) => field.distinct(list, one => one, context))

/** SEP-10. */
export const challenges = z.strictObject({
  /** Home domains: of servers that are answered, or of our own when the key issues. */
  homeDomains: domains,
  /** Servers whose challenges are answered, each having signed with this key. */
  servers: z.array(field.address).max(field.LIST_MAX).optional(),
  /** True: the key is a server's own and issues challenges. */
  issue: z.boolean().optional(),
  /** Where challenges say that they are used; without it, only at the home domain itself. */
  webAuthDomains: domains.optional(),
  /** Without it, a challenge that names the client's own domain is refused. */
  clientDomains: domains.optional(),
  maxLifetimeSeconds: z.number().int().min(1).max(DAY_SECONDS),
})

const approval = z.strictObject({
  action: field.name,
  audiences: z.union([z.literal('any'), domains]),
  /** Without it, about anything. */
  subjects: domains.optional(),
  maxLifetimeSeconds: z.number().int().min(1).max(field.YEAR_SECONDS),
})

/** Execution approvals, one grant an action. */
export const approvals = z
  .array(approval)
  .max(field.LIST_MAX)
  .superRefine((list, context) => field.distinct(list, ({ action }) => action, context))

export type AuthorizationGrant = z.output<typeof authorizations>
export type ApprovalGrant = z.output<typeof approval>
