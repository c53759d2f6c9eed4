import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type LocalKms, type LocalKmsOptions, PortError, startLocalKms, virtualClock } from '../../local-kms/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'local-kms-faces-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const seedFile = fileURLToPath(new URL('../../local-kms/seed.example.json', import.meta.url))
const RING = 'projects/demo/locations/global/keyRings/demo'

async function start(options: LocalKmsOptions = {}): Promise<LocalKms> {
  const kms = await startLocalKms(options)
  after(() => kms.close())
  return kms
}

interface Answer {
  readonly status: number
  readonly text: string
}
const post = async (url: string, body: unknown, headers: Record<string, string>): Promise<Answer> => {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(body), headers, redirect: 'manual' })
  return { status: response.status, text: await response.text() }
}
/** The same wish to each service: make a key. */
const make = {
  aws: (kms: LocalKms) =>
    post(kms.aws, {}, { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'TrentService.CreateKey' }),
  vault: (kms: LocalKms, name = 'made') =>
    post(`${kms.vault}/v1/transit/keys/${name}`, { type: 'ed25519' }, { 'x-vault-token': kms.vaultToken }),
  gcp: (kms: LocalKms, name = 'made') =>
    post(
      `${kms.gcpRest}/v1/${RING}/cryptoKeys?cryptoKeyId=${name}`,
      { purpose: 'ASYMMETRIC_SIGN', versionTemplate: { algorithm: 'EC_SIGN_ED25519' } },
      { 'content-type': 'application/json' },
    ),
}
const FACES = ['aws', 'vault', 'gcp'] as const
const makeAll = async (kms: LocalKms, name?: string) => {
  for (const face of FACES) assert.ok((await make[face](kms, name)).status < 300, face)
}

/** Names of all keys there are, by face. */
function keys(kms: LocalKms): Record<(typeof FACES)[number], string[]> {
  const { keys: aws, vault, gcp } = kms.inspect()
  const namespaces = (
    vault as { namespaces: Record<string, { mounts: Record<string, { keys?: { name: string }[] }> }> }
  ).namespaces
  return {
    aws: aws.map(key => (key.metadata as { KeyId: string }).KeyId),
    vault: (namespaces['']!.mounts['transit/']!.keys ?? []).map(key => key.name),
    gcp: (gcp as { cryptoKeys: { name: string }[] }).cryptoKeys.map(key => key.name.split('/').at(-1)!),
  }
}

test('M-11 local-kms: one seed document for three services, and every problem in it at once', async () => {
  const kms = await start({ seedFile })
  assert.deepEqual(keys(kms).gcp, ['demo-stellar', 'demo-evm', 'demo-envelope'])
  assert.deepEqual(keys(kms).vault.toSorted(), ['demo-envelope', 'demo-stellar'])
  assert.equal(keys(kms).aws.length, 4)
  const bad = {
    version: 1,
    kees: [],
    vault: { keys: [{ name: 'x', type: 'rot13' }] },
    gcp: { cryptoKeys: [{ name: 1, algorithm: 'EC_SIGN_ED25519' }] },
  }
  await assert.rejects(startLocalKms({ seed: bad as never }), (error: Error) => {
    assert.ok(error instanceof RangeError)
    for (const path of ['kees', 'vault.keys.0.type', 'gcp.cryptoKeys.0.name']) assert.match(error.message, RegExp(path))
    return true
  })
  // The part of a face that is not started is not looked at
  const only = await start({ faces: ['aws'], seed: { version: 1, vault: { keys: 7 } as never } })
  assert.deepEqual(only.faces, ['aws'])
})

test('M-11 local-kms: keys of all faces outlive the process in one file of mode 0600', async () => {
  const persist = join(folder, 'state.json')
  const first = await start({ persist, seedFile })
  await makeAll(first)
  const before = keys(first)
  await first.close()
  assert.equal(statSync(persist).mode & 0o777, 0o600)
  assert.deepEqual(Object.keys(JSON.parse(readFileSync(persist, 'utf8')) as object).toSorted(), [
    'aws',
    'gcp',
    'vault',
    'warning',
  ])
  const second = await start({ persist, seedFile })
  assert.deepEqual(keys(second), before)
  assert.ok(before.gcp.includes('made') && before.vault.includes('made'))
  assert.equal((await make.gcp(second)).status, 409)
})

test('M-11 local-kms: reset, snapshot and restore over all faces', async () => {
  const kms = await start({ seedFile })
  const fresh = keys(kms)
  await makeAll(kms)
  const taken = JSON.parse(JSON.stringify(kms.snapshot())) as ReturnType<LocalKms['snapshot']>
  const made = keys(kms)
  kms.reset()
  assert.deepEqual(keys(kms), fresh)
  assert.deepEqual(FACES.map(kms.calls), [{}, {}, {}])
  kms.restore(taken)
  assert.deepEqual(keys(kms), made)
  assert.throws(() => kms.restore({ ...taken, gcp: { version: 99 } as never }), RangeError)
  assert.deepEqual(keys(kms), made)
})

