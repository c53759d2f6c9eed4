import { refuse } from '../refusal.ts'
import { fieldsOf, inside, isFields, listOf, textOf } from './fields.ts'

/** What a value of a type looks like. */
export type Shape =
  | { readonly kind: 'uint' | 'int'; readonly bits: number }
  /** `size` absent: any number of bytes. */
  | { readonly kind: 'bytes'; readonly size?: number }
  | { readonly kind: 'address' | 'bool' | 'string' }
  | { readonly kind: 'struct'; readonly name: string }
  | { readonly kind: 'array'; readonly of: Shape; readonly length?: number }

export interface Member {
  readonly name: string
  readonly type: string
  readonly shape: Shape
}

/** Every struct that the primary type is made of, itself included. */
export type Types = ReadonlyMap<string, readonly Member[]>

export const DOMAIN = 'EIP712Domain'
const AT = 'typedData.types'
const MEMBER = new Set(['name', 'type'])
const STRUCTS_MAX = 256
const MEMBERS_MAX = 256
const NAME_CHARS_MAX = 128
const ARRAYS_MAX = 8

/**
 * The structs of EIP-712, checked: names are identifiers, each member stands once, every type is known, none contains
 * itself, and all of them are used.
 * @returns the structs without the domain, and the members of the domain where it is among them.
 * @throws `payload/invalid` with the path of the type
 */
export function typesOf(value: unknown, primaryType: string): { types: Types; domain: readonly Member[] | undefined } {
  if (!isFields(value)) throw refuse(AT, 'must be an object: name of a struct to the list of its members')
  const entries = Object.entries(value)
  if (entries.length > STRUCTS_MAX) throw refuse(AT, `has ${entries.length} structs; ${STRUCTS_MAX} is the limit`)
  for (const [name] of entries) {
    if (!isIdentifier(name) || isReserved(name)) throw refuse(inside(AT, name), 'is not a name that a struct can have')
  }
  const names = new Set(entries.map(([name]) => name))
  const read = new Map(entries.map(([name, members]) => [name, membersOf(members, inside(AT, name), names)]))
  const domain = read.get(DOMAIN)
  read.delete(DOMAIN)
  if (primaryType === DOMAIN) throw refuse('typedData.primaryType', `is ${DOMAIN}: a domain alone says nothing`)
  if (!read.has(primaryType)) throw refuse('typedData.primaryType', 'is not among the types')
  const used = reached(read, primaryType)
  for (const name of read.keys()) {
    if (!used.has(name)) throw refuse(inside(AT, name), 'is used by nothing that would be signed: leave it out')
  }
  return { types: read, domain }
}

function membersOf(value: unknown, at: string, names: ReadonlySet<string>): readonly Member[] {
  const list = listOf(value, at, MEMBERS_MAX)
  if (list.length === 0 && !at.endsWith(DOMAIN)) throw refuse(at, 'has no members')
  const seen = new Set<string>()
  return list.map((each, place) => {
    const here = `${at}[${place}]`
    const { name: given, type: said } = fieldsOf(each, MEMBER, here, 'a member of a struct')
    const name = textOf(given, `${here}.name`)
    if (!isIdentifier(name)) throw refuse(`${here}.name`, 'is not a name that a member can have')
    if (seen.has(name)) throw refuse(`${here}.name`, `is ${name}, which stands there twice`)
    seen.add(name)
    const type = textOf(said, `${here}.type`)
    return { name, type, shape: shapeOf(type, names, `${here}.type`) }
  })
}

/** @throws for a type that EIP-712 does not have, the aliases `uint` and `int` included. */
function shapeOf(type: string, names: ReadonlySet<string>, at: string): Shape {
  let base = type
  const lengths: (number | undefined)[] = []
  while (base.endsWith(']')) {
    const open = base.lastIndexOf('[')
    const digits = base.slice(open + 1, -1)
    if (open < 0 || !/^([1-9][0-9]{0,5})?$/.test(digits)) throw unknownType(type, at)
    lengths.unshift(digits === '' ? undefined : Number(digits))
    base = base.slice(0, open)
    if (lengths.length > ARRAYS_MAX) throw refuse(at, `is nested in more than ${ARRAYS_MAX} arrays`)
  }
  const innermost = names.has(base) && base !== DOMAIN ? ({ kind: 'struct', name: base } as const) : atomOf(base)
  if (innermost === undefined) throw unknownType(type, at)
  return lengths.reduce<Shape>(
    (of, length) => ({ kind: 'array', of, ...(length === undefined ? {} : { length }) }),
    innermost,
  )
}

function atomOf(type: string): Shape | undefined {
  if (type === 'address' || type === 'bool' || type === 'string') return { kind: type }
  if (type === 'bytes') return { kind: 'bytes' }
  const [, kind = '', digits = ''] = /^(uint|int|bytes)([1-9][0-9]{0,2})$/.exec(type) ?? []
  const size = Number(digits)
  if (kind === 'bytes') return size <= 32 ? { kind, size } : undefined
  if (kind !== 'uint' && kind !== 'int') return undefined
  return size % 8 === 0 && size <= 256 ? { kind, bits: size } : undefined
}

const unknownType = (type: string, at: string) =>
  refuse(
    at,
    `is ${JSON.stringify(type.slice(0, 64))}, which is neither a struct of types nor an atomic type of EIP-712`,
  )

/** Letters, digits, `_` and `$`, as Solidity has them; and no name that objects have from elsewhere. */
const isIdentifier = (text: string): boolean =>
  text.length <= NAME_CHARS_MAX && /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(text) && text !== '__proto__'

/** Names that are atomic types, or that readers may take for one. */
const isReserved = (name: string): boolean =>
  ['address', 'bool', 'string', 'function', 'fixed', 'ufixed', 'tuple'].includes(name) ||
  /^(u?int|bytes)[0-9]*$/.test(name)

const structIn = (shape: Shape): string | undefined =>
  shape.kind === 'array' ? structIn(shape.of) : shape.kind === 'struct' ? shape.name : undefined

/** @returns the structs that `primaryType` is made of, itself included. @throws for one that contains itself. */
export function reached(types: Types, primaryType: string): ReadonlySet<string> {
  const open = new Set<string>()
  const done = new Set<string>()
  const visit = (name: string): void => {
    if (done.has(name)) return
    if (open.has(name)) throw refuse(inside(AT, name), 'contains itself: types must not be cyclic')
    open.add(name)
    for (const { shape } of types.get(name) ?? []) {
      const next = structIn(shape)
      if (next !== undefined) visit(next)
    }
    open.delete(name)
    done.add(name)
  }
  visit(primaryType)
  return done
}
