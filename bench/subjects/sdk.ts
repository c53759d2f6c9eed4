import { DecryptCommand, EncryptCommand, GetPublicKeyCommand, KMSClient, SignCommand } from '@aws-sdk/client-kms'
import { KeyManagementServiceClient } from '@google-cloud/kms'
import { credentials } from '@grpc/grpc-js'
import { PassThroughClient } from 'google-auth-library'
import nodeVault from 'node-vault'
import { fromBase64, toBase64 } from '../../src/bytes/base64.ts'
import type { Custody } from '../matrix/cells.ts'
import { type Emulator, REFERENCES } from '../rig/emulator.ts'
import { sealedSigner } from './engine.ts'
import { ed25519Seed } from './seeds.ts'
import { HASH, type Subject, textOf, verifies } from './subject.ts'

/** The three things an application asks of a vendor's client, and nothing around them. */
interface Vendor {
  publicKey(): Promise<Uint8Array>
  sign(): Promise<Uint8Array>
  encrypt(plaintext: Uint8Array): Promise<Uint8Array>
  decrypt(ciphertext: Uint8Array): Promise<Uint8Array>
  close(): void | Promise<void>
}

/**
 * The vendor's client called directly, as an application without a signer would: no token, no policy, no record, and
 * nobody verifies. Decrypt is one call to open the seed, then our own engine.
 */
export async function sdkSubject(way: string, custody: Custody, emulator: Emulator): Promise<Subject> {
  const open = VENDORS[way]
  if (open === undefined) throw new Error(`No vendor's client goes the way ${way}`)
  const vendor = open(emulator)
  const close = () => vendor.close()
  if (custody === 'native') {
    return { sign: async () => textOf(await vendor.sign()), verify: verifies(await vendor.publicKey()), close }
  }
  const seed = ed25519Seed(way)
  const { publicKey, sign } = await sealedSigner(seed)
  const ciphertext = await vendor.encrypt(seed)
  return {
    async sign() {
      const opened = await vendor.decrypt(ciphertext)
      const signature = await sign(opened, publicKey)
      opened.fill(0)
      return textOf(signature)
    },
    verify: verifies(publicKey),
    close,
  }
}

/** The public key of the signing key, by the vendor's own client. */
export async function vendorKey(way: string, emulator: Emulator): Promise<Uint8Array> {
  const vendor = VENDORS[way]?.(emulator)
  if (vendor === undefined) throw new Error(`No vendor's client goes the way ${way}`)
  const publicKey = await vendor.publicKey()
  await vendor.close()
  return publicKey
}

const bytes = (value: Uint8Array | undefined): Uint8Array => new Uint8Array(value ?? [])
/** SubjectPublicKeyInfo of Ed25519 ends in the key. */
const keyOfSpki = (spki: Uint8Array): Uint8Array => spki.slice(-32)

const VENDORS: Readonly<Record<string, (emulator: Emulator) => Vendor>> = {
  'aws-kms-sdk': awsSdk,
  'vault-transit-http': vaultClient,
  'gcp-kms-grpc': emulator => google(emulator.gcpGrpc, 'grpc'),
  'gcp-kms-rest': emulator => google(emulator.gcpRest.replace('http://', ''), 'rest'),
}

export const awsClient = (emulator: Pick<Emulator, 'aws'>): KMSClient =>
  new KMSClient({
    endpoint: emulator.aws,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })

function awsSdk(emulator: Emulator): Vendor {
  const client = awsClient(emulator)
  const { native, wrapping } = REFERENCES.aws
  const question = { KeyId: native, Message: HASH, MessageType: 'RAW', SigningAlgorithm: 'ED25519_SHA_512' } as const
  return {
    publicKey: async () => keyOfSpki(bytes((await client.send(new GetPublicKeyCommand({ KeyId: native }))).PublicKey)),
    sign: async () => bytes((await client.send(new SignCommand(question))).Signature),
    encrypt: async Plaintext =>
      bytes((await client.send(new EncryptCommand({ KeyId: wrapping, Plaintext }))).CiphertextBlob),
    decrypt: async CiphertextBlob =>
      bytes((await client.send(new DecryptCommand({ KeyId: wrapping, CiphertextBlob }))).Plaintext),
    close: () => client.destroy(),
  }
}

interface VaultAnswer {
  readonly data: {
    readonly signature?: string
    readonly ciphertext?: string
    readonly plaintext?: string
    readonly keys?: Readonly<Record<string, { readonly public_key: string }>>
  }
}

function vaultClient(emulator: Emulator): Vendor {
  const client = nodeVault({ endpoint: emulator.vault, token: emulator.vaultToken })
  const write = async (path: string, body: object): Promise<VaultAnswer['data']> =>
    ((await client.write(path, body)) as VaultAnswer).data
  return {
    publicKey: async () =>
      bytes(
        fromBase64(((await client.read('transit/keys/demo-vault')) as VaultAnswer).data.keys?.['1']?.public_key ?? ''),
      ),
    sign: async () => {
      const { signature } = await write('transit/sign/demo-vault', { input: toBase64(HASH) })
      return bytes(fromBase64(signature?.split(':')[2] ?? ''))
    },
    encrypt: async plaintext => {
      const { ciphertext } = await write('transit/encrypt/demo-wrapping', { plaintext: toBase64(plaintext) })
      return new TextEncoder().encode(ciphertext)
    },
    decrypt: async sealed => {
      const { plaintext } = await write('transit/decrypt/demo-wrapping', {
        ciphertext: new TextDecoder().decode(sealed),
      })
      return bytes(fromBase64(plaintext ?? ''))
    },
    close: () => {},
  }
}

function google(address: string, transport: 'grpc' | 'rest'): Vendor {
  const [apiEndpoint = '', port] = address.split(':')
  const place = { apiEndpoint, port: Number(port), authClient: new PassThroughClient() }
  const client = new KeyManagementServiceClient(
    transport === 'grpc'
      ? { ...place, sslCreds: credentials.createInsecure() }
      : { ...place, fallback: true, protocol: 'http' },
  )
  const { native, wrapping } = REFERENCES.gcp
  const asBytes = (value: Uint8Array | string | null | undefined): Uint8Array =>
    typeof value === 'string' ? bytes(fromBase64(value)) : bytes(value ?? undefined)
  return {
    publicKey: async () => {
      const [{ pem }] = await client.getPublicKey({ name: native })
      const lines = (pem ?? '').split('\n').filter(line => line !== '' && !line.startsWith('-----'))
      return keyOfSpki(bytes(fromBase64(lines.join(''))))
    },
    sign: async () => asBytes((await client.asymmetricSign({ name: native, data: HASH }))[0].signature),
    encrypt: async plaintext => asBytes((await client.encrypt({ name: wrapping, plaintext }))[0].ciphertext),
    decrypt: async ciphertext => asBytes((await client.decrypt({ name: wrapping, ciphertext }))[0].plaintext),
    close: () => client.close(),
  }
}
