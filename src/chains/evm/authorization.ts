import { secp256k1 } from '@noble/curves/secp256k1.js'
import type { Hex } from 'viem'
import { hashAuthorization } from 'viem/utils'
import { addressOfPublicKey } from '../../bytes/evm-address.ts'
import { fromHex } from '../../bytes/hex.ts'
import { recoverPublicKey } from '../../bytes/recovery.ts'
import { type Digest32, digest32, signature64 } from '../../domain/brands.ts'
import { refuse } from '../refusal.ts'
import { addressOf, bytesOf, fieldsOf, inside, quantityOf, textOf } from './fields.ts'
import type { Authorization, SignedAuthorization } from './model.ts'

const TUPLE = new Set(['chainId', 'address', 'nonce'])
const SIGNED_TUPLE = new Set([...TUPLE, 'yParity', 'r', 's'])
/** EIP-2681: an account never gets to a nonce of 2^64 − 1. */
export const NONCE_MAX = (1n << 64n) - 2n
/** In one transaction: who signed each of them is worked out for people, a millisecond apiece. */
export const AUTHORIZATIONS_MAX = 100
const ORDER = secp256k1.Point.CURVE().n

/** @param own  the chain that the key is pinned to. @throws `payload/invalid` */
export function authorizationOf(value: unknown, own: bigint, at: string): Authorization {
  const fields = fieldsOf(value, TUPLE, at, 'an authorization')
  return checked(
    {
      chainId: quantityOf(fields['chainId'], inside(at, 'chainId')),
      address: addressOf(fields['address'], inside(at, 'address')),
      nonce: quantityOf(fields['nonce'], inside(at, 'nonce'), 64),
    },
    own,
    at,
  )
}

/** One that somebody else, or this key, has signed: as JSON-RPC has it in `authorizationList`. */
export function signedAuthorizationOf(value: unknown, own: bigint, at: string): SignedAuthorization {
  const fields = fieldsOf(value, SIGNED_TUPLE, at, 'a signed authorization')
  const { chainId, address, nonce, yParity, r, s } = fields
  return checkedSigned(
    {
      ...authorizationOf({ chainId, address, nonce }, own, at),
      yParity: parityOf(quantityOf(yParity, inside(at, 'yParity')), inside(at, 'yParity')),
      r: wordOf(r, inside(at, 'r')),
      s: wordOf(s, inside(at, 's')),
    },
    at,
  )
}

export function checked(authorization: Authorization, own: bigint, at: string): Authorization {
  const { chainId, nonce } = authorization
  if (chainId !== 0n && chainId !== own) {
    throw refuse(inside(at, 'chainId'), `is ${chainId}; the key is pinned to chain ${own} (0 is every chain)`)
  }
  if (nonce > NONCE_MAX) throw refuse(inside(at, 'nonce'), 'is above 2^64 - 2, which no account can have (EIP-2681)')
  return authorization
}

/** r and s as every chain takes them. Whether some account made it is another question: `authorityOf`. */
export function checkedSigned(authorization: SignedAuthorization, at: string): SignedAuthorization {
  const [r, s] = [BigInt(authorization.r), BigInt(authorization.s)]
  if (r === 0n || r >= ORDER) throw refuse(inside(at, 'r'), 'is not between 1 and the order of secp256k1')
  if (s === 0n || s > ORDER >> 1n) throw refuse(inside(at, 's'), 'is not between 1 and half the order of secp256k1')
  return authorization
}

export function parityOf(value: bigint, at: string): 0 | 1 {
  if (value !== 0n && value !== 1n) throw refuse(at, 'must be 0 or 1')
  return value === 0n ? 0 : 1
}

/** JSON-RPC writes r and s as quantities, libraries as 32 bytes. */
function wordOf(value: unknown, at: string): Hex {
  return textOf(value, at).length === 66 ? bytesOf(value, at, 32) : word(quantityOf(value, at))
}

/** 32 bytes, big-endian. */
export const word = (value: bigint): Hex => `0x${value.toString(16).padStart(64, '0')}`

/** keccak-256 of 0x05 and the tuple. */
export function digestOf({ chainId, address, nonce }: Authorization): Digest32 {
  // viem's types know numbers, its encoder takes integers of any size.
  const [chain, count] = [chainId, nonce] as unknown as [number, number]
  return digest32(hashAuthorization({ chainId: chain, address, nonce: count, to: 'bytes' }))
}

/** The account that signed; undefined where no account has, and chains skip the tuple. */
export function authorityOf(authorization: SignedAuthorization): Hex | undefined {
  const signature = fromHex(authorization.r.slice(2) + authorization.s.slice(2))
  if (signature === undefined) return undefined
  const publicKey = recoverPublicKey(digestOf(authorization), signature64(signature), authorization.yParity)
  return publicKey === undefined ? undefined : (addressOfPublicKey(publicKey) as Hex)
}

/** As JSON-RPC spells it. */
export const signedTuple = (
  { chainId, address, nonce }: Authorization,
  { r, s, yParity }: { readonly r: Hex; readonly s: Hex; readonly yParity: 0 | 1 },
): Readonly<Record<string, string>> => ({
  chainId: quantity(chainId),
  address,
  nonce: quantity(nonce),
  yParity: quantity(BigInt(yParity)),
  r: quantity(BigInt(r)),
  s: quantity(BigInt(s)),
})

const quantity = (value: bigint): Hex => `0x${value.toString(16)}`
