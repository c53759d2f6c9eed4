import type { OperationKind, Route } from './context.ts'
import type { Handler } from './context.ts'
import { bad, unsupportedOperation } from './errors.ts'
import type { FieldType } from './fields.ts'

export interface Matched {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

const NAME = /^\w(?:[\w.-]*\w)?$/

/** @param path  below the mount. Undefined: the engine has no such path. */
export function matchRoute(routes: readonly Route[], path: string): Matched | undefined {
  for (const route of routes) {
    const params = matchPath(route, path)
    if (params !== undefined) return { route, params }
  }
  return undefined
}

function matchPath(route: Route, path: string): Record<string, string> | undefined {
  const wanted = route.path.split('/')
  const given = (path.endsWith('/') ? path.slice(0, -1) : path).split('/')
  const params: Record<string, string> = {}
  for (const [i, part] of wanted.entries()) {
    if (part.startsWith('*')) {
      const rest = given.slice(i).join('/')
      return rest === '' ? undefined : { ...params, [part.slice(1)]: rest }
    }
    const value = given[i]
    if (part.startsWith(':')) {
      const name = part.slice(1).replace('?', '')
      if (value === undefined && part.endsWith('?')) return params
      if (value === undefined || value === '' || !(route.anyName || NAME.test(value))) return undefined
      params[name] = value
    } else if (part !== value) return undefined
  }
  return given.length === wanted.length ? params : undefined
}

/** @throws VaultError 405 */
export function handlerOf(route: Route, operation: OperationKind): Handler {
  const handler = {
    read: route.read,
    update: route.update,
    create: route.update,
    delete: route.remove,
    list: route.list,
    patch: undefined,
    other: undefined,
  }[operation]
  if (handler === undefined) throw unsupportedOperation()
  return handler
}

export function labelOf(route: Route): string {
  return (
    route.label ??
    route.path
      .split('/')
      .filter(part => !/^[:*]/.test(part))
      .join('/')
  )
}

/** What the path says wins over what the body says, and the caller is told so. */
export function mergeParams(
  route: Route,
  params: Readonly<Record<string, string>>,
  given: Readonly<Record<string, unknown>>,
): { raw: Record<string, unknown>; fields: Record<string, FieldType>; warnings: string[] } {
  const fields: Record<string, FieldType> = { ...route.fields }
  for (const name of paramNames(route)) fields[name] ??= 'string'
  const ignored = Object.keys(given).filter(name => !Object.hasOwn(fields, name))
  const replaced = Object.keys(params).filter(name => Object.hasOwn(given, name))
  const warnings = []
  if (ignored.length > 0)
    warnings.push(`Endpoint ignored these unrecognized parameters: [${ignored.toSorted().join(' ')}]`)
  if (replaced.length > 0) {
    const names = replaced.toSorted().join(' ')
    warnings.push(
      `Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [${names}]`,
    )
  }
  return { raw: { ...given, ...params }, fields, warnings }
}

const paramNames = (route: Route): string[] =>
  route.path
    .split('/')
    .filter(part => /^[:*]/.test(part))
    .map(part => part.slice(1).replace('?', ''))

/** Percent-encoded path to plain text. @throws VaultError 400 */
export function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    throw bad('invalid URL escape')
  }
}
