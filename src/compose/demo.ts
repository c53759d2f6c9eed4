import type { SeedDocument } from '../../local-kms/index.ts'
import { isDevelopmentKey } from '../../providers/index.ts'
import { toHex } from '../bytes/hex.ts'
import { sha256 } from '../bytes/sha256.ts'
import { stellar } from '../chains/stellar/index.ts'

/**
 * The keys of `countersign dev`. Their seeds are PUBLIC: SHA-256 of the text below. They are worth nothing, are refused
 * in production, and are the same on every machine so that examples can be copied.
 */
const seedOf = (label: string): Uint8Array => sha256(new TextEncoder().encode(`countersign ${label} development key`))

export interface DemoKey {
  readonly name: string
  readonly provider: 'aws-kms' | 'mock'
  readonly custody: 'native' | 'envelope'
}

/** One key for each provider and custody there is. */
export const DEMO_KEYS: readonly DemoKey[] = [
  { name: 'demo-stellar', provider: 'aws-kms', custody: 'native' },
  { name: 'demo-stellar-decrypt', provider: 'aws-kms', custody: 'envelope' },
  { name: 'demo-mock', provider: 'mock', custody: 'native' },
  { name: 'demo-mock-decrypt', provider: 'mock', custody: 'envelope' },
]

/** Where the demo keys live: their private halves are public, so no production signer takes one. */
const DEMO_ADDRESSES: readonly string[] = [
  'GCFSYQITD7DHMDNCVXFWAYBQOMHCQATL4OJLPTM7WRL2AD4HOIQZNXU2', // demo-stellar
  'GCEHJHKWM5JZ6M6UMRVT3DRVI6H3BP3KPWXIDNYPOHRCIII23H74HYOC', // demo-stellar-decrypt
  'GCJD3HSWZLYZJRQ6C3DMC2YTAKJGS6QILX7W4AQ4WMGR2C7R7YNPSOC4', // demo-mock
  'GDDE2DU6CE7XG7O5V6QBVHSQDL45LMDKSBRS7ZRQUAYZKSNVFRXONJAO', // demo-mock-decrypt
]

/** True for a key everybody has: one of `dev`, or one of the mock's labels. */
export const isPublishedKey = (publicKey: Uint8Array): boolean =>
  isDevelopmentKey(publicKey) || DEMO_ADDRESSES.includes(stellar.address(publicKey))

export const DEMO_KMS_KEY_ID = '00000000-0000-4000-8000-00000000d301'
const DEMO_WRAPPING_KEY_ID = '00000000-0000-4000-8000-00000000d302'
/** A wrapping key is pinned by its ARN; local-kms has this region and account unless told otherwise. */
export const DEMO_WRAPPING_KEY = `arn:aws:kms:us-east-1:000000000000:key/${DEMO_WRAPPING_KEY_ID}`

/** A fresh copy: whoever takes it wipes it. */
export const demoSeed = (name: string): Uint8Array => seedOf(name)

/** What local-kms starts with: the native demo key and the wrapping key, under fixed ids. */
export const DEMO_KMS_SEED: SeedDocument = {
  version: 1,
  keys: [
    {
      keyId: DEMO_KMS_KEY_ID,
      spec: 'ECC_NIST_EDWARDS25519',
      material: { hex: toHex(seedOf('demo-stellar')) },
      aliases: ['alias/demo-stellar'],
    },
    {
      keyId: DEMO_WRAPPING_KEY_ID,
      spec: 'SYMMETRIC_DEFAULT',
      material: { hex: toHex(seedOf('demo-wrapping')) },
      aliases: ['alias/demo-wrapping'],
    },
  ],
}

/** Unsigned testnet payment as stellar-cli writes it: the text of examples/payment.xdr, for the binary that travels alone. */
export const EXAMPLE_XDR =
  'AAAAAgAAAACLLEETH8Z2DaKty2BgMHMOKAJr45K3zZ+0V6APh3IhlgAAAGQAAAABAAAAAQAAAAAAAAAAAAAAAQAAAAAAAAABAAAAABEFjuuNG/VfoC/RWrTc59VnpMKrQ7/IPOgxKX61rUHmAAAAAAAAAAAF9eEAAAAAAAAAAAA='
