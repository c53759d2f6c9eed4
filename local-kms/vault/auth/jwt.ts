import { globMatches } from '../acl.ts'
import type { Call, Result, Route } from '../context.ts'
import { bad } from '../errors.ts'
import { GoError, textOf } from '../go.ts'
import type { Mount } from '../state.ts'
import { audiences, type Claims, checkTimes, readPublicKey, verifyJwt } from './jwt-token.ts'
import { logIn, NEW_TOKEN_ROLE, readTokenRole, shownRole, TOKEN_FIELDS, type TokenRole } from './login.ts'

export interface JwtConfig {
  bound_issuer: string
  default_role: string
  jwt_supported_algs: string[]
  jwt_validation_pubkeys: string[]
}

export interface JwtRole extends TokenRole {
  role_type: string
  user_claim: string
  bound_audiences: string[] | null
  bound_subject: string
  bound_claims: Record<string, unknown> | null
  bound_claims_type: string
  claim_mappings: Record<string, unknown> | null
  clock_skew_leeway: number
  expiration_leeway: number
  not_before_leeway: number
}

export const jwtConfig = (mount: Mount): JwtConfig | undefined => mount.state['config'] as JwtConfig | undefined
export const jwtRoles = (mount: Mount): Record<string, JwtRole> =>
  (mount.state['roles'] ??= {}) as Record<string, JwtRole>

const CONFIG_FIELDS = {
  bound_issuer: 'string',
  default_role: 'string',
  jwks_ca_pem: 'string',
  jwks_url: 'string',
  jwks_pairs: 'list',
  jwt_supported_algs: 'commaStrings',
  jwt_validation_pubkeys: 'commaStrings',
  namespace_in_state: 'bool',
  oidc_client_id: 'string',
  oidc_client_secret: 'string',
  oidc_discovery_ca_pem: 'string',
  oidc_discovery_url: 'string',
  oidc_response_mode: 'string',
  oidc_response_types: 'commaStrings',
  provider_config: 'map',
} as const

const SOURCES = ['jwt_validation_pubkeys', 'jwks_url', 'jwks_pairs', 'oidc_discovery_url', 'provider_config']

function writeConfig(call: Call): undefined {
  const { data, mount } = call
  const given = SOURCES.filter(name => data.has(name) && textOf(data.raw[name]) !== '')
  if (given.length !== 1) {
    throw bad(
      "exactly one of 'jwt_validation_pubkeys', 'jwks_url', 'jwks_pairs', 'oidc_discovery_url', or 'provider_config' must be set",
    )
  }
  if (given[0] !== 'jwt_validation_pubkeys') throw bad(`error checking ${given[0]}: local-kms reaches no other server`)
  const keys = data.strings('jwt_validation_pubkeys').map(pem => pem.trim())
  if (keys.some(pem => readPublicKey(pem) === undefined)) {
    throw bad('error parsing public key: data does not contain any valid public keys')
  }
  mount.state['config'] = {
    bound_issuer: data.string('bound_issuer'),
    default_role: data.string('default_role').toLowerCase(),
    jwt_supported_algs: data.strings('jwt_supported_algs'),
    jwt_validation_pubkeys: keys,
  } satisfies JwtConfig
}

function readConfig(call: Call): Result | undefined {
  const config = jwtConfig(call.mount)
  if (config === undefined) return undefined
  return {
    data: {
      ...config,
      jwks_ca_pem: '',
      jwks_url: '',
      namespace_in_state: true,
      oidc_client_id: '',
      oidc_discovery_ca_pem: '',
      oidc_discovery_url: '',
      oidc_response_mode: '',
      oidc_response_types: [],
      override_allowed_server_names: [],
      provider_config: {},
      status: 'valid',
    },
  }
}

