import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientOfPeer, readAddressList } from '../../../src/access/addresses.ts'
import { admit, assertAllowed, claimsFor, lanesFor, rateHeaders } from '../../../src/access/admission.ts'
import { Lanes } from '../../../src/access/lanes.ts'
import { createMemoryRates } from '../../../src/access/rate.ts'
import { isSignerError } from '../../../src/domain/errors.ts'

const client = clientOfPeer('192.0.2.7')
const MINUTE = 60_000
const names = (claims: ReturnType<typeof claimsFor>) =>
  claims.map(({ name, limit, windowMs }) => `${name} ${limit}/${windowMs / 1000}s`)

test('admission M-45: 10 operations a minute an address unless the token says otherwise', () => {
  assert.deepEqual(names(claimsFor({ operation: 'interactive', client })), ['address:192.0.2.7 10/60s'])
  assert.deepEqual(names(claimsFor({ operation: 'service', client })), ['address:192.0.2.7 10/60s'])
  assert.deepEqual(names(claimsFor({ operation: 'service', client, tokenId: 't1' })), ['address:192.0.2.7 10/60s'])
  const own = { limit: 100, windowMs: 1000 }
  assert.deepEqual(names(claimsFor({ operation: 'service', client, tokenId: 't1', tokenLimit: own })), [
    'token:t1 100/1s',
  ])
  assert.deepEqual(names(claimsFor({ operation: 'interactive', client, tokenId: 't1', tokenLimit: own })), [
    'address:192.0.2.7 10/60s',
    'token:t1 100/1s',
  ])
  const both = { operation: 'service', client, tokenId: 't1', key: 'k', tokenLimit: own, keyLimit: own } as const
  const house = { limit: 7, windowMs: MINUTE }
  assert.deepEqual(names(claimsFor(both, { token: house, key: house })), ['token:t1 100/1s', 'key:k 100/1s'])
  // A limit of a token that nobody can name counts for nobody.
  assert.deepEqual(names(claimsFor({ operation: 'service', client, tokenLimit: own })), ['address:192.0.2.7 10/60s'])
})

test('admission M-45 T66: address, subject, token, key, tenant and all together, each by its own limit', () => {
  const each = (limit: number) => ({ limit, windowMs: MINUTE })
  const limits = { address: each(1), subject: each(2), token: each(3), key: each(4), tenant: each(5), global: each(6) }
  const who = { client: clientOfPeer('2001:db8::1'), subject: 'api', tokenId: 't1', key: 'treasury', tenant: 'acme' }
  assert.deepEqual(names(claimsFor({ operation: 'interactive', ...who }, limits)), [
    ...[
      'address:2001:db8::/64 1/60s',
      'subject:api 2/60s',
      'token:t1 3/60s',
      'key:treasury 4/60s',
      'tenant:acme 5/60s',
    ],
    'global 6/60s',
  ])
  assert.deepEqual(names(claimsFor({ operation: 'service', ...who, keyLimit: each(40) }, limits)).slice(0, 3), [
    ...['subject:api 2/60s', 'token:t1 3/60s', 'key:treasury 40/60s'],
  ])
  // A name cannot be made to look like that of another kind.
  const odd = claimsFor(
    { operation: 'service', client, subject: 'x', tokenId: 'global', tenant: 'a:b', key: '' },
    limits,
  )
  assert.deepEqual(
    odd.map(({ name }) => name),
    ['subject:x', 'token:global', 'key:', 'tenant:a:b', 'global'],
  )
})

test('admission M-45: the eleventh is access/limited with the kind of limit and when to come again', async () => {
  const rates = createMemoryRates()
  const claims = claimsFor({ operation: 'interactive', client })
  for (let at = 0; at < 10; at++) {
    const answer = await admit(rates, claims, at * 1000)
    assert.deepEqual(answer && rateHeaders(answer), {
      'ratelimit-policy': '"address";q=10;w=60',
      ratelimit: `"address";r=${9 - at};t=${60 - at}`,
    })
  }
  try {
    await admit(rates, claims, 9500)
    assert.fail('admitted')
  } catch (error) {
    assert.ok(isSignerError(error) && error.code === 'access/limited')
    assert.deepEqual(error.detail, { scope: 'address', limit: 10, windowSeconds: 60, retryAfterMs: 50_500 })
    assert.deepEqual(rateHeaders(error.detail), {
      'ratelimit-policy': '"address";q=10;w=60',
      ratelimit: '"address";r=0;t=51',
      'retry-after': '51',
    })
    const refused = await rates.take(claims, 9500)
    assert.deepEqual(rateHeaders(refused), rateHeaders(error.detail))
  }
  assert.equal((await admit(rates, claims, 60_000))?.kind, 'admitted')
  assert.equal(await admit(rates, [], 0), undefined)
})

