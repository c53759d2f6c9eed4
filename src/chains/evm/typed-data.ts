import type { TypedDataDomain } from 'viem'
import { hashTypedData } from 'viem/utils'
import { type Digest32, digest32 } from '../../domain/brands.ts'
import type { TypedDataView } from '../../domain/evm.ts'
import { refuse } from '../refusal.ts'
import { bytesIn, fieldsOf, inside, textOf } from './fields.ts'
import { DOMAIN, type Member, type Types, typesOf } from './typed-data-types.ts'
import { atomOf, messageOf, readMembers } from './typed-data-values.ts'

const AT = 'typedData'
const FIELDS = new Set(['types', 'primaryType', 'domain', 'message'])

/** EIP-712: what a domain may have, in the order in which it is hashed. */
const DOMAIN_MEMBERS: readonly Member[] = [
  { name: 'name', type: 'string', shape: { kind: 'string' } },
  { name: 'version', type: 'string', shape: { kind: 'string' } },
  { name: 'chainId', type: 'uint256', shape: { kind: 'uint', bits: 256 } },
  { name: 'verifyingContract', type: 'address', shape: { kind: 'address' } },
  { name: 'salt', type: 'bytes32', shape: { kind: 'bytes', size: 32 } },
]

export interface TypedData {
  readonly types: Types
  readonly primaryType: string
  readonly domain: TypedDataView['domain']
  readonly message: Record<string, unknown>
}

/**
 * Typed data with nothing left open: what is not in the types is not in the message, and the other way round. Which chain
 * it is for is asked elsewhere.
 * @throws `payload/invalid` with the path of the field
 * @see EIP-712
 */
export function typedDataOf(value: unknown): TypedData {
  const given = fieldsOf(value, FIELDS, AT, 'typed data')
  const primaryType = textOf(given['primaryType'], `${AT}.primaryType`)
  const { types, domain: declared } = typesOf(given['types'], primaryType)
  const domain = domainOf(given['domain'], declared)
  const message = messageOf(given['message'], types, primaryType, `${AT}.message`)
  return { types, primaryType, domain, message }
}

/** @param declared  the struct of the domain, where the types have it: exactly the members there are, in their order. */
function domainOf(value: unknown, declared: readonly Member[] | undefined): TypedDataView['domain'] {
  const fields = fieldsOf(value, new Set(DOMAIN_MEMBERS.map(({ name }) => name)), `${AT}.domain`, 'a domain')
  const present = DOMAIN_MEMBERS.filter(({ name }) => Object.hasOwn(fields, name))
  if (declared !== undefined && textOfMembers(declared) !== textOfMembers(present)) {
    const at = inside(`${AT}.types`, DOMAIN)
    throw refuse(at, `does not fit the domain, which has: ${textOfMembers(present) || 'nothing'}`)
  }
  return readMembers(fields, present, `${AT}.domain`, atomOf)
}

const textOfMembers = (members: readonly Member[]): string =>
  members.map(({ name, type }) => `${type} ${name}`).join(',')

/** keccak-256 of 0x1901, the hash of the domain and the hash of the message. */
export function typedDataHash({ types, primaryType, domain, message }: TypedData): Digest32 {
  const structs = Object.fromEntries([...types].map(([name, members]) => [name, members.map(typeOf)]))
  const own = DOMAIN_MEMBERS.filter(({ name }) => Object.hasOwn(domain, name)).map(typeOf)
  const given = { types: { ...structs, [DOMAIN]: own }, primaryType, domain: domain as TypedDataDomain, message }
  try {
    return digest32(bytesIn(hashTypedData<Record<string, unknown>, string>(given)))
  } catch (error) {
    // What viem will not hash was refused before; should it refuse more, that is the input's fault too.
    throw refuse(AT, 'cannot be hashed', error)
  }
}

const typeOf = ({ name, type }: Member) => ({ name, type })
