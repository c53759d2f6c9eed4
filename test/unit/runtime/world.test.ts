import assert from 'node:assert/strict'
import { test } from 'node:test'
import { realClock, realRandom, realWorld } from '../../../src/runtime/world.ts'

test('real clock: monotonic time only grows, wall time is near the epoch clock', () => {
  const first = realClock.monotonic()
  assert.ok(realClock.monotonic() >= first)
  assert.ok(Math.abs(realClock.now() - Date.now()) < 1000)
})

test('real clock: sleep resolves, and rejects with the reason of its signal', async () => {
  await realClock.sleep(1)
  const before = new AbortController()
  before.abort(new Error('before'))
  await assert.rejects(realClock.sleep(60_000, before.signal), /before/)
  const during = new AbortController()
  const sleeping = realClock.sleep(60_000, during.signal)
  during.abort(new Error('during'))
  await assert.rejects(sleeping, /during/)
  await realClock.sleep(1, new AbortController().signal)
})

test('real randomness: any length, past the limit of one call, never all zero', () => {
  for (const length of [0, 1, 32, 65_536, 65_537, 200_000]) {
    const bytes = realRandom.bytes(length)
    assert.equal(bytes.length, length)
    if (length >= 32) assert.ok(bytes.subarray(-32).some(byte => byte !== 0))
  }
})

test('real fetch: a redirect is refused unless the caller says otherwise', async t => {
  const seen: (RequestInit | undefined)[] = []
  t.mock.method(globalThis, 'fetch', (_input: string, init?: RequestInit) => {
    seen.push(init)
    return Promise.resolve(new Response())
  })
  await realWorld().fetch('http://127.0.0.1/', { method: 'POST' })
  await realWorld('manual').fetch('http://127.0.0.1/', {})
  await realWorld().fetch('http://127.0.0.1/', { redirect: 'follow' })
  assert.deepEqual(
    seen.map(init => init?.redirect),
    ['error', 'manual', 'follow'],
  )
})
