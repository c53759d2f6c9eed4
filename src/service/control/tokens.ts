import type { TokenGrant } from '../../access/service-tokens.ts'
import { MAX_AGE_SECONDS, MAX_SKEW_SECONDS } from '../../access/tokens.ts'
import type { TokenLedger, TokenRecord } from '../../domain/admins.ts'
import { SignerError } from '../../domain/errors.ts'
import { type Done, type Granted, notPermitted } from './guard.ts'
import type { ControlParts } from './ports.ts'

type Optional = 'constraints' | 'confirmation' | 'seconds'
export type TokenWish = Pick<TokenGrant, 'subject' | 'scopes'> & {
  readonly [K in Optional]?: TokenGrant[K] | undefined
}

/**
 * On the list before it is handed out, so there is none that cannot be taken back. It is shown once and not kept. Who is
 * disabled in between sees it no more: either `endGrants` finds it on the list, or it is found out here.
 */
export async function issueToken(
  { issuer, tokens, admins, world }: ControlParts,
  { admin }: Granted,
  { subject, scopes, ...limits }: TokenWish,
): Promise<Done> {
  const given = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined))
  const { token, record } = await issuer.issue({ subject, scopes, ...given, issuedBy: admin.address })
  await tokens.record(record)
  const { id, grants } = record
  if ((await admins.find(admin.address))?.changedAt !== admin.changedAt) {
    await takeBack(tokens, id, world.clock.now())
    throw notPermitted('tokens:issue', 'your roles were changed meanwhile: log in again')
  }
  const facts = { token: id, tokenSubject: subject, grants, expiresAt: new Date(record.expiresAt).toISOString() }
  return { answer: { token, tokenType: 'Bearer', ...view(record) }, facts, made: id }
}

/** What was made the first time, without the token itself. */
export async function issuedBefore({ tokens }: ControlParts, id: string): Promise<Done> {
  const record = await tokens.find(id)
  if (record !== undefined) return { answer: { tokenType: 'Bearer', ...view(record) } }
  throw new SignerError('idempotency/mismatch', { reason: 'it stands for a token that is long gone; use a fresh one' })
}

const LIST_MAX = 1_000

/** Those that have not expired. */
export async function listTokens({ tokens, world }: ControlParts): Promise<Done> {
  const found = await tokens.list({ now: world.clock.now(), limit: LIST_MAX })
  return { answer: { tokens: found.map(view) }, facts: { tokens: found.length } }
}

const view = ({ id, subject, issuedBy, issuedAt, expiresAt, grants, revokedAt }: TokenRecord) => ({
  id,
  subject,
  issuedBy,
  issuedAt: new Date(issuedAt).toISOString(),
  expiresAt: new Date(expiresAt).toISOString(),
  grants: JSON.parse(grants) as unknown,
  ...(revokedAt === undefined ? {} : { revokedAt: new Date(revokedAt).toISOString() }),
})

/** How long a revocation is kept: clocks of two instances and of an issuer may each be off. */
export const REVOKED_MS = (MAX_AGE_SECONDS + 2 * MAX_SKEW_SECONDS) * 1000

/** Any token that this service would take, its own or another issuer's: an id that nobody knows does no harm on the list. */
export async function revokeToken({ tokens, world }: ControlParts, id: string): Promise<Done> {
  await takeBack(tokens, id, world.clock.now())
  return { answer: { id, revoked: true }, facts: { token: id } }
}

export type Ledger = Pick<TokenLedger, 'list' | 'revoke'>

const takeBack = (tokens: Pick<TokenLedger, 'revoke'>, id: string, now: number): Promise<void> =>
  tokens.revoke(id, now, now + REVOKED_MS)

/** Far more than rate limits let anybody give out within the life of a token. */
const GRANTS_MAX = 1_000_000

/**
 * Takes back what `issuedBy` gave out and might still be taken somewhere. Whoever disables them may hold no right to revoke
 * tokens, and what they gave out to themselves must not outlast them.
 * @returns how many
 */
export async function endGrants(tokens: Ledger, issuedBy: string, now: number): Promise<number> {
  const skewMs = 2 * MAX_SKEW_SECONDS * 1000
  const alive = await tokens.list({ now: now - skewMs, limit: GRANTS_MAX })
  const theirs = alive.filter(
    token => token.issuedBy === issuedBy && token.revokedAt === undefined && token.issuedAt <= now + skewMs,
  )
  for (const { id } of theirs) await takeBack(tokens, id, now)
  return theirs.length
}
