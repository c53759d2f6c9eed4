import assert from 'node:assert/strict'
import type { Notice } from '../../../src/domain/notices.ts'
import type { CollectedSignature, Proposal } from '../../../src/domain/proposals.ts'
import type { Store } from '../../../src/store/store.ts'
import type { Testing, With } from './store-suite.ts'

export type NewProposal = Parameters<Store['proposals']['open']>[0]

export const newProposal = (id: string, over: Partial<NewProposal> = {}): NewProposal => ({
  id,
  network: 'testnet',
  hash: id.padEnd(64, '0'),
  envelope: 'AAAA',
  summary: 'Pay 1 XLM',
  keys: ['treasury', 'ops'],
  needed: [{ account: 'GA', threshold: 2, signers: [{ key: 'GA', weight: 1 }] }],
  proposedBy: 'alice',
  proposedAt: 1_000,
  expiresAt: 9_000,
  ...over,
})

export const collected = (signer: string, over: Partial<CollectedSignature> = {}): CollectedSignature => ({
  ...{ signer, signature: `signature of ${signer}`, key: null, by: 'bob', at: 2_000 },
  ...over,
})

const notice = (id: string, at = 1_000): Notice => ({ id, event: 'proposal.opened', body: `{"id":"${id}"}`, at })
const CONFLICT = { code: 'proposal/conflict' }
const UNKNOWN = { code: 'proposal/unknown' }

/** Proposals, and what is told of them: what every store does, whatever it is made of. */
export function proposalsSuite(name: string, using: With, test: Testing): void {
  lifeSuite(name, using, test)
  endSuite(name, using, test)
  noticeSuite(name, using, test)
}

