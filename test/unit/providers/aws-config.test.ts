import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '../../../providers/aws-kms/index.ts'
import { type AwsKmsConfig, awsKmsSchema, isLoopback } from '../../../providers/aws-kms/config.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { refusal } from '../../support/leaks.ts'
import { providerWorld } from '../../support/provider-world.ts'

const config = (more: Record<string, unknown>): AwsKmsConfig => ({ kind: 'aws-kms', region: 'eu-central-1', ...more })
const secret = () => new Secret('canary-secret-value', 'AWS_SECRET')
const role = { roleArn: 'arn:aws:iam::123456789012:role/signer' }

async function problems(more: Record<string, unknown>) {
  const error = await refusal(create(config(more), providerWorld()), 'config/invalid', ['canary-secret-value'])
  return (error.detail as { problems: readonly { path: string; problem: string; fix: string }[] }).problems
}

test('good configurations open without a single request', async () => {
  const world = providerWorld('development', () => assert.fail('nothing may be fetched'))
  const good = [
    {},
    { name: 'aws-frankfurt' },
    { endpoint: 'https://vpce-1.kms.eu-central-1.vpce.amazonaws.com' },
    { endpoint: 'https://kms-fips.us-east-1.amazonaws.com/' },
    { endpoint: 'http://127.0.0.1:4566' },
    { endpoint: 'http://[::1]:4566' },
    { endpoint: 'http://localhost:4566' },
    { accessKeyId: secret(), secretAccessKey: secret() },
    { accessKeyId: secret(), secretAccessKey: secret(), sessionToken: secret() },
    { profile: 'signer' },
    { fips: true },
    { dualstack: true, fips: true },
    { fips: false, endpoint: 'https://kms.example' },
    { roleArn: 'arn:aws:iam::123456789012:role/path/signer' },
    { roleArn: 'arn:aws-us-gov:iam::123456789012:role/signer', profile: 'base' },
    { ...role, accessKeyId: secret(), secretAccessKey: secret(), externalId: 'x1', roleSessionName: 'pay@1' },
    { ...role, webIdentityTokenFile: '/var/run/secrets/token' },
    { ...role, fips: true, stsEndpoint: 'https://vpce-1.sts.eu-central-1.vpce.amazonaws.com' },
    { ...role, endpoint: 'http://127.0.0.1:4566', stsEndpoint: 'http://127.0.0.1:4566' },
    { region: 'us-gov-west-1' },
    { region: 'cn-north-1' },
  ]
  for (const more of good) {
    const provider = await create(config(more), world)
    assert.equal(provider.name, (more as { name?: string }).name ?? 'aws-kms')
    await provider.close()
  }
})

test('T51 an endpoint is https or loopback, and nothing else: the problem names field, value and fix', async () => {
  const bad = [
    'http://kms.example',
    'http://10.0.0.1:4566',
    'http://127.0.0.1.example',
    'http://localhost.example',
    'http://0.0.0.0:1',
    'ftp://127.0.0.1',
    'kms.example',
    '',
    'https://h/path',
    'https://h/?q',
    'https://h/#f',
    'http://169.254.169.254/',
    'http://[::ffff:7f00:1]',
    'file:///etc/passwd',
  ]
  for (const endpoint of bad) {
    const [problem, ...more] = await problems({ endpoint })
    assert.equal(more.length, 0, endpoint)
    assert.equal(problem?.path, 'endpoint')
    assert.match(problem?.fix ?? '', /https:\/\/HOST/)
    assert.ok(problem?.problem.includes(JSON.stringify(endpoint)), problem?.problem)
  }
})

test('an endpoint with a password is refused without quoting it', async () => {
  const [problem] = await problems({ endpoint: 'https://user:canary-secret-value@kms.example' })
  assert.equal(problem?.path, 'endpoint')
})

