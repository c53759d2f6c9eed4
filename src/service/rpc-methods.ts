/** What the parameters of each JSON-RPC method ask to have signed. */
import { parseStrictJson } from '../bytes/json.ts'
import { malformed } from '../domain/errors.ts'
import type { SignAnswer } from './types.ts'

export interface RpcPayload {
  /** Who is to sign, as the caller wrote it. */
  readonly address: string
  /** Which chain, where the parameters say it. */
  readonly chainId?: bigint
  readonly payload: Readonly<Record<string, unknown>> & { readonly type: string }
  /** The member of the answer that the method returns. */
  answer(signed: SignAnswer): unknown
}

type Params = readonly unknown[]

const signature = ({ evmSignature }: SignAnswer): unknown => evmSignature

/** @see EIP-1474 for `eth_sign`, `personal_sign` (the same with its parameters the other way round), EIP-712 for typed data */
export const PAYLOAD_OF: ReadonlyMap<string, (params: Params) => RpcPayload> = new Map([
  ['eth_sign', ([address, data, ...more]: Params) => message(address, data, more, 0)],
  ['personal_sign', ([data, address, ...more]: Params) => message(address, data, passwordOf(more), 1)],
  ['eth_signTypedData', typedData],
  ['eth_signTypedData_v4', typedData],
  ['eth_signTransaction', transaction],
])

/** Always with the prefix of EIP-191: what is signed this way can be no transaction. */
function message(address: unknown, data: unknown, more: Params, at: number): RpcPayload {
  none(more)
  const hex = text(data, `params[${1 - at}]`)
  return { address: addressOf(address, at), payload: { type: 'evm-message', hex }, answer: signature }
}

/** Nodes take a password here; there is none to take. */
const passwordOf = ([password, ...more]: Params): Params =>
  password === undefined || password === '' ? more : [password]

function typedData([address, given, ...more]: Params): RpcPayload {
  none(more)
  const typed = typeof given === 'string' ? parsed(given) : given
  const domain = typed !== null && typeof typed === 'object' ? (typed as { domain?: unknown }).domain : undefined
  const chainId =
    domain !== null && typeof domain === 'object' ? chainIn((domain as { chainId?: unknown }).chainId) : {}
  return {
    address: addressOf(address, 0),
    ...chainId,
    payload: { type: 'evm-typed-data', typedData: typed },
    answer: signature,
  }
}

function transaction([given, ...more]: Params): RpcPayload {
  none(more)
  if (given === null || typeof given !== 'object' || Array.isArray(given)) {
    throw malformed('params[0]', 'is not a transaction object', 'send {"from":"0x…","to":"0x…",…}')
  }
  // Clients in Go write every field they know, with null where there is nothing.
  const fields = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null))
  return {
    address: addressOf(fields['from'], 0, 'params[0].from'),
    ...chainIn(fields['chainId']),
    payload: { type: 'evm-transaction', transaction: fields },
    answer: ({ signedTransaction }) => signedTransaction,
  }
}

function chainIn(value: unknown): { readonly chainId?: bigint } {
  const isNumber = typeof value === 'number' && Number.isSafeInteger(value) && value > 0
  const isText = typeof value === 'string' && value.length <= 20 && /^(0x[0-9a-fA-F]{1,16}|[0-9]{1,19})$/.test(value)
  return isNumber || isText ? { chainId: BigInt(value) } : {}
}

function parsed(given: string): unknown {
  try {
    return parseStrictJson(new TextEncoder().encode(given))
  } catch {
    throw malformed('params[1]', 'is text that is not strict JSON', 'send the typed data as an object or as JSON text')
  }
}

function addressOf(value: unknown, at: number, field = `params[${at}]`): string {
  const address = text(value, field)
  if (/^0x[0-9a-fA-F]{40}$/.test(address)) return address
  throw malformed(field, `${JSON.stringify(address.slice(0, 60))} is not an address`, 'send 0x and 40 hex digits')
}

function text(value: unknown, field: string): string {
  if (typeof value === 'string') return value
  throw malformed(field, value === undefined ? 'is missing' : 'is not text', 'see the parameters of the method')
}

function none(more: Params): void {
  if (more.length > 0) throw malformed('params', 'has more members than the method takes', 'leave the rest out')
}
