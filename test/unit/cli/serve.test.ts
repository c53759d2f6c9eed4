import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { Keypair } from '@stellar/stellar-sdk/base'
import { type LocalKms, startLocalKms } from '../../../local-kms/index.ts'
import { createDevIssuer } from '../../../src/access/dev-tokens.ts'
import { demoSeed } from '../../../src/compose/demo.ts'
import { devPublicKey } from '../../../providers/mock/index.ts'
import { realWorld } from '../../../src/runtime/world.ts'
import { unsupportedHardening } from '../../../src/runtime/contract.ts'
import { type CliOptions, type Ended, EXAMPLE_FILE, run, scratch, start, startDev } from '../../support/cli.ts'

const files = scratch()
const issuer = createDevIssuer({ clock: realWorld().clock, issuer: 'https://issuer.example', audience: 'countersign' })
const CANARY = 'canary-secret-access-key'
const ENV = { TEST_ID: 'test', TEST_SECRET: CANARY }
const seed = Keypair.random().secret()
let kms: LocalKms

const toml = (environment: string, provider = AWS()) => `environment = "${environment}"
[server]
port = 0
[data]
directory = "${files.path('data')}"
[tokens]
issuer = "https://issuer.example"
audience = "countersign"
jwks = "${files.path('jwks.json')}"
[providers.main]
${provider}
`
const AWS = () => `kind = "aws-kms"
region = "us-east-1"
endpoint = "${kms.aws}"
accessKeyId = "env:TEST_ID"
secretAccessKey = "env:TEST_SECRET"`
const config = (name: string, text: string): string => {
  writeFileSync(files.path(name), text)
  return files.path(name)
}

beforeAll(async () => {
  kms = await startLocalKms()
  writeFileSync(files.path('jwks.json'), JSON.stringify(issuer.jwks))
  config('staging.toml', toml('staging'))
  config('production.toml', toml('production'))
})
afterAll(async () => {
  await kms.close()
  files.remove()
})

const serve = (file: string, more: readonly string[] = [], options: CliOptions = {}) =>
  start(['serve', '--json', '--config', files.path(file), ...more], { ...options, env: { ...ENV, ...options.env } })
const check = (file: string, options: CliOptions = {}) =>
  run(['config', 'check', '--config', files.path(file), '--json'], { ...options, env: { ...ENV, ...options.env } })
const failed = ({ exitCode, json }: Ended) => ({ exitCode, code: json['error'].code as string })

