import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Keypair, Networks, TransactionBuilder } from '@stellar/stellar-sdk/base'
import { fromBase64, toBase64 } from '../../../src/bytes/base64.ts'
import { fromHex } from '../../../src/bytes/hex.ts'
import * as bun from '../../../src/runtime/bun.ts'
import { manualClock } from '../../support/audit-world.ts'
import { EXAMPLE_FILE, ROOT, run, scratch, start, startDev } from '../../support/cli.ts'

const files = scratch()
afterAll(files.remove)

const leftovers = () => readdirSync(tmpdir()).filter(name => name.startsWith('countersign-dev-'))
const before = new Set(leftovers())
const leftBehind = () => leftovers().filter(name => !before.has(name) && isOurs(name))
/** Other tests may run `dev` at the same time in processes of their own. */
const isOurs = (name: string) => (statSync(`${tmpdir()}/${name}`, { throwIfNoEntry: false })?.ctimeMs ?? 0) >= started
const started = Date.now()

/** One key for each provider and custody there is, by name. */
const DEMO = (
  [
    ['demo-evm', 'aws-kms', 'native'],
    ['demo-evm-decrypt', 'aws-kms', 'envelope'],
    ['demo-gcp', 'gcp-kms', 'native'],
    ['demo-gcp-decrypt', 'gcp-kms', 'envelope'],
    ['demo-mock', 'mock', 'native'],
    ['demo-mock-decrypt', 'mock', 'envelope'],
    ['demo-passphrase', 'passphrase', 'envelope'],
    ['demo-stellar', 'aws-kms', 'native'],
    ['demo-stellar-decrypt', 'aws-kms', 'envelope'],
    ['demo-vault', 'vault-transit', 'native'],
    ['demo-vault-decrypt', 'vault-transit', 'envelope'],
  ] as const
).map(([name, provider, custody]) => ({
  name,
  ...(name.includes('evm') ? { chain: 'evm', network: 'sepolia' } : { chain: 'stellar', network: 'testnet' }),
  provider,
  custody,
}))
const EXAMPLE = readFileSync(EXAMPLE_FILE, 'utf8').trim()
const HASH = '0e5c91c6f107039e90e2b5a4398ffce7c7209f91c31eb86452ea6e5a0af17aae'

const verifies = (address: string, hash: string, signature: string): boolean =>
  Keypair.fromPublicKey(address).verify(fromHex(hash) as Uint8Array, fromBase64(signature) as Uint8Array)

