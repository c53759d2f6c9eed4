/** Transactions and typed data at random, and what becomes of them by a few changes. Seeded, so that a run can be had again. */
import { fromRlp, getAddress, serializeTransaction, toRlp } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import type { Rng } from '../../../fuzz/xdr-mutator.ts'
import { bytes, cow, type Fields, hex, quantity } from './samples.ts'

type Hex = `0x${string}`

const pick = <T>(rng: Rng, list: readonly T[]): T => list[rng.int(list.length)] as T
const times = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at))

export const CHAIN = 1n
const ADDRESSES = [0x35, 0, 0xff, 0xa1].map(byte => hex(new Uint8Array(20).fill(byte)))
const CHECKSUMMED = ADDRESSES.map(each => getAddress(each))
const randomBytes = (rng: Rng, length: number): Hex => hex(Uint8Array.from({ length }, () => rng.int(256)))
const address = (rng: Rng): string =>
  rng.int(3) === 0 ? randomBytes(rng, 20) : pick(rng, [...ADDRESSES, ...CHECKSUMMED])

function integer(rng: Rng, bits: number): bigint {
  const width = BigInt(1 + rng.int(bits))
  return rng.int(4) === 0 ? BigInt(rng.int(300)) % (1n << BigInt(bits)) : BigInt(randomBytes(rng, 32)) >> (256n - width)
}

const account = privateKeyToAccount(cow.privateKey)
/** A few that are signed well; signing costs more than all the rest. */
const AUTHORIZATIONS: Fields[] = await Promise.all(
  times(6, async at => {
    const given = { chainId: at % 3 === 0 ? 0 : 1, address: ADDRESSES[at % 4] ?? '0x', nonce: at }
    const { r, s, yParity = 0 } = await account.signAuthorization(given)
    return {
      address: given.address,
      chainId: quantity(given.chainId),
      nonce: quantity(at),
      yParity: quantity(yParity),
      r: quantity(BigInt(r)),
      s: quantity(BigInt(s)),
    }
  }),
)

/** The fields of JSON-RPC; all of them good. */
export function randomTransaction(rng: Rng): Fields {
  const type = rng.int(5)
  const fee = integer(rng, 128)
  const accessList = (): unknown =>
    times(rng.int(3), () => ({ address: address(rng), storageKeys: times(rng.int(3), () => randomBytes(rng, 32)) }))
  return {
    ...(rng.int(2) === 0 ? {} : { type: quantity(type) }),
    chainId: quantity(CHAIN),
    nonce: quantity(integer(rng, 52)),
    gas: quantity(integer(rng, 64)),
    ...(type > 2 || rng.int(5) > 0 ? { to: address(rng) } : {}),
    ...(rng.int(3) === 0 ? {} : { value: quantity(integer(rng, 256)) }),
    ...(rng.int(3) === 0 ? {} : { [pick(rng, ['data', 'input'])]: randomBytes(rng, rng.int(70)) }),
    ...(type < 2
      ? { gasPrice: quantity(fee) }
      : { maxFeePerGas: quantity(fee), maxPriorityFeePerGas: quantity(fee >> BigInt(rng.int(9))) }),
    ...(type === 1 || (type > 1 && rng.int(2) === 0) ? { accessList: accessList() } : {}),
    ...(type === 3
      ? {
          maxFeePerBlobGas: quantity(integer(rng, 64)),
          blobVersionedHashes: times(1 + rng.int(3), () => `0x01${randomBytes(rng, 31).slice(2)}`),
        }
      : {}),
    ...(type === 4 ? { authorizationList: times(1 + rng.int(2), () => pick(rng, AUTHORIZATIONS)) } : {}),
  }
}

const KIND = ['legacy', 'eip2930', 'eip1559', 'eip4844', 'eip7702'] as const

/** As viem wants the same fields. */
export function forViem(fields: Fields): Fields {
  const has = (name: string): boolean => fields[name] !== undefined
  const type = has('authorizationList')
    ? 4
    : has('maxFeePerBlobGas')
      ? 3
      : has('maxFeePerGas')
        ? 2
        : has('accessList')
          ? 1
          : Number(fields['type'] ?? 0)
  const big = (name: string): bigint => BigInt((fields[name] as string | undefined) ?? 0)
  const { to, data, input, accessList, blobVersionedHashes, authorizationList } = fields
  return {
    type: KIND[type],
    chainId: big('chainId'),
    nonce: big('nonce'),
    gas: has('gas') ? big('gas') : big('gasLimit'),
    ...(typeof to === 'string' ? { to } : {}),
    value: big('value'),
    data: data ?? input ?? '0x',
    ...(type < 2
      ? { gasPrice: big('gasPrice') }
      : { maxFeePerGas: big('maxFeePerGas'), maxPriorityFeePerGas: big('maxPriorityFeePerGas') }),
    ...(type > 0 ? { accessList: accessList ?? [] } : {}),
    ...(type === 3 ? { maxFeePerBlobGas: big('maxFeePerBlobGas'), blobVersionedHashes } : {}),
    ...(type === 4
      ? {
          authorizationList: (authorizationList as Fields[]).map(each => ({
            ...each,
            chainId: BigInt(String(each['chainId'])),
            nonce: BigInt(String(each['nonce'])),
            yParity: Number(each['yParity']),
          })),
        }
      : {}),
  }
}

