import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRemoteKeys, type RemoteKeysOptions } from '../../../src/access/remote-keys.ts'
import { createTokenVerifier, TOKEN_REASONS } from '../../../src/access/tokens.ts'
import type { Jwks } from '../../../src/domain/jwks.ts'
import { AUDIENCE, clock, createForger, goodClaims, goodHeader, ISSUER } from './forge.ts'

const MINUTE = 60_000
const [one, two, other] = await Promise.all([createForger(41, 'one'), createForger(42, 'two'), createForger(43, 'one')])
const rsa = { kty: 'RSA', alg: 'RS256', kid: 'rsa', use: 'sig', n: 'AQAB', e: 'AQAB' }
const setOf = (...sets: readonly Jwks[]) => JSON.stringify({ keys: sets.flatMap(({ keys }) => keys) })

type Answer = string | (() => Response | Promise<Response>)

/** A key set at a URL, under a clock that moves when told. */
function world(first: Answer, over: Partial<RemoteKeysOptions> = {}) {
  const state = { now: 0, answer: first, asked: [] as { url: string; init: RequestInit }[], trouble: [] as string[] }
  const keys = createRemoteKeys({
    url: 'https://issuer.example/jwks.json',
    fetch: async (url, init) => {
      state.asked.push({ url, init })
      return typeof state.answer === 'string' ? new Response(state.answer) : state.answer()
    },
    clock: {
      monotonic: () => state.now,
      sleep: (_, signal) =>
        new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted')))),
    },
    onTrouble: reason => void state.trouble.push(reason),
    ...over,
  })
  return { state, keys }
}
const settle = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 0))

test('remote keys D17: fetched once, from the configured URL, and kept', async () => {
  const { state, keys } = world(setOf(one.jwks, two.jwks))
  const [a, b] = await Promise.all([keys.find('one'), keys.find('two')])
  assert.deepEqual([a, b], [one.jwks.keys[0], two.jwks.keys[0]])
  for (let n = 0; n < 100; n++) assert.equal(await keys.find('one'), a)
  assert.equal(state.asked.length, 1)
  assert.equal(state.asked[0]?.url, 'https://issuer.example/jwks.json')
  assert.equal(state.asked[0]?.init.redirect, 'manual')
})

test('remote keys T11: 1,000 hostile kids cause one fetch a minute at most, and never another address', async () => {
  const { state, keys } = world(setOf(one.jwks))
  const verify = createTokenVerifier({ jwks: keys, issuer: ISSUER, audience: AUDIENCE, clock })
  await verify(`Bearer ${await one.sign({ ...goodHeader, kid: 'one' }, goodClaims)}`)
  for (let n = 0; n < 1000; n++) {
    const kid = n % 2 === 0 ? `unknown-${n}` : `https://evil.example/${n}`
    await assert.rejects(verify(`Bearer ${await one.sign({ ...goodHeader, kid }, goodClaims)}`), {
      code: 'token/invalid',
      detail: { reason: TOKEN_REASONS.key },
    })
  }
  assert.equal(state.asked.length, 1)
  for (let minute = 1; minute <= 5; minute++) {
    state.now = minute * MINUTE
    for (let n = 0; n < 20; n++) assert.equal(await keys.find(`new-${n}`), undefined)
    assert.equal(state.asked.length, 1 + minute)
  }
  assert.deepEqual(new Set(state.asked.map(({ url }) => url)), new Set(['https://issuer.example/jwks.json']))
})

test('remote keys: a new key is found after a minute at the latest, and a key that is gone is refused', async () => {
  const { state, keys } = world(setOf(one.jwks))
  const verify = createTokenVerifier({ jwks: keys, issuer: ISSUER, audience: AUDIENCE, clock })
  const byOne = `Bearer ${await one.sign({ ...goodHeader, kid: 'one' }, goodClaims)}`
  await verify(byOne)
  state.answer = setOf(two.jwks)
  assert.equal(await keys.find('two'), undefined)
  state.now = MINUTE
  assert.ok((await keys.find('two')) !== undefined)
  await assert.rejects(verify(byOne), { detail: { reason: TOKEN_REASONS.key } })
})

