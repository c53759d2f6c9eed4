import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import type { Claims, SlotClaim, SpendClaim } from '../../../src/domain/claims.ts'
import { sampleEntry } from './samples.ts'
import type { Testing, With } from './store-suite.ts'

const HOUR = 3_600_000
const MINUTE = HOUR / 60
const START = 1_700_000_000_000 - (1_700_000_000_000 % HOUR)

export const spendOf = (amount: bigint, over: Partial<SpendClaim> = {}): SpendClaim => ({
  ...{ counter: 'treasury/daily/XLM', amount, limit: 100n, windowMs: HOUR, rule: 'daily' },
  ...over,
})
export const spends = (...claims: readonly SpendClaim[]): Claims => ({ spends: claims })
const slotOf = (over: Partial<SlotClaim> = {}): SlotClaim => ({
  ...{ slot: 'stellar testnet GA 7', hash: 'aa', effects: 'e1', fee: 100n },
  ...over,
})
const at = (key: string, time: number) => sampleEntry({ key, at: time })

/** Spend windows and places on the chain: what every store does, whatever it is made of. */
export function claimsSuite(name: string, using: With, test: Testing): void {
  windowSuite(name, using, test)
  ownerSuite(name, using, test)
  slotSuite(name, using, test)
  claimsModel(name, using, test)
}

