/** The four transports of the matrix: the service behind each, with real keys, and how a provider for it is opened. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { StrKey } from '@stellar/stellar-sdk/base'
import { exportSPKI, generateKeyPair, SignJWT } from 'jose'
import { type FaceName, type LocalKms, startLocalKms } from '../../local-kms/index.ts'
import { openProvider, type ProviderConfig } from '../../providers/index.ts'
import type { Fetch } from '../../src/domain/ports.ts'
import type { EnvelopeProvider, KeyRef } from '../../src/domain/provider.ts'
import { Secret } from '../../src/domain/secret.ts'
import { realWorld } from '../../src/runtime/world.ts'
import { spellings } from '../support/leaks.ts'
import type { Protocol } from './frames.ts'
import { forbiddenHost } from './proxy.ts'

export const TRANSPORTS = ['aws-kms', 'vault-transit', 'gcp-rest', 'gcp-grpc'] as const
export type Transport = (typeof TRANSPORTS)[number]
export const CALLS = ['sign', 'decrypt', 'public key'] as const
export type CallName = (typeof CALLS)[number]

/** Whose credentials the provider has. `early`: from a clock that is ten minutes ahead. */
export type Who = 'signer' | 'powerless' | 'expired' | 'rotated' | 'early'

const bytes = (first: number): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => (first + i * 7) % 256)
export const SEED = bytes(11)
export const STRANGER_SEED = bytes(99)
export const ENVELOPE_SEED = bytes(170)
export const SCALAR = bytes(45)
const WRAPPING = bytes(201)
const hex = (key: Uint8Array) => ({ hex: Buffer.from(key).toString('hex') })

export const PUBLIC = ed25519.getPublicKey(SEED)
export const STRANGER_PUBLIC = ed25519.getPublicKey(STRANGER_SEED)
export const ENVELOPE_PUBLIC = ed25519.getPublicKey(ENVELOPE_SEED)
export const SECP_PUBLIC = secp256k1.getPublicKey(SCALAR, false)

const AWS_SECRET = 'r14/aws+secret=access/key'
const AWS_OLD = 'r14/aws+secret=that/was/rotated'
const AWS_SESSION = 'r14AwsSessionTokenThatHasExpired'
const VAULT_TOKENS = {
  root: 'hvs.r14-root-token',
  signer: 'hvs.r14-signer-token',
  powerless: 'hvs.r14-powerless-token',
  expired: 'hvs.r14-revoked-token',
  rotated: 'hvs.r14-token-nobody-knows',
}
const GCP_TOKENS = {
  signer: 'ya29.r14-signer-token',
  powerless: 'ya29.r14-powerless-token',
  expired: 'ya29.r14-expired-token',
  rotated: 'ya29.r14-token-nobody-knows',
}

/** Nothing of this may be read in an answer, a log or an audit record. */
export const CANARIES: readonly string[] = [
  AWS_SECRET,
  AWS_OLD,
  AWS_SESSION,
  ...Object.values(VAULT_TOKENS),
  ...Object.values(GCP_TOKENS),
  ...[SEED, STRANGER_SEED, ENVELOPE_SEED, SCALAR, WRAPPING].flatMap(spellings),
  ...[SEED, STRANGER_SEED, ENVELOPE_SEED].map(seed => StrKey.encodeEd25519SecretSeed(Buffer.from(seed))),
]

export interface Remote {
  readonly transport: Transport
  readonly protocol: Protocol
  readonly kms: LocalKms
  readonly face: FaceName
  /** `host:port` */
  readonly target: string
  readonly keys: { readonly native: KeyRef; readonly wrapping: KeyRef; readonly secp256k1: KeyRef | undefined }
  /** What local-kms calls the operation behind a call. */
  readonly operations: Readonly<Record<CallName, string>>
  /** A host no request of ours may reach; the standby's leader, too. */
  readonly elsewhere: { readonly url: string; bytesIn(): number }
  open(endpoint: string, who: Who, fetch?: Fetch): Promise<EnvelopeProvider>
  close(): Promise<void>
}