test('remote keys: another key under the same kid is another key, also for tokens shown before', async () => {
  const { state, keys } = world(setOf(one.jwks))
  const verify = createTokenVerifier({ jwks: keys, issuer: ISSUER, audience: AUDIENCE, clock })
  const header = { ...goodHeader, kid: 'one' }
  const [before, after] = [await one.sign(header, goodClaims), await other.sign(header, goodClaims)]
  await verify(`Bearer ${before}`)
  state.answer = setOf(other.jwks)
  assert.equal(await keys.refresh(), true)
  await assert.rejects(verify(`Bearer ${before}`), { detail: { reason: TOKEN_REASONS.signature } })
  assert.equal((await verify(`Bearer ${after}`)).tokenId, 'token-1')
  // The same key again stays the same object, with its import.
  const kept = await keys.find('one')
  await keys.refresh()
  assert.equal(await keys.find('one'), kept)
})

test('remote keys: the last good set serves while the issuer is down, for a day', async () => {
  const { state, keys } = world(setOf(one.jwks))
  const key = await keys.find('one')
  state.answer = () => Promise.reject(new Error('secret of the network'))
  state.now = 11 * MINUTE
  assert.equal(await keys.find('one'), key) // nobody waits
  await settle()
  assert.deepEqual([state.asked.length, state.trouble], [2, ['the request failed']])
  assert.equal(await keys.find('one'), key)
  await settle()
  assert.equal(state.asked.length, 2)
  state.now = 24 * 60 * MINUTE
  assert.equal(await keys.find('one'), key)
  await settle()
  state.now += 1
  const down = {
    code: 'provider/unavailable',
    detail: {
      provider: 'token-keys',
      reason: 'the keys of the token issuer cannot be fetched',
      retryAfterMs: MINUTE - 1,
    },
  }
  await assert.rejects(keys.find('one'), down)
  state.answer = setOf(one.jwks)
  state.now += MINUTE
  assert.deepEqual(await keys.find('one'), key)
})

test('remote keys: a first fetch that fails is tried again after a minute, or when told', async () => {
  const { state, keys } = world('not json')
  for (let n = 0; n < 50; n++) await assert.rejects(keys.find('one'), { code: 'provider/unavailable' })
  assert.equal(state.asked.length, 1)
  state.answer = setOf(one.jwks)
  assert.equal(await keys.refresh(), true)
  assert.ok((await keys.find('one')) !== undefined)
})

test('remote keys: answers that are none are refused, and what was there stays', async () => {
  const body = (text: string) => () => new Response(text)
  const stream = () =>
    new Response(new ReadableStream({ pull: controller => controller.enqueue(new Uint8Array(16_384)) }))
  const answers: readonly (readonly [() => Response, RegExp])[] = [
    ...[301, 302, 303, 307, 308].map(
      status =>
        [
          () => new Response(setOf(two.jwks), { status, headers: { location: 'https://evil.example' } }),
          /status 30/,
        ] as const,
    ),
    ...[204, 404, 500].map(status => [() => new Response(null, { status }), /status/] as const),
    [stream, /longer/],
    [body(setOf(two.jwks) + ' '.repeat(65_536)), /longer/],
    [body('{'), /not JSON/],
    [body('{"keys":[],"keys":[]}'), /not JSON/],
    ...['[]', 'null', '{}', '{"keys":{}}'].map(text => [body(text), /not a key set/] as const),
    ...['{"keys":[]}', JSON.stringify({ keys: [rsa, null, 5] })].map(text => [body(text), /no usable key/] as const),
    [body(setOf(one.jwks, other.jwks)), /two keys/],
    [body(JSON.stringify({ keys: [{ ...two.jwks.keys[0], d: 'A'.repeat(43) }] })), /no usable key/],
  ]
  const { state, keys } = world(setOf(one.jwks))
  const key = await keys.find('one')
  for (const [answer, reason] of answers) {
    state.answer = answer
    assert.equal(await keys.refresh(), false)
    assert.match(state.trouble.at(-1) ?? '', reason)
    assert.equal(await keys.find('one'), key)
  }
  assert.equal(state.trouble.length, answers.length)
})

