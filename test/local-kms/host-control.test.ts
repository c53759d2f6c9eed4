import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FaceName, startLocalKms, virtualClock } from '../../local-kms/index.ts'
import { fakeHost } from './fake-face.ts'

test('local-kms host: a snapshot has each face; restore takes all of it or nothing, and leaves faces alone it does not name', async () => {
  const { host, call } = await fakeHost()
  await call('aws', 'add')
  await call('vault', 'add')
  const taken = host.snapshot()
  assert.deepEqual(taken, { aws: { count: 1 }, vault: { count: 1 }, gcp: { count: 0 } })
  await call('aws', 'add')
  await call('gcp', 'add')
  host.restore({ aws: taken['aws'] })
  assert.deepEqual(host.snapshot(), { aws: { count: 1 }, vault: { count: 1 }, gcp: { count: 1 } })
  const torn = { aws: { count: 9 }, vault: {}, gcp: { count: 9 } }
  assert.throws(() => host.restore(torn), /no count/)
  assert.deepEqual(host.snapshot(), { aws: { count: 1 }, vault: { count: 1 }, gcp: { count: 1 } })
})

test('local-kms host: reset brings back the state after start, of all faces or of one', async () => {
  const { host, call } = await fakeHost({ faults: [{ operation: 'x', fault: { kind: 'reset' } }] })
  const fill = async () => {
    for (const face of ['aws', 'vault', 'gcp'] as const) await call(face, 'add')
  }
  await fill()
  host.clearFaults()
  host.reset('vault')
  assert.deepEqual(host.snapshot(), { aws: { count: 1 }, vault: { count: 0 }, gcp: { count: 1 } })
  assert.deepEqual([host.calls('aws'), host.calls('vault')], [{ add: 1 }, {}])
  assert.equal(host.faults().length, 0)
  await fill()
  host.reset()
  assert.deepEqual(host.snapshot(), { aws: { count: 0 }, vault: { count: 0 }, gcp: { count: 0 } })
  assert.deepEqual([host.calls(), host.audit('gcp')], [{}, []])
  assert.equal(host.faults().length, 1)
})

test('local-kms host: one seed gives every face streams of its own, the same after reset, whatever other faces draw', async () => {
  const ids = async (faces: readonly FaceName[]) => {
    const { host, call } = await fakeHost({ masterSeed: 's' })
    const row = async () => {
      const out: unknown[] = []
      for (const face of faces) out.push(`${face} ${String((await call(face, 'look')).json['id'])}`)
      return out
    }
    const first = await row()
    host.reset()
    assert.deepEqual(await row(), first)
    return first
  }
  const both = await ids(['aws', 'vault', 'aws', 'vault'])
  assert.deepEqual(
    both.filter(id => String(id).startsWith('vault')),
    await ids(['vault', 'vault']),
  )
  assert.equal(new Set(both.map(id => String(id).split(' ')[1])).size, 4)
})

test('local-kms host: latency by face, in overrides and later', async () => {
  const clock = virtualClock()
  const latency = { profile: 'none', overrides: [{ face: 'vault', profile: 'fixed:40' }] } as const
  const { host, call } = await fakeHost({ clock, latency })
  await call('aws', 'look')
  const progress = { done: false }
  const slow = call('vault', 'look').then(() => void (progress.done = true))
  await clock.advance(39)
  assert.equal(progress.done, false)
  await clock.advance(1)
  await slow
  host.setLatency('none', 'vault')
  await call('vault', 'look')
  host.setLatency('fixed:5', 'aws')
  await call('gcp', 'look')
  const late = call('aws', 'look')
  await clock.advance(5)
  await late
  assert.throws(() => host.setLatency('warp' as 'none', 'aws'), /Unknown latency profile/)
  const stranger = { profile: 'none', overrides: [{ face: 'azure' as 'aws', profile: 'none' }] } as const
  assert.throws(() => host.setLatency(stranger), /Unknown face 'azure'/)
})

test('local-kms host: forced states find their key or their face, and refuse what is not there', async () => {
  const { host, made } = await fakeHost()
  host.setKeyState('gcp-key', 'Unavailable')
  assert.equal(made.get('gcp')!.state, 'Unavailable')
  assert.throws(() => host.setKeyState('gcp-key', 'Unavailable', 'aws'), /no such key/)
  assert.throws(() => host.setKeyState('nobody', 'Enabled'), /no such key/)
  assert.throws(() => host.setKeyState('aws-key', 'Melted'), /no such state/)
  assert.throws(() => host.setServerState('sealed'), /no face here has one/)
  Object.assign(made.get('vault')!, {
    setServerState(this: { state: string }, state: string) {
      this.state = state
    },
  })
  host.setServerState('sealed')
  assert.equal(made.get('vault')!.state, 'sealed')
  assert.throws(() => host.setServerState('sealed', 'aws'), /no face here has one/)
})

