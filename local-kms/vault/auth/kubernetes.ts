import { globMatches } from '../acl.ts'
import type { Call, Result, Route } from '../context.ts'
import { bad, bare, VaultError } from '../errors.ts'
import { GoError, textOf } from '../go.ts'
import type { Mount } from '../state.ts'
import { audiences, type Claims, checkTimes, readPublicKey, verifyJwt } from './jwt-token.ts'
import { logIn, NEW_TOKEN_ROLE, readTokenRole, shownRole, TOKEN_FIELDS, type TokenRole } from './login.ts'

export interface KubernetesConfig {
  disable_iss_validation: boolean
  disable_local_ca_jwt: boolean
  issuer: string
  kubernetes_ca_cert: string
  kubernetes_host: string
  pem_keys: string[]
  token_reviewer_jwt_set: boolean
  use_annotations_as_alias_metadata: boolean
}

export interface KubernetesRole extends TokenRole {
  alias_name_source: string
  audience: string
  bound_service_account_names: string[]
  bound_service_account_namespaces: string[]
  bound_service_account_namespace_selector: string
}

export const kubernetesConfig = (mount: Mount): KubernetesConfig | undefined =>
  mount.state['config'] as KubernetesConfig | undefined
export const kubernetesRoles = (mount: Mount): Record<string, KubernetesRole> =>
  (mount.state['roles'] ??= {}) as Record<string, KubernetesRole>

const CONFIG_FIELDS = {
  kubernetes_host: 'string',
  kubernetes_ca_cert: 'string',
  token_reviewer_jwt: 'string',
  pem_keys: 'commaStrings',
  issuer: 'string',
  disable_iss_validation: 'bool',
  disable_local_ca_jwt: 'bool',
  use_annotations_as_alias_metadata: 'bool',
} as const

function writeConfig(call: Call): undefined {
  const { data, mount } = call
  if (data.string('kubernetes_host') === '') throw bad('no host provided')
  if (data.bool('disable_local_ca_jwt') && data.string('kubernetes_ca_cert') === '') {
    throw bad('kubernetes_ca_cert must be given when disable_local_ca_jwt is true')
  }
  const keys = data.strings('pem_keys').map(pem => pem.trim())
  if (keys.some(pem => readPublicKey(pem) === undefined)) throw bad('data does not contain any valid public keys')
  mount.state['config'] = {
    disable_iss_validation: data.bool('disable_iss_validation', true),
    disable_local_ca_jwt: data.bool('disable_local_ca_jwt'),
    issuer: data.string('issuer'),
    kubernetes_ca_cert: data.string('kubernetes_ca_cert'),
    kubernetes_host: data.string('kubernetes_host'),
    pem_keys: keys,
    token_reviewer_jwt_set: data.string('token_reviewer_jwt') !== '',
    use_annotations_as_alias_metadata: data.bool('use_annotations_as_alias_metadata'),
  } satisfies KubernetesConfig
}

const ROLE_FIELDS = {
  ...TOKEN_FIELDS,
  name: 'string',
  alias_name_source: 'string',
  audience: 'string',
  bound_service_account_names: 'commaStrings',
  bound_service_account_namespaces: 'commaStrings',
  bound_service_account_namespace_selector: 'string',
} as const

const nameOf = (call: Call): string => call.data.string('name').toLowerCase()

function writeRole(call: Call): undefined {
  const { data, mount } = call
  const before = kubernetesRoles(mount)[nameOf(call)]
  const role: KubernetesRole = {
    ...readTokenRole(call, before ?? NEW_TOKEN_ROLE),
    alias_name_source: data.string('alias_name_source', before?.alias_name_source ?? '') || 'serviceaccount_uid',
    audience: data.string('audience', before?.audience ?? ''),
    bound_service_account_names: data.has('bound_service_account_names')
      ? data.strings('bound_service_account_names')
      : (before?.bound_service_account_names ?? []),
    bound_service_account_namespaces: data.has('bound_service_account_namespaces')
      ? data.strings('bound_service_account_namespaces')
      : (before?.bound_service_account_namespaces ?? []),
    bound_service_account_namespace_selector: data.string('bound_service_account_namespace_selector'),
  }
  if (role.bound_service_account_names.length === 0) throw bad('"bound_service_account_names" can not be empty')
  if (role.bound_service_account_namespace_selector !== '') {
    throw bad('"bound_service_account_namespace_selector" needs a cluster, and local-kms reaches none')
  }
  if (role.bound_service_account_namespaces.length === 0) {
    throw bad(
      '"bound_service_account_namespaces" can not be empty if "bound_service_account_namespace_selector" is not set',
    )
  }
  if (!['serviceaccount_uid', 'serviceaccount_name'].includes(role.alias_name_source)) {
    throw bad(`invalid alias_name_source ${JSON.stringify(role.alias_name_source)}`)
  }
  kubernetesRoles(mount)[nameOf(call)] = role
}

