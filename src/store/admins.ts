import type { Admin, AdminStore, Role } from '../domain/admins.ts'
import { SignerError } from '../domain/errors.ts'
import { changed, checkAdmin, damaged, existing, refuseLast, unknown } from './checks-gateway.ts'
import type { AdminsTable } from './schema.ts'
import { sealOfAdmin } from './seal.ts'
import { change, type Engine, lock, query, type Row, row, rows, type Step } from './steps.ts'

/** The table of administrators. One lock for all of it: the guard looks at every row. */
export function adminStore(engine: Engine): AdminStore {
  return {
    list: () =>
      engine.once(function* () {
        return (yield* rows(every, {})).map(readAdmin)
      }),
    find: address => engine.once(() => find(address)),
    add: async admin => {
      const given = adminRow(checkAdmin(admin))
      return engine.atomic('add an administrator', function* () {
        yield* lock('admins')
        if ((yield* row(one, { address: admin.address })) !== undefined) throw existing(admin.address)
        yield* change(put, given)
      })
    },
    change: (address, wanted) =>
      engine.atomic('change an administrator', function* () {
        yield* lock('admins')
        const before = yield* find(address)
        if (before === undefined) throw unknown(address)
        const after = checkAdmin(changed(before, wanted))
        refuseLast((yield* rows(every, {})).map(readAdmin), before, after)
        yield* change(put, adminRow(after))
        return after
      }),
  }
}

function* find(address: string): Step<Admin | undefined> {
  const found = yield* row(one, { address })
  return found === undefined ? undefined : readAdmin(found)
}

const adminRow = (admin: Admin): AdminsTable => ({
  address: admin.address,
  name: admin.name,
  roles: JSON.stringify(admin.roles),
  active: admin.active ? 1 : 0,
  created_at: admin.createdAt,
  changed_at: admin.changedAt,
  seal: sealOfAdmin(admin),
})

function readAdmin(found: Row): Admin {
  const address = found['address'] as string
  let roles: readonly Role[]
  try {
    roles = JSON.parse(found['roles'] as string)
  } catch {
    throw damaged(address)
  }
  const admin = checkAdmin({
    address,
    name: found['name'] as string,
    roles,
    active: found['active'] === 1,
    createdAt: found['created_at'] as number,
    changedAt: found['changed_at'] as number,
  })
  if (sealOfAdmin(admin) !== found['seal']) {
    const reason = `the record of administrator ${address} was changed outside the program`
    throw new SignerError('store/unavailable', { reason })
  }
  return admin
}

const COLUMNS = ['address', 'name', 'roles', 'active', 'created_at', 'changed_at', 'seal'] as const

const every = query('list the administrators', db => db.selectFrom('admins').select(COLUMNS).orderBy('address'))
const one = query<{ address: string }>('read an administrator', (db, p) =>
  db.selectFrom('admins').select(COLUMNS).where('address', '=', p('address')),
)
const put = query<AdminsTable>('write an administrator', (db, p) =>
  db
    .insertInto('admins')
    .values({
      address: p('address'),
      name: p('name'),
      roles: p('roles'),
      active: p('active'),
      created_at: p('created_at'),
      changed_at: p('changed_at'),
      seal: p('seal'),
    })
    .onConflict(conflict =>
      conflict
        .column('address')
        .doUpdateSet({ roles: p('roles'), active: p('active'), changed_at: p('changed_at'), seal: p('seal') }),
    ),
)
