import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { bucketOf, BUCKETS, isChosen } from '../../../src/routing/bucket.ts'
import { differenceOf } from '../../../src/routing/flag-set.ts'
import {
  type FlagSet,
  flagFor,
  hashOfFlags,
  NO_FLAGS,
  readFlag,
  readFlagSet,
  targetsOf,
  withRule,
} from '../../../src/routing/index.ts'
import { withCode } from '../../support/audit-world.ts'

const drawn = (n: number) => ({ scope: 'payments', key: 'treasury', idempotencyKey: `order-${n}` })

test('M-10 values of a flag: what each mode takes, and what is refused', () => {
  const good: unknown[] = [
    { mode: 'off' },
    { mode: 'shadow', target: 'aws-kms' },
    { mode: 'canary', target: 'b_1', percent: 0 },
    { mode: 'canary', target: 'b_1', percent: 33.33 },
    { mode: 'canary', target: 'b_1', percent: 0.07 },
    { mode: 'canary', target: 'b_1', percent: 100 },
    { mode: 'on', target: 'vault' },
    { mode: 'fail-over', order: ['aws-kms', 'vault'] },
  ]
  for (const value of good) assert.deepEqual(readFlag(value), value)
  const bad: unknown[] = [
    ...[undefined, null, 'on', 1, [], {}, { mode: 'ON' }, { mode: 'half' }],
    ...[{ mode: 'off', target: 'x' }, { mode: 'on' }, { mode: 'shadow', target: '' }, { mode: 'on', target: '../x' }],
    ...[-1, -0.01, 100.01, 101, Number.NaN, Number.POSITIVE_INFINITY, '5', 1.005, 0.001].map(percent => ({
      mode: 'canary',
      target: 'x',
      percent,
    })),
    ...[[], ['a', 'a'], 'a', [1], Array.from({ length: 9 }, (_, n) => `p${n}`)].map(order => ({
      mode: 'fail-over',
      order,
    })),
  ]
  for (const value of bad) assert.throws(() => readFlag(value), withCode('config/invalid'), JSON.stringify(value))
  assert.deepEqual(
    good.map(value => targetsOf(readFlag(value)).length),
    [0, 1, 1, 1, 1, 1, 1, 2],
  )
})

test('M-10 rules: the first that fits decides, by environment, key and caller; none means off', () => {
  const set = readFlagSet({
    version: 1,
    rules: [
      { key: 'treasury', caller: 'batch', flag: { mode: 'on', target: 'vault' } },
      { key: 'treasury', flag: { mode: 'on', target: 'aws-kms' } },
      { environment: 'staging', flag: { mode: 'shadow', target: 'vault' } },
    ],
  })
  const flag = (environment: string, key: string, caller: string) => {
    const found = flagFor(set, { environment, key, caller })
    return found.mode === 'off' ? 'off' : targetsOf(found).join()
  }
  assert.deepEqual(
    [flag('staging', 'treasury', 'batch'), flag('staging', 'treasury', 'web'), flag('staging', 'x', 'web')],
    ['vault', 'aws-kms', 'vault'],
  )
  assert.equal(flag('production', 'x', 'web'), 'off')
  for (const value of [
    {},
    { version: 2, rules: [] },
    { version: 1, rules: [{ flag: { mode: 'x' } }] },
    { version: 1 },
  ]) {
    assert.throws(() => readFlagSet(value), withCode('config/invalid'))
  }
  const many = Array.from({ length: 1001 }, () => ({ flag: { mode: 'off' } }))
  assert.throws(() => readFlagSet({ version: 1, rules: many }), withCode('config/invalid'))
  assert.throws(
    () => readFlagSet({ version: 1, rules: [{ keys: 'x', flag: { mode: 'off' } }] }),
    withCode('config/invalid'),
  )
})

