import { addressIn, boolIn } from '../../chains/evm/index.ts'
import { type Asking, mayRead } from './asking.ts'
import type { SweepItem } from './types.ts'

/** @see OpenZeppelin AccessControl: the role that gives every other one, unless a contract says otherwise */
const DEFAULT_ADMIN_ROLE = 0n

/** What a contract that the policy calls says of the old address. Nothing where it does not know such roles. */
export async function roleItems(asking: Asking, contract: string): Promise<readonly SweepItem[]> {
  const has = (signature: string, words: (owner: string) => readonly (string | bigint)[]) =>
    Promise.all([asking.old, asking.new].map(owner => mayRead(asking, contract, signature, words(owner), boolIn)))
  const [owner, awaited, admins, owners] = await Promise.all([
    mayRead(asking, contract, 'owner()', [], addressIn),
    mayRead(asking, contract, 'pendingOwner()', [], addressIn),
    has('hasRole(bytes32,address)', who => [DEFAULT_ADMIN_ROLE, who]),
    has('isOwner(address)', who => [who]),
  ])
  return [
    ownerItem(asking, contract, owner, awaited),
    heldItem(
      contract,
      admins,
      'the default admin of',
      'grant the role to the new one, then have the old one renounce it',
    ),
    heldItem(contract, owners, 'one of the owners of', 'swap it for the new one'),
  ].filter(item => item !== undefined)
}

function ownerItem(
  { old, new: next }: Asking,
  contract: string,
  owner: string | undefined,
  awaited: string | undefined,
): SweepItem | undefined {
  const item = (done: boolean, text: string): SweepItem => ({ kind: 'role', done, contract, text })
  if (awaited === old)
    return item(false, `\`${contract}\` waits for the old address to accept it: have it name another`)
  if (owner === next) return item(true, `the new address is the owner of \`${contract}\``)
  if (owner !== old) return undefined
  if (awaited === next) {
    return item(false, `the old address is the owner of \`${contract}\`, which waits for the new one to accept it`)
  }
  return item(false, `the old address is the owner of \`${contract}\`: hand it over to the new one`)
}

function heldItem(
  contract: string,
  [old, next]: readonly (boolean | undefined)[],
  what: string,
  fix: string,
): SweepItem | undefined {
  if (old === true) {
    const both = next === true ? ', and so is the new one' : ''
    return { kind: 'role', done: false, contract, text: `the old address is ${what} \`${contract}\`${both}: ${fix}` }
  }
  if (next !== true) return undefined
  return { kind: 'role', done: true, contract, text: `the new address is ${what} \`${contract}\`, the old one is not` }
}
