/** To a network, and out of the store, goes nothing that a revoked key has signed (M-62, I5). */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { SignerError } from '../../../src/domain/errors.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { type StandingDeps, submitStanding } from '../../../src/service/standing.ts'
import { PROPOSAL_TIMES } from '../../../src/service/proposals/index.ts'
import { afterRecordOf, revokeAtOnce } from '../../support/paused.ts'
import { ACTOR, BOB, json, openHouse, payment, refused, signedBy } from '../../support/proposal-house.ts'
import { openRevocations, revocation, type RevocationWorld } from '../../support/revocations.ts'
import { NOW, problemOf, type Rig } from '../../support/rig.ts'
import { testKey } from '../../fuzz/xdr-corpus.ts'

const EXECUTE = '/v1/transactions/execute'
const BOTH = { template: 'batch-revoke', arguments: { revocations: [revocation('a', '200'), revocation('b', 300)] } }
const withheld = async (rig: Rig) =>
  (await rig.records()).flatMap(record =>
    record.kind === 'event' && record.event === 'release-withheld' ? [record.detail] : [],
  )
const execute = async (world: RevocationWorld, key: string) => {
  const answer = await world.pass(world.post(EXECUTE, BOTH, { key }))
  return answer.status === 200 ? 'sent' : (await problemOf(answer)).code
}

test('M-25 M-62 I5 a key of it is revoked while the last one signs: the transaction is not sent, then or when it is asked for again', async () => {
  let signatures = 0
  const world: RevocationWorld = await openRevocations({
    rig: {
      provider: real => ({
        ...real,
        unwrap: async (...given) => {
          if (++signatures === 3) await revokeAtOnce(world.rig, 'admin-a')
          return real.unwrap(...given)
        },
      }),
    },
  })
  assert.equal(await execute(world, 'same'), 'key/not-active')
  const [record, ...more] = await withheld(world.rig)
  assert.deepEqual([record?.['key'], record?.['version'], more.length], ['admin-a', 1, 0])
  assert.equal(await execute(world, 'same'), 'key/not-active')
  assert.equal(world.stub.asked.get('submit') ?? 0, 0)
  assert.deepEqual(world.stub.accepted, [])
})

test('M-25 M-62 I5 what was signed and could not be sent is not sent after the revocation of any key in it', async () => {
  for (const key of ['admin-b', 'operator']) {
    const world = await openRevocations()
    world.stub.lies('submit', 'unreachable')
    assert.equal(await execute(world, 'same'), 'network/unavailable')
    await revokeAtOnce(world.rig, key)
    const asked = world.stub.asked.get('submit')
    assert.equal(await execute(world, 'same'), 'key/not-active')
    assert.equal(world.stub.asked.get('submit'), asked)
    assert.deepEqual(world.stub.accepted, [])
  }
})

test('M-25 M-62 what an earlier release signed, and nobody noted by whom, is asked for and not sent', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'cs-fence-'))
  const path = join(directory, 'store.db')
  const store = await openSqliteStore({ path, clock: { now: () => NOW } })
  try {
    const world = await openRevocations({ store })
    world.stub.lies('submit', 'unreachable')
    assert.equal(await execute(world, 'same'), 'network/unavailable')
    const database = new DatabaseSync(path)
    database.exec('UPDATE transactions SET signed_by = NULL')
    database.close()
    assert.equal(await execute(world, 'same'), 'key/not-active')
    assert.deepEqual(world.stub.accepted, [])
  } finally {
    store.close()
    rmSync(directory, { recursive: true })
  }
})

test('M-25 M-61 M-62 what a version signed before it retired is sent; suspended or destroyed, it is not', async () => {
  for (const [state, expected] of [
    ['retired', 'sent'],
    ['overlap', 'sent'],
    ['quarantined', 'key/not-active'],
    ['destroyed', 'key/not-active'],
  ] as const) {
    const world = await openRevocations()
    world.stub.lies('submit', 'unreachable')
    assert.equal(await execute(world, 'same'), 'network/unavailable')
    await world.rig.store.keys.setState('admin-a', 1, state)
    assert.equal(await execute(world, 'same'), expected, state)
  }
})