function readRole(call: Call): Result | undefined {
  const role = kubernetesRoles(call.mount)[nameOf(call)]
  if (role === undefined) return undefined
  const { audience, ...rest } = role
  return { data: { ...shownRole(rest), ...(audience === '' ? {} : { audience }) } }
}

/** Claims of a service account, projected or of the older flat form. */
function accountOf(claims: Claims): { name: string; namespace: string; uid: string } {
  const inside = claims['kubernetes.io'] as
    | { namespace?: unknown; serviceaccount?: { name?: unknown; uid?: unknown } }
    | undefined
  const old = (name: string): unknown => claims[`kubernetes.io/serviceaccount/${name}`]
  return {
    name: textOf(inside?.serviceaccount?.name ?? old('service-account.name')),
    namespace: textOf(inside?.namespace ?? old('namespace')),
    uid: textOf(inside?.serviceaccount?.uid ?? old('service-account.uid')),
  }
}

const isListed = (list: readonly string[], value: string): boolean => list.some(each => globMatches(each, value))

function login(call: Call): Result {
  const { data, mount } = call
  const token = data.string('jwt')
  const name = data.string('role')
  if (name === '') throw bad('missing role')
  if (token === '') throw bad('missing jwt')
  const role = Object.hasOwn(kubernetesRoles(mount), name.toLowerCase())
    ? kubernetesRoles(mount)[name.toLowerCase()]!
    : undefined
  if (role === undefined) throw bad(`invalid role name ${JSON.stringify(name)}`)
  const config = kubernetesConfig(mount)
  if (config === undefined) throw new VaultError(500, ['could not load backend configuration'])
  const claims = verified(token, config)
  checkAudience(claims, role, config)
  const account = accountOf(claims)
  if (!isListed(role.bound_service_account_names, account.name)) throw bare(403, 'service account name not authorized')
  if (!isListed(role.bound_service_account_namespaces, account.namespace)) throw bare(403, 'namespace not authorized')
  checkClock(claims, call.core.now())
  // A cluster that reviews a token says whose it is, and that must be the account that was read from it.
  if (claims['sub'] !== `system:serviceaccount:${account.namespace}:${account.name}`)
    throw bare(403, 'permission denied')
  const alias = role.alias_name_source === 'serviceaccount_uid' ? account.uid : `${account.namespace}/${account.name}`
  return logIn(call, role, {
    displayName: `${mount.path.replace(/\/$/, '')}-${account.namespace}-${account.name}`,
    alias,
    meta: {
      role: name,
      service_account_name: account.name,
      service_account_namespace: account.namespace,
      service_account_secret_name: '',
      service_account_uid: account.uid,
    },
  })
}

function verified(token: string, config: KubernetesConfig): Claims {
  try {
    return verifyJwt(token, config.pem_keys, [])
  } catch (problem) {
    if (problem instanceof GoError) throw bare(403, 'permission denied')
    throw problem
  }
}

function checkAudience(claims: Claims, role: KubernetesRole, config: KubernetesConfig): void {
  if (typeof claims['aud'] === 'string') {
    throw new VaultError(500, [
      "decoding failed due to the following error(s):\n\n'aud' source data must be an array or slice, got string",
    ])
  }
  if (role.audience !== '' && !audiences(claims).includes(role.audience)) {
    throw bare(403, 'invalid audience (aud) claim: audience claim does not match any expected audience')
  }
  if (!config.disable_iss_validation && claims['iss'] !== (config.issuer || 'kubernetes/serviceaccount')) {
    throw bare(403, 'invalid issuer (iss) claim')
  }
}

function checkClock(claims: Claims, nowMs: number): void {
  try {
    checkTimes(claims, nowMs, { expiration: 150, notBefore: 150, skew: 60 })
  } catch (problem) {
    if (problem instanceof GoError) throw bare(403, problem.message)
    throw problem
  }
}

export const kubernetesRoutes: readonly Route[] = [
  { path: 'login', open: true, fields: { role: 'string', jwt: 'string' }, update: login },
  {
    path: 'config',
    fields: CONFIG_FIELDS,
    read(call) {
      const config = kubernetesConfig(call.mount)
      if (config === undefined) return undefined
      const { use_annotations_as_alias_metadata: annotations, ...shown } = config
      const ofVault = call.core.flavour === 'vault' ? { use_annotations_as_alias_metadata: annotations } : {}
      return { data: { ...shown, ...ofVault } }
    },
    update: writeConfig,
  },
  { path: 'role', list: call => ({ data: { keys: Object.keys(kubernetesRoles(call.mount)).toSorted() } }) },
  {
    path: 'role/:name',
    fields: ROLE_FIELDS,
    exists: call => kubernetesRoles(call.mount)[nameOf(call)] !== undefined,
    read: readRole,
    update: writeRole,
    remove(call) {
      delete kubernetesRoles(call.mount)[nameOf(call)]
      return undefined
    },
  },
]
