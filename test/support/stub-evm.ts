/**
 * An EVM chain in memory that speaks JSON-RPC: accounts, a few contracts, and the transactions that move their state, read and
 * checked by viem. It answers the questions of the signer, and lies when it is told to.
 */
import {
  AbiFunctionSignatureNotFoundError,
  decodeFunctionData,
  encodeFunctionResult,
  type Hex,
  keccak256,
  pad,
  parseAbi,
  parseTransaction,
  recoverTransactionAddress,
  type TransactionSerialized,
  toHex,
} from 'viem'
import type { Fetch } from '../../src/domain/ports.ts'

export const EVM_RPC = 'http://127.0.0.1/evm'
export const PERMIT2 = '0x000000000022D473030F116dDEE9F6B43aC78BA3'

export const erc20 = parseAbi([
  'function balanceOf(address owner) view returns (uint256)',
  'function allowance(address owner, address spender) view returns (uint256)',
  'function symbol() view returns (string)',
  'function decimals() view returns (uint8)',
  'function transfer(address to, uint256 amount) returns (bool)',
  'function approve(address spender, uint256 amount) returns (bool)',
])
export const permit2 = parseAbi([
  'function allowance(address owner, address token, address spender) view returns (uint160, uint48, uint48)',
  'function approve(address token, address spender, uint160 amount, uint48 expiration)',
])
export const ruled = parseAbi([
  'function owner() view returns (address)',
  'function pendingOwner() view returns (address)',
  'function hasRole(bytes32 role, address who) view returns (bool)',
  'function isOwner(address who) view returns (bool)',
])
export const collection = parseAbi([
  'function balanceOf(address owner) view returns (uint256)',
  'function isApprovedForAll(address owner, address operator) view returns (bool)',
  'function setApprovalForAll(address operator, bool approved)',
])

/** `from`: who calls; absent for a question. `revert` and errors of the node come as they are. */
export type Contract = (
  data: Hex,
  from?: string,
) => Hex | 'revert' | { readonly code: number; readonly message: string }

export interface Account {
  balance: bigint
  nonce: bigint
  /** Transactions that wait. */
  pending: bigint
  code: Hex
}

/** By method, or by `eth_call SELECTOR`; what comes instead of the honest answer. */
export type Lie = (honest: Response) => Response | Promise<Response>

export interface Applied {
  readonly from: string
  readonly to: string
  readonly value: bigint
  readonly nonce: bigint
  readonly data: Hex
  readonly gas: bigint
  readonly maxFeePerGas: bigint
}

export interface StubEvm {
  readonly fetch: Fetch
  readonly block: { number: bigint; hash: Hex; time: bigint; baseFee: bigint | undefined }
  chainId: bigint
  account(address: string): Account
  readonly contracts: Map<string, Contract>
  readonly lies: Map<string, Lie>
  /** Methods in the order they came. */
  readonly asked: string[]
  /** Runs a signed transaction; all of its gas is paid, at the base fee. @returns its sender */
  send(signed: string): Promise<string>
  /** The same for one whose signature nobody asks for. */
  apply(transaction: Applied): void
}

