/** Where requests may go, and what the SDK's own credential requests may do. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createCredentialHandler, createHandler, type WireRequest } from '../../../providers/aws-kms/handler.ts'
import { create } from '../../../providers/aws-kms/index.ts'
import { TransportError } from '../../../providers/one-fetch.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { refusal } from '../../support/leaks.ts'
import { call, providerWorld } from '../../support/provider-world.ts'

const KEY = 'arn:aws:kms:eu-central-1:000000000000:key/00000000-0000-4000-8000-000000000001'
const statics = {
  accessKeyId: new Secret('AKIAHANDLER', 'id'),
  secretAccessKey: new Secret('handler+secret', 'secret'),
}

/** Answers with an error AWS could give, and remembers who was asked. */
function recorder() {
  const urls: string[] = []
  const fetch = async (url: string) => {
    urls.push(url)
    const headers = { 'content-type': 'application/x-amz-json-1.1' }
    return new Response('{"__type":"DisabledException"}', { status: 400, headers })
  }
  return { urls, fetch }
}

const NAMES = [
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_KMS',
  'AWS_USE_FIPS_ENDPOINT',
  'AWS_USE_DUALSTACK_ENDPOINT',
  'AWS_REGION',
  'AWS_MAX_ATTEMPTS',
  'AWS_RETRY_MODE',
]
const kept = new Map(NAMES.map(name => [name, process.env[name]]))
before(() => {
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: 'http://attacker.example',
    AWS_ENDPOINT_URL_KMS: 'http://attacker.example',
    AWS_USE_FIPS_ENDPOINT: 'true',
    AWS_USE_DUALSTACK_ENDPOINT: 'true',
    AWS_REGION: 'us-east-1',
    AWS_MAX_ATTEMPTS: '5',
    AWS_RETRY_MODE: 'adaptive',
  })
})
after(() => {
  for (const [name, value] of kept) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
})

test('T51 the environment neither moves the endpoint nor the Region, and turns no retries on', async () => {
  const { urls, fetch } = recorder()
  const provider = await create(
    { kind: 'aws-kms', region: 'eu-central-1', ...statics },
    providerWorld('production', fetch),
  )
  await refusal(provider.sign(KEY, { scheme: 'ed25519', message: new Uint8Array(32) }, call()), 'provider/refused')
  assert.deepEqual(urls, ['https://kms.eu-central-1.amazonaws.com/'])
})

test('the Region decides the partition', async () => {
  const { urls, fetch } = recorder()
  for (const region of ['cn-north-1', 'us-gov-west-1']) {
    const provider = await create({ kind: 'aws-kms', region, ...statics }, providerWorld('production', fetch))
    await refusal(provider.describe(KEY, call()), 'provider/refused')
  }
  assert.deepEqual(urls, ['https://kms.cn-north-1.amazonaws.com.cn/', 'https://kms.us-gov-west-1.amazonaws.com/'])
})

test('a configured endpoint is the only one', async () => {
  const { urls, fetch } = recorder()
  const endpoint = 'https://vpce-1.kms.eu-central-1.vpce.amazonaws.com'
  const provider = await create(
    { kind: 'aws-kms', region: 'eu-central-1', endpoint, ...statics },
    providerWorld('production', fetch),
  )
  await refusal(provider.describe(KEY, call()), 'provider/refused')
  assert.deepEqual(urls, [`${endpoint}/`])
})

const wire = (more: Partial<WireRequest> = {}): WireRequest => ({
  protocol: 'https:',
  hostname: 'sts.eu-central-1.amazonaws.com',
  path: '/',
  method: 'POST',
  headers: { host: 'sts.eu-central-1.amazonaws.com', 'content-length': '2', 'x-a': 'b' },
  body: 'hi',
  ...more,
})
const record = () => ({
  operation: { name: 'Sign', kind: 'effect' } as const,
  sent: false,
  answered: false,
  closed: false,
})

test('T51 a KMS request to another origin than the configured one is never sent', async () => {
  const { urls, fetch } = recorder()
  const signal = new AbortController().signal
  const rows: [string | undefined, Partial<WireRequest>][] = [
    ['https://kms.example', { hostname: 'attacker.example' }],
    ['https://kms.example', { hostname: 'kms.example', port: 8443 }],
    ['https://kms.example', { hostname: 'kms.example', protocol: 'http:' }],
    [undefined, { protocol: 'http:' }],
  ]
  for (const [endpoint, more] of rows) {
    const handler = createHandler(providerWorld('production', fetch), endpoint)
    await assert.rejects(handler.handle(wire(more), { record: record(), abortSignal: signal }))
  }
  assert.deepEqual(urls, [])
})

test('the runtime writes host and length, and asks for no compression', async () => {
  const seen: RequestInit[] = []
  const fetch = async (_url: string, init: RequestInit) => {
    seen.push(init)
    return new Response('<xml/>', { headers: { 'x-b': 'c' } })
  }
  const { response } = await createCredentialHandler(providerWorld('production', fetch), undefined).handle(
    wire({ query: { a: ['1', '2'], b: 'x y', c: null } }),
  )
  assert.equal(response.statusCode, 200)
  assert.equal(response.headers['x-b'], 'c')
  assert.equal(new TextDecoder().decode(response.body), '<xml/>')
  assert.deepEqual(seen[0]?.headers, { 'x-a': 'b', 'accept-encoding': 'identity' })
})

test('credentials are asked for over https, or where the configuration says, without redirects, and not for ever', async () => {
  const { urls, fetch } = recorder()
  const world = providerWorld('production', fetch)
  const handler = createCredentialHandler(world, undefined)
  await assert.rejects(handler.handle(wire({ protocol: 'http:' })))
  await assert.rejects(handler.handle(wire({ protocol: 'http:', hostname: '127.0.0.1', port: 9911 })))
  const pinned = createCredentialHandler(world, 'http://127.0.0.1:9911')
  await assert.rejects(pinned.handle(wire()))
  await assert.rejects(pinned.handle(wire({ protocol: 'http:', hostname: '127.0.0.1', port: 9912 })))
  assert.deepEqual(urls, [])
  await pinned.handle(wire({ protocol: 'http:', hostname: '127.0.0.1', port: 9911, path: '/role' }))
  assert.deepEqual(urls, ['http://127.0.0.1:9911/role'])

  const redirecting = createCredentialHandler(
    providerWorld('production', async () => new Response(null, { status: 302, headers: { location: 'https://x' } })),
    undefined,
  )
  await assert.rejects(
    redirecting.handle(wire()),
    (error: unknown) => error instanceof TransportError && error.kind === 'redirected',
  )

  const ticking = {
    ...providerWorld('production', () => new Promise(() => {})),
    clock: { now: () => 0, monotonic: () => 0, sleep: async () => {} },
  }
  await assert.rejects(
    createCredentialHandler(ticking, undefined).handle(wire()),
    (error: unknown) => error instanceof TransportError && error.kind === 'aborted',
  )
})

test('a request that no call of ours made does not go out under its name', async () => {
  const { urls, fetch } = recorder()
  await assert.rejects(createHandler(providerWorld('production', fetch), undefined).handle(wire()))
  assert.deepEqual(urls, [])
})

test('a caller who left before the SDK was ready sends nothing', async () => {
  const { urls, fetch } = recorder()
  const handler = createHandler(providerWorld('production', fetch), undefined)
  await assert.rejects(
    handler.handle(wire(), { record: { ...record(), closed: true }, abortSignal: new AbortController().signal }),
  )
  assert.deepEqual(urls, [])
  assert.deepEqual(handler.httpHandlerConfigs(), {})
})
