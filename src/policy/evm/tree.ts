import { keccak_256 } from '@noble/hashes/sha3.js'
import { fromHex, toHex } from '../../bytes/hex.ts'
import { type AbiValue, decodeArguments } from './abi.ts'
import { deny, type Finding, undecided } from '../finding.ts'
import { lowerAddress } from './fields.ts'
import { CALLING_FUNCTIONS, type InnerCall, TOKEN_FUNCTIONS } from './known.ts'

const DEPTH_MAX = 4
const CALLS_MAX = 256
const DATA_BYTES_MAX = 131_072

/** A call and the calls inside it, read by what functions are known to do, whatever a policy says. */
export interface CallNode {
  /** In lower case. */
  readonly to: string
  readonly valueWei: bigint
  readonly data: Uint8Array
  /** Undefined: no call data, a plain payment. */
  readonly selector: string | undefined
  /** Of functions in our tables only. */
  readonly values: readonly AbiValue[] | undefined
  readonly inner: readonly CallNode[]
  /** What makes it unfit, whoever may call it. */
  readonly fault: Finding
}

/** The outermost call. Address and data as in the views. */
export const readCall = (call: InnerCall): CallNode => node(call, '', 0, { calls: 0 })

function node(call: InnerCall, parent: string, depth: number, count: { calls: number }): CallNode {
  count.calls++
  const to = call.to === null ? parent : lowerAddress(call.to)
  const data = bytesOf(call.data)
  const read: CallNode = {
    to: to ?? '',
    valueWei: call.valueWei,
    data: data ?? new Uint8Array(),
    selector: data === undefined || data.length < 4 ? undefined : toHex(data.subarray(0, 4)),
    values: undefined,
    inner: [],
    fault: undefined,
  }
  if (to === undefined || data === undefined) return { ...read, fault: undecided('a call has no address or no data') }
  if (data.length > DATA_BYTES_MAX) return { ...read, fault: undecided(`a call has ${data.length} bytes of data`) }
  if (call.valueWei < 0n) return { ...read, fault: deny(`a call carries ${call.valueWei} wei`) }
  if (call.operation !== 0n) {
    const how =
      call.operation === 1n ? 'delegatecall, which runs foreign code as its own' : `operation ${call.operation}`
    return { ...read, fault: deny(`a call of ${to} is made by ${how}`) }
  }
  if (data.length > 0 && data.length < 4) return { ...read, fault: deny(`a call of ${to} has no whole selector`) }
  return read.selector === undefined ? read : known(read, read.selector, depth, count)
}

function known(read: CallNode, selector: string, depth: number, count: { calls: number }): CallNode {
  const calling = CALLING_FUNCTIONS.get(selector)
  const called = calling?.function ?? TOKEN_FUNCTIONS.get(selector)?.function
  if (called === undefined) return read
  const values = decodeArguments(called.parameters, read.data.subarray(4))
  if (values === undefined) return { ...read, fault: notCanonical(called.signature) }
  if (calling === undefined) return { ...read, values }
  const inner = calling.inner(values)
  if (inner === undefined)
    return { ...read, values, fault: undecided(`${called.signature} holds lists that do not match`) }
  if (depth === DEPTH_MAX) return { ...read, values, fault: undecided(`calls are nested deeper than ${DEPTH_MAX}`) }
  if (count.calls + inner.length > CALLS_MAX) {
    return { ...read, values, fault: undecided(`there are more than ${CALLS_MAX} calls inside the call`) }
  }
  return { ...read, values, inner: inner.map(one => node(one, read.to, depth + 1, count)) }
}

export const notCanonical = (signature: string): Finding =>
  undecided(`the arguments of ${signature} are not in the one encoding that encoders give`)

/** The call and every call inside it. */
export function* nodesOf(root: CallNode): Generator<CallNode> {
  yield root
  for (const inner of root.inner) yield* nodesOf(inner)
}

/** Only the one spelling of the views: 0x and lower-case digits. */
export const bytesOf = (text: string): Uint8Array | undefined =>
  text.startsWith('0x') ? fromHex(text.slice(2), 'lower') : undefined

export const hashOf = (data: Uint8Array): string => `0x${toHex(keccak_256(data))}`

/** All wei that the calls carry. Inner calls may pay from other purses than the key's own; they count all the same. */
export function valueOf(root: CallNode): bigint {
  let sum = 0n
  for (const { valueWei } of nodesOf(root)) sum += valueWei
  return sum
}
