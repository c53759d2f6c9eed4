import { PERMIT2, type PolicyDocument } from '../../policy/index.ts'
import type { SweepItem, SweepKind } from './types.ts'

const ZERO = '0x0000000000000000000000000000000000000000'

interface Sent {
  readonly network: string
  /** The new address. */
  readonly to: string
  /** Wei; undefined: none is granted. */
  readonly feeMaxWei: bigint | undefined
  readonly items: readonly SweepItem[]
}

/**
 * What the old version has left to sign, and nothing else: transfers to the new address of at most what there is, allowances
 * set to nothing, code taken away. Changes of roles are left out, and so are collections, whose tokens go by their ids: who
 * grants those should see each of them.
 * @returns undefined where nothing is left
 */
export function sweepGrant({ network, to, feeMaxWei, items }: Sent): PolicyDocument | undefined {
  const left = (kind: SweepKind): readonly SweepItem[] => items.filter(item => item.kind === kind && !item.done)
  const nothing = { between: ['0', '0'] as [string, string] }
  const calls = [
    ...left('token').map(({ token = '', amount = '0' }) => ({
      to: [token],
      function: 'transfer(address,uint256)',
      arguments: [{ addresses: [to] }, { between: ['0', amount] as [string, string] }],
    })),
    ...[...spendersBy(left('allowance'))].map(([token, spenders]) => ({
      to: [token],
      function: 'approve(address,uint256)',
      arguments: [{ addresses: spenders }, nothing],
    })),
    ...[...spendersBy(left('permit2'))].map(([token, spenders]) => ({
      to: [PERMIT2],
      function: 'approve(address,address,uint160,uint48)',
      arguments: [{ addresses: [token] }, { addresses: spenders }, nothing, nothing],
    })),
    ...[...spendersBy(left('operator'))].map(([collection, operators]) => ({
      to: [collection],
      function: 'setApprovalForAll(address,bool)',
      arguments: [{ addresses: operators }, { is: false }],
    })),
  ]
  const [native] = left('native')
  const delegated = left('code').some(({ contract }) => contract !== undefined)
  if (calls.length === 0 && native === undefined && !delegated) return undefined
  return {
    version: 1,
    network,
    evm: {
      ...(feeMaxWei === undefined ? {} : { fee: { maxWei: `${feeMaxWei}` } }),
      ...(native === undefined ? {} : { maxWei: native.amount ?? '0', payments: { destinations: [to] } }),
      ...(calls.length === 0 ? {} : { calls }),
      ...(delegated ? { setCode: { codes: [ZERO] } } : {}),
    },
  }
}

function spendersBy(items: readonly SweepItem[]): ReadonlyMap<string, string[]> {
  const found = new Map<string, string[]>()
  for (const { token, contract, spender = '' } of items) {
    const place = token ?? contract ?? ''
    found.set(place, [...(found.get(place) ?? []), spender])
  }
  return found
}
