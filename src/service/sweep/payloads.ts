import { questionData } from '../../chains/evm/index.ts'
import { toHex } from '../../bytes/hex.ts'
import type { EvmCall, EvmState, GasPrices } from '../../domain/evm-network.ts'
import { PERMIT2 } from '../../policy/index.ts'
import { mostOf, TRANSFER_GAS } from './accounts.ts'
import type { SweepItem, SweepKind } from './types.ts'

/** A request for a signature by the old version, as `evm-transaction` has it. */
export interface SweepPayload {
  readonly type: 'evm-transaction'
  readonly transaction: Readonly<Record<string, string>>
}

export interface SweepPayloads {
  readonly payloads: readonly SweepPayload[]
  /** The most that the dearest of them may cost. */
  readonly feeMaxWei: bigint
  /** Why some are missing. */
  readonly notes: readonly string[]
}

export interface Sweeping {
  readonly state: EvmState
  readonly chainId: bigint
  readonly from: string
  readonly to: string
  readonly items: readonly SweepItem[]
  /** Whether there may be more than the items tell. */
  readonly blind: boolean
  /** What the policy of the key lets a transaction cost, in wei: prices are the word of a node, and this is not. */
  readonly feeMaxWei: bigint | undefined
}

/** Each stands in the way: a nonce that is taken, code that could do more than the transaction says, an address that is not ours alone. */
const FIRST: readonly SweepKind[] = ['pending', 'code', 'new-code', 'new-nonce']
/** No transaction is made for them here, and they cost gas of the old address. */
const BY_HAND: readonly SweepKind[] = ['role', 'collection']
/** Estimates are of this block, and the transaction runs in another; what is not used is not paid. */
const gasWithRoom = (estimate: bigint): bigint => (estimate === TRANSFER_GAS ? estimate : estimate + estimate / 4n)

const NONE = { payloads: [], feeMaxWei: 0n }

/**
 * The transactions of the sweep, unsigned, in the order of their nonces: allowances taken back, tokens moved, and what is left of the
 * native coin when each of them costs the most that it may. None while something stands in the way, and none that may cost more
 * than the policy of the key grants: whoever tells the price could have all of it paid as fees.
 * @throws `network/unavailable`, `network/malformed`
 */
export async function sweepPayloads(sweeping: Sweeping): Promise<SweepPayloads> {
  const { state, chainId, from, to, items, feeMaxWei } = sweeping
  const open = items.filter(({ done }) => !done)
  if (open.some(({ kind }) => FIRST.includes(kind))) {
    return { ...NONE, notes: ['No transactions are made while something stands in the way.'] }
  }
  const [nonce, held, prices] = await Promise.all([state.sent(from), state.balance(from), state.prices()])
  const price = mostOf(prices)
  if (feeMaxWei === undefined) {
    const why = 'the policy of the key grants no fee, so only the node says what is too much: add evm.fee.maxWei.'
    return { ...NONE, notes: [`No transactions are made: ${why}`] }
  }
  if (TRANSFER_GAS * price > feeMaxWei) {
    const costs = `at the prices that the node tells a transfer may cost ${TRANSFER_GAS * price} wei`
    const wait = 'Wait, or ask another node; raise evm.fee.maxWei where the prices are real.'
    return { ...NONE, notes: [`No transactions are made: ${costs}, and the policy grants ${feeMaxWei}. ${wait}`] }
  }
  const planned = open.flatMap(item => {
    const call = callFor(item, from, to)
    return call === undefined ? [] : [{ item, call }]
  })
  const sent: Sent[] = []
  const notes: string[] = []
  const reckoned = await Promise.all(planned.map(async each => ({ ...each, estimate: await state.gas(each.call) })))
  for (const { item, call, estimate } of reckoned) {
    const gas = estimate === undefined ? undefined : gasWithRoom(estimate)
    if (gas === undefined) {
      notes.push(`The node reckons no gas for this one, and it is left out: ${item.text}.`)
    } else if (gas * price > feeMaxWei) {
      const costs = `This one may cost ${gas * price} wei, the policy of the key grants ${feeMaxWei}`
      notes.push(`${costs}, and it is left out: ${item.text}.`)
    } else sent.push({ call, gas })
  }
  const spent = sent.reduce((sum, { gas }) => sum + gas * price, 0n)
  if (held < spent) {
    notes.push(`The old address has ${held} wei, and the transactions may cost ${spent}: send it the difference first.`)
  } else if (open.some(({ kind }) => kind === 'native')) {
    const last = await lastTransfer(sweeping, held - spent, price)
    const later = sweeping.blind || notes.length > 0 || open.some(({ kind }) => BY_HAND.includes(kind))
    if (later) notes.push('The native coin is left: what is not made here needs gas of the old address too.')
    else if (last !== undefined && last.gas * price > feeMaxWei) {
      const costs = `its transfer may cost ${last.gas * price} wei, and the policy of the key grants ${feeMaxWei}`
      notes.push(`The native coin is left: ${costs}.`)
    } else if (last !== undefined) sent.push(last)
  }
  return {
    payloads: sent.map(({ call, gas }, at) => payloadOf(call, { chainId, nonce: nonce + BigInt(at), gas, prices })),
    feeMaxWei: sent.reduce((most, { gas }) => (gas * price > most ? gas * price : most), 0n),
    notes,
  }
}

interface Sent {
  readonly call: EvmCall
  readonly gas: bigint
}

/** All but what it may cost itself. Undefined: nothing would be left to send. */
async function lastTransfer({ state, from, to }: Sweeping, held: bigint, price: bigint): Promise<Sent | undefined> {
  const call = { from, to, valueWei: 1n, data: new Uint8Array() }
  const gas = gasWithRoom((await state.gas(call)) ?? TRANSFER_GAS)
  const valueWei = held - gas * price
  return valueWei > 0n ? { call: { ...call, valueWei }, gas } : undefined
}

function callFor(item: SweepItem, from: string, to: string): EvmCall | undefined {
  const { kind, token = '', spender = '', contract = '', amount = '0' } = item
  const call = (place: string, ...question: Parameters<typeof questionData>): EvmCall => ({
    from,
    to: place,
    valueWei: 0n,
    data: questionData(...question),
  })
  switch (kind) {
    case 'allowance':
      return call(token, 'approve(address,uint256)', spender, 0n)
    case 'permit2':
      return call(PERMIT2, 'approve(address,address,uint160,uint48)', token, spender, 0n, 0n)
    case 'operator':
      return call(contract, 'setApprovalForAll(address,bool)', spender, 0n)
    case 'token':
      return call(token, 'transfer(address,uint256)', to, BigInt(amount))
    default:
      return undefined
  }
}

interface Frame {
  readonly chainId: bigint
  readonly nonce: bigint
  readonly gas: bigint
  readonly prices: GasPrices
}

function payloadOf({ from, to, valueWei, data }: EvmCall, { chainId, nonce, gas, prices }: Frame): SweepPayload {
  const hex = (value: bigint): string => `0x${value.toString(16)}`
  const fees =
    'gasPriceWei' in prices
      ? { type: '0x0', gasPrice: hex(prices.gasPriceWei) }
      : {
          type: '0x2',
          maxFeePerGas: hex(prices.maxFeePerGasWei),
          maxPriorityFeePerGas: hex(prices.maxPriorityFeePerGasWei),
        }
  const fields = { chainId: hex(chainId), from, nonce: hex(nonce), to, value: hex(valueWei), gas: hex(gas) }
  return { type: 'evm-transaction', transaction: { ...fees, ...fields, data: `0x${toHex(data)}` } }
}