test('admission M-45: header fields are structured fields of whole seconds, never zero', () => {
  const claim = { name: 'token:t:1', limit: 3, windowMs: 1500 }
  assert.deepEqual(rateHeaders({ kind: 'admitted', claim, remaining: 2, resetMs: 1 }), {
    'ratelimit-policy': '"token";q=3;w=2',
    ratelimit: '"token";r=2;t=1',
  })
  assert.deepEqual(rateHeaders({ kind: 'limited', claim, retryAfterMs: 0 })['retry-after'], '1')
})

test('admission M-43: not on the list is access/denied, which shows nothing of the list', () => {
  const { list } = readAddressList(['203.0.113.0/24', '2001:db8::/32'], 'allow')
  assertAllowed(clientOfPeer('203.0.113.9'), list, 'login')
  assertAllowed(clientOfPeer('2001:db8::9'), list, 'login')
  for (const peer of ['192.0.2.1', 'unix', 'unknown', '::1'])
    try {
      assertAllowed(clientOfPeer(peer), list, 'login')
      assert.fail(peer)
    } catch (error) {
      assert.ok(isSignerError(error) && error.code === 'access/denied')
      assert.deepEqual(error.detail, { action: 'login', reason: 'not from this address' })
    }
})

test('lanes D21: one tenant or token cannot fill the house, and what is too much is shed at once', async () => {
  const lanes = new Lanes()
  const limits = { tenant: 3, token: 2 }
  const doors: (() => void)[] = []
  const enter = (tenant: string, tokenId: string) =>
    lanes.pass(lanesFor({ tenant, tokenId }, limits), () => new Promise<string>(done => doors.push(() => done('done'))))
  const inside = [enter('acme', 'a'), enter('acme', 'a')]
  await assert.rejects(enter('acme', 'a'), { code: 'service/overloaded' })
  inside.push(enter('acme', 'b'))
  await assert.rejects(enter('acme', 'c'), { code: 'service/overloaded' }) // the tenant is full
  inside.push(enter('other', 'c'))
  assert.equal(doors.length, 4)
  assert.equal(lanes.size, 5)
  doors[0]?.()
  await inside[0]
  inside.push(enter('acme', 'a'))
  for (const open of doors) open()
  assert.deepEqual(await Promise.all(inside), ['done', 'done', 'done', 'done', 'done'])
  assert.equal(lanes.size, 0)
})

test('lanes D21: whoever leaves frees one place and no more', async () => {
  const lanes = new Lanes()
  const doors: (() => void)[] = []
  const enter = () => lanes.pass([{ name: 'token:a', most: 2 }], () => new Promise<void>(done => doors.push(done)))
  const inside = [enter(), enter()]
  doors[0]?.()
  await inside[0]
  inside.push(enter())
  await assert.rejects(enter(), { code: 'service/overloaded' })
  for (const open of doors) open()
  await Promise.all(inside)
  assert.equal(lanes.size, 0)
})

test('lanes D21: a body that fails leaves its place, a lane named twice is entered once, and none is no limit', async () => {
  const lanes = new Lanes()
  const lane = { name: 'token:a', most: 1 }
  const fail = () => Promise.reject(new Error('no'))
  for (let again = 0; again < 3; again++) await assert.rejects(lanes.pass([lane, lane], fail), { message: 'no' })
  assert.equal(lanes.size, 0)
  await assert.rejects(
    lanes.pass([lane], () => {
      throw new Error('at once')
    }),
    { message: 'at once' },
  )
  assert.equal(lanes.size, 0)
  for (const most of [0, -1, Number.NaN])
    await assert.rejects(
      lanes.pass([{ name: 'x', most }], async () => 1),
      { code: 'service/overloaded' },
    )
  assert.deepEqual(lanesFor({ tenant: 'a', tokenId: 'b' }, {}), [])
  assert.deepEqual(lanesFor({}, { tenant: 1, token: 1 }), [])
  assert.equal(await lanes.pass([], async () => 7), 7)
})