test('spelled-out loopback forms are judged after the URL parser made them canonical', () => {
  for (const host of [
    '127.0.0.1',
    '127.1.2.3',
    'localhost',
    '[::1]',
    new URL('http://2130706433/').hostname,
    new URL('http://0x7f.1/').hostname,
  ])
    assert.ok(isLoopback(host), host)
  for (const host of [
    '127.0.0',
    '127.0.0.1.com',
    '128.0.0.1',
    '10.0.0.1',
    '[::]',
    'localhost.com',
    '127..0.1',
    '127.a.b.c',
  ])
    assert.ok(!isLoopback(host), host)
})

test('all problems come at once, unknown fields included', async () => {
  const found = await problems({
    region: 'nowhere',
    endpoint: 'http://x.example',
    retries: 3,
    name: 'No Name',
    accessKeyId: secret(),
  })
  const paths = found.map(problem => problem.path)
  for (const path of ['region', 'endpoint', 'name', '(root)'])
    assert.ok(paths.includes(path), `${path} in ${paths.join()}`)
  assert.ok(found.every(problem => problem.fix !== '' && problem.problem !== ''))
})

test('static credentials come together, and not beside a profile', async () => {
  assert.equal((await problems({ accessKeyId: secret() }))[0]?.path, 'secretAccessKey')
  assert.equal((await problems({ secretAccessKey: secret() }))[0]?.path, 'accessKeyId')
  assert.equal((await problems({ sessionToken: secret() }))[0]?.path, 'accessKeyId')
  assert.equal((await problems({ accessKeyId: secret(), secretAccessKey: secret(), profile: 'x' }))[0]?.path, 'profile')
})

test('a credential as plain text is refused: it has to be a Secret', async () => {
  const found = await problems({ accessKeyId: 'canary-secret-value', secretAccessKey: 'canary-secret-value' })
  assert.deepEqual(found.map(problem => problem.path).toSorted(), ['accessKeyId', 'secretAccessKey'])
})

test("the schema takes the configuration's own schema for secret references", () => {
  const schema = awsKmsSchema()
  assert.ok(schema.safeParse(config({})).success)
  assert.ok(!schema.safeParse({ kind: 'mock' }).success)
})

test('combinations that would mean something else than they say are refused, each with the field and the fix', async () => {
  const rows: [Record<string, unknown>, string, RegExp][] = [
    [{ fips: true, endpoint: 'https://kms.example' }, 'fips', /remove endpoint, or name the fips endpoint there/],
    [{ dualstack: true, endpoint: 'https://kms.example' }, 'dualstack', /remove endpoint/],
    [{ roleSessionName: 'pay' }, 'roleSessionName', /give roleArn/],
    [{ externalId: 'x1' }, 'externalId', /give roleArn/],
    [{ webIdentityTokenFile: '/token' }, 'webIdentityTokenFile', /give roleArn/],
    [{ ...role, webIdentityTokenFile: '/token', profile: 'x' }, 'webIdentityTokenFile', /remove one of them/],
    [{ ...role, webIdentityTokenFile: '/token', externalId: 'x1' }, 'webIdentityTokenFile', /remove one of them/],
    [
      { ...role, webIdentityTokenFile: '/token', accessKeyId: secret(), secretAccessKey: secret() },
      'webIdentityTokenFile',
      /remove one of them/,
    ],
    [{ ...role, endpoint: 'http://127.0.0.1:4566' }, 'stsEndpoint', /give stsEndpoint/],
    [{ roleArn: 'signer' }, 'roleArn', /arn:aws:iam::ACCOUNT:role\/NAME/],
    [{ roleArn: 'arn:aws:iam::123456789012:user/x' }, 'roleArn', /role\/NAME/],
    [{ ...role, roleSessionName: 'a b' }, 'roleSessionName', /./],
    [{ ...role, externalId: 'x' }, 'externalId', /./],
    [{ ...role, stsEndpoint: 'http://sts.example' }, 'stsEndpoint', /https:\/\/HOST/],
  ]
  for (const [more, path, fix] of rows) {
    const found = await problems(more)
    assert.deepEqual(
      found.map(problem => problem.path),
      [path],
      JSON.stringify(more),
    )
    assert.match(found[0]?.fix ?? '', fix)
  }
})
