import type { DatabaseSync } from 'node:sqlite'
import { SignerError } from '../domain/errors.ts'
import type { ResolvedKey } from '../domain/key.ts'
import type { Clock, KeyRegistry } from '../domain/ports.ts'
import { keyRegistry, resolve } from './key-steps.ts'
import { answering, untilWritten } from './prepared.ts'
import type { SqliteEngine } from './sqlite-engine.ts'

/**
 * The registry in SQLite. What `resolve` has read and checked is good until anybody writes: another connection, or this one
 * where it locks the registry.
 */
export function sqliteKeys(database: DatabaseSync, engine: SqliteEngine, clock: Pick<Clock, 'now'>): KeyRegistry {
  const known = untilWritten<ResolvedKey>(database)
  const registry = keyRegistry(engine, clock)
  return {
    ...registry,
    async resolve(name, version) {
      const read = known()
      const id = version === undefined ? name : `${name} ${version}` // no name has a space
      const before = read.get(id)
      if (before !== undefined) return copyOf(before)
      const resolved = engine.now(() => resolve(name, version))
      if (resolved === undefined) return undefined
      read.set(id, resolved)
      return copyOf(resolved)
    },
    async removeEnvelopes(key, version) {
      const removed = await registry.removeEnvelopes(key, version)
      // The pages as they were lie in the log beside the file until it is emptied into it; somebody who reads keeps it from that.
      const emptied = answering('empty the log', () => database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get())
      if (emptied?.['busy'] === 0) return removed
      const reason =
        'the encrypted key is removed, and others read: its bytes may lie in the log of the store until it is asked again'
      throw new SignerError('store/unavailable', { reason })
    },
  }
}

/** Bytes cannot be frozen: whoever gets them gets their own. */
const copyOf = ({ key, version, bindings }: ResolvedKey): ResolvedKey =>
  Object.freeze({ key, version: Object.freeze({ ...version, publicKey: version.publicKey.slice() }), bindings })
