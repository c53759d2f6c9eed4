import type { Hex } from 'viem'
import { refuse } from '../refusal.ts'
import { AUTHORIZATIONS_MAX, signedAuthorizationOf } from './authorization.ts'
import {
  ACCESS_LIST_MAX,
  addressOf,
  bytesOf,
  type Fields,
  fieldsOf,
  inside,
  isFields,
  listOf,
  quantityOf,
} from './fields.ts'
import type { AccessListEntry, EvmTransaction, EvmType } from './model.ts'
import { hashesOf, matchedHashes, sidecarOf, versionedHashesOf } from './sidecar.ts'

const AT = 'transaction'

const COMMON = ['type', 'chainId', 'from', 'nonce', 'to', 'value', 'data', 'input', 'gas', 'gasLimit']
const FEE_MARKET = [...COMMON, 'maxFeePerGas', 'maxPriorityFeePerGas', 'accessList']
const BLOBS = ['maxFeePerBlobGas', 'blobVersionedHashes', 'blobs', 'commitments', 'proofs']

/** What each type may have; a field of another type is refused like any other that is not known. */
const FIELDS: Readonly<Record<EvmType, ReadonlySet<string>>> = {
  0: new Set([...COMMON, 'gasPrice']),
  1: new Set([...COMMON, 'gasPrice', 'accessList']),
  2: new Set(FEE_MARKET),
  3: new Set([...FEE_MARKET, ...BLOBS]),
  4: new Set([...FEE_MARKET, 'authorizationList']),
}
const SIGNATURE = ['v', 'r', 's', 'yParity', 'hash']

/**
 * The fields of a transaction as JSON-RPC spells them. Nonce, gas, fees and chain id must be there: nothing is filled in
 * but what the protocol has as nothing at all (no value, no data, empty lists).
 * @param own  the chain that the key is pinned to; of `chainId`, judged elsewhere, only authorizations need it.
 * @throws `payload/invalid`
 */
export function transactionFromJson(value: unknown, own: bigint): { transaction: EvmTransaction; from?: string } {
  if (!isFields(value)) throw refuse(AT, 'must be an object with the fields of JSON-RPC')
  for (const name of SIGNATURE) if (name in value) throw refuse(inside(AT, name), 'is there: it is signed already')
  const type = typeOf(value)
  const fields = fieldsOf(value, FIELDS[type], AT, `a transaction of type ${type}`)
  const has = (name: string): boolean => fields[name] !== undefined
  const amount = (name: string, bits?: number): bigint => quantityOf(fields[name], inside(AT, name), bits)
  const maxFeePerGas = amount(type < 2 ? 'gasPrice' : 'maxFeePerGas')
  const transaction: EvmTransaction = {
    type,
    chainId: amount('chainId'),
    nonce: amount('nonce', 64),
    to: has('to') && fields['to'] !== null ? addressOf(fields['to'], inside(AT, 'to')) : null,
    value: has('value') ? amount('value') : 0n,
    data: dataOf(fields),
    gas: gasOf(fields),
    maxFeePerGas,
    maxPriorityFeePerGas: type < 2 ? maxFeePerGas : amount('maxPriorityFeePerGas'),
    maxFeePerBlobGas: type === 3 ? amount('maxFeePerBlobGas') : 0n,
    accessList: has('accessList') ? accessListOf(fields['accessList'], inside(AT, 'accessList')) : [],
    authorizationList: type === 4 ? authorizationsOf(fields['authorizationList'], own) : [],
    ...blobsOf(fields, type),
  }
  return has('from') ? { transaction, from: addressOf(fields['from'], inside(AT, 'from')) } : { transaction }
}

/** Said, or told by the fields that only one type has. */
function typeOf(fields: Fields): EvmType {
  const said = fields['type']
  if (said !== undefined) {
    const type = Number(quantityOf(said, inside(AT, 'type'), 8))
    if (!(type in FIELDS)) throw refuse(inside(AT, 'type'), `is ${type}; types 0 to 4 are known here`)
    return type as EvmType
  }
  const has = (name: string): boolean => name in fields
  if (has('authorizationList')) return 4
  if (BLOBS.some(has)) return 3
  if (has('maxFeePerGas') || has('maxPriorityFeePerGas')) return 2
  if (has('accessList')) return 1
  if (has('gasPrice')) return 0
  throw refuse(inside(AT, 'type'), 'is missing, and no field tells it: send type, or gasPrice, or maxFeePerGas')
}

function dataOf({ data, input }: Fields): Hex {
  const [first, second] = [data, input].map((given, at) =>
    given === undefined ? undefined : bytesOf(given, inside(AT, at === 0 ? 'data' : 'input')),
  )
  if (first !== undefined && second !== undefined && first !== second) {
    throw refuse(inside(AT, 'input'), 'is not the same as data: send one of them')
  }
  return first ?? second ?? '0x'
}

function gasOf({ gas, gasLimit }: Fields): bigint {
  if (gasLimit === undefined) return quantityOf(gas, inside(AT, 'gas'), 64)
  const limit = quantityOf(gasLimit, inside(AT, 'gasLimit'), 64)
  if (gas !== undefined && quantityOf(gas, inside(AT, 'gas'), 64) !== limit) {
    throw refuse(inside(AT, 'gasLimit'), 'is not the same as gas: send one of them')
  }
  return limit
}

const ENTRY = new Set(['address', 'storageKeys'])

const accessListOf = (value: unknown, at: string): readonly AccessListEntry[] =>
  listOf(value, at, ACCESS_LIST_MAX).map((each, place) => {
    const { address, storageKeys } = fieldsOf(each, ENTRY, `${at}[${place}]`, 'an access list')
    const keys = `${at}[${place}].storageKeys`
    return {
      address: addressOf(address, `${at}[${place}].address`),
      storageKeys: listOf(storageKeys, keys, ACCESS_LIST_MAX).map((key, index) =>
        bytesOf(key, `${keys}[${index}]`, 32),
      ),
    }
  })

const authorizationsOf = (value: unknown, own: bigint): EvmTransaction['authorizationList'] =>
  listOf(value, inside(AT, 'authorizationList'), AUTHORIZATIONS_MAX).map((each, place) =>
    signedAuthorizationOf(each, own, `${AT}.authorizationList[${place}]`),
  )

function blobsOf(fields: Fields, type: EvmType): Pick<EvmTransaction, 'blobVersionedHashes' | 'sidecar'> {
  if (type !== 3) return { blobVersionedHashes: [] }
  const at = inside(AT, 'blobVersionedHashes')
  const given = fields['blobVersionedHashes']
  const sidecar = sidecarOf(
    { blobs: fields['blobs'], commitments: fields['commitments'], proofs: fields['proofs'] },
    AT,
  )
  const made = given === undefined && sidecar !== undefined ? hashesOf(sidecar) : given
  const hashes = versionedHashesOf(made, at)
  return sidecar === undefined
    ? { blobVersionedHashes: hashes }
    : { blobVersionedHashes: matchedHashes(hashes, sidecar, at), sidecar }
}
