import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSignerError } from '../../../src/domain/errors.ts'
import { build } from '../../../src/runtime/build.ts'
import { RUNTIMES, type Runtime } from '../../../src/runtime/contract.ts'
import { detect, openRuntime } from '../../../src/runtime/index.ts'
import { readAll } from '../../../src/runtime/process.ts'
import * as workerd from '../../../src/runtime/workerd.ts'

test('runtime detection: Bun and Deno are asked before Node, which both claim to be', () => {
  assert.equal(detect({ bun: '1', node: '26' }, 'Bun/1'), 'bun')
  assert.equal(detect({ deno: '2', node: '26' }, 'Deno/2'), 'deno')
  assert.equal(detect({ node: '22' }, 'Node.js/22'), 'node')
  assert.equal(detect({ node: '22' }, 'Cloudflare-Workers'), 'workerd')
  assert.equal(detect({}, ''), 'node')
})

test('runtime files: the same exports on every runtime, and the right one opens here', async () => {
  const node = await openRuntime('node')
  const names = Object.keys(node).toSorted()
  for (const other of RUNTIMES.filter(name => name !== 'bun')) {
    const opened = await openRuntime(other)
    assert.equal(opened.runtime, other)
    const own = Object.keys(opened).filter(name => name !== 'worker')
    assert.deepEqual(own.toSorted(), names, other)
    assert.equal(typeof opened.version(), 'string')
  }
  const here = await openRuntime()
  assert.equal(here.runtime, detect())
  assert.deepEqual(Object.keys(here).toSorted(), names)
})

test('environment: a snapshot that does not follow later changes', async () => {
  const runtime = await openRuntime()
  const environment = runtime.environment()
  assert.ok('PATH' in environment)
  environment['PATH'] = 'changed'
  assert.notEqual(runtime.environment()['PATH'], 'changed')
})

test('self executable: what to spawn to start this program again', async () => {
  const self = (await openRuntime()).selfExecutable()
  assert.equal(self?.compiled, false)
  assert.equal(self?.command[0], self?.path)
  assert.ok((self?.command.length ?? 0) > 1)
  assert.equal((await openRuntime('deno')).selfExecutable()?.command[1], 'run')
  assert.ok(((await openRuntime('node')).selfExecutable()?.command.length ?? 0) > 1)
})

test('hardening: a runtime without system calls says so instead of claiming success', async () => {
  for (const name of ['node', 'deno', 'workerd'] as const) {
    const report = (await openRuntime(name)).harden()
    assert.equal(report.complete, false)
    assert.ok(report.items.every(item => item.status === 'unsupported' && item.reason !== undefined))
  }
})

test('signals: the first asks to stop, the undo leaves nothing behind', async () => {
  const runtime = await openRuntime()
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1'] as const
  const before = signals.map(signal => process.listenerCount(signal))
  const seen: string[] = []
  const undo = runtime.onSignals({ stop: signal => seen.push(signal) })
  assert.deepEqual(
    signals.map(signal => process.listenerCount(signal)),
    before.map(count => count + 1),
  )
  process.listeners('SIGUSR1').at(-1)?.('SIGUSR1')
  assert.deepEqual(seen, [])
  process.listeners('SIGTERM').at(-1)?.('SIGTERM')
  assert.deepEqual(seen, ['SIGTERM'])
  undo()
  assert.deepEqual(
    signals.map(signal => process.listenerCount(signal)),
    before,
  )
})

test('signals: a second one ends the process at once, with the status of a signal', async t => {
  const runtime = await openRuntime()
  const codes: unknown[] = []
  t.mock.method(process, 'exit', (code: unknown) => codes.push(code))
  const undo = runtime.onSignals({ stop: () => {} })
  process.listeners('SIGINT').at(-1)?.('SIGINT')
  assert.deepEqual(codes, [])
  process.listeners('SIGTERM').at(-1)?.('SIGTERM')
  assert.deepEqual(codes, [143])
  runtime.exit(3)
  assert.deepEqual(codes, [143, 3])
  undo()
})

test('reading all of an input: joined in order, refused as soon as it is too long', async () => {
  const parts = async function* () {
    yield new Uint8Array([1, 2])
    yield new Uint8Array([])
    yield new Uint8Array([3])
  }
  assert.deepEqual(await readAll(parts(), 3), new Uint8Array([1, 2, 3]))
  await assert.rejects(
    readAll(parts(), 2),
    (error: unknown) => isSignerError(error) && error.code === 'request/too-large' && error.detail.limitBytes === 2,
  )
})

test('write: resolves when the text has left', async () => {
  const runtime = await openRuntime()
  await runtime.write('stderr', '')
  await runtime.write('stdout', '')
  assert.equal(typeof runtime.isTerminal('stdout'), 'boolean')
  assert.ok(Array.isArray(runtime.argv()))
  assert.match(runtime.programName(), /^(bun|node|deno)/, 'a file name without its folder')
})

test('workerd: what an isolate cannot do is refused with the fix, what it can do works', async t => {
  const isStartRefusal = (error: unknown) => isSignerError(error) && error.code === 'start/refused'
  const serving: Runtime['serve'] = workerd.serve
  const fetch = (request: Request, info: { peer: string }) =>
    Promise.resolve(new Response(`${request.method} ${info.peer}`))
  await assert.rejects(serving({ fetch, host: '', port: 0, limits: { bodyBytes: 1, idleSeconds: 1 } }), isStartRefusal)
  await assert.rejects(workerd.readStdin(1), isStartRefusal)
  assert.throws(() => workerd.exit(0), isStartRefusal)
  assert.deepEqual([workerd.environment(), workerd.argv(), workerd.isTerminal()], [{}, [], false])
  assert.equal(workerd.selfExecutable(), undefined)
  assert.equal(workerd.programName(), '')
  workerd.onSignals()()

  const lines: unknown[] = []
  t.mock.method(console, 'log', (line: unknown) => lines.push(line))
  t.mock.method(console, 'error', (line: unknown) => lines.push(line))
  await workerd.write('stdout', 'out')
  await workerd.write('stderr', 'err')
  assert.deepEqual(lines, ['out', 'err'])

  const worker = workerd.worker(fetch)
  const headers = { 'cf-connecting-ip': '203.0.113.9', 'x-forwarded-for': '198.51.100.1' }
  assert.equal(await (await worker.fetch(new Request('http://edge/', { headers }))).text(), 'GET 203.0.113.9')
  assert.equal(await (await worker.fetch(new Request('http://edge/'))).text(), 'GET unknown')
  assert.ok(workerd.world().clock.now() > 0)
})

test('build facts: a run from source says that it is one', () => {
  assert.deepEqual(build, { version: '0.0.0-source', commit: 'source' })
})
