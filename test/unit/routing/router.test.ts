import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertMayServe } from '../../../providers/index.ts'
import { SignerError } from '../../../src/domain/errors.ts'
import type { Binding } from '../../../src/domain/key.ts'
import { createRouter, type Flag, firstBinding, oneAfterAnother, unusable } from '../../../src/routing/index.ts'
import { withCode } from '../../support/audit-world.ts'
import { binding, resolved, steppingClock } from './world.ts'

const KEY = resolved([
  binding('raw'),
  binding('aws'),
  binding('vault'),
  binding('b_2', { provider: 'twice' }),
  binding('b_3', { provider: 'twice' }),
  binding('bad', { suspended: 'it differed' }),
])

function router(
  flag: Flag,
  more: { mayServe?: (binding: Binding) => void; suspension?: (b: Binding) => string | undefined } = {},
) {
  const ignored: string[] = []
  const asked: string[] = []
  const route = createRouter({
    environment: 'production',
    flagName: 'f',
    flags: { evaluate: async () => ({ flag, version: 'v' }) },
    mayServe: (_key, each) => {
      asked.push(each.id)
      more.mayServe?.(each)
    },
    ...(more.suspension === undefined ? {} : { suspension: more.suspension }),
    onIgnored: ({ reason }) => void ignored.push(reason),
  })
  const to = async (key = 'k-1', of = KEY) => {
    const { bindings, shadow, by } = await route(of, { scope: 'web', key })
    assert.deepEqual(by, { mode: flag.mode, flags: 'v' })
    return [...bindings.map(({ id }) => id), ...(shadow === undefined ? [] : [`(${shadow.id})`])].join(' ')
  }
  return { to, ignored, asked }
}

test('M-10 where each mode leads', async () => {
  const cases: [Flag, string][] = [
    [{ mode: 'off' }, 'raw'],
    [{ mode: 'on', target: 'aws' }, 'aws'],
    [{ mode: 'on', target: 'b_3' }, 'b_3'],
    [{ mode: 'shadow', target: 'aws' }, 'raw (aws)'],
    [{ mode: 'shadow', target: 'raw' }, 'raw'],
    [{ mode: 'shadow', target: 'bad' }, 'raw (bad)'],
    [{ mode: 'canary', target: 'aws', percent: 0 }, 'raw'],
    [{ mode: 'canary', target: 'aws', percent: 100 }, 'aws'],
    [{ mode: 'fail-over', order: ['vault', 'aws', 'raw'] }, 'vault aws raw'],
    [{ mode: 'fail-over', order: ['twice', 'bad', 'aws'] }, 'aws'],
  ]
  for (const [flag, wanted] of cases) assert.equal(await router(flag).to(), wanted, JSON.stringify(flag))
  const canary = router({ mode: 'canary', target: 'aws', percent: 50 })
  const places = await Promise.all(Array.from({ length: 200 }, (_, n) => canary.to(`k-${n}`)))
  assert.deepEqual([...new Set(places)].toSorted(), ['aws', 'raw'])
  assert.deepEqual(await Promise.all(places.map((_, n) => canary.to(`k-${n}`))), places, 'sticky')
})

test('M-10 what cannot be followed is reported, and the first binding serves', async () => {
  for (const [target, said] of [
    ['nowhere', /no binding at/],
    ['twice', /2 bindings at "twice": name one of b_2, b_3/],
    ['bad', /suspended/],
  ] as const) {
    for (const flag of [
      { mode: 'on', target },
      { mode: 'canary', target, percent: 100 },
      { mode: 'fail-over', order: [target] },
    ] as const) {
      const { to, ignored } = router(flag)
      assert.equal(await to(), 'raw')
      assert.match(ignored.join(), said)
    }
  }
  const { to, ignored } = router(
    { mode: 'on', target: 'aws' },
    { suspension: ({ id }) => (id === 'aws' ? 'just now' : undefined) },
  )
  assert.equal(await to(), 'raw', 'before the registry knows')
  assert.match(ignored.join(), /just now/)
  await assert.rejects(router({ mode: 'off' }).to('k', { ...KEY, bindings: [] }), withCode('key/mismatch'))
  const none = { ...KEY, bindings: [] }
  await assert.rejects(firstBinding({ mayServe: () => {} }, none), withCode('key/mismatch'))
  assert.equal(unusable(KEY, { mode: 'on', target: 'bad' }, ['bad']).length, 1)
  assert.equal(unusable(KEY, { mode: 'shadow', target: 'bad' }, ['bad']).length, 0)
  assert.match(unusable(KEY, { mode: 'on', target: 'x' }, ['x'])[0] ?? '', /no binding/)
})

