import type { DatabaseSync } from 'node:sqlite'
import type { AuditIndex } from '../domain/ports.ts'
import { prepare } from './prepared.ts'
import type { NoValues } from './steps.ts'
import { type AuditHead, checkSameHead } from './store.ts'

/**
 * The newest record of the audit log the store knows of; it only moves forward. Writers may finish out of order, so an
 * older head is passed over; another hash for the same record is never accepted.
 */
export function sqliteAuditIndex(database: DatabaseSync): AuditIndex {
  const find = prepare<NoValues>(database, 'read the audit index', db =>
    db.selectFrom('audit_index').select(['seq', 'hash']).where('id', '=', 1),
  )
  const advance = prepare<AuditHead>(database, 'advance the audit index', (db, p) =>
    db
      .insertInto('audit_index')
      .values({ id: 1, seq: p('seq'), hash: p('hash') })
      .onConflict(conflict =>
        conflict
          .column('id')
          .doUpdateSet({ seq: p('seq'), hash: p('hash') })
          .where('audit_index.seq', '<', p('seq')),
      ),
  )
  const head = (): AuditHead | undefined => find.get({}) as unknown as AuditHead | undefined
  return {
    async head() {
      return head()
    },
    async setHead({ seq, hash }) {
      if (advance.run({ seq, hash }) === 0) checkSameHead(head(), { seq, hash })
    },
  }
}
