import type { TokenGrant } from '../../access/service-tokens.ts'
import { MAX_AGE_SECONDS, MAX_SKEW_SECONDS } from '../../access/tokens.ts'
import type { TokenRecord } from '../../domain/admins.ts'
import { SignerError } from '../../domain/errors.ts'
import type { Done, Granted } from './guard.ts'
import type { ControlParts } from './ports.ts'

type Optional = 'constraints' | 'confirmation' | 'seconds'
export type TokenWish = Pick<TokenGrant, 'subject' | 'scopes'> & {
  readonly [K in Optional]?: TokenGrant[K] | undefined
}

/** On the list before it is handed out, so there is none that cannot be taken back. It is shown once and not kept. */
export async function issueToken(
  { issuer, tokens }: ControlParts,
  { admin }: Granted,
  { subject, scopes, ...limits }: TokenWish,
): Promise<Done> {
  const given = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined))
  const { token, record } = await issuer.issue({ subject, scopes, ...given, issuedBy: admin.address })
  await tokens.record(record)
  const { id, grants } = record
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

/** Clocks of two instances and of an issuer may each be off. */
const LONGEST_MS = (MAX_AGE_SECONDS + 2 * MAX_SKEW_SECONDS) * 1000

/** Any token that this service would take, its own or another issuer's: an id that nobody knows does no harm on the list. */
export async function revokeToken({ tokens, world }: ControlParts, id: string): Promise<Done> {
  const now = world.clock.now()
  await tokens.revoke(id, now, now + LONGEST_MS)
  return { answer: { id, revoked: true }, facts: { token: id } }
}
