/** What a network can do to a proposal on its way, and what is told of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SignerError } from '../../../src/domain/errors.ts'
import { PROPOSAL_TIMES } from '../../../src/service/proposals/index.ts'
import { settle } from '../../support/audit-world.ts'
import { ACTOR, type House, json, openHouse, payment, refused } from '../../support/proposal-house.ts'

const logger = { warn: () => {} }

/** A proposal with all the weight it needs. */
async function ready(options: Parameters<typeof openHouse>[0] = {}, minutes = 60) {
  const house = await openHouse(options)
  const { id, hash } = await house.open(payment(house, { minutes }))
  await json(house.ask(`/v1/proposals/${id}/collect`, {}))
  const state = async () => {
    const found = await house.rig.store.proposals.find(id)
    return [found?.state, found?.outcome ?? null]
  }
  return {
    ...{ house, id, hash, ledger: house.ledger, state },
    execute: () => house.ask(`/v1/proposals/${id}/execute`, {}),
    tend: () => house.awake(house.proposals.tend(ACTOR, logger)),
    leaseEnds: () => house.rig.clock.advance(PROPOSAL_TIMES.leaseMs),
  }
}

const eventsOf = async ({ told }: House) =>
  (await told()).map(({ event }) => event).filter(event => /exec|fail/.test(event))

test('M-26 a network that is busy is asked again, with the same bytes', async () => {
  const { house, ledger, execute } = await ready()
  let busy = 3
  ledger.before = () => (busy-- > 0 ? { kind: 'try-again', afterMs: 1_000 } : undefined)
  assert.equal((await house.awake(json(execute()))).state, 'executed')
  assert.equal(ledger.submitted.length, 1)
})

test('M-26 a network that stays busy leaves it executing, and it is sent later', async () => {
  const { house, ledger, execute, state, leaseEnds, tend } = await ready()
  ledger.before = () => ({ kind: 'try-again', afterMs: 4_000 })
  const answer = await house.awake(execute())
  assert.deepEqual([answer.status, ((await answer.json()) as { state: string }).state], [202, 'executing'])
  delete ledger.before
  await tend()
  assert.deepEqual(await state(), ['executing', null])
  leaseEnds()
  await tend()
  assert.deepEqual(await state(), ['executed', 'ledger 42'])
  assert.deepEqual(await eventsOf(house), ['proposal.executed'])
})

test('M-26 what the network refuses has failed, and is not sent again', async () => {
  const { house, ledger, execute, state, hash } = await ready()
  const treasury = ledger.accounts.get(house.addressOf('treasury')) ?? assert.fail()
  ledger.accounts.set(treasury.address, { ...treasury, signers: [{ key: treasury.address, weight: 9 }] })
  const problem = await refused(house.awake(execute()))
  assert.deepEqual([problem.code, problem.status, problem['hash']], ['transaction/rejected', 422, hash])
  assert.equal(problem['reason'], 'signatures')
  assert.equal((await state())[0], 'failed')
  const again = await refused(execute())
  assert.deepEqual([again.code, /txBadAuth/.test(String(again['reason']))], ['proposal/conflict', true])
  assert.equal(ledger.submitted.length, 1)
  assert.deepEqual(await eventsOf(house), ['proposal.failed'])
  const outcomes = house.rig.refusals.map(({ errorCode, operation }) => [errorCode, operation])
  assert.deepEqual(outcomes, [
    ['transaction/rejected', 'submit'],
    ['proposal/conflict', 'submit'],
  ])
})

test('M-26 a sequence number that this very transaction has used up is no failure', async () => {
  const { house, ledger, execute } = await ready()
  let asked = 0
  ledger.before = () => {
    asked++
    return { kind: 'rejected', code: 'txBadSeq', reason: 'its sequence number is used up' }
  }
  const real = ledger.transaction
  ledger.transaction = async (found, signal) => {
    await settle()
    return ++asked > 2 ? { kind: 'success', ledger: 41 } : real(found, signal)
  }
  const done = await house.awake(json(execute()))
  assert.deepEqual([done.state, done.outcome], ['executed', 'ledger 41'])
})

