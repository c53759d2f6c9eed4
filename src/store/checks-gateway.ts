import { toHex } from '../bytes/hex.ts'
import { sha256 } from '../bytes/sha256.ts'
import { type Admin, type AdminStore, type Role, ROLES } from '../domain/admins.ts'
import type { Approval, ChangeStore, PolicyChange } from '../domain/changes.ts'
import { SignerError } from '../domain/errors.ts'

/** Rules about administrators, tokens and policy changes that every store keeps, whatever it is made of. Web APIs only. */

type Change = Parameters<AdminStore['change']>[1]
export type Proposal = Parameters<ChangeStore['propose']>[0]

/** Rows of what is over are kept this much longer, so that a clock which jumps ahead for a while forgets nothing: 7 days. */
export const SLACK_MS = 7 * 24 * 60 * 60 * 1000

/** @throws `admin/last` when `after` in the place of `before` would leave nobody who may change policies and administrators. */
export function refuseLast(all: readonly Admin[], before: Admin, after: Admin): void {
  if (!rules(before) || rules(after)) return
  if (all.some(each => each.address !== before.address && rules(each))) return
  throw new SignerError('admin/last', {
    address: before.address,
    reason: 'no active policy-admin would be left: give somebody else that role first',
  })
}

const rules = ({ active, roles }: Admin): boolean => active && roles.includes('policy-admin')

export const existing = (address: string) => new SignerError('admin/exists', { address })
export const unknown = (address: string) => new SignerError('admin/unknown', { address })

export const changed = (before: Admin, { roles, active, at }: Change): Admin => ({
  ...before,
  ...(roles === undefined ? {} : { roles }),
  ...(active === undefined ? {} : { active }),
  changedAt: at,
})

const isTime = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0

/** Frozen, roles in the order of the list and each once. @throws `store/unavailable` for a row that is not whole */
export function checkAdmin(admin: Admin): Admin {
  const { address, name, roles, active, createdAt, changedAt } = admin
  const whole =
    typeof address === 'string' &&
    address !== '' &&
    typeof name === 'string' &&
    Array.isArray(roles) &&
    roles.every(role => ROLES.includes(role as Role)) &&
    typeof active === 'boolean' &&
    isTime(createdAt) &&
    isTime(changedAt)
  if (!whole) throw damaged(address)
  const sorted = Object.freeze(ROLES.filter(role => roles.includes(role)))
  return Object.freeze({ address, name, roles: sorted, active, createdAt, changedAt })
}

export const damaged = (address: string) =>
  new SignerError('store/unavailable', { reason: `the record of administrator ${address} is not whole` })

export const otherPolicy = (inForce: string | undefined): string =>
  inForce === undefined ? 'there is no such key' : 'another policy is in force than the one it replaces'

export const conflict = (id: string, reason: string) => new SignerError('change/conflict', { id, reason })
export const unknownChange = (id: string) => new SignerError('change/unknown', { id })

/** @throws `change/conflict` for a text without its hash, which nobody may be asked to approve */
export function checkProposal({ id, toText, toHash }: Pick<Proposal, 'id' | 'toText' | 'toHash'>): void {
  if (hashOf(toText) !== toHash) throw conflict(id, 'the policy does not have the hash on record')
}

const hashOf = (text: string): string => toHex(sha256(new TextEncoder().encode(text)))

export function requireProposed({ id, state }: PolicyChange): void {
  if (state !== 'proposed') throw conflict(id, `it was ${state}`)
}

export function checkApproval(of: PolicyChange, { address, at }: Approval): void {
  requireProposed(of)
  if (at >= of.expiresAt) throw conflict(of.id, 'it has expired')
  if (of.approvals.some(each => each.address === address)) throw conflict(of.id, `${address} has approved it already`)
}

export function checkActivation(of: PolicyChange, at: number): void {
  requireProposed(of)
  if (at >= of.expiresAt) throw conflict(of.id, 'it has expired')
}

export const recorded = () =>
  new SignerError('store/unavailable', { reason: 'could not record a token: another one has its id' })
