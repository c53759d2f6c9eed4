import { z } from 'zod'
import { deny, type Finding, quote, undecided } from '../finding.ts'
import { among, bytes, int, lowerAddress, parties } from './fields.ts'
import type { AbiType } from './signature.ts'

const TEXT_MAX = 1_000
const TEXTS_MAX = 1_000
const BYTES_MAX = 1_000
const ITEMS_MAX = 1_024

/**
 * What an argument or a field may be. There is no bound by silence: what may be anything says `any`.
 *
 * `nested`: it describes a call inside the call, which is judged as a call.
 */
export type Bound =
  | 'any'
  | 'nested'
  | { readonly addresses: ReadonlySet<string> }
  /** Both ends belong to it. */
  | { readonly between: readonly [bigint, bigint] }
  | { readonly is: boolean }
  | { readonly bytes: readonly string[] }
  | { readonly texts: readonly string[] }
  /** A list of so many entries, each within `each`. */
  | { readonly items: readonly [number, number]; readonly each: Bound }
  /** Typed data: a list of so many entries, each judged by the bounds of its own path. */
  | { readonly entries: readonly [number, number] }
  /** A tuple, place by place. */
  | { readonly fields: readonly Bound[] }

const length = z.number().int().min(0).max(ITEMS_MAX)

type BoundInput =
  | 'any'
  | 'nested'
  | { addresses: string[] }
  | { between: [string, string] }
  | { is: boolean }
  | { bytes: string[] }
  | { texts: string[] }
  | { items: [number, number]; each: BoundInput }
  | { entries: [number, number] }
  | { fields: BoundInput[] }

export const bound: z.ZodType<Bound, BoundInput> = z.lazy(() =>
  z.union([
    z.literal(['any', 'nested']),
    z.strictObject({ addresses: parties }),
    z.strictObject({ between: z.tuple([int, int]) }),
    z.strictObject({ is: z.boolean() }),
    z.strictObject({ bytes: z.array(bytes).max(BYTES_MAX) }),
    z.strictObject({ texts: z.array(z.string().max(TEXT_MAX)).max(TEXTS_MAX) }),
    z.strictObject({ items: z.tuple([length, length]), each: bound }),
    z.strictObject({ entries: z.tuple([length, length]) }),
    z.strictObject({ fields: z.array(bound).max(64) }),
  ]),
)

/** Can a value of the type be judged by the bound at all? */
export function fits(bound: Bound, type: AbiType): boolean {
  if (bound === 'any') return true
  if (bound === 'nested') return false
  switch (type.kind) {
    case 'uint':
    case 'int':
      return 'between' in bound
    case 'address':
      return 'addresses' in bound
    case 'bool':
      return 'is' in bound
    case 'bytes':
      return 'bytes' in bound
    case 'fixed-bytes':
      return 'bytes' in bound && bound.bytes.every(text => text.length === 2 + 2 * type.size)
    case 'string':
      return 'texts' in bound
    case 'array':
      return 'items' in bound && fits(bound.each, type.of)
    case 'tuple':
      return (
        'fields' in bound &&
        bound.fields.length === type.of.length &&
        type.of.every((field, at) => fits(bound.fields[at] ?? 'nested', field))
      )
  }
}

/**
 * @param value  as the ABI decoder or the view of typed data gives it: integers as bigint, addresses and bytes as 0x…
 * @param own    the account of the key, in lower case.
 * @param place  names the value in the reason.
 */
export function within(bound: Bound, value: unknown, own: string, place: string): Finding {
  if (bound === 'any') return undefined
  if (bound === 'nested') return undecided(`${place} holds a call that cannot be read here`)
  if ('addresses' in bound) {
    const address = lowerAddress(value)
    if (address === undefined) return undecided(`${place} is not an address`)
    return among(bound.addresses, address, own) ? undefined : deny(`${place} is ${address}, which is not listed`)
  }
  if ('between' in bound) {
    const [least, most] = bound.between
    if (typeof value !== 'bigint') return undecided(`${place} is not an integer`)
    if (value >= least && value <= most) return undefined
    return deny(`${place} is ${value}, which is not between ${least} and ${most}`)
  }
  if ('is' in bound) {
    if (typeof value !== 'boolean') return undecided(`${place} is not a truth value`)
    return value === bound.is ? undefined : deny(`${place} is ${value}`)
  }
  if ('bytes' in bound || 'texts' in bound) {
    if (typeof value !== 'string') return undecided(`${place} is not ${'bytes' in bound ? 'bytes' : 'a text'}`)
    const listed = 'bytes' in bound ? bound.bytes : bound.texts
    return listed.includes(value) ? undefined : deny(`${place} is ${quote(value)}, which is not listed`)
  }
  if (!Array.isArray(value)) return undecided(`${place} is not a list`)
  if ('fields' in bound) return withinFields(bound.fields, value, own, place)
  if ('entries' in bound) return counted(bound.entries, value, place)
  return counted(bound.items, value, place) ?? withinItems(bound.each, value, own, place)
}

function counted([least, most]: readonly [number, number], values: readonly unknown[], place: string): Finding {
  if (values.length >= least && values.length <= most) return undefined
  return deny(`${place} has ${values.length} entries, which is not between ${least} and ${most}`)
}

function withinItems(each: Bound, values: readonly unknown[], own: string, place: string): Finding {
  for (const [at, value] of values.entries()) {
    const finding = within(each, value, own, `entry ${at + 1} of ${place}`)
    if (finding !== undefined) return finding
  }
  return undefined
}

function withinFields(bounds: readonly Bound[], values: readonly unknown[], own: string, place: string): Finding {
  if (values.length !== bounds.length) return undecided(`${place} is not a tuple of ${bounds.length}`)
  for (const [at, bound] of bounds.entries()) {
    const finding = within(bound, values[at], own, `field ${at + 1} of ${place}`)
    if (finding !== undefined) return finding
  }
  return undefined
}

const subset = <T>(inner: Iterable<T>, outer: ReadonlySet<T>): boolean => [...inner].every(one => outer.has(one))

/** Is every value that `inner` lets pass let pass by `outer`? False also where this cannot be seen. */
export function narrower(inner: Bound, outer: Bound): boolean {
  if (outer === 'any') return inner !== 'nested'
  if (inner === outer) return true
  if (typeof inner === 'string' || typeof outer === 'string') return false
  if ('addresses' in inner) return 'addresses' in outer && subset(inner.addresses, outer.addresses)
  if ('between' in inner) {
    return 'between' in outer && inner.between[0] >= outer.between[0] && inner.between[1] <= outer.between[1]
  }
  if ('is' in inner) return 'is' in outer && inner.is === outer.is
  if ('bytes' in inner) return 'bytes' in outer && subset(inner.bytes, new Set(outer.bytes))
  if ('texts' in inner) return 'texts' in outer && subset(inner.texts, new Set(outer.texts))
  if ('items' in inner) {
    if (!('items' in outer) || !narrower(inner.each, outer.each)) return false
    return inner.items[0] >= outer.items[0] && inner.items[1] <= outer.items[1]
  }
  if ('entries' in inner) {
    return 'entries' in outer && inner.entries[0] >= outer.entries[0] && inner.entries[1] <= outer.entries[1]
  }
  return (
    'fields' in outer &&
    inner.fields.length === outer.fields.length &&
    inner.fields.every((one, at) => narrower(one, outer.fields[at] ?? 'nested'))
  )
}
