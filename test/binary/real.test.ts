/**
 * M-12: the binary as a user has it, alone in an empty directory. M-51, R-01: what a second start finds after a kill -9.
 * what `serve` refuses to start with.
 */
import { afterAll, describe, expect, test } from 'bun:test'
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Keypair, TransactionBuilder } from '@stellar/stellar-sdk/base'
import { UNSAFE_VARIABLES } from '../../src/config/start-guard.ts'
import { buildInto, REAL_ENTRY, ROOT, start, type Started, temporary } from './support.ts'

const home = temporary('alone')
afterAll(() => home.remove())
const made = temporary('made')
copyFileSync(buildInto(made.path, REAL_ENTRY).path, join(home.path, 'countersign'))
made.remove()
const binary = join(home.path, 'countersign')

const TESTNET = 'Test SDF Network ; September 2015'
const XDR = readFileSync(join(ROOT, 'examples/payment.xdr'), 'utf8').trim()

interface Ready {
  readonly dataUrl: string
  readonly token: string
  readonly keys: readonly { readonly name: string; readonly address: string }[]
}

async function dev(cwd: string, ...args: string[]): Promise<Started & { ready: Ready }> {
  const child = start([binary, 'dev', '--json', '--port', '0', ...args], { cwd, limitMs: 60_000 })
  return { ...child, ready: (await child.line(value => value['ready'] === true)) as unknown as Ready }
}

