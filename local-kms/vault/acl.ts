import type { OperationKind } from './context.ts'
import type { HclValue } from './hcl.ts'
import type { Capability, Parameters, PathRule } from './policy.ts'

/** What several policies say of one path, put together. */
interface Grant {
  readonly rule: PathRule
  capabilities: Set<Capability>
  allowed: Record<string, readonly HclValue[]> | undefined
  denied: Record<string, readonly HclValue[]> | undefined
  required: string[]
}

export interface Acl {
  readonly root: boolean
  readonly grants: readonly Grant[]
}

/** @param policies  each with the path of the namespace it belongs to */
export function createAcl(policies: readonly { prefix: string; rules: readonly PathRule[] }[], root: boolean): Acl {
  const grants = new Map<string, Grant>()
  for (const { prefix, rules } of policies) {
    for (const each of rules) {
      if (each.path.includes('{{')) continue // templates name an entity's own paths, which are not played
      const rule = { ...each, path: prefix + each.path }
      const key = `${rule.prefix ? '*' : ''} ${rule.path}`
      const known = grants.get(key)
      if (known === undefined) {
        grants.set(key, {
          rule,
          capabilities: new Set(rule.capabilities),
          allowed: rule.allowed,
          denied: rule.denied,
          required: [...rule.required],
        })
      } else join(known, rule)
    }
  }
  return { root, grants: [...grants.values()] }
}

function join(known: Grant, rule: PathRule): void {
  if (known.capabilities.has('deny')) return
  if (rule.capabilities.includes('deny')) {
    known.capabilities = new Set(['deny'])
    return
  }
  for (const capability of rule.capabilities) known.capabilities.add(capability)
  known.allowed = union(known.allowed, rule.allowed)
  known.denied = union(known.denied, rule.denied)
  known.required.push(...rule.required)
}

/** An empty list means any value, and stays that. */
function union(a: Parameters | undefined, b: Parameters | undefined): Record<string, readonly HclValue[]> | undefined {
  if (a === undefined || b === undefined) return a ?? b
  const out: Record<string, readonly HclValue[]> = { ...a }
  for (const [name, values] of Object.entries(b)) {
    const known = out[name]
    out[name] = known === undefined ? values : known.length === 0 || values.length === 0 ? [] : [...known, ...values]
  }
  return out
}

const NEEDED: Partial<Record<OperationKind, Capability>> = {
  read: 'read',
  update: 'update',
  create: 'create',
  delete: 'delete',
  list: 'list',
  patch: 'patch',
}

/** @param path  with the namespace's path before it */
export function allows(
  acl: Acl,
  path: string,
  operation: OperationKind,
  parameters: Readonly<Record<string, unknown>>,
): { allowed: boolean; sudo: boolean } {
  if (acl.root) return { allowed: true, sudo: true }
  const grant = find(acl, path, operation === 'list')
  const needed = NEEDED[operation]
  if (grant === undefined || needed === undefined || grant.capabilities.has('deny'))
    return { allowed: false, sudo: false }
  const sudo = grant.capabilities.has('sudo')
  return { allowed: grant.capabilities.has(needed) && parametersFit(grant, parameters), sudo }
}

/** Sorted by name; `root` and `deny` stand alone. */
export function capabilitiesOf(acl: Acl, path: string): string[] {
  if (acl.root) return ['root']
  const grant = find(acl, path, true)
  if (grant === undefined || grant.capabilities.size === 0 || grant.capabilities.has('deny')) return ['deny']
  return [...grant.capabilities].toSorted()
}

/** The exact path first; for lists also without its last slash; then the pattern with the highest priority. */
function find(acl: Acl, path: string, list: boolean): Grant | undefined {
  const exact = (wanted: string): Grant | undefined =>
    acl.grants.find(({ rule }) => !rule.prefix && !rule.segments && rule.path === wanted)
  const bare = path.endsWith('/') ? path.slice(0, -1) : path
  const direct = exact(path) ?? (list ? exact(bare) : undefined)
  if (direct !== undefined) return direct
  return acl.grants
    .filter(({ rule }) => (rule.prefix || rule.segments) && matches(rule, path))
    .toSorted((a, b) => priority(a.rule, b.rule))
    .at(-1)
}

function matches(rule: PathRule, path: string): boolean {
  if (!rule.segments) return path.startsWith(rule.path)
  const wanted = rule.path.split('/')
  const given = path.split('/')
  if (rule.prefix ? given.length < wanted.length : given.length !== wanted.length) return false
  return wanted.every((part, i) => {
    if (part === '+') return true
    return rule.prefix && i === wanted.length - 1 ? given[i]!.startsWith(part) : part === given[i]
  })
}

/**
 * Less than nought: `a` gives way. A pattern gives way when its first wildcard comes earlier, when it ends in `*` and the
 * other does not, when it has more `+`, when it is shorter, and last by the order of its letters.
 */
function priority(a: PathRule, b: PathRule): number {
  const plusses = ({ path }: PathRule): number => path.split('/').filter(part => part === '+').length
  const first = (rule: PathRule): number => {
    const at = rule.segments ? `/${rule.path}/`.indexOf('/+/') : -1
    return at < 0 ? rule.path.length : at
  }
  return (
    first(a) - first(b) ||
    Number(b.prefix) - Number(a.prefix) ||
    plusses(b) - plusses(a) ||
    a.path.length - b.path.length ||
    (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)
  )
}

function parametersFit(grant: Grant, given: Readonly<Record<string, unknown>>): boolean {
  const parameters = Object.entries(given).map(([name, value]) => [name.toLowerCase(), value] as const)
  const names = new Set(parameters.map(([name]) => name))
  if (!grant.required.every(name => names.has(name))) return false
  const { allowed, denied } = grant
  if (denied !== undefined && parameters.length > 0) {
    if (Object.hasOwn(denied, '*')) return false
    if (parameters.some(([name, value]) => Object.hasOwn(denied, name) && isListed(value, denied[name]!))) return false
  }
  if (allowed === undefined) return true
  return parameters.every(([name, value]) =>
    Object.hasOwn(allowed, name) ? isListed(value, allowed[name]!) : Object.hasOwn(allowed, '*'),
  )
}

/** Text by glob, true and false by value; numbers never fit, since the server compares them as different types. */
function isListed(value: unknown, list: readonly HclValue[]): boolean {
  if (list.length === 0) return true
  return list.some(entry =>
    typeof entry === 'string' && typeof value === 'string'
      ? globMatches(entry, value)
      : typeof entry === 'boolean' && entry === value,
  )
}

/** A `*` at the beginning, the end or both. */
export function globMatches(pattern: string, text: string): boolean {
  const [head, tail] = [pattern.startsWith('*'), pattern.endsWith('*')]
  if (pattern === '*') return true
  const middle = pattern.slice(head ? 1 : 0, tail ? -1 : undefined)
  if (head && tail) return text.includes(middle)
  if (head) return text.endsWith(middle)
  return tail ? text.startsWith(middle) : text === pattern
}