type Opened = Pick<Remote, 'protocol' | 'kms' | 'face' | 'target' | 'keys' | 'operations'> & {
  config(endpoint: string, who: Who): ProviderConfig
}

export async function openRemote(transport: Transport): Promise<Remote> {
  const elsewhere = await forbiddenHost()
  const opened =
    transport === 'aws-kms'
      ? await openAws()
      : transport === 'vault-transit'
        ? await openVault(elsewhere.url)
        : await openGcp(transport)
  const { config, kms } = opened
  return {
    ...opened,
    transport,
    elsewhere,
    open: async (endpoint, who, fetch) => {
      const world = { ...realWorld(), environment: 'development' as const, ...(fetch === undefined ? {} : { fetch }) }
      return (await openProvider(config(endpoint, who), world)) as EnvelopeProvider
    },
    close: async () => {
      await kms.close()
      await elsewhere.close()
    },
  }
}

const hostOf = (url: string): string => new URL(url).host

async function openAws(): Promise<Opened> {
  const id = (digit: string): string =>
    `${digit.repeat(8)}-${digit.repeat(4)}-4${digit.repeat(3)}-8${digit.repeat(3)}-${digit.repeat(12)}`
  const arn = (digit: string): KeyRef => `arn:aws:kms:eu-central-1:000000000000:key/${id(digit)}`
  const credentials = {
    signer: { accessKeyId: 'AKIAR14SIGNER', secretAccessKey: AWS_SECRET },
    powerless: { accessKeyId: 'AKIAR14POWERLESS', secretAccessKey: AWS_SECRET, allow: [] },
    expired: {
      accessKeyId: 'ASIAR14EXPIRED',
      secretAccessKey: AWS_SECRET,
      sessionToken: AWS_SESSION,
      expiresAt: '2020-01-01T00:00:00Z',
    },
  }
  const kms = await startLocalKms({
    faces: ['aws'],
    region: 'eu-central-1',
    sigv4: 'strict',
    credentials: Object.values(credentials),
    seed: {
      version: 1,
      keys: [
        { keyId: id('1'), spec: 'ECC_NIST_EDWARDS25519', material: hex(SEED) },
        { keyId: id('2'), spec: 'SYMMETRIC_DEFAULT', material: hex(WRAPPING) },
        { keyId: id('3'), spec: 'ECC_SECG_P256K1', material: hex(SCALAR) },
      ],
    },
  })
  const secrets = (who: Who): { accessKeyId: Secret; secretAccessKey: Secret; sessionToken?: Secret } => {
    const { accessKeyId } = credentials[who === 'expired' || who === 'powerless' ? who : 'signer']
    return {
      accessKeyId: new Secret(accessKeyId, 'id'),
      secretAccessKey: new Secret(who === 'rotated' ? AWS_OLD : AWS_SECRET, 'secret'),
      ...(who === 'expired' ? { sessionToken: new Secret(AWS_SESSION, 'session') } : {}),
    }
  }
  return {
    kms,
    face: 'aws',
    protocol: 'http1',
    target: hostOf(kms.aws),
    keys: { native: arn('1'), wrapping: arn('2'), secp256k1: arn('3') },
    operations: { sign: 'Sign', decrypt: 'Decrypt', 'public key': 'GetPublicKey' },
    config: (endpoint, who) => ({ kind: 'aws-kms', region: 'eu-central-1', endpoint, ...secrets(who) }),
  }
}

