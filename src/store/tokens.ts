import type { ChallengeStore, TokenLedger, TokenRecord } from '../domain/admins.ts'
import { recorded, SLACK_MS } from './checks-gateway.ts'
import type { ChallengesTable, RevocationsTable, TokensTable } from './schema.ts'
import { change, type Engine, query, type Row, row, rows } from './steps.ts'

export function challengeStore(engine: Engine): ChallengeStore {
  return {
    issue: (id, expiresAt) =>
      engine.atomic('issue a challenge', function* () {
        yield* change(forgetChallenges, { before: expiresAt - SLACK_MS })
        yield* change(addChallenge, { id, expires_at: expiresAt, used: 0 })
      }),
    use: (id, now) =>
      engine.once(function* () {
        return (yield* change(useChallenge, { id, now })) === 1
      }),
  }
}

export function tokenLedger(engine: Engine): TokenLedger {
  return {
    record: token =>
      engine.atomic('record a token', function* () {
        yield* change(forgetTokens, { before: token.issuedAt - SLACK_MS })
        if ((yield* change(addToken, tokenRow(token))) === 0) throw recorded()
      }),
    find: id =>
      engine.once(function* () {
        const found = yield* row(oneToken, { id })
        return found === undefined ? undefined : readToken(found)
      }),
    list: options =>
      engine.once(function* () {
        return (yield* rows(everyToken, options)).map(readToken)
      }),
    revoke: (id, at, expiresAt) =>
      engine.atomic('revoke a token', function* () {
        yield* change(forgetRevocations, { before: at - SLACK_MS })
        yield* change(addRevocation, { id, at, expires_at: expiresAt })
      }),
    isRevoked: id =>
      engine.once(function* () {
        return (yield* row(revocation, { id })) !== undefined
      }),
  }
}

const tokenRow = (token: TokenRecord): TokensTable => ({
  id: token.id,
  subject: token.subject,
  issued_by: token.issuedBy,
  issued_at: token.issuedAt,
  expires_at: token.expiresAt,
  grants: token.grants,
})

const readToken = (found: Row): TokenRecord =>
  Object.freeze({
    id: found['id'] as string,
    subject: found['subject'] as string,
    issuedBy: found['issued_by'] as string,
    issuedAt: found['issued_at'] as number,
    expiresAt: found['expires_at'] as number,
    grants: found['grants'] as string,
    ...(found['revoked_at'] === null ? {} : { revokedAt: found['revoked_at'] as number }),
  })

const addChallenge = query<ChallengesTable>('issue a challenge', (db, p) =>
  db
    .insertInto('challenges')
    .values({ id: p('id'), expires_at: p('expires_at'), used: p('used') })
    .onConflict(conflict => conflict.column('id').doNothing()),
)
const useChallenge = query<{ id: string; now: number }>('use a challenge', (db, p) =>
  db
    .updateTable('challenges')
    .set({ used: 1 })
    .where('id', '=', p('id'))
    .where('used', '=', 0)
    .where('expires_at', '>', p('now')),
)
const forgetChallenges = query<{ before: number }>('forget old challenges', (db, p) =>
  db.deleteFrom('challenges').where('expires_at', '<', p('before')),
)
const addToken = query<TokensTable>('record a token', (db, p) =>
  db
    .insertInto('tokens')
    .values({
      id: p('id'),
      subject: p('subject'),
      issued_by: p('issued_by'),
      issued_at: p('issued_at'),
      expires_at: p('expires_at'),
      grants: p('grants'),
    })
    .onConflict(conflict => conflict.column('id').doNothing()),
)
const TOKEN_COLUMNS = [
  'tokens.id',
  'tokens.subject',
  'tokens.issued_by',
  'tokens.issued_at',
  'tokens.expires_at',
  'tokens.grants',
  'revocations.at as revoked_at',
] as const
const oneToken = query<{ id: string }>('read a token', (db, p) =>
  db
    .selectFrom('tokens')
    .leftJoin('revocations', 'revocations.id', 'tokens.id')
    .select(TOKEN_COLUMNS)
    .where('tokens.id', '=', p('id')),
)
const everyToken = query<{ now: number; limit: number }>('list the tokens', (db, p) =>
  db
    .selectFrom('tokens')
    .leftJoin('revocations', 'revocations.id', 'tokens.id')
    .select(TOKEN_COLUMNS)
    .where('tokens.expires_at', '>', p('now'))
    .orderBy('tokens.issued_at', 'desc')
    .orderBy('tokens.id')
    .limit(p('limit')),
)
const forgetTokens = query<{ before: number }>('forget old tokens', (db, p) =>
  db.deleteFrom('tokens').where('expires_at', '<', p('before')),
)
const addRevocation = query<RevocationsTable>('revoke a token', (db, p) =>
  db
    .insertInto('revocations')
    .values({ id: p('id'), at: p('at'), expires_at: p('expires_at') })
    .onConflict(conflict =>
      conflict
        .column('id')
        .doUpdateSet({ expires_at: p('expires_at') })
        .where('revocations.expires_at', '<', p('expires_at')),
    ),
)
const forgetRevocations = query<{ before: number }>('forget old revocations', (db, p) =>
  db.deleteFrom('revocations').where('expires_at', '<', p('before')),
)
const revocation = query<{ id: string }>('read a revocation', (db, p) =>
  db.selectFrom('revocations').select('id').where('id', '=', p('id')),
)
