import { toHex } from '../../../src/bytes/hex.ts'
import { sha256 } from '../../../src/bytes/sha256.ts'
import type { Binding, EnvelopeRow, Key, KeyVersion } from '../../../src/domain/key.ts'
import type { IdempotencyEntry, StoredResult } from '../../../src/domain/ports.ts'
import type { PreparedTransaction } from '../../../src/domain/transactions.ts'

export interface Addition {
  key: Key
  version: KeyVersion
  binding: Binding
  envelope?: EnvelopeRow
}

/** The account that stays when its key changes. */
export const KEPT = 'GBRPYHIL2CI3FNQ4BXLFMNDLFJUNPU2HY3ZMFSHONUCEOASW7QC7OX2H'

const POLICY = '{"rules":[]}'

/** A whole registry entry; `envelope` custody brings its ciphertext along. */
export function sampleAddition(name: string, custody: Binding['custody'] = 'native'): Addition {
  const bindingId = `b-${name}`
  const native: Addition = {
    key: {
      name,
      chain: 'stellar',
      network: 'testnet',
      policy: POLICY,
      policyHash: toHex(sha256(new TextEncoder().encode(POLICY))),
      createdAt: 1_000,
    },
    version: {
      key: name,
      version: 1,
      scheme: 'ed25519',
      publicKey: new Uint8Array(32).fill(7),
      address: `G-${name}`,
      account: `G-${name}`,
      state: 'active',
    },
    binding: {
      id: bindingId,
      key: name,
      version: 1,
      provider: 'aws',
      custody,
      reference: 'arn:aws:kms:eu-west-1:1:key/1',
    },
  }
  if (custody === 'native') return native
  return {
    ...native,
    envelope: { bindingId, ciphertext: Uint8Array.of(1, 2, 3, 0, 255), context: { pubkey: `G-${name}` } },
  }
}

export const sampleEntry = (over: Partial<IdempotencyEntry> = {}): IdempotencyEntry => ({
  scope: 'payments-api',
  key: 'order-1',
  fingerprint: 'a'.repeat(64),
  at: 1_000_000,
  ...over,
})

export const sampleResult = (over: Partial<StoredResult> = {}): StoredResult => ({
  signature: 'c2lnbmF0dXJl',
  key: 'treasury',
  version: 1,
  provider: 'aws',
  custody: 'native',
  auditId: 'a_1',
  requestId: 'req_1',
  ...over,
})

export const samplePrepared = (over: Partial<PreparedTransaction> = {}): PreparedTransaction => ({
  network: 'testnet',
  template: 'batch-revoke',
  envelope: 'AAAA',
  hash: '11'.repeat(32),
  authorizers: [{ entry: 0, key: 'admin' }],
  signers: ['operator'],
  source: 'operator',
  feeSource: null,
  feeBump: null,
  expiresAt: 1_700_000_300_000,
  ...over,
})
