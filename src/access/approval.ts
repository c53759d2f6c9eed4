/**
 * Approval of a policy change: a signature by an approver over the exact change, and the count of those that hold.
 *
 * Nothing that stands in the store is believed. Every signature is verified again when the change is judged, against the
 * change as it is then, and the approvers are who holds the role then.
 */
import canonicalize from 'canonicalize'
import { toHex } from '../bytes/hex.ts'
import { sha256 } from '../bytes/sha256.ts'
import type { Admin } from '../domain/admins.ts'
import type { Approval, PolicyChange } from '../domain/changes.ts'
import { type ConfigProblem, SignerError } from '../domain/errors.ts'
import { provesAddress } from './address-proof.ts'
import { holdsEveryDuty, permissionsOf } from './roles.ts'

/** What an approver agrees to. The new policy and its golden tests stand in it by their hashes. */
export type ApprovedChange = Pick<
  PolicyChange,
  'id' | 'key' | 'fromHash' | 'toHash' | 'testsText' | 'direction' | 'proposedBy' | 'proposedAt' | 'expiresAt'
>

const TITLE = 'Countersign policy change, version 1'

/**
 * The text that an approver signs: a title that no other text of this service begins with, a line break, and the change
 * as canonical JSON (RFC 8785). G… signs it by SEP-53, 0x… by EIP-191.
 * @param environment  names the installation, so that an approval of the test system is worth nothing in production.
 */
export function changeText(change: ApprovedChange, environment: string): string {
  const { id, key, fromHash, toHash, direction, proposedBy } = change
  const proposed = new Date(change.proposedAt).toISOString()
  const expires = new Date(change.expiresAt).toISOString()
  const testsHash = toHex(sha256(new TextEncoder().encode(change.testsText)))
  const terms = { id, environment, key, direction, fromHash, toHash, testsHash, proposedBy, proposed, expires }
  return `${TITLE}\n${canonicalize(terms)}`
}

/** Whether this is a signature of that address over this change. Says nothing about who the address is. */
export const verifyApproval = (
  change: ApprovedChange,
  environment: string,
  approval: Pick<Approval, 'address' | 'signature'>,
): Promise<boolean> => provesAddress(approval.address, changeText(change, environment), approval.signature)

export interface ApprovalRule {
  readonly environment: string
  /** Approvers a loosening needs. */
  readonly loosening: number
  /**
   * Whose approval counts for a loosening, in canonical form: they must be active approvers besides. Named where no
   * administrator can write, so that whoever adds administrators adds nobody who counts. Absent: every active approver.
   */
  readonly approvers?: readonly string[]
  /** Approvers a tightening needs; more than 1 only slows down the one thing that is urgent. */
  readonly tightening: number
  /** From proposal to activation of a loosening, so that others can see it and object. */
  readonly coolDownMs: number
}

export type ApprovalVerdict =
  | { readonly ok: true; readonly needed: number; readonly given: number; readonly approvers: readonly string[] }
  /** `freeAt`: the approvals are there, and from then on they count. */
  | {
      readonly ok: false
      readonly needed: number
      readonly given: number
      readonly reason: string
      readonly freeAt?: number
    }

/** @throws `config/invalid` for a rule under which a change would need nobody */
export function checkApprovalRule(rule: ApprovalRule): void {
  const problems: ConfigProblem[] = []
  for (const name of ['loosening', 'tightening'] as const) {
    if (Number.isSafeInteger(rule[name]) && rule[name] >= 1) continue
    problems.push({ path: `approvals.${name}`, problem: `${rule[name]} is no number of people`, fix: 'use 1 or more' })
  }
  if (rule.approvers !== undefined && new Set(rule.approvers).size < rule.loosening) {
    const fix = 'list as many different addresses as a loosening needs approvals, or more'
    problems.push({ path: 'approvals.approvers', problem: 'names too few people', fix })
  }
  if (!Number.isSafeInteger(rule.coolDownMs) || rule.coolDownMs < 0) {
    problems.push({ path: 'approvals.coolDownMs', problem: 'is out of range', fix: 'use 0 or more' })
  }
  if (rule.environment === '') {
    problems.push({ path: 'approvals.environment', problem: 'is empty', fix: 'name this installation' })
  }
  if (problems.length > 0) throw new SignerError('config/invalid', { problems })
}

/**
 * Whether enough people stand behind a change now. Counted is each address once, with a signature that verifies, of an
 * active administrator who holds `policies:approve` now, who did not propose the change, and, for a loosening, who held
 * these roles when it was proposed and is one of `rule.approvers`: nobody is made an approver to let one change through.
 *
 * @param approvals  as stored, in any order, with whatever else somebody wrote there.
 * @param admins     all of them, read now.
 * @throws `config/invalid` as `checkApprovalRule`
 */
export async function judgeApprovals(
  change: Omit<PolicyChange, 'toText' | 'approvals'>,
  approvals: readonly Pick<Approval, 'address' | 'signature'>[],
  admins: readonly Admin[],
  rule: ApprovalRule,
  now: number,
): Promise<ApprovalVerdict> {
  checkApprovalRule(rule)
  const isTightening = change.direction === 'tightening'
  const needed = isTightening ? rule.tightening : rule.loosening
  const approvers = await countable(change, approvals, admins, rule)
  const given = approvers.length
  const freeAt = isTightening ? change.proposedAt : change.proposedAt + rule.coolDownMs
  const no = (reason: string) => ({ ok: false, needed, given, reason }) as const
  if (change.state !== 'proposed') return no(`the change is ${change.state}`)
  if (!(now < change.expiresAt)) return no('the change has expired')
  if (given < needed) return no(`${needed} approvals by others than the proposer are needed, ${given} count`)
  if (!(now >= freeAt)) return { ...no('the time for objections is not over'), freeAt }
  return { ok: true, needed, given, approvers }
}

async function countable(
  change: Omit<PolicyChange, 'toText' | 'approvals'>,
  approvals: readonly Pick<Approval, 'address' | 'signature'>[],
  admins: readonly Admin[],
  rule: ApprovalRule,
): Promise<readonly string[]> {
  const electorate = new Set(admins.filter(admin => mayApprove(admin, change, rule)).map(({ address }) => address))
  const counted = new Set<string>()
  for (const approval of approvals) {
    const { address } = approval
    if (!electorate.has(address) || counted.has(address)) continue
    if (await verifyApproval(change, rule.environment, approval)) counted.add(address)
  }
  return [...counted]
}

/** Whether an approval by this administrator can count for this change. */
export function mayApprove(
  admin: Admin,
  change: Pick<PolicyChange, 'direction' | 'proposedBy' | 'proposedAt'>,
  { approvers }: Pick<ApprovalRule, 'approvers'> = {},
): boolean {
  const held = permissionsOf(admin.roles)
  if (!admin.active || admin.address === change.proposedBy) return false
  if (!held.has('policies:approve') || holdsEveryDuty(held)) return false
  if (change.direction === 'tightening') return true
  return admin.changedAt <= change.proposedAt && approvers?.includes(admin.address) !== false
}
