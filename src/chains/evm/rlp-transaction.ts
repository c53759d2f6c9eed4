import type { Hex } from 'viem'
import { fromRlp } from 'viem/utils'
import { refuse } from '../refusal.ts'
import { AUTHORIZATIONS_MAX, checked, checkedSigned, parityOf, word } from './authorization.ts'
import { ACCESS_LIST_MAX, addressOf, below, bytesOf, listOf } from './fields.ts'
import { encodeForNetwork } from './encode.ts'
import type { AccessListEntry, EvmTransaction, EvmType, SignedAuthorization } from './model.ts'
import { matchedHashes, sidecarOf, versionedHashesOf } from './sidecar.ts'

const AT = 'unsigned'
/** Of 16 million characters, far more than a request can carry: 8 MiB is 60 blobs. */
const CHARS_MAX = 16_777_216

type Item = Hex | readonly Item[]

/** How many fields each type has before the three of the signature. */
const COUNTS: Readonly<Record<EvmType, number>> = { 0: 6, 1: 8, 2: 9, 3: 11, 4: 10 }

/**
 * An unsigned transaction in the bytes of its type: RLP of EIP-155 for legacy ones, EIP-2718 for the others, with or
 * without the wrapper of its blobs. Accepted only when our own encoding of what was read equals the input byte for byte,
 * so what is judged is what is signed.
 * @param own    the chain that the key is pinned to.
 * @param check  what holds for every transaction, however it came; asked before it is encoded.
 * @throws `payload/invalid`
 */
export function transactionFromRlp(
  value: unknown,
  own: bigint,
  check: (transaction: EvmTransaction, at: string) => EvmTransaction,
): EvmTransaction {
  if (typeof value === 'string' && value.length > CHARS_MAX) throw refuse(AT, `has more than ${CHARS_MAX} characters`)
  const text = bytesOf(value, AT)
  const transaction = check(read(text, own), AT)
  if (encodeForNetwork(transaction) !== text) {
    throw refuse(AT, 'is not in canonical form: reading and encoding it gives other bytes')
  }
  return transaction
}

function read(text: Hex, own: bigint): EvmTransaction {
  const first = Number.parseInt(text.slice(2, 4), 16)
  if (first >= 0xc0) return legacy(itemsOf(text))
  if (!(first >= 1 && first <= 4)) throw refuse(AT, 'is neither a legacy transaction nor of type 1 to 4')
  const items = itemsOf(`0x${text.slice(4)}`)
  switch (first) {
    case 1:
      return accessListed(items)
    case 2:
      return feeMarket(fieldsOf(items, 2), 2)
    case 3:
      return blobs(items)
    default:
      return setCode(items, own)
  }
}

function itemsOf(text: Hex): readonly Item[] {
  let item: Item
  try {
    item = fromRlp(text)
  } catch (error) {
    throw refuse(AT, 'is not canonical RLP', error)
  }
  return listAt(item, 'transaction')
}

/** @throws for a signature, and for any other count. */
function fieldsOf(items: readonly Item[], type: EvmType): readonly Item[] {
  const count = COUNTS[type]
  if (items.length === count) return items
  if (items.length === count + 3) throw refuse(AT, 'is signed already: send it without its signature')
  throw refuse(AT, `has ${items.length} fields; an unsigned transaction of type ${type} has ${count}`)
}

function legacy(items: readonly Item[]): EvmTransaction {
  if (items.length === 6) throw refuse(AT, 'names no chain: send chain id, 0 and 0 as the last three fields (EIP-155)')
  if (items.length !== 9) throw refuse(AT, `has ${items.length} fields; an unsigned legacy transaction has 9`)
  const [nonce, gasPrice, gas, to, value, data, chainId, r, s] = items
  if (r !== '0x' || s !== '0x') throw refuse(AT, 'is signed already: send chain id, 0 and 0 as the last three fields')
  return { ...NOTHING, type: 0, ...fixedPrice(gasPrice), ...parts({ chainId, nonce, gas, to, value, data }) }
}

function accessListed(items: readonly Item[]): EvmTransaction {
  const [chainId, nonce, gasPrice, gas, to, value, data, list] = fieldsOf(items, 1)
  const common = parts({ chainId, nonce, gas, to, value, data })
  return { ...NOTHING, type: 1, ...fixedPrice(gasPrice), ...common, accessList: accessListAt(list) }
}

/** The first nine fields, which types 2, 3 and 4 share. */
function feeMarket(items: readonly Item[], type: EvmType): EvmTransaction {
  const [chainId, nonce, tip, fee, gas, to, value, data, list] = items
  return {
    ...NOTHING,
    type,
    maxPriorityFeePerGas: integerAt(tip, 'maxPriorityFeePerGas'),
    maxFeePerGas: integerAt(fee, 'maxFeePerGas'),
    ...parts({ chainId, nonce, gas, to, value, data }),
    accessList: accessListAt(list),
  }
}

