/** How each provider and transport is opened for the conformance suite. */
import { Keypair } from '@stellar/stellar-sdk/base'
import { openAdmin } from '../../providers/admin.ts'
import { create as createAws } from '../../providers/aws-kms/index.ts'
import { openProvider } from '../../providers/index.ts'
import { create as createMock, devReference } from '../../providers/mock/index.ts'
import { createAdmin as createMockAdmin } from '../../providers/mock/admin.ts'
import { Secret } from '../../src/domain/secret.ts'
import { AWS_HEADERS, awsAnswer, type Reply, type Seen, scriptedServer } from '../support/scripted-server.ts'
import { call, providerWorld } from '../support/provider-world.ts'
import type { Fault, Faulty, Subject } from './provider.ts'

export const ARN = 'arn:aws:kms:eu-central-1:000000000000:key/'
export const AWS_SECRET = 'conformance/secret+access=key'

export async function mockSubject(): Promise<Subject> {
  const world = providerWorld()
  return {
    provider: await createMock({ kind: 'mock' }, world),
    admin: await createMockAdmin({ kind: 'mock' }, world),
    keys: { ed25519: devReference('ed25519', 'test-1'), 'ecdsa-secp256k1': devReference('ecdsa-secp256k1', 'test-1') },
    wrapping: [devReference('wrapping', 'test-1'), devReference('wrapping', 'test-2')],
    unknown: [
      'mock/ed25519/test-1/00000000',
      'mock/ed25519/test-1',
      'test-1',
      'mock/ed25519//00000000',
      'mock/rsa/test-1/00000000',
    ],
    canaries: [],
    close: async () => {},
  }
}

export const RAW_STELLAR = Keypair.fromRawEd25519Seed(new Uint8Array(32).fill(0x42)).secret()
export const RAW_EVM = `0x${'46'.repeat(32)}`

export async function rawEnvSubject(): Promise<Subject> {
  const keys = { treasury: new Secret(RAW_STELLAR, 'TREASURY'), deployer: new Secret(RAW_EVM, 'DEPLOYER') }
  return {
    provider: await openProvider({ kind: 'raw-env', keys }, providerWorld()),
    keys: { ed25519: 'treasury', 'ecdsa-secp256k1': 'deployer' },
    wrapping: [],
    unknown: ['nobody', '', 'Treasury', '__proto__', 'constructor'],
    canaries: [RAW_STELLAR, RAW_EVM, '42'.repeat(16), '46'.repeat(16)],
    close: async () => {},
  }
}

type AwsTransport = 'sdk' | 'lean'
/** The real SDK against our own emulator, which was written apart from it. */
export const awsSubject = (): Promise<Subject> => awsOver('sdk')
export const awsLeanSubject = (): Promise<Subject> => awsOver('lean')

async function awsOver(transport: AwsTransport): Promise<Subject> {
  const { startLocalKms } = await import('../../local-kms/index.ts')
  const kms = await startLocalKms({
    region: 'eu-central-1',
    sigv4: 'strict',
    credentials: [{ accessKeyId: 'AKIACONFORMANCE', secretAccessKey: AWS_SECRET }],
  })
  const config = {
    kind: 'aws-kms' as const,
    region: 'eu-central-1',
    endpoint: kms.aws,
    transport,
    accessKeyId: new Secret('AKIACONFORMANCE', 'id'),
    secretAccessKey: new Secret(AWS_SECRET, 'secret'),
  }
  const world = providerWorld()
  const admin = await openAdmin(config, world)
  const ed25519 = await admin.create({ scheme: 'ed25519', label: 'conformance' }, call())
  const secp256k1 = await admin.create({ scheme: 'ecdsa-secp256k1', label: 'conformance' }, call())
  const wrapping = [
    await admin.createWrappingKey({ label: 'one' }, call()),
    await admin.createWrappingKey({ label: 'two' }, call()),
  ]
  return {
    provider: await openProvider(config, world),
    admin,
    keys: { ed25519: ed25519.reference, 'ecdsa-secp256k1': secp256k1.reference },
    wrapping,
    unknown: [`${ed25519.reference.slice(0, -12)}000000000000`],
    canaries: [AWS_SECRET],
    faulty: fault => awsFaulty(fault, transport),
    close: () => kms.close(),
  }
}

const FAULTY: Readonly<Record<Fault, (seen: Seen) => Reply>> = {
  hang: () => () => {},
  drip: () => socket => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: 500\r\n\r\n{')
  },
  flood: () => socket => {
    socket.write(
      'HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: 104857600\r\n\r\n{"KeyId":"',
    )
    const chunk = Buffer.alloc(65_536, 0x41)
    let left = 1_600
    const more = (): void => {
      while (left-- > 0 && !socket.destroyed) if (!socket.write(chunk)) return
    }
    socket.on('drain', more)
    more()
  },
  lie: seen => awsAnswer(lie(seen), 200, AWS_HEADERS),
}

/** A good answer in every respect but one: it is about another key. */
function lie({ headers }: Seen): Record<string, unknown> {
  const other = `${ARN}ffffffff-0000-4000-8000-000000000000`
  const operation = headers.get('x-amz-target')?.split('.')[1] ?? ''
  const bytes = (length: number) => Buffer.alloc(length, 1).toString('base64')
  const der = Buffer.from('3006020101020101', 'hex').toString('base64')
  switch (operation) {
    case 'Sign':
      return { KeyId: other, Signature: der, SigningAlgorithm: 'ECDSA_SHA_256' }
    case 'GetPublicKey':
      return {
        KeyId: other,
        PublicKey: bytes(44),
        KeySpec: 'ECC_NIST_EDWARDS25519',
        KeyUsage: 'SIGN_VERIFY',
        SigningAlgorithms: ['ED25519_SHA_512'],
      }
    case 'Decrypt':
      return { KeyId: other, Plaintext: bytes(32), EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' }
    default:
      return { KeyId: other, CiphertextBlob: bytes(80), EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' }
  }
}

async function awsFaulty(fault: Fault, transport: AwsTransport): Promise<Faulty> {
  const server = await scriptedServer(FAULTY[fault])
  const key = `${ARN}00000000-0000-4000-8000-000000000001`
  return {
    provider: await createAws(
      { kind: 'aws-kms', region: 'eu-central-1', endpoint: server.url, transport },
      providerWorld(),
    ),
    keys: { ed25519: key, 'ecdsa-secp256k1': key },
    wrapping: key,
    arrived: () => server.arrived(),
    close: () => server.close(),
  }
}
