import canonicalize from 'canonicalize'
import { changeText, judgeApprovals, mayApprove, verifyApproval } from '../../access/approval.ts'
import type { PolicyChange } from '../../domain/changes.ts'
import { isSignerError, SignerError } from '../../domain/errors.ts'
import { directionOf, type GoldenTest, type Policy, type TestResult } from '../../policy/index.ts'
import { type Done, type Granted, notPermitted } from './guard.ts'
import { type Held, holdKey } from './keys.ts'
import { inForce, readFile, runGolden } from './policies.ts'
import type { ControlParts } from './ports.ts'

export interface ChangeView {
  readonly id: string
  readonly key: string
  readonly state: PolicyChange['state'] | 'expired'
  readonly direction: PolicyChange['direction']
  readonly fromHash: string
  readonly toHash: string
  readonly policy: unknown
  readonly proposedBy: string
  /** ISO 8601. */
  readonly proposedAt: string
  readonly expiresAt: string
  readonly approvals: readonly { readonly address: string; readonly signature: string; readonly at: string }[]
}

export interface Proposal {
  readonly policy: unknown
  /** Each a payload and what the policy must say to it. */
  readonly tests: readonly unknown[]
  /** Refuses unless this is the policy in force: what the proposer looked at. */
  readonly fromHash?: string | undefined
}

/**
 * A policy on its way. It comes to stand only if it does what its own examples say.
 * @throws `key/unknown`, `request/malformed` (policy, tests, a test that does not pass), `change/conflict`
 */
export async function proposeChange(
  parts: ControlParts,
  { admin, operationId }: Granted,
  { key, fromHash, policy, tests: given }: Proposal & { readonly key: string },
): Promise<Done> {
  const id = `c_${operationId}`
  const held = await holdKey(parts, key)
  const from = inForce(held.current.key)
  if (fromHash !== undefined && fromHash !== from.hash) {
    throw conflict(id, `the policy in force has the hash ${from.hash}`)
  }
  const { policy: to, tests: golden } = readFile({ policy, tests: given })
  if (to.hash === from.hash) throw conflict(id, 'this policy is in force already')
  const tests = passTests(held, to, golden)
  const testsText = canonicalize(given) ?? ''
  const direction = directionOf(from, to)
  const at = parts.world.clock.now()
  const change = {
    id,
    key,
    fromHash: from.hash,
    toHash: to.hash,
    toText: to.text,
    testsText,
    direction,
    proposedBy: admin.address,
    proposedAt: at,
    expiresAt: at + parts.changeLifeMs,
  }
  await parts.changes.propose(change).catch(error => proposedBefore(parts, change, error))
  const stored = await findChange(parts, id)
  const facts = { change: id, key, fromHash: from.hash, toHash: to.hash, direction, tests: tests.length }
  return { answer: { ...view(parts, stored), tests }, facts }
}

/** The id is made of who asks, the Idempotency-Key and the request, so only a crash half way can have left it behind. */
async function proposedBefore(
  { changes }: ControlParts,
  { id, toHash, testsText }: Pick<PolicyChange, 'id' | 'toHash' | 'testsText'>,
  error: unknown,
): Promise<void> {
  const isTaken = isSignerError(error) && error.code === 'change/conflict'
  const before = isTaken ? await changes.find(id) : undefined
  if (before?.toHash !== toHash || before.testsText !== testsText) throw error
}

function passTests({ current }: Held, to: Policy, tests: readonly GoldenTest[]): readonly TestResult[] {
  const results = runGolden(current, to, tests)
  const reason = whatFails(results)
  if (reason === undefined) return results
  const fix = 'mend the policy, or the test if it asks for the wrong thing'
  throw new SignerError('request/malformed', { field: 'tests', reason, fix })
}

function whatFails(results: readonly TestResult[]): string | undefined {
  const failed = results.filter(({ passed }) => !passed)
  const [first] = failed
  if (first === undefined) return undefined
  return `${failed.length} of ${results.length} do not pass. ${JSON.stringify(first.name)}: ${first.sentence}`
}

/** The rules that judge may be other ones than at the proposal: a new version of this program, another network of the key. */
function passAgain({ current }: Held, { id, toText, toHash, testsText }: PolicyChange): Policy {
  const { policy, tests } = readStored(id, toText, testsText)
  if (policy.hash !== toHash) throw conflict(id, 'its policy does not have the hash on record')
  const reason = whatFails(runGolden(current, policy, tests))
  if (tests.length === 0 || reason !== undefined)
    throw conflict(id, `its golden tests do not pass any more: ${reason ?? 'there is none'}`)
  return policy
}

/** @throws `change/conflict` for what this version of the program does not read */
function readStored(id: string, toText: string, testsText: string): ReturnType<typeof readFile> {
  try {
    return readFile({ policy: JSON.parse(toText), tests: JSON.parse(testsText) })
  } catch (cause) {
    const reason = 'its policy or its golden tests cannot be read any more: propose it again'
    throw new SignerError('change/conflict', { id, reason }, { cause })
  }
}

