import { fromHex, uuid } from '../core/random.ts'
import { decodePkcs8 } from '../core/der.ts'
import type { AppRole } from './auth/approle.ts'
import { approles } from './auth/approle.ts'
import { jwtRoles } from './auth/jwt.ts'
import { readPublicKey } from './auth/jwt-token.ts'
import { kubernetesRoles } from './auth/kubernetes.ts'
import { NEW_TOKEN_ROLE, type TokenRole } from './auth/login.ts'
import type { Core } from './context.ts'
import { DEFAULT_POLICY } from './default-policy.ts'
import { VaultError } from './errors.ts'
import { decodeBase64, GoError } from './go.ts'
import { parsePolicy, PolicyError } from './policy.ts'
import { type Mount, type Namespace, newMount, newNamespace } from './state.ts'
import { createToken } from './tokens.ts'
import { isSecretOf, pairOf } from './transit/material.ts'
import { addVersion, newKey, readType, transitState } from './transit/model.ts'
import { type KeyType, rowOf } from './transit/types.ts'

import {
  type Seed,
  type SeedApprole,
  type SeedJwt,
  type SeedKey,
  type SeedKubernetes,
  type SeedMaterial,
  type SeedToken,
  type SeedTokenRole,
  type VaultSeed,
  vaultSeed,
} from './seed-schema.ts'

export { type VaultSeed, vaultSeed } from './seed-schema.ts'

/** @throws RangeError that names every field in question */
export function parseSeed(value: unknown, jwt?: VaultSeed['jwt']): Seed {
  const whole = jwt === undefined ? value : { ...(value as VaultSeed), jwt }
  const result = vaultSeed.safeParse(whole)
  if (!result.success) {
    const problems = result.error.issues.map(issue => `${issue.path.join('.') || '(document)'}: ${issue.message}`)
    throw refused(problems)
  }
  return result.data
}

const refused = (problems: readonly string[]): RangeError =>
  new RangeError(`Cannot use the Vault seed: ${problems.join('; ')}`)

/** Collects what is wrong with values the schema cannot judge. */
class Problems {
  readonly list: string[] = []
  try<T>(where: string, act: () => T): T | undefined {
    try {
      return act()
    } catch (problem) {
      const known = problem instanceof RangeError || problem instanceof PolicyError || problem instanceof VaultError
      if (!known) throw problem
      this.list.push(`${where}: ${problem.message}`)
      return undefined
    }
  }
}

/** @throws RangeError that names everything that cannot be used */
export async function applySeed(core: Core, seed: Seed): Promise<void> {
  const problems = new Problems()
  for (const path of seed.namespaces) namespaceAt(core, path)
  for (const each of seed.mounts) mountAt(core, each, 'mounts', each.type).description = each.description
  for (const each of seed.auth) mountAt(core, each, 'auths', each.type).description = each.description
  for (const [i, each] of seed.keys.entries()) await seedOneKey(core, each, `keys.${i}`, problems)
  for (const [i, { name, policy, namespace: path }] of seed.policies.entries()) {
    problems.try(`policies.${i}.policy`, () => parsePolicy(policy))
    namespaceAt(core, path).policies[name.toLowerCase()] = { text: policy, modifiedMs: core.now(), version: 1 }
  }
  for (const [i, each] of seed.tokens.entries()) problems.try(`tokens.${i}`, () => seedOneToken(core, each))
  for (const each of seed.approle) seedOneApprole(core, each)
  if (seed.jwt !== undefined) seedJwtMethod(core, seed.jwt, problems)
  if (seed.kubernetes !== undefined) seedKubernetesMethod(core, seed.kubernetes, problems)
  if (problems.list.length > 0) throw refused(problems.list)
}

const withSlash = (path: string): string => (path === '' || path.endsWith('/') ? path : `${path}/`)

function namespaceAt(core: Core, given: string): Namespace {
  const path = withSlash(given)
  const parts = path.split('/').slice(0, -1)
  for (let depth = 1; depth <= parts.length; depth++) {
    const each = `${parts.slice(0, depth).join('/')}/`
    core.state.namespaces[each] ??= newNamespace(core.streams, each, DEFAULT_POLICY, core.now())
  }
  return core.state.namespaces[path]!
}

function mountAt(
  core: Core,
  entry: { path: string; namespace: string },
  table: 'mounts' | 'auths',
  type: string,
): Mount {
  const mounts = namespaceAt(core, entry.namespace)[table]
  const path = withSlash(entry.path)
  mounts[path] ??= newMount(core.streams, { path, type, auth: table === 'auths' })
  return mounts[path]
}

async function seedOneKey(core: Core, entry: SeedKey, where: string, problems: Problems): Promise<void> {
  const mount = mountAt(core, { path: entry.mount, namespace: entry.namespace }, 'mounts', 'transit')
  const type = readType(core, entry.type)
  if (type === undefined || mount.type !== 'transit') {
    problems.list.push(`${where}: this server has no keys of type ${entry.type} at ${mount.path}`)
    return
  }
  const { keys } = transitState(mount)
  if (Object.hasOwn(keys, entry.name)) problems.list.push(`${where}.name: '${entry.name}' is there twice`)
  const key = problems.try(where, () =>
    newKey(entry.name, type, {
      derived: entry.derived,
      convergent: entry.convergent,
      exportable: entry.exportable,
      plaintextBackup: entry.allowPlaintextBackup,
      autoRotateSeconds: entry.autoRotateSeconds ?? 0,
      keySize: rowOf(type).family === 'hmac' ? entry.keySize : 0,
      imported: entry.imported,
      allowRotation: entry.allowRotation,
    }),
  )
  if (key === undefined) return
  for (const [i, version] of (entry.versions ?? [{ material: entry.material }]).entries()) {
    const given = version.material
    const pair =
      given === undefined
        ? undefined
        : problems.try(`${where}.versions.${i}`, () => pairOf(type, readMaterial(type, given)))
    if (given === undefined || pair !== undefined) await addVersion(core, key, pair)
  }
  key.deletionAllowed = entry.deletionAllowed
  key.minDecryption = entry.minDecryptionVersion ?? 1
  key.minEncryption = entry.minEncryptionVersion ?? 0
  if (key.minDecryption > key.latest || key.minEncryption > key.latest) {
    problems.list.push(`${where}: a minimum version is above the latest, ${key.latest}`)
  }
  keys[entry.name] = key
}

