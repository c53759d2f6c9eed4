import { secp256k1 } from '@noble/curves/secp256k1.js'
import { evmAddress, evmPayloads } from '../../../src/chains/evm/index.ts'
import type { Signatory } from '../../../src/domain/payload.ts'
import { type Cases, outcome } from '../report.ts'

const PRIVATE_KEY = new Uint8Array(32).fill(0x46) // of the example of EIP-155
const publicKey = secp256k1.getPublicKey(PRIVATE_KEY, false)
const signatory: Signatory = {
  key: 'deployer',
  version: 1,
  chain: 'evm',
  network: 'mainnet',
  address: evmAddress(publicKey),
  account: evmAddress(publicKey),
}

const TO = `0x${'35'.repeat(20)}`
const FEES = { maxFeePerGas: '0x20', maxPriorityFeePerGas: '0x10' }
const common = { chainId: '0x1', nonce: '0x9', gas: '0x5208', to: TO, value: '0xde0b6b3a7640000' }
const tuple = { chainId: '0x0', address: TO, nonce: '0x3', yParity: '0x1', r: '0x1', s: '0x2' }
const types = {
  Order: [
    { name: 'buyer', type: 'address' },
    { name: 'tokens', type: 'Token[2]' },
    { name: 'note', type: 'string' },
  ],
  Token: [{ name: 'amount', type: 'int128' }],
}
const message = { buyer: TO, tokens: [{ amount: '-5' }, { amount: '0x5' }], note: 'Grüße' }
const domain = { name: 'Shop', chainId: 1, verifyingContract: TO }

const PAYLOADS: readonly { readonly type: string; readonly [field: string]: unknown }[] = [
  { type: 'evm-transaction', transaction: { ...common, gasPrice: '0x4a817c800' } },
  {
    type: 'evm-transaction',
    transaction: { ...common, gasPrice: '0x1', accessList: [{ address: TO, storageKeys: [] }] },
  },
  { type: 'evm-transaction', transaction: { ...common, ...FEES, data: '0xa9059cbb' } },
  {
    type: 'evm-transaction',
    transaction: { ...common, ...FEES, maxFeePerBlobGas: '0x7', blobVersionedHashes: [`0x01${'ab'.repeat(31)}`] },
  },
  { type: 'evm-transaction', transaction: { ...common, ...FEES, authorizationList: [tuple] } },
  { type: 'evm-transaction', transaction: { ...common, ...FEES, chainId: '0x5' } },
  {
    type: 'evm-transaction',
    unsigned: '0xec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080',
  },
  { type: 'evm-transaction', unsigned: '0x02c0' },
  { type: 'evm-message', message: 'Grüße' },
  { type: 'evm-message', hex: '0xff00' },
  { type: 'evm-typed-data', typedData: { types, primaryType: 'Order', domain, message } },
  { type: 'evm-typed-data', typedData: { types, primaryType: 'Order', domain, message: { ...message, note: 5 } } },
  { type: 'evm-authorization', authorization: { chainId: '0x1', address: TO, nonce: '0x9' } },
  { type: 'raw-digest', digest: 'ab'.repeat(32) },
]

export const evmCases: Cases = {
  'every payload, signed': () =>
    Promise.all(
      PAYLOADS.map(payload =>
        outcome(async () => {
          const asked = evmPayloads[payload.type]?.(payload, signatory)
          if (asked?.input.scheme !== 'ecdsa-secp256k1') throw new TypeError('not for EVM')
          const { hash, sentence, operations, input } = asked
          const signature = secp256k1.sign(input.digest, PRIVATE_KEY, { prehash: false })
          const { sentences } = asked.describe()
          return [hash, sentence, sentences, operations, asked.slot()?.effects, asked.attach(publicKey, signature)]
        }),
      ),
    ),
}
