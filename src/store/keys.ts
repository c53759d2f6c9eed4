import type { DatabaseSync } from 'node:sqlite'
import type { Kysely } from 'kysely'
import { SignerError } from '../domain/errors.ts'
import type { ResolvedKey, VersionState } from '../domain/key.ts'
import type { KeyRegistry } from '../domain/ports.ts'
import { checkAddition, checkPlace, isVersionState, mismatch, refuseSecond, suspended } from './checks.ts'
import { type NoValues, prepare, transaction, untilWritten } from './prepared.ts'
import type { BindingsTable, EnvelopesTable, KeysTable, StoreTables, VersionsTable } from './schema.ts'
import {
  bindingRow,
  envelopeRow,
  groupVersions,
  keyRow,
  notActive,
  readEnvelope,
  readVersion,
  versionRow,
} from './rows.ts'
import { sealOf } from './seal.ts'

const VERSION_COLUMNS = [
  'keys.name',
  'keys.chain',
  'keys.network',
  'keys.policy',
  'keys.policy_hash',
  'keys.created_at',
  'versions.version',
  'versions.scheme',
  'versions.public_key',
  'versions.address',
  'versions.state',
  'versions.seal',
  'bindings.id',
  'bindings.provider',
  'bindings.custody',
  'bindings.reference',
  'bindings.suspended',
] as const

/**
 * The registry in SQLite. `resolve`, `stateOf` and `envelope` are one statement each. What `resolve` has read and checked
 * is good until anybody writes: another connection, or this one through `transaction`.
 */
export function sqliteKeys(database: DatabaseSync): KeyRegistry {
  const statements = compile(database)
  const known = untilWritten<ResolvedKey>(database)
  return {
    async resolve(name) {
      const read = known()
      const before = read.get(name)
      if (before !== undefined) return copyOf(before)
      const rows = statements.active.all({ name })
      if (rows.length > 0) {
        const resolved = readVersion(rows)
        read.set(name, resolved)
        return copyOf(resolved)
      }
      const newest = statements.newest.get({ name })
      if (newest === undefined) return undefined
      throw notActive(name, newest)
    },

    async stateOf(key, version) {
      const row = statements.state.get({ key, version })
      if (row === undefined) return undefined
      if (!isVersionState(row['state'])) throw mismatch(key, 'the state is unknown')
      return row['state']
    },

    async envelope(bindingId) {
      const row = statements.envelope.get({ bindingId })
      return row === undefined ? undefined : readEnvelope(row)
    },

    async list() {
      return groupVersions(statements.every.all({})).map(readVersion)
    },

    async add(entry) {
      checkAddition(entry)
      transaction(database, 'add a key', () => {
        const { key, version, binding, envelope } = entry
        if (statements.newest.get({ name: key.name }) !== undefined)
          throw new SignerError('key/exists', { key: key.name })
        if (statements.bindingId.get({ id: binding.id }) !== undefined) {
          throw new SignerError('key/exists', { key: `binding ${binding.id}` })
        }
        statements.addKey.run(keyRow(key))
        statements.addVersion.run({ ...versionRow(version), seal: sealOf({ key, version, bindings: [binding] }) })
        statements.addBinding.run(bindingRow(binding, 0))
        if (envelope !== undefined) statements.addEnvelope.run(envelopeRow(envelope))
      })
    },

    async addBinding({ binding, envelope }) {
      transaction(database, 'add a binding', () => {
        const { key, version } = binding
        const rows = statements.one.all({ key, version })
        if (rows.length === 0) throw new SignerError('key/unknown', { key: `${key} version ${version}` })
        const before = readVersion(rows)
        checkPlace(before.version, { binding, ...(envelope === undefined ? {} : { envelope }) })
        refuseSecond(before.bindings, binding)
        if (statements.bindingId.get({ id: binding.id }) !== undefined) {
          throw new SignerError('key/exists', { key: `binding ${binding.id}` })
        }
        statements.addBinding.run(bindingRow(binding, before.bindings.length))
        if (envelope !== undefined) statements.addEnvelope.run(envelopeRow(envelope))
        statements.setSeal.run({ key, version, seal: sealOf({ ...before, bindings: [...before.bindings, binding] }) })
      })
    },

    async suspendBinding(bindingId, reason) {
      return transaction(database, 'suspend a binding', () => {
        const owner = statements.bindingId.get({ id: bindingId })
        if (owner === undefined) throw new SignerError('key/unknown', { key: `binding ${bindingId}` })
        const { key, version } = owner as { key: string; version: number }
        const before = readVersion(statements.one.all({ key, version }))
        if (before.bindings.find(({ id }) => id === bindingId)?.suspended === reason) return false
        const bindings = before.bindings.map(binding =>
          binding.id === bindingId ? suspended(binding, reason) : binding,
        )
        statements.suspend.run({ id: bindingId, suspended: reason ?? null })
        statements.setSeal.run({ key, version, seal: sealOf({ ...before, bindings }) })
        return true
      })
    },

    async setState(key, version, state, from) {
      if (!isVersionState(state)) throw mismatch(key, 'the state is unknown')
      return transaction(database, 'change the state of a version', () => {
        const rows = statements.one.all({ key, version })
        if (rows.length === 0) throw new SignerError('key/unknown', { key: `${key} version ${version}` })
        const before = readVersion(rows)
        if (from?.includes(before.version.state) === false) return false
        const active = statements.activeVersion.get({ key })?.['version']
        if (state === 'active' && active !== undefined && active !== version) throw secondActive(key, String(active))
        const seal = sealOf({ ...before, version: { ...before.version, state } })
        statements.setState.run({ key, version, state, seal })
        return true
      })
    },
  }
}

