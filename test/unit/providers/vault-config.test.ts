/** The table of `vault-transit` in the configuration: what may stand there, and what the familiar variables fill. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openProvider } from '../../../providers/index.ts'
import { create as createDirect } from '../../../providers/vault-transit/edge.ts'
import { vaultTransit, vaultTransitSchema } from '../../../providers/vault-transit/config.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { kindOfWord } from '../../../src/config/familiar.ts'
import { reveal, Secret } from '../../../src/domain/secret.ts'
import { refusal } from '../../support/leaks.ts'
import { call, providerWorld } from '../../support/provider-world.ts'
import { ADDRESS } from './vault-support.ts'

const secret = () => new Secret('config-canary', 'secret')
const base = { kind: 'vault-transit', address: ADDRESS } as const

const GOOD: readonly object[] = [
  { token: secret() },
  { auth: 'token', token: secret() },
  { tokenFile: '/run/vault/token' },
  { auth: 'approle', roleId: 'r', secretId: secret() },
  { auth: 'approle', roleId: 'r', secretId: secret(), authMount: 'team/approle' },
  { auth: 'kubernetes', role: 'signer', audience: 'vault' },
  { auth: 'kubernetes', role: 'signer', audience: 'vault', jwtFile: '/sa', authMount: 'k8s-eu' },
  { auth: 'jwt', role: 'signer', audience: 'vault', jwt: secret() },
  { auth: 'jwt', role: 'signer', audience: 'vault', jwtFile: '/jwt' },
  { token: secret(), mount: 'team-a/transit', namespace: 'admin/team-a', name: 'vault' },
  { token: secret(), address: 'http://127.0.0.1:8200' },
]
test('every way to log in is one table', () => {
  for (const fields of GOOD)
    assert.ok(vaultTransitSchema().safeParse({ ...base, ...fields }).success, JSON.stringify(fields))
})

const BAD: readonly (readonly [title: string, fields: object, paths: readonly string[]])[] = [
  ['nothing to log in with', {}, ['token']],
  ['both tokens', { token: secret(), tokenFile: '/t' }, ['tokenFile']],
  ['AppRole without fields', { auth: 'approle' }, ['roleId', 'secretId']],
  ['AppRole beside a token', { auth: 'approle', roleId: 'r', secretId: secret(), token: secret() }, ['token']],
  ['a token beside an AppRole', { token: secret(), roleId: 'r', secretId: secret() }, ['roleId', 'secretId']],
  ['Kubernetes without a role', { auth: 'kubernetes' }, ['audience', 'role']],
  ['T53 Kubernetes without an audience', { auth: 'kubernetes', role: 'r' }, ['audience']],
  ['T53 JWT without an audience', { auth: 'jwt', role: 'r', jwtFile: '/j' }, ['audience']],
  ['T53 an audience that is empty', { auth: 'jwt', role: 'r', audience: '', jwtFile: '/j' }, ['audience']],
  ['T53 an audience of a login that has none', { token: secret(), audience: 'vault' }, ['audience']],
  ['Kubernetes with a JWT as a secret', { auth: 'kubernetes', role: 'r', audience: 'a', jwt: secret() }, ['jwt']],
  ['JWT without a token', { auth: 'jwt', role: 'r', audience: 'a' }, ['jwt']],
  ['JWT with both', { auth: 'jwt', role: 'r', audience: 'a', jwt: secret(), jwtFile: '/j' }, ['jwtFile']],
  ['a mount of a login that is none', { token: secret(), authMount: 'approle' }, ['authMount']],
  ['another method', { auth: 'ldap', token: secret() }, ['auth']],
  ['an unknown field', { token: secret(), tokn: 'x' }, ['(root)']],
  ['a token that is a text', { token: 'config-canary' }, ['token']],
  ['a file that is not absolute', { tokenFile: 'token' }, ['tokenFile']],
  ['http to another machine', { token: secret(), address: 'http://vault.example:8200' }, ['address']],
  ['an address with a path', { token: secret(), address: 'https://vault.example/v1' }, ['address']],
  ['an address with a user', { token: secret(), address: 'https://a:config-canary@vault.example' }, ['address']],
  ['no address', { token: secret(), address: undefined }, ['address']],
  ...['/transit', 'transit/', 'a//b', '../sys', 'a/../b', 'a b', 'a?b', 'a#b', 'a%2fb', '', 'trésor', '.', '..'].map(
    mount => [`the mount ${JSON.stringify(mount)}`, { token: secret(), mount }, ['mount']] as const,
  ),
  ['a namespace with a dot segment', { token: secret(), namespace: 'a/../b' }, ['namespace']],
  [
    'all of it',
    { auth: 'jwt', audience: 'a', mount: '..', namespace: '/', token: secret(), address: 'x' },
    ['address', 'jwt', 'mount', 'namespace', 'role', 'token'],
  ],
]
for (const [title, fields, paths] of BAD) {
  test(`refused, with every problem at once: ${title}`, async () => {
    const error = await refusal(createDirect({ ...base, ...fields }, providerWorld()), 'config/invalid', [
      'config-canary',
    ])
    assert.ok('problems' in error.detail)
    const found = [...new Set(error.detail.problems.map(({ path }) => path))].toSorted()
    // A refinement of the whole table runs only when its fields are sound.
    for (const path of found) assert.ok(paths.includes(path), `${path} in ${paths.join()}`)
    assert.ok(found.length > 0 && error.detail.problems.every(({ fix }) => fix !== ''))
    if (title !== 'all of it') assert.deepEqual(found, paths)
  })
}

test('a token that is to be read from a file needs a runtime with files', async () => {
  for (const fields of [
    { tokenFile: '/t' },
    { auth: 'kubernetes', role: 'r', audience: 'a' },
    { auth: 'jwt', role: 'r', audience: 'a', jwtFile: '/j' },
  ])
    await refusal(createDirect({ ...base, ...fields } as never, providerWorld()), 'start/refused')
})

test('the words people use for it are one kind', () => {
  for (const word of ['vault', 'VAULT', 'vault-transit', 'vault_transit', 'VaultTransit', 'openbao', 'OpenBao', 'bao'])
    assert.equal(kindOfWord(word), 'vault-transit', word)
})

const load = (text: string, env: Record<string, string>) => loadConfig({ file: '/c.toml', env, readFile: () => text })
const TABLE = 'environment = "development"\n[providers.vault]\nkind = "vault-transit"\n'

test('VAULT_ADDR, VAULT_NAMESPACE and VAULT_TOKEN fill what the file left open, the token as a reference', async () => {
  const { vault } = (await load(TABLE, { VAULT_ADDR: ADDRESS, VAULT_NAMESPACE: 'admin', VAULT_TOKEN: 'config-canary' }))
    .providers
  assert.ok(vault?.kind === 'vault-transit' && vault.token !== undefined)
  assert.deepEqual(
    [vault.address, vault.namespace, vault.token.label, reveal(vault.token)],
    [ADDRESS, 'admin', 'env:VAULT_TOKEN', 'config-canary'],
  )
  const bao = (await load(TABLE, { BAO_ADDR: ADDRESS, BAO_TOKEN: 'config-canary' })).providers['vault']
  assert.ok(bao?.kind === 'vault-transit' && bao.token !== undefined && reveal(bao.token) === 'config-canary')
})

test('VAULT_TOKEN means nothing beside another way to log in, and never wins over the file', async () => {
  const env = { VAULT_ADDR: 'https://elsewhere.example', VAULT_TOKEN: 'config-canary', S: 'other' }
  const approle = `${TABLE}address = "${ADDRESS}"\nauth = "approle"\nroleId = "r"\nsecretId = "env:S"\n`
  const { vault } = (await load(approle, env)).providers
  assert.ok(vault?.kind === 'vault-transit' && vault.token === undefined)
  assert.equal(vault.address, ADDRESS)
  const own = (await load(`${TABLE}token = "env:S"\n`, env)).providers['vault']
  assert.ok(own?.kind === 'vault-transit' && own.token !== undefined && reveal(own.token) === 'other')
})

test('every field has a meaning, and the list of providers opens it', async () => {
  for (const field of Object.keys(vaultTransitSchema().shape))
    assert.ok((vaultTransit.meanings[field] ?? '') !== '', field)
  const provider = await openProvider({ ...base, token: secret() }, providerWorld())
  assert.equal(provider.name, 'vault-transit')
  await provider.close()
  await refusal(provider.describe('x', call()), 'provider/unavailable', ['config-canary'])
})
