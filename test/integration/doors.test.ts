/** What each door and each limit refuses, over the socket: the right words, the right headers, and one record each. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Asset, Operation } from '@stellar/stellar-sdk/base'
import { type LocalKms, startLocalKms } from '../../local-kms/index.ts'
import { nodeAuditFiles } from '../../src/audit/node-files.ts'
import { readRecords } from '../../src/audit/read.ts'
import { toHex } from '../../src/bytes/hex.ts'
import { registerDeps } from '../../src/compose/keys.ts'
import { auditPath } from '../../src/compose/places.ts'
import type { RunningService } from '../../src/compose/service.ts'
import { demoPolicy } from '../../src/policy/index.ts'
import { adopt } from '../../src/service/register.ts'
import { testKey, timeBounds, unmuxed, v1 } from '../fuzz/xdr-corpus.ts'
import { createSender, type Sender } from '../unit/access/senders.ts'
import {
  administer,
  type Call,
  caller,
  type Caller,
  issue,
  loginAs,
  openPlant,
  type Person,
  type Plant,
  type Told,
  transactionBody,
} from './gateway-world.ts'

const KEY_ID = '00000000-0000-4000-8000-00000000e501'
let plant: Plant
let kms: LocalKms
let sender: Sender
before(async () => {
  plant = await openPlant()
  sender = await createSender()
  const material = { hex: toHex(testKey('treasury').rawSecretKey()) }
  kms = await startLocalKms({
    seed: { version: 1, keys: [{ keyId: KEY_ID, spec: 'ECC_NIST_EDWARDS25519', material }] },
  })
})
after(async () => {
  await plant.close()
  await kms.close()
})

interface House {
  readonly service: RunningService
  readonly operator: Person
  readonly who: Caller
  token(grant?: object): Promise<Caller>
  /** Stops it and gives back how often each request was recorded as refused, with its code. */
  trail(): Promise<Map<string, string[]>>
}

let houses = 0
async function house(flags: Readonly<Record<string, unknown>>): Promise<House> {
  const directory = join(plant.home, `house-${++houses}`)
  const all = { plane: 'all', 'data.directory': directory, ...flags }
  const service = await plant.start(all, settings => ({
    ...settings,
    limits: { ...settings.limits, deadlineMs: 5_000 },
    providers: { aws: { kind: 'aws-kms', region: kms.region, endpoint: kms.aws } },
  }))
  const deps = registerDeps(service.room, plant.runtime.world(), 'development')
  await adopt(
    deps,
    { name: 'treasury', chain: 'stellar', network: 'testnet', provider: 'aws', policy: demoPolicy().text },
    KEY_ID,
  )
  const operator = await loginAs(service, ['operator'])
  const token = async (grant: object = {}): Promise<Caller> => {
    const scopes = ['sign:treasury', 'explain:treasury', 'read:treasury']
    const issued = await issue(service.controlUrl ?? '', operator, { scopes, sender, ...grant })
    return caller(service.url, issued.token, sender)
  }
  return {
    service,
    operator,
    token,
    who: await token(),
    trail: async () => {
      await service.stop(500)
      const found = new Map<string, string[]>()
      for await (const record of readRecords(await nodeAuditFiles(auditPath(directory), { access: 'read' }))) {
        if (record.kind !== 'outcome' || record.result !== 'refused') continue
        found.set(record.requestId, [...(found.get(record.requestId) ?? []), record.errorCode ?? ''])
      }
      return found
    },
  }
}

let sequence = 1n
const payment = (): string =>
  transactionBody(
    v1({
      operations: [
        Operation.payment({ destination: testKey('supplier').publicKey(), asset: Asset.native(), amount: '1' }),
      ],
      source: unmuxed(testKey('treasury').publicKey()),
      cond: timeBounds(0n, BigInt(Math.floor(Date.now() / 1000) + 300)),
      sequence: ++sequence,
    }).toXdr('base64'),
  )
