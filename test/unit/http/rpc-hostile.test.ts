/** JSON-RPC and Web3Signer's REST where something changes meanwhile, or somebody tries doors. */
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { hashMessage, recoverMessageAddress, toHex } from 'viem'
import { createAdmin } from '../../../providers/mock/admin.ts'
import { RPC_LARGE_MAX, rpcRoutes } from '../../../src/http/routes-rpc.ts'
import type { PolicyDocument } from '../../../src/policy/index.ts'
import { addressOf } from '../../../src/service/payloads.ts'
import { openRig, type Rig } from '../../support/rig.ts'

const policy: PolicyDocument = { version: 1, network: 'sepolia', messages: [{ prefix: 'Log in to', maxBytes: 200 }] }
type Address = `0x${string}`

let rig: Rig
let token: string
let first: Address
/** How often the registry was read for a list, and what happens right after the next time. */
let lists = 0
let afterRead: (() => Promise<void>) | undefined

before(async () => {
  rig = await openRig({
    log: 'memory',
    keys: [
      { name: 'login', chain: 'evm', policy },
      { name: 'spare', chain: 'evm', policy },
    ],
    families: room => {
      const { catalogue } = room.reading
      const list = () => {
        lists++
        return catalogue.list()
      }
      const holding: typeof catalogue.holding = async what => {
        const keys = await catalogue.holding(what)
        const then = afterRead
        afterRead = undefined
        await then?.()
        return keys
      }
      return [rpcRoutes({ ...room.deps, keys: { list, holding }, version: '1.2.3' })]
    },
  })
  first = rig.keys.get('login')?.version.address as Address
  token = await rig.token(['sign:login'])
})

async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return rig.http(path, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}
const call = async (method: string, ...params: unknown[]): Promise<{ result?: any; error?: any; id?: unknown }> =>
  (await (await post('/rpc', { jsonrpc: '2.0', id: 1, method, params })).json()) as never

/** The next version of `login` signs from now on; the one before goes on for a while. */
async function rotate(): Promise<Address> {
  const held = (await rig.store.keys.versions('login')).at(-1)
  assert.ok(held)
  const made = await createAdmin({ kind: 'mock' }, { clock: rig.clock, random, fetch, environment: 'development' })
  const setup = { requestId: 'setup', signal: new AbortController().signal }
  const number = held.version.version + 1
  const { reference, publicKey } = await made.create({ scheme: held.version.scheme, label: `login-${number}` }, setup)
  const address = addressOf('evm', publicKey) as Address
  const about = { key: 'login', version: number }
  const version = { ...held.version, ...about, publicKey, address, account: address, state: 'pending' } as const
  const binding = { id: `b_login_${number}`, ...about, provider: 'mock', custody: 'native', reference } as const
  await rig.store.keys.addVersion({ version, binding })
  const moves = [
    { version: held.version.version, state: 'overlap' },
    { version: number, state: 'active' },
  ] as const
  assert.equal(await rig.store.keys.setStates('login', moves), true)
  return address
}
const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) }
const fetch = () => Promise.reject(new Error('no network in this test'))

test('T60 M-31 whose address is asked for signs, also when another version takes over between two calls or within one', async () => {
  const signer = async (message: string, signature: unknown) =>
    recoverMessageAddress({ message, signature: signature as Address })
  const message = 'Log in to example.org, nonce 1'
  const before = await call('personal_sign', toHex(message), first)
  assert.equal(await signer(message, before.result), first)

  const second = await rotate()
  const after = await call('personal_sign', toHex(message), second)
  assert.equal(await signer(message, after.result), second)
  // The one before goes on beside its successor, behind it, until it is retired.
  assert.deepEqual((await call('eth_accounts')).result, [second, first])
  assert.equal(await signer(message, (await call('personal_sign', toHex(message), first)).result), first)
  assert.equal(await rig.store.keys.setState('login', 1, 'retired'), true)
  assert.deepEqual((await call('eth_accounts')).result, [second])
  assert.equal((await call('personal_sign', toHex(message), first)).error.code, 4100)

  let third: Address | undefined
  afterRead = async () => {
    third = await rotate()
  }
  const other = 'Log in to example.org, nonce 2'
  const meanwhile = await call('personal_sign', toHex(other), second)
  assert.ok(third)
  assert.equal(await signer(other, meanwhile.result), second)

  const keys = (await (await rig.http('/api/v1/eth1/publicKeys', { headers: bearer() })).json()) as string[]
  const preimage = (text: string) => `\u0019Ethereum Signed Message:\n${text.length}${text}`
  afterRead = async () => void (await rotate())
  const signed = await post(`/api/v1/eth1/sign/${keys[0]}`, { data: toHex(preimage(message)) })
  assert.equal(await signer(message, await signed.text()), third)
  assert.equal(hashMessage(message).length, 66)
})
const bearer = () => ({ authorization: `Bearer ${token}` })