/** The bytes of a good transaction, changed a little, in their structure or as bytes. */
export function mutatedBytes(rng: Rng): string {
  const good = serializeTransaction(forViem(randomTransaction(rng)) as never)
  const changes = rng.int(8) === 0 ? 0 : 1 + rng.int(3)
  if (changes === 0) return good
  return rng.int(2) === 0 ? mutatedRlp(rng, good, changes) : hex(mutatedText(rng, bytes(good), changes))
}

type Item = Hex | Item[]

const ITEMS: readonly Item[] = [
  '0x',
  '0x00',
  '0x01',
  '0x7f',
  '0x80',
  '0x0001',
  [],
  ['0x'],
  [[]],
  `0x${'ff'.repeat(32)}`,
  `0x${'ff'.repeat(8)}`,
]

function mutatedRlp(rng: Rng, good: Hex, changes: number): string {
  const head = good.slice(2, 4) < '05' ? good.slice(2, 4) : ''
  const items = fromRlp(`0x${good.slice(2 + head.length)}`) as Item[]
  for (let left = changes; left > 0; left--) change(items, rng)
  return `0x${head}${toRlp(items as never).slice(2)}`
}

function change(list: Item[], rng: Rng): void {
  const at = rng.int(list.length + 1)
  const inner = list[at]
  if (Array.isArray(inner) && rng.int(4) > 0) return change(inner, rng)
  switch (rng.int(6)) {
    case 0:
      list.splice(at, 0, structuredClone(pick(rng, ITEMS)))
      break
    case 1:
      list.splice(at, 1)
      break
    case 2:
      if (inner !== undefined) list.splice(at, 0, structuredClone(inner))
      break
    case 3:
      if (list.length > 0) list[Math.min(at, list.length - 1)] = structuredClone(pick(rng, ITEMS))
      break
    default:
      if (typeof inner === 'string' && inner.length > 2) list[at] = hex(mutatedText(rng, bytes(inner), 1))
  }
}

function mutatedText(rng: Rng, given: Uint8Array, changes: number): Uint8Array {
  let list = [...given]
  for (let left = changes; left > 0; left--) {
    const at = rng.int(list.length)
    switch (rng.int(5)) {
      case 0:
        list[at] = (list[at] ?? 0) ^ (1 << rng.int(8))
        break
      case 1:
        list[at] = pick(rng, [0, 1, 0x7f, 0x80, 0xb7, 0xb8, 0xc0, 0xf7, 0xf8, 0xff])
        break
      case 2:
        list.splice(at, 0, rng.int(256))
        break
      case 3:
        list.splice(at, 1 + rng.int(3))
        break
      default:
        list = list.slice(0, Math.max(1, at))
    }
  }
  return Uint8Array.from(list)
}

const VALUES: readonly unknown[] = [
  ...[null, true, false, 0, 1, -1, 1.5, 2 ** 53, [], {}, '', '0', '1', '-1', '01', '0x', '0x0', '0x00', '0x1', '0x01'],
  ...['0xff', '0xFF', '0x5208', `0x${'f'.repeat(64)}`, `0x1${'0'.repeat(64)}`, '__proto__', 'EIP712Domain'],
  ...ADDRESSES,
  ...CHECKSUMMED,
  ...[
    'uint256',
    'uint',
    'int8',
    'bytes',
    'bytes32',
    'bytes33',
    'string',
    'bool',
    'address',
    'S0',
    'S1[]',
    'S2[2]',
    'name',
    'm0',
  ],
]
const NAMES = [
  'type',
  'chainId',
  'nonce',
  'gas',
  'gasLimit',
  'gasPrice',
  'to',
  'value',
  'data',
  'input',
  'r',
  'from',
  'm0',
  'm1',
  'S1',
  'salt',
]

