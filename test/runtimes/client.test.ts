/** The package as it is published, packed, unpacked and used on every runtime and in a browser, against a data plane. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Keypair, Networks, TransactionBuilder } from '@stellar/stellar-sdk/base'
import { Miniflare } from 'miniflare'
import { recoverMessageAddress, recoverTransactionAddress } from 'viem'
import { buildClient } from '../../scripts/build-client.ts'
import { demoEvmPolicy } from '../../src/policy/index.ts'
import { boundDoor } from '../support/client-world.ts'
import { EXAMPLE, NOW, openRig, type Rig } from '../support/rig.ts'
import type { Done, Task } from './client/consumer.ts'
import { denoBinary } from './run.ts'

const ROOT = join(import.meta.dir, '../..')
const MESSAGE = 'Countersign demo on every runtime'
const FILES = ['consumer.ts', 'machine.ts', 'ethers.ts', 'worker.ts', 'browser.ts']

const folder = mkdtempSync(join(tmpdir(), 'countersign-client-'))
const installed = join(folder, 'node_modules/countersign')
const children: ChildProcess[] = []
let reported = Promise.withResolvers<string>()
let rig: Rig
let task: Task

const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: request => answer(request) })

async function answer(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url)
  if (pathname.startsWith('/v1/')) return busyAtFirst(request) ?? rig.http(pathname, request)
  if (pathname.startsWith('/token/')) return new Response(await tokenFor(pathname.slice('/token/'.length)))
  if (pathname === '/task') return Response.json(task)
  if (pathname === '/report') {
    reported.resolve(await request.text())
    return new Response()
  }
  if (pathname === '/') return new Response(PAGE, { headers: { 'content-type': 'text/html' } })
  const script = scriptOf(pathname)
  if (script === undefined) return new Response(null, { status: 404 })
  return new Response(script, { headers: { 'content-type': 'text/javascript' } })
}

const seen = new Set<string>()

/** Every signature takes two tries: timers, proofs and the Idempotency-Key work on every runtime. */
function busyAtFirst({ headers }: Request): Response | undefined {
  const key = headers.get('idempotency-key')
  if (key === null || seen.has(key)) return undefined
  seen.add(key)
  const problem = { code: 'service/overloaded', title: 'Busy', status: 503, retryable: true, requestId: 'r_1' }
  return Response.json({ ...problem, retryAfterMs: 0 }, { status: 503 })
}

const PAGE = `<!doctype html><script type="importmap">{"imports":{"countersign/client":"/client/index.js"}}</script>
<script type="module" src="/browser.ts"></script>`

/** The files of the package as they are, those of the page without types. */
function scriptOf(path: string): string | undefined {
  const name = path.split('/').at(-1) ?? ''
  if (path.startsWith('/client/')) return readFileSync(join(installed, name), 'utf8')
  if (!FILES.includes(name)) return undefined
  return new Bun.Transpiler({ loader: 'ts' }).transformSync(readFileSync(join(folder, name), 'utf8'))
}

const tokenFor = (jkt: string): Promise<string> =>
  rig.issuer.issue({ subject: 'runtime', scopes: ['sign:*', 'read:*'], confirmation: { jkt } })

beforeAll(async () => {
  const built = join(folder, 'built')
  buildClient(built)
  const packed = spawnSync(process.execPath, ['pm', 'pack', '--destination', folder, '--quiet'], {
    cwd: built,
    encoding: 'utf8',
  })
  expect([packed.status, packed.stderr]).toEqual([0, ''])
  const packages = readdirSync(folder)
  mkdirSync(installed, { recursive: true })
  const unpacked = spawnSync('tar', [
    '-xzf',
    join(folder, packages.find(name => name.endsWith('.tgz')) ?? ''),
    '-C',
    installed,
    '--strip-components=1',
  ])
  expect(unpacked.status).toBe(0)
  for (const name of FILES) copyFileSync(join(ROOT, 'test/runtimes/client', name), join(folder, name))
  writeFileSync(join(folder, 'package.json'), '{"type":"module","dependencies":{"countersign":"0.1.0"}}')

  const url = `http://127.0.0.1:${server.port}`
  task = { url, xdr: EXAMPLE, message: MESSAGE, to: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8' }
  const policy = JSON.parse(demoEvmPolicy().text) as never
  rig = await openRig({
    log: 'memory',
    keys: [{ name: 'deployer', chain: 'evm', policy }],
    door: await boundDoor([url]),
  })
  rig.clock.advance(Date.now() - NOW)
}, 60_000)

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await server.stop(true)
  rmSync(folder, { recursive: true, force: true })
})

async function expectDone(done: Done): Promise<void> {
  const address = rig.key.version.address
  const evmAddress = rig.keys.get('deployer')?.version.address as `0x${string}`
  const signed = TransactionBuilder.fromXDR(done.signedTxXdr, Networks.TESTNET)
  const pair = Keypair.fromPublicKey(address)
  expect(signed.signatures.map(each => pair.verify(signed.hash(), each.signature))).toEqual([true])
  expect(pair.verifyMessage(MESSAGE, Buffer.from(done.signedMessage, 'base64'))).toBe(true)
  expect(await recoverMessageAddress({ message: MESSAGE, signature: done.evmSignature as never })).toBe(evmAddress)
  expect(await recoverTransactionAddress({ serializedTransaction: done.evmTransaction as never })).toBe(evmAddress)
  expect(done.refused).toBe('policy/denied')
}

