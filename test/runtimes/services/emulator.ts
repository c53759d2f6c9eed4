/** The three services as one emulator, with keys that anybody can derive. For the process that runs the tests. */
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Fault, FaultRule, SeedDocument } from '../../../local-kms/index.ts'
import { startLocalKms } from '../../../local-kms/index.ts'
import { developmentSecret } from '../../../providers/mock/index.ts'
import { toHex } from '../../../src/bytes/hex.ts'
import {
  APPROLE,
  AWS_SESSION,
  EVM_KEY,
  FAULTY_KEYS,
  type Places,
  REGION,
  RING,
  SIGNING_KEYS,
  WRAPPING_KEYS,
} from './places.ts'

const FAULTS: Readonly<Record<(typeof FAULTY_KEYS)[number], Fault>> = {
  'content-type': { kind: 'content-type', value: 'text/html' },
  'duplicate-json-keys': { kind: 'duplicate-json-keys' },
  'flip-bit': { kind: 'flip-bit' },
  'other-key-signature': { kind: 'other-key-signature' },
  'oversized-body': { kind: 'oversized-body', bytes: 1_000_000 },
  redirect: { kind: 'redirect', location: 'http://127.0.0.1:9/elsewhere' },
  reset: { kind: 'reset' },
  status: { kind: 'status', status: 503 },
  truncate: { kind: 'truncate' },
  'truncated-json': { kind: 'truncated-json' },
}

const ACCOUNT = 'signer@parity.iam.gserviceaccount.com'
const DATA_PLANE = 'path "transit/*" { capabilities = ["create", "read", "update"] }'

/** Hexadecimal of a development key: fixed, and the same that the mock provider signs with. */
const material = (use: 'ed25519' | 'ecdsa-secp256k1' | 'wrapping', name: string) => ({
  hex: developmentSecret(use, name).use(toHex),
})

function seedDocument(publicKey: string): SeedDocument {
  const disabled = (name: string): boolean => name === 'disabled'
  const signing = SIGNING_KEYS.map(name => ({ name, material: material('ed25519', name) }))
  const wrapping = WRAPPING_KEYS.map(name => ({ name, material: material('wrapping', name) }))
  const evm = { name: EVM_KEY, material: material('ecdsa-secp256k1', EVM_KEY) }
  const cryptoKey = (name: string) => `${RING}/cryptoKeys/${name}`
  return {
    version: 1,
    region: REGION,
    credentials: [AWS_SESSION],
    keys: [
      ...signing.map(({ name, material }) => ({
        keyId: name,
        spec: 'ECC_NIST_EDWARDS25519' as const,
        material,
        ...(disabled(name) ? { state: 'Disabled' as const } : {}),
      })),
      { keyId: evm.name, spec: 'ECC_SECG_P256K1', material: evm.material },
      ...wrapping.map(({ name, material }) => ({ keyId: name, spec: 'SYMMETRIC_DEFAULT' as const, material })),
    ],
    vault: {
      keys: [
        ...signing.map(({ name, material }) => ({
          name,
          type: 'ed25519' as const,
          // Transit has no switch; what is off is a version below the one that still signs.
          ...(disabled(name) ? { versions: [{ material }, {}], minEncryptionVersion: 2 } : { material }),
        })),
        ...wrapping.map(({ name, material }) => ({ name, type: 'aes256-gcm96' as const, material })),
      ],
      policies: [{ name: 'data-plane', policy: DATA_PLANE }],
      approle: [
        {
          name: 'parity',
          roleId: APPROLE.roleId,
          secretIds: [{ id: APPROLE.secretId }],
          policies: ['data-plane'],
          ttl: 3_600,
        },
      ],
    },
    gcp: {
      cryptoKeys: [
        ...signing.map(({ name, material }) => ({
          name: cryptoKey(name),
          algorithm: 'EC_SIGN_ED25519' as const,
          versions: [{ material, ...(disabled(name) ? { state: 'DISABLED' } : {}) }],
        })),
        {
          name: cryptoKey(evm.name),
          algorithm: 'EC_SIGN_SECP256K1_SHA256',
          protectionLevel: 'HSM',
          versions: [{ material: evm.material }],
        },
        ...wrapping.map(({ name, material }) => ({
          name: cryptoKey(name),
          algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION' as const,
          versions: [{ material }],
        })),
      ],
      accounts: [{ email: ACCOUNT, publicKey }],
    },
  }
}

/** A port that was free a moment ago, and that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

export async function startServices(): Promise<Places & { close(): Promise<void> }> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const rules = FAULTY_KEYS.map((key): FaultRule => ({ key, times: 0, fault: FAULTS[key] }))
  const kms = await startLocalKms({
    sigv4: 'strict',
    seed: seedDocument(publicKey.export({ type: 'spki', format: 'pem' })),
    faults: rules,
  })
  return {
    aws: kms.aws,
    vault: kms.vault,
    gcpRest: kms.gcpRest,
    gcpGrpc: kms.gcpGrpc,
    serviceAccount: JSON.stringify({
      type: 'service_account',
      client_email: ACCOUNT,
      private_key_id: 'parity',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    }),
    nowhere: `http://127.0.0.1:${await freePort()}`,
    close: () => kms.close(),
  }
}