const sign = (who: Caller, call: Call = {}): Promise<Told> => who.ask({ body: payment(), ...call })
/** Every way in that the data plane has. */
const WAYS: readonly ((who: Caller) => Promise<Told>)[] = [
  who => sign(who),
  who => sign(who, { path: '/v1/keys/treasury/explain' }),
  who =>
    who.ask({
      path: '/v1/sign-batch',
      body: JSON.stringify({ requests: [{ key: 'treasury', payload: JSON.parse(payment()) }] }),
    }),
  who =>
    who.ask({
      path: '/v1/cosign',
      body: JSON.stringify({ keys: ['treasury'], payload: JSON.parse(payment()) }),
    }),
  who =>
    who.ask({
      path: '/v1/proposals',
      body: JSON.stringify({ keys: ['treasury'], xdr: (JSON.parse(payment()) as { xdr: string }).xdr }),
    }),
  who => who.ask({ method: 'GET', path: '/v1/proposals' }),
  who => who.ask({ method: 'GET', path: '/v1/keys' }),
  who => who.ask({ method: 'GET', path: '/v1/keys/treasury' }),
]
function once(found: Map<string, string[]>, answers: readonly Told[], code: string): void {
  for (const { requestId } of answers) assert.deepEqual(found.get(requestId), [code])
  assert.equal([...found.values()].flat().length, answers.length)
}

test('T13 an address that is not on the list gets in by no way, whatever its headers say', async () => {
  const { who, trail } = await house({ 'admission.data.allow': ['192.0.2.0/24'] })
  const answers = await Promise.all(WAYS.map(way => way(who)))
  answers.push(await sign(who, { headers: { 'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.1' } }))
  for (const { status, code } of answers) assert.deepEqual([status, code], [403, 'access/denied'])
  once(await trail(), answers, 'access/denied')
})

test('T13 behind a listed proxy, its client is who is looked at, and who stands in the record', async () => {
  const { who, trail } = await house({ 'admission.data.allow': ['192.0.2.0/24'], 'proxies.addresses': ['127.0.0.1'] })
  const from = (address: string) => sign(who, { headers: { 'x-forwarded-for': address } })
  assert.equal((await from('192.0.2.1')).status, 200)
  const answers = [await from('198.51.100.1'), await from('192.0.2.1, 198.51.100.1'), await sign(who)]
  for (const { status } of answers) assert.ok(status === 403 || status === 400, String(status))
  const found = await trail()
  for (const { requestId, code } of answers) assert.deepEqual(found.get(requestId), [code])
})

test('T64 out of hours', async () => {
  const day = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'][(new Date().getUTCDay() + 3) % 7]
  const windows = [{ zone: 'Etc/UTC', days: [day], from: '10:00', to: '11:00' }]
  const { who, trail } = await house({ 'admission.data.hours.windows': windows })
  const answers = await Promise.all(WAYS.map(way => way(who)))
  for (const { status, code } of answers) assert.deepEqual([status, code], [403, 'access/denied'])
  once(await trail(), answers, 'access/denied')
})

for (const scope of ['perKey', 'perSubject', 'perToken', 'global']) {
  test(`T14 M-45 the limit ${scope}: exactly so many, headers that say when, one record each`, async () => {
    const { who, trail } = await house({ [`admission.limits.${scope}.count`]: 3 })
    const ask = () => (scope === 'global' ? who : who).ask({ method: 'GET', path: '/v1/keys/treasury' })
    const answers: Told[] = []
    for (let n = 0; n < 12; n++) answers.push(await ask())
    const good = answers.filter(({ status }) => status === 200)
    const over = answers.filter(({ code }) => code === 'access/limited')
    // Logging in and making the token counted for everybody too.
    assert.equal(good.length, scope === 'global' ? 0 : 3, JSON.stringify(answers.map(({ code }) => code)))
    assert.equal(good.length + over.length, 12)
    for (const [n, { headers }] of good.entries())
      assert.match(headers.get('ratelimit') ?? '', new RegExp(`;r=${2 - n};t=\\d+$`))
    for (const { headers, status } of over) {
      assert.equal(status, 429)
      const wait = Number(headers.get('retry-after'))
      assert.ok(wait >= 1 && wait <= 60, String(wait))
      assert.match(headers.get('ratelimit') ?? '', /;r=0;t=\d+$/)
      assert.match(headers.get('ratelimit-policy') ?? '', /;q=3;w=60$/)
    }
    once(await trail(), over, 'access/limited')
  })
}