const ask = (ready: Ready, key: string, idempotencyKey: string): Promise<Response> =>
  fetch(`${ready.dataUrl}/v1/keys/${key}/sign`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${ready.token}`,
      'content-type': 'application/json',
      'idempotency-key': idempotencyKey,
    },
    body: JSON.stringify({ type: 'stellar-transaction', xdr: XDR }),
  })

interface Answer {
  readonly signature: string
  readonly address: string
  readonly signedXdr: string
  readonly auditId: string
}

/** The second opinion: stellar-sdk reads the envelope and checks the signature under the address. */
function verifies({ signature, address, signedXdr }: Answer): boolean {
  const transaction = TransactionBuilder.fromXdr(signedXdr, TESTNET)
  return Keypair.fromPublicKey(address).verify(transaction.hash(), Buffer.from(signature, 'base64'))
}

async function signed(ready: Ready, key: string, idempotencyKey: string): Promise<Answer> {
  const response = await ask(ready, key, idempotencyKey)
  const body = (await response.json()) as Answer
  expect([response.status, body]).toEqual([200, body])
  return body
}

async function run(args: readonly string[], env: Record<string, string> = {}) {
  return start([binary, ...args], { cwd: home.path, env }).ended
}

describe('M-12 alone in an empty directory', () => {
  test('dev signs natively and by decrypt, stellar-sdk verifies both, and nothing is left behind', async () => {
    const place = temporary('cwd')
    const child = await dev(place.path)
    for (const key of ['demo-stellar', 'demo-stellar-decrypt']) {
      const answer = await signed(child.ready, key, `k-${key}`)
      expect([key, verifies(answer)]).toEqual([key, true])
      expect(child.ready.keys.find(each => each.name === key)?.address).toBe(answer.address)
    }
    child.kill('SIGTERM')
    const { code } = await child.ended
    expect(code).toBe(0)
    expect(readdirSync(place.path)).toEqual([])
    place.remove()
  })

  test.skipIf(process.platform !== 'linux')('D25 it hardens itself', async () => {
    const child = await dev(home.path)
    expect(readFileSync(`/proc/${child.pid}/status`, 'utf8')).toContain('NoNewPrivs:\t1')
    expect(readFileSync(`/proc/${child.pid}/limits`, 'utf8')).toMatch(/Max core file size +0 +0/)
    expect(statSync(`/proc/${child.pid}/mem`).uid).toBe(0)
    child.kill('SIGUSR1')
    expect((await fetch(`${child.ready.dataUrl}/livez`)).status).toBe(200)
    child.kill('SIGTERM')
    expect((await child.ended).code).toBe(0)
  })
})

describe('M-47 M-51 with --data, after kill -9', () => {
  test('the second start goes on, the log verifies, the same request gets the same answer, an edit is named', async () => {
    const data = join(home.path, 'data')
    const first = await dev(home.path, '--data', data)
    const before = await signed(first.ready, 'demo-stellar', 'kept')
    first.kill('SIGKILL')
    await first.ended

    const second = await dev(home.path, '--data', data)
    const again = await ask(second.ready, 'demo-stellar', 'kept')
    expect([again.status, ((await again.json()) as Answer).signature]).toEqual([200, before.signature])
    const after = await signed(second.ready, 'demo-stellar-decrypt', 'new')
    second.kill('SIGKILL')
    await second.ended

    const verified = await run(['audit', 'verify', '--data', data, '--json'])
    expect([verified.code, verified.code === 0 ? '' : verified.stdout + verified.stderr]).toEqual([0, ''])

    const tail = await run(['audit', 'tail', '--data', data, '--json'])
    const records = tail.stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>)
    for (const { auditId } of [before, after]) {
      const kinds = records.filter(record => record['auditId'] === auditId).map(record => record['kind'])
      expect(kinds.slice(0, 2)).toEqual(['intent', 'outcome'])
    }

    const segment = findSegment(data)
    const bytes = readFileSync(segment)
    for (const at of [0, 100, bytes.length >> 1, bytes.length - 2]) {
      const broken = Buffer.from(bytes)
      broken[at] = (broken[at] ?? 0) ^ 1
      writeFileSync(segment, broken)
      const refused = await run(['audit', 'verify', '--data', data, '--json'])
      expect([at, refused.code === 0]).toEqual([at, false])
      expect(`${refused.stdout}${refused.stderr}`).toMatch(/record/)
    }
  }, 120_000)
})

/** The segment with the most in it. */
function findSegment(data: string): string {
  const files = readdirSync(data, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.log'))
    .map(entry => join(entry.parentPath, entry.name))
  const largest = files.toSorted((a, b) => statSync(b).size - statSync(a).size)[0]
  if (largest === undefined) throw new Error(`No segment below ${data}`)
  return largest
}

describe('R-28 what serve refuses to start with', () => {
  const place = join(home.path, 'serve')
  mkdirSync(place)
  chmodSync(place, 0o700)
  writeFileSync(
    join(place, 'jwks.json'),
    JSON.stringify({
      keys: [{ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', kid: 'k1', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }],
    }),
  )
  writeFileSync(
    join(place, 'countersign.toml'),
    `environment = "production"
[server]
port = 0
[data]
directory = "${join(place, 'data')}"
[tokens]
issuer = "https://issuer.example"
audience = "countersign"
jwks = "${join(place, 'jwks.json')}"
[providers.aws]
kind = "aws-kms"
region = "us-east-1"
`,
  )
  const serve = (env: Record<string, string>) =>
    start([binary, 'serve', '--config', join(place, 'countersign.toml'), '--json'], { cwd: place, env })

  test('a clean environment starts, so that a refusal below means something', async () => {
    const child = serve({ PATH: '/usr/bin:/bin', HOME: place })
    await child.line(value => value['ready'] === true)
    child.kill('SIGTERM')
    expect((await child.ended).code).toBe(0)
  })

  /** Variables that end the process, or replace it, before our first line: see surroundings.test.ts. */
  const EARLY = ['BUN_BE_BUN', 'LD_PRELOAD', 'LD_AUDIT', 'BUN_OPTIONS']
  const VALUES: Readonly<Record<string, string>> = {
    BUN_INSPECT: '127.0.0.1:0',
    NODE_OPTIONS: '--no-warnings',
    BUN_CONFIG_VERBOSE_FETCH: 'curl',
    SSLKEYLOGFILE: '/dev/null',
    NODE_TLS_REJECT_UNAUTHORIZED: '0',
    NODE_EXTRA_CA_CERTS: '/dev/null',
    HTTP_PROXY: 'http://127.0.0.1:1',
    https_proxy: 'http://127.0.0.1:1',
    ALL_PROXY: 'socks5://127.0.0.1:1',
    LISTEN_FDS: '1',
  }
  test.each(Object.entries(VALUES))('%s', async (name, value) => {
    const { code, stdout, stderr } = await serve({ PATH: '/usr/bin:/bin', HOME: place, [name]: value }).ended
    expect(code).not.toBe(0)
    expect(`${stdout}${stderr}`).toContain(name)
    expect(stdout).not.toContain('"ready":true')
  })

  test('BUN_OPTIONS is noticed too when what it loads lets us live', async () => {
    const { code, stderr } = await serve({ PATH: '/usr/bin:/bin', HOME: place, BUN_OPTIONS: '--smol' }).ended
    expect(code).not.toBe(0)
    expect(stderr).toContain('BUN_OPTIONS')
  })

  test('every rule of the guard is asked here or can only act before it', () => {
    const asked = [...Object.keys(VALUES), ...EARLY]
    expect(UNSAFE_VARIABLES.filter(rule => !asked.some(name => rule.names(name))).map(rule => rule.problem)).toEqual([])
  })

  test('M-07 the mock and raw secrets are refused in production by every way in', async () => {
    const toml = readFileSync(join(place, 'countersign.toml'), 'utf8')
    const ways: [string, string, Record<string, string>][] = [
      ['providers.dev', `${toml}\n[providers.dev]\nkind = "mock"\n`, {}],
      ['HSM_PROVIDER', toml, { HSM_PROVIDER: 'mock' }],
      ['STELLAR_SECRET', toml, { STELLAR_SECRET: Keypair.random().secret() }],
    ]
    for (const [name, content, env] of ways) {
      const file = join(place, 'other.toml')
      writeFileSync(file, content)
      const { code, stdout, stderr } = await start([binary, 'serve', '--config', file], { cwd: place, env }).ended
      expect([name, code === 0]).toEqual([name, false])
      expect(`${stdout}${stderr}`).toContain(name)
      for (const secret of Object.values(env).filter(each => each.length > 50)) expect(stderr).not.toContain(secret)
    }
  })
})
