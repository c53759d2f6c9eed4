import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { configurationPage } from '../../../scripts/configuration-page.ts'
import { loadClientConfig } from '../../../src/config/client.ts'
import { configJsonSchema, configTable } from '../../../src/config/describe.ts'
import { reveal } from '../../../src/domain/secret.ts'
import { load } from './samples.ts'

test('config table: every setting has a meaning and a variable of its own', () => {
  const table = configTable()
  for (const { name, meaning } of table) assert.ok(meaning.length > 5, name)
  const variables = table.filter(({ kind }) => kind === undefined).map(({ variable }) => variable)
  assert.equal(new Set(variables).size, variables.length)
  const of = (name: string, kind?: string) => table.find(row => row.name === name && row.kind === kind)
  assert.deepEqual(of('limits.deadlineMs'), {
    name: 'limits.deadlineMs',
    meaning: 'time for one signature, all tries together',
    unit: 'ms',
    default: '10000',
    required: false,
    secret: false,
    variable: 'COUNTERSIGN_LIMITS_DEADLINE_MS',
    familiar: ['KMS_TIMEOUT'],
  })
  assert.deepEqual(of('limits.tries')?.familiar, ['KMS_MAX_RETRIES'])
  assert.deepEqual(of('providers.<name>.region', 'aws-kms')?.familiar, ['AWS_REGION', 'AWS_DEFAULT_REGION'])
  assert.equal(of('environment')?.required, true)
  const secrets = table.filter(({ secret }) => secret).map(({ name }) => name)
  assert.deepEqual(secrets, [
    'store.url',
    'issuer.key',
    'login.serverKey',
    'metadata.key',
    'webhooks.secret',
    'providers.<name>.accessKeyId',
    'providers.<name>.secretAccessKey',
    'providers.<name>.sessionToken',
    'providers.<name>.accessToken',
    'providers.<name>.credentials',
    'providers.<name>.passphrases',
    'providers.<name>.keys',
    'providers.<name>.token',
    'providers.<name>.secretId',
    'providers.<name>.jwt',
  ])
})

test('config table: every variable it names is understood', async () => {
  for (const { variable, default: preset, kind } of configTable()) {
    if (kind !== undefined || preset === '') continue
    await load({ env: { [variable]: preset.startsWith('"') ? JSON.parse(preset) : preset } })
  }
})

test('docs/configuration.md is the page of this version (bun scripts/docs.ts writes it), with every setting', () => {
  const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8')
  assert.equal(page, configurationPage())
  for (const { name, variable } of configTable())
    assert.ok(page.includes(`\`${name}\``) && page.includes(variable), name)
})

test('config schema: is JSON Schema 2020-12, closed, with defaults, and secrets as references', () => {
  const schema = configJsonSchema() as {
    $schema: string
    additionalProperties: boolean
    required: string[]
    properties: Record<string, object>
  }
  assert.equal(schema.$schema, 'https://json-schema.org/draft/2020-12/schema')
  assert.equal(schema.additionalProperties, false)
  assert.deepEqual(schema.required, ['environment'])
  const text = JSON.stringify(schema)
  assert.ok(text.includes('"secret":true') && text.includes('^(env:'))
  assert.ok(text.includes('"const":"aws-kms"') && text.includes('"default":65536'))
  assert.equal(text.includes('"additionalProperties":true'), false)
})

test('client config: url and token, from flags before the environment', () => {
  const env = { COUNTERSIGN_URL: 'https://signer.example/', COUNTERSIGN_TOKEN: 'a.b.c' }
  const config = loadClientConfig(env)
  assert.deepEqual([config.url, reveal(config.token)], ['https://signer.example', 'a.b.c'])
  assert.equal(loadClientConfig(env, { url: 'http://127.0.0.1:8420' }).url, 'http://127.0.0.1:8420')
  assert.equal(loadClientConfig(env, { url: 'http://[::1]:1' }).url, 'http://[::1]:1')
  assert.equal(reveal(loadClientConfig(env, { token: 'd.e.f' }).token), 'd.e.f')
})

test('client config: a token goes to https or to this machine, and is never quoted', () => {
  const refused = (env: Record<string, string>, paths: readonly string[]) =>
    assert.throws(
      () => loadClientConfig(env),
      (error: { code: string; message: string; detail: { problems: { path: string }[] } }) => {
        assert.equal(error.code, 'config/invalid')
        assert.deepEqual(
          error.detail.problems.map(({ path }) => path),
          paths,
        )
        assert.ok(!error.message.includes('very secret'))
        return true
      },
    )
  refused({}, ['COUNTERSIGN_URL', 'COUNTERSIGN_TOKEN'])
  for (const url of [
    'signer',
    'http://signer.example',
    'ftp://127.0.0.1',
    'https://u:p@x.example',
    'https://x.example/v1',
    'https://x.example?a',
    'http://127.0.0.1.evil.example',
  ]) {
    refused({ COUNTERSIGN_URL: url, COUNTERSIGN_TOKEN: 'a.b.c' }, ['COUNTERSIGN_URL'])
  }
  for (const token of ['Bearer a.b.c', 'very secret', 'a.b.c\n', '"a.b.c"']) {
    refused({ COUNTERSIGN_URL: 'https://x.example', COUNTERSIGN_TOKEN: token }, ['COUNTERSIGN_TOKEN'])
  }
})