export async function listChanges(parts: ControlParts, key: string): Promise<Done> {
  await holdKey(parts, key)
  const found = await parts.changes.list(key, LIST_MAX)
  return { answer: { changes: found.map(change => summary(parts, change)) }, facts: { changes: found.length } }
}

const LIST_MAX = 200

/** With the exact text that approvers sign. */
export async function showChange(parts: ControlParts, id: string): Promise<Done> {
  return { answer: view(parts, await findChange(parts, id)) }
}

/**
 * @throws `change/unknown`, `change/conflict`; `access/denied` for one's own change; `request/malformed` when the
 *         signature is not that of the caller over this change
 */
export async function approveChange(
  parts: ControlParts,
  { admin }: Granted,
  { id, signature }: { readonly id: string; readonly signature: string },
): Promise<Done> {
  const change = await findChange(parts, id)
  mustBeOpen(parts, change)
  if (!mayApprove(admin, change, parts.approvals)) {
    throw notPermitted('policies:approve', whyNot(parts, change, admin.address))
  }
  const approval = { address: admin.address, signature, at: parts.world.clock.now() }
  if (!(await verifyApproval(change, parts.approvals.environment, approval))) {
    throw new SignerError('request/malformed', {
      field: 'signature',
      reason: 'is not a signature of your address over the text of this change',
      fix: 'sign `text` of GET /v1/changes/{change} as it stands, with the key you logged in with',
    })
  }
  const approved = await parts.changes.approve(id, approval)
  return { answer: view(parts, approved), facts: { ...factsOf(approved), signature } }
}

function whyNot({ approvals }: ControlParts, { proposedBy }: PolicyChange, address: string): string {
  if (proposedBy === address) return 'nobody approves their own change'
  if (approvals.approvers?.includes(address) === false) return 'a loosening is for those in approvals.approvers alone'
  return 'who became an approver after a loosening was proposed has no say in it'
}

/**
 * Puts the policy in force. The direction is found out again, from the two policies as they are now, and the golden tests
 * are run again.
 * @throws `change/unknown`, `change/conflict`, `change/not-approved`
 */
export async function activateChange(parts: ControlParts, _: Granted, id: string): Promise<Done> {
  const found = await findChange(parts, id)
  mustBeOpen(parts, found)
  const held = await holdKey(parts, found.key)
  const from = inForce(held.current.key)
  if (from.hash !== found.fromHash) throw conflict(id, 'another policy is in force than the one it was made for')
  const direction = directionOf(from, passAgain(held, found))
  const change: PolicyChange = { ...found, direction }
  const now = parts.world.clock.now()
  const admins = await parts.admins.list()
  const verdict = await judgeApprovals(change, found.approvals, admins, parts.approvals, now)
  const { needed, given } = verdict
  if (!verdict.ok) throw new SignerError('change/not-approved', { id, needed, given, reason: verdict.reason })
  const done = await parts.changes.activate(id, now)
  const facts = { ...factsOf(done), direction, fromHash: from.hash, approvers: verdict.approvers.join(' ') }
  return { answer: view(parts, done), facts }
}

/** Takes it back; nothing was in force yet. */
export async function withdrawChange(parts: ControlParts, _: Granted, id: string): Promise<Done> {
  await findChange(parts, id)
  const withdrawn = await parts.changes.withdraw(id)
  return { answer: view(parts, withdrawn), facts: factsOf(withdrawn) }
}

async function findChange({ changes }: ControlParts, id: string): Promise<PolicyChange> {
  const change = await changes.find(id)
  if (change === undefined) throw new SignerError('change/unknown', { id })
  return change
}

function mustBeOpen({ world }: ControlParts, change: PolicyChange): void {
  if (change.state !== 'proposed') throw conflict(change.id, `it is ${change.state}`)
  if (change.expiresAt <= world.clock.now()) throw conflict(change.id, 'it has expired')
}

const factsOf = ({ id, key, toHash }: PolicyChange) => ({ change: id, key, toHash })

function summary({ world }: Pick<ControlParts, 'world'>, change: PolicyChange): ChangeView {
  const { toText, proposedAt, expiresAt, state, approvals, id, key, direction, fromHash, toHash, proposedBy } = change
  return {
    id,
    key,
    state: state === 'proposed' && expiresAt <= world.clock.now() ? 'expired' : state,
    direction,
    fromHash,
    toHash,
    policy: JSON.parse(toText) as unknown,
    proposedBy,
    proposedAt: iso(proposedAt),
    expiresAt: iso(expiresAt),
    approvals: approvals.map(({ address, signature, at }) => ({ address, signature, at: iso(at) })),
  }
}

const view = (parts: Pick<ControlParts, 'world' | 'approvals'>, change: PolicyChange) => ({
  ...summary(parts, change),
  goldenTests: JSON.parse(change.testsText) as unknown,
  text: changeText(change, parts.approvals.environment),
})

const iso = (ms: number): string => new Date(ms).toISOString()

const conflict = (id: string, reason: string) => new SignerError('change/conflict', { id, reason })
