import { delegateIn, unitsText } from '../../chains/evm/index.ts'
import type { GasPrices } from '../../domain/evm-network.ts'
import type { Asking } from './asking.ts'
import type { SweepItem } from './types.ts'

/** @see Ethereum Yellow Paper, appendix G: what a transaction uses that does nothing but pay */
export const TRANSFER_GAS = 21_000n

export const mostOf = (prices: GasPrices): bigint =>
  'gasPriceWei' in prices ? prices.gasPriceWei : prices.maxFeePerGasWei

export const weiText = (wei: bigint): string => `${unitsText(wei, 18)} of the native coin (${wei} wei)`

/**
 * @param mayHaveSigned  whether the new version ever was in a state in which it signs
 * @param feeMaxWei      what the policy of the key lets a transaction cost; undefined: it grants none
 */
export async function accountItems(
  asking: Asking,
  mayHaveSigned: boolean,
  feeMaxWei: bigint | undefined,
): Promise<readonly SweepItem[]> {
  const { state, old, new: next } = asking
  const [held, sent, known, code, gas, nonce, nextCode, prices] = await Promise.all([
    state.balance(old),
    state.sent(old),
    state.sentWithPending(old),
    state.code(old),
    state.balance(next),
    state.sent(next),
    state.code(next),
    state.prices(),
  ])
  return [
    pendingItem(asking, sent, known),
    codeItem(code, sent),
    newCodeItem(nextCode),
    nonceItem(nonce, mayHaveSigned),
    {
      kind: 'gas',
      done: gas > 0n,
      amount: `${gas}`,
      text:
        gas > 0n
          ? `the new address has ${weiText(gas)} to pay for gas`
          : 'the new address has nothing to pay for gas: send it some',
    },
    nativeItem(held, mostOf(prices), feeMaxWei),
  ]
}

function pendingItem({ unread, old }: Asking, sent: bigint, known: bigint): SweepItem {
  const waiting = known - sent
  if (waiting < 0n) {
    const reason = `the node knows of ${known} transactions, and of ${sent} in blocks`
    unread.push({ contract: old, question: 'transactions that wait', reason })
  }
  const last = waiting > 1n ? ` to ${known - 1n}` : ''
  return {
    kind: 'pending',
    done: waiting === 0n,
    text:
      waiting === 0n
        ? 'no transaction of the old address waits'
        : waiting < 0n
          ? 'whether transactions of the old address wait could not be read'
          : `${waiting} of the old address wait, nonce ${sent}${last}: wait for them, or replace them`,
  }
}

function codeItem(code: Uint8Array, nonce: bigint): SweepItem {
  const delegate = delegateIn(code)
  if (code.length === 0) return { kind: 'code', done: true, text: 'the old address runs no code' }
  if (delegate === undefined) {
    const text = `the old address has ${code.length} bytes of code that is no delegation: find out what it is first`
    return { kind: 'code', done: false, text }
  }
  const text = `the old address runs the code at \`${delegate}\` (EIP-7702), which may move all it has: take the delegation away, with an authorization of the zero address (its nonce: ${nonce}, or ${nonce + 1n} where the old address sends it itself)`
  return { kind: 'code', done: false, contract: delegate, text }
}

function newCodeItem(code: Uint8Array): SweepItem {
  if (code.length === 0) return { kind: 'new-code', done: true, text: 'the new address runs no code' }
  const delegate = delegateIn(code)
  const what =
    delegate === undefined ? `has ${code.length} bytes of code` : `runs the code at \`${delegate}\` (EIP-7702)`
  const text = `the new address ${what}: find out who gave it that before it gets anything`
  return { kind: 'new-code', done: false, ...(delegate === undefined ? {} : { contract: delegate }), text }
}

function nonceItem(nonce: bigint, mayHaveSigned: boolean): SweepItem {
  if (nonce === 0n) return { kind: 'new-nonce', done: true, text: 'the new address has sent nothing before' }
  if (mayHaveSigned) return { kind: 'new-nonce', done: true, text: `the new address is in use: nonce ${nonce}` }
  const text = `the new address was used before (nonce ${nonce}), and this program has signed nothing with it: find out who did`
  return { kind: 'new-nonce', done: false, text }
}

/** @param price  wei for a unit of gas, with room; a node that inflates it makes nothing into dust that the fee cap would not */
function nativeItem(held: bigint, price: bigint, feeMaxWei: bigint | undefined): SweepItem {
  const dearest = TRANSFER_GAS * price
  const costs = feeMaxWei !== undefined && feeMaxWei < dearest ? feeMaxWei : dearest
  const done = held === 0n || held <= costs
  const rest =
    held === 0n ? 'the old address has nothing left' : `${weiText(held)} are left, less than a transfer may cost`
  const text = `move ${weiText(held)} last, less what the transfer itself costs: everything above is paid out of it`
  return { kind: 'native', done, amount: `${held}`, text: done ? rest : text }
}
