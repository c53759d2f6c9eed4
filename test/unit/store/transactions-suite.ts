import assert from 'node:assert/strict'
import type { Store } from '../../../src/store/store.ts'
import { withCode } from '../../support/audit-world.ts'
import { sampleEntry, samplePrepared as prepared } from './samples.ts'
import type { Testing, With } from './store-suite.ts'

const START = 1_700_000_000_000
const LEASE = START + 30_000
const at = (key: string, time = START, fingerprint = '0a'.repeat(32)) => sampleEntry({ key, at: time, fingerprint })

const signed = { hash: '22'.repeat(32), envelope: 'BBBB', by: [{ key: 'treasury', version: 2 }] }
const end = { status: 'success', ledger: 7, result: 'AAAAAQ==' } as const
const inFlight = withCode('idempotency/in-flight')

async function begun({ transactions }: Store, key: string, time = START) {
  const answer = await transactions.begin(at(key, time), time + 30_000)
  return answer.kind === 'yours' ? answer.kept : answer.kind
}

/** One transaction for each idempotency key: what every store does, whatever it is made of. */
export function transactionsSuite(name: string, using: With, test: Testing): void {
  test(`${name} M-25: a request begins once at a time, and goes on with what was prepared, signed and settled`, () =>
    using(async store => {
      const { transactions } = store
      const entry = at('one')
      assert.deepEqual(await begun(store, 'one'), { entry })
      assert.equal(await begun(store, 'one'), 'in-flight')
      assert.deepEqual(await transactions.begin(at('one', LEASE, 'ff'.repeat(32)), LEASE + 1), { kind: 'mismatch' })
      await transactions.prepare(entry, LEASE, prepared())
      await assert.rejects(transactions.prepare(entry, LEASE, prepared({ envelope: 'CCCC' })), inFlight)
      await transactions.sign(entry, LEASE, signed)
      await assert.rejects(transactions.sign(entry, LEASE, { ...signed, envelope: 'DDDD' }), inFlight)
      await transactions.settle(entry, end)
      await transactions.settle(entry, { status: 'rejected', code: 'txBadSeq', reason: 'late' })
      await transactions.release(entry, LEASE, { forget: true })
      const later = at('one', START + 1)
      const kept = { entry: later, prepared: prepared(), signed, end }
      assert.deepEqual(await transactions.begin(later, LEASE), { kind: 'yours', kept })
      assert.deepEqual(await transactions.find(signed.hash), kept)
      assert.equal(await transactions.find('33'.repeat(32)), undefined)
    }))

  test(`${name} M-25: a lease that has ended is another's, and who had it before changes nothing`, () =>
    using(async store => {
      const { transactions } = store
      await begun(store, 'two')
      assert.deepEqual(await begun(store, 'two', LEASE), { entry: at('two', LEASE) })
      await assert.rejects(transactions.prepare(at('two'), LEASE, prepared()), inFlight)
      await assert.rejects(transactions.sign(at('two'), LEASE, signed), inFlight)
      await transactions.release(at('two'), LEASE, { forget: true })
      assert.equal(await begun(store, 'two', LEASE + 1), 'in-flight')
    }))

  test(`${name} M-25: what was prepared is forgotten where nothing was signed, and only there`, () =>
    using(async store => {
      const { transactions } = store
      for (const [key, forget, stays] of [
        ['kept', false, true],
        ['gone', true, false],
      ] as const) {
        await begun(store, key)
        await transactions.prepare(at(key), LEASE, prepared())
        await transactions.release(at(key), LEASE, { forget })
        const kept = await begun(store, key, START + 1)
        assert.equal(typeof kept === 'object' && kept.prepared !== undefined, stays)
      }
    }))

  test(`${name} M-25: the log puts back what was lost, and takes back nothing that was signed or began later`, () =>
    using(async store => {
      const { transactions } = store
      await transactions.restore(at('lost'), prepared())
      await transactions.restore(at('lost', START + 5), prepared({ envelope: 'EEEE' }))
      await transactions.restore(at('lost', START + 4), prepared({ envelope: 'older' }))
      const kept = await begun(store, 'lost', START + 10)
      assert.deepEqual(kept, { entry: at('lost', START + 10), prepared: prepared({ envelope: 'EEEE' }) })
      await transactions.sign(at('lost', START + 10), START + 30_010, signed)
      await transactions.restore(at('lost', START + 20), prepared({ envelope: 'FFFF' }))
      assert.equal((await transactions.find(signed.hash))?.prepared?.envelope, 'EEEE')
    }))

  test(`${name} M-25: of two requests with one transaction the older is found; what is old is forgotten`, () =>
    using(async store => {
      const { transactions } = store
      for (const [key, time] of [
        ['younger', START + 9],
        ['older', START],
      ] as const) {
        await begun(store, key, time)
        await transactions.prepare(at(key, time), time + 30_000, prepared())
        await transactions.sign(at(key, time), time + 30_000, signed)
      }
      assert.equal((await transactions.find(signed.hash))?.entry.key, 'older')
      assert.equal(await transactions.purge(START + 1), 1)
      assert.equal((await transactions.find(signed.hash))?.entry.key, 'younger')
    }))

  test(`${name} M-25: of twenty who begin at once, one has it`, () =>
    using(async store => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => begun(store, 'race')))
      assert.equal(answers.filter(answer => typeof answer === 'object').length, 1)
    }))
}