describe('dev --once signs the example natively and by decrypt', () => {
  test('as text: what it did goes to stdout, talk to stderr, exit 0, nothing left behind', async () => {
    const { exitCode, out, err, hardened } = await run(['dev', '--once'])
    expect({ exitCode, hardened }).toEqual({ exitCode: 0, hardened: 1 })
    expect(out).toContain('demo-stellar (aws-kms, native) signed in')
    expect(out).toContain('demo-stellar-decrypt (aws-kms, envelope) signed in')
    expect(out.match(/verified {3}yes, by stellar-sdk/g)).toHaveLength(7)
    expect(out.match(/verified {3}yes, by viem/g)).toHaveLength(2)
    expect(out).toContain(HASH)
    expect(err).toContain('starting local-kms …')
    expect(err).toMatch(/the signer listens at http:\/\/127\.0\.0\.1:\d+/)
    expect(leftBehind()).toEqual([])
  })

  test('as JSON: one object, whose signatures stellar-sdk verifies here too, and no talk', async () => {
    const { exitCode, json, out, err } = await run(['dev', '--once', '--json'])
    expect({ exitCode, err, lines: out.trimEnd().split('\n').length }).toEqual({ exitCode: 0, err: '', lines: 1 })
    expect(json['verified']).toBe(true)
    expect(json['results'].map((r: any) => [r.key, r.provider, r.custody])).toEqual([
      ['demo-stellar', 'aws-kms', 'native'],
      ['demo-stellar-decrypt', 'aws-kms', 'envelope'],
      ['demo-vault', 'vault-transit', 'native'],
      ['demo-vault-decrypt', 'vault-transit', 'envelope'],
      ['demo-gcp', 'gcp-kms', 'native'],
      ['demo-gcp-decrypt', 'gcp-kms', 'envelope'],
      ['demo-passphrase', 'passphrase', 'envelope'],
      ['demo-evm', 'aws-kms', 'native'],
      ['demo-evm-decrypt', 'aws-kms', 'envelope'],
    ])
    for (const { address, hash, signature, verified, by, auditId, milliseconds } of json['results']) {
      expect(verified && (by === 'viem' || verifies(address, hash, signature))).toBe(true)
      expect(by === 'viem' || hash === HASH).toBe(true)
      expect(auditId).toMatch(/^a_[0-9a-f]{32}$/)
      expect(milliseconds).toBeGreaterThan(0)
    }
  })

  test('a signature that does not verify ends with exit 1 and says NO, as text and as JSON', async () => {
    const services: NonNullable<Parameters<typeof run>[1]>['services'] = real => ({
      ...real,
      dev: async options => {
        const dev = await real.dev(options)
        return { ...dev, demo: async () => (await dev.demo()).map((r, i) => ({ ...r, verified: i === 0 })) }
      },
    })
    const plain = await run(['dev', '--once'], { services })
    expect(plain.exitCode).toBe(1)
    expect(plain.out).toContain('verified   NO')
    expect(plain.out).toContain('does NOT verify')
    const { exitCode, json } = await run(['dev', '--once', '--json'], { services })
    expect({ exitCode, verified: json['verified'] }).toEqual({ exitCode: 1, verified: false })
  })

  test('--xdr: a file that is missing exits 2, an envelope that is none exits 1, what policy denies exits 3', async () => {
    const missing = await run(['dev', '--once', '--json', '--xdr', files.path('none.xdr')])
    expect({ exitCode: missing.exitCode, field: missing.json['error'].field }).toEqual({ exitCode: 2, field: '--xdr' })
    writeFileSync(files.path('bad.xdr'), 'AAAA not xdr\n')
    const bad = await run(['dev', '--once', '--json', '--xdr', files.path('bad.xdr')])
    expect({ exitCode: bad.exitCode, code: bad.json['error'].code }).toEqual({ exitCode: 1, code: 'payload/invalid' })
    const bytes = fromBase64(EXAMPLE) as Uint8Array
    bytes.set([0x7f, 0xff, 0xff, 0xff], 40) // a fee of more than 200 XLM
    const costly = toBase64(bytes)
    expect(TransactionBuilder.fromXdr(costly, Networks.TESTNET)).toMatchObject({ fee: '2147483647' })
    writeFileSync(files.path('costly.xdr'), costly)
    const denied = await run(['dev', '--once', '--xdr', files.path('costly.xdr')])
    expect(denied.exitCode).toBe(3)
    expect(denied.err).toContain('policy/denied')
    expect(denied.err).toMatch(/rule: \S+/)
    expect(leftBehind()).toEqual([])
  })
})