async function openVault(leader: string): Promise<Opened> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  const ahead = Math.floor(Date.now() / 1000) + 600
  const early = await new SignJWT()
    .setProtectedHeader({ alg: 'ES256' })
    .setSubject('signer')
    .setAudience('vault')
    .setIssuedAt(ahead)
    .setNotBefore(ahead)
    .setExpirationTime(ahead + 600)
    .sign(privateKey)
  const policy = ['sign/stellar', 'decrypt/wrapping', 'encrypt/wrapping', 'keys/stellar']
    .map(path => `path "transit/${path}" { capabilities = ["read", "update"] }`)
    .join('\n')
  const kms = await startLocalKms({
    faces: ['vault'],
    vault: { rootToken: VAULT_TOKENS.root, standby: { mode: 'redirect', leader } },
    seed: {
      version: 1,
      vault: {
        keys: [
          { name: 'stellar', type: 'ed25519', versions: [{ material: hex(SEED) }, { material: hex(STRANGER_SEED) }] },
          { name: 'wrapping', type: 'aes256-gcm96', material: hex(WRAPPING) },
        ],
        policies: [{ name: 'signer', policy }],
        tokens: [
          { id: VAULT_TOKENS.signer, policies: ['signer'] },
          { id: VAULT_TOKENS.expired, policies: ['signer'] },
          { id: VAULT_TOKENS.powerless, policies: ['default'] },
        ],
        jwt: {
          publicKeys: [await exportSPKI(publicKey)],
          roles: [{ name: 'signer', policies: ['signer'], boundAudiences: ['vault'] }],
        },
      },
    },
  })
  const revoked = await fetch(`${kms.vault}/v1/auth/token/revoke`, {
    method: 'POST',
    headers: { 'x-vault-token': VAULT_TOKENS.root, 'x-vault-request': 'true' },
    body: JSON.stringify({ token: VAULT_TOKENS.expired }),
  })
  if (!revoked.ok) throw new Error(`the token was not revoked: ${await revoked.text()}`)
  return {
    kms,
    face: 'vault',
    protocol: 'http1',
    target: hostOf(kms.vault),
    keys: { native: 'transit/stellar@1', wrapping: 'transit/wrapping', secp256k1: undefined },
    operations: { sign: 'transit/sign', decrypt: 'transit/decrypt', 'public key': 'transit/keys' },
    config: (address, who) =>
      who === 'early'
        ? {
            kind: 'vault-transit',
            address,
            auth: 'jwt',
            role: 'signer',
            audience: 'vault',
            jwt: new Secret(early, 'jwt'),
          }
        : { kind: 'vault-transit', address, token: new Secret(VAULT_TOKENS[who], 'token') },
  }
}

async function openGcp(transport: 'gcp-rest' | 'gcp-grpc'): Promise<Opened> {
  const ring = 'projects/r14/locations/europe-west3/keyRings/signing/cryptoKeys'
  const kms = await startLocalKms({
    faces: ['gcp'],
    seed: {
      version: 1,
      gcp: {
        cryptoKeys: [
          {
            name: `${ring}/stellar`,
            algorithm: 'EC_SIGN_ED25519',
            versions: [{ material: hex(SEED) }, { material: hex(STRANGER_SEED) }],
          },
          {
            name: `${ring}/wrapping`,
            algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION',
            versions: [{ material: hex(WRAPPING) }],
          },
          {
            name: `${ring}/evm`,
            algorithm: 'EC_SIGN_SECP256K1_SHA256',
            protectionLevel: 'HSM',
            versions: [{ material: hex(SCALAR) }],
          },
        ],
        credentials: [
          { token: GCP_TOKENS.signer },
          { token: GCP_TOKENS.powerless, permissions: [] },
          { token: GCP_TOKENS.expired, expiresAt: '2020-01-01T00:00:00Z' },
        ],
      },
    },
  })
  const grpc = transport === 'gcp-grpc'
  return {
    kms,
    face: 'gcp',
    protocol: grpc ? 'http2' : 'http1',
    target: grpc ? kms.gcpGrpc : hostOf(kms.gcpRest),
    keys: {
      native: `${ring}/stellar/cryptoKeyVersions/1`,
      wrapping: `${ring}/wrapping`,
      secp256k1: `${ring}/evm/cryptoKeyVersions/1`,
    },
    operations: { sign: 'AsymmetricSign', decrypt: 'Decrypt', 'public key': 'GetPublicKey' },
    config: (endpoint, who) => ({
      kind: 'gcp-kms',
      transport: grpc ? 'grpc' : 'rest',
      endpoint,
      accessToken: new Secret(GCP_TOKENS[who === 'early' ? 'signer' : who], 'token'),
    }),
  }
}