describe('serve', () => {
  test('starts, signs under its policy, answers health, stops; ready line and hardening', async () => {
    const policy = config(
      'policy.json',
      '{"version":1,"network":"testnet","operations":["payment"],"fee":{"maxStroops":"1000"},"timeBounds":"any","sources":"any","payments":{"destinations":"any","assets":[{"asset":"native","maxPerOperation":"100","maxPerTransaction":"100"}]}}',
    )
    const args = ['--provider', 'main', '--config', files.path('staging.toml'), '--json']
    const made = await run(['keys', 'create', 'treasury', '--policy', policy, ...args], { env: ENV })
    expect(made.exitCode).toBe(0)
    expect((await run(['keys', 'create', 'strict', ...args], { env: ENV })).exitCode).toBe(0)

    const service = serve('staging.toml', ['--require-hardening'])
    const ready = JSON.parse(await service.ready) as { ready: boolean; dataUrl: string }
    expect(Object.keys(ready)).toEqual(['ready', 'dataUrl'])
    expect(await (await fetch(`${ready.dataUrl}/livez`)).json()).toEqual({ status: 'ok' })
    const readyz = (await (await fetch(`${ready.dataUrl}/readyz`)).json()) as { checks: unknown }
    expect(readyz.checks).toEqual([
      { name: 'audit', ok: true },
      { name: 'store', ok: true },
      { name: 'providers', ok: true },
      { name: 'configuration', ok: true },
      { name: 'pins', ok: true },
    ])

    const env = {
      COUNTERSIGN_URL: ready.dataUrl,
      COUNTERSIGN_TOKEN: await issuer.issue({ subject: 'api', scopes: ['sign:*'] }),
    }
    const signed = await run(['sign', '--key', 'treasury', '--json', EXAMPLE_FILE], { env })
    expect(signed.json).toMatchObject({ address: made.json['address'], provider: 'main', custody: 'native' })
    const strict = await run(['sign', '--key', 'strict', '--json', EXAMPLE_FILE], { env })
    expect(failed(strict)).toEqual({ exitCode: 3, code: 'policy/denied' })
    const scope = { ...env, COUNTERSIGN_TOKEN: await issuer.issue({ subject: 'api', scopes: ['sign:other'] }) }
    expect(failed(await run(['sign', '--key', 'treasury', '--json', EXAMPLE_FILE], { env: scope }))).toEqual({
      exitCode: 3,
      code: 'access/denied',
    })

    const ended = await service.stop()
    expect({ exitCode: ended.exitCode, hardened: ended.hardened }).toEqual({ exitCode: 0, hardened: 1 })
    expect(ended.out).toBe(`${JSON.stringify(ready)}\n`)
    expect(ended.err).toContain('"msg":"hardening"')
    expect(ended.out + ended.err).not.toContain(CANARY)
    await expect(fetch(`${ready.dataUrl}/livez`)).rejects.toThrow()
  })

  test('the key service stops answering: sign exits 5 and says a retry is safe', async () => {
    const away = await startLocalKms()
    config('away.toml', toml('staging').replace(kms.aws, away.aws).replace(files.path('data'), files.path('away')))
    const args = ['--provider', 'main', '--config', files.path('away.toml'), '--json']
    expect(
      (await run(['keys', 'create', 'treasury', '--policy', files.path('policy.json'), ...args], { env: ENV }))
        .exitCode,
    ).toBe(0)
    const service = serve('away.toml')
    const { dataUrl } = JSON.parse(await service.ready) as { dataUrl: string }
    await away.close()
    const env = {
      COUNTERSIGN_URL: dataUrl,
      COUNTERSIGN_TOKEN: await issuer.issue({ subject: 'api', scopes: ['sign:*'] }),
    }
    const { exitCode, json } = await run(['sign', '--key', 'treasury', '--json', EXAMPLE_FILE], { env })
    expect({ exitCode, code: json['error'].code, retryable: json['error'].retryable }).toEqual({
      exitCode: 5,
      code: 'provider/unavailable',
      retryable: true,
    })
    await service.stop()
  })

  test('--port and --data win over the file; text form; a port that is taken is refused and nothing stays open', async () => {
    const data = files.path('elsewhere')
    const service = start(['serve', '--config', files.path('staging.toml'), '--data', data, '--port', '0'], {
      env: ENV,
    })
    expect(await service.ready).toMatch(/^countersign is ready at http:\/\/127\.0\.0\.1:\d+\n$/)
    expect(existsSync(`${data}/countersign.db`)).toBe(true)
    await service.stop()
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => other.once('listening', resolve))
    const port = String((other.address() as { port: number }).port)
    const refused = await serve('staging.toml', ['--port', port, '--data', data]).ended
    await new Promise(resolve => other.close(resolve))
    expect(failed(refused)).toEqual({ exitCode: 1, code: 'start/refused' })
    expect(refused.err).toContain(port)
    const again = serve('staging.toml', ['--port', port, '--data', data])
    expect(JSON.parse(await again.ready)).toEqual({ ready: true, dataUrl: `http://127.0.0.1:${port}` })
    await again.stop()
  })

  test('a second service on the port of the first is refused, and takes no request and no token from it', async () => {
    const first = serve('staging.toml', ['--data', files.path('one')])
    const { dataUrl } = JSON.parse(await first.ready) as { dataUrl: string }
    const second = serve('staging.toml', ['--data', files.path('two'), '--port', new URL(dataUrl).port])
    const said = JSON.parse(await second.ready) as unknown
    await Promise.all([first.stop(), second.stop()])
    expect(said).toMatchObject({ error: { code: 'start/refused' } })
  })

  test('a unix socket: only the owner and its group may connect; gone after the stop', async () => {
    const socket = files.path('s.sock')
    config('socket.toml', toml('staging').replace('port = 0', `socket = "${socket}"`))
    const service = serve('socket.toml')
    expect(JSON.parse(await service.ready)).toEqual({ ready: true, dataUrl: `unix:${socket}` })
    expect(statSync(socket).mode & 0o777).toBe(0o660)
    const answer = await fetch('http://localhost/livez', { unix: socket } as RequestInit)
    expect(await answer.json()).toEqual({ status: 'ok' })
    await service.stop()
    expect(existsSync(socket)).toBe(false)
  })

  test('--require-hardening: any step that did not work refuses the start and is named; without it the start goes on', async () => {
    const hardening = unsupportedHardening('no such calls on plan9')
    const strict = await serve('staging.toml', ['--require-hardening'], { hardening }).ended
    expect(failed(strict)).toEqual({ exitCode: 1, code: 'start/refused' })
    expect(strict.err).toContain('not-dumpable (no such calls on plan9)')
    const lax = serve('staging.toml', [], { hardening })
    await lax.ready
    expect((await lax.stop()).err).toContain('no such calls on plan9')
  })

  test('a configuration that is wrong is refused with everything that is wrong with it', async () => {
    config('bad.toml', 'environment = "prod"\nsurprise = 1\n[server]\nport = 70000\n')
    const { exitCode, json, err } = await serve('bad.toml').ended
    expect({ exitCode, code: json['error'].code }).toEqual({ exitCode: 1, code: 'config/invalid' })
    for (const path of ['environment', 'surprise', 'server.port']) expect(err).toContain(path)
    expect((await serve('none.toml').ended).err).toContain('cannot be read')
    config('bare.toml', 'environment = "development"\n')
    const bare = await serve('bare.toml').ended
    expect(failed(bare)).toEqual({ exitCode: 1, code: 'start/refused' })
    for (const path of ['data.directory', 'tokens', 'providers']) expect(bare.err).toContain(path)
  })
})