test('M-25 M-62 what got into a ledger before the revocation is told as such', async () => {
  const world = await openRevocations()
  world.stub.lies('submit', 'lost')
  await world.pass(world.post(EXECUTE, BOTH, { key: 'same' }))
  assert.equal(world.stub.accepted.length, 1)
  await revokeAtOnce(world.rig, 'admin-a')
  assert.equal(await execute(world, 'same'), 'key/not-active') // no ledger has it yet
  assert.equal(await execute(world, 'same'), 'sent')
  assert.equal(world.stub.asked.get('submit'), 1)
})

test('M-25 M-62 I5 a network that is busy is not asked again once a key is revoked', async () => {
  const world = await openRevocations()
  world.stub.lies('submit', 'try-again', 'try-again', 'try-again')
  const running = execute(world, 'same')
  while ((world.stub.asked.get('submit') ?? 0) === 0) await new Promise(resolve => setTimeout(resolve, 1))
  const { keys } = world.rig.store
  await keys.setState('operator', 1, 'revoked')
  assert.equal(await running, 'key/not-active')
  assert.deepEqual(world.stub.accepted, [])
})

test('M-62 I5 where nobody can say whether it may go, it does not, and that is on record', async () => {
  const codes: unknown[] = []
  const faults = [new SignerError('store/unavailable', { reason: 'is away' }), new Error('a fault'), undefined]
  for (const fault of faults) {
    const deps = {
      clock: { now: () => 0, monotonic: () => 0, sleep: async () => {} },
      catalogue: { stateOf: async () => (fault === undefined ? undefined : Promise.reject(fault)) },
      audit: { append: async (entry: { detail: object }) => void codes.push(entry.detail) },
    } as unknown as StandingDeps
    const node = { reached: async () => {}, submit: () => assert.fail('it was sent') }
    const about = { auditId: 'a', actor: { subject: 's', peer: 'p' }, requestId: 'r', hash: 'h', envelope: 'e' }
    const leaving = { ...about, by: [{ key: 'gone', version: 0 }] }
    await assert.rejects(submitStanding(deps, node, leaving, AbortSignal.timeout(1_000)))
  }
  assert.deepEqual(codes, [
    { requestId: 'r', hash: 'h', errorCode: 'store/unavailable' },
    { requestId: 'r', hash: 'h', errorCode: 'unexpected' },
    { requestId: 'r', hash: 'h', errorCode: 'key/not-active', key: 'gone', version: 0 },
  ])
})

test('M-62 I5 what must be known of a network first is asked before the look, however long that takes', async () => {
  const house = await openHouse()
  const node = {
    reached: () => revokeAtOnce(house.rig, 'treasury'),
    submit: () => assert.fail('it was sent'),
  }
  const about = { auditId: 'a', actor: ACTOR, requestId: 'r', hash: 'h', envelope: 'e' }
  const leaving = { ...about, by: [{ key: 'treasury', version: 1 }] }
  const sending = submitStanding(house.rig.room.deps, node, leaving, AbortSignal.timeout(1_000))
  await assert.rejects(sending, { code: 'key/not-active' })
})

/** One more version, which signs from now on. */
async function successor(rig: Rig, key: string): Promise<void> {
  const pair = testKey('successor')
  const [publicKey, address] = [new Uint8Array(pair.rawPublicKey()), pair.publicKey()]
  const about = { key, version: 2 }
  await rig.store.keys.addVersion({
    version: { ...about, scheme: 'ed25519', publicKey, address, account: address, state: 'pending' },
    binding: { ...about, id: 'b_successor', provider: 'mock', custody: 'native', reference: 'elsewhere' },
  })
  await rig.store.keys.setState(key, 2, 'active')
}

/** Collected from both our keys: enough weight. */
async function collected() {
  const house = await openHouse()
  const { id } = await house.open(payment(house))
  const { signatures } = await json(house.ask(`/v1/proposals/${id}/collect`, {}))
  assert.equal(signatures.length, 2)
  const state = async () => (await house.rig.store.proposals.find(id))?.state
  return { house, id, state, execute: () => house.ask(`/v1/proposals/${id}/execute`, {}) }
}

