import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  type ConstraintJudges,
  type Constraints,
  rateOf,
  readConstraints,
  type SigningFacts,
  withinConstraints,
  withinPlace,
} from '../../../src/access/constraints.ts'
import { isSignerError } from '../../../src/domain/errors.ts'

const read = (value: unknown, judges?: ConstraintJudges): Constraints => {
  const answer = readConstraints(value, judges)
  assert.ok('constraints' in answer, JSON.stringify(answer))
  return answer.constraints
}

const full = {
  cidrs: ['10.0.0.0/8', '2001:db8::/32'],
  limit: 10,
  maxValue: { 'USDC:GA5ZSEJYB37JRC5AVCIA5MOP4RHTM335X2KGX3IHOJAPP5RE34K4KZVN': '25000000', native: '0' },
  networks: ['stellar:pubnet'],
  operations: ['evm-transaction', 'payment'],
  window: { days: ['mon'], zone: 'Europe/Berlin' },
}

const judges: ConstraintJudges = {
  isBlock: cidr => cidr.includes('/'),
  inBlocks: (cidrs, peer) => cidrs.includes('10.0.0.0/8') && peer.startsWith('10.'),
  isWindow: window => window !== null && typeof window === 'object',
  inWindow: (_, now) => now < 1000,
}

const facts: SigningFacts = {
  network: 'stellar:pubnet',
  operations: ['payment', 'payment'],
  outgoing: new Map([['USDC:GA5ZSEJYB37JRC5AVCIA5MOP4RHTM335X2KGX3IHOJAPP5RE34K4KZVN', 25_000_000n]]),
  peer: '10.1.2.3',
  now: 999,
}

test('constraints D18: a canonical object is read, amounts as integers, frozen', () => {
  const constraints = read(full, judges)
  assert.deepEqual(constraints.networks, ['stellar:pubnet'])
  assert.equal(constraints.maxValue?.get('native'), 0n)
  assert.equal(constraints.maxValue?.size, 2)
  assert.ok(Object.isFrozen(constraints))
  assert.deepEqual(read({ maxValue: {} }).maxValue, new Map())
  assert.deepEqual(read({ limit: 1 }), { limit: 1 })
})

test('constraints D18: anything that is not canonical, or not known, is refused', () => {
  const bad: readonly unknown[] = [
    ...[null, undefined, 'x', 5, true, [], {}, [full], { network: 'x' }, { ...full, admin: true }],
    { networks: ['a'], limit: 1 }, // not in the order of RFC 8785
    { maxValue: { b: '1', a: '1' } },
    ...[[], 'a', [5], [''], ['a b'], ['b', 'a'], ['a', 'a'], ['é'], ['x'.repeat(129)], [['a']], null].map(networks => ({
      networks,
    })),
    ...[[], ['pay ment'], ['1a'], ['*'], ['b', 'a'], ['x'.repeat(65)], {}].map(operations => ({ operations })),
    { operations: Array.from({ length: 65 }, (_, n) => `o${String(n).padStart(2, '0')}`) },
    ...['1', [], null, { a: 1 }, { a: '' }, { a: '01' }, { a: '-1' }, { a: '1.5' }, { a: '1e3' }, { a: '+1' }].map(
      maxValue => ({ maxValue }),
    ),
    ...[{ '': '1' }, { 'a b': '1' }, { a: '9'.repeat(79) }, { a: null }].map(maxValue => ({ maxValue })),
    { maxValue: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`a${String(n).padStart(2, '0')}`, '1'])) },
    ...[[], ['everywhere'], ['b/1', 'a/1'], [7]].map(cidrs => ({ cidrs })),
    ...[null, 'always', { text: 'x'.repeat(1024) }].map(window => ({ window })),
    ...[0, -1, 1.5, '10', null, 1_000_001, Number.NaN].map(limit => ({ limit })),
  ]
  for (const value of bad) assert.ok('problem' in readConstraints(value, judges), JSON.stringify(value))
  const throwing = { isBlock: () => assert.fail(), isWindow: () => assert.fail() }
  assert.ok('problem' in readConstraints({ cidrs: ['a/1'] }, throwing))
  assert.ok('problem' in readConstraints({ window: {} }, throwing))
})

const outcome = (
  constraints: Constraints | undefined,
  over: Partial<SigningFacts> = {},
  by: ConstraintJudges = judges,
): string => {
  try {
    withinConstraints(constraints === undefined ? {} : { constraints }, { ...facts, ...over }, by)
    return 'ok'
  } catch (error) {
    assert.ok(isSignerError(error) && error.code === 'access/denied' && error.detail.action === 'sign')
    return error.detail.reason.split(':')[0] ?? ''
  }
}