describe('what must not run is refused at the start, by serve and by config check', () => {
  const refusals: readonly (readonly [string, string, CliOptions, string])[] = [
    ['M-52: the mock in production', 'mock.toml', {}, 'development provider "mock"'],
    [
      'M-52: raw keys in production, with the way out',
      'raw.toml',
      { env: { RAW: 'S' } },
      'countersign migrate env NAME --provider aws-kms',
    ],
    ['M-52: the mock by the familiar variable', 'production.toml', { env: { HSM_PROVIDER: 'mock' } }, 'HSM_PROVIDER'],
    ['a seed in the environment', 'production.toml', { env: { STELLAR_SECRET: seed } }, 'STELLAR_SECRET'],
    ['a debugger', 'staging.toml', { env: { BUN_INSPECT: 'ws://127.0.0.1:1' } }, 'BUN_INSPECT'],
    ['a proxy', 'staging.toml', { env: { https_proxy: 'http://proxy.example' } }, 'https_proxy'],
    ['weakened TLS', 'staging.toml', { env: { NODE_TLS_REJECT_UNAUTHORIZED: '0' } }, 'NODE_TLS_REJECT_UNAUTHORIZED'],
    ['logged TLS keys', 'staging.toml', { env: { SSLKEYLOGFILE: '/tmp/x' } }, 'SSLKEYLOGFILE'],
    ['handed-in sockets', 'staging.toml', { env: { LISTEN_FDS: '1' } }, 'LISTEN_FDS'],
  ]
  beforeAll(() => {
    config('mock.toml', toml('production', 'kind = "mock"'))
    config('raw.toml', toml('production', 'kind = "raw-env"\n[providers.main.keys]\nmain = "env:RAW"'))
  })
  for (const [title, file, options, words] of refusals) {
    test(title, async () => {
      const started = await serve(file, [], options).ended
      expect(failed(started)).toEqual({ exitCode: 1, code: 'start/refused' })
      const checked = await check(file, options)
      expect(failed(checked)).toEqual({ exitCode: 1, code: 'config/invalid' })
      for (const { out, err } of [started, checked]) {
        expect(err).toContain(words)
        expect(out + err).not.toContain(seed)
        expect(out + err).not.toContain('proxy.example')
      }
    })
  }

  test('M-52: a data directory whose registry holds a development key does not start in production', async () => {
    const data = files.path('mixed')
    config('dev.toml', toml('development', 'kind = "mock"').replace(files.path('data'), data))
    const args = ['--provider', 'main', '--config', files.path('dev.toml'), '--json']
    const made = await run(['keys', 'create', 'treasury', ...args], { env: ENV })
    expect(Buffer.from(made.json['publicKey'], 'base64')).toEqual(Buffer.from(devPublicKey('treasury')))
    config('mixed.toml', toml('production').replace(files.path('data'), data))
    for (let round = 0; round < 2; round++) {
      const refused = await serve('mixed.toml').ended // the second time too: nothing holds the directory
      expect(failed(refused)).toEqual({ exitCode: 1, code: 'start/refused' })
      expect(refused.err).toContain('the key treasury is a published development key')
    }
  })

  test('M-52: nor one that `dev` has kept its demo keys in, whatever the provider is called', async () => {
    const data = files.path('was-dev')
    await (await startDev(['--data', data])).stop()
    config(
      'was-dev.toml',
      toml('production').replace(files.path('data'), data).replace('providers.main', 'providers.aws-kms'),
    )
    const refused = await serve('was-dev.toml').ended
    expect(failed(refused)).toEqual({ exitCode: 1, code: 'start/refused' })
    const address = 'GCFSYQITD7DHMDNCVXFWAYBQOMHCQATL4OJLPTM7WRL2AD4HOIQZNXU2'
    const seedFile = files.path('demo-seed')
    writeFileSync(seedFile, Keypair.fromRawEd25519Seed(demoSeed('demo-stellar')).secret())
    const args = ['--provider', 'main', '--config', files.path('production.toml'), '--json']
    const imported = await run(['keys', 'import', 'sneaky', '--seed-file', seedFile, '--address', address, ...args], {
      env: ENV,
    })
    expect(failed(imported)).toEqual({ exitCode: 1, code: 'start/refused' })
    expect(imported.err).toContain('published')
  })
})

