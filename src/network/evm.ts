import { fromHex, toHex } from '../bytes/hex.ts'
import type { CallAnswer, EvmBlock, EvmNetwork, EvmState } from '../domain/evm-network.ts'
import type { Clock, Fetch } from '../domain/ports.ts'
import { type Exchange, type NetworkLimits, unavailable } from './exchange.ts'
import { jsonRpc, type RpcAnswer } from './json-rpc.ts'
import { type Answer, malformed } from './reading.ts'

export interface EvmNetworkOptions {
  /** Our name of it. */
  readonly name: string
  /** The endpoint must say that it is on this chain before anything else is believed. */
  readonly chainId: bigint
  readonly rpcUrl: string
  readonly fetch: Fetch
  readonly clock: Pick<Clock, 'now' | 'sleep'>
  readonly limits?: Partial<NetworkLimits>
  /** Questions at once. */
  readonly atOnce?: number
}

const LIMITS: NetworkLimits = { deadlineMs: 10_000, bodyBytesMax: 4 * 1024 * 1024, tries: 3 }
const AT_ONCE = 8
/** A node that still follows the chain from its beginning answers too, and knows of nothing that anybody has. */
const BEHIND_MAX_MS = 3_600_000

/**
 * An EVM network through one node that speaks JSON-RPC. Only reads. Each question is one call, a few at a time: many nodes
 * take no batches, and all of them count calls.
 * @see https://ethereum.github.io/execution-apis/
 */
export function openEvmNetwork(options: EvmNetworkOptions): EvmNetwork {
  const { name, chainId, rpcUrl, fetch, clock, atOnce = AT_ONCE } = options
  const parts: Exchange = { network: name, fetch, clock, limits: { ...LIMITS, ...options.limits } }
  const call = jsonRpc(parts, rpcUrl)
  const turn = turns(atOnce)
  const ask = async (method: string, params: readonly unknown[], signal: AbortSignal): Promise<Answer> => {
    const found = await turn(() => call(method, params, signal))
    if (found.kind === 'result') return found.reply
    throw unavailable(name, `it answers ${method} with error ${found.code}`)
  }
  const quantity = async (method: string, params: readonly unknown[], signal: AbortSignal): Promise<bigint> =>
    quantityIn(name, 'result', await ask(method, params, signal))
  return {
    name,
    chainId,
    async latest(signal) {
      if ((await quantity('eth_chainId', [], signal)) !== chainId) {
        throw malformed(name, `its endpoint is on another chain than ${chainId}`)
      }
      const block = blockIn(name, await ask('eth_getBlockByNumber', ['latest', false], signal))
      const behindMs = BigInt(Math.floor(clock.now())) - block.time * 1000n
      if (behindMs > BEHIND_MAX_MS) {
        throw unavailable(name, `its newest block is ${behindMs / 60_000n} minutes old: is the node behind?`)
      }
      const at = hexOf(block.number)
      const state: EvmState = {
        block,
        balance: address => quantity('eth_getBalance', [address, at], signal),
        sent: address => quantity('eth_getTransactionCount', [address, at], signal),
        sentWithPending: address => quantity('eth_getTransactionCount', [address, 'pending'], signal),
        code: async address => bytesIn(name, await ask('eth_getCode', [address, at], signal)),
        call: async (to, data) =>
          callAnswer(name, await turn(() => call('eth_call', [{ to, data: `0x${toHex(data)}` }, at], signal))),
        gas: async ({ from, to, valueWei, data }) => {
          const asked = { from, to, value: hexOf(valueWei), data: `0x${toHex(data)}` }
          const found = await turn(() => call('eth_estimateGas', [asked, at], signal))
          return found.kind === 'error' ? undefined : quantityIn(name, 'result', found.reply)
        },
        prices: async () => {
          const gasPriceWei = await quantity('eth_gasPrice', [], signal) // every node has it, and most add a tip to the base fee
          const { baseFeeWei } = block
          if (baseFeeWei === undefined) return { gasPriceWei }
          const tip = gasPriceWei > baseFeeWei ? gasPriceWei - baseFeeWei : 0n
          return { maxFeePerGasWei: 2n * baseFeeWei + tip, maxPriorityFeePerGasWei: tip }
        },
        stands: async () => {
          const again = await ask('eth_getBlockByNumber', [at, false], signal)
          return again.maybe('result') !== undefined && blockIn(name, again).hash === block.hash
        },
      }
      return state
    },
  }
}

const hexOf = (value: bigint): string => `0x${value.toString(16)}`

/** The canonical form: no leading zero, lower case, at most 256 bits. */
const QUANTITY = /^0x(?:0|[1-9a-f][0-9a-f]{0,63})$/
const HASH = /^0x[0-9a-f]{64}$/

function quantityIn(network: string, name: string, answer: Answer): bigint {
  const text = answer.text(name)
  if (!QUANTITY.test(text)) throw malformed(network, `${name} in the answer is not a quantity in hex`)
  return BigInt(text)
}

function bytesIn(network: string, answer: Answer): Uint8Array {
  const text = answer.text('result')
  const bytes = text.startsWith('0x') ? fromHex(text.slice(2), 'lower') : undefined
  if (bytes === undefined) throw malformed(network, 'result in the answer is not bytes in hex')
  return bytes
}

function blockIn(network: string, answer: Answer): EvmBlock {
  const found = answer.object('result')
  const hash = found.text('hash')
  if (!HASH.test(hash)) throw malformed(network, 'hash in the answer is not that of a block')
  return {
    number: quantityIn(network, 'number', found),
    hash,
    time: quantityIn(network, 'timestamp', found),
    ...(found.maybe('baseFeePerGas') === undefined ? {} : { baseFeeWei: quantityIn(network, 'baseFeePerGas', found) }),
  }
}

/** 3: go-ethereum and those after it; -32015: those after OpenEthereum. */
const REVERTED = [3, -32_015]
/** Where the code of the error is one for everything, its first words tell. */
const GAVE_UP = ['execution reverted', 'vm execution error', 'invalid opcode', 'invalid jump', 'out of gas', 'stack ']

function callAnswer(network: string, found: RpcAnswer): CallAnswer {
  if (found.kind === 'result') return { kind: 'returned', data: bytesIn(network, found.reply) }
  const message = found.message.slice(0, 100).toLowerCase()
  const reverted = REVERTED.includes(found.code) || GAVE_UP.some(words => message.includes(words))
  return reverted ? { kind: 'reverted' } : { kind: 'failed', code: found.code }
}

/** So many at a time; the others wait in order. */
function turns(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let running = 0
  return async work => {
    if (running >= most) await new Promise<void>(resolve => waiting.push(resolve))
    else running++
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running--
      else next() // the place goes over, so that nobody slips in between
    }
  }
}
