/** Temporary credentials: one request a lifetime, renewed ahead of time, by a clock that is an argument. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSession, type Identity } from '../../../providers/aws-kms/session.ts'

const MINUTE = 60_000

/** A source whose requests are answered by hand. */
function source(lifetimeMs: number | undefined) {
  let now = 1_000_000
  let asked = 0
  let failing: Error | undefined
  let gate: Promise<void> = Promise.resolve()
  const session = createSession(
    async (): Promise<Identity> => {
      const number = ++asked
      await gate
      if (failing !== undefined) throw failing
      const expiration = lifetimeMs === undefined ? {} : { expiration: new Date(now + lifetimeMs) }
      return { accessKeyId: `key-${number}`, secretAccessKey: 's', ...expiration }
    },
    { now: () => now },
  )
  return {
    session,
    asked: () => asked,
    pass: (ms: number) => void (now += ms),
    fail: (error: Error | undefined) => void (failing = error),
    hold: () => {
      let open = () => {}
      gate = new Promise(resolve => {
        open = resolve
      })
      return open
    },
    id: async () => (await session.get()).accessKeyId,
    settle: async () => {
      for (let i = 0; i < 20; i++) await Promise.resolve()
    },
  }
}

test('a thousand calls at once and an hour of calls are one request', async () => {
  const { session, asked, pass, id } = source(60 * MINUTE)
  await Promise.all(Array.from({ length: 1_000 }, () => session.get()))
  for (let minute = 0; minute < 54; minute++) {
    pass(MINUTE)
    assert.equal(await id(), 'key-1')
  }
  assert.equal(asked(), 1)
})

test('renewal happens five minutes ahead, once, and nobody waits for it', async () => {
  const { session, asked, pass, hold, id, settle } = source(60 * MINUTE)
  await session.get()
  pass(55 * MINUTE)
  const open = hold()
  assert.deepEqual(await Promise.all([id(), id(), id()]), ['key-1', 'key-1', 'key-1'])
  assert.equal(asked(), 2)
  open()
  await settle()
  assert.equal(await id(), 'key-2')
  assert.equal(asked(), 2)
})

test('a renewal that fails is tried again after a pause, and what is there goes on until its end', async () => {
  const { asked, pass, fail, id, settle } = source(60 * MINUTE)
  await id()
  pass(55 * MINUTE)
  fail(new Error('STS is away'))
  for (let i = 0; i < 3; i++) {
    assert.equal(await id(), 'key-1')
    await settle()
  }
  assert.equal(asked(), 2)
  pass(31_000)
  assert.equal(await id(), 'key-1')
  await settle()
  assert.equal(asked(), 3)
  pass(5 * MINUTE)
  await assert.rejects(id(), /STS is away/)
  fail(undefined)
  assert.equal(await id(), 'key-5')
})

test('past the end nobody gets the old ones, after a pause of the machine neither', async () => {
  const { asked, pass, id } = source(15 * MINUTE)
  await id()
  pass(15 * MINUTE - 14_000)
  assert.deepEqual(await Promise.all([id(), id()]), ['key-2', 'key-2'])
  pass(24 * 60 * MINUTE)
  assert.equal(await id(), 'key-3')
  assert.equal(asked(), 3)
})

test('credentials with little time left are used for half of it; those without an end for ever', async () => {
  const short = source(20_000)
  await short.id()
  short.pass(9_000)
  assert.equal(await short.id(), 'key-1')
  assert.equal(short.asked(), 1)
  short.pass(2_000)
  assert.equal(await short.id(), 'key-2')
  const endless = source(undefined)
  await endless.id()
  endless.pass(10 * 365 * 24 * 60 * MINUTE)
  assert.equal(await endless.id(), 'key-1')
})

test('given up: the next call has others; the same ones are given up once; fresh ones are not', async () => {
  const { session, asked, pass, id } = source(60 * MINUTE)
  assert.equal(await id(), 'key-1')
  assert.equal(session.giveUp('key-1'), false, 'they came a moment ago: the clock is wrong, new ones would not help')
  assert.equal(await id(), 'key-1')
  pass(2 * MINUTE)
  assert.equal(session.giveUp('key-1'), true)
  assert.equal(session.giveUp('key-1'), true, 'a second call that was in flight with them')
  assert.equal(await id(), 'key-2')
  assert.equal(session.giveUp('key-1'), true, 'a third one, late')
  assert.equal(await id(), 'key-2')
  assert.equal(asked(), 2)
})

test('a first request that fails is not remembered', async () => {
  const { fail, id } = source(60 * MINUTE)
  fail(new Error('no'))
  await assert.rejects(id())
  fail(undefined)
  assert.equal(await id(), 'key-2')
})

test('R-14 a source that never answers keeps nobody waiting for ever, and what it says too late is not used', async () => {
  const { session, asked, pass, hold, id } = source(60 * MINUTE)
  const open = hold()
  const stuck = session.get()
  pass(MINUTE)
  void session.get()
  assert.equal(asked(), 1, 'within its time it is waited for')
  pass(1)
  const second = session.get()
  assert.equal(asked(), 2)
  open()
  assert.equal((await second).accessKeyId, 'key-2')
  await stuck
  assert.equal(await id(), 'key-2')
})