test('constraints D18: each holds, and the refusal names it', () => {
  const constraints = read(full, judges)
  const usdc = [...(facts.outgoing?.keys() ?? [])][0] ?? ''
  const cases: readonly (readonly [Partial<SigningFacts>, string])[] = [
    [{}, 'ok'],
    [{ network: 'stellar:testnet' }, 'networks'],
    [{ network: '' }, 'networks'],
    [{ operations: ['payment', 'setOptions'] }, 'operations'],
    [{ operations: ['Payment'] }, 'operations'],
    [{ operations: [] }, 'operations'],
    [{ operations: ['constructor'] }, 'operations'],
    [{ outgoing: new Map() }, 'ok'],
    [{ outgoing: new Map([[usdc, 25_000_001n]]) }, 'maxValue'],
    [{ outgoing: new Map([[usdc, -1n]]) }, 'maxValue'],
    [{ outgoing: new Map([['native', 0n]]) }, 'ok'],
    [{ outgoing: new Map([['native', 1n]]) }, 'maxValue'],
    [{ outgoing: new Map([['other', 1n]]) }, 'maxValue'],
    [{ outgoing: new Map([['other', 0n]]) }, 'ok'],
    [
      {
        outgoing: new Map([
          [usdc, 1n],
          ['other', 1n],
        ]),
      },
      'maxValue',
    ],
    [{ outgoing: undefined }, 'maxValue'],
    [{ peer: '192.0.2.1' }, 'cidrs'],
    [{ peer: '' }, 'cidrs'],
    [{ now: 1000 }, 'window'],
  ]
  for (const [over, expected] of cases)
    assert.equal(
      outcome(constraints, over),
      expected,
      JSON.stringify(over, (_, v) => (typeof v === 'bigint' ? `${v}` : v instanceof Map ? [...v] : v)),
    )
  assert.equal(outcome(undefined, { outgoing: undefined, operations: [] }), 'ok')
  assert.equal(outcome(read({ limit: 1 }), { outgoing: undefined, operations: [] }), 'ok')
})

test('constraints I8: a judge that is missing, throws, or says anything but yes denies', () => {
  const constraints = read(full, judges)
  const odd = () => 'yes' as unknown as boolean
  const throwing = () => {
    throw new Error('no')
  }
  for (const by of [{}, { ...judges, inBlocks: odd }, { ...judges, inBlocks: throwing }])
    assert.equal(outcome(constraints, {}, by), 'cidrs')
  const { inWindow: _, ...noWindow } = judges
  for (const by of [noWindow, { ...judges, inWindow: odd }, { ...judges, inWindow: throwing }])
    assert.equal(outcome(constraints, {}, by), 'window')
  assert.throws(() => withinPlace({ constraints }, facts), {
    code: 'access/denied',
    detail: { action: 'authenticate', reason: 'cidrs: the token is not for this address' },
  })
  withinPlace({}, facts)
})

test('constraints M-45: the limit is counted by token', () => {
  assert.deepEqual(rateOf({ tokenId: 't1', constraints: { limit: 30 } }), {
    name: 'token:t1',
    limit: 30,
    windowMs: 60_000,
  })
  assert.equal(rateOf({ tokenId: 't1', constraints: {} }), undefined)
  assert.equal(rateOf({ tokenId: 't1' }), undefined)
})

test('constraints D18: agrees with a separate reading of the rules, and taking one away never allows less (fast-check)', () => {
  const name = fc.constantFrom('a', 'b', 'c')
  const list = fc.uniqueArray(name, { minLength: 1 }).map(names => names.toSorted())
  const cs = fc
    .record(
      { maxValue: fc.dictionary(name, fc.constantFrom('0', '1', '2')), networks: list, operations: list },
      { requiredKeys: [] },
    )
    .map(value =>
      value.maxValue === undefined
        ? value
        : {
            ...value,
            maxValue: Object.fromEntries(Object.entries(value.maxValue).toSorted(([a], [b]) => (a < b ? -1 : 1))),
          },
    )
    .filter(value => Object.keys(value).length > 0)
  const asked = fc.record({
    network: name,
    operations: fc.array(name, { maxLength: 3 }),
    outgoing: fc.option(
      fc.array(fc.tuple(name, fc.bigInt(0n, 3n)), { maxLength: 2 }).map(pairs => new Map(pairs)),
      { nil: undefined },
    ),
  })
  fc.assert(
    fc.property(cs, asked, (value, over) => {
      const got = outcome(read(value), over)
      const allowed =
        (value.networks?.includes(over.network) ?? true) &&
        (value.operations === undefined ||
          (over.operations.length > 0 && over.operations.every(operation => value.operations?.includes(operation)))) &&
        (value.maxValue === undefined ||
          (over.outgoing !== undefined &&
            [...over.outgoing].every(([asset, units]) => units <= BigInt(value.maxValue?.[asset] ?? '0'))))
      assert.equal(got === 'ok', allowed)
      for (const member of Object.keys(value)) {
        const fewer = Object.fromEntries(Object.entries(value).filter(([key]) => key !== member))
        if (got === 'ok' && Object.keys(fewer).length > 0) assert.equal(outcome(read(fewer), over), 'ok')
      }
    }),
    { numRuns: 5000 },
  )
})
