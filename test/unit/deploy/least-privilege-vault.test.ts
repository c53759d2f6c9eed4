/**
 * M-72, R-29: what the policies in deploy/iam/vault allow, asked of a server that enforces them: local-kms, and a real
 * OpenBao where the environment names one (COUNTERSIGN_BAO).
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { startLocalKms } from '../../../local-kms/index.ts'
import { findBao, startBao } from '../../local-kms/openbao-support.ts'
import { rendered } from '../../support/iam-aws.ts'

const policy = (file: string, values: Readonly<Record<string, string>> = {}): string =>
  rendered(readFileSync(new URL(`../../../deploy/iam/vault/${file}.hcl`, import.meta.url), 'utf8'), values)

const TOKEN = policy('signer-token')
const ROLES: Readonly<Record<string, readonly string[]>> = {
  'signer-native': [policy('signer-native', { mount: 'transit', key: 'treasury', key_version: '1' }), TOKEN],
  'signer-decrypt': [policy('signer-decrypt', { mount: 'transit', key: 'wrap' }), TOKEN],
  registrar: [policy('registrar', { mount: 'transit' })],
  api: ['path "transit/nothing" { capabilities = ["deny"] }'], // without any, a token inherits from whoever made it
}

type Body = Readonly<Record<string, unknown>>
const [INPUT, BOUND] = ['aGFzaA==', 'Y29udGV4dA==']
const calls = (ciphertext: string): Readonly<Record<string, readonly [string, string, Body?]>> => ({
  'sign version 1': ['POST', 'transit/sign/treasury', { input: INPUT, key_version: '1' }],
  'sign version 2': ['POST', 'transit/sign/treasury', { input: INPUT, key_version: '2' }],
  'sign newest': ['POST', 'transit/sign/treasury', { input: INPUT }],
  'sign prehashed': ['POST', 'transit/sign/treasury', { input: INPUT, key_version: '1', prehashed: true }],
  'sign batch': ['POST', 'transit/sign/treasury', { batch_input: [{ input: INPUT }], key_version: '1', input: INPUT }],
  'sign by another path': ['POST', 'transit/sign/treasury/sha2-256', { input: INPUT, key_version: '1' }],
  'sign with another key': ['POST', 'transit/sign/payouts', { input: INPUT, key_version: '1' }],
  'read treasury': ['GET', 'transit/keys/treasury'],
  'read payouts': ['GET', 'transit/keys/payouts'],
  'list keys': ['GET', 'transit/keys?list=true'],
  decrypt: ['POST', 'transit/decrypt/wrap', { ciphertext, associated_data: BOUND }],
  'decrypt unbound': ['POST', 'transit/decrypt/wrap', { ciphertext }],
  'decrypt batch': [
    'POST',
    'transit/decrypt/wrap',
    { batch_input: [{ ciphertext, associated_data: BOUND }], associated_data: BOUND },
  ],
  'decrypt with another key': ['POST', 'transit/decrypt/other', { ciphertext, associated_data: BOUND }],
  encrypt: ['POST', 'transit/encrypt/wrap', { plaintext: INPUT, associated_data: BOUND }],
  'encrypt unbound': ['POST', 'transit/encrypt/wrap', { plaintext: INPUT }],
  'make a key': [
    'POST',
    'transit/keys/fresh',
    { type: 'ed25519', exportable: false, allow_plaintext_backup: false, derived: false },
  ],
  'make an exportable key': ['POST', 'transit/keys/leaky', { type: 'ed25519', exportable: true }],
  'make a key with backup': ['POST', 'transit/keys/leaky', { type: 'ed25519', allow_plaintext_backup: true }],
  'make an RSA key': ['POST', 'transit/keys/rsa', { type: 'rsa-2048' }],
  rotate: ['POST', 'transit/keys/treasury/rotate', {}],
  'make exportable': ['POST', 'transit/keys/treasury/config', { exportable: true }],
  trim: ['POST', 'transit/keys/treasury/trim', { min_available_version: 1 }],
  delete: ['DELETE', 'transit/keys/treasury'],
  export: ['GET', 'transit/export/signing-key/treasury'],
  backup: ['GET', 'transit/backup/treasury'],
  rewrap: ['POST', 'transit/rewrap/wrap', { ciphertext }],
  datakey: ['POST', 'transit/datakey/plaintext/wrap', {}],
  hmac: ['POST', 'transit/hmac/treasury', { input: INPUT }],
  'import key': ['POST', 'transit/keys/leaky/import', { ciphertext: INPUT }],
  'renew itself': ['POST', 'auth/token/renew-self', {}],
  'look itself up': ['GET', 'auth/token/lookup-self'],
  'ask what it holds': ['POST', 'sys/capabilities-self', { paths: ['transit/sign/treasury'] }],
  'make a token': ['POST', 'auth/token/create', {}],
  'read policies': ['GET', 'sys/policies/acl?list=true'],
  'write a policy': ['POST', 'sys/policies/acl/more', { policy: 'path "*" { capabilities = ["sudo"] }' }],
  mount: ['POST', 'sys/mounts/more', { type: 'transit' }],
})

const ITSELF = ['renew itself', 'look itself up', 'ask what it holds']
const GOLDEN: Readonly<Record<string, readonly string[]>> = {
  'signer-native': ['sign version 1', 'read treasury', ...ITSELF],
  'signer-decrypt': ['decrypt', ...ITSELF],
  registrar: [
    ...['sign version 1', 'sign version 2', 'sign prehashed', 'sign batch', 'sign with another key'],
    ...[
      'read treasury',
      'read payouts',
      'decrypt',
      'decrypt batch',
      'decrypt with another key',
      'encrypt',
      'make a key',
    ],
  ],
  api: [],
}

interface Server {
  readonly address: string
  readonly rootToken: string
  close(): Promise<void>
}

async function ask(
  server: Server,
  token: string,
  [method, path, body]: readonly [string, string, (Body | undefined)?],
) {
  const response = await fetch(`${server.address}/v1/${path}`, {
    method,
    headers: { 'x-vault-token': token, 'x-vault-request': 'true' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, json: (text === '' ? {} : JSON.parse(text)) as Record<string, any> }
}

/** Everything each role may do, by asking; what is refused for a reason of its own (a wrong key) is allowed all the same. */
async function holdings(server: Server): Promise<{ allowed: Record<string, string[]>; asked: number }> {
  const root = (method: string, path: string, body?: Body) => ask(server, server.rootToken, [method, path, body])
  await root('POST', 'sys/mounts/transit', { type: 'transit' })
  for (const name of ['treasury', 'payouts']) await root('POST', `transit/keys/${name}`, { type: 'ed25519' })
  for (const name of ['treasury', 'payouts']) await root('POST', `transit/keys/${name}/rotate`, {})
  for (const name of ['wrap', 'other']) await root('POST', `transit/keys/${name}`, { type: 'aes256-gcm96' })
  const sealed = await root('POST', 'transit/encrypt/wrap', { plaintext: INPUT, associated_data: BOUND })
  const table = calls(String(sealed.json['data']?.ciphertext))
  const allowed: Record<string, string[]> = {}
  let asked = 0
  for (const [role, policies] of Object.entries(ROLES)) {
    const names = policies.map((_, at) => `${role}-${at}`)
    for (const [at, text] of policies.entries()) await root('PUT', `sys/policies/acl/${names[at]}`, { policy: text })
    const made = await root('POST', 'auth/token/create', { policies: names, no_default_policy: true, ttl: '10m' })
    const token = made.json['auth']?.client_token ?? ''
    allowed[role] = []
    for (const [name, call] of Object.entries(table)) {
      asked++
      const { status } = await ask(server, token, call)
      if (status !== 403) allowed[role].push(name)
    }
  }
  return { allowed, asked }
}

async function check(name: string, open: () => Promise<Server>): Promise<void> {
  const server = await open()
  try {
    const { allowed, asked } = await holdings(server)
    console.log(`# ${name}: ${asked} pairs of role and call, ${Object.values(allowed).flat().length} allowed`)
    assert.deepEqual(allowed, GOLDEN)
  } finally {
    await server.close()
  }
}

describe('M-72 R-29 the Vault policies allow the golden set and nothing else', () => {
  test('enforced by local-kms', () =>
    check('local-kms', async () => {
      const kms = await startLocalKms({ faces: ['vault'] })
      return { address: kms.vault, rootToken: kms.vaultToken, close: () => kms.close() }
    }))

  const binary = findBao()
  const skip = binary === undefined && 'no OpenBao here: put `bao` on the path or name it in COUNTERSIGN_BAO'
  test('enforced by a real OpenBao', { skip }, () =>
    check('OpenBao', async () => {
      const { url, stop } = await startBao(binary ?? '')
      return { address: url, rootToken: 'root', close: stop }
    }),
  )
})