/** Raw bytes, or PKCS#8. The value itself is never repeated: it may be somebody's key. */
function readMaterial(type: KeyType, given: SeedMaterial): Uint8Array {
  const says = (): RangeError => new RangeError(`material does not fit a key of type ${type}`)
  let bytes: Uint8Array
  try {
    bytes = 'hex' in given ? fromHex(given.hex) : decodeBase64(given.base64)
  } catch (problem) {
    if (problem instanceof RangeError || problem instanceof GoError) throw says()
    throw problem
  }
  if (isSecretOf(type, bytes)) return bytes
  const inside = ['ed25519', 'ecdsa'].includes(rowOf(type).family) ? decodePkcs8(bytes)?.secret : undefined
  if (inside === undefined || !isSecretOf(type, inside)) throw says()
  return inside
}

function seedOneToken(core: Core, entry: SeedToken): void {
  if (Object.hasOwn(core.state.tokens, entry.id)) throw new RangeError('its id is there twice')
  const token = createToken(
    core,
    {
      ...entry,
      type: 'service',
      namespace: namespaceAt(core, entry.namespace),
      path: 'auth/token/create',
      meta: entry.meta ?? null,
      orphan: true,
    },
    [],
  )
  // A batch token with an id of the caller's choice cannot be sealed, so this one is kept
  if (entry.type === 'batch') core.state.tokens[token.id] = { ...token, type: 'batch', accessor: '', renewable: false }
}

function tokenRoleOf(entry: SeedTokenRole): TokenRole {
  return {
    ...NEW_TOKEN_ROLE,
    token_policies: entry.policies,
    token_ttl: entry.ttl,
    token_max_ttl: entry.maxTtl,
    token_explicit_max_ttl: entry.explicitMaxTtl,
    token_period: entry.period,
    token_num_uses: entry.numUses,
    token_type: entry.tokenType,
    token_no_default_policy: entry.noDefaultPolicy,
  }
}

function seedOneApprole(core: Core, entry: SeedApprole): void {
  const mount = mountAt(core, entry, 'auths', 'approle')
  const random = core.streams('vault approles')
  const role: AppRole = {
    ...tokenRoleOf(entry),
    role_id: entry.roleId ?? uuid(random),
    bind_secret_id: entry.bindSecretId,
    local_secret_ids: false,
    secret_id_bound_cidrs: null,
    secret_id_num_uses: 0,
    secret_id_ttl: 0,
    secrets: {},
  }
  for (const { id, numUses, ttl } of entry.secretIds) {
    role.secrets[id] = {
      accessor: uuid(random),
      metadata: {},
      numUses,
      usesLeft: numUses,
      ttl,
      createdMs: core.now(),
      expiresMs: ttl === 0 ? 0 : core.now() + ttl * 1000,
    }
  }
  approles(mount)[entry.name.toLowerCase()] = role
}

function checkKeys(keys: readonly string[], where: string, problems: Problems): void {
  for (const [i, pem] of keys.entries()) {
    if (readPublicKey(pem) === undefined)
      problems.list.push(`${where}.publicKeys.${i}: not a public key or certificate in PEM`)
  }
}

function seedJwtMethod(core: Core, entry: SeedJwt, problems: Problems): void {
  checkKeys(entry.publicKeys, 'jwt', problems)
  const mount = mountAt(core, entry, 'auths', 'jwt')
  mount.state['config'] = {
    bound_issuer: entry.boundIssuer,
    default_role: entry.defaultRole,
    jwt_supported_algs: [],
    jwt_validation_pubkeys: entry.publicKeys,
  }
  for (const role of entry.roles) {
    jwtRoles(mount)[role.name.toLowerCase()] = {
      ...tokenRoleOf(role),
      role_type: 'jwt',
      user_claim: role.userClaim,
      bound_audiences: role.boundAudiences,
      bound_subject: role.boundSubject,
      bound_claims: role.boundClaims,
      bound_claims_type: 'string',
      claim_mappings: null,
      clock_skew_leeway: 0,
      expiration_leeway: 0,
      not_before_leeway: 0,
    }
  }
}

function seedKubernetesMethod(core: Core, entry: SeedKubernetes, problems: Problems): void {
  checkKeys(entry.publicKeys, 'kubernetes', problems)
  const mount = mountAt(core, entry, 'auths', 'kubernetes')
  mount.state['config'] = {
    disable_iss_validation: true,
    disable_local_ca_jwt: true,
    issuer: '',
    kubernetes_ca_cert: '',
    kubernetes_host: entry.host,
    pem_keys: entry.publicKeys,
    token_reviewer_jwt_set: false,
    use_annotations_as_alias_metadata: false,
  }
  for (const role of entry.roles) {
    kubernetesRoles(mount)[role.name.toLowerCase()] = {
      ...tokenRoleOf(role),
      alias_name_source: 'serviceaccount_uid',
      audience: role.audience,
      bound_service_account_names: role.serviceAccounts,
      bound_service_account_namespaces: role.namespaces,
      bound_service_account_namespace_selector: '',
    }
  }
}
