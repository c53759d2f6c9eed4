/**
 * The three key services as the suite knows them: where they are, which keys they hold and under which name. Data that
 * crosses into another process or an isolate as JSON; the emulator is seeded from the same names. Web APIs only.
 */
import type { AwsKmsConfig } from '../../../providers/aws-kms/config.ts'
import type { GcpKmsConfig } from '../../../providers/gcp-kms/config.ts'
import type { VaultTransitConfig } from '../../../providers/vault-transit/config.ts'
import { Secret } from '../../../src/domain/secret.ts'

export const SERVICES = ['aws-kms', 'vault-transit', 'gcp-kms'] as const
export type Service = (typeof SERVICES)[number]

/** Where the emulator listens, and the one credential that is made for each run. */
export interface Places {
  readonly aws: string
  readonly vault: string
  readonly gcpRest: string
  readonly gcpGrpc: string
  /** Credential file of a service account, as text. */
  readonly serviceAccount: string
  /** An address where nothing listens. */
  readonly nowhere: string
}

/** What goes wrong under each of these keys, every time. */
export const FAULTY_KEYS = [
  'content-type',
  'duplicate-json-keys',
  'flip-bit',
  'other-key-signature',
  'oversized-body',
  'redirect',
  'reset',
  'status',
  'truncate',
  'truncated-json',
] as const

/** Each holds the development key of its own name. */
export const SIGNING_KEYS = ['treasury', 'disabled', ...FAULTY_KEYS] as const
export const EVM_KEY = 'deployer'
export const WRAPPING_KEYS = ['wrapping', 'other-wrapping'] as const
export type KeyName =
  | (typeof SIGNING_KEYS)[number]
  | typeof EVM_KEY
  | (typeof WRAPPING_KEYS)[number]
  /** Well formed, and of no key. */
  | 'nobody'

export const REGION = 'eu-central-1'
export const RING = 'projects/parity/locations/europe-west3/keyRings/parity'
export const AWS_SESSION = {
  accessKeyId: 'ASIAPARITY',
  secretAccessKey: 'parity/secret+key=',
  sessionToken: 'parity/session+token=',
}
export const APPROLE = { roleId: 'parity-role', secretId: 'parity-secret-id' }

const isWrapping = (name: KeyName): boolean => WRAPPING_KEYS.some(each => each === name)

/** The reference that bindings pin. */
export function referenceOf(service: Service, name: KeyName): string {
  switch (service) {
    case 'aws-kms':
      return `arn:aws:kms:${REGION}:000000000000:key/${name}`
    case 'vault-transit':
      return isWrapping(name) ? `transit/${name}` : `transit/${name}@1`
    case 'gcp-kms':
      return `${RING}/cryptoKeys/${name}${isWrapping(name) ? '' : '/cryptoKeyVersions/1'}`
  }
}

/** Names people use and bindings must not: an alias, a name without its version. */
export function looseReferenceOf(service: Service, name: KeyName): string {
  switch (service) {
    case 'aws-kms':
      return `alias/${name}`
    case 'vault-transit':
      return name
    case 'gcp-kms':
      return `${RING}/cryptoKeys/${name}`
  }
}

/** Which of two ways a provider takes to its service; absent: the one it takes by itself. */
export interface Wires {
  readonly 'aws-kms'?: NonNullable<AwsKmsConfig['transport']>
  readonly 'gcp-kms'?: NonNullable<GcpKmsConfig['transport']>
}

/** How a provider is opened: as it should be, with somebody else's credentials, or where nobody answers. */
export type Manner = 'right' | 'wrong-credentials' | 'nowhere'

/** What each provider's own module offers, of the edge or of a machine. */
export interface Configs {
  readonly 'aws-kms': AwsKmsConfig
  readonly 'vault-transit': VaultTransitConfig
  readonly 'gcp-kms': GcpKmsConfig
}

export function configOf<S extends Service>(service: S, places: Places, manner: Manner, wires: Wires = {}): Configs[S] {
  const right = manner !== 'wrong-credentials'
  const at = (address: string): string => (manner === 'nowhere' ? places.nowhere : address)
  const secret = (value: string, label: string): Secret => new Secret(right ? value : `not ${value}`, label)
  const configs: { readonly [K in Service]: () => Configs[K] } = {
    'aws-kms': () => ({
      kind: 'aws-kms',
      ...(wires['aws-kms'] === undefined ? {} : { transport: wires['aws-kms'] }),
      region: REGION,
      endpoint: at(places.aws),
      accessKeyId: new Secret(AWS_SESSION.accessKeyId, 'access key id'),
      secretAccessKey: secret(AWS_SESSION.secretAccessKey, 'secret access key'),
      sessionToken: new Secret(AWS_SESSION.sessionToken, 'session token'),
    }),
    'vault-transit': () => ({
      kind: 'vault-transit',
      address: at(places.vault),
      auth: 'approle',
      roleId: APPROLE.roleId,
      secretId: secret(APPROLE.secretId, 'secret id'),
    }),
    'gcp-kms': () => ({
      kind: 'gcp-kms',
      ...(wires['gcp-kms'] === undefined ? {} : { transport: wires['gcp-kms'] }),
      endpoint: at(wires['gcp-kms'] === 'grpc' ? `http://${places.gcpGrpc}` : places.gcpRest),
      ...(right
        ? { credentials: new Secret(places.serviceAccount, 'service account') }
        : { accessToken: new Secret('nobody-gave-this', 'access token') }),
    }),
  }
  return configs[service]()
}