function blobs(items: readonly Item[]): EvmTransaction {
  const [first] = items
  const wrapped = typeof first === 'object'
  const fields = fieldsOf(wrapped ? first : items, 3)
  const hashes = versionedHashesOf(fields[10], `${AT}.blobVersionedHashes`)
  const plain: EvmTransaction = {
    ...feeMarket(fields, 3),
    maxFeePerBlobGas: integerAt(fields[9], 'maxFeePerBlobGas'),
    blobVersionedHashes: hashes,
  }
  if (!wrapped) return plain
  const cells = items.length === 5
  if (cells && items[1] !== '0x01') throw refuse(AT, 'has a wrapper of another version than 1 (EIP-7594)')
  if (!cells && items.length !== 4) throw refuse(AT, `has a wrapper of ${items.length} parts; 4 or 5 are known`)
  const [list, commitments, proofs] = items.slice(cells ? 2 : 1)
  const sidecar = sidecarOf({ blobs: list, commitments, proofs }, AT, cells ? 'cells' : 'blobs')
  if (sidecar === undefined) return plain
  return { ...plain, blobVersionedHashes: matchedHashes(hashes, sidecar, `${AT}.blobVersionedHashes`), sidecar }
}

function setCode(items: readonly Item[], own: bigint): EvmTransaction {
  const fields = fieldsOf(items, 4)
  const list = listOf(listAt(fields[9], 'authorizationList'), `${AT}.authorizationList`, AUTHORIZATIONS_MAX)
  const authorizationList = list.map((each, at) => authorizationAt(each as Item, own, at))
  return { ...feeMarket(fields, 4), authorizationList }
}

function authorizationAt(item: Item, own: bigint, place: number): SignedAuthorization {
  const name = `authorizationList[${place}]`
  const [chainId, address, nonce, yParity, r, s, ...rest] = listAt(item, name)
  if (s === undefined || rest.length > 0)
    throw refuse(`${AT}.${name}`, 'has not the six fields of a signed authorization')
  const tuple = {
    chainId: integerAt(chainId, `${name}.chainId`),
    address: addressOf(address, `${AT}.${name}.address`),
    nonce: integerAt(nonce, `${name}.nonce`, 64),
  }
  const signature = {
    yParity: parityOf(integerAt(yParity, `${name}.yParity`), `${AT}.${name}.yParity`),
    r: word(integerAt(r, `${name}.r`)),
    s: word(integerAt(s, `${name}.s`)),
  }
  return checkedSigned({ ...checked(tuple, own, `${AT}.${name}`), ...signature }, `${AT}.${name}`)
}

const NOTHING = {
  maxFeePerBlobGas: 0n,
  accessList: [],
  blobVersionedHashes: [],
  authorizationList: [],
} as const

function fixedPrice(item: Item | undefined) {
  const price = integerAt(item, 'gasPrice')
  return { maxFeePerGas: price, maxPriorityFeePerGas: price }
}

type Parts = Readonly<Record<'chainId' | 'nonce' | 'gas' | 'to' | 'value' | 'data', Item | undefined>>

const parts = ({ chainId, nonce, gas, to, value, data }: Parts) => ({
  chainId: integerAt(chainId, 'chainId'),
  nonce: integerAt(nonce, 'nonce', 64),
  gas: integerAt(gas, 'gas', 64),
  to: to === '0x' ? null : addressOf(to, `${AT}.to`),
  value: integerAt(value, 'value'),
  data: bytesOf(data, `${AT}.data`),
})

function listAt(item: Item | undefined, name: string): readonly Item[] {
  if (typeof item !== 'object') throw refuse(`${AT}.${name}`, 'is not a list')
  return item
}

/** RLP has no other form for an integer: big-endian, no leading zero, zero is no byte at all. */
function integerAt(item: Item | undefined, name: string, bits = 256): bigint {
  if (typeof item !== 'string') throw refuse(`${AT}.${name}`, 'is not an integer')
  if (item.startsWith('0x00')) throw refuse(`${AT}.${name}`, 'has leading zeros')
  if (item.length > 66) throw refuse(`${AT}.${name}`, `is above ${bits} bits`)
  return item === '0x' ? 0n : below(BigInt(item), `${AT}.${name}`, bits)
}

const accessListAt = (item: Item | undefined): readonly AccessListEntry[] =>
  listOf(listAt(item, 'accessList'), `${AT}.accessList`, ACCESS_LIST_MAX).map((each, at) => {
    const [address, keys, ...rest] = listAt(each as Item, `accessList[${at}]`)
    if (rest.length > 0) throw refuse(`${AT}.accessList[${at}]`, 'has more than an address and its keys')
    return {
      address: addressOf(address, `${AT}.accessList[${at}].address`),
      storageKeys: listOf(
        listAt(keys, `accessList[${at}].storageKeys`),
        `${AT}.accessList[${at}].storageKeys`,
        ACCESS_LIST_MAX,
      ).map((key, place) => bytesOf(key, `${AT}.accessList[${at}].storageKeys[${place}]`, 32)),
    }
  })
