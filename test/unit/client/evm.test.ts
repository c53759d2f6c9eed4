/** An account for viem and a signer for ethers, over a real data plane, against the same key held by viem itself. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { AbstractSigner, type Provider, Transaction, verifyAuthorization, verifyMessage, verifyTypedData } from 'ethers'
import {
  createWalletClient,
  custom,
  type Hex,
  type LocalAccount,
  recoverTransactionAddress,
  recoverTypedDataAddress,
  type TransactionSerializable,
} from 'viem'
import { type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts'
import { sepolia } from 'viem/chains'
import { recoverAuthorizationAddress } from 'viem/utils'
import { serializeTransaction } from 'viem'
import { CountersignSigner } from '../../../src/client/ethers.ts'
import type { EvmAccount } from '../../../src/client/index.ts'
import { type ClientWorld, openClientWorld } from '../../support/client-world.ts'

const SEED = new Uint8Array(32).fill(7)
const TO = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'
const CODE = '0x63c0c19a282a1B52b07dD5a65b58948A07DAE32B'
const TOKEN = '0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238'
const HASH: Hex = `0x${'01'.padEnd(64, 'a')}`

const TYPED = {
  domain: { name: 'Ether Mail', version: '1', chainId: 11155111, verifyingContract: TOKEN },
  types: {
    Person: [
      { name: 'name', type: 'string' },
      { name: 'wallet', type: 'address' },
    ],
    Mail: [
      { name: 'from', type: 'Person' },
      { name: 'amount', type: 'uint256' },
      { name: 'proof', type: 'bytes' },
    ],
  },
  primaryType: 'Mail',
  message: { from: { name: 'Cow', wallet: TO }, amount: 2n ** 200n, proof: '0x0102' },
} as const

const POLICY = {
  version: 1,
  network: 'sepolia',
  evm: {
    fee: { maxWei: '10000000000000000000' },
    maxWei: '1000000000000000000',
    payments: { destinations: 'any' },
    blobs: { max: 6 },
    setCode: { codes: [CODE] },
  },
  messages: [{ prefix: 'Countersign demo', maxBytes: 1000 }],
  typedData: [
    {
      domain: { name: 'Ether Mail', version: '1', chainId: '11155111', verifyingContract: TOKEN },
      primaryType: 'Mail',
      fields: { 'from.name': 'any', 'from.wallet': 'any', amount: 'any', proof: 'any' },
    },
  ],
  rawDigests: true,
} as const

let world: ClientWorld
let account: EvmAccount
let local: PrivateKeyAccount
before(async () => {
  const key = { name: 'deployer', chain: 'evm', custody: 'envelope', seed: SEED, policy: POLICY } as const
  world = await openClientWorld({ keys: [key as never] })
  account = await world.countersign.evm('deployer')
  local = privateKeyToAccount(`0x${'07'.repeat(32)}`)
})

let nonce = 0
const base = () => ({ chainId: 11155111, nonce: nonce++, to: TO, value: 1_000_000n, gas: 21_000n }) as const
const tip = { maxFeePerGas: 30n * 10n ** 9n, maxPriorityFeePerGas: 10n ** 9n } as const

/** EIP-4844 with a KZG that only hashes: what is signed and how it travels is the same. */
const blob: Hex = `0x${'00'.repeat(131_072)}`
const kzg = {
  blobToKzgCommitment: () => new Uint8Array(48).fill(0xc0),
  computeBlobKzgProof: () => new Uint8Array(48).fill(0xb0),
}

