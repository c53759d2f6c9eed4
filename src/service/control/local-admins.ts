import { randomId } from '../../bytes/ids.ts'
import type { Admin, AdminStore } from '../../domain/admins.ts'
import type { AuditActor, AuditLog } from '../../domain/audit.ts'
import { isSignerError, SignerError } from '../../domain/errors.ts'
import type { KeyCatalogue, World } from '../../domain/ports.ts'
import { type AdminView, adminView, canonicalAddress, endGrantsOf, makeAdmin, type NewAdmin } from './admins.ts'
import type { Ledger } from './tokens.ts'

export interface LocalAdminDeps {
  readonly admins: AdminStore
  readonly keys: Pick<KeyCatalogue, 'holding'>
  readonly tokens: Ledger
  readonly audit: Pick<AuditLog, 'append'>
  readonly world: Pick<World, 'clock' | 'random'>
  readonly actor: AuditActor
}

/** Administrators by whoever owns the machine: how the first one comes in, and how one gets out when nobody can log in. */
export interface LocalAdmins {
  /** @throws `request/malformed`, `admin/exists` */
  add(admin: NewAdmin): Promise<AdminView>
  list(): Promise<readonly AdminView[]>
  /** @throws `request/malformed`, `admin/unknown`, `admin/last` */
  disable(address: string): Promise<AdminView>
}

/** On record before and after, as on the control plane. */
export function localAdmins({ admins, keys, tokens, audit, world, actor }: LocalAdminDeps): LocalAdmins {
  const write = async (event: string, address: string, roles: string, work: () => Promise<Admin>) => {
    const auditId = randomId(world.random, 'a')
    const record = (outcome: string, more: Record<string, string> = {}) => {
      const detail = {
        permission: 'admins:manage',
        object: address,
        address,
        ...(roles === '' ? {} : { roles }),
        ...more,
      }
      return audit.append({ kind: 'event', auditId, event, actor, detail: { ...detail, outcome } })
    }
    await record('accepted')
    try {
      const admin = await work()
      await record('done')
      return adminView(admin)
    } catch (error) {
      await record('refused', { errorCode: isSignerError(error) ? error.code : 'internal' })
      throw error
    }
  }
  return {
    add: async wish => {
      const address = canonicalAddress(wish.address)
      const { clock } = world
      return write('admins.add', address, wish.roles.join(' '), () =>
        makeAdmin({ admins, keys, clock }, { ...wish, address }),
      )
    },
    list: async () => (await admins.list()).map(adminView),
    disable: async text => {
      const address = canonicalAddress(text)
      if ((await admins.find(address)) === undefined) throw new SignerError('admin/unknown', { address })
      const change = { active: false, at: world.clock.now() }
      return write('admins.change', address, '', async () => {
        const admin = await admins.change(address, change)
        await endGrantsOf(tokens, admin, world.clock.now())
        return admin
      })
    },
  }
}
