/** A good request for every route of the control plane, about things that exist in the rig. */
import { EXAMPLE, NOW } from './rig.ts'
import { demoPolicy, parsePolicy } from '../../src/policy/index.ts'
import { type ControlRig, type Person, person, textOf } from './control-rig.ts'

export const DEMO = JSON.parse(demoPolicy().text) as Record<string, unknown>
/** Allows nothing: a tightening of everything. */
export const STRICT = { version: 1 }
export const PAYLOAD = { type: 'stellar-transaction', xdr: EXAMPLE }
export const DENIES = { name: 'nothing is paid', payload: PAYLOAD, now: NOW, expect: 'deny' }

export interface Sample {
  readonly path: string
  readonly body?: unknown
}

/** By the name of the route. `stranger`: the same request about something that does not exist. */
export interface World {
  readonly change: string
  readonly proposer: Person
  readonly sample: (name: string) => Sample
  readonly stranger: (name: string) => Sample | undefined
}

const BODIES: Readonly<Record<string, unknown>> = {
  'login.challenge': { address: person('anybody').address },
  'login.token': { message: 'm', signature: '0x00' },
  'break-glass.ask': { holder: person('anybody').address, reason: 'nobody can log in', actions: ['read'] },
  'break-glass.open': { text: 't', signatures: [{ address: person('anybody').address, signature: 's' }] },
  'tokens.issue': { subject: 'payouts', scopes: ['read:treasury'], seconds: 60 },
  'keys.revoke': { reason: 'the host was taken over' },
  'keys.unrevoke': { version: 1 },
  'keys.destroy': { confirm: person('treasury').address, reason: 'rotated in June' },
  'keys.rotate': { step: 'begin' },
  'policies.check': { policy: DEMO },
  'policies.explain': { payload: PAYLOAD },
  'policies.diff': { policy: STRICT },
  'changes.propose': { policy: STRICT, tests: [DENIES] },
}
const PATHS: Readonly<Record<string, string>> = {
  'login.challenge': '/auth/challenge',
  'login.token': '/auth/token',
  'break-glass.ask': '/auth/break-glass/statement',
  'break-glass.open': '/auth/break-glass',
  'status.read': '/v1/status',
  'keys.list': '/v1/keys',
  'keys.read': '/v1/keys/{key}',
  'keys.restore': '/v1/keys/{frozen}/restore',
  'keys.revoke': '/v1/keys/{key}/revoke',
  'keys.unrevoke': '/v1/keys/{key}/unrevoke',
  'keys.destroy': '/v1/keys/{key}/versions/1/destroy',
  'keys.rotation': '/v1/keys/{key}/rotation',
  'keys.rotate': '/v1/keys/{key}/rotation',
  'tokens.issue': '/v1/tokens',
  'tokens.list': '/v1/tokens',
  'tokens.revoke': '/v1/tokens/{token}',
  'admins.list': '/v1/admins',
  'admins.add': '/v1/admins',
  'admins.change': '/v1/admins/{address}',
  'policies.read': '/v1/keys/{key}/policy',
  'policies.check': '/v1/policies/check',
  'policies.explain': '/v1/keys/{key}/policy/explain',
  'policies.diff': '/v1/keys/{key}/policy/diff',
  'changes.propose': '/v1/keys/{key}/policy/changes',
  'changes.list': '/v1/keys/{key}/policy/changes',
  'changes.read': '/v1/changes/{change}',
  'changes.approve': '/v1/changes/{change}/approvals',
  'changes.activate': '/v1/changes/{change}/activate',
  'changes.withdraw': '/v1/changes/{change}/withdraw',
  'audit.read': '/v1/audit',
}

/** Puts a proposal into the rig, made by somebody who does nothing else. */
export async function worldOf(rig: ControlRig, approver: Person): Promise<World> {
  const proposer = person('proposer')
  const { changes, keys, world } = rig.parts
  const [held] = (await keys.list()).filter(({ key }) => key.name === 'treasury')
  if (held === undefined) throw new Error('no treasury')
  const to = parsePolicy(STRICT)
  const change = `c_${'0'.repeat(31)}1`
  const at = world.clock.now()
  if ((await changes.find(change)) === undefined) {
    const direction = 'tightening' as const
    const hashes = {
      fromHash: held.key.policyHash,
      toHash: to.hash,
      toText: to.text,
      testsText: JSON.stringify([DENIES]),
      direction,
    }
    const times = { proposedAt: at, expiresAt: at + 60_000 }
    await changes.propose({ id: change, key: 'treasury', ...hashes, proposedBy: proposer.address, ...times })
  }
  const found = await changes.find(change)
  if (found === undefined) throw new Error('no change')
  const fill = (path: string, names: Record<string, string>) =>
    path.replaceAll(/\{(\w+)\}/g, (_, name: string) => names[name] ?? '')
  const bodyOf = (name: string, address: string): { body?: unknown } => {
    if (name === 'admins.add') return { body: { address, name: 'new', roles: ['auditor'] } }
    if (name === 'admins.change') return { body: { active: false } }
    if (name === 'changes.approve') return { body: { signature: approver.sign(textOf(found)) } }
    return BODIES[name] === undefined ? {} : { body: BODIES[name] }
  }
  const known = { key: 'treasury', frozen: 'frozen', token: 'jti_1', address: proposer.address, change }
  const none = {
    key: 'nokey',
    frozen: 'nokey',
    token: 'jti_2',
    address: person('nobody').address,
    change: `c_${'f'.repeat(32)}`,
  }
  return {
    change,
    proposer,
    sample: name => ({ path: fill(PATHS[name] ?? '', known), ...bodyOf(name, person('newcomer').address) }),
    stranger: name =>
      (PATHS[name] ?? '').includes('{') ? { path: fill(PATHS[name] ?? '', none), ...bodyOf(name, '') } : undefined,
  }
}
