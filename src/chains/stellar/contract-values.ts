import { StrKey, type xdr } from '@stellar/stellar-sdk/base'
import { toHex } from '../../bytes/hex.ts'
import type { ContractValue } from '../../domain/stellar.ts'
import { strkeyOf } from './values.ts'

type IntegerType = Extract<ContractValue, { kind: 'integer' }>['type']

const integer = (type: IntegerType, value: bigint): ContractValue => ({ kind: 'integer', type, value })
const unknown = (name: string): ContractValue => ({ kind: 'unknown', name })

/**
 * An argument of a contract call. As deep as the decoder lets an envelope be. Kinds that stand only in ledger keys, and
 * lists without a list, which the host does not take, are `unknown`.
 * @see CAP-46-1 (SCVal), CAP-67 (muxed addresses)
 */
export function valueOf(value: xdr.ScVal): ContractValue {
  switch (value.type) {
    case 'scvVoid':
      return { kind: 'void' }
    case 'scvBool':
      return { kind: 'bool', value: value.b }
    case 'scvU32':
      return integer('u32', BigInt(value.u32))
    case 'scvI32':
      return integer('i32', BigInt(value.i32))
    case 'scvU64':
      return integer('u64', value.u64)
    case 'scvI64':
      return integer('i64', value.i64)
    case 'scvTimepoint':
      return integer('timepoint', value.timepoint)
    case 'scvDuration':
      return integer('duration', value.duration)
    case 'scvU128':
      return integer('u128', join(value.u128.hi, value.u128.lo))
    case 'scvI128':
      return integer('i128', join(value.i128.hi, value.i128.lo))
    case 'scvU256': {
      const { hiHi, hiLo, loHi, loLo } = value.u256
      return integer('u256', join(join(join(hiHi, hiLo), loHi), loLo))
    }
    case 'scvI256': {
      const { hiHi, hiLo, loHi, loLo } = value.i256
      return integer('i256', join(join(join(hiHi, hiLo), loHi), loLo))
    }
    case 'scvSymbol':
      return { kind: 'symbol', text: value.sym.toJson() }
    case 'scvString':
      return { kind: 'string', text: value.str.toJson() }
    case 'scvBytes':
      return { kind: 'bytes', hex: toHex(value.bytes.toBytes()) }
    case 'scvAddress':
      return addressOf(value.address)
    case 'scvVec':
      return value.vec === null ? unknown(value.type) : { kind: 'vec', items: value.vec.map(valueOf) }
    case 'scvMap':
      if (value.map === null) return unknown(value.type)
      return { kind: 'map', entries: value.map.map(({ key, val }) => ({ key: valueOf(key), value: valueOf(val) })) }
    case 'scvError':
      return { kind: 'error', name: value.error.type }
    default:
      return unknown(String((value as { type?: unknown }).type).slice(0, 64))
  }
}

/** The high part carries the sign, if there is one; each lower part is 64 bits without. */
const join = (high: bigint, low: bigint): bigint => (high << 64n) | low

function addressOf(address: xdr.ScAddress): ContractValue {
  switch (address.type) {
    case 'scAddressTypeMuxedAccount': {
      const { ed25519, id } = address.muxedAccount
      return { kind: 'address', address: StrKey.encodeEd25519PublicKey(ed25519.toBytes()), muxedId: id }
    }
    case 'scAddressTypeAccount':
    case 'scAddressTypeContract':
    case 'scAddressTypeClaimableBalance':
    case 'scAddressTypeLiquidityPool':
      return { kind: 'address', address: strkeyOf(address), muxedId: null }
    default:
      return unknown('address')
  }
}
