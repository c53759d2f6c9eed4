/** What leaves for Vault: the same through `node-vault` and directly, to one place only, and nothing from the environment. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { create as createDirect } from '../../../providers/vault-transit/edge.ts'
import { create } from '../../../providers/vault-transit/index.ts'
import { Secret, SecretBytes } from '../../../src/domain/secret.ts'
import { refusal } from '../../support/leaks.ts'
import { call, providerWorld } from '../../support/provider-world.ts'
import { type ScriptedServer, scriptedServer } from '../../support/scripted-server.ts'
import {
  ADDRESS,
  APPROLE,
  type Asked,
  base64,
  good,
  JSON_TYPE,
  login,
  open,
  scene,
  sign,
  signed,
  STATIC,
  TOKEN,
} from './vault-support.ts'

const CIPHERTEXT = `vault:v1:${base64(new Uint8Array(60).fill(5))}`

/** Each call once, on one of the ways. */
async function allCalls(way: 'node-vault' | 'direct', namespace?: string): Promise<Asked[]> {
  const at = scene(({ path }) => {
    if (path.endsWith('/login')) return login('t-1', 3_600)
    if (path.includes('/sign/')) return signed()
    if (path.includes('/encrypt/')) return good({ ciphertext: CIPHERTEXT, key_version: 1 })
    if (path.includes('/decrypt/')) return good({ plaintext: base64(new Uint8Array(32).fill(1)) })
    const keys = { '1': { public_key: base64(new Uint8Array(32).fill(2)) } }
    return good({ name: 'treasury', type: 'ed25519', derived: false, latest_version: 1, keys })
  })
  const provider = await open(at, { ...APPROLE, ...(namespace === undefined ? {} : { namespace }) }, way)
  await sign(provider)
  await provider.describe('treasury', call())
  const row = await provider.wrap(
    'transit/w',
    new SecretBytes(new Uint8Array(32).fill(1), 's'),
    { pubkey: 'G', a: 'b' },
    call(),
  )
  await provider.unwrap('transit/w', row, { a: 'b', pubkey: 'G' }, call())
  return at.asked
}

test('node-vault and the direct way send the same requests, byte for byte', async () => {
  for (const namespace of [undefined, 'admin/team-a']) {
    const lower = (asked: Asked[]) => asked.map(each => ({ ...each, body: undefined }))
    assert.deepEqual(lower(await allCalls('node-vault', namespace)), lower(await allCalls('direct', namespace)))
  }
})

test('every request says X-Vault-Request, names the namespace, takes no redirect and no compression', async () => {
  const asked = await allCalls('node-vault', 'admin/team-a')
  assert.deepEqual(
    asked.map(({ method, url }) => `${method} ${url.slice(ADDRESS.length)}`),
    [
      'POST /v1/auth/approle/login',
      'POST /v1/transit/sign/treasury',
      'GET /v1/transit/keys/treasury',
      'POST /v1/transit/encrypt/w',
      'POST /v1/transit/decrypt/w',
    ],
  )
  for (const { headers, redirect } of asked) {
    assert.equal(headers['x-vault-request'], 'true')
    assert.equal(headers['x-vault-namespace'], 'admin/team-a')
    assert.equal(headers['content-type'], 'application/json')
    assert.equal(headers['accept-encoding'], 'identity')
    assert.equal(redirect, 'manual')
  }
  const [, signing, , wrapping, opening] = asked
  assert.deepEqual(signing?.body, { input: base64(new Uint8Array(32).fill(3)), key_version: '1' })
  // `{"a":"b","pubkey":"G"}`, whatever the order of the entries.
  const bound = base64(new TextEncoder().encode('{"a":"b","pubkey":"G"}'))
  assert.deepEqual(wrapping?.body, {
    plaintext: base64(new Uint8Array(32).fill(1)),
    associated_data: bound,
    type: 'ecdsa-p256',
  })
  assert.deepEqual(opening?.body, { ciphertext: CIPHERTEXT, associated_data: bound })
})

test('without a namespace there is no namespace header', async () => {
  for (const { headers } of await allCalls('node-vault')) assert.equal(headers['x-vault-namespace'], undefined)
})

const OURS = {
  VAULT_ADDR: 'http://127.0.0.1:9',
  VAULT_TOKEN: 'environment-token',
  VAULT_NAMESPACE: 'environment-namespace',
  VAULT_PREFIX: '/environment',
  VAULT_SKIP_VERIFY: '1',
  DEBUG: '*',
}

test('T51 no VAULT_ variable has a say, and nothing is printed', {
  skip: 'Deno' in globalThis ? 'the child needs rights of its own there' : false,
}, () => {
  const script = `
    const { APPROLE, scene, open, sign, signed, login } = await import(${JSON.stringify(new URL('vault-support.ts', import.meta.url).href)})
    const at = scene(({ path }) => path.endsWith('/login') ? login('t-1', 3600) : signed())
    await sign(await open(at, APPROLE))
    console.log(JSON.stringify(at.asked.map(({ url, headers }) => [url, headers['x-vault-token'] ?? null, headers['x-vault-namespace'] ?? null])))`
  const flags = 'bun' in process.versions ? ['-e', script] : ['--input-type=module', '-e', script]
  const printed = execFileSync(process.execPath, flags, {
    encoding: 'utf8',
    env: { ...process.env, ...OURS },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  assert.deepEqual(JSON.parse(printed), [
    [`${ADDRESS}/v1/auth/approle/login`, null, null],
    [`${ADDRESS}/v1/transit/sign/treasury`, 't-1', null],
  ])
})

let other: ScriptedServer
before(async () => {
  other = await scriptedServer(() => ({ headers: JSON_TYPE, body: '{}' }))
})
after(() => other.close())

for (const status of [301, 302, 303, 307, 308]) {
  test(`T51 a ${status} of a standby: no byte goes to the other host, on either way`, async () => {
    const standby = await scriptedServer(() => ({
      status,
      headers: { location: `${other.url}/v1/transit/sign/treasury` },
    }))
    try {
      for (const open of [create, createDirect]) {
        const provider = await open({ ...STATIC, address: standby.url }, providerWorld())
        const error = await refusal(sign(provider), 'provider/malformed', [TOKEN])
        assert.match(error.message, /redirect, which is never followed; a standby does that/)
        const roled = await open({ ...APPROLE, address: standby.url }, providerWorld())
        await refusal(sign(roled), 'provider/malformed', ['secret-id-canary'])
      }
      assert.equal(other.bytesIn(), 0)
    } finally {
      await standby.close()
    }
  })
}

test('the answer is read over real HTTP as well', async () => {
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => {
      const data = { signature: `vault:v1:${base64(new Uint8Array(64).fill(7))}`, key_version: 1 }
      response
        .writeHead(200, { 'content-type': 'application/json; charset=utf-8' })
        .end(JSON.stringify({ request_id: 'abcdefgh-1', data }))
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  try {
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const provider = await create({ kind: 'vault-transit', address, token: new Secret('t', 'token') }, providerWorld())
    const { signature, providerRequestId } = await sign(provider)
    assert.deepEqual([signature[0], signature.length, providerRequestId], [7, 64, 'abcdefgh-1'])
  } finally {
    server.closeAllConnections()
    server.close()
  }
})
