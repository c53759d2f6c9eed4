import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createSaver } from '../../local-kms/core/saver.ts'
import { startLocalKms } from '../../local-kms/index.ts'
import { fakeHost } from './fake-face.ts'

const folder = mkdtempSync(join(tmpdir(), 'local-kms-host-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const place = (name: string): string => join(folder, name)
const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>

test('local-kms persistence: one file for all faces, readable by its owner alone; the next start has it all', async () => {
  const persist = place('all.json')
  const first = await fakeHost({ persist })
  await first.call('aws', 'add')
  await first.call('vault', 'add')
  assert.deepEqual([read(persist)['aws'], read(persist)['vault']], [{ count: 1 }, { count: 1 }])
  assert.match(String(read(persist)['warning']), /no secure store/)
  assert.equal(statSync(persist).mode & 0o777, 0o600)
  const second = await fakeHost({ persist })
  assert.deepEqual(second.host.snapshot(), { aws: { count: 1 }, vault: { count: 1 }, gcp: { count: 0 } })
})

test('local-kms persistence: a call that changed something is answered only when it is on file', async () => {
  const persist = place('answered.json')
  const { call } = await fakeHost({ persist })
  for (let i = 1; i <= 5; i++) {
    await call('gcp', 'add')
    assert.deepEqual(read(persist)['gcp'], { count: i })
  }
})

test('local-kms persistence: a thousand calls of one turn are one write', async () => {
  let writes = 0
  let changes = 0
  let onFile = 0
  const saver = createSaver(() => {
    writes += 1
    onFile = changes
  })
  const call = async () => {
    changes += 1
    const mine = changes
    saver.changed()
    await saver.saved()
    assert.ok(onFile >= mine)
  }
  await Promise.all(Array.from({ length: 1000 }, call))
  assert.deepEqual([writes, onFile], [1, 1000])
  await call()
  assert.equal(writes, 2)
  await saver.saved()
  assert.equal(writes, 2)
})

test('local-kms persistence: what could not be written fails the call, is tried again, and never passes silently', async () => {
  const persist = place('gone/state.json')
  const { call } = await fakeHost({ persist })
  const refused = await call('aws', 'add')
  assert.equal(refused.status, 500)
  assert.match(String(refused.json['error']), /cannot write .*state\.json/)
  assert.equal((await call('aws', 'look')).status, 500) // what a reader would see is not on file either
  rmSync(folder, { recursive: true, force: true })
  const { mkdirSync } = await import('node:fs')
  mkdirSync(join(folder, 'gone'), { recursive: true })
  assert.equal((await call('aws', 'look')).status, 200)
  assert.deepEqual(read(persist)['aws'], { count: 1 })
})

test('local-kms persistence: the part of a face that is not started is carried along', async () => {
  const persist = place('part.json')
  writeFileSync(persist, JSON.stringify({ aws: { count: 3 }, vault: { count: 4 } }))
  const { call } = await fakeHost({ persist, faces: ['vault'] })
  await call('vault', 'add')
  assert.deepEqual([read(persist)['aws'], read(persist)['vault']], [{ count: 3 }, { count: 5 }])
})

test('local-kms persistence: a file of something else is refused and left alone; no second file stays behind', async () => {
  for (const [name, text] of [
    ['other.json', '{"name":"somebody’s"}'],
    ['list.json', '[]'],
    ['text.json', 'hello'],
  ] as const) {
    writeFileSync(place(name), text)
    await assert.rejects(fakeHost({ persist: place(name) }), SyntaxError, name)
    assert.equal(readFileSync(place(name), 'utf8'), text)
  }
  assert.deepEqual(
    readdirSync(folder).filter(name => name.endsWith('.new')),
    [],
  )
})

test('local-kms persistence: a snapshot and a file from before there were other faces still load', async () => {
  const persist = place('old.json')
  const before = await startLocalKms({
    faces: ['aws'],
    seed: { version: 1, keys: [{ spec: 'ECC_NIST_EDWARDS25519' }] },
  })
  const { aws } = before.snapshot()
  await before.close()
  writeFileSync(persist, JSON.stringify({ warning: 'x', aws }))
  chmodSync(persist, 0o600)
  const now = await startLocalKms({ persist })
  assert.deepEqual(now.snapshot().aws, aws)
  now.reset()
  now.restore({ aws })
  assert.equal(now.inspect().keys.length, 1)
  await now.close()
})