export function openStubEvm(chainId = 11155111n): StubEvm {
  const accounts = new Map<string, Account>()
  const account = (address: string): Account => {
    const key = address.toLowerCase()
    const found = accounts.get(key) ?? { balance: 0n, nonce: 0n, pending: 0n, code: '0x' }
    accounts.set(key, found)
    return found
  }
  const block = {
    number: 7_000_000n,
    hash: keccak256('0x07'),
    time: 1_795_000_000n,
    baseFee: 1_000_000_000n as bigint | undefined,
  }
  const answer = (method: string, params: readonly any[]): unknown => {
    switch (method) {
      case 'eth_chainId':
        return toHex(stub.chainId)
      case 'eth_getBlockByNumber':
        return {
          number: toHex(block.number),
          hash: block.hash,
          timestamp: toHex(block.time),
          ...(block.baseFee === undefined ? {} : { baseFeePerGas: toHex(block.baseFee) }),
          transactions: [],
        }
      case 'eth_getBalance':
        return toHex(at(params[1], account(params[0])).balance)
      case 'eth_getCode':
        return at(params[1], account(params[0])).code
      case 'eth_getTransactionCount': {
        const { nonce, pending } = account(params[0])
        return toHex(params[1] === 'pending' ? nonce + pending : at(params[1], nonce))
      }
      case 'eth_gasPrice':
        return toHex((block.baseFee ?? 10n ** 9n) + 5n * 10n ** 8n)
      case 'eth_estimateGas':
        return at(params[1], params[0].data === '0x' ? '0x5208' : toHex(46_000))
      case 'eth_call':
        return at(params[1], run(params[0].to, params[0].data))
      default:
        throw new Error(`nobody asks for ${method}`)
    }
  }
  const at = <T>(asked: string, value: T): T => {
    if (asked !== toHex(block.number)) throw new Error(`asked about ${asked}, not about the block`)
    return value
  }
  /** Code without a function of the name gives up; an address without code answers nothing. */
  const run = (to: string, data: Hex, from?: string): ReturnType<Contract> => {
    try {
      return stub.contracts.get(to.toLowerCase())?.(data, from) ?? '0x'
    } catch (error) {
      if (error instanceof AbiFunctionSignatureNotFoundError) return 'revert'
      throw error
    }
  }
  const stub: StubEvm = {
    block,
    chainId,
    account,
    contracts: new Map(),
    lies: new Map(),
    asked: [],
    fetch: async (url, init) => {
      if (url !== EVM_RPC) throw new TypeError(`nobody is at ${url}`)
      const { jsonrpc, id, method, params } = JSON.parse(init.body as string)
      if (jsonrpc !== '2.0') throw new Error('not JSON-RPC 2.0')
      stub.asked.push(method)
      const found = answer(method, params)
      const body =
        found === 'revert'
          ? { error: { code: 3, message: 'execution reverted', data: '0x' } }
          : typeof found === 'object' && found !== null && 'code' in found
            ? { error: found }
            : { result: found }
      const honest = Response.json({ jsonrpc, id, ...body })
      const lie = stub.lies.get(method === 'eth_call' ? `eth_call ${params[0].data.slice(0, 10)}` : method)
      return (lie ?? stub.lies.get(method))?.(honest) ?? honest
    },
    async send(signed) {
      const serializedTransaction = signed as TransactionSerialized
      const from = await recoverTransactionAddress({ serializedTransaction })
      const {
        to,
        value = 0n,
        nonce = 0,
        data,
        chainId: chain,
        gas = 0n,
        maxFeePerGas = 0n,
      } = parseTransaction(serializedTransaction)
      if (BigInt(chain ?? 0) !== stub.chainId) throw new Error('of another chain')
      stub.apply({ from, to: to ?? '', value, nonce: BigInt(nonce), data: data ?? '0x', gas, maxFeePerGas })
      return from
    },
    apply({ from, to, value, nonce, data, gas, maxFeePerGas }) {
      const sender = account(from)
      if (nonce !== sender.nonce) throw new Error('not the next transaction')
      if (value + gas * maxFeePerGas > sender.balance) throw new Error('not enough to pay')
      sender.nonce++
      sender.balance -= value + gas * (block.baseFee ?? 0n)
      account(to).balance += value
      if (data === '0x') return
      const ran = run(to, data, from)
      if (typeof ran !== 'string' || ran === 'revert') throw new Error('it reverts')
    },
  }
  return stub
}

const places = () => {
  const held = new Map<string, bigint>()
  const key = (...names: readonly string[]) => names.map(name => name.toLowerCase()).join(' ')
  return {
    get: (...names: readonly string[]) => held.get(key(...names)) ?? 0n,
    set: (value: bigint, ...names: readonly string[]) => void held.set(key(...names), value),
  }
}