function windowSuite(name: string, using: With, test: Testing): void {
  test(`${name}: a window takes what fits, says what is used and when there is room again`, () =>
    using(async ({ claims }) => {
      assert.deepEqual(await claims.claim(at('a', START), spends(spendOf(60n))), { kind: 'claimed' })
      assert.deepEqual(await claims.claim(at('b', START + 10 * MINUTE), spends(spendOf(40n))), { kind: 'claimed' })
      const more = spendOf(1n)
      assert.deepEqual(await claims.claim(at('c', START + 20 * MINUTE), spends(more)), {
        ...{ kind: 'exceeded', claim: more, used: 100n },
        freeAtMs: START + MINUTE + HOUR,
      })
      const much = spendOf(61n)
      assert.deepEqual(await claims.claim(at('c', START + 20 * MINUTE), spends(much)), {
        ...{ kind: 'exceeded', claim: much, used: 100n },
        freeAtMs: START + 11 * MINUTE + HOUR,
      })
      const never = spendOf(101n)
      assert.deepEqual(await claims.claim(at('c', START), spends(never)), {
        ...{ kind: 'exceeded', claim: never, used: 100n },
      })
      const counters = [
        { counter: 'treasury/daily/XLM', windowMs: HOUR },
        { counter: 'other', windowMs: HOUR },
      ]
      assert.deepEqual(await claims.used(counters, START + 20 * MINUTE), [100n, 0n])
      assert.deepEqual(await claims.used(counters, START + HOUR + MINUTE - 1), [100n, 0n])
      assert.deepEqual(await claims.used(counters, START + HOUR + MINUTE), [40n, 0n])
      assert.deepEqual(await claims.claim(at('c', START + HOUR + MINUTE), spends(spendOf(60n))), { kind: 'claimed' })
    }))

  test(`${name}: all or nothing over several counters, and each limit holds for the sum on its counter`, () =>
    using(async ({ claims }) => {
      const two = spends(spendOf(50n), spendOf(50n, { counter: 'other', limit: 49n }))
      assert.equal((await claims.claim(at('a', START), two)).kind, 'exceeded')
      assert.deepEqual(await claims.used([{ counter: 'treasury/daily/XLM', windowMs: HOUR }], START), [0n])
      const split = spends(spendOf(60n), spendOf(60n))
      assert.equal((await claims.claim(at('a', START), split)).kind, 'exceeded')
      const strict = spends(spendOf(60n, { limit: 1000n }), spendOf(60n))
      assert.equal((await claims.claim(at('a', START), strict)).kind, 'exceeded')
      assert.deepEqual(await claims.claim(at('a', START), spends(spendOf(60n), spendOf(40n))), { kind: 'claimed' })
      assert.deepEqual(await claims.claim(at('b', START), spends()), { kind: 'claimed' })
    }))

  test(`${name}: amounts of 256 bits are counted to the unit`, () =>
    using(async ({ claims }) => {
      const most = 2n ** 256n - 1n
      const wei = (amount: bigint) => spends(spendOf(amount, { limit: most }))
      assert.equal((await claims.claim(at('a', START), wei(most - 1n))).kind, 'claimed')
      assert.equal((await claims.claim(at('b', START), wei(2n))).kind, 'exceeded')
      assert.equal((await claims.claim(at('b', START), wei(1n))).kind, 'claimed')
      assert.deepEqual(await claims.used([{ counter: 'treasury/daily/XLM', windowMs: HOUR }], START), [most])
    }))

  test(`${name}: a window that is made longer or shorter goes on with what was spent`, () =>
    using(async ({ claims }) => {
      await claims.claim(at('a', START), spends(spendOf(60n)))
      await claims.claim(at('b', START + HOUR / 2), spends(spendOf(40n)))
      const day = spendOf(1n, { windowMs: 24 * HOUR })
      assert.equal((await claims.claim(at('c', START + 2 * HOUR), spends(day))).kind, 'exceeded')
      const short = spendOf(61n, { windowMs: 10 * MINUTE })
      assert.equal((await claims.claim(at('c', START + 35 * MINUTE), spends(short))).kind, 'exceeded')
      assert.equal((await claims.claim(at('c', START + 41 * MINUTE), spends(short))).kind, 'claimed')
    }))

  test(`${name}: a clock that goes back frees nothing, and one that jumps ahead forgets nothing`, () =>
    using(async ({ claims }) => {
      await claims.claim(at('a', START), spends(spendOf(100n)))
      assert.equal((await claims.claim(at('b', START - 5 * HOUR), spends(spendOf(1n)))).kind, 'exceeded')
      assert.equal((await claims.claim(at('b', START + 1.5 * HOUR), spends(spendOf(1n)))).kind, 'claimed')
      assert.equal((await claims.claim(at('c', START + 1), spends(spendOf(1n)))).kind, 'exceeded')
    }))

  test(`${name}: what cannot be counted is undecided, never signed`, () =>
    using(async ({ claims }) => {
      for (const bad of [
        spends(spendOf(-1n)),
        spends(spendOf(1n, { limit: -1n })),
        spends(spendOf(1n, { windowMs: 0 })),
        spends(spendOf(1n, { windowMs: 1.5 })),
        spends(spendOf(1n, { counter: '' })),
        { spends: [], slot: slotOf({ hash: '' }) },
        { spends: [], slot: slotOf({ slot: '' }) },
        { spends: [], slot: slotOf({ effects: '' }) },
        { spends: [], slot: slotOf({ fee: -1n }) },
      ]) {
        await assert.rejects(claims.claim(at('a', START), bad), { code: 'policy/undecided' })
        await assert.rejects(claims.restore(at('a', START), bad), { code: 'policy/undecided' })
      }
    }))

  test(`${name}: purge forgets what counts for nobody any more`, () =>
    using(async ({ claims }) => {
      await claims.claim(at('a', START), { ...spends(spendOf(60n)), slot: slotOf() })
      assert.equal(await claims.purge(START), 0)
      assert.equal(await claims.purge(START + 1), 2) // the claim and its place
      assert.deepEqual(await claims.used([{ counter: 'treasury/daily/XLM', windowMs: HOUR }], START), [60n])
      assert.equal(await claims.purge(START + 3 * HOUR), 1)
      assert.deepEqual(await claims.used([{ counter: 'treasury/daily/XLM', windowMs: HOUR }], START), [0n])
    }))
}

