import type { SeedDocument } from '../../local-kms/index.ts'
import { isDevelopmentKey } from '../../providers/index.ts'
import { toHex } from '../bytes/hex.ts'
import { sha256 } from '../bytes/sha256.ts'
import type { Chain } from '../domain/key.ts'
import { addressOf } from '../service/payloads.ts'

/**
 * The keys of `countersign dev`. Their seeds are PUBLIC: SHA-256 of the text below. They are worth nothing, are refused
 * in production, and are the same on every machine so that examples can be copied.
 */
const seedOf = (label: string): Uint8Array => sha256(new TextEncoder().encode(`countersign ${label} development key`))

export interface DemoKey {
  readonly name: string
  readonly provider: 'aws-kms' | 'vault-transit' | 'gcp-kms' | 'passphrase' | 'mock'
  readonly custody: 'native' | 'envelope'
  /** Stellar unless told. */
  readonly chain?: Chain
  /** What `dev` adopts: the key in the service (native), or the key that wraps (envelope). Absent: the mock makes one. */
  readonly reference?: string
}

const awsId = (n: number): string => `00000000-0000-4000-8000-00000000d30${n}`
const AWS_KEY = `arn:aws:kms:us-east-1:000000000000:key/`
const GOOGLE_KEY = 'projects/demo/locations/global/keyRings/demo/cryptoKeys/'
export const DEMO_KMS_KEY_ID = awsId(1)

/** One key for each provider and custody there is. References name what local-kms is seeded with. */
export const DEMO_KEYS: readonly DemoKey[] = [
  { name: 'demo-stellar', provider: 'aws-kms', custody: 'native', reference: DEMO_KMS_KEY_ID },
  { name: 'demo-stellar-decrypt', provider: 'aws-kms', custody: 'envelope', reference: `${AWS_KEY}${awsId(2)}` },
  { name: 'demo-vault', provider: 'vault-transit', custody: 'native', reference: 'transit/demo-vault@1' },
  { name: 'demo-vault-decrypt', provider: 'vault-transit', custody: 'envelope', reference: 'transit/demo-wrapping' },
  { name: 'demo-gcp', provider: 'gcp-kms', custody: 'native', reference: `${GOOGLE_KEY}demo-gcp/cryptoKeyVersions/1` },
  { name: 'demo-gcp-decrypt', provider: 'gcp-kms', custody: 'envelope', reference: `${GOOGLE_KEY}demo-wrapping` },
  { name: 'demo-passphrase', provider: 'passphrase', custody: 'envelope', reference: 'passphrase/demo' },
  { name: 'demo-mock', provider: 'mock', custody: 'native' },
  { name: 'demo-mock-decrypt', provider: 'mock', custody: 'envelope' },
  { name: 'demo-evm', chain: 'evm', provider: 'aws-kms', custody: 'native', reference: awsId(3) },
  {
    name: 'demo-evm-decrypt',
    chain: 'evm',
    provider: 'aws-kms',
    custody: 'envelope',
    reference: `${AWS_KEY}${awsId(2)}`,
  },
]