describe('config', () => {
  test('check: a valid one exits 0, and prints its warnings to stderr', async () => {
    expect(await check('staging.toml')).toMatchObject({
      exitCode: 0,
      json: { environment: 'staging', warnings: [] },
      err: '',
    })
    const text = await run(['config', 'check', '--config', files.path('staging.toml')], { env: ENV })
    expect(text).toMatchObject({ exitCode: 0, out: 'the configuration is valid (staging)\n', err: '' })
    config('development.toml', toml('development'))
    const env = { ...ENV, STELLAR_SECRET: seed }
    const warned = await run(['config', 'check', '--config', files.path('development.toml')], { env })
    expect(warned).toMatchObject({ exitCode: 0, out: 'the configuration is valid (development)\n' })
    expect(warned.err).toContain('warning: STELLAR_SECRET: holds a Stellar secret seed')
    expect(warned.err).not.toContain(seed)
  })

  test('check reads what COUNTERSIGN_CONFIG names, and quotes no secret that stands where a reference belongs', async () => {
    const text = await run(['config', 'check'], { env: { ...ENV, COUNTERSIGN_CONFIG: files.path('staging.toml') } })
    expect(text.exitCode).toBe(0)
    config('secret.toml', toml('staging').replace('"env:TEST_SECRET"', `"${CANARY}"`))
    const refused = await check('secret.toml')
    expect(failed(refused)).toEqual({ exitCode: 1, code: 'config/invalid' })
    expect(refused.err).toContain('secretAccessKey')
    expect(refused.out + refused.err).not.toContain(CANARY)
  })

  test('schema is the JSON Schema of the file', async () => {
    const { exitCode, json, err } = await run(['config', 'schema'])
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' })
    expect(json).toMatchObject({ title: 'Countersign configuration', additionalProperties: false })
    expect(Object.keys(json['properties'])).toContain('providers')
  })
})

