import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { afterAll, test } from 'bun:test'
import { run, scratch, start } from '../../support/cli.ts'
import * as bun from '../../../src/runtime/bun.ts'
import type { World } from '../../../src/domain/ports.ts'

const room = scratch()
afterAll(() => room.remove())
const config = room.path('countersign.toml')
writeFileSync(
  config,
  `environment = "development"\nplane = "all"\n[server]\nport = 0\n[control]\nport = 0\n[issuer]\ntokenSeconds = 120\n[data]\ndirectory = "${room.path('data')}"\n[providers.mock]\nkind = "mock"\n`,
)
const ann = room.path('ann.seed')

/** A control plane with one administrator; the body gets its URL. */
async function served(body: (url: string, service: Awaited<ReturnType<typeof up>>) => Promise<void>): Promise<void> {
  const service = await up()
  try {
    await body(service.controlUrl, service)
  } finally {
    await service.stop()
  }
}
async function up() {
  const service = start(['serve', '--config', config, '--json'])
  const ready = JSON.parse(await service.ready) as { controlUrl: string }
  return { ...service, controlUrl: ready.controlUrl }
}

test('M-41 login: challenge, signature and session, from a seed in a file; the token alone on stdout, the seed nowhere', async () => {
  const { out: address } = await run(['keygen', '--out', ann])
  const { exitCode } = await run([
    'admins',
    'add',
    address.trim(),
    '--name',
    'Ann',
    '--role',
    'operator',
    '--config',
    config,
  ])
  assert.equal(exitCode, 0)
  const seed = await Bun.file(ann).text()
  await served(async url => {
    const plain = await run(['login', '--url', url, '--seed-file', ann])
    assert.deepEqual([plain.exitCode, plain.err.includes(seed.trim())], [0, false], plain.err)
    assert.match(plain.out, /^[\w-]+\.[\w-]+\.[\w-]+\n$/)
    const read = await run(['login', '--seed-file', '-', '--json'], { env: { COUNTERSIGN_URL: url }, stdin: seed })
    assert.deepEqual([read.json['address'], read.json['roles']], [address.trim(), ['operator']])
    assert.ok(Date.parse(read.json['expiresAt']) > Date.now())
    const authorization = `Bearer ${plain.out.trim()}`
    assert.equal((await fetch(`${url}/v1/status`, { headers: { authorization } })).status, 200)

    // What `issuer.tokenSeconds` says is the longest life, told or not.
    const issue = (key: string, more: object) =>
      fetch(`${url}/v1/tokens`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json', 'idempotency-key': key },
        body: JSON.stringify({ subject: 'payouts', scopes: ['read:*'], ...more }),
      })
    const made = (await (await issue('a', {})).json()) as { issuedAt: string; expiresAt: string }
    assert.equal(Date.parse(made.expiresAt) - Date.parse(made.issuedAt), 120_000)
    assert.equal((await issue('b', { seconds: 121 })).status, 400)
    assert.equal((await issue('c', { seconds: 120 })).status, 201)
  })
}, 30_000)

test('T13 login signs nothing for a server that says it is another one, and no session goes over open http', async () => {
  await served(async url => {
    const cases: readonly (readonly [readonly string[], number, string])[] = [
      [['--home-domain', 'signer.example'], 1, 'the first operation does not name the home domain'],
      [['--web-auth-domain', 'signer.example'], 1, 'web_auth_domain with the domain of this server'],
      [['--network', 'testnet'], 1, 'the signature of the server'],
      [['--server-account', 'GAIQLDXLRUN7KX5AF7IVVNG447KWPJGCVNB37SB45AYSS7VVVVA6MGXI'], 1, 'not the server account'],
      [['--server-account', 'G123'], 2, '--server-account'],
      [['--network', 'moon'], 1, 'moon'],
    ]
    for (const [args, exitCode, words] of cases) {
      const ended = await run(['login', '--url', url, '--seed-file', ann, ...args])
      assert.deepEqual([ended.exitCode, ended.out], [exitCode, ''], args.join(' '))
      assert.ok(ended.err.includes(words), `${args.join(' ')}: ${ended.err}`)
    }
  })
  for (const url of ['http://signer.example', 'http://10.0.0.1:8421', 'ftp://localhost', 'nowhere']) {
    const ended = await run(['login', '--url', url, '--seed-file', ann])
    assert.deepEqual([ended.exitCode, ended.out], [2, ''], url)
  }
}, 30_000)

test('login: a file without a seed, and answers of something that is no control plane', async () => {
  const empty = room.path('empty')
  writeFileSync(empty, 'nothing\n')
  const bad = await run(['login', '--url', 'https://signer.example', '--seed-file', empty])
  assert.deepEqual([bad.exitCode, bad.out], [2, ''])
  const answers: readonly (readonly [object, string])[] = [
    [{}, 'nothing was signed'],
    [{ transaction: 7 }, 'nothing was signed'],
    [{ kind: 'eip-4361', message: 'x' }, 'nothing was signed'],
  ]
  for (const [answer, words] of answers) {
    const world: World = { ...bun.world(), fetch: async () => Response.json(answer) }
    const ended = await run(['login', '--url', 'https://signer.example', '--seed-file', ann], { world })
    assert.deepEqual([ended.exitCode, ended.out], [1, ''])
    assert.ok(ended.err.includes(words), ended.err)
  }
})

test('D20 behind a listed proxy the control plane counts and records the client it names, before and after a login', async () => {
  const proxied = room.path('proxied.toml')
  const text = await Bun.file(config).text()
  writeFileSync(
    proxied,
    `${text}[proxies]\naddresses = ["127.0.0.1"]\n[admission.control]\nallow = ["198.51.100.0/24"]\n`,
  )
  const service = start(['serve', '--config', proxied, '--json'])
  const { controlUrl } = JSON.parse(await service.ready) as { controlUrl: string }
  const ask = (from: string, path = '/v1/status') =>
    fetch(`${controlUrl}${path}`, { headers: { 'x-forwarded-for': from, authorization: 'Bearer a.b.c' } })
  try {
    assert.equal((await ask('198.51.100.7')).status, 401)
    assert.equal((await ask('203.0.113.9')).status, 403)
    assert.equal((await fetch(`${controlUrl}/v1/status`)).status >= 400, true)
    const challenge = await fetch(`${controlUrl}/auth/challenge`, {
      method: 'POST',
      headers: { 'x-forwarded-for': '198.51.100.8', 'content-type': 'application/json' },
      body: JSON.stringify({ address: 'GAIQLDXLRUN7KX5AF7IVVNG447KWPJGCVNB37SB45AYSS7VVVVA6MGXI' }),
    })
    assert.equal(challenge.status, 200)
  } finally {
    await service.stop()
  }
  const tail = await run(['audit', 'tail', '--data', room.path('data'), '--json'])
  const records = tail.out
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { event?: string; errorCode?: string; actor: { peer: string } })
  const peers = (wanted: (each: (typeof records)[number]) => boolean) =>
    records.filter(wanted).map(each => each.actor.peer)
  assert.ok(peers(each => each.event === 'login.challenge').includes('198.51.100.8'))
  assert.ok(peers(each => each.errorCode === 'token/invalid').includes('198.51.100.7'))
}, 30_000)