test('M-26 one that somebody else has used up is, once two more ledgers do not have it', async () => {
  const { house, ledger, execute, state } = await ready()
  ledger.before = () => ({ kind: 'rejected', code: 'txBadSeq', reason: 'its sequence number is used up' })
  assert.equal((await refused(house.awake(execute()))).code, 'transaction/rejected')
  assert.deepEqual(await state(), ['failed', 'txBadSeq: its sequence number is used up'])
})

test('M-26 a network that does not answer, or answers for another transaction, ends nothing', async () => {
  const answers: Record<string, () => never | { kind: 'accepted'; hash: string }> = {
    'network/unavailable': () => {
      throw new SignerError('network/unavailable', { network: 'testnet', reason: 'it is away' })
    },
    'network/malformed': () => ({ kind: 'accepted', hash: 'f'.repeat(64) }),
  }
  for (const [code, answer] of Object.entries(answers)) {
    const { house, ledger, execute, state, leaseEnds, tend, id } = await ready()
    ledger.before = answer
    assert.equal((await refused(house.awake(execute()))).code, code)
    assert.deepEqual(await state(), ['executing', null])
    const second = await refused(execute())
    assert.deepEqual([second.code, /another request/.test(String(second['reason']))], ['proposal/conflict', true])
    assert.equal((await refused(house.ask(`/v1/proposals/${id}/cancel`))).code, 'proposal/conflict')
    leaseEnds()
    await tend() // it is away still
    assert.deepEqual(await state(), ['executing', null])
    delete ledger.before
    leaseEnds()
    const done = await house.awake(json(execute()))
    assert.equal(done.state, 'executed')
    assert.equal(ledger.submitted.length, 1)
  }
})

test('M-26 a ledger that is late is waited for elsewhere, and what has arrived is not sent again', async () => {
  const { house, ledger, execute, state, leaseEnds, tend } = await ready()
  ledger.delay = 30
  const answer = await house.awake(execute())
  assert.equal(answer.status, 202)
  leaseEnds()
  let sent = 0
  ledger.before = () => {
    sent++
    return undefined
  }
  await tend()
  assert.deepEqual(await state(), ['executed', 'ledger 42'])
  assert.deepEqual([ledger.submitted.length, sent], [1, 1])
  const settled = (await house.rig.records()).filter(
    record => record.kind === 'event' && record.event === 'proposal-settled',
  )
  assert.equal(settled.length, 1)
})

test('M-26 what can never run any more by the clock of the network has failed', async () => {
  const { house, ledger, execute, state } = await ready({}, 5)
  ledger.delay = Number.MAX_SAFE_INTEGER
  ledger.closedAt = house.rig.clock.now() + 300_001
  assert.equal((await refused(house.awake(execute()))).code, 'transaction/rejected')
  assert.deepEqual(await state(), ['failed', 'expired: its maxTime is over, and it is in no ledger'])
})

test('T43 a proposal whose envelope was changed in the store is not sent', async () => {
  const { house, ledger, execute, id } = await ready()
  const find = house.rig.store.proposals.find.bind(house.rig.store.proposals)
  const take = house.rig.store.proposals.take.bind(house.rig.store.proposals)
  const other = payment(house, { sequence: '77' }).toXDR()
  const forged = <T extends object | undefined>(found: T): T =>
    found === undefined ? found : { ...found, envelope: other }
  Object.assign(house.rig.store.proposals, {
    find: async (name: string) => forged(await find(name)),
    take: async (...given: Parameters<typeof take>) => forged(await take(...given)),
  })
  assert.equal((await refused(house.awake(execute()))).code, 'store/unavailable')
  assert.equal(ledger.submitted.length, 0)
  assert.ok(id)
})

test('M-26 with a sealed log nothing is opened for execution', async () => {
  let sealed = false
  const { house, ledger, execute, state } = await ready({
    audit: real => ({
      append: (...entries) => real.append(...entries),
      close: () => real.close(),
      get state() {
        return sealed ? ({ kind: 'sealed', reason: 'disk full' } as const) : real.state
      },
    }),
  })
  sealed = true
  assert.equal((await refused(house.awake(execute()))).code, 'audit/sealed')
  assert.deepEqual(await state(), ['collecting', null])
  assert.equal(ledger.submitted.length, 0)
})