const ROLE_FIELDS = {
  ...TOKEN_FIELDS,
  name: 'string',
  role_type: 'string',
  user_claim: 'string',
  user_claim_json_pointer: 'bool',
  groups_claim: 'string',
  bound_audiences: 'commaStrings',
  bound_subject: 'string',
  bound_claims: 'map',
  bound_claims_type: 'string',
  claim_mappings: 'kv',
  clock_skew_leeway: 'int',
  expiration_leeway: 'int',
  not_before_leeway: 'int',
  allowed_redirect_uris: 'commaStrings',
  oidc_scopes: 'commaStrings',
  max_age: 'duration',
  verbose_oidc_logging: 'bool',
} as const

const NEW_ROLE: JwtRole = {
  ...NEW_TOKEN_ROLE,
  role_type: '',
  user_claim: '',
  bound_audiences: null,
  bound_subject: '',
  bound_claims: null,
  bound_claims_type: 'string',
  claim_mappings: null,
  clock_skew_leeway: 0,
  expiration_leeway: 0,
  not_before_leeway: 0,
}

const nameOf = (call: Call): string => call.data.string('name').toLowerCase()

function writeRole(call: Call): undefined {
  const { data, mount } = call
  const before = jwtRoles(mount)[nameOf(call)] ?? NEW_ROLE
  const role: JwtRole = {
    ...readTokenRole(call, before),
    role_type: data.string('role_type', before.role_type) || 'oidc',
    user_claim: data.string('user_claim', before.user_claim),
    bound_audiences: data.has('bound_audiences') ? data.strings('bound_audiences') : before.bound_audiences,
    bound_subject: data.string('bound_subject', before.bound_subject),
    bound_claims: data.has('bound_claims') ? data.map('bound_claims') : before.bound_claims,
    bound_claims_type: data.string('bound_claims_type', before.bound_claims_type) || 'string',
    claim_mappings: data.has('claim_mappings') ? data.map('claim_mappings') : before.claim_mappings,
    clock_skew_leeway: data.int('clock_skew_leeway', before.clock_skew_leeway),
    expiration_leeway: data.int('expiration_leeway', before.expiration_leeway),
    not_before_leeway: data.int('not_before_leeway', before.not_before_leeway),
  }
  if (!['jwt', 'oidc'].includes(role.role_type)) throw bad(`invalid 'role_type': ${role.role_type}`)
  if (role.user_claim === '') throw bad('a user claim must be defined on the role')
  if (role.role_type === 'oidc') {
    throw bad("'allowed_redirect_uris' must be set if 'role_type' is 'oidc' or unspecified.")
  }
  if (!['string', 'glob'].includes(role.bound_claims_type)) {
    throw bad(`invalid 'bound_claims_type': ${role.bound_claims_type}`)
  }
  const bound =
    (role.bound_audiences ?? []).length > 0 ||
    role.bound_subject !== '' ||
    role.token_bound_cidrs.length > 0 ||
    Object.keys(role.bound_claims ?? {}).length > 0
  if (!bound) throw bad('must have at least one bound constraint when creating/updating a role')
  jwtRoles(mount)[nameOf(call)] = role
}

function readRole(call: Call): Result | undefined {
  const role = jwtRoles(call.mount)[nameOf(call)]
  if (role === undefined) return undefined
  return {
    data: {
      ...shownRole(role),
      allowed_redirect_uris: null,
      callback_mode: 'client',
      groups_claim: '',
      max_age: 0,
      oauth2_metadata: null,
      oidc_disable_confirmation: false,
      oidc_scopes: null,
      token_policies_template_claims: false,
      user_claim_json_pointer: false,
      verbose_oidc_logging: false,
    },
  }
}

