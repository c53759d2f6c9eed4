/** A transaction of three signers over the socket, from its proposal to the ledger, with a restart in between. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { Account, Asset, Keypair, Networks, Operation, TransactionBuilder } from '@stellar/stellar-sdk'
import type { ServiceSettings } from '../../src/compose/service.ts'
import { Secret } from '../../src/domain/secret.ts'
import { demoPolicy } from '../../src/policy/index.ts'
import { testKey } from '../fuzz/xdr-corpus.ts'
import { openStubNetwork } from '../support/stub-network.ts'
import { createSender, type Sender } from '../unit/access/senders.ts'
import { addKey, caller, issue, loginAs, openPlant, type Plant } from './gateway-world.ts'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const SCOPES = ['propose:*', 'sign:*', 'submit:*', 'read:*']

interface Heard {
  readonly id: string
  readonly type: string
  readonly good: boolean
}

/** What hears the webhooks, and checks them as anybody would. */
async function openEar() {
  const heard: Heard[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString('utf8')
    })
    request.on('end', () => {
      const { 'webhook-id': id = '', 'webhook-timestamp': at = '', 'webhook-signature': signature } = request.headers
      const hmac = createHmac('sha256', Buffer.from(SECRET.slice(6), 'base64')).update(
        `${String(id)}.${String(at)}.${body}`,
      )
      const { type } = JSON.parse(body) as { type: string }
      heard.push({ id: String(id), type, good: signature === `v1,${hmac.digest('base64')}` })
      response.end()
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { heard, url: `http://127.0.0.1:${port}/hook`, close: () => server.close() }
}

let plant: Plant
let sender: Sender
before(async () => {
  plant = await openPlant()
  sender = await createSender()
})
after(() => plant.close())

test('M-26 proposed, signed by two of ours and one outside, executed after a restart, told to whoever listens', async () => {
  const ear = await openEar()
  const stub = openStubNetwork({ now: () => Date.now() })
  const node = await stub.listen()
  const outside = Keypair.random()
  const [treasury, ops] = ['treasury', 'ops'].map(name => testKey(name).publicKey()) as [string, string]
  const account = stub.account(treasury, {
    ...{ low: 1, medium: 3, high: 3 },
    signers: [ops, outside.publicKey()].map(key => ({ key, weight: 1 })),
  })
  stub.account(testKey('supplier').publicKey())
  const start = (url: string) =>
    plant.start(
      { plane: 'all' },
      (settings): ServiceSettings => ({
        ...settings,
        networks: { testnet: { rpc: node.rpcUrl, timeoutMs: 5_000 } },
        webhooks: { url, secret: new Secret(SECRET, 'webhook secret') },
      }),
    )
  // Nobody listens there yet.
  let service = await start('http://127.0.0.1:1/hook')
  for (const name of ['treasury', 'ops'])
    await addKey(service, plant.runtime, name, { ...JSON.parse(demoPolicy().text) })
  const operator = await loginAs(service, ['operator'])
  const { token } = await issue(service.controlUrl ?? '', operator, { scopes: SCOPES, sender })

  const tx = new TransactionBuilder(new Account(treasury, String(account.sequence)), {
    fee: '1000',
    networkPassphrase: Networks.TESTNET,
  })
    .addOperation(
      Operation.payment({ destination: testKey('supplier').publicKey(), asset: Asset.native(), amount: '1' }),
    )
    .setTimeout(300)
    .build()
  const ask = async (path: string, body?: object) => {
    const told = await caller(service.url, token, sender).ask({ path, body: JSON.stringify(body ?? {}) })
    assert.ok(told.status < 300, `${path}: ${told.status} ${JSON.stringify(told.body)}`)
    return told.body as { id: string; ready: boolean; state: string; hash: string; accounts: { missing: number }[] }
  }
  const opened = await ask('/v1/proposals', { xdr: tx.toXDR(), keys: ['treasury', 'ops'] })
  assert.deepEqual(
    opened.accounts.map(({ missing }) => missing),
    [3],
  )
  const at = `/v1/proposals/${opened.id}`
  assert.equal((await ask(`${at}/collect`)).ready, false)

  await service.stop(500)
  service = await start(ear.url)
  tx.sign(outside)
  assert.equal((await ask(`${at}/signatures`, { xdr: tx.toXDR() })).ready, true)
  const done = await ask(`${at}/execute`)
  assert.deepEqual([done.state, done.hash], ['executed', Buffer.from(tx.hash()).toString('hex')])
  assert.deepEqual(stub.accepted, [done.hash])
  assert.deepEqual(await ask(`${at}/execute`), done)
  assert.deepEqual(stub.accepted, [done.hash])

  const types = ['opened', 'signed', 'signed', 'signed', 'ready', 'executed'].map(name => `proposal.${name}`)
  for (let n = 0; n < 100 && ear.heard.length < types.length; n++) await plant.runtime.world().clock.sleep(100)
  assert.ok(ear.heard.every(({ good }) => good))
  assert.deepEqual(
    ear.heard.map(({ type }) => type).toSorted((a, b) => a.localeCompare(b)),
    types.toSorted((a, b) => a.localeCompare(b)),
  )
  assert.equal(new Set(ear.heard.map(({ id }) => id)).size, types.length)
  await service.stop(500)
  await node.close()
  ear.close()
})