/** A copy of a JSON value with so many changes somewhere in it. */
export function mutatedJson<T>(rng: Rng, value: T, changes: number): T {
  const root = { root: structuredClone(value) as unknown }
  for (let left = changes; left > 0; left--) {
    const places: [holder: Record<string, unknown>, name: string][] = []
    const visit = (holder: object): void => {
      for (const [name, inner] of Object.entries(holder)) {
        places.push([holder as Record<string, unknown>, name])
        if (typeof inner === 'object' && inner !== null) visit(inner as object)
      }
    }
    visit(root.root as object)
    if (places.length === 0) break
    const [holder, name] = pick(rng, places)
    changeMember(rng, holder, name)
  }
  return root.root as T
}

function changeMember(rng: Rng, holder: Record<string, unknown>, name: string): void {
  const value = holder[name]
  switch (rng.int(8)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(name), 1)
      else delete holder[name]
      break
    case 1:
      if (Array.isArray(holder)) holder.push(structuredClone(value))
      else holder[pick(rng, NAMES)] = structuredClone(value)
      break
    case 2:
    case 3:
      holder[name] = structuredClone(pick(rng, VALUES))
      break
    case 4:
      if (typeof value === 'string') holder[name] = rng.int(2) === 0 ? value.toUpperCase() : value.toLowerCase()
      break
    case 5:
      if (typeof value === 'string') holder[name] = value.slice(0, -1)
      else if (typeof value === 'number') holder[name] = value + 1
      break
    case 6:
      if (typeof value === 'string') holder[name] = value + pick(rng, ['0', 'a', ' ', '[]', '[2]', '\u0000', 'é'])
      break
    default:
      if (typeof value === 'string' && value.startsWith('0x') && value.length > 3) {
        holder[name] = `${value.slice(0, -1)}${rng.int(16).toString(16)}`
      }
  }
}

const ATOMS = [
  'address',
  'bool',
  'string',
  'bytes',
  'bytes1',
  'bytes4',
  'bytes32',
  'uint8',
  'uint160',
  'uint256',
  'int8',
  'int128',
  'int256',
]

/** Structs S0, S1, S2 of which each may hold the next ones, with a message; all of it good. */
export function randomTypedData(rng: Rng) {
  const types: Record<string, { name: string; type: string }[]> = {}
  const count = 1 + rng.int(3)
  for (let at = 0; at < count; at++) {
    const inner =
      at + 1 < count ? [{ name: 'inner', type: `S${at + 1}${pick(rng, ['', '', '[]', '[2]', '[][1]'])}` }] : []
    const own = times(1 + rng.int(4), place => ({
      name: `m${place}`,
      type: pick(rng, ATOMS) + pick(rng, ['', '', '', '[]', '[2]']),
    }))
    types[`S${at}`] = rng.int(2) === 0 ? [...inner, ...own] : [...own, ...inner]
  }
  const domain: Fields = {
    ...(rng.int(4) > 0 ? { name: pick(rng, ['Shop', '', 'Grüße']) } : {}),
    ...(rng.int(4) > 0 ? { version: '1' } : {}),
    chainId: pick<unknown>(rng, [1, '1', '0x1']),
    ...(rng.int(4) > 0 ? { verifyingContract: address(rng) } : {}),
    ...(rng.int(4) === 0 ? { salt: randomBytes(rng, 32) } : {}),
  }
  return { types, primaryType: 'S0', domain, message: randomValue(rng, 'S0', types) as Fields }
}

function randomValue(rng: Rng, type: string, types: Record<string, { name: string; type: string }[]>): unknown {
  if (type.endsWith(']')) {
    const open = type.lastIndexOf('[')
    const length = type.slice(open + 1, -1)
    return times(length === '' ? rng.int(3) : Number(length), () => randomValue(rng, type.slice(0, open), types))
  }
  const members = types[type]
  if (members !== undefined) {
    return Object.fromEntries(members.map(({ name, type: inner }) => [name, randomValue(rng, inner, types)]))
  }
  if (type === 'address') return address(rng)
  if (type === 'bool') return rng.int(2) === 0
  if (type === 'string') return pick(rng, ['', 'note', 'Grüße, 世界', '0x12', '"\\\n'])
  if (type === 'bytes') return randomBytes(rng, rng.int(40))
  if (type.startsWith('bytes')) return randomBytes(rng, Number(type.slice(5)))
  const signed = type.startsWith('int')
  const bits = Number(type.replace(/\D+/, ''))
  const value = signed ? integer(rng, bits) - (1n << BigInt(bits - 1)) : integer(rng, bits)
  if (value >= 0n && rng.int(3) === 0) return quantity(value)
  return Number.isSafeInteger(Number(value)) && rng.int(2) === 0 ? Number(value) : String(value)
}
