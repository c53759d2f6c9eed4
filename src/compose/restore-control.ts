import { ROLES, type Role } from '../domain/admins.ts'
import type { AuditRecord } from '../domain/audit.ts'
import { type ErrorCode, isSignerError } from '../domain/errors.ts'
import { endGrantsOf } from '../service/control/admins.ts'
import { REVOKED_MS } from '../service/control/tokens.ts'
import type { Store } from '../store/store.ts'

type ControlStore = Pick<Store, 'tokens' | 'admins' | 'changes' | 'shared'>

/**
 * What administrators were told is done and a power cut took out of the store again: a token taken back, an administrator
 * changed, a policy made tighter. Made again from the log, as long as nothing newer stands in the store. A looser policy is
 * not: who wants it activates it once more, with the approvals that stand in the store. A shared store keeps what it was
 * told, and the last word may stand in another log.
 */
export async function restoreControl(store: ControlStore, record: AuditRecord): Promise<void> {
  if (store.shared || record.kind !== 'event' || record.detail['outcome'] !== 'done') return
  const at = Date.parse(record.time)
  const { detail } = record
  switch (record.event) {
    case 'tokens.revoke':
      if (typeof detail['token'] === 'string') await store.tokens.revoke(detail['token'], at, at + REVOKED_MS)
      return
    case 'admins.change':
      return changeAgain(store, detail, at)
    case 'changes.activate':
      return activateAgain(store, detail, at)
  }
}

type Detail = Extract<AuditRecord, { kind: 'event' }>['detail']

async function changeAgain(
  { admins, tokens }: ControlStore,
  { address, roles, active }: Detail,
  at: number,
): Promise<void> {
  if (typeof address !== 'string' || typeof roles !== 'string' || typeof active !== 'boolean') return
  const admin = await admins.find(address)
  if (admin === undefined) return
  const known = ROLES.filter((role: Role) => roles.split(' ').includes(role))
  await endGrantsOf(tokens, { address, roles: known, active }, at)
  if (admin.changedAt >= at) return
  await unlessRefused(admins.change(address, { roles: known, active, at }), 'admin/last')
}

async function activateAgain(
  { changes }: ControlStore,
  { object, direction, toHash }: Detail,
  at: number,
): Promise<void> {
  if (typeof object !== 'string' || direction !== 'tightening') return
  const change = await changes.find(object)
  if (change?.state !== 'proposed' || change.toHash !== toHash) return
  await unlessRefused(changes.activate(object, at), 'change/conflict')
}

async function unlessRefused(step: Promise<unknown>, code: ErrorCode): Promise<void> {
  try {
    await step
  } catch (error) {
    if (!isSignerError(error) || error.code !== code) throw error
  }
}
