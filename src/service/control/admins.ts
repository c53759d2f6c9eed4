import { readAddress } from '../../access/address-proof.ts'
import { checkRoles, permissionsOf } from '../../access/roles.ts'
import type { Admin, AdminStore } from '../../domain/admins.ts'
import { SignerError } from '../../domain/errors.ts'
import type { Clock, KeyCatalogue } from '../../domain/ports.ts'
import { type Done, type Granted, notPermitted } from './guard.ts'
import type { ControlParts } from './ports.ts'
import { endGrants, type Ledger } from './tokens.ts'

export interface AdminView {
  readonly address: string
  readonly name: string
  readonly roles: readonly string[]
  readonly active: boolean
  /** ISO 8601. */
  readonly createdAt: string
  readonly changedAt: string
}

export const adminView = ({ address, name, roles, active, createdAt, changedAt }: Admin): AdminView => ({
  address,
  name,
  roles,
  active,
  createdAt: new Date(createdAt).toISOString(),
  changedAt: new Date(changedAt).toISOString(),
})

export interface NewAdmin {
  readonly address: string
  readonly name: string
  readonly roles: readonly string[]
}

export interface AdminChange {
  readonly roles?: readonly string[] | undefined
  readonly active?: boolean | undefined
}

/** @returns the address in its one spelling. @throws `request/malformed` */
export function canonicalAddress(text: string): string {
  const address = readAddress(text)?.address
  if (address !== undefined) return address
  throw new SignerError('request/malformed', {
    field: 'address',
    reason: `${JSON.stringify(text.slice(0, 80))} is not an address`,
    fix: 'give a Stellar account (G…) or an EVM account (0x… in lower case, or with the checksum of EIP-55)',
  })
}

/** What making an administrator takes. */
interface AdminMaking {
  readonly admins: AdminStore
  readonly keys: Pick<KeyCatalogue, 'holding'>
  readonly clock: Pick<Clock, 'now'>
}

/**
 * Whoever asks. The address of one of our keys is nobody's: who may ask for its signatures could log in and approve with it.
 * @throws `request/malformed` for address or roles, `admin/exists`
 */
export async function makeAdmin({ admins, keys, clock }: AdminMaking, wish: NewAdmin): Promise<Admin> {
  const [address, roles, at] = [canonicalAddress(wish.address), checkRoles(wish.roles), clock.now()]
  if ((await keys.holding({ address })).length > 0) {
    const fix = 'give the address of a key that only this person holds'
    throw new SignerError('request/malformed', { field: 'address', reason: 'is that of a key that signs here', fix })
  }
  const admin: Admin = { address, name: wish.name, roles, active: true, createdAt: at, changedAt: at }
  await admins.add(admin)
  return admin
}

export async function listAdmins({ admins }: ControlParts): Promise<Done> {
  const all = await admins.list()
  return { answer: { admins: all.map(adminView) }, facts: { admins: all.length } }
}

export async function addAdmin({ admins, keys, world }: ControlParts, wish: NewAdmin): Promise<Done> {
  const admin = await makeAdmin({ admins, keys, clock: world.clock }, wish)
  return { answer: adminView(admin), facts: { address: admin.address, roles: admin.roles.join(' ') } }
}

export async function showAdmin({ admins }: ControlParts, text: string): Promise<Done> {
  const address = canonicalAddress(text)
  const admin = await admins.find(address)
  if (admin === undefined) throw new SignerError('admin/unknown', { address })
  return { answer: adminView(admin) }
}

/**
 * Who may give out no tokens afterwards, takes those they gave out with them.
 * @throws `access/denied` for one's own roles; `admin/unknown`, `admin/last`
 */
export async function changeAdmin(
  { admins, tokens, world }: ControlParts,
  { admin: self }: Granted,
  wish: AdminChange & { readonly address: string },
): Promise<Done> {
  const address = canonicalAddress(wish.address)
  const { roles, active } = wish
  if (roles !== undefined && address === self.address) {
    throw notPermitted('admins:manage', 'nobody changes their own roles')
  }
  const admin = await admins.change(address, {
    ...(roles === undefined ? {} : { roles: checkRoles(roles) }),
    ...(active === undefined ? {} : { active }),
    at: world.clock.now(),
  })
  const revokedTokens = await endGrantsOf(tokens, admin, world.clock.now())
  return {
    answer: adminView(admin),
    facts: { address, roles: admin.roles.join(' '), active: admin.active, revokedTokens },
  }
}

/** @returns how many tokens were taken back */
export async function endGrantsOf(
  tokens: Ledger,
  { address, active, roles }: Pick<Admin, 'address' | 'active' | 'roles'>,
  now: number,
): Promise<number> {
  if (active && permissionsOf(roles).has('tokens:issue')) return 0
  return endGrants(tokens, address, now)
}
