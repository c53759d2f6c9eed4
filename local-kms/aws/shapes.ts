import { fromBase64 } from '../core/random.ts'
import { serialization, validation } from './errors.ts'

/**
 * Member constraints of the service's model, read declaratively. A wrong JSON type ends the request at once
 * (SerializationException); every violated constraint is collected, as the service reports them together.
 */
export interface Shape<T> {
  read(value: unknown, at: string, problems: string[]): T
}
export type Read<S> = S extends Shape<infer T> ? T : never
interface Member<T> extends Shape<T> {
  readonly optional: boolean
}

const constraint = (at: string, shown: string, rule: string): string =>
  `Value ${shown}at '${at}' failed to satisfy constraint: Member must ${rule}`

const kindOf = (value: unknown): string => {
  if (typeof value === 'string') return 'STRING_VALUE'
  if (typeof value === 'number') return Number.isInteger(value) ? 'NUMBER_VALUE' : 'DECIMAL_VALUE'
  if (typeof value === 'boolean') return value ? 'TRUE_VALUE' : 'FALSE_VALUE'
  return ''
}

function wrongType(value: unknown, wanted: string): never {
  if (typeof value === 'object') throw serialization('Start of structure or list found where not expected.')
  throw serialization(`${kindOf(value)} can not be converted to ${wanted}`)
}

export interface StringRules {
  readonly min?: number
  readonly max?: number
  readonly pattern?: RegExp
  /** The value is not repeated in messages. */
  readonly sensitive?: boolean
}

export function string(rules: StringRules = {}): Shape<string> {
  return {
    read(value, at, problems) {
      if (typeof value !== 'string') return wrongType(value, 'a String')
      // Half a surrogate pair has no UTF-8 form: two different texts would become the same bytes
      if (!value.isWellFormed()) throw serialization('Unmatched surrogate in a String')
      const shown = rules.sensitive ? '' : `'${value}' `
      if (rules.min !== undefined && value.length < rules.min) {
        problems.push(constraint(at, shown, `have length greater than or equal to ${rules.min}`))
      }
      if (rules.max !== undefined && value.length > rules.max) {
        problems.push(constraint(at, shown, `have length less than or equal to ${rules.max}`))
      }
      if (rules.pattern !== undefined && !rules.pattern.test(value)) {
        problems.push(constraint(at, shown, `satisfy regular expression pattern: ${rules.pattern.source}`))
      }
      return value
    },
  }
}

export function oneOf<const T extends string>(values: readonly T[]): Shape<T> {
  return {
    read(value, at, problems) {
      if (typeof value !== 'string') return wrongType(value, 'a String')
      if (!values.includes(value as T)) {
        problems.push(constraint(at, `'${value}' `, `satisfy enum value set: [${values.join(', ')}]`))
      }
      return value as T
    },
  }
}

export function integer(min: number, max: number): Shape<number> {
  return {
    read(value, at, problems) {
      if (typeof value !== 'number' || !Number.isFinite(value)) return wrongType(value, 'an Integer')
      const whole = Math.trunc(value)
      if (whole < min) problems.push(constraint(at, `'${whole}' `, `have value greater than or equal to ${min}`))
      if (whole > max) problems.push(constraint(at, `'${whole}' `, `have value less than or equal to ${max}`))
      return whole
    },
  }
}

export const boolean: Shape<boolean> = {
  read: value => (typeof value === 'boolean' ? value : wrongType(value, 'a Boolean')),
}

/** Epoch seconds, with or without a fraction. @returns milliseconds since the epoch. */
export const timestamp: Shape<number> = {
  read: value => (typeof value === 'number' && Number.isFinite(value) ? value * 1000 : wrongType(value, 'a Date')),
}

export function blob(min: number, max: number, rules: { sensitive?: boolean } = {}): Shape<Uint8Array> {
  return {
    read(value, at, problems) {
      if (typeof value !== 'string') return wrongType(value, 'a Blob')
      const bytes = fromBase64(value)
      if (bytes === undefined) throw serialization('Invalid Base64 in a Blob')
      const n = bytes.length
      const shown = rules.sensitive ? '' : `'java.nio.HeapByteBuffer[pos=0 lim=${n} cap=${n}]' `
      if (n < min) problems.push(constraint(at, shown, `have length greater than or equal to ${min}`))
      if (n > max) problems.push(constraint(at, shown, `have length less than or equal to ${max}`))
      return bytes
    },
  }
}

export function list<T>(item: Shape<T>, max?: number): Shape<T[]> {
  return {
    read(value, at, problems) {
      if (!Array.isArray(value)) {
        if (typeof value === 'object') throw serialization('Start of structure or list found where not expected.')
        return wrongType(value, 'a List')
      }
      if (max !== undefined && value.length > max) {
        problems.push(constraint(at, `'[${value.join(', ')}]' `, `have length less than or equal to ${max}`))
      }
      return value.map((entry, i) => item.read(entry, `${at}.${i + 1}.member`, problems))
    },
  }
}

/** String to string. Order is kept as it came, names are whatever they are (`__proto__` is a name like any other). */
export const stringMap: Shape<ReadonlyMap<string, string>> = {
  read(value) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrongType(value, 'a Map')
    const out = new Map<string, string>()
    for (const [key, entry] of Object.entries(value)) {
      if (typeof entry !== 'string') return wrongType(entry, 'a String')
      if (!key.isWellFormed() || !entry.isWellFormed()) throw serialization('Unmatched surrogate in a String')
      out.set(key, entry)
    }
    return out
  },
}

export function required<T>(shape: Shape<T>): Member<T> {
  return {
    optional: false,
    read(value, at, problems) {
      if (value !== undefined && value !== null) return shape.read(value, at, problems)
      problems.push(constraint(at, 'null ', 'not be null'))
      return undefined as T // never used: a problem was recorded
    },
  }
}

export function optional<T>(shape: Shape<T>): Member<T | undefined> {
  return {
    optional: true,
    read: (value, at, problems) =>
      value === undefined || value === null ? undefined : shape.read(value, at, problems),
  }
}

/** Members not listed are passed over, as the service does. */
export function struct<M extends Record<string, Shape<unknown>>>(
  members: M,
): Shape<{ readonly [K in keyof M]: Read<M[K]> }> {
  return {
    read(value, at, problems) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrongType(value, 'a Structure')
      const out: Record<string, unknown> = {}
      for (const [name, shape] of Object.entries(members)) {
        const path = name[0]!.toLowerCase() + name.slice(1)
        const entry = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
        out[name] = shape.read(entry, at === '' ? path : `${at}.${path}`, problems)
      }
      return out as { readonly [K in keyof M]: Read<M[K]> }
    },
  }
}

/** @throws SerializationException, or one ValidationException with every violated constraint. */
export function readInput<T>(shape: Shape<T>, value: unknown): T {
  const problems: string[] = []
  const input = shape.read(value, '', problems)
  if (problems.length > 0) {
    throw validation(
      `${problems.length} validation error${problems.length === 1 ? '' : 's'} detected: ${problems.join('; ')}`,
    )
  }
  return input
}