test('M-10 a rule takes the place of the one with the same members, and stands before wider ones', () => {
  const on = (target: string) => ({ mode: 'on', target }) as const
  let set: FlagSet = NO_FLAGS
  set = withRule(set, { flag: on('a') })
  set = withRule(set, { key: 'treasury', flag: on('b') })
  set = withRule(set, { key: 'treasury', caller: 'batch', flag: on('c') })
  set = withRule(set, { key: 'treasury', flag: on('d') })
  set = withRule(set, { environment: 'staging', flag: on('e') })
  assert.deepEqual(
    set.rules.map(({ flag }) => targetsOf(flag)[0]),
    ['c', 'd', 'e', 'a'],
  )
  const before = readFlagSet(JSON.parse(JSON.stringify(set)))
  assert.equal(hashOfFlags(before), hashOfFlags(set), 'the spelling does not count')
  const after = withRule(set, { key: 'treasury', flag: on('f') })
  assert.notEqual(hashOfFlags(after), hashOfFlags(set))
  const { gone, came } = differenceOf(set, after)
  assert.deepEqual(
    [JSON.parse(gone), JSON.parse(came)],
    [[{ key: 'treasury', flag: on('d') }], [{ key: 'treasury', flag: on('f') }]],
  )
  const turned = { ...set, rules: set.rules.toReversed() }
  assert.equal(JSON.parse(differenceOf(set, turned).came).length, 4, 'another order is shown whole')
})

test('M-10 canary: a higher percentage only adds, a retry stays where it was, and the salt changes the draw', () => {
  const percents = fc.integer({ min: 0, max: BUCKETS }).map(hundredths => hundredths / 100)
  const words = fc.string({ maxLength: 40 })
  const property = fc.property(
    words,
    words,
    words,
    words,
    percents,
    percents,
    (salt, scope, key, idempotencyKey, p, q) => {
      const request = { scope, key, idempotencyKey }
      const [low, high] = p < q ? [p, q] : [q, p]
      assert.ok(!isChosen(low, salt, request) || isChosen(high, salt, request))
      assert.equal(isChosen(p, salt, request), isChosen(p, salt, { ...request }))
      assert.ok(isChosen(100, salt, request) && !isChosen(0, salt, request))
    },
  )
  fc.assert(property, { numRuns: 500 })
  const both = Array.from({ length: 4000 }, (_, n) => isChosen(50, 'one', drawn(n)) === isChosen(50, 'two', drawn(n)))
  const same = both.filter(Boolean).length / both.length
  assert.ok(same > 0.45 && same < 0.55, `${same} of the requests fall alike under two salts`)
  // What belongs to one field does not slide into the next.
  assert.notEqual(
    bucketOf('s', { scope: 'a', key: 'bc', idempotencyKey: 'd' }),
    bucketOf('s', { scope: 'ab', key: 'c', idempotencyKey: 'd' }),
  )
})

test('M-10 canary: uniform over the buckets (chi squared, 100 classes of 20,000 draws)', () => {
  const draws = 20_000
  const classes = Array.from({ length: 100 }, () => 0)
  for (let n = 0; n < draws; n++) {
    const at = Math.floor(bucketOf('countersign-route', drawn(n)) / 100)
    classes[at] = (classes[at] ?? 0) + 1
  }
  const wanted = draws / 100
  const chi = classes.reduce((sum, found) => sum + (found - wanted) ** 2 / wanted, 0)
  assert.ok(chi < 149 && chi > 60, `chi squared ${chi}: 99 degrees of freedom, p = 0.001 is 148.2`)
  for (const percent of [0.5, 1, 10, 33.33, 90]) {
    const chosen = Array.from({ length: draws }, (_, n) => isChosen(percent, 'f', drawn(n))).filter(Boolean).length
    const sigma = Math.sqrt((draws * percent * (100 - percent)) / 10_000)
    assert.ok(Math.abs(chosen - (draws * percent) / 100) < 4 * sigma, `${percent} % gave ${chosen}`)
  }
})