describe('dev stays up', () => {
  test('--json: the ready line has exactly the members it promises, and every key signs', async () => {
    const dev = await startDev()
    const { ready, token } = { ready: dev.ready, token: dev.ready.token }
    expect(Object.keys(ready)).toEqual(['ready', 'dataUrl', 'localKms', 'token', 'keys'])
    expect(Object.keys(ready.localKms)).toEqual(['aws', 'vault', 'vaultToken', 'gcpRest', 'gcpGrpc'])
    expect(ready.dataUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    for (const url of [ready.localKms.aws, ready.localKms.vault, ready.localKms.gcpRest])
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(ready.localKms.gcpGrpc).toMatch(/^127\.0\.0\.1:\d+$/)
    expect(ready.keys.map(({ address: _, ...rest }) => rest)).toEqual(DEMO)
    const { payload } = decodeToken(token)
    expect(payload.exp - payload.iat).toBe(900)
    for (const { name, address, custody, provider } of ready.keys.filter(({ chain }) => chain === 'stellar')) {
      const signed = await run(['sign', '--key', name, '--json', EXAMPLE], { env: dev.client })
      expect(signed.exitCode).toBe(0)
      expect(signed.json).toMatchObject({ address, custody, provider, hash: HASH, keyVersion: 1 })
      expect(verifies(address, HASH, signed.json['signature'])).toBe(true)
    }
    const { exitCode, out, err } = await dev.stop()
    expect({ exitCode, err, lines: out.trimEnd().split('\n').length }).toEqual({ exitCode: 0, err: '', lines: 1 })
    expect(leftBehind()).toEqual([])
    await expect(fetch(`${ready.dataUrl}/livez`)).rejects.toThrow()
  })

  test('as text: an aligned table, and lines that work when they are pasted into a shell', async () => {
    const dev = start(['dev'])
    const text = await dev.ready
    expect(text).toContain('NOT FOR PRODUCTION')
    const rows = text.split('\n').filter(line => /^ {2}(key|demo-)/.test(line))
    expect(rows).toHaveLength(DEMO.length + 1)
    for (const column of ['network', 'provider', 'custody', 'address']) {
      const at = rows[0]?.indexOf(column) ?? -1
      for (const row of rows) expect(row.slice(at - 2, at + 1)).toMatch(/^ {2}\S$/)
    }
    const lines = text.split('\n')
    const from = lines.findIndex(line => line.includes('export COUNTERSIGN_URL'))
    const to = lines.findIndex(line => line.startsWith('The token lives'))
    const shell = lines.slice(from, to).filter(line => line !== 'or with curl:')
    const pasted = Bun.spawn(['/bin/sh', '-e', '-c', shell.join('\n')], { stdout: 'pipe', stderr: 'pipe', cwd: '/' })
    const printed = (await new Response(pasted.stdout).text()).trim().split('\n')
    expect([await pasted.exited, await new Response(pasted.stderr).text()]).toEqual([0, ''])
    const byCli = TransactionBuilder.fromXdr(printed[0] ?? '', Networks.TESTNET)
    expect(byCli.signatures).toHaveLength(1)
    expect(JSON.parse(printed[1] ?? '')).toMatchObject({ signedXdr: printed[0], hash: HASH })
    expect((await dev.stop()).exitCode).toBe(0)
  })

  test('without --data it leaves nothing behind after a start that fails, and says why', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => other.once('listening', resolve))
    const { port } = other.address() as { port: number }
    const { exitCode, json, err } = await run(['dev', '--json', '--port', String(port)])
    other.close()
    expect({ exitCode, code: json['error'].code }).toEqual({ exitCode: 1, code: 'start/refused' })
    expect(err).toContain(`127.0.0.1:${port}`)
    const latency = await run(['dev', '--json', '--latency', 'warp'])
    expect({ exitCode: latency.exitCode, code: latency.json['error'].code }).toEqual({
      exitCode: 2,
      code: 'request/malformed',
    })
    expect(latency.err).toContain('aws-in-region')
    expect(leftBehind()).toEqual([])
  })

  test('a stop that comes during the start is obeyed as soon as the start is over', async () => {
    const dev = start(['dev', '--json'])
    const ended = dev.stop()
    expect(await ended).toMatchObject({ exitCode: 0, out: '' })
    const once = start(['dev', '--once', '--json'])
    expect(await once.stop()).toMatchObject({ exitCode: 0, out: '' })
    expect(leftBehind()).toEqual([])
  })

  test('as a process: one Ctrl-C ends it, exit 0; two at once end it at once; neither leaves anything behind', async () => {
    for (const signals of [1, 2]) {
      const TMPDIR = mkdtempSync(files.path('tmp-'))
      const command = [process.execPath, join(ROOT, 'src/main.ts'), 'dev', '--json']
      const child = Bun.spawn(command, { env: { TMPDIR }, stdout: 'pipe', stderr: 'ignore' })
      const { value } = await child.stdout.getReader().read()
      expect(JSON.parse(new TextDecoder().decode(value))).toMatchObject({ ready: true })
      expect(readdirSync(TMPDIR)).toHaveLength(1)
      for (let n = 0; n < signals; n++) child.kill('SIGINT')
      const exitCode = await child.exited
      expect(signals === 1 ? [0] : [0, 130]).toContain(exitCode) // two may arrive as one
      expect(readdirSync(TMPDIR)).toEqual([])
    }
  })

  test('an unsafe environment is warned of, also with --json, and does not stop dev', async () => {
    const env = { HTTPS_PROXY: 'http://proxy.example:1', NODE_TLS_REJECT_UNAUTHORIZED: '0' }
    const dev = await startDev([], { env })
    const { err, exitCode } = await dev.stop()
    expect(exitCode).toBe(0)
    for (const variable of Object.keys(env)) expect(err).toContain(`warning: ${variable}`)
    expect(err).not.toContain('proxy.example')
  })

  test('a fresh token goes to stderr before the last one ends, and signs when the first no longer does', async () => {
    const clock = manualClock(Date.UTC(2026, 10, 22, 12))
    const world = { ...bun.world(), clock: { ...clock, sleep: sleepUnlessLong(clock) } }
    const dev = await startDev([], { world })
    expect(dev.text.err).toBe('')
    clock.advance(14 * 60 * 1000)
    while (!dev.text.err.includes('COUNTERSIGN_TOKEN=')) await new Promise(resolve => setImmediate(resolve))
    const fresh = /^export COUNTERSIGN_TOKEN=(\S+)\n$/.exec(dev.text.err)?.[1] ?? ''
    expect(decodeToken(fresh).payload.iat - decodeToken(dev.ready.token).payload.iat).toBe(14 * 60)
    clock.advance(2 * 60 * 1000)
    const old = await run(['sign', '--key', 'demo-mock', '--json', EXAMPLE], { env: dev.client })
    expect({ exitCode: old.exitCode, code: old.json['error'].code }).toEqual({ exitCode: 1, code: 'token/invalid' })
    const env = { ...dev.client, COUNTERSIGN_TOKEN: fresh }
    expect((await run(['sign', '--key', 'demo-mock', EXAMPLE], { env })).exitCode).toBe(0)
    expect((await dev.stop()).out.trimEnd().split('\n')).toHaveLength(1)
  })
})