test('T19 a lane of one for each token: the second waits nowhere, another token goes on, and one record each', async () => {
  const { who, token, trail } = await house({ 'limits.tokenConcurrency': 1 })
  kms.addFaults({ face: 'aws', operation: 'Sign', times: 0, fault: { kind: 'delay', ms: 300 } })
  const answers = await Promise.all(Array.from({ length: 6 }, () => sign(who)))
  const other = await Promise.all([sign(who), token().then(another => sign(another))])
  kms.clearFaults()
  assert.deepEqual(
    other.map(({ status }) => status),
    [200, 200],
  )
  const shed = answers.filter(({ code }) => code === 'service/overloaded')
  assert.equal(shed.length, 5)
  for (const { headers, status } of shed) {
    assert.equal(status, 503)
    assert.equal(headers.get('retry-after'), '1')
  }
  once(await trail(), shed, 'service/overloaded')
})

test('T19 a full house: shed at the edge, and that is on record too', async () => {
  const { who, trail } = await house({ 'limits.concurrency': 1 })
  kms.addFaults({ face: 'aws', operation: 'Sign', times: 0, fault: { kind: 'delay', ms: 300 } })
  const answers = await Promise.all(Array.from({ length: 6 }, () => sign(who)))
  kms.clearFaults()
  const shed = answers.filter(({ code }) => code === 'service/overloaded')
  assert.ok(shed.length >= 1 && answers.every(({ status }) => status === 200 || status === 503))
  once(await trail(), shed, 'service/overloaded')
})

test('T04 nobody learns whether a key exists who may not know: the same words for both, at every way in', async () => {
  const { who, token, service, operator, trail } = await house({})
  const same = ({ body }: Told): object => ({ ...body, requestId: '', instance: '' })
  for (const narrow of [who, await token({ scopes: ['read:other', 'sign:other'] })]) {
    const [there, not] = narrow === who ? ['other', 'nothing'] : ['treasury', 'nothing']
    for (const path of [(key: string) => `/v1/keys/${key}/sign`, (key: string) => `/v1/keys/${key}/explain`]) {
      const [one, two] = [await sign(narrow, { path: path(there) }), await sign(narrow, { path: path(not) })]
      assert.deepEqual([one.status, same(one)], [403, same(two)])
    }
    const read = (key: string) => narrow.ask({ method: 'GET', path: `/v1/keys/${key}` })
    if (narrow === who) continue
    const [one, two] = [await read('treasury'), await read('nothing')]
    assert.deepEqual([one.status, same(one)], [403, same(two)])
    assert.deepEqual((await narrow.ask({ method: 'GET', path: '/v1/keys' })).body, { keys: [] })
  }
  const approver = await loginAs(service, ['auditor'])
  const restore = (key: string) =>
    administer(service.controlUrl ?? '', approver.token, 'POST', `/v1/keys/${key}/restore`)
  const [one, two] = [await restore('treasury'), await restore('nothing')]
  assert.deepEqual([one.status, same(one)], [403, same(two)])
  assert.equal((await administer(service.controlUrl ?? '', operator.token, 'GET', '/v1/keys/nothing')).status, 404)
  for (const codes of (await trail()).values()) assert.equal(codes.length, 1)
})

test('no incident in all of this', () => {
  assert.deepEqual(
    plant.logs.filter(({ level, event }) => level === 'error' && event !== 'key-quarantined'),
    [],
  )
})