function lifeSuite(name: string, using: With, test: Testing): void {
  test(`${name} M-26: a proposal is opened, collects, is taken, settled, and frozen at every step`, () =>
    using(async ({ proposals }) => {
      await proposals.open(newProposal('p1'))
      const fresh: Proposal = {
        ...newProposal('p1'),
        ...{ signatures: [], state: 'collecting', leaseUntil: null, outcome: null },
      }
      const found = await proposals.find('p1')
      assert.deepEqual(found, fresh)
      assert.ok(Object.isFrozen(found) && Object.isFrozen(found?.needed[0]?.signers[0]) && Object.isFrozen(found?.keys))
      await proposals.collect('p1', collected('GB', { at: 3_000 }), 3_000)
      const both = await proposals.collect('p1', collected('GA', { key: 'treasury' }), 3_000)
      assert.deepEqual(both.signatures, [collected('GA', { key: 'treasury' }), collected('GB', { at: 3_000 })])
      const taken = await proposals.take('p1', { now: 4_000, leaseUntil: 5_000 })
      assert.deepEqual([taken?.state, taken?.leaseUntil], ['executing', 5_000])
      assert.equal(await proposals.take('p1', { now: 4_999, leaseUntil: 6_000 }), undefined)
      const done = await proposals.settle('p1', 5_000, { state: 'executed', outcome: 'ledger 7' })
      assert.deepEqual([done.state, done.leaseUntil, done.outcome], ['executed', null, 'ledger 7'])
      assert.deepEqual(await proposals.find('p1'), done)
      assert.equal(await proposals.take('p1', { now: 6_000, leaseUntil: 7_000 }), undefined)
    }))

  test(`${name} M-26 T64: for other keys the same transaction waits apart: nobody keeps the holders of another key from theirs`, () =>
    using(async ({ proposals }) => {
      const hash = 'e'.repeat(64)
      await proposals.open(newProposal('p1', { hash, keys: ['ops'] }))
      await proposals.open(newProposal('p2', { hash, keys: ['treasury'] }))
      await assert.rejects(proposals.open(newProposal('p3', { hash, keys: ['treasury'] })), CONFLICT)
    }))

  test(`${name} M-26: the same transaction waits once, and may come again when the other has ended`, () =>
    using(async ({ proposals }) => {
      const hash = 'f'.repeat(64)
      await proposals.open(newProposal('p1', { hash }))
      await assert.rejects(proposals.open(newProposal('p1')), CONFLICT)
      await assert.rejects(proposals.open(newProposal('p2', { hash })), { ...CONFLICT, message: /waits already/ })
      await proposals.take('p1', { now: 2_000, leaseUntil: 3_000 })
      await assert.rejects(proposals.open(newProposal('p2', { hash, proposedAt: 9_500 })), CONFLICT)
      await proposals.settle('p1', 3_000, { state: 'failed', outcome: 'tx_bad_seq' })
      await proposals.open(newProposal('p2', { hash }))
      await proposals.cancel('p2', 'by alice')
      await proposals.open(newProposal('p3', { hash }))
      const told: string[] = []
      const tell = (after: Proposal) => {
        told.push(`${after.id} ${after.state}`)
        return []
      }
      await proposals.open(newProposal('p4', { hash, proposedAt: 9_000, expiresAt: 19_000 }), tell)
      assert.deepEqual(told, ['p3 expired', 'p4 collecting'])
      assert.equal((await proposals.find('p3'))?.state, 'expired')
    }))

  test(`${name} M-26: one signature a signer, twenty in all, none when it has expired or ended`, () =>
    using(async ({ proposals }) => {
      await proposals.open(newProposal('p1'))
      const first = await proposals.collect('p1', collected('G00'), 2_000)
      assert.deepEqual(await proposals.collect('p1', collected('G00', { by: 'eve', at: 8_000 }), 2_000), first)
      await assert.rejects(proposals.collect('p1', collected('G00', { signature: 'another' }), 2_000), CONFLICT)
      for (let n = 1; n < 20; n++) await proposals.collect('p1', collected(`G${n}`), 2_000)
      await assert.rejects(proposals.collect('p1', collected('G20'), 2_000), { ...CONFLICT, message: /no room/ })
      await proposals.open(newProposal('p2'))
      await assert.rejects(proposals.collect('p2', collected('GA'), 9_000), { ...CONFLICT, message: /expired/ })
      await proposals.cancel('p2', 'by alice')
      await assert.rejects(proposals.collect('p2', collected('GA'), 2_000), { ...CONFLICT, message: /by alice/ })
      await assert.rejects(proposals.collect('p9', collected('GA'), 2_000), UNKNOWN)
    }))

  test(`${name} M-26: they are listed the newest first, by state, page by page`, () =>
    using(async ({ proposals }) => {
      for (const [id, proposedAt] of [
        ['p1', 1_000],
        ['p3', 2_000],
        ['p2', 2_000],
        ['p4', 3_000],
      ] as const) {
        await proposals.open(newProposal(id, { proposedAt }))
      }
      await proposals.collect('p4', collected('GA'), 3_000)
      await proposals.cancel('p2', 'done')
      const ids = async (options: Parameters<typeof proposals.list>[0]) =>
        (await proposals.list(options)).map(({ id }) => id)
      assert.deepEqual(await ids({ limit: 9 }), ['p4', 'p2', 'p3', 'p1'])
      assert.deepEqual(await ids({ limit: 2 }), ['p4', 'p2'])
      assert.deepEqual(await ids({ limit: 2, after: { proposedAt: 2_000, id: 'p2' } }), ['p3', 'p1'])
      assert.deepEqual(await ids({ limit: 9, state: 'collecting' }), ['p4', 'p3', 'p1'])
      assert.deepEqual(await ids({ limit: 9, state: 'collecting', after: { proposedAt: 3_000, id: 'p4' } }), [
        'p3',
        'p1',
      ])
      assert.equal((await proposals.list({ limit: 1 }))[0]?.signatures.length, 1)
    }))
}