describe('M-30 EvmAccount', () => {
  test('it is the key, with own members that toAccount would drop', () => {
    assert.equal(account.address, local.address)
    assert.equal(account.publicKey, local.publicKey)
    assert.deepEqual([account.source, account.type, account.keyId], ['countersign', 'local', 'deployer'])
    assert.ok(Object.isFrozen(account) && Object.keys({ ...account }).includes('signTransaction'))
    account satisfies LocalAccount<'countersign'>
  })

  const forms: Readonly<Record<string, () => TransactionSerializable>> = {
    'type 0': () => ({ ...base(), type: 'legacy', gasPrice: 10n ** 9n }),
    'type 0 by its fee': () => ({ ...base(), gasPrice: 10n ** 9n }),
    'type 1': () => ({ ...base(), gasPrice: 10n ** 9n, accessList: [{ address: TOKEN, storageKeys: [HASH] }] }),
    'type 2': () => ({ ...base(), ...tip, type: 'eip1559' }),
    'type 2 without tip and value': () => ({ ...base(), value: undefined, maxFeePerGas: 30n }),
    'type 3, hashes only': () => ({ ...base(), ...tip, maxFeePerBlobGas: 10n, blobVersionedHashes: [HASH] }),
  }
  for (const [name, form] of Object.entries(forms)) {
    test(`${name}: the bytes that viem makes with the key itself`, async () => {
      const transaction = form()
      const signed = await account.signTransaction(transaction)
      assert.equal(signed, await local.signTransaction(transaction))
      assert.equal(await recoverTransactionAddress({ serializedTransaction: signed as never }), local.address)
      const again = { ...transaction, nonce: nonce++ }
      assert.equal(
        await account.signTransaction(again as never, { serializer: serializeTransaction }),
        await local.signTransaction(again),
        'through a serializer, which needs v for type 0',
      )
    })
  }

  test('type 3 with blobs: hashed without, sent with them, however they are given', async () => {
    const sidecars = [{ blob, commitment: `0x${'c0'.repeat(48)}`, proof: `0x${'b0'.repeat(48)}` }] as const
    const from = { ...base(), ...tip, type: 'eip4844', maxFeePerBlobGas: 10n } as const
    const byKzg = { ...from, blobs: [blob], kzg } as never
    const computed = await account.signTransaction(byKzg)
    assert.equal(computed, await local.signTransaction(byKzg))
    assert.ok(computed.length > 262_144)
    assert.ok((world.sent.at(-1)?.body.length ?? 0) < 2000, 'blobs do not travel to the signer')
    const [hash] = Transaction.from(computed).blobVersionedHashes ?? []
    const given = { ...from, nonce: nonce++, sidecars, blobVersionedHashes: [hash] } as never
    assert.equal(await account.signTransaction(given), await local.signTransaction(given))
    const serialized = { ...from, nonce: nonce++, sidecars, blobVersionedHashes: [hash] } as never
    assert.equal(
      await account.signTransaction(serialized, { serializer: serializeTransaction }),
      await local.signTransaction(serialized),
    )
    const bytes = { ...from, nonce: nonce++, blobs: [new Uint8Array(131_072)], kzg } as never
    assert.equal(await account.signTransaction(bytes), await local.signTransaction(bytes))
    await assert.rejects(account.signTransaction({ ...from, blobs: [blob] }), { code: 'client/options' })
  })

  test('type 4 and its authorization', async () => {
    const tuple = { chainId: 11155111, nonce: 5, address: CODE } as const
    const authorization = await account.signAuthorization(tuple)
    assert.deepEqual(authorization, await local.signAuthorization(tuple))
    const other = { chainId: 0, nonce: 6, contractAddress: CODE } as const
    await assert.rejects(account.signAuthorization(other), { code: 'policy/denied' })
    assert.equal(await recoverAuthorizationAddress({ authorization }), local.address)
    const transaction = { ...base(), ...tip, authorizationList: [authorization] } as never
    assert.equal(await account.signTransaction(transaction), await local.signTransaction(transaction))
    await assert.rejects(account.signTransaction({ ...base(), ...tip, authorizationList: [tuple] }), {
      code: 'client/options',
    })
    await assert.rejects(account.signAuthorization({ chainId: 1, nonce: 1 }), { code: 'client/options' })
  })

  test('messages, typed data and digests', async () => {
    const message = 'Countersign demo: order 4711, 10 €'
    assert.equal(await account.signMessage({ message }), await local.signMessage({ message }))
    const raw = new TextEncoder().encode(message)
    assert.equal(await account.signMessage({ message: { raw } }), await local.signMessage({ message }))
    const signature = await account.signTypedData(TYPED)
    assert.equal(signature, await local.signTypedData(TYPED))
    assert.equal(await recoverTypedDataAddress({ ...TYPED, signature }), local.address)
    assert.equal(await account.sign({ hash: HASH }), await local.sign({ hash: HASH }))
  })

  test('what the service would not sign, and what it cannot judge, is refused', async () => {
    await assert.rejects(account.signMessage({ message: 'hello' }), { code: 'policy/denied', status: 403 })
    await assert.rejects(account.signTransaction({ ...base(), ...tip, chainId: 1 }), { code: 'payload/invalid' })
    await assert.rejects(account.signTransaction({ ...base(), ...tip, chainId: undefined }), {
      code: 'payload/invalid',
    })
    await assert.rejects(account.signTransaction({ ...base(), ...tip, gasPrice: 1n }), { code: 'payload/invalid' })
    await assert.rejects(account.signTransaction({ ...base(), ...tip, type: 'cip64' }), { code: 'client/options' })
    await assert.rejects(account.signTransaction(base()), { code: 'client/options' })
    for (const value of [-1n, 1.5 as never])
      await assert.rejects(account.signTransaction({ ...base(), ...tip, value }), { code: 'client/options' })
    const serializer = (() => '0x02c0') as never
    await assert.rejects(account.signTransaction({ ...base(), ...tip }, { serializer }), { code: 'client/options' })
  })

  test('a wallet client of viem sends what it signs', async () => {
    const sent: unknown[] = []
    const request = async ({ method, params }: { method: string; params?: unknown }): Promise<unknown> => {
      if (method === 'eth_chainId') return '0xaa36a7'
      if (method !== 'eth_sendRawTransaction') throw new Error(`no ${method} here`)
      sent.push((params as unknown[])[0])
      return HASH
    }
    const client = createWalletClient({ account, chain: sepolia, transport: custom({ request }) })
    const { nonce: at, ...rest } = { ...base(), ...tip }
    assert.equal(await client.sendTransaction({ ...rest, nonce: at, type: 'eip1559' }), HASH)
    assert.equal(Transaction.from(String(sent[0])).from, local.address)
    const text = 'Countersign demo through a client'
    assert.equal(await client.signMessage({ message: text }), await local.signMessage({ message: text }))
    assert.equal(await client.signTypedData(TYPED), await local.signTypedData(TYPED))
    const authorization = await client.signAuthorization({ contractAddress: CODE, nonce: 9 })
    assert.equal(await recoverAuthorizationAddress({ authorization }), local.address)
  })
})

