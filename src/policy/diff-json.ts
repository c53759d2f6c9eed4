/** Where two documents differ: fields by name, entries of a list by what they hold. */
export function jsonChanges(
  path: string,
  before: unknown,
  after: unknown,
): { path: string; what: 'new' | 'gone' | 'another' }[] {
  if (textOf(before) === textOf(after)) return []
  if (before === undefined) return [{ path, what: 'new' }]
  if (after === undefined) return [{ path, what: 'gone' }]
  if (Array.isArray(before) && Array.isArray(after)) {
    const was = new Set(before.map(textOf))
    const is = new Set(after.map(textOf))
    return [
      ...after.flatMap((entry, at) =>
        was.has(textOf(entry)) ? [] : [{ path: `${path}.${at}`, what: 'new' as const }],
      ),
      ...before.flatMap((entry, at) =>
        is.has(textOf(entry)) ? [] : [{ path: `${path}.${at}`, what: 'gone' as const }],
      ),
    ]
  }
  if (!isRecord(before) || !isRecord(after)) return [{ path, what: 'another' }]
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...names].flatMap(name => jsonChanges(`${path}.${name}`, before[name], after[name]))
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Fields in alphabetical order, so that equal is equal. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    isRecord(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : Number(a > b))))
      : inner,
  ) ?? ''
