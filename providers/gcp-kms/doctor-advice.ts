import type { KeyUse } from '../../src/domain/doctor.ts'
import { lastOf } from './names.ts'
import type { Identity } from './wire.ts'

/** The rights a use needs, and the role that grants each and as little else as there is. */
export const NEEDED: Readonly<Record<KeyUse, readonly (readonly [permission: string, role: string])[]>> = {
  sign: [
    ['cloudkms.cryptoKeyVersions.useToSign', 'roles/cloudkms.signer'],
    ['cloudkms.cryptoKeyVersions.viewPublicKey', 'roles/cloudkms.publicKeyViewer'],
  ],
  unwrap: [['cloudkms.cryptoKeyVersions.useToDecrypt', 'roles/cloudkms.cryptoKeyDecrypter']],
  wrap: [['cloudkms.cryptoKeyVersions.useToEncrypt', 'roles/cloudkms.cryptoKeyEncrypter']],
}

/** Not needed; lets the doctor say what a wrapping key is. */
export const OPTIONAL = 'cloudkms.cryptoKeys.get'

/** Rights that an identity which signs or opens should not hold: each can end, change or give away the key. */
export const TOO_WIDE: readonly string[] = [
  'cloudkms.cryptoKeyVersions.destroy',
  'cloudkms.cryptoKeyVersions.update',
  'cloudkms.cryptoKeys.update',
  'cloudkms.cryptoKeys.setIamPolicy',
]

interface Place {
  readonly project: string
  readonly flags: string
  readonly keyId: string
}

/** A full name, taken apart for gcloud. */
function placeOf(keyName: string): Place {
  const [, project = 'PROJECT', , location = 'LOCATION', , ring = 'RING', , keyId = 'KEY'] = keyName.split('/')
  return { project, keyId, flags: `--keyring ${ring} --location ${location} --project ${project}` }
}

export function grantFix(keyName: string, role: string, { principal }: Identity): string {
  const { keyId, flags } = placeOf(keyName)
  const member = principal === undefined ? 'MEMBER' : `serviceAccount:${principal}`
  return `gcloud kms keys add-iam-policy-binding ${keyId} ${flags} --member ${member} --role ${role}`
}

export function narrowFix(keyName: string, use: KeyUse): string {
  const { keyId, flags } = placeOf(keyName)
  const roles = NEEDED[use].map(([, role]) => role).join(' and ')
  return `find the grant with gcloud kms keys get-iam-policy ${keyId} ${flags} (or on the ring and the project), remove it, and grant ${roles} on the key`
}

export interface Advice {
  readonly meaning: string
  readonly fix: string
}

/** A refusal of the service about a key: what it means and what to do. `version` is undefined for wrapping keys. */
export function adviceOn(
  status: string,
  reason: string | undefined,
  text: string,
  keyName: string,
  version?: string,
): Advice {
  const { project, keyId, flags } = placeOf(keyName)
  if (status === 'PERMISSION_DENIED' && reason === 'SERVICE_DISABLED') {
    return {
      meaning: 'the Cloud KMS API is not enabled in the project',
      fix: `gcloud services enable cloudkms.googleapis.com --project ${project}`,
    }
  }
  switch (status) {
    case 'NOT_FOUND':
      return {
        meaning: 'there is no such key or version in this key ring',
        fix: `gcloud kms keys versions list --key ${keyId} ${flags}`,
      }
    case 'PERMISSION_DENIED':
      return {
        meaning: 'the identity lacks a right on the key, or there is no such key',
        fix: `gcloud kms keys get-iam-policy ${keyId} ${flags}`,
      }
    case 'FAILED_PRECONDITION':
      return text.includes('PENDING_GENERATION')
        ? { meaning: 'the version is still being generated', fix: 'wait a few seconds and ask again' }
        : {
            meaning: 'the version is not enabled',
            fix: `gcloud kms keys versions enable ${version === undefined ? 'VERSION' : lastOf(version)} --key ${keyId} ${flags}`,
          }
    case 'RESOURCE_EXHAUSTED':
      return {
        meaning: 'a quota of the project is used up',
        fix: `gcloud services quota list --service cloudkms.googleapis.com --consumer projects/${project}`,
      }
    default:
      return {
        meaning: 'the service could not answer about the key',
        fix: 'ask again; see the status page of the service',
      }
  }
}

/** How to make a key of the right kind, for a key that is of another. */
export function createFix(keyName: string, use: KeyUse): string {
  const { flags } = placeOf(keyName)
  return use === 'sign'
    ? `make another key: gcloud kms keys create NAME ${flags} --purpose asymmetric-signing --default-algorithm ec-sign-ed25519 --protection-level software (or ec-sign-secp256k1-sha256 and hsm)`
    : `make another key: gcloud kms keys create NAME ${flags} --purpose encryption`
}
