import canonicalize from 'canonicalize'

/** Arrays and objects inside each other; the outermost counts as one. */
const DEPTH_MAX = 8
/** Members and elements, all together. */
const PARTS_MAX = 500

/**
 * RFC 8785: one text for one value, members in the order of their UTF-16 code units, numbers as ECMAScript writes them.
 * @throws Error on what is no JSON: NaN, an infinity, half of a surrogate pair, a cycle
 */
export const canonicalJson = (value: object): string => canonicalize(value) ?? ''

/** What stands in the way of signing a value, and where it is. */
export interface Obstacle {
  /** The place below the value: `` for itself, `.a[0]` inside. */
  readonly at: string
  readonly reason: string
}

/**
 * Stricter than I-JSON (RFC 7493): whatever is signed must mean the same to every reader, in whatever language. So numbers
 * are whole and below 2^53, text is well-formed, and there is a limit to depth and number of parts.
 * @returns undefined when nothing is wrong
 */
export function obstacleIn(value: unknown): Obstacle | undefined {
  let parts = 0
  const look = (part: unknown, at: string, depth: number): Obstacle | undefined => {
    if (++parts > PARTS_MAX) return { at: '', reason: `has more than ${PARTS_MAX} parts` }
    if (part === null || typeof part === 'boolean') return undefined
    if (typeof part === 'string')
      return part.isWellFormed() ? undefined : { at, reason: 'holds half of a surrogate pair' }
    if (typeof part === 'number') {
      return Number.isSafeInteger(part)
        ? undefined
        : { at, reason: 'is not a whole number of at most 2^53 - 1: write it as text' }
    }
    if (typeof part !== 'object') return { at, reason: 'is not JSON' }
    if (depth > DEPTH_MAX) return { at, reason: `is nested more than ${DEPTH_MAX} deep` }
    if (Array.isArray(part)) return first(part, (each, index) => look(each, `${at}[${index}]`, depth + 1))
    if (!isPlain(part)) return { at, reason: 'is not a JSON object' }
    return first(Object.entries(part), ([name, each]) => {
      if (name === '__proto__' || !name.isWellFormed()) return { at, reason: 'has a member whose name is not allowed' }
      return look(each, `${at}.${name.slice(0, 40).toWellFormed()}`, depth + 1)
    })
  }
  return look(value, '', 1)
}

function first<T>(list: readonly T[], ask: (each: T, index: number) => Obstacle | undefined): Obstacle | undefined {
  for (const [index, each] of list.entries()) {
    const found = ask(each, index)
    if (found !== undefined) return found
  }
  return undefined
}

/** Nothing that writes itself as something else, such as a date, and nothing hidden. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return (prototype === Object.prototype || prototype === null) && Object.getOwnPropertySymbols(value).length === 0
}