test('T64 M-31 who tries doors is on record: addresses, public keys, methods, and bodies that are none', async () => {
  const spare = rig.keys.get('spare')?.version.address
  const status = { jsonrpc: '2.0', id: 1, method: 'health_status' }
  const tries: readonly (readonly [ask: () => Promise<unknown>, code: string])[] = [
    [() => call('personal_sign', '0x4c6f67', spare), 'access/denied'],
    [() => call('eth_signTypedData_v4', first, 'no json'), 'request/malformed'],
    [() => call('eth_sign', '0x12', '0x12'), 'request/malformed'],
    [() => call('eth_sendTransaction', {}), 'request/unknown-route'],
    [() => post('/rpc', '{"jsonrpc":'), 'request/malformed'],
    [() => post('/rpc', { ...status, jsonrpc: '1.0' }), 'request/malformed'],
    [() => post('/rpc', []), 'request/malformed'],
    [() => post(`/api/v1/eth1/sign/0x${'ab'.repeat(64)}`, { data: '0x01' }), 'access/denied'],
    [() => post(`/api/v1/eth1/sign/0x${'ab'.repeat(64)}`, { more: '0x01' }), 'access/denied'],
  ]
  for (const [ask, code] of tries) {
    const count = rig.refusals.length
    await ask()
    const [refusal, ...more] = rig.refusals.slice(count)
    assert.equal(refusal?.errorCode, code)
    assert.equal(more.length, 0)
    assert.equal((refusal as { actor?: { subject: string } }).actor?.subject, 'tester')
  }
  // The path of a signature records what it refuses itself, once.
  const count = rig.refusals.length
  await call('personal_sign', 'not hex', first)
  assert.deepEqual(
    rig.refusals.slice(count).map(({ errorCode }) => errorCode),
    [(await active()) === first ? 'payload/invalid' : 'access/denied'],
  )
})
const active = async (): Promise<unknown> => (await call('eth_accounts')).result[0]

test('M-46 lists of keys stand in the log, whichever door they left by', async () => {
  const listed = async () =>
    (await rig.records()).filter(record => record.kind === 'event' && record.event === 'keys-listed').length
  const before = await listed()
  await call('eth_accounts')
  await rig.http('/api/v1/eth1/publicKeys', { headers: bearer() })
  assert.equal((await listed()) - before, 2)
})

test('M-31 an Idempotency-Key as a quoted string covers a batch too, and a batch reads the registry once', async () => {
  const address = await active()
  const ask = (nonce: number) => ({
    jsonrpc: '2.0',
    id: nonce,
    method: 'personal_sign',
    params: [toHex(`Log in to example.org, batch ${nonce}`), address],
  })
  const headers = { 'idempotency-key': '"quoted"' }
  lists = 0
  const answer = await (await post('/rpc', [ask(1), ask(2), ask(3)], headers)).text()
  assert.equal(lists, 0, 'a signature reads no list of keys')
  assert.equal(answer.includes('error'), false, answer)
  const before = rig.signatures()
  assert.equal(await (await post('/rpc', [ask(1), ask(2), ask(3)], headers)).text(), answer)
  assert.equal(rig.signatures(), before)
})

test('M-31 JSON-RPC 2.0: parameters by name are wrong parameters, and an answer has the id where there is one', async () => {
  const status = { jsonrpc: '2.0', id: 'mine', method: 'eth_sign' }
  for (const [over, code, id] of [
    [{ params: { address: first } }, -32_602, 'mine'],
    [{ params: 'text' }, -32_600, 'mine'],
    [{ more: 1 }, -32_600, 'mine'],
    [{ jsonrpc: '1.0' }, -32_600, 'mine'],
    [{ id: {}, jsonrpc: '1.0' }, -32_600, null],
  ] as const) {
    const told = (await (await post('/rpc', { ...status, ...over })).json()) as { id: unknown; error: { code: number } }
    assert.deepEqual([told.error.code, told.id], [code, id], JSON.stringify(over))
  }
})

test('T64 a Web3Signer identifier is a whole public key, with 04 or without', async () => {
  const keys = (await (await rig.http('/api/v1/eth1/publicKeys', { headers: bearer() })).json()) as string[]
  const [key = ''] = keys
  const data = toHex('\u0019Ethereum Signed Message:\n12Log in to me')
  for (const identifier of [key, key.slice(2), `04${key.slice(2)}`, `0x04${key.slice(2).toUpperCase()}`]) {
    assert.equal((await post(`/api/v1/eth1/sign/${identifier}`, { data })).status, 200, identifier)
  }
  for (const identifier of [`0x0404${key.slice(2)}`, `0x4${key.slice(2)}`, key.slice(0, -1), '0x', `00${key}`]) {
    assert.equal((await post(`/api/v1/eth1/sign/${identifier}`, { data })).status, 403, identifier)
  }
})

test('T19 T20 of bodies that may be large only so many are held, whoever sends them; small ones go on', async () => {
  const slow: ReadableStreamDefaultController<Uint8Array>[] = []
  const send = () => {
    const body = new ReadableStream<Uint8Array>({ start: controller => void slow.push(controller) })
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body, duplex: 'half' }
    return rig.http('/rpc', init as RequestInit)
  }
  const waiting = Array.from({ length: RPC_LARGE_MAX }, send)
  await new Promise(resolve => setTimeout(resolve, 10))
  assert.equal((await send()).status, 503)
  const status = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'health_status' })
  const small = await post('/rpc', status, { 'content-length': String(status.length) })
  assert.equal(small.status, 200)
  const lying = await post('/rpc', `${' '.repeat(70_000)}${status}`, { 'content-length': '10' })
  assert.equal(lying.status, 413)
  for (const controller of slow) controller.close()
  for (const answer of await Promise.all(waiting)) assert.equal(answer.status, 401)
  assert.equal((await post('/rpc', `${' '.repeat(70_000)}${status}`)).status, 200)
})