/** Bytes cannot be frozen: whoever gets them gets their own. */
const copyOf = ({ key, version, bindings }: ResolvedKey): ResolvedKey =>
  Object.freeze({ key, version: Object.freeze({ ...version, publicKey: version.publicKey.slice() }), bindings })

const wholeVersions = (db: Kysely<StoreTables>) =>
  db
    .selectFrom('versions')
    .innerJoin('keys', 'keys.name', 'versions.key')
    .leftJoin('bindings', join =>
      join.onRef('bindings.key', '=', 'versions.key').onRef('bindings.version', '=', 'versions.version'),
    )
    .select(VERSION_COLUMNS)

function compile(database: DatabaseSync) {
  return {
    active: prepare<{ name: string }>(database, 'read a key', (db, p) =>
      wholeVersions(db)
        .where('versions.key', '=', p('name'))
        .where('versions.state', '=', 'active')
        .orderBy('bindings.position'),
    ),
    one: prepare<{ key: string; version: number }>(database, 'read a version', (db, p) =>
      wholeVersions(db)
        .where('versions.key', '=', p('key'))
        .where('versions.version', '=', p('version'))
        .orderBy('bindings.position'),
    ),
    every: prepare<NoValues>(database, 'list the keys', db =>
      wholeVersions(db).orderBy('versions.key').orderBy('versions.version').orderBy('bindings.position'),
    ),
    newest: prepare<{ name: string }>(database, 'read a key', (db, p) =>
      db
        .selectFrom('keys')
        .leftJoin('versions', 'versions.key', 'keys.name')
        .select(['versions.version', 'versions.state'])
        .where('keys.name', '=', p('name'))
        .orderBy('versions.version', 'desc')
        .limit(1),
    ),
    state: prepare<{ key: string; version: number }>(database, 'read the state of a version', (db, p) =>
      db.selectFrom('versions').select('state').where('key', '=', p('key')).where('version', '=', p('version')),
    ),
    activeVersion: prepare<{ key: string }>(database, 'read a key', (db, p) =>
      db.selectFrom('versions').select('version').where('key', '=', p('key')).where('state', '=', 'active'),
    ),
    envelope: prepare<{ bindingId: string }>(database, 'read an encrypted key', (db, p) =>
      db
        .selectFrom('envelopes')
        .select(['binding_id', 'ciphertext', 'context'])
        .where('binding_id', '=', p('bindingId')),
    ),
    bindingId: prepare<{ id: string }>(database, 'read a binding', (db, p) =>
      db.selectFrom('bindings').select(['id', 'key', 'version']).where('id', '=', p('id')),
    ),
    addKey: prepare<KeysTable>(database, 'add a key', (db, p) =>
      db.insertInto('keys').values({
        name: p('name'),
        chain: p('chain'),
        network: p('network'),
        policy: p('policy'),
        policy_hash: p('policy_hash'),
        created_at: p('created_at'),
      }),
    ),
    addVersion: prepare<VersionsTable>(database, 'add a version', (db, p) =>
      db.insertInto('versions').values({
        key: p('key'),
        version: p('version'),
        scheme: p('scheme'),
        public_key: p('public_key'),
        address: p('address'),
        state: p('state'),
        seal: p('seal'),
      }),
    ),
    addBinding: prepare<Omit<BindingsTable, 'suspended'>>(database, 'add a binding', (db, p) =>
      db.insertInto('bindings').values({
        id: p('id'),
        key: p('key'),
        version: p('version'),
        position: p('position'),
        provider: p('provider'),
        custody: p('custody'),
        reference: p('reference'),
      }),
    ),
    addEnvelope: prepare<EnvelopesTable>(database, 'add an encrypted key', (db, p) =>
      db
        .insertInto('envelopes')
        .values({ binding_id: p('binding_id'), ciphertext: p('ciphertext'), context: p('context') }),
    ),
    suspend: prepare<{ id: string; suspended: string | null }>(database, 'suspend a binding', (db, p) =>
      db
        .updateTable('bindings')
        .set({ suspended: p('suspended') })
        .where('id', '=', p('id')),
    ),
    setSeal: prepare<{ key: string; version: number; seal: string }>(database, 'seal a version', (db, p) =>
      db
        .updateTable('versions')
        .set({ seal: p('seal') })
        .where('key', '=', p('key'))
        .where('version', '=', p('version')),
    ),
    setState: prepare<{ key: string; version: number; state: VersionState; seal: string }>(
      database,
      'change the state of a version',
      (db, p) =>
        db
          .updateTable('versions')
          .set({ state: p('state'), seal: p('seal') })
          .where('key', '=', p('key'))
          .where('version', '=', p('version')),
    ),
  }
}

const secondActive = (key: string, active: string) =>
  new SignerError('key/unsupported', { key, wanted: 'active', reason: `version ${active} is active: move it on first` })
