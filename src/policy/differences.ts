/** One thing that a change of policy allows more of, or less. */
export interface Difference {
  /** The field, and what in it: `payments.assets.native`. */
  readonly path: string
  readonly change: 'more' | 'less'
  readonly sentence: string
}

export const more = (path: string, sentence: string): Difference => ({ path, change: 'more', sentence })
export const less = (path: string, sentence: string): Difference => ({ path, change: 'less', sentence })

const shown = (value: unknown): string => String(value)

/** Lists whose entries each grant something. */
export function ofSets<T>(path: string, before: readonly T[] = [], after: readonly T[] = []): Difference[] {
  const was = new Set(before)
  const is = new Set(after)
  return [
    ...[...is].filter(one => !was.has(one)).map(one => more(path, `${shown(one)} is granted now.`)),
    ...[...was].filter(one => !is.has(one)).map(one => less(path, `${shown(one)} is not granted any more.`)),
  ]
}

/** A list, or everything. */
export function ofSetsOrAny<T>(
  path: string,
  before: readonly T[] | 'any' | undefined,
  after: readonly T[] | 'any' | undefined,
): Difference[] {
  if (before === 'any')
    return after === 'any' ? [] : [less(path, 'Only what is listed is granted now, not everything.')]
  if (after === 'any') return [more(path, 'Everything is granted now, not only what is listed.')]
  return ofSets(path, before, after)
}

/** The most there may be; without it there may be none. */
export function ofLimits(
  path: string,
  before: bigint | number | undefined,
  after: bigint | number | undefined,
): Difference[] {
  if (before === after) return []
  if (before === undefined) return [more(path, `Up to ${after} is granted now.`)]
  if (after === undefined) return [less(path, `Up to ${before} was granted, and is not any more.`)]
  return after > before
    ? [more(path, `The limit rises from ${before} to ${after}.`)]
    : [less(path, `The limit falls from ${before} to ${after}.`)]
}

interface Range {
  readonly min: bigint | number
  readonly max: bigint | number
}

export const isWithin = (inner: Range, outer: Range | undefined): boolean =>
  inner.min > inner.max || (outer !== undefined && outer.min <= inner.min && inner.max <= outer.max)

export function ofRanges(path: string, before: Range | undefined, after: Range | undefined): Difference[] {
  const text = (range: Range): string => `${range.min} to ${range.max}`
  const found: Difference[] = []
  if (after !== undefined && !isWithin(after, before)) found.push(more(path, `${text(after)} is granted now.`))
  if (before !== undefined && !isWithin(before, after)) {
    found.push(less(path, `Not all of ${text(before)} is granted any more.`))
  }
  return found
}
