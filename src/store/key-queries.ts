import type { Kysely } from 'kysely'
import type { VersionState } from '../domain/key.ts'
import type { BindingsTable, EnvelopesTable, KeysTable, StoreTables, VersionsTable } from './schema.ts'
import { query } from './steps.ts'
import type { TimesRow } from './times.ts'

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
  'versions.account',
  'versions.state',
  'versions.seal',
  // The key has a `created_at` too.
  'versions.created_at as made_at',
  'versions.active_from',
  'versions.overlap_from',
  'versions.retired_at',
  'versions.destroyed_at',
  'versions.revoked_at',
  'bindings.id',
  'bindings.provider',
  'bindings.custody',
  'bindings.reference',
  'bindings.suspended',
] as const

/** A value for each column of times. */
const timesIn = (p: <K extends keyof TimesRow>(name: K) => TimesRow[K]): TimesRow => ({
  created_at: p('created_at'),
  active_from: p('active_from'),
  overlap_from: p('overlap_from'),
  retired_at: p('retired_at'),
  destroyed_at: p('destroyed_at'),
  revoked_at: p('revoked_at'),
})

const wholeVersions = (db: Kysely<StoreTables>) =>
  db
    .selectFrom('versions')
    .innerJoin('keys', 'keys.name', 'versions.key')
    .leftJoin('bindings', join =>
      join.onRef('bindings.key', '=', 'versions.key').onRef('bindings.version', '=', 'versions.version'),
    )
    .select(VERSION_COLUMNS)

export const activeRows = query<{ name: string }>('read a key', (db, p) =>
  wholeVersions(db)
    .where('versions.key', '=', p('name'))
    .where('versions.state', '=', 'active')
    .orderBy('bindings.position'),
)
export const versionRows = query<{ key: string; version: number }>('read a version', (db, p) =>
  wholeVersions(db)
    .where('versions.key', '=', p('key'))
    .where('versions.version', '=', p('version'))
    .orderBy('bindings.position'),
)
export const everyRow = query('list the keys', db =>
  wholeVersions(db).orderBy('versions.key').orderBy('versions.version').orderBy('bindings.position'),
)
export const everyName = query('list the keys', db => db.selectFrom('keys').select('name').orderBy('name'))
export const holdingKey = query<{ publicKey: Uint8Array }>('look for a public key', (db, p) =>
  wholeVersions(db)
    .where('versions.public_key', '=', p('publicKey'))
    .orderBy('versions.key')
    .orderBy('versions.version')
    .orderBy('bindings.position'),
)
export const holdingAddress = query<{ address: string }>('look for an address', (db, p) =>
  wholeVersions(db)
    .where('versions.address', '=', p('address'))
    .orderBy('versions.key')
    .orderBy('versions.version')
    .orderBy('bindings.position'),
)
export const newestVersion = query<{ name: string }>('read a key', (db, p) =>
  db
    .selectFrom('keys')
    .leftJoin('versions', 'versions.key', 'keys.name')
    .select(['versions.version', 'versions.state'])
    .where('keys.name', '=', p('name'))
    .orderBy('versions.version', 'desc')
    .limit(1),
)
export const stateOf = query<{ key: string; version: number }>('read the state of a version', (db, p) =>
  db.selectFrom('versions').select('state').where('key', '=', p('key')).where('version', '=', p('version')),
)
export const activeVersion = query<{ key: string }>('read a key', (db, p) =>
  db.selectFrom('versions').select('version').where('key', '=', p('key')).where('state', '=', 'active'),
)
export const findEnvelope = query<{ bindingId: string }>('read an encrypted key', (db, p) =>
  db.selectFrom('envelopes').select(['binding_id', 'ciphertext', 'context']).where('binding_id', '=', p('bindingId')),
)
export const bindingOwner = query<{ id: string }>('read a binding', (db, p) =>
  db.selectFrom('bindings').select(['id', 'key', 'version']).where('id', '=', p('id')),
)
export const addKey = query<KeysTable>('add a key', (db, p) =>
  db.insertInto('keys').values({
    name: p('name'),
    chain: p('chain'),
    network: p('network'),
    policy: p('policy'),
    policy_hash: p('policy_hash'),
    created_at: p('created_at'),
  }),
)
export const addVersion = query<VersionsTable>('add a version', (db, p) =>
  db.insertInto('versions').values({
    key: p('key'),
    version: p('version'),
    scheme: p('scheme'),
    public_key: p('public_key'),
    address: p('address'),
    account: p('account'),
    state: p('state'),
    seal: p('seal'),
    ...timesIn(p),
  }),
)
export const addBinding = query<Omit<BindingsTable, 'suspended'>>('add a binding', (db, p) =>
  db.insertInto('bindings').values({
    id: p('id'),
    key: p('key'),
    version: p('version'),
    position: p('position'),
    provider: p('provider'),
    custody: p('custody'),
    reference: p('reference'),
  }),
)
export const addEnvelope = query<EnvelopesTable>('add an encrypted key', (db, p) =>
  db
    .insertInto('envelopes')
    .values({ binding_id: p('binding_id'), ciphertext: p('ciphertext'), context: p('context') }),
)
export const suspendBinding = query<{ id: string; suspended: string | null }>('suspend a binding', (db, p) =>
  db
    .updateTable('bindings')
    .set({ suspended: p('suspended') })
    .where('id', '=', p('id')),
)
export const moveBinding = query<{ id: string; position: number }>('move a binding', (db, p) =>
  db
    .updateTable('bindings')
    .set({ position: p('position') })
    .where('id', '=', p('id')),
)
export const dropBinding = query<{ id: string }>('remove a binding', (db, p) =>
  db.deleteFrom('bindings').where('id', '=', p('id')),
)
export const dropEnvelope = query<{ id: string }>('remove an encrypted key', (db, p) =>
  db.deleteFrom('envelopes').where('binding_id', '=', p('id')),
)
export const setSeal = query<{ key: string; version: number; seal: string }>('seal a version', (db, p) =>
  db
    .updateTable('versions')
    .set({ seal: p('seal') })
    .where('key', '=', p('key'))
    .where('version', '=', p('version')),
)
export const setVersionState = query<{ key: string; version: number; state: VersionState; seal: string } & TimesRow>(
  'change the state of a version',
  (db, p) =>
    db
      .updateTable('versions')
      .set({ state: p('state'), seal: p('seal'), ...timesIn(p) })
      .where('key', '=', p('key'))
      .where('version', '=', p('version')),
)
export const keyRows = query<{ key: string }>('read a key', (db, p) =>
  wholeVersions(db).where('versions.key', '=', p('key')).orderBy('versions.version').orderBy('bindings.position'),
)
export const setKeyPolicy = query<{ name: string; policy: string; policy_hash: string }>(
  'change the policy of a key',
  (db, p) =>
    db
      .updateTable('keys')
      .set({ policy: p('policy'), policy_hash: p('policy_hash') })
      .where('name', '=', p('name')),
)
