import type { DatabaseSync } from 'node:sqlite'
import type { ResolvedKey } from '../domain/key.ts'
import type { Clock, KeyRegistry } from '../domain/ports.ts'
import { keyRegistry, resolve } from './key-steps.ts'
import { untilWritten } from './prepared.ts'
import type { SqliteEngine } from './sqlite-engine.ts'

/**
 * The registry in SQLite. What `resolve` has read and checked is good until anybody writes: another connection, or this one
 * where it locks the registry.
 */
export function sqliteKeys(database: DatabaseSync, engine: SqliteEngine, clock: Pick<Clock, 'now'>): KeyRegistry {
  const known = untilWritten<ResolvedKey>(database)
  return {
    ...keyRegistry(engine, clock),
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
  }
}

/** Bytes cannot be frozen: whoever gets them gets their own. */
const copyOf = ({ key, version, bindings }: ResolvedKey): ResolvedKey =>
  Object.freeze({ key, version: Object.freeze({ ...version, publicKey: version.publicKey.slice() }), bindings })