function ownerSuite(name: string, using: With, test: Testing): void {
  const used = [{ counter: 'treasury/daily/XLM', windowMs: HOUR }]

  test(`${name} T58: a retry of the same entry is not counted twice, another entry is`, () =>
    using(async ({ claims }) => {
      for (let n = 0; n < 5; n++) {
        assert.equal((await claims.claim(at('a', START + n), spends(spendOf(60n)))).kind, 'claimed')
      }
      assert.deepEqual(await claims.used(used, START), [60n])
      assert.equal((await claims.claim(at('b', START), spends(spendOf(41n)))).kind, 'exceeded')
      const reused = sampleEntry({ key: 'a', fingerprint: 'b'.repeat(64), at: START })
      assert.equal((await claims.claim(reused, spends(spendOf(41n)))).kind, 'exceeded')
      assert.equal((await claims.claim(reused, spends(spendOf(40n)))).kind, 'claimed')
      assert.deepEqual(await claims.used(used, START), [100n])
    }))

  test(`${name}: what was not signed is free again, and only that`, () =>
    using(async ({ claims }) => {
      await claims.claim(at('a', START), { ...spends(spendOf(60n)), slot: slotOf() })
      await claims.claim(at('b', START), spends(spendOf(40n)))
      await claims.drop(at('c', START))
      await claims.drop(at('a', START + 1)) // of another reservation
      assert.deepEqual(await claims.used(used, START), [100n])
      await claims.drop(at('a', START))
      await claims.drop(at('a', START))
      assert.deepEqual(await claims.used(used, START), [40n])
      const other = slotOf({ hash: 'bb', effects: 'e2' })
      assert.equal((await claims.claim(at('d', START), { spends: [], slot: other })).kind, 'claimed')
    }))

  test(`${name} T57: what an earlier reservation left behind stays taken, for a signature may exist`, () =>
    using(async ({ claims }) => {
      await claims.claim(at('a', START), { ...spends(spendOf(60n)), slot: slotOf() })
      // That process died. The retry claims the same again, and fails before it signs.
      assert.equal(
        (await claims.claim(at('a', START + 1), { ...spends(spendOf(60n)), slot: slotOf() })).kind,
        'claimed',
      )
      await claims.drop(at('a', START + 1))
      assert.deepEqual(await claims.used(used, START), [60n])
      const other = slotOf({ hash: 'bb', effects: 'e2' })
      assert.deepEqual(await claims.claim(at('d', START), { spends: [], slot: other }), {
        ...{ kind: 'taken', slot: other.slot, hash: 'aa' },
      })
    }))

  test(`${name}: restore writes what the log holds, beyond the limit too, and once`, () =>
    using(async ({ claims }) => {
      for (let n = 0; n < 3; n++) await claims.restore(at('a', START), { ...spends(spendOf(150n)), slot: slotOf() })
      assert.deepEqual(await claims.used(used, START), [150n])
      assert.equal((await claims.claim(at('b', START), spends(spendOf(1n)))).kind, 'exceeded')
      const other = slotOf({ hash: 'bb', effects: 'e2' })
      assert.equal((await claims.claim(at('b', START), { spends: [], slot: other })).kind, 'taken')
      await claims.drop(at('a', START)) // the log goes on to say that nothing was signed
      assert.deepEqual(await claims.used(used, START), [0n])
      assert.equal((await claims.claim(at('b', START + 5), spends(spendOf(1n)))).kind, 'claimed')
      await claims.restore(at('b', START), spends(spendOf(50n))) // older than what is there
      assert.deepEqual(await claims.used(used, START), [1n])
    }))
}

