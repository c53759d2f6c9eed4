/** M-30: each EVM payload through the whole data plane, with native and envelope custody, checked by another library. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  getAddress,
  hashMessage,
  hashTypedData,
  parseTransaction,
  recoverAddress,
  recoverMessageAddress,
  recoverTransactionAddress,
  recoverTypedDataAddress,
} from 'viem'
import { recoverAuthorizationAddress } from 'viem/utils'
import type { PolicyDocument } from '../../../../src/policy/index.ts'
import { openRig, problemOf, type Rig } from '../../../support/rig.ts'

type Hex = `0x${string}`
type Answer = Record<string, string> & { signedAuthorization: Record<string, string> }

const CHAIN = 11155111
const RECEIVER = '0x000000000000000000000000000000000000dEaD'
const TOKEN = '0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238'
const CODE = getAddress('0x58f8fe237b593c19546e1e758a2544561d04bfe0')

const policy: PolicyDocument = {
  version: 1,
  network: 'sepolia',
  evm: {
    fee: { maxWei: '100000000000000000' },
    maxWei: '1000000000000000000',
    payments: { destinations: [RECEIVER] },
    tokens: [{ token: TOKEN, maxPerTransaction: '5000000', recipients: [RECEIVER] }],
    setCode: { codes: [CODE] },
    blobs: { max: 1 },
  },
  messages: [{ prefix: 'Countersign test', maxBytes: 200 }],
  typedData: [
    {
      domain: { name: 'Shop', version: '1', chainId: String(CHAIN), verifyingContract: TOKEN },
      primaryType: 'Order',
      fields: { buyer: { addresses: [RECEIVER] }, amount: { between: ['1', '100'] }, note: 'any' },
    },
  ],
  rawDigests: true,
}

const FEES = { maxFeePerGas: '0x77359400', maxPriorityFeePerGas: '0x3b9aca00', gas: '0x186a0' }
const payment = (nonce: string) => ({
  chainId: '0xaa36a7',
  nonce,
  to: RECEIVER,
  value: '0x2386f26fc10000',
  ...FEES,
})
const typedData = {
  types: {
    Order: [
      { name: 'buyer', type: 'address' },
      { name: 'amount', type: 'uint256' },
      { name: 'note', type: 'string' },
    ],
  },
  primaryType: 'Order',
  domain: { name: 'Shop', version: '1', chainId: CHAIN, verifyingContract: TOKEN },
  message: { buyer: RECEIVER, amount: '7', note: 'blue' },
} as const

const KEYS = [
  { name: 'deployer', custody: 'native' },
  { name: 'sealed', custody: 'envelope' },
] as const

const open = (): Promise<Rig> =>
  openRig({
    log: 'memory',
    keys: [
      ...KEYS.map(({ name, custody }) => ({ name, custody, chain: 'evm' as const, policy })),
      { name: 'closed', chain: 'evm', policy: { version: 1 } },
    ],
  })

const send = (rig: Rig, key: string, payload: unknown): Promise<Response> =>
  rig.sign({ key, body: JSON.stringify(payload) })

async function signed(rig: Rig, key: string, payload: unknown): Promise<Answer> {
  const response = await send(rig, key, payload)
  const answer = (await response.json()) as Answer
  assert.equal(response.status, 200, JSON.stringify(answer))
  return answer
}

for (const { name, custody } of KEYS) {
  test(`M-30 every EVM payload, signed in ${custody} custody and verified by viem`, async () => {
    const rig = await open()
    const address = rig.keys.get(name)?.version.address as Hex
    const transactions: Record<string, unknown>[] = [
      { chainId: '0xaa36a7', nonce: '0x0', to: RECEIVER, value: '0x1', gasPrice: '0x77359400', gas: '0x5208' },
      { ...payment('0x1'), type: '0x1', gasPrice: '0x77359400', accessList: [{ address: TOKEN, storageKeys: [] }] },
      payment('0x2'),
      {
        ...payment('0x3'),
        to: TOKEN,
        value: '0x0',
        data: `0xa9059cbb${RECEIVER.slice(2).toLowerCase().padStart(64, '0')}${'f4240'.padStart(64, '0')}`,
      },
      { ...payment('0x4'), maxFeePerBlobGas: '0x3b9aca00', blobVersionedHashes: [`0x01${'ab'.repeat(31)}`] },
    ]
    delete transactions[1]?.['maxFeePerGas']
    delete transactions[1]?.['maxPriorityFeePerGas']
    for (const transaction of transactions) {
      const answer = await signed(rig, name, {
        type: 'evm-transaction',
        transaction: { ...transaction, from: address },
      })
      const serializedTransaction = answer['signedTransaction'] as never
      assert.equal(await recoverTransactionAddress({ serializedTransaction }), address)
      assert.equal(parseTransaction(serializedTransaction).nonce ?? 0, Number(transaction['nonce']))
      assert.equal(
        await recoverAddress({ hash: `0x${answer['hash']}`, signature: answer['evmSignature'] as Hex }),
        address,
      )
    }

    const { signedAuthorization: tuple } = await signed(rig, name, {
      type: 'evm-authorization',
      authorization: { chainId: '0xaa36a7', address: CODE, nonce: '0x6' },
    })
    const authorization = { address: CODE, chainId: CHAIN, nonce: 6, yParity: Number(tuple['yParity']) } as const
    const [r, s] = [tuple['r'] as Hex, tuple['s'] as Hex]
    assert.equal(await recoverAuthorizationAddress({ authorization: { ...authorization, r, s } }), address)
    // It goes into a transaction the way it came.
    const setCode = { ...payment('0x5'), value: '0x0', authorizationList: [tuple] }
    const { signedTransaction } = await signed(rig, name, { type: 'evm-transaction', transaction: setCode })
    assert.equal(await recoverTransactionAddress({ serializedTransaction: signedTransaction as never }), address)
    assert.equal(parseTransaction(signedTransaction as `0x04${string}`).authorizationList?.length, 1)

    const message = 'Countersign test: hello'
    const { evmSignature } = await signed(rig, name, { type: 'evm-message', message })
    assert.equal(await recoverMessageAddress({ message, signature: evmSignature as Hex }), address)

    const order = await signed(rig, name, { type: 'evm-typed-data', typedData })
    const again = { ...typedData, message: { ...typedData.message, amount: 7n } }
    assert.equal(await recoverTypedDataAddress({ ...again, signature: order['evmSignature'] as Hex }), address)
    assert.equal(`0x${order['hash']}`, hashTypedData(again))

    const digest = hashMessage('anything')
    const raw = await signed(rig, name, { type: 'raw-digest', digest: digest.slice(2) })
    assert.equal(await recoverAddress({ hash: digest, signature: raw['evmSignature'] as Hex }), address)

    const intents = (await rig.records()).filter(({ kind }) => kind === 'intent')
    assert.equal(intents.length, transactions.length + 5)
    assert.equal(rig.signatures(), transactions.length + 5)
  })
}

test('M-30 T32 T33 a key whose policy grants nothing signs none of them, and its service is not asked', async () => {
  const rig = await open()
  const payloads = [
    { type: 'evm-transaction', transaction: payment('0x0') },
    { type: 'evm-authorization', authorization: { chainId: '0x0', address: CODE, nonce: '0x0' } },
    { type: 'evm-message', message: 'Countersign test: hello' },
    { type: 'evm-typed-data', typedData },
    { type: 'raw-digest', digest: 'ab'.repeat(32) },
  ]
  for (const payload of payloads) {
    const response = await send(rig, 'closed', payload)
    assert.deepEqual(
      [payload.type, response.status, (await problemOf(response)).code],
      [payload.type, 403, 'policy/denied'],
    )
  }
  assert.equal(rig.signatures(), 0)
})

test('M-30 what is granted is granted for this chain, this account and these bounds', async () => {
  const rig = await open()
  const refused = async (payload: unknown) => {
    const { code, ...rest } = await problemOf(await send(rig, 'deployer', payload))
    return `${code} ${String(rest['field'] ?? rest['rule'])}`
  }
  const transaction = payment('0x0')
  const ask = (over: Record<string, unknown>) =>
    refused({ type: 'evm-transaction', transaction: { ...transaction, ...over } })
  assert.equal(await ask({ chainId: '0x1' }), 'payload/invalid transaction.chainId')
  assert.equal(await ask({ from: RECEIVER }), 'payload/invalid transaction.from')
  assert.equal(await ask({ to: CODE }), 'policy/denied evm-calls')
  assert.equal(await ask({ value: '0xde0b6b3a7640001' }), 'policy/denied evm-value')
  assert.equal(await ask({ maxFeePerGas: '0xe8d4a51000', gas: '0xf4240' }), 'policy/denied evm-fee')
  const other = { ...typedData, message: { ...typedData.message, amount: 101 } }
  assert.equal(await refused({ type: 'evm-typed-data', typedData: other }), 'policy/denied typed-data')
  const anywhere = { chainId: '0x0', address: CODE, nonce: '0x0' }
  assert.equal(await refused({ type: 'evm-authorization', authorization: anywhere }), 'policy/denied evm-set-code')
  assert.equal(rig.signatures(), 0)
})

test('M-30 one nonce, one effect: only the same transaction for a higher fee takes its place', async () => {
  const rig = await open()
  const transaction = payment('0x0')
  const ask = async (over: Record<string, unknown>) => {
    const response = await send(rig, 'deployer', { type: 'evm-transaction', transaction: { ...transaction, ...over } })
    return response.status === 200 ? 'signed' : String((await problemOf(response))['rule'])
  }
  assert.equal(await ask({}), 'signed')
  assert.equal(await ask({}), 'signed') // byte for byte the same
  assert.equal(await ask({ value: '0x1' }), 'equivocation')
  assert.equal(await ask({ maxFeePerGas: '0x6fc23ac0' }), 'equivocation')
  assert.equal(await ask({ maxFeePerGas: '0x9502f900', value: '0x1' }), 'equivocation')
  assert.equal(await ask({ maxFeePerGas: '0x9502f900', maxPriorityFeePerGas: '0x4a817c80' }), 'signed')
  assert.equal(await ask({ nonce: '0x1', value: '0x1' }), 'signed')
})