test('M-26 M-62 I5 collected signatures of a revoked key are neither shown, nor exported, nor sent', async () => {
  const { house, id, execute, state } = await collected()
  await revokeAtOnce(house.rig, 'ops')
  const treasury = house.addressOf('treasury')
  const views = [
    await json(house.get(`/v1/proposals/${id}`)),
    ...(await json<{ proposals: { signatures: { signer: string }[]; ready: boolean }[] }>(house.get('/v1/proposals')))
      .proposals,
  ]
  for (const view of views) {
    assert.deepEqual([view.signatures.map(({ signer }) => signer), view.ready], [[treasury], false])
  }
  const exported = await json<{ xdr: string; ready: boolean }>(house.get(`/v1/proposals/${id}/envelope`))
  const { signaturesOf } = await import('../../../src/chains/stellar/index.ts')
  const { found, strange } = await signaturesOf(exported.xdr, 'testnet', [treasury, house.addressOf('ops')])
  assert.deepEqual([found.map(({ signer }) => signer), strange, exported.ready], [[treasury], 0, false])
  assert.equal((await refused(execute())).code, 'key/not-active') // the rules of every key are asked
  await successor(house.rig, 'ops')
  const problem = await refused(execute())
  assert.deepEqual([problem.code, /weight is missing/.test(String(problem['reason']))], ['proposal/conflict', true])
  assert.deepEqual([house.ledger.submitted.length, await state()], [0, 'collecting'])
  // Somebody else signs in its place, and it goes without it.
  const other = { xdr: signedBy(payment(house), BOB) }
  await json(house.ask(`/v1/proposals/${id}/signatures`, other))
  await house.awake(json(execute()))
  assert.equal(house.ledger.submitted.length, 1)
  const sent = await signaturesOf(house.ledger.submitted[0]?.envelope ?? '', 'testnet', [
    treasury,
    house.addressOf('ops'),
    BOB.publicKey(),
  ])
  assert.deepEqual(sent.found.map(({ signer }) => signer).toSorted(), [treasury, BOB.publicKey()].toSorted())
})

test('M-26 M-62 I5 revoked while the network is busy: it has failed, unsent, and says why', async () => {
  const { house, execute, state } = await collected()
  house.ledger.before = async () => {
    await revokeAtOnce(house.rig, 'ops')
    return { kind: 'try-again', afterMs: 1_000 }
  }
  const problem = await refused(house.awake(execute()))
  assert.deepEqual([problem.code, problem['state']], ['key/not-active', 'revoked'])
  assert.equal(await state(), 'failed')
  assert.equal(house.ledger.submitted.length, 0)
  assert.deepEqual(
    (await withheld(house.rig)).map(({ key, errorCode }) => [key, errorCode]),
    [['ops', 'key/not-active']],
  )
})

test('M-26 M-62 I5 one that somebody may have sent before is asked for, and not sent again', async () => {
  const { house, id, execute, state } = await collected()
  house.ledger.before = () => ({ kind: 'try-again', afterMs: 60_000 })
  assert.equal((await house.awake(execute())).status, 202)
  delete house.ledger.before
  await revokeAtOnce(house.rig, 'ops')
  const tend = async () => {
    house.rig.clock.advance(PROPOSAL_TIMES.leaseMs)
    await house.awake(house.proposals.tend(ACTOR, { warn: () => {} }))
  }
  await tend()
  assert.deepEqual([await state(), house.ledger.submitted.length], ['executing', 0])
  // The clock of the network goes past its time: it can never run.
  house.ledger.closedAt = Number.MAX_SAFE_INTEGER
  await tend()
  assert.deepEqual([await state(), house.ledger.submitted.length], ['failed', 0])
  assert.match((await house.rig.store.proposals.find(id))?.outcome ?? '', /^expired/)
})

test('M-26 M-62 I5 revoked while the record of a collection is on its way to the disk: the answer has no signature of it', async () => {
  const { audit, arm } = afterRecordOf('proposal-signed')
  const house = await openHouse({ audit })
  const { id } = await house.open(payment(house))
  arm(() => revokeAtOnce(house.rig, 'ops'))
  const text = await (await house.ask(`/v1/proposals/${id}/collect`, {})).text()
  const view = JSON.parse(text) as { results: { status: number }[]; signatures: { signer: string }[] }
  assert.deepEqual(
    view.results.map(({ status }) => status),
    [200, 409],
  )
  assert.deepEqual(
    view.signatures.map(({ signer }) => signer),
    [house.addressOf('treasury')],
  )
  const kept = await house.rig.store.proposals.find(id)
  const hidden = kept?.signatures.find(({ key }) => key === 'ops')?.signature ?? assert.fail('nothing was collected')
  assert.ok(!text.includes(hidden))
})