test('local-kms host: events of all faces reach the one who listens, with the face’s name', async () => {
  const seen: [unknown, FaceName][] = []
  const { call } = await fakeHost({ onAudit: (record, face) => void seen.push([record, face]) })
  await call('vault', 'add')
  await call('gcp', 'look')
  assert.deepEqual(seen, [
    [{ operation: 'add', count: 1 }, 'vault'],
    [{ operation: 'look', count: 0 }, 'gcp'],
  ])
})

test('local-kms host: faces that could not all be made are closed again', async () => {
  const closed: string[] = []
  const { createHost } = await import('../../local-kms/core/host.ts')
  const { systemRandom } = await import('../../local-kms/core/random.ts')
  const options = { clock: virtualClock(), masterSeed: undefined, entropy: systemRandom, latency: 'none' } as const
  const rest = { faults: [], persist: undefined, onAudit: undefined }
  const { FakeFace } = await import('./fake-face.ts')
  const made = createHost({ faces: ['aws', 'vault'], ...options, ...rest }, async (name, world) => {
    if (name === 'vault') throw new RangeError('bad seed')
    return Object.assign(new FakeFace(name, world), { close: async () => void closed.push(name) })
  })
  await assert.rejects(made, /bad seed/)
  assert.deepEqual(closed, ['aws'])
  await assert.rejects(
    createHost({ faces: [], ...options, ...rest }, async () => assert.fail()),
    /without a face/,
  )
})

test('local-kms administration: ?face= picks one face, and what is unknown is refused', async () => {
  const { host } = await fakeHost()
  const admin = async (face: FaceName, method: string, path: string, body?: unknown) => {
    const reply = await host.handler(face)({
      method,
      target: `/_local-kms/${path}`,
      headers: { host: 'localhost:1' },
      body: new TextEncoder().encode(body === undefined ? '' : JSON.stringify(body)),
      remoteAddress: '127.0.0.1',
      freshConnection: false,
    })
    return { status: reply.status, json: JSON.parse(new TextDecoder().decode(reply.body)) as unknown }
  }
  const request = { method: 'POST', target: '/add', headers: {}, body: new Uint8Array(0) }
  await host.handler('vault')({ ...request, remoteAddress: '127.0.0.1', freshConnection: false })
  assert.deepEqual((await admin('vault', 'GET', 'calls')).json, { add: 1 }) // that of the port
  assert.deepEqual((await admin('aws', 'GET', 'calls')).json, {})
  assert.deepEqual((await admin('aws', 'GET', 'calls?face=vault')).json, { add: 1 })
  assert.deepEqual((await admin('gcp', 'GET', 'audit?face=vault')).json, [{ operation: 'add', count: 1 }])
  assert.deepEqual((await admin('gcp', 'GET', 'inspect?face=vault')).json, { count: 1, state: 'Enabled' })
  const all = (await admin('gcp', 'GET', 'inspect')).json as Record<string, unknown>
  assert.deepEqual([all['faces'], all['count']], [['aws', 'vault', 'gcp'], 0])
  assert.deepEqual(all['vault'], { count: 1, state: 'Enabled' })

  const fault = { kind: 'reset' } as const
  assert.equal((await admin('aws', 'POST', 'faults?face=gcp', { fault })).status, 200)
  assert.deepEqual(host.faults(), [{ face: 'gcp', fault }])
  assert.deepEqual((await admin('aws', 'GET', 'faults?face=vault')).json, [])
  assert.equal((await admin('aws', 'DELETE', 'faults?face=gcp')).status, 400)
  assert.equal((await admin('aws', 'POST', 'latency?face=gcp', 'fixed:1')).status, 200)
  assert.equal((await admin('aws', 'POST', 'state?face=vault', { keyId: 'vault-key', state: 'x' })).status, 200)
  assert.equal((await admin('aws', 'POST', 'server-state', { state: 'sealed' })).status, 400)
  assert.equal((await admin('aws', 'POST', 'reset?face=vault', {})).status, 200)
  assert.deepEqual(host.calls('vault'), {})
  for (const path of ['calls?face=azure', 'calls?fece=aws', 'calls?face=']) {
    assert.equal((await admin('aws', 'GET', path)).status, 400, path)
  }
})

test('local-kms: only the faces asked for; the address of another one is refused, not empty', async () => {
  const kms = await startLocalKms({ faces: ['aws'] })
  assert.deepEqual(kms.faces, ['aws'])
  assert.match(kms.aws, /^http:/)
  for (const name of ['vault', 'vaultToken', 'gcpRest', 'gcpGrpc'] as const) {
    assert.throws(() => kms[name], /face was not started/, name)
  }
  assert.throws(() => kms.calls('vault'), /There is no face 'vault' here: there are aws/)
  assert.throws(() => kms.addFaults({ face: 'gcp', fault: { kind: 'hang' } }), /Cannot use a fault of face 'gcp'/)
  assert.deepEqual(Object.keys(kms.snapshot()), ['aws'])
  await kms.close()
  await assert.rejects(startLocalKms({ faces: ['azure' as 'aws'] }), /Unknown face 'azure'/)
  await assert.rejects(startLocalKms({ faces: [] }), /without a face/)
})