export interface StubToken {
  readonly balances: ReturnType<typeof places>
  readonly allowances: ReturnType<typeof places>
}

export function addToken(stub: StubEvm, address: string, symbol = 'USDC', decimals = 6): StubToken {
  const [balances, allowances] = [places(), places()]
  stub.contracts.set(address.toLowerCase(), (data, from) => {
    const { functionName, args } = decodeFunctionData({ abi: erc20, data })
    const done = encodeFunctionResult({ abi: erc20, functionName: 'transfer', result: true })
    switch (functionName) {
      case 'balanceOf':
        return encodeFunctionResult({ abi: erc20, functionName, result: balances.get(args[0]) })
      case 'allowance':
        return encodeFunctionResult({ abi: erc20, functionName, result: allowances.get(...args) })
      case 'symbol':
        return encodeFunctionResult({ abi: erc20, functionName, result: symbol })
      case 'decimals':
        return encodeFunctionResult({ abi: erc20, functionName, result: decimals })
      case 'approve':
        allowances.set(args[1], from ?? '', args[0])
        return done
      case 'transfer': {
        const [to, amount] = args
        if (amount > balances.get(from ?? '')) return 'revert'
        balances.set(balances.get(from ?? '') - amount, from ?? '')
        balances.set(balances.get(to) + amount, to)
        return done
      }
    }
  })
  return { balances, allowances }
}

/** `expirations` in seconds since the epoch. */
export function addPermit2(stub: StubEvm) {
  const [allowances, expirations] = [places(), places()]
  stub.contracts.set(PERMIT2.toLowerCase(), (data, from) => {
    const { functionName, args } = decodeFunctionData({ abi: permit2, data })
    if (functionName === 'allowance') {
      const result = [allowances.get(...args), Number(expirations.get(...args)), 0] as const
      return encodeFunctionResult({ abi: permit2, functionName, result })
    }
    const [token, spender, amount, expiration] = args
    allowances.set(amount, from ?? '', token, spender)
    expirations.set(expiration === 0 ? stub.block.time : BigInt(expiration), from ?? '', token, spender)
    return '0x'
  })
  return { allowances, expirations }
}

export function addCollection(stub: StubEvm, address: string) {
  const [balances, operators] = [places(), places()]
  stub.contracts.set(address.toLowerCase(), (data, from) => {
    const { functionName, args } = decodeFunctionData({ abi: collection, data })
    switch (functionName) {
      case 'balanceOf':
        return encodeFunctionResult({ abi: collection, functionName, result: balances.get(args[0]) })
      case 'isApprovedForAll':
        return encodeFunctionResult({ abi: collection, functionName, result: operators.get(...args) === 1n })
      case 'setApprovalForAll':
        operators.set(args[1] ? 1n : 0n, from ?? '', args[0])
        return '0x'
    }
  })
  return { balances, operators }
}

/** A contract that knows some of the roles, and reverts at the others. */
export function addRuled(
  stub: StubEvm,
  address: string,
  roles: { owner?: string; pendingOwner?: string; admins?: readonly string[]; owners?: readonly string[] },
): void {
  const has = (list: readonly string[] | undefined, who: string) =>
    list?.some(one => one.toLowerCase() === who.toLowerCase())
  stub.contracts.set(address.toLowerCase(), data => {
    const { functionName, args } = decodeFunctionData({ abi: ruled, data })
    switch (functionName) {
      case 'owner':
      case 'pendingOwner': {
        const result = roles[functionName]
        return result === undefined ? 'revert' : pad(result.toLowerCase() as Hex, { size: 32 })
      }
      case 'hasRole':
      case 'isOwner': {
        const found = has(functionName === 'hasRole' ? roles.admins : roles.owners, args.at(-1) ?? '')
        return found === undefined
          ? 'revert'
          : encodeFunctionResult({ abi: ruled, functionName: 'isOwner', result: found })
      }
    }
  })
}