function login(call: Call): Result {
  const { data, mount, core } = call
  const config = jwtConfig(mount)
  if (config === undefined) throw bad('could not load configuration')
  const name = (data.string('role') || config.default_role).toLowerCase()
  if (name === '') throw bad('missing role')
  const role = Object.hasOwn(jwtRoles(mount), name) ? jwtRoles(mount)[name]! : undefined
  if (role === undefined) throw bad(`role ${JSON.stringify(name)} could not be found`)
  const token = data.string('jwt')
  if (token === '') throw bad('missing token')
  const claims = validate(token, config, role, core.now())
  if (audiences(claims).length > 0 && (role.bound_audiences ?? []).length === 0) {
    throw bad('audience claim found in JWT but no audiences bound to the role')
  }
  checkBoundClaims(claims, role)
  const user = claims[role.user_claim]
  if (typeof user !== 'string') throw bad(`claim ${JSON.stringify(role.user_claim)} not found in token`)
  const meta: Record<string, string> = { role: name }
  for (const [claim, label] of Object.entries(role.claim_mappings ?? {})) {
    if (claims[claim] !== undefined) meta[String(label)] = textOf(claims[claim])
  }
  return logIn(call, role, { displayName: `${mount.path.replace(/\/$/, '')}-${user}`, alias: user, meta })
}

function validate(token: string, config: JwtConfig, role: JwtRole, nowMs: number): Claims {
  const inWords = (problem: unknown, before: string): never => {
    if (problem instanceof GoError) throw bad(`error validating token: ${before}${problem.message}`)
    throw problem
  }
  let claims: Claims
  try {
    claims = verifyJwt(token, config.jwt_validation_pubkeys, config.jwt_supported_algs)
  } catch (problem) {
    return inWords(problem, 'error verifying token signature: ')
  }
  // A leeway of nought means the standard one, a negative one means none
  const leeway = (given: number, standard: number): number => (given === 0 ? standard : Math.max(0, given))
  try {
    if (config.bound_issuer !== '' && claims['iss'] !== config.bound_issuer) {
      throw new GoError('invalid issuer (iss) claim')
    }
    if (role.bound_subject !== '' && claims['sub'] !== role.bound_subject)
      throw new GoError('invalid subject (sub) claim')
    const wanted = role.bound_audiences ?? []
    if (wanted.length > 0 && !audiences(claims).some(aud => wanted.includes(aud))) {
      throw new GoError('invalid audience (aud) claim: audience claim does not match any expected audience')
    }
    checkTimes(claims, nowMs, {
      expiration: leeway(role.expiration_leeway, 150),
      notBefore: leeway(role.not_before_leeway, 150),
      skew: leeway(role.clock_skew_leeway, 60),
    })
  } catch (problem) {
    return inWords(problem, '')
  }
  return claims
}

function checkBoundClaims(claims: Claims, role: JwtRole): void {
  for (const [name, wanted] of Object.entries(role.bound_claims ?? {})) {
    const actual = claims[name]
    if (actual === undefined) throw bad(`error validating claims: claim ${JSON.stringify(name)} is missing`)
    const values = Array.isArray(actual) ? actual : [actual]
    const expected = Array.isArray(wanted) ? wanted : [wanted]
    const fits = (value: unknown, want: unknown): boolean =>
      role.bound_claims_type === 'glob' ? globMatches(String(want), String(value)) : value === want
    if (!values.some(value => expected.some(want => fits(value, want)))) {
      throw bad(
        `error validating claims: claim ${JSON.stringify(name)} does not match any associated bound claim values`,
      )
    }
  }
}

export const jwtRoutes: readonly Route[] = [
  {
    path: 'login',
    open: true,
    fields: { role: 'string', jwt: 'string', distributed_claim_access_token: 'string' },
    update: login,
  },
  { path: 'config', fields: CONFIG_FIELDS, read: readConfig, update: writeConfig },
  { path: 'role', list: call => ({ data: { keys: Object.keys(jwtRoles(call.mount)).toSorted() } }) },
  {
    path: 'role/:name',
    fields: ROLE_FIELDS,
    exists: call => jwtRoles(call.mount)[nameOf(call)] !== undefined,
    read: readRole,
    update: writeRole,
    remove(call) {
      delete jwtRoles(call.mount)[nameOf(call)]
      return undefined
    },
  },
]
