import { capabilitiesOf } from '../acl.ts'
import { aclOf } from '../authorize.ts'
import type { Call, Result, Route } from '../context.ts'
import { bad, coded, failed } from '../errors.ts'
import { formatTime } from '../go.ts'
import { parsePolicy, PolicyError, policyText } from '../policy.ts'
import type { PolicyText, Token } from '../state.ts'
import { findAccessor, findToken } from '../tokens.ts'

const nameOf = (call: Call): string => call.data.string('name').toLowerCase()

function names(call: Call): string[] {
  return [...Object.keys(call.namespace.policies), ...(call.namespace.path === '' ? ['root'] : [])].toSorted()
}

function found(call: Call): PolicyText | undefined {
  const name = nameOf(call)
  if (name === 'root') return { text: '', modifiedMs: 0, version: 0 }
  return Object.hasOwn(call.namespace.policies, name) ? call.namespace.policies[name] : undefined
}

function shown(call: Call, member: 'policy' | 'rules'): Record<string, unknown> | undefined {
  const policy = found(call)
  if (policy === undefined) return undefined
  return {
    allow_slashes_in_identity_templates: false,
    allow_wildcards_in_identity_templates: false,
    cas_required: false,
    ...(policy.version === 0 ? {} : { modified: formatTime(policy.modifiedMs) }),
    name: nameOf(call),
    [member]: policy.text,
    version: policy.version,
  }
}

function write(call: Call): undefined {
  const { data, namespace, core } = call
  const name = nameOf(call)
  const given = data.string('policy') || data.string('rules')
  if (!data.has('policy') && data.has('rules')) call.warnings.push("'rules' is deprecated, please use 'policy' instead")
  if (given === '') throw bad("'policy' parameter not supplied or empty")
  if (name === 'root') throw bad('cannot update "root" policy')
  const text = policyText(given)
  try {
    parsePolicy(text)
  } catch (problem) {
    if (problem instanceof PolicyError) throw bad(`failed to parse policy: ${problem.message}`)
    throw problem
  }
  const version = (namespace.policies[name]?.version ?? 0) + 1
  namespace.policies[name] = { text, modifiedMs: core.now(), version }
}

function remove(call: Call): undefined {
  const name = nameOf(call)
  if (name === 'root') throw bad('cannot delete "root" policy')
  if (name === 'default') throw bad('cannot delete default policy')
  delete call.namespace.policies[name]
}

const FIELDS = {
  name: 'string',
  policy: 'string',
  rules: 'string',
  cas: 'int',
  cas_required: 'bool',
  expiration: 'string',
  ttl: 'string',
} as const

/** Capabilities a token has on each path asked for; a single one also stands under a name of its own. */
function capabilities(call: Call, token: Token): Result {
  const paths = [...call.data.strings('path'), ...call.data.strings('paths')]
  if (paths.length === 0) throw bad('paths must be supplied')
  const acl = aclOf(call.core, token)
  const inside = call.namespace.path
  const each = Object.fromEntries(paths.map(path => [path, capabilitiesOf(acl, inside + path.replace(/^\//, ''))]))
  return { flat: true, data: { ...each, ...(paths.length === 1 ? { capabilities: each[paths[0]!] } : {}) } }
}

const CAPABILITY_FIELDS = { token: 'string', accessor: 'string', path: 'commaStrings', paths: 'commaStrings' } as const

export const policyRoutes: readonly Route[] = [
  { path: 'policies/acl', list: call => ({ data: { keys: names(call) } }) },
  {
    path: 'policies/acl/:name',
    anyName: true,
    fields: FIELDS,
    read(call) {
      const data = shown(call, 'policy')
      return data === undefined ? undefined : { data }
    },
    update: write,
    remove,
  },
  {
    path: 'policy',
    read: call => ({ flat: true, data: { keys: names(call), policies: names(call) } }),
    list: call => ({ flat: true, data: { keys: names(call), policies: names(call) } }),
  },
  {
    path: 'policy/:name',
    anyName: true,
    fields: FIELDS,
    read(call) {
      const data = shown(call, 'rules')
      return data === undefined ? undefined : { flat: true, data }
    },
    update: write,
    remove,
  },
  { path: 'policies/password', list: () => ({ data: { keys: [] } }) },
  { path: 'capabilities-self', pure: true, fields: CAPABILITY_FIELDS, update: call => capabilities(call, call.token!) },
  {
    path: 'capabilities',
    pure: true,
    fields: CAPABILITY_FIELDS,
    update(call) {
      const id = call.data.string('token')
      if (id === '') throw failed('no token found')
      const token = findToken(call.core, id)
      if (token === undefined) throw coded(400, 'invalid token')
      return capabilities(call, token)
    },
  },
  {
    path: 'capabilities-accessor',
    pure: true,
    fields: CAPABILITY_FIELDS,
    update(call) {
      const token = findAccessor(call.core, call.data.string('accessor'))
      if (token === undefined) throw coded(400, 'invalid accessor')
      return capabilities(call, token)
    },
  },
]