describe('M-14 countersign/client, packed', () => {
  test('the package holds code and declarations, has no dependency, and weighs little', () => {
    const files = readdirSync(installed)
    expect(files.filter(name => !/\.(js|d\.ts)$/.test(name)).toSorted()).toEqual([
      'LICENSE',
      'README.md',
      'package.json',
    ])
    expect(files).toEqual(expect.arrayContaining(['index.js', 'index.d.ts', 'ethers.js', 'ethers.d.ts']))
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Record<string, object>
    expect([manifest['dependencies'], manifest['scripts']]).toEqual([undefined, undefined])
    expect(Object.keys(manifest['exports'] ?? {})).toEqual(['./client', './ethers', './package.json'])
    const code = files.filter(name => name.endsWith('.js'))
    const outside = code.flatMap(name =>
      [...readFileSync(join(installed, name), 'utf8').matchAll(/from ['"]([^.'"][^'"]*)['"]/g)].map(([, from]) => [
        name,
        from,
      ]),
    )
    expect(outside).toEqual([['ethers.js', 'ethers']])
  })

  test('it bundles to less than 10 KB gzip, for those who only sign', async () => {
    const { outputs } = await Bun.build({ entrypoints: [join(installed, 'index.js')], target: 'browser', minify: true })
    const bytes = Bun.gzipSync((await outputs[0]?.text()) ?? '', { level: 9 }).length
    console.log(`# client: ${(bytes / 1024).toFixed(1)} KB gzip`)
    expect(bytes).toBeLessThan(10 * 1024)
  })

  test('its declarations stand alone, checked to the last, with nothing but the web around them', () => {
    const program = `import { createCountersign } from 'countersign/client'
      const countersign = createCountersign({ url: 'https://sign.example', token: () => 'abc' })
      const address: string = (await countersign.stellar('treasury')).address
      const account: \`0x\${string}\` = (await countersign.evm('deployer')).address
      export { address, account }`
    writeFileSync(join(folder, 'user.ts'), program)
    const compilerOptions = { strict: true, noEmit: true, skipLibCheck: false, target: 'es2022', module: 'nodenext' }
    const libraries = { lib: ['es2022', 'dom'], types: [], exactOptionalPropertyTypes: true }
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...compilerOptions, ...libraries }, files: ['user.ts'] }),
    )
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
    const ran = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })
    expect([ran.status, ran.stdout]).toEqual([0, ''])
  }, 60_000)

  const deno = [
    'run',
    '--no-check',
    '--no-remote',
    '--no-prompt',
    '--node-modules-dir=manual',
    '--allow-read',
    '--allow-env',
  ]
  const machines: Readonly<Record<string, readonly string[]>> = {
    Bun: [process.execPath],
    'Node 22': [join(ROOT, 'node_modules/.bin/node'), '--disable-warning=ExperimentalWarning'],
    Deno: [denoBinary(), ...deno, '--allow-net=127.0.0.1'],
  }
  const runOn = async (runtime: string, file: string): Promise<string> => {
    const [program = '', ...args] = machines[runtime] ?? []
    const child = spawn(program, [...args, join(folder, file), JSON.stringify(task)], { cwd: folder })
    children.push(child)
    let [out, err] = ['', '']
    child.stdout.on('data', part => (out += String(part)))
    child.stderr.on('data', part => (err += String(part)))
    const code = await new Promise(resolve => void child.once('close', resolve))
    expect([code, err]).toEqual([0, ''])
    return out
  }
  for (const name of Object.keys(machines)) {
    test(`on ${name}, with DPoP`, async () => {
      await expectDone(JSON.parse(await runOn(name, 'machine.ts')) as Done)
    }, 30_000)
  }

  test('countersign/ethers on Node, with the ethers of the program', async () => {
    symlinkSync(join(ROOT, 'node_modules/ethers'), join(folder, 'node_modules/ethers'))
    const signature = (await runOn('Node 22', 'ethers.ts')).trim() as `0x${string}`
    const address = rig.keys.get('deployer')?.version.address ?? ''
    expect(await recoverMessageAddress({ message: MESSAGE, signature })).toBe(address as `0x${string}`)
  }, 30_000)

  test('on workerd, with DPoP and without flags', async () => {
    const entry = join(folder, 'worker.ts')
    const { outputs } = await Bun.build({
      entrypoints: [entry],
      target: 'browser',
      conditions: ['workerd'],
      format: 'esm',
    })
    const contents = (await outputs[0]?.text()) ?? ''
    const modules = [{ type: 'ESModule' as const, path: 'worker.js', contents }]
    const worker = new Miniflare({ modules, compatibilityDate: '2026-06-01' })
    try {
      const response = await worker.dispatchFetch('http://edge/', { method: 'POST', body: JSON.stringify(task) })
      const text = await response.text()
      expect([response.status, response.status === 200 ? '' : text]).toEqual([200, ''])
      await expectDone(JSON.parse(text) as Done)
    } finally {
      await worker.dispose()
    }
  }, 30_000)

  const chromium = ['chromium', 'chromium-browser', 'google-chrome']
    .map(name => Bun.which(name))
    .find(path => path !== null)
  test.skipIf(chromium === undefined)(
    'in Chromium, unbundled, with DPoP (skipped where no Chromium is installed)',
    async () => {
      reported = Promise.withResolvers<string>()
      const profile = `--user-data-dir=${join(folder, 'profile')}`
      const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', profile]
      const child = spawn(chromium!, [...flags, '--remote-debugging-port=0', `${task.url}/`], { stdio: 'ignore' })
      children.push(child)
      const text = await reported.promise
      const ended = new Promise(resolve => void child.once('close', resolve))
      child.kill()
      await ended
      expect(text).toStartWith('{')
      await expectDone(JSON.parse(text) as Done)
    },
    60_000,
  )
})
