import { permissionDenied, unauthenticated } from './errors.ts'
import type { GcpStore } from './store.ts'

/** A bearer token and what its holder may do. */
export interface GcpCredential {
  readonly token: string
  /** E-mail of the account; goes into the audit trail and is looked for in policies. */
  readonly principal?: string | undefined
  /** Permissions such as `cloudkms.cryptoKeyVersions.useToSign`, or a beginning and `*`. Absent: everything. */
  readonly permissions?: readonly string[] | undefined
  /** Resources the permissions reach, by beginning of their name. Absent: all. */
  readonly resources?: readonly string[] | undefined
  /** RFC 3339. */
  readonly expiresAt?: string | undefined
}

export const ANONYMOUS: GcpCredential = { token: '' }
const email = (credential: GcpCredential): string => credential.principal ?? 'anonymous@local-kms.invalid'
export const principalOf = email

/**
 * @param header `authorization`, as it came. Without configured credentials nobody is asked.
 * @throws UNAUTHENTICATED
 */
export function authenticate(
  header: string | undefined,
  credentials: readonly GcpCredential[] | undefined,
  method: string,
  now: number,
  selfSigned: (token: string) => GcpCredential | undefined = () => undefined,
): GcpCredential {
  if (credentials === undefined) return ANONYMOUS
  if (header === undefined || header === '') throw unauthenticated('CREDENTIALS_MISSING', method)
  const [scheme = '', token = ''] = header.split(' ')
  const credential =
    scheme.toLowerCase() === 'bearer'
      ? (credentials.find(known => sameText(known.token, token)) ?? selfSigned(token))
      : undefined
  if (credential === undefined) throw unauthenticated('ACCESS_TOKEN_TYPE_UNSUPPORTED', method)
  if (credential.expiresAt !== undefined && Date.parse(credential.expiresAt) <= now) {
    throw unauthenticated('ACCESS_TOKEN_EXPIRED', method)
  }
  return credential
}

/** Takes as long wherever they differ. */
function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i % (b.length || 1))
  return difference === 0
}

const V = 'cloudkms.cryptoKeyVersions.'
const K = 'cloudkms.cryptoKeys.'
const R = 'cloudkms.keyRings.'
const J = 'cloudkms.importJobs.'
const READ = [`${K}get`, `${K}list`, `${R}get`, `${R}list`, `${V}get`, `${V}list`, `${J}get`, `${J}list`]

/** The roles least-privilege tests bind, with the permissions they carry. */
export const ROLES: Readonly<Record<string, readonly string[]>> = {
  'roles/cloudkms.signer': [`${V}useToSign`],
  'roles/cloudkms.verifier': [`${V}useToVerify`, `${V}viewPublicKey`],
  'roles/cloudkms.signerVerifier': [`${V}useToSign`, `${V}useToVerify`, `${V}viewPublicKey`],
  'roles/cloudkms.publicKeyViewer': [`${V}viewPublicKey`],
  'roles/cloudkms.cryptoKeyEncrypter': [`${V}useToEncrypt`],
  'roles/cloudkms.cryptoKeyDecrypter': [`${V}useToDecrypt`],
  'roles/cloudkms.cryptoKeyEncrypterDecrypter': [`${V}useToEncrypt`, `${V}useToDecrypt`],
  'roles/cloudkms.importer': [`${J}create`, `${J}get`, `${J}list`, `${J}useToImport`],
  'roles/cloudkms.viewer': READ,
  'roles/cloudkms.admin': [
    ...READ,
    ...['create', 'update', 'getIamPolicy', 'setIamPolicy'].map(verb => K + verb),
    ...['create', 'getIamPolicy', 'setIamPolicy'].map(verb => R + verb),
    ...['create', 'update', 'destroy', 'restore'].map(verb => V + verb),
    ...['create', 'useToImport', 'getIamPolicy', 'setIamPolicy'].map(verb => J + verb),
    'cloudkms.locations.get',
    'cloudkms.locations.list',
  ],
  'roles/owner': ['cloudkms.*'],
}

/** By the credential's own list, or by a policy on the resource or one it stands under. */
export function mayDo(store: GcpStore, credential: GcpCredential, permission: string, resource: string): boolean {
  if (credential.permissions === undefined) return true
  const reaches = credential.resources === undefined || credential.resources.some(start => isUnder(resource, start))
  if (reaches && credential.permissions.some(pattern => fits(pattern, permission))) return true
  for (const [name, policy] of store.policies) {
    if (!isUnder(resource, name)) continue
    const granted = policy.bindings.some(
      binding =>
        // A condition nobody evaluates grants nothing
        binding.condition === undefined &&
        binding.members.some(member => isMember(member, credential)) &&
        (ROLES[binding.role] ?? []).some(pattern => fits(pattern, permission)),
    )
    if (granted) return true
  }
  return false
}

/** @throws PERMISSION_DENIED, whether the resource is there or not */
export function authorize(store: GcpStore, credential: GcpCredential, permission: string, resource: string): void {
  if (!mayDo(store, credential, permission, resource)) throw permissionDenied(permission, resource)
}

const isUnder = (resource: string, parent: string): boolean => resource === parent || resource.startsWith(`${parent}/`)

const isMember = (member: string, credential: GcpCredential): boolean =>
  member === 'allUsers' ||
  member === 'allAuthenticatedUsers' ||
  (credential.principal !== undefined && member.slice(member.indexOf(':') + 1) === credential.principal)

const fits = (pattern: string, value: string): boolean =>
  pattern.endsWith('*') ? value.startsWith(pattern.slice(0, -1)) : pattern === value