/** Where the demo keys live: their private halves are public, so no production signer takes one. */
const DEMO_ADDRESSES: readonly string[] = [
  'GCFSYQITD7DHMDNCVXFWAYBQOMHCQATL4OJLPTM7WRL2AD4HOIQZNXU2', // demo-stellar
  'GCEHJHKWM5JZ6M6UMRVT3DRVI6H3BP3KPWXIDNYPOHRCIII23H74HYOC', // demo-stellar-decrypt
  'GCJD3HSWZLYZJRQ6C3DMC2YTAKJGS6QILX7W4AQ4WMGR2C7R7YNPSOC4', // demo-mock
  'GDDE2DU6CE7XG7O5V6QBVHSQDL45LMDKSBRS7ZRQUAYZKSNVFRXONJAO', // demo-mock-decrypt
  'GD3ZEY5ZD2ZWGBPD4QK5QD4IEY7G234OY6GCNIB5V3TZA7HSBTGCNJK3', // demo-vault
  'GDEIAGZNR45HF6XG2KGPBQK2S7UALGD3MJBS4ZHQFMXT3KP7UHGWRWDG', // demo-vault-decrypt
  'GBEFQ42ZNJP7C7AUFIXJLOAFFYFXN3KEY6VLUKLNSK4JO66L6J24I3O6', // demo-gcp
  'GC3YHSPOXLH2DGULVXXNJ6VNN4TDKUFLZQYRAQKHEDE6TRHQNOTZC6BX', // demo-gcp-decrypt
  'GDPDFCMZYX3GINLFZN6CN7MK64NL63XG25MERNU4LM6IE7IRJANGF2G5', // demo-passphrase
  '0xDba2506e876F6E198056eAb2D0a1a6403EA12C39', // demo-evm
  '0x0c31fE2928271fFBae6A3f6ea3D23b857A7dbD14', // demo-evm-decrypt
]

/** True for a key everybody has: one of `dev`, or one of the mock's labels. */
export const isPublishedKey = (publicKey: Uint8Array): boolean =>
  isDevelopmentKey(publicKey) ||
  DEMO_ADDRESSES.includes(addressOf(publicKey.length === 32 ? 'stellar' : 'evm', publicKey))

/** A fresh copy: whoever takes it wipes it. */
export const demoSeed = (name: string): Uint8Array => seedOf(name)

export { DEVELOPMENT_PASSPHRASE as DEMO_PASSPHRASE } from '../../providers/index.ts'

const material = (label: string) => ({ material: { hex: toHex(seedOf(label)) } })

/** What local-kms starts with, on each face: the native demo key and a wrapping key, under fixed names. */
export const DEMO_KMS_SEED: SeedDocument = {
  version: 1,
  keys: [
    { keyId: awsId(1), spec: 'ECC_NIST_EDWARDS25519', ...material('demo-stellar'), aliases: ['alias/demo-stellar'] },
    { keyId: awsId(2), spec: 'SYMMETRIC_DEFAULT', ...material('demo-wrapping'), aliases: ['alias/demo-wrapping'] },
    { keyId: awsId(3), spec: 'ECC_SECG_P256K1', ...material('demo-evm'), aliases: ['alias/demo-evm'] },
  ],
  vault: {
    keys: [
      { name: 'demo-vault', type: 'ed25519', ...material('demo-vault') },
      { name: 'demo-wrapping', type: 'aes256-gcm96', ...material('demo-wrapping of vault') },
    ],
  },
  gcp: {
    cryptoKeys: [
      { name: `${GOOGLE_KEY}demo-gcp`, algorithm: 'EC_SIGN_ED25519', versions: [material('demo-gcp')] },
      {
        name: `${GOOGLE_KEY}demo-wrapping`,
        algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION',
        versions: [material('demo-wrapping of gcp')],
      },
    ],
  },
}

/** Unsigned testnet payment as stellar-cli writes it: the text of examples/payment.xdr, for the binary that travels alone. */
export const EXAMPLE_XDR =
  'AAAAAgAAAACLLEETH8Z2DaKty2BgMHMOKAJr45K3zZ+0V6APh3IhlgAAAGQAAAABAAAAAQAAAAAAAAAAAAAAAQAAAAAAAAABAAAAABEFjuuNG/VfoC/RWrTc59VnpMKrQ7/IPOgxKX61rUHmAAAAAAAAAAAF9eEAAAAAAAAAAAA='

/** A payment of 0.01 test ether with the fields of JSON-RPC (EIP-1559), to an account of Hardhat and Anvil. */
export const EXAMPLE_EVM = {
  type: 'evm-transaction',
  transaction: {
    type: '0x2',
    chainId: '0xaa36a7',
    nonce: '0x0',
    to: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
    value: '0x2386f26fc10000',
    gas: '0x5208',
    maxFeePerGas: '0x77359400',
    maxPriorityFeePerGas: '0x3b9aca00',
  },
}