test('remote keys: what providers add to a key is dropped, and a missing alg follows from the kind', async () => {
  const [jwk] = two.jwks.keys
  assert.ok(jwk?.kty === 'OKP')
  const { alg, ...bare } = jwk
  const point = { x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU', y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0' }
  const ec = { kty: 'EC', crv: 'P-256', kid: 'ec', ...point }
  const text = JSON.stringify({
    keys: [rsa, { ...bare, use: 'sig', x5c: ['MIIB'], x5t: 'ab', nbf: 5 }, ec, { ...ec, kid: 'enc', use: 'enc' }],
  })
  const { keys } = world(text)
  assert.deepEqual(await keys.find('two'), { ...bare, alg })
  assert.deepEqual(await keys.find('ec'), { ...ec, alg: 'ES256' })
  assert.equal(await keys.find('enc'), undefined)
})

test('remote keys: a server that does not answer is left after the deadline', async () => {
  let aborted = false
  let wake = (): void => undefined
  const never = (): Promise<Response> => new Promise(() => undefined)
  const { state, keys } = world(never, {
    clock: { monotonic: () => 0, sleep: () => new Promise(resolve => (wake = resolve)) },
    fetch: (_, init) => {
      init.signal?.addEventListener('abort', () => (aborted = true))
      return never()
    },
  })
  const finding = keys.find('one')
  await settle()
  wake()
  await assert.rejects(finding, { code: 'provider/unavailable' })
  assert.equal(aborted, true)
  assert.deepEqual(state.trouble, ['no answer within 5000 ms'])
})

test('remote keys T51: only https, or http to this machine', () => {
  const fine = [
    'https://issuer.example/jwks',
    'http://127.0.0.1:9/jwks',
    'http://localhost/jwks',
    'http://[::1]:9/x',
    'https://issuer.example/x?tenant=1',
  ]
  for (const url of fine) world('', { url })
  const bad = [
    'http://issuer.example',
    'http://127.0.0.1.evil.example',
    'ftp://localhost/x',
    'file:///etc/passwd',
    'https://u:p@issuer.example',
    'https://u@issuer.example',
    'https://issuer.example/#x',
    '/jwks',
    '',
    'data:,x',
    'http://127.1.evil/x',
  ]
  for (const url of bad) assert.throws(() => world('', { url }), { code: 'config/invalid' }, url)
})

test('remote keys: several issuers, each with its own keys; none can speak for another', async () => {
  const control = await createForger(44, 'control')
  const { keys } = world(setOf(one.jwks, { keys: [{ ...two.jwks.keys[0], kid: 'control' } as never] }))
  const verify = createTokenVerifier({
    jwks: keys,
    issuer: ISSUER,
    audience: AUDIENCE,
    clock,
    others: [{ issuer: 'countersign-control', jwks: control.jwks }],
  })
  const ours = { ...goodClaims, iss: 'countersign-control' }
  const judge = async (by: typeof one, kid: string, claims: object) =>
    verify(`Bearer ${await by.sign({ ...goodHeader, kid }, claims)}`)
  assert.equal((await judge(one, 'one', goodClaims)).subject, 'payments-api')
  assert.equal((await judge(control, 'control', ours)).subject, 'payments-api')
  await assert.rejects(judge(one, 'one', ours), { detail: { reason: TOKEN_REASONS.claims } })
  await assert.rejects(judge(control, 'control', goodClaims), { detail: { reason: TOKEN_REASONS.claims } })
  // The remote set names a key like ours: ours stays ours.
  await assert.rejects(judge(two, 'control', ours), { detail: { reason: TOKEN_REASONS.signature } })
  // Two static sets that share a kid are a mistake.
  const clash = {
    jwks: one.jwks,
    issuer: ISSUER,
    audience: AUDIENCE,
    clock,
    others: [{ issuer: '', jwks: other.jwks }],
  }
  assert.throws(
    () => createTokenVerifier(clash),
    (error: { code?: string; detail?: { problems: { path: string }[] } }) => {
      assert.deepEqual(
        error.detail?.problems.map(({ path }) => path),
        ['tokens.others[0].issuer', 'tokens.others[0].jwks'],
      )
      return error.code === 'config/invalid'
    },
  )
  const second = world(setOf(two.jwks))
  const both = createTokenVerifier({
    jwks: keys,
    issuer: ISSUER,
    audience: AUDIENCE,
    clock,
    others: [{ issuer: 'b', jwks: second.keys }],
  })
  const header = { ...goodHeader, kid: 'two' }
  assert.equal((await both(`Bearer ${await two.sign(header, { ...goodClaims, iss: 'b' })}`)).subject, 'payments-api')
})