function endSuite(name: string, using: With, test: Testing): void {
  test(`${name} M-26: a lease that has ended is taken again, and who had it before settles nothing`, () =>
    using(async ({ proposals }) => {
      await proposals.open(newProposal('p1'))
      assert.equal(await proposals.take('p9', { now: 1, leaseUntil: 2 }), undefined)
      await proposals.take('p1', { now: 2_000, leaseUntil: 3_000 })
      assert.deepEqual(await proposals.abandoned(2_999, 9), [])
      assert.deepEqual(await proposals.abandoned(3_000, 9), ['p1'])
      await assert.rejects(proposals.cancel('p1', 'x'), { ...CONFLICT, message: /executing/ })
      await assert.rejects(proposals.collect('p1', collected('GA'), 2_500), CONFLICT)
      // Its own end does not count once it is on its way.
      const again = await proposals.take('p1', { now: 9_500, leaseUntil: 9_900 })
      assert.equal(again?.leaseUntil, 9_900)
      const end = { state: 'executed', outcome: 'ledger 1' } as const
      await assert.rejects(proposals.settle('p1', 3_000, end), { ...CONFLICT, message: /another process/ })
      assert.equal((await proposals.settle('p1', 9_900, end)).state, 'executed')
      await assert.rejects(proposals.settle('p1', 9_900, end), { ...CONFLICT, message: /ledger 1/ })
      await assert.rejects(proposals.settle('p9', 1, end), UNKNOWN)
      await assert.rejects(proposals.cancel('p1', 'x'), CONFLICT)
      await assert.rejects(proposals.cancel('p9', 'x'), UNKNOWN)
    }))

  test(`${name} M-26: what has expired ends once, is not taken, and is forgotten later`, () =>
    using(async ({ proposals }) => {
      await proposals.open(newProposal('p1'))
      await proposals.collect('p1', collected('GA'), 2_000)
      await proposals.open(newProposal('p2', { expiresAt: 9_500 }))
      await proposals.open(newProposal('p3', { expiresAt: 8_000 }))
      await proposals.take('p3', { now: 2_000, leaseUntil: 3_000 })
      assert.equal(await proposals.take('p1', { now: 9_000, leaseUntil: 9_900 }), undefined)
      const told: string[] = []
      const tell = ({ id, state }: Proposal) => {
        told.push(`${id} ${state}`)
        return []
      }
      assert.deepEqual(
        (await proposals.expire(9_000, 9, tell)).map(({ id }) => id),
        ['p1'],
      )
      assert.deepEqual(await proposals.expire(9_000, 9, tell), [])
      assert.deepEqual(told, ['p1 expired'])
      assert.equal(await proposals.purge(9_000), 0)
      assert.equal(await proposals.purge(10_000), 1) // p2 collects, p3 executes
      assert.equal(await proposals.find('p1'), undefined)
      assert.equal((await proposals.list({ limit: 9 })).length, 2)
    }))
}

function noticeSuite(name: string, using: With, test: Testing): void {
  test(`${name} M-26: a notice is written with its change or not at all, handed out until it ends, and once at a time`, () =>
    using(async ({ proposals, notices }) => {
      await proposals.open(newProposal('p1'), ({ id }) => [notice(`n-${id}`), notice('n-later', 5_000)])
      const broken = () => {
        throw new Error('cannot say')
      }
      await assert.rejects(proposals.cancel('p1', 'x', broken))
      await assert.rejects(
        proposals.collect('p9', collected('GA'), 2_000, () => [notice('n-never')]),
        UNKNOWN,
      )
      assert.deepEqual(await notices.take(999, 2_000, 9), [])
      assert.deepEqual(await notices.take(1_000, 2_000, 9), [{ ...notice('n-p1'), tries: 1 }])
      assert.deepEqual(await notices.take(1_999, 3_000, 9), [])
      assert.deepEqual(await notices.take(2_000, 3_000, 9), [{ ...notice('n-p1'), tries: 2 }])
      await notices.postpone('n-p1', 9_000)
      assert.deepEqual(
        (await notices.take(9_000, 9_500, 1)).map(({ id }) => id),
        ['n-later'],
      )
      assert.deepEqual(await notices.take(9_000, 9_500, 9), [{ ...notice('n-p1'), tries: 3 }])
      // The same happening told again, while it waits: one notice.
      await proposals.collect('p1', collected('GA'), 2_000, () => [notice('n-p1')])
      await notices.end('n-later')
      assert.deepEqual(
        (await notices.take(99_000, 99_500, 9)).map(({ id }) => id),
        ['n-p1'],
      )
      await notices.end('n-p1')
      await notices.end('n-p1')
      assert.deepEqual(await notices.take(999_000, 999_500, 9), [])
      // A signature that was there already tells nothing.
      await proposals.collect('p1', collected('GA'), 2_000, () => [notice('n-again')])
      assert.deepEqual(await notices.take(999_000, 999_500, 9), [])
    }))
}
