/**
 * M-73: the planes of `serve`, and every route of each tried at the door of the other with the best token there is. What is
 * tried comes from the two OpenAPI documents, so a new route is tried the day it is described.
 */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { Keypair, Operation } from '@stellar/stellar-sdk/base'
import { nodeAuditFiles } from '../../src/audit/node-files.ts'
import { readRecords } from '../../src/audit/read.ts'
import { toBase64Url } from '../../src/bytes/base64.ts'
import { registerDeps } from '../../src/compose/keys.ts'
import { auditPath } from '../../src/compose/places.ts'
import { type RunningService, startService } from '../../src/compose/service.ts'
import type { AuditRecord } from '../../src/domain/audit.ts'
import { demoPolicy } from '../../src/policy/index.ts'
import { createNative } from '../../src/service/register.ts'
import { start as startCommand } from '../support/cli.ts'
import { testKey, timeBounds, unmuxed, v1 } from '../fuzz/xdr-corpus.ts'
import { createSender, type Sender } from '../unit/access/senders.ts'
import {
  addKey,
  administer,
  caller,
  issue,
  issuerKeys,
  loginAs,
  openPlant,
  type Person,
  type Plant,
  settingsOf,
  type Told,
  told,
  transactionBody,
} from './gateway-world.ts'
import { memoryLogger } from '../support/rig.ts'

interface Route {
  readonly method: string
  readonly path: string
}

const documentOf = async (name: string): Promise<readonly Route[]> => {
  const text = await readFile(new URL(`../../docs/${name}`, import.meta.url), 'utf8')
  const { paths } = JSON.parse(text) as { paths: Record<string, Record<string, unknown>> }
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map(method => ({ method: method.toUpperCase(), path })),
  )
}
const DATA = await documentOf('openapi.json')
const CONTROL = await documentOf('openapi-control.json')
/** What both doors answer for everybody. */
const PUBLIC = [
  '/livez',
  '/readyz',
  '/openapi.json',
  '/problems/{code}',
  '/.well-known/jwks.json',
  '/.well-known/countersign-keys',
  '/upcheck',
]
const own = (routes: readonly Route[]): readonly Route[] => routes.filter(({ path }) => !PUBLIC.includes(path))
const named = ({ method, path }: Route): string => `${method} ${path}`

const address = testKey('treasury').publicKey()
const policy = JSON.parse(demoPolicy().text) as { version: 1 }
let sequence = 7_000n
const payment = (): string =>
  v1({
    operations: [Operation.inflation({})],
    source: unmuxed(address),
    sequence: ++sequence,
    cond: timeBounds(0n, BigInt(Math.floor(Date.now() / 1000) + 300)),
  }).toXdr('base64')

/** A path that names things that are there, and a body that the route would take. */
const real = (path: string): string =>
  path
    .replace('{key}', 'treasury')
    .replace('{address}', Keypair.random().publicKey())
    .replace('{change}', `c_${'0'.repeat(32)}`)
    .replace('{token}', 'jti_0')
    .replace('{version}', '1')
    .replace('{hash}', '0'.repeat(64))
    .replace('{identifier}', `0x${'ab'.repeat(64)}`)
    .replace('{proposal}', `p_${'0'.repeat(32)}`)
const BODIES: Readonly<Record<string, () => object>> = {
  '/v1/keys/{key}/sign': () => ({ type: 'stellar-transaction', xdr: payment() }),
  '/v1/keys/{key}/versions/{version}/sign': () => ({ type: 'stellar-transaction', xdr: payment() }),
  '/v1/keys/{key}/explain': () => ({ type: 'stellar-transaction', xdr: payment() }),
  '/v1/sign-batch': () => ({
    requests: [{ key: 'treasury', payload: { type: 'stellar-transaction', xdr: payment() } }],
  }),
  '/v1/cosign': () => ({ keys: ['treasury'], payload: { type: 'stellar-transaction', xdr: payment() } }),
  '/v1/proposals': () => ({ xdr: payment(), keys: ['treasury'] }),
  '/v1/proposals/{proposal}/signatures': () => ({ xdr: payment() }),
  '/v1/transactions/prepare': () => ({ template: 'none', arguments: {} }),
  '/v1/transactions/execute': () => ({ template: 'none', arguments: {} }),
  '/v1/transactions/submit': () => ({ xdr: payment() }),
  '/rpc': () => ({ jsonrpc: '2.0', id: 1, method: 'eth_accounts' }),
  '/api/v1/eth1/sign/{identifier}': () => ({ data: '0x1234' }),
  '/v1/keys/{key}/revoke': () => ({ reason: 'a try' }),
  '/v1/keys/{key}/versions/{version}/destroy': () => ({ confirm: address, reason: 'a try' }),
  '/v1/tokens': () => ({ subject: 'me', scopes: ['sign:*'] }),
  '/v1/admins': () => ({ address: Keypair.random().publicKey(), name: 'me', roles: ['operator'] }),
  '/v1/admins/{address}': () => ({ active: false }),
  '/v1/keys/{key}/policy/changes': () => ({ policy, tests: [{ name: 'x' }] }),
  '/v1/keys/{key}/policy/diff': () => ({ policy }),
  '/v1/policies/check': () => ({ policy }),
  '/v1/keys/{key}/policy/explain': () => ({ payload: { type: 'stellar-transaction', xdr: payment() } }),
  '/v1/changes/{change}/approvals': () => ({ signature: 'A'.repeat(88) }),
}