test('M-11 local-kms: one master seed makes the same keys again on every face', async () => {
  const run = async (masterSeed: string, order: readonly (typeof FACES)[number][]) => {
    const kms = await start({ masterSeed, clock: virtualClock(), faces: FACES, seedFile })
    for (const face of order) await make[face](kms)
    const { gcp, vault, aws } = kms.snapshot()
    const vaultKey = /"made":\{.{0,4000}/.exec(JSON.stringify(vault))?.[0]
    return { aws: JSON.stringify(aws), gcp: JSON.stringify(gcp), vaultKey }
  }
  const a = await run('one', ['aws', 'vault', 'gcp'])
  assert.deepEqual(await run('one', ['gcp', 'aws', 'vault']), a)
  const b = await run('two', FACES)
  for (const part of ['aws', 'gcp', 'vaultKey'] as const) assert.notEqual(b[part], a[part], part)
})

test('M-11 local-kms: one rule without a face meets each face once; states and latency reach the face they name', async () => {
  const kms = await start({ seedFile, faults: [{ fault: { kind: 'status', status: 503 } }] })
  for (const face of FACES) {
    assert.equal((await make[face](kms)).status, 503, face)
    assert.ok((await make[face](kms)).status < 300, face)
  }
  assert.deepEqual(kms.calls(), { CreateKey: 2 })
  assert.deepEqual(kms.calls('gcp'), { CreateCryptoKey: 2 })
  kms.setServerState('sealed')
  assert.equal((await make.vault(kms, 'other')).status, 503)
  kms.setServerState('active')
  assert.ok((await make.vault(kms, 'other')).status < 300)
  kms.setKeyState(`${RING}/cryptoKeys/demo-evm/cryptoKeyVersions/1`, 'PENDING_GENERATION')
  assert.match(JSON.stringify(kms.inspect().gcp), /PENDING_GENERATION/)
  const health = await fetch(`${kms.vault}/_local-kms/calls?face=aws`)
  assert.deepEqual(await health.json(), { CreateKey: 2 })
})

const BREAKS = [
  { kind: 'reset' },
  { kind: 'reset', at: 'head' },
  { kind: 'reset', at: 'body' },
  { kind: 'truncate', bytes: 3 },
  { kind: 'truncated-json' },
] as const
for (const fault of BREAKS) {
  test(`R-14 local-kms: every HTTP face plays ${Object.values(fault).join(' ')}`, async () => {
    const kms = await start({ seedFile })
    for (const face of FACES) {
      kms.clearFaults()
      kms.addFaults({ times: 0, fault })
      await assert.rejects(async () => JSON.parse((await make[face](kms, 'broken')).text) as unknown, face)
    }
  })
}

test('R-14 local-kms: every HTTP face plays hang, slow, oversized, redirect and another content type', async () => {
  const kms = await start({ seedFile })
  const ask = async (face: (typeof FACES)[number], i: number) => {
    const [url, init] = {
      aws: [kms.aws, { method: 'POST', body: '{}', headers: AWS_LIST }] as const,
      vault: [`${kms.vault}/v1/transit/keys/demo-stellar`, { headers: { 'x-vault-token': kms.vaultToken } }] as const,
      gcp: [`${kms.gcpRest}/v1/${RING}/cryptoKeys`, {}] as const,
    }[face]
    return fetch(url, { ...init, redirect: 'manual', signal: AbortSignal.timeout(i) })
  }
  for (const face of FACES) {
    kms.clearFaults()
    kms.addFaults({ fault: { kind: 'hang' } })
    await assert.rejects(ask(face, 50), face)
    kms.addFaults({ nth: 1, fault: { kind: 'oversized-body', bytes: 2_000_000 } })
    assert.ok((await (await ask(face, 5000)).text()).length > 2_000_000, face)
    kms.clearFaults()
    kms.addFaults({ fault: { kind: 'redirect', location: 'http://127.0.0.1:1/' } })
    const moved = await ask(face, 5000)
    assert.deepEqual([moved.status, moved.headers.get('location')], [307, 'http://127.0.0.1:1/'], face)
    kms.addFaults({ fault: { kind: 'content-type', value: 'text/html' } })
    assert.equal((await ask(face, 5000)).headers.get('content-type'), 'text/html', face)
    kms.addFaults({ fault: { kind: 'slow-body', msPerByte: 0.1 } })
    const started = performance.now()
    await (await ask(face, 20_000)).text()
    assert.ok(performance.now() - started > 10, face)
  }
})
const AWS_LIST = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'TrentService.ListKeys' }

test('M-11 local-kms: a port that is taken is named, and none of the others stays open', async () => {
  const taken = await start({ faces: ['aws'] })
  const port = Number(new URL(taken.aws).port)
  for (const option of ['port', 'vaultPort', 'gcpRestPort', 'gcpGrpcPort'] as const) {
    await assert.rejects(startLocalKms({ [option]: port }), (error: unknown) => {
      assert.ok(error instanceof PortError)
      assert.deepEqual([error.option, error.port, error.code], [option, port, 'EADDRINUSE'])
      return true
    })
  }
  for (const host of ['0.0.0.0', 'example.com']) await assert.rejects(startLocalKms({ host }), RangeError)
})