describe('dev --data keeps its state', () => {
  const data = files.path('kept')
  let first: Awaited<ReturnType<typeof startDev>>['ready']
  const request = { key: 'demo-stellar', body: ['sign', '--json', '--idempotency-key', 'order-1', EXAMPLE] }
  let answer: Record<string, unknown>

  beforeAll(async () => {
    const dev = await startDev(['--data', data])
    first = dev.ready
    const signed = await run([...request.body, '--key', request.key], { env: dev.client })
    answer = signed.json
    const second = await run(['dev', '--json', '--data', data])
    expect({ exitCode: second.exitCode, code: second.json['error'].code }).toEqual({
      exitCode: 1,
      code: 'start/refused',
    })
    expect(second.err).toContain('another process signs from')
    await dev.stop()
  })

  test('a second start goes on with the same keys and addresses, and remembers what it answered', async () => {
    const dev = await startDev(['--data', data])
    expect(dev.ready.keys).toEqual(first.keys)
    expect(dev.ready.token).not.toBe(first.token)
    const again = await run([...request.body, '--key', request.key], { env: dev.client })
    expect(again.json).toEqual(answer)
    const other = await run([...request.body, '--key', 'demo-mock'], { env: dev.client })
    expect({ exitCode: other.exitCode, code: other.json['error'].code }).toEqual({
      exitCode: 1,
      code: 'idempotency/mismatch',
    })
    await dev.stop()
    expect((await run(['audit', 'verify', '--data', data])).exitCode).toBe(0)
  })

  test('the directory is its owner’s alone, and one that is open to others is refused with the command that mends it', async () => {
    expect(statSync(data).mode & 0o777).toBe(0o700)
    for (const name of readdirSync(data, { recursive: true, withFileTypes: true }))
      expect(statSync(`${name.parentPath}/${name.name}`).mode & 0o077).toBe(0)
    Bun.spawnSync(['chmod', '755', data])
    const open = await run(['dev', '--json', '--data', data])
    Bun.spawnSync(['chmod', '700', data])
    expect({ exitCode: open.exitCode, code: open.json['error'].code }).toEqual({ exitCode: 1, code: 'start/refused' })
    expect(open.err).toContain(`chmod 700 ${data}`)
  })
})

/** Retries of custody sleep for milliseconds; only hours and minutes are told by hand. */
const sleepUnlessLong = (clock: ReturnType<typeof manualClock>) => (ms: number, signal?: AbortSignal) =>
  ms < 60_000 ? bun.world().clock.sleep(ms, signal) : clock.sleep(ms, signal)

function decodeToken(token: string): { payload: { exp: number; iat: number } } {
  const part = token.split('.')[1] ?? ''
  return { payload: JSON.parse(atob(part.replaceAll('-', '+').replaceAll('_', '/'))) as { exp: number; iat: number } }
}