function slotSuite(name: string, using: With, test: Testing): void {
  const take = (over: Partial<SlotClaim>): Claims => ({ spends: [], slot: slotOf(over) })

  test(`${name} D14: what has expired holds no place ten minutes later; what has no end keeps it`, () =>
    using(async ({ claims }) => {
      const end = START + 60_000
      await claims.claim(at('a', START), take({ expiresAt: end }))
      const other = take({ hash: 'bb', effects: 'e2' })
      assert.equal((await claims.claim(at('b', end + 600_000), other)).kind, 'taken')
      assert.equal((await claims.claim(at('b', end + 600_001), other)).kind, 'claimed')
      const third = take({ hash: 'cc', effects: 'e3', fee: 900n })
      assert.equal((await claims.claim(at('c', end + 900_000_000), third)).kind, 'taken')
    }))

  test(`${name}: one transaction for a place; a replacement has the same effects and pays more`, () =>
    using(async ({ claims }) => {
      const taken = { kind: 'taken', slot: slotOf().slot, hash: 'aa' }
      assert.deepEqual(await claims.claim(at('a', START), take({})), { kind: 'claimed' })
      assert.deepEqual(await claims.claim(at('b', START), take({})), { kind: 'claimed' }) // the very same
      assert.deepEqual(await claims.claim(at('c', START), take({ hash: 'bb', effects: 'e2', fee: 900n })), taken)
      assert.deepEqual(await claims.claim(at('c', START), take({ hash: 'bb', fee: 100n })), taken)
      assert.deepEqual(await claims.claim(at('c', START), take({ hash: 'bb', fee: 99n })), taken)
      assert.deepEqual(await claims.claim(at('c', START), take({ hash: 'bb', fee: 101n })), { kind: 'claimed' })
      assert.deepEqual(await claims.claim(at('d', START), take({ hash: 'cc', fee: 101n })), { ...taken, hash: 'bb' })
      assert.deepEqual(await claims.claim(at('d', START), take({ slot: 'elsewhere', hash: 'cc' })), { kind: 'claimed' })
    }))

  test(`${name}: a replacement that was not signed leaves the place to the transaction before it`, () =>
    using(async ({ claims }) => {
      await claims.claim(at('a', START), take({}))
      await claims.claim(at('b', START), take({ hash: 'bb', fee: 200n }))
      await claims.drop(at('b', START))
      assert.deepEqual(await claims.claim(at('c', START), take({ hash: 'cc', effects: 'e2', fee: 900n })), {
        ...{ kind: 'taken', slot: slotOf().slot, hash: 'aa' },
      })
      assert.equal((await claims.claim(at('c', START), take({ hash: 'dd', fee: 150n }))).kind, 'claimed')
    }))

  test(`${name}: a place that is taken takes no room from a window, and a full window takes no place`, () =>
    using(async ({ claims }) => {
      await claims.claim(at('a', START), take({}))
      const both = { ...spends(spendOf(60n)), slot: slotOf({ hash: 'bb', effects: 'e2' }) }
      assert.equal((await claims.claim(at('b', START), both)).kind, 'taken')
      assert.deepEqual(await claims.used([{ counter: 'treasury/daily/XLM', windowMs: HOUR }], START), [0n])
      const full = { ...spends(spendOf(101n)), slot: slotOf({ slot: 'elsewhere' }) }
      assert.equal((await claims.claim(at('b', START), full)).kind, 'exceeded')
      assert.equal((await claims.claim(at('c', START), take({ slot: 'elsewhere', effects: 'e9' }))).kind, 'claimed')
    }))
}

/** Every claim that was taken, and sums over them: the rules once more, without buckets that merge. */
function claimsModel(name: string, using: With, test: Testing): void {
  const step = fc.record({
    verb: fc.constantFrom('claim', 'claim', 'claim', 'drop'),
    key: fc.constantFrom('a', 'b', 'c', 'd'),
    counter: fc.constantFrom('x', 'y'),
    amount: fc.bigInt(0n, 60n),
    windowMs: fc.constantFrom(60_000, 90_000),
    wait: fc.integer({ min: -20_000, max: 40_000 }),
  })
  type Taken = { counter: string; amount: bigint; until: number; at: number; held: boolean }

  test(`${name}: any sequence of claims behaves as the rules say, and no window ever holds more than its cap (fast-check)`, () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), steps =>
        using(async ({ claims }) => {
          const held = new Map<string, Taken>()
          let now = START
          for (const { verb, key, counter, amount, windowMs, wait } of steps) {
            now += wait
            const before = held.get(key)
            if (verb === 'drop') {
              if (before === undefined) continue
              await claims.drop(at(key, before.at))
              if (!before.held) held.delete(key)
              continue
            }
            const width = windowMs / 60
            const until = (Math.floor(now / width) + 1) * width
            const others = [...held].filter(([owner, each]) => owner !== key && each.counter === counter)
            const used = others
              .filter(([, each]) => each.until > now - windowMs)
              .reduce((sum, [, each]) => sum + each.amount, 0n)
            const answer = await claims.claim(at(key, now), spends(spendOf(amount, { counter, windowMs })))
            assert.equal(answer.kind, used + amount <= 100n ? 'claimed' : 'exceeded')
            if (answer.kind === 'exceeded') assert.equal(answer.used, used)
            else
              held.set(key, {
                counter,
                amount,
                until,
                at: now,
                held: before !== undefined && (before.held || before.at !== now),
              })
          }
          const all = [
            { counter: 'x', windowMs: 90_000 },
            { counter: 'y', windowMs: 60_000 },
          ]
          const expected = all.map(({ counter, windowMs }) =>
            [...held.values()]
              .filter(each => each.counter === counter && each.until > now - windowMs)
              .reduce((sum, { amount }) => sum + amount, 0n),
          )
          assert.deepEqual(await claims.used(all, now), expected)
        }),
      ),
      { numRuns: 100 },
    ))
}