let plant: Plant
let sender: Sender
before(async () => {
  plant = await openPlant()
  sender = await createSender()
})
after(() => plant.close())

/** Both together hold every permission there is; no one may hold all. */
const BEST = [
  ['requester', 'operator', 'auditor', 'key-admin', 'policy-admin'],
  ['approver', 'operator', 'auditor', 'key-admin'],
] as const

interface Tokens {
  readonly admins: readonly Person[]
  readonly service: string
}
async function tokensOf(service: RunningService, controlUrl: string): Promise<Tokens> {
  const admins: Person[] = []
  for (const roles of BEST) admins.push(await loginAs(service, roles, controlUrl))
  const scopes = ['sign:*', 'explain:*', 'read:*']
  const { token } = await issue(controlUrl, admins[0] ?? assert.fail(), { scopes, sender })
  return { admins, service: token }
}

interface Tried {
  readonly title: string
  readonly requestId: string
  readonly code: string
}

/** As an administrator would, with the session as it is. */
const withSession = (url: string, { token }: Person, { method, path }: Route): Promise<Told> =>
  administer(url, token, method, real(path), method === 'GET' ? undefined : BODIES[path]?.())

/** As a service would, with a proof for this very request. */
const withService = (url: string, token: string, { method, path }: Route): Promise<Told> => {
  const body = method === 'GET' ? undefined : BODIES[path]?.()
  return caller(url, token, sender).ask({
    ...{ method, path: real(path) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

const SHUT = [401, 403, 404]
function shut(title: string, answer: Told): Tried {
  assert.ok(SHUT.includes(answer.status), `${title}: ${answer.status} ${JSON.stringify(answer.body)}`)
  assert.equal(answer.headers.get('content-type'), 'application/problem+json', title)
  assert.ok(!('signature' in answer.body) && !('token' in answer.body), title)
  return { title, requestId: answer.requestId, code: answer.code ?? '' }
}

/** @returns what was refused, all of it */
async function tryData(url: string, { admins, service }: Tokens): Promise<Tried[]> {
  const tried: Tried[] = []
  const theirs = new Set(own(DATA).map(named))
  for (const route of own(CONTROL)) {
    for (const admin of admins) tried.push(shut(`session: ${named(route)}`, await withSession(url, admin, route)))
    // What stands in both documents is the service's own right here.
    if (!theirs.has(named(route))) tried.push(shut(`service: ${named(route)}`, await withService(url, service, route)))
  }
  for (const route of own(DATA)) {
    for (const admin of admins) tried.push(shut(`session: ${named(route)}`, await withSession(url, admin, route)))
  }
  return tried
}

async function tryControl(url: string, { admins, service }: Tokens): Promise<Tried[]> {
  const tried: Tried[] = []
  const theirs = new Set(own(CONTROL).map(named))
  const login = (path: string): boolean => path.startsWith('/auth/')
  for (const route of own(DATA)) {
    tried.push(shut(`service: ${named(route)}`, await withService(url, service, route)))
    if (theirs.has(named(route))) continue
    for (const admin of admins) tried.push(shut(`session: ${named(route)}`, await withSession(url, admin, route)))
  }
  for (const route of own(CONTROL)) {
    if (login(route.path)) continue // takes no token
    tried.push(shut(`proof: ${named(route)}`, await withService(url, service, route)))
    const { method, path } = route
    const asBearer = await administer(url, service, method, real(path), method === 'GET' ? undefined : BODIES[path]?.())
    tried.push(shut(`bearer: ${named(route)}`, asBearer))
  }
  return tried
}

const records = async (directory: string): Promise<AuditRecord[]> =>
  Array.fromAsync(readRecords(await nodeAuditFiles(auditPath(directory), { access: 'read' })))

const countedIn = (log: readonly AuditRecord[]): number =>
  log
    .flatMap(record => (record.kind === 'event' && record.event === 'refusals-summarised' ? [record] : []))
    .reduce((sum, record) => sum + Number(record.detail['counted']), 0)

/** Those that have a record of their own, and those that a flood of them put into a count. */
const refusalsIn = (log: readonly AuditRecord[]): number =>
  log.filter(record => record.kind === 'outcome' && record.result === 'refused').length + countedIn(log)

/** After the stop: each refusal once, by name or, in a flood, in the count. */
async function checkTrail(directory: string, tried: readonly Tried[]): Promise<void> {
  const log = await records(directory)
  const refused = log.flatMap(record => (record.kind === 'outcome' && record.result === 'refused' ? [record] : []))
  const found = refused.map(({ requestId, errorCode }) => `${requestId} ${errorCode}`)
  assert.equal(new Set(found).size, found.length, 'no request twice')
  const wanted = new Set(tried.map(({ requestId, code }) => `${requestId} ${code}`))
  assert.deepEqual(
    found.filter(each => !wanted.has(each)),
    [],
  )
  assert.equal(found.length + countedIn(log), tried.length)
  assert.ok(!log.some(record => record.kind === 'intent'), 'nothing was signed or decided')
}

test('M-73 all: neither door does the work of the other, whatever token comes, and each try is on record', async () => {
  const directory = join(plant.home, 'all')
  const service = await plant.start({ plane: 'all', 'data.directory': directory })
  const { url, controlUrl = '' } = service
  await addKey(service, plant.runtime, 'treasury', policy)
  const tokens = await tokensOf(service, controlUrl)
  const tried = [...(await tryData(url, tokens)), ...(await tryControl(controlUrl, tokens))]
  await service.stop(500)
  await checkTrail(directory, tried)
  process.stderr.write(
    `# planes: all: ${tried.length} tries on ${own(DATA).length} and ${own(CONTROL).length} routes\n`,
  )
})

test('M-73 data and control apart: the token of one works at the other plane only where it must, and every other try is on record', async () => {
  const [dataHome, controlHome] = [join(plant.home, 'data'), join(plant.home, 'control')]
  const control = await plant.start({ plane: 'control', 'data.directory': controlHome, 'audit.instance': 'control' })
  assert.equal(control.url, control.controlUrl)
  const tokens = await tokensOf(control, control.url)
  const jwks = { '/jwks.json': await issuerKeys(controlHome, plant.runtime) }
  const issuer = { 'tokens.issuer': 'countersign', 'tokens.audience': 'countersign', 'tokens.jwks': '/jwks.json' }
  const flags = { plane: 'data', 'data.directory': dataHome, ...issuer }
  const settings = await settingsOf(plant.runtime, flags, given => given, jwks)
  const data = await startService(settings, plant.runtime, memoryLogger(plant.logs))
  try {
    assert.equal(data.controlUrl, undefined)
    await addKey(data, plant.runtime, 'treasury', policy)
    const tried = await tryData(data.url, tokens)
    // The token is a good one: where services are it signs.
    const good = await caller(data.url, tokens.service, sender).ask({ body: transactionBody(payment()) })
    assert.ok(good.status === 200 || good.code === 'policy/denied', JSON.stringify(good.body))
    const triedThere = await tryControl(control.url, tokens)
    await Promise.all([data.stop(500), control.stop(500)])
    const signedOrDenied =
      good.status === 200 ? [] : [{ title: 'good', requestId: good.requestId, code: good.code ?? '' }]
    const log = await records(dataHome)
    assert.equal(log.filter(({ kind }) => kind === 'intent').length, 1)
    assert.equal(refusalsIn(log), tried.length + signedOrDenied.length)
    await checkTrail(controlHome, triedThere)
    process.stderr.write(`# planes: apart: ${tried.length} and ${triedThere.length} tries\n`)
  } finally {
    await data.stop(0).catch(() => {})
  }
})

test('M-73 a control plane alone has no way to sign, not even for who has every role that may: no key service is opened', async () => {
  const directory = join(plant.home, 'lonely')
  const flags = { plane: 'control', 'data.directory': directory, 'audit.instance': 'lonely' }
  const service = await plant.start(flags, settings => ({ ...settings, providers: {} }))
  const [best] = (await tokensOf(service, service.url)).admins
  const { status, body } = await administer(service.url, best?.token ?? '', 'GET', '/v1/status')
  assert.equal(status, 200, JSON.stringify(body))
  const checks = (body['checks'] as { name: string }[]).map(({ name }) => name)
  assert.deepEqual(checks.toSorted(), ['audit', 'store'])
  await service.stop(500)
})

test('M-61 M-73 a control plane alone ends a key at its key service, for a key-admin and nobody else', async () => {
  const directory = join(plant.home, 'ending')
  const flags = { plane: 'control', 'data.directory': directory, 'audit.instance': 'ending' }
  const service = await plant.start(flags, settings => ({ ...settings, destroyAfterMs: 0 }))
  const { url, room } = service
  const wish = { name: 'treasury', chain: 'stellar', network: 'testnet', provider: 'mock' } as const
  await createNative(registerDeps(room, plant.runtime.world(), 'development'), wish)
  const [admin, operator] = [await loginAs(service, ['key-admin'], url), await loginAs(service, ['operator'], url)]
  const [held] = await room.store.keys.versions('treasury')
  const { address: confirm } = held?.version ?? assert.fail()
  const path = '/v1/keys/treasury/versions/1/destroy'
  const body = { confirm, reason: 'its end', days: 7 }
  assert.equal((await administer(url, operator.token, 'POST', path, body)).status, 403)
  const early = await administer(url, admin.token, 'POST', path, body)
  assert.deepEqual([early.status, early.code], [422, 'key/unsupported'], 'it signs')
  assert.equal((await administer(url, operator.token, 'POST', '/v1/keys/treasury/revoke', { reason: 'r' })).status, 200)
  const done = await administer(url, admin.token, 'POST', path, body)
  const places = done.body['places'] as { outcome: string }[]
  assert.deepEqual([done.status, places.map(({ outcome }) => outcome)], [200, ['scheduled']], JSON.stringify(done.body))
  assert.equal(await room.store.keys.stateOf('treasury', 1), 'destroyed')
  await service.stop(500)
  const log = (await records(directory)).flatMap(record => (record.kind === 'event' ? [record] : []))
  const own = log.filter(({ event }) => event === 'key-destroyed')
  assert.deepEqual(
    own.map(({ actor }) => actor.subject),
    [admin.pair.publicKey()],
  )
})

test('M-73 the command line: `serve --plane` opens the doors it names and no other', async () => {
  const config = join(plant.home, 'cli.toml')
  const home = join(plant.home, 'cli')
  const jwks = join(plant.home, 'jwks.json')
  const seedFile = join(plant.home, 'login-seed')
  await writeFile(seedFile, Keypair.random().secret(), { mode: 0o600 })
  await writeFile(
    jwks,
    JSON.stringify({
      keys: [{ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', kid: 'k', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }],
    }),
  )
  await writeFile(
    config,
    `environment = "staging"\n[server]\nport = 0\nbaseUrls = ["https://sign.example"]\n[control]\nport = 0\nbaseUrls = ["https://control.example"]\n[login]\nhomeDomain = "control.example"\nserverKey = "file:${seedFile}"\n[tokens]\nissuer = "other"\naudience = "countersign"\njwks = "${jwks}"\n[providers.main]\nkind = "aws-kms"\nregion = "us-east-1"\nendpoint = "http://127.0.0.1:1"\naccessKeyId = "env:A"\nsecretAccessKey = "env:A"\n[issuer]\nkey = "env:ISSUER"\n`,
  )
  const seed = crypto.getRandomValues(new Uint8Array(32))
  const jwk = {
    kty: 'OKP',
    crv: 'Ed25519',
    kid: 'own',
    x: toBase64Url(ed25519.getPublicKey(seed)),
    d: toBase64Url(seed),
  }
  for (const plane of ['data', 'control', 'all']) {
    const command = startCommand(
      ['serve', '--json', '--config', config, '--plane', plane, '--data', `${home}-${plane}`],
      {
        env: { A: 'x', ISSUER: JSON.stringify(jwk) },
      },
    )
    const ready = JSON.parse(await command.ready) as { dataUrl?: string; controlUrl?: string }
    assert.deepEqual(
      [ready.dataUrl !== undefined, ready.controlUrl !== undefined],
      [plane !== 'control', plane !== 'data'],
      `${plane} ${await command.ready} ${command.text.err}`,
    )
    const statuses = async (url: string, routes: readonly Route[]): Promise<Set<number>> => {
      const all = routes.map(async ({ method, path }) => {
        const body = method === 'GET' ? {} : { body: '{}', headers: { 'content-type': 'application/json' } }
        return (await told(await fetch(url + real(path), { method, ...body }))).status
      })
      return new Set(await Promise.all(all))
    }
    const onlyIn = (mine: readonly Route[], other: readonly Route[]) =>
      own(mine).filter(route => !own(other).some(each => named(each) === named(route)))
    if (ready.dataUrl !== undefined) {
      assert.deepEqual(await statuses(ready.dataUrl, onlyIn(CONTROL, DATA)), new Set([404]))
      assert.deepEqual(await statuses(ready.dataUrl, own(DATA)), new Set([401]))
    }
    if (ready.controlUrl !== undefined) {
      assert.deepEqual(await statuses(ready.controlUrl, onlyIn(DATA, CONTROL)), new Set([404]))
    }
    assert.equal((await command.stop()).exitCode, 0)
  }
})
