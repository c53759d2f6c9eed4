/** JSON-RPC and Web3Signer's REST as their clients speak them: viem and ethers, unmodified, against the handler. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { FetchRequest, JsonRpcProvider, Transaction, verifyMessage as ethersVerifies, verifyTypedData } from 'ethers'
import {
  createWalletClient,
  hashMessage,
  http,
  keccak256,
  parseEther,
  parseTransaction,
  recoverAddress,
  recoverMessageAddress,
  recoverTransactionAddress,
  recoverTypedDataAddress,
  serializeTransaction,
} from 'viem'
import { sepolia } from 'viem/chains'
import type { PolicyDocument } from '../../../src/policy/index.ts'
import { rpcRoutes } from '../../../src/http/routes-rpc.ts'
import { openRig, type Rig } from '../../support/rig.ts'

const TO = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'
const VAULT = '0x5FbDB2315678afecb367f032d93F642f64180aa3'
const policy: PolicyDocument = {
  version: 1,
  network: 'sepolia',
  evm: { fee: { maxWei: '1000000000000000000' }, maxWei: '1000000000000000000', payments: { destinations: [TO] } },
  messages: [{ prefix: 'Log in to', maxBytes: 200 }],
  typedData: [
    {
      domain: { name: 'Vault', version: '1', chainId: '11155111', verifyingContract: VAULT },
      primaryType: 'Release',
      fields: { to: { addresses: [TO] }, amount: { between: ['0', '100'] } },
    },
  ],
}
const typed = {
  domain: { name: 'Vault', version: '1', chainId: 11155111n, verifyingContract: VAULT },
  types: {
    Release: [
      { name: 'to', type: 'address' },
      { name: 'amount', type: 'uint256' },
    ],
  },
  primaryType: 'Release',
  message: { to: TO, amount: 7n },
} as const
const fees = { maxFeePerGas: 2_000_000_000n, maxPriorityFeePerGas: 1_000_000_000n, gas: 21_000n }
const payment = { chainId: sepolia.id, type: 'eip1559', to: TO, value: parseEther('0.5'), nonce: 0, ...fees } as const

let rig: Rig
let address: `0x${string}`
let other: `0x${string}`
let token: string
let server: Server
let url: string

before(async () => {
  rig = await openRig({
    log: 'memory',
    keys: [
      { name: 'deployer', chain: 'evm', policy },
      { name: 'spare', chain: 'evm', policy, network: 'base' },
    ],
    families: room => [rpcRoutes({ ...room.deps, keys: room.reading.catalogue, version: '1.2.3' })],
  })
  address = rig.keys.get('deployer')?.version.address as `0x${string}`
  other = rig.keys.get('spare')?.version.address as `0x${string}`
  token = await rig.token(['sign:deployer'])
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Uint8Array[] = []
    for await (const chunk of request) chunks.push(chunk as Uint8Array)
    const init = { method: request.method ?? 'GET', headers: request.headers as Record<string, string> }
    const body = chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }
    const told = await rig.http(request.url ?? '/', { ...init, ...body })
    response.writeHead(told.status, Object.fromEntries(told.headers))
    response.end(new Uint8Array(await told.arrayBuffer()))
  }
  server = createServer((request, response) => {
    answer(request, response).catch(error => response.destroy(error as Error))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
after(() => server.close())

const authorization = (): Record<string, string> => ({ authorization: `Bearer ${token}` })
const viemClient = () =>
  createWalletClient({
    account: address,
    chain: sepolia,
    transport: http(`${url}/rpc`, { fetchOptions: { headers: authorization() }, retryCount: 0 }),
  })

async function rpc(body: unknown, over: { token?: string; headers?: Record<string, string> } = {}) {
  const response = await rig.http('/rpc', {
    method: 'POST',
    headers: { authorization: `Bearer ${over.token ?? token}`, 'content-type': 'application/json', ...over.headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: response.status, body: await response.text() }
}
const call = async (method: string, ...params: unknown[]) => {
  const { status, body } = await rpc({ jsonrpc: '2.0', id: 1, method, params })
  assert.equal(status, 200, body)
  return JSON.parse(body) as { result?: any; error?: { code: number; message: string; data?: any } }
}

test('M-31 viem, unmodified: addresses, a payment, a message and typed data, each recovered to the pinned address', async () => {
  const client = viemClient()
  assert.deepEqual(await client.getAddresses(), [address])
  assert.equal(await client.getChainId(), sepolia.id)
  const raw = await client.signTransaction(payment)
  assert.equal(await recoverTransactionAddress({ serializedTransaction: raw }), address)
  const { to, value, nonce, chainId, maxFeePerGas } = parseTransaction(raw)
  assert.deepEqual([to?.toLowerCase(), value, nonce, chainId], [TO.toLowerCase(), payment.value, 0, sepolia.id])
  assert.equal(maxFeePerGas, payment.maxFeePerGas)
  const message = 'Log in to example.org, nonce 7'
  const signature = await client.signMessage({ message })
  assert.equal(await recoverMessageAddress({ message, signature }), address)
  const release = await client.signTypedData(typed)
  assert.equal(await recoverTypedDataAddress({ ...typed, signature: release }), address)
})

test('M-31 ethers, unmodified: a payment, a message and typed data', async () => {
  const request = new FetchRequest(`${url}/rpc`)
  request.setHeader('authorization', `Bearer ${token}`)
  const provider = new JsonRpcProvider(request, sepolia.id, { staticNetwork: true, batchMaxCount: 1 })
  try {
    const signer = await provider.getSigner(address)
    assert.equal(await signer.getAddress(), address)
    const message = 'Log in to example.org, nonce 8'
    assert.equal(ethersVerifies(message, await signer.signMessage(message)), address)
    const { domain, types, message: value } = typed
    const signature = await signer.signTypedData(domain, { ...types } as never, value)
    assert.equal(verifyTypedData(domain, { ...types } as never, value, signature), address)
    const { gas, type: _, ...rest } = payment
    const raw = await provider.send('eth_signTransaction', [
      provider.getRpcTransaction({ ...rest, gasLimit: gas, type: 2, nonce: 1, from: address }),
    ])
    assert.equal(Transaction.from(raw).from, address)
  } finally {
    provider.destroy()
  }
})

test('M-31 the same request is the same signature, and another for its nonce is refused', async () => {
  const client = viemClient()
  const first = await client.signTransaction({ ...payment, nonce: 5 })
  const before = rig.signatures()
  assert.equal(await client.signTransaction({ ...payment, nonce: 5 }), first)
  assert.equal(rig.signatures(), before)
  await assert.rejects(client.signTransaction({ ...payment, nonce: 5, value: 1n }), /policy\/denied/)
})

test('M-31 what policy denies is 4001 with the rule, and what is no transaction -32602 with the field', async () => {
  const denied = await call('eth_signTransaction', { from: address, ...hex({ ...payment, to: VAULT }) })
  assert.equal(denied.error?.code, 4001)
  assert.equal(denied.error?.data.code, 'policy/denied')
  assert.equal(denied.error?.data.rule, 'evm-value' === denied.error?.data.rule ? 'evm-value' : 'evm-calls')
  for (const [over, field] of [
    [{ gas: '0x05208' }, 'gas'],
    [{ gas: 21000 }, 'gas'],
    [{ chainId: '0x0' }, 'chainId'],
    [{ chainId: undefined }, 'chainId'],
    [{ chainId: '0x1' }, 'chainId'],
    [{ colour: 'red' }, 'colour'],
  ] as const) {
    const { error } = await call('eth_signTransaction', { from: address, ...hex(payment), ...over })
    assert.equal(error?.code, -32_602, JSON.stringify(over))
    assert.match(error?.data.field, new RegExp(field))
  }
  const { result } = await call('eth_signTransaction', {
    from: address,
    ...hex({ ...payment, nonce: 9 }),
    gasPrice: null,
  })
  assert.match(result, /^0x02/)
})

const hex = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => {
      if (name === 'type') return [['type', '0x2']]
      return [[name, typeof value === 'string' ? value : `0x${BigInt(value as number).toString(16)}`]]
    }),
  )

test('M-31 R-34 a key that the token does not reach is not there: in accounts, by address, or by its public key', async () => {
  assert.deepEqual((await call('eth_accounts')).result, [address])
  const theirs = await call('eth_sign', other, '0x1234')
  const nobodys = await call('eth_sign', TO, '0x1234')
  assert.equal(theirs.error?.code, 4100)
  assert.deepEqual(
    { ...theirs.error?.data, reason: '', requestId: '' },
    { ...nobodys.error?.data, reason: '', requestId: '' },
  )
  const both = await rig.token(['sign:*'])
  assert.equal(
    JSON.parse((await rpc({ jsonrpc: '2.0', id: 1, method: 'eth_chainId' }, { token: both })).body).error.code,
    -32_602,
  )
  const none = await rpc({ jsonrpc: '2.0', id: 1, method: 'eth_accounts' }, { token: await rig.token(['read:*']) })
  assert.deepEqual(JSON.parse(none.body).result, [])
  assert.equal((await rpc({ jsonrpc: '2.0', id: 1, method: 'eth_accounts' }, { token: 'x.y.z' })).status, 401)
})

test('M-31 JSON-RPC 2.0: versions, batches, notifications, and what is none', async () => {
  assert.equal((await call('health_status')).result, '1.2.3')
  assert.equal((await call('eth_sendTransaction', {})).error?.code, -32_601)
  assert.equal((await call('eth_sign', address)).error?.code, -32_602)
  assert.equal((await call('eth_sign', address, '0x12', 'more')).error?.code, -32_602)
  assert.equal((await call('eth_sign', '0x12', '0x12')).error?.code, -32_602)
  const status = { jsonrpc: '2.0', method: 'health_status' }
  assert.deepEqual(JSON.parse((await rpc([{ ...status, id: 'a' }, status, { ...status, id: 2 }, 7])).body), [
    { jsonrpc: '2.0', id: 'a', result: '1.2.3' },
    { jsonrpc: '2.0', id: 2, result: '1.2.3' },
    {
      jsonrpc: '2.0',
      id: null,
      error: { code: -32_600, message: 'Invalid request: not JSON-RPC 2.0, or too many calls' },
    },
  ])
  assert.equal((await rpc(status)).status, 204)
  assert.equal(JSON.parse((await rpc('{"jsonrpc":')).body).error.code, -32_700)
  for (const bad of [
    [],
    Array.from({ length: 21 }, () => ({ ...status, id: 1 })),
    { ...status, jsonrpc: '1.0', id: 1 },
    { ...status, id: {} },
  ]) {
    assert.equal(JSON.parse((await rpc(bad)).body).error.code, -32_600)
  }
})

test('M-31 an Idempotency-Key of the caller covers a batch, one after the other', async () => {
  const ask = (nonce: number) => ({
    jsonrpc: '2.0',
    id: nonce,
    method: 'eth_signTransaction',
    params: [{ from: address, ...hex({ ...payment, nonce }) }],
  })
  const headers = { 'idempotency-key': 'batch-1' }
  const first = await rpc([ask(20), ask(21)], { headers })
  const before = rig.signatures()
  assert.equal((await rpc([ask(20), ask(21)], { headers })).body, first.body)
  assert.equal(rig.signatures(), before)
  assert.match((await rpc([ask(22), ask(21)], { headers })).body, /idempotency\/mismatch/)
})

test('M-31 Web3Signer: public keys, and data that is read before it is signed', async () => {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const keys = (await (await rig.http('/api/v1/eth1/publicKeys', { headers })).json()) as string[]
  assert.equal(keys.length, 1)
  assert.match(keys[0] ?? '', /^0x[0-9a-f]{128}$/)
  const sign = (identifier: string, body: unknown) =>
    rig.http(`/api/v1/eth1/sign/${identifier}`, { method: 'POST', headers, body: JSON.stringify(body) })
  const unsigned = serializeTransaction({ ...payment, nonce: 30 })
  const signed = await sign(keys[0] ?? '', { data: unsigned })
  assert.equal(signed.headers.get('content-type')?.split(';')[0], 'text/plain')
  const signature = (await signed.text()) as `0x${string}`
  assert.equal(await recoverAddress({ hash: keccak256(unsigned), signature }), address)

  const text = 'Log in to example.org, nonce 9'
  const preimage = `0x${Buffer.from(`\u0019Ethereum Signed Message:\n${text.length}${text}`).toString('hex')}`
  const message = (await (await sign(`04${keys[0]?.slice(2)}`, { data: preimage })).text()) as `0x${string}`
  assert.equal(await recoverAddress({ hash: hashMessage(text), signature: message }), address)

  // Anything else is a hash to us, and this policy grants none.
  for (const data of ['0x1901aabb', '0x19', `0x${'00'.repeat(32)}`, `${preimage}00`]) {
    assert.equal((await sign(keys[0] ?? '', { data })).status, 403, data)
  }
  for (const bad of [{}, { data: '' }, { data: '0x' }, { data: '0x123' }, { data: 7 }, { data: '0x12', more: 1 }, []]) {
    assert.equal((await sign(keys[0] ?? '', bad)).status, 400, JSON.stringify(bad))
  }
  assert.equal((await sign(`0x${'ab'.repeat(64)}`, { data: unsigned })).status, 403)
  assert.equal(await (await rig.http('/upcheck')).text(), 'OK')
})

test('M-31 M-46 every signature over JSON-RPC stands in the log as any other does', async () => {
  const records = await rig.records()
  const intents = records.filter(record => record.kind === 'intent')
  assert.ok(intents.length > 10)
  assert.ok(
    intents.every(record => record.kind === 'intent' && record.key === 'deployer' && record.summary.length > 10),
  )
  assert.ok(rig.refusals.some(({ errorCode }) => errorCode === 'token/invalid'))
})