describe('M-30 CountersignSigner for ethers', () => {
  const signer = () => new CountersignSigner(account)

  test('it is an AbstractSigner with an address; connect keeps the key', async () => {
    assert.ok(signer() instanceof AbstractSigner)
    assert.equal(await signer().getAddress(), local.address)
    const provider = { provider: true } as unknown as Provider
    const connected = signer().connect(provider)
    assert.equal(connected.provider, provider)
    assert.equal(connected.address, local.address)
  })

  const forms: Readonly<Record<string, () => object>> = {
    'type 0': () => ({ type: 0, gasPrice: 10n ** 9n }),
    'type 1': () => ({ type: 1, gasPrice: 10n ** 9n, accessList: [{ address: TOKEN, storageKeys: [HASH] }] }),
    'type 2': () => ({ type: 2, ...tip }),
    'type 3': () => ({ type: 3, ...tip, maxFeePerBlobGas: 10n, blobVersionedHashes: [HASH] }),
    'type 3 with blobs': () => ({
      ...{ type: 3, ...tip, maxFeePerBlobGas: 10n },
      blobs: [{ data: blob, commitment: `0x${'c0'.repeat(48)}`, proof: `0x${'b0'.repeat(48)}` }],
    }),
  }
  for (const [name, form] of Object.entries(forms)) {
    test(`${name}: ethers recovers the key`, async () => {
      const { gas, ...rest } = base()
      const raw = await signer().signTransaction({ ...rest, gasLimit: gas, from: local.address, ...form() })
      const signed = Transaction.from(raw)
      assert.equal(signed.from, local.address)
      assert.equal(raw.length > 262_144, name.endsWith('blobs'))
    })
  }

  test('type 4, its authorization, messages and typed data', async () => {
    const authorization = await signer().authorize({ address: CODE, chainId: 11155111n, nonce: 7n })
    assert.equal(verifyAuthorization(authorization, authorization.signature), local.address)
    const { gas, ...rest } = base()
    const transaction = { ...rest, gasLimit: gas, type: 4, ...tip, authorizationList: [authorization] }
    assert.equal(Transaction.from(await signer().signTransaction(transaction)).from, local.address)
    const text = 'Countersign demo of ethers'
    assert.equal(verifyMessage(text, await signer().signMessage(text)), local.address)
    const bytes = new TextEncoder().encode(text)
    assert.equal(verifyMessage(bytes, await signer().signMessage(bytes)), local.address)
    const types = TYPED.types as never
    const signature = await signer().signTypedData(TYPED.domain, types, TYPED.message)
    assert.equal(verifyTypedData(TYPED.domain, types, TYPED.message, signature), local.address)
    assert.equal(signature, await local.signTypedData(TYPED))
  })

  test('another sender is refused, and an account that signs something else is found out', async () => {
    const { gas, ...rest } = base()
    const transaction = { ...rest, gasLimit: gas, type: 2, ...tip }
    await assert.rejects(signer().signTransaction({ ...transaction, from: TO }), { code: 'INVALID_ARGUMENT' })
    const other = privateKeyToAccount(`0x${'08'.repeat(32)}`)
    const liar = { ...account, signTransaction: other.signTransaction } as unknown as EvmAccount
    await assert.rejects(new CountersignSigner(liar).signTransaction(transaction), { code: 'INVALID_ARGUMENT' })
  })
})