test('M-10 in production the mock and the raw key are out of reach in every mode, as target, in an order, in shadow and as the first', async () => {
  const production = { environment: 'production', chain: 'stellar', network: 'public' } as const
  const gate = ({ id }: Binding): void => assertMayServe(production, { production: id === 'aws' || id === 'vault' })
  const development = ['raw', 'mock']
  for (const bad of development) {
    const flags: Flag[] = [
      { mode: 'on', target: bad },
      { mode: 'canary', target: bad, percent: 100 },
      { mode: 'shadow', target: bad },
      { mode: 'fail-over', order: [bad] },
      { mode: 'fail-over', order: [bad, 'aws'] },
      { mode: 'fail-over', order: ['aws', bad, 'vault'] },
    ]
    const key = resolved([binding('aws'), binding(bad), binding('vault')])
    for (const flag of flags) {
      const { to, asked } = router(flag, { mayServe: gate })
      const route = await to('k', key)
      assert.ok(!route.includes(bad), `${JSON.stringify(flag)} led to ${route}`)
      assert.ok(asked.includes(bad), 'it was asked')
    }
    const first = resolved([binding(bad), binding('aws')])
    for (const flag of [{ mode: 'off' }, { mode: 'shadow', target: 'aws' }, { mode: 'on', target: bad }] as const) {
      await assert.rejects(router(flag, { mayServe: gate }).to('k', first), withCode('start/refused'))
    }
    assert.equal(await router({ mode: 'on', target: 'aws' }, { mayServe: gate }).to('k', first), 'aws')
  }
  const odd = router({ mode: 'on', target: 'aws' }, { mayServe: ({ id }) => id === 'aws' && assert.fail('unforeseen') })
  assert.equal(await odd.to(), 'raw')
  assert.deepEqual(odd.ignored, ['unexpected fault'])
})

const unavailable = new SignerError('provider/unavailable', { provider: 'p', reason: 'down' })

test('M-10 fail-over: the next binding only when nothing was signed', async () => {
  const clock = steppingClock()
  const places = [binding('a'), binding('b'), binding('c')] as const
  const asked: string[] = []
  const run = (outcomes: Record<string, Error>) =>
    oneAfterAnother([...places], { clock, deadlineMs: 1_000 }, async ({ id }) => {
      asked.push(id)
      if (outcomes[id] !== undefined) throw outcomes[id]
      return id
    })
  assert.equal(await run({}), 'a')
  assert.equal(await run({ a: unavailable }), 'b')
  assert.equal(await run({ a: unavailable, b: unavailable }), 'c')
  await assert.rejects(run({ a: unavailable, b: unavailable, c: unavailable }), withCode('provider/unavailable'))
  const ends = [
    new SignerError('provider/ambiguous', { provider: 'p', reason: 'silence' }),
    new SignerError('provider/refused', { provider: 'p', reason: 'no' }),
    new SignerError('provider/malformed', { provider: 'p', reason: 'x' }),
    new SignerError('provider/corrupt', { provider: 'p', reason: 'x' }),
    new SignerError('signature/unverified', { reason: 'x' }),
    new SignerError('key/mismatch', { key: 'k', reason: 'x' }),
  ]
  for (const error of ends) {
    asked.length = 0
    await assert.rejects(run({ a: error }), withCode(error.code))
    await assert.rejects(run({ a: unavailable, b: error }), withCode(error.code))
    assert.deepEqual(asked, ['a', 'a', 'b'])
  }
  await assert.rejects(run({ a: new TypeError('ours') }), TypeError)
})

test('M-10 fail-over: one deadline for all; an encrypted key gets its share, a native signature all that is left', async () => {
  const clock = steppingClock()
  const places = [binding('a', { custody: 'envelope' }), binding('b'), binding('c')] as const
  const given: number[] = []
  const slow = (ms: number) => async (_: Binding, withinMs: number) => {
    given.push(withinMs)
    clock.advance(ms)
    throw unavailable
  }
  await assert.rejects(
    oneAfterAnother([...places], { clock, deadlineMs: 900 }, slow(200)),
    withCode('provider/unavailable'),
  )
  assert.deepEqual(given, [300, 700, 500])
  given.length = 0
  await assert.rejects(
    oneAfterAnother([...places], { clock, deadlineMs: 900 }, slow(890)),
    withCode('provider/unavailable'),
  )
  assert.deepEqual(given, [300], 'with no time left nobody else is asked')
})