describe('local-kms', () => {
  const SEED = { version: 1, keys: [{ keyId: 'abc', spec: 'SYMMETRIC_DEFAULT', aliases: ['alias/mine'] }] }

  test('starts alone with a seed file, answers, stops; --json and text', async () => {
    const seedFile = config('seed.json', JSON.stringify(SEED))
    const server = start([
      'local-kms',
      '--json',
      '--port',
      '0',
      '--seed-file',
      seedFile,
      '--latency',
      'fixed:1',
      '--sigv4',
      'lenient',
    ])
    const ready = JSON.parse(await server.ready) as { aws: string }
    const url = expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/)
    const gcpGrpc = expect.stringMatching(/^127\.0\.0\.1:\d+$/)
    expect(ready).toEqual({ ready: true, aws: url, vault: url, vaultToken: 'root', gcpRest: url, gcpGrpc } as never)
    const inspected = (await (await fetch(`${ready.aws}/_local-kms/inspect`)).json()) as {
      keys: { aliases: string[] }[]
    }
    expect(inspected.keys[0]?.aliases).toEqual(['alias/mine'])
    expect(await server.stop()).toMatchObject({ exitCode: 0, err: '' })
    await expect(fetch(ready.aws)).rejects.toThrow()
  })

  test('text says how each vendor’s programs find it; --faces starts some of them', async () => {
    const text = start(['local-kms'])
    expect(await text.ready).toMatch(/^local-kms speaks AWS KMS at http/)
    const { out, exitCode } = await text.stop()
    expect(exitCode).toBe(0)
    expect(out).toMatch(/export AWS_ENDPOINT_URL_KMS=http:/)
    expect(out).toMatch(/export VAULT_ADDR=http:\S+ VAULT_TOKEN=root/)
    expect(out).toMatch(/apiEndpoint: '127\.0\.0\.1', port: \d+, sslCreds/)
    const some = start(['local-kms', '--json', '--faces', 'vault', '--vault-port', '0'])
    expect(Object.keys(JSON.parse(await some.ready))).toEqual(['ready', 'vault', 'vaultToken'])
    await some.stop()
    const wrong = await run(['local-kms', '--faces', 'aws,azure'])
    expect(wrong.exitCode).toBe(2)
    expect(wrong.err).toContain('aws, vault, gcp')
  })

  for (const flag of ['--port', '--vault-port', '--gcp-rest-port', '--gcp-grpc-port']) {
    test(`a port that is taken is refused, naming ${flag}; nothing stays open`, async () => {
      const port = new URL(kms.aws).port
      const taken = await run(['local-kms', '--json', flag, port])
      expect(failed(taken)).toEqual({ exitCode: 1, code: 'start/refused' })
      expect(taken.err).toContain(`port ${port} (${flag}): EADDRINUSE`)
    })
  }

  test('--persist keeps keys; a port that is taken is refused', async () => {
    const file = files.path('kms.json')
    const first = start([
      'local-kms',
      '--json',
      '--persist',
      file,
      '--seed-file',
      config('seed.json', JSON.stringify(SEED)),
    ])
    const { aws } = JSON.parse(await first.ready) as { aws: string }
    const port = new URL(aws).port
    const taken = await run(['local-kms', '--json', '--port', port])
    expect(failed(taken)).toEqual({ exitCode: 1, code: 'start/refused' })
    expect(taken.err).toContain(port)
    await first.stop()
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const second = start(['local-kms', '--json', '--persist', file])
    await second.ready
    await second.stop()
    expect(readFileSync(file, 'utf8')).toContain('alias/mine')
  })

  const bad: readonly (readonly [string, () => readonly string[], string])[] = [
    ['a seed file that is not there', () => ['--seed-file', files.path('none.json')], 'none.json'],
    ['one that is not JSON', () => ['--seed-file', config('x.json', '{')], 'x.json'],
    ['one with an unknown field', () => ['--seed-file', config('y.json', '{"version":1,"kees":[]}')], 'kees'],
    ['an unknown latency profile', () => ['--latency', 'warp'], 'aws-in-region'],
    ['a latency that is no number', () => ['--latency', 'fixed:fast'], 'fixed:'],
    ['a kept file that is not ours', () => ['--persist', config('z.json', 'hello')], '--persist'],
  ]
  for (const [title, argv, words] of bad) {
    test(`${title}: exit 2`, async () => {
      const ended = await run(['local-kms', '--json', ...argv()])
      expect(failed(ended)).toEqual({ exitCode: 2, code: 'request/malformed' })
      expect(ended.err).toContain(words)
    })
  }

  test('a file that cannot be written is refused', async () => {
    const ended = await run(['local-kms', '--json', '--persist', files.path('no', 'where.json')])
    expect(failed(ended)).toEqual({ exitCode: 1, code: 'start/refused' })
    expect(ended.err).toContain('ENOENT')
  })
})
