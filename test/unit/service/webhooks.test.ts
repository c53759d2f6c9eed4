/** What is told arrives at least once, signed, and nothing waits for it. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readWebhookSecret, signWebhook } from '../../../src/bytes/webhook.ts'
import type { EventEntry } from '../../../src/domain/audit.ts'
import type { Notice } from '../../../src/domain/notices.ts'
import type { Fetch } from '../../../src/domain/ports.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { createWebhooks } from '../../../src/service/webhooks.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { Store } from '../../../src/store/store.ts'
import { manualClock, settle } from '../../support/audit-world.ts'
import { newProposal } from '../store/proposals-suite.ts'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const ENDPOINT = 'https://hooks.example/countersign'
const HOUR = 3_600_000
const START = 1_000

type Sent = { url: string; headers: Record<string, string>; body: string; redirect: unknown; signal: AbortSignal }

function openHook(store: Store = openMemoryStore(), secret = SECRET) {
  const clock = manualClock(START)
  const sent: Sent[] = []
  const audited: EventEntry[] = []
  const warned: Record<string, unknown>[] = []
  const hook = {
    ...{ clock, sent, audited, warned, store, seal: (state: typeof audit.state) => void (audit.state = state) },
    answer: (async () => new Response('thanks')) as (sent: Sent) => Promise<Response>,
    tell: (id: string, at = clock.now()) => {
      const notice: Notice = {
        id: `msg_${id}`,
        event: 'proposal.opened',
        body: `{"type":"proposal.opened","n":"${id}"}`,
        at,
      }
      return store.proposals.open(
        newProposal(id, { hash: id.padStart(64, '0'), proposedAt: at, expiresAt: at + 1 }),
        () => [notice],
      )
    },
    round: () => deliver(),
  }
  const fetch: Fetch = async (url, { headers, body, redirect, signal }) => {
    const one = {
      url,
      headers: headers as Record<string, string>,
      body: body as string,
      redirect,
      signal: signal as AbortSignal,
    }
    sent.push(one)
    return hook.answer(one)
  }
  const random = { bytes: (length: number) => new Uint8Array(length).fill(255) }
  const audit = {
    state: { kind: 'open' } as { kind: 'open' } | { kind: 'sealed'; reason: string },
    append: async (...entries: readonly unknown[]) => {
      audited.push(...(entries as EventEntry[]))
      return { seq: 1, hash: '' }
    },
  }
  const logger = { warn: (event: string, fields = {}) => void warned.push({ event, ...fields }) }
  const deliver = createWebhooks(
    { url: ENDPOINT, secret: new Secret(secret, 'webhook secret') },
    {
      world: { clock, random, fetch },
      queue: store.notices,
      audit,
      actor: { subject: 'operator', peer: 'cli' },
      logger,
    },
  )
  return hook
}

test('a webhook is signed as the published example of Standard Webhooks is', async () => {
  const secret = readWebhookSecret(SECRET) ?? assert.fail()
  const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: 1_614_265_330, body: '{"test": 2432232314}' }
  assert.equal(await signWebhook(secret, message), 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
  const bytes = (length: number) => `whsec_${Buffer.alloc(length, 7).toString('base64')}`
  for (const good of [24, 32, 64]) assert.equal(readWebhookSecret(bytes(good))?.length, good)
  for (const bad of [
    bytes(23),
    bytes(65),
    SECRET.slice(6),
    'whsec_',
    `${SECRET} `,
    'whsec_***',
    `WHSEC_${SECRET.slice(6)}`,
  ])
    assert.equal(readWebhookSecret(bad), undefined)
  assert.throws(() => openHook(openMemoryStore(), 'whsec_short'), { code: 'config/invalid' })
})

test('M-26 what happened is told once it is due, to the configured endpoint, with id, time and signature', async () => {
  const hook = openHook()
  await hook.tell('p1')
  assert.equal(await hook.round(), 1)
  assert.equal(await hook.round(), 0)
  const [{ url, headers, body, redirect }] = hook.sent as [Sent]
  assert.deepEqual([url, redirect], [ENDPOINT, 'manual'])
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = headers
  assert.deepEqual([id, timestamp, headers['content-type']], ['msg_p1', '1', 'application/json'])
  const expected = createHmac('sha256', Buffer.from(SECRET.slice(6), 'base64')).update(`${id}.${timestamp}.${body}`)
  assert.equal(signature, `v1,${expected.digest('base64')}`)
  hook.clock.advance(48 * HOUR)
  assert.equal(await hook.round(), 0)
  assert.deepEqual([hook.warned, hook.audited], [[], []])
})

test('M-26 what does not arrive is tried again, later each time, with the same id; a redirect is not followed', async () => {
  const hook = openHook()
  await hook.tell('p1')
  const answers: (() => Promise<Response>)[] = [
    async () => new Response(null, { status: 500 }),
    async () => new Response(null, { status: 302, headers: { location: 'https://elsewhere.example/' } }),
    async () => Promise.reject(new Error('ECONNREFUSED 10.0.0.1')),
    async () => new Response(null, { status: 410 }),
    async () => new Response(null, { status: 202 }),
  ]
  const waits: number[] = []
  let last = hook.clock.now()
  hook.answer = () => (answers[hook.sent.length - 1] ?? assert.fail())()
  for (let second = 0; second < 400 && hook.sent.length < 5; second++) {
    const before = hook.sent.length
    await hook.round()
    if (hook.sent.length > before) {
      waits.push(hook.clock.now() - last)
      last = hook.clock.now()
    }
    hook.clock.advance(1_000)
  }
  assert.deepEqual(waits, [0, 5_000, 10_000, 20_000, 40_000])
  assert.equal(new Set(hook.sent.map(({ headers }) => headers['webhook-id'])).size, 1)
  assert.equal(new Set(hook.sent.map(({ headers }) => headers['webhook-signature'])).size, 5)
  assert.ok(hook.sent.every(({ url }) => url === ENDPOINT))
  assert.deepEqual(
    hook.warned.map(({ problem, tries }) => [problem, tries]),
    [
      ['status 500', 1],
      ['status 302', 2],
      ['no connection', 3],
      ['status 410', 4],
    ],
  )
  hook.clock.advance(48 * HOUR)
  assert.equal(await hook.round(), 0)
})

test('T19 an endpoint that does not answer is left after ten seconds, and keeps nobody waiting', async () => {
  const hook = openHook()
  await hook.tell('p1')
  hook.answer = ({ signal }) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))))
  const round = hook.round()
  while (hook.sent.length === 0) await settle()
  // Others are told meanwhile, and what is on its way is nobody else's.
  await hook.tell('p2')
  const first = hook.answer
  hook.answer = async () => new Response(null, { status: 200 })
  assert.equal(await hook.round(), 1)
  hook.answer = first
  hook.clock.advance(10_000)
  assert.equal(await round, 1)
  assert.deepEqual(
    hook.warned.map(({ problem }) => problem),
    ['no answer in time'],
  )
})

test('M-26 after 24 hours it is given up, and that is on record', async () => {
  const hook = openHook()
  await hook.tell('p1')
  hook.answer = async () => new Response(null, { status: 503 })
  for (let hour = 0; hour <= 26; hour++) {
    for (let n = 0; n < 12; n++) {
      await hook.round()
      hook.clock.advance(HOUR / 12)
    }
  }
  const tries = hook.sent.length
  assert.ok(tries > 24 && tries < 50, String(tries))
  assert.deepEqual(
    hook.audited.map(({ event, detail }) => [event, detail['notice'], detail['notified'], detail['problem']]),
    [['webhook-given-up', 'msg_p1', 'proposal.opened', 'status 503']],
  )
  hook.clock.advance(HOUR)
  assert.equal(await hook.round(), 0)
})

test('T47 what cannot be on record is not given up: it is tried until somebody has seen to the log', async () => {
  const hook = openHook()
  await hook.tell('p1')
  hook.answer = async () => new Response(null, { status: 503 })
  hook.seal({ kind: 'sealed', reason: 'disk full' })
  hook.clock.advance(25 * HOUR)
  assert.equal(await hook.round(), 1)
  hook.clock.advance(HOUR)
  hook.answer = async () => new Response(null, { status: 202 })
  assert.equal(await hook.round(), 1)
  assert.deepEqual([hook.sent.length, hook.audited], [2, []])
})

test('M-26 what was not delivered when the process died is told after its restart, with the same id', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'cs-hooks-'))
  try {
    const options = { path: join(directory, 'store.db'), clock: { now: () => START } }
    const before = openHook(await openSqliteStore(options))
    for (const id of ['p1', 'p2', 'p3']) await before.tell(id)
    before.answer = async ({ headers }) => {
      if (headers['webhook-id'] === 'msg_p2') return new Response(null, { status: 200 })
      return new Promise(() => {}) // and then the process is gone
    }
    void before.round()
    while (before.sent.length < 3) await settle()
    await settle()
    before.store.close()

    const after = openHook(await openSqliteStore(options))
    assert.equal(await after.round(), 0, 'whoever had it may be sending it')
    after.clock.advance(60_000)
    await after.round()
    assert.deepEqual(new Set(after.sent.map(({ headers }) => headers['webhook-id'])), new Set(['msg_p1', 'msg_p3']))
    after.clock.advance(60_000)
    assert.equal(await after.round(), 0)
    after.store.close()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test('M-26 two processes that share a queue send each notice once', async () => {
  const store = openMemoryStore()
  const [one, other] = [openHook(store), openHook(store)]
  for (let n = 0; n < 30; n++) await one.tell(`p${n}`)
  for (let round = 0; round < 4; round++) await Promise.all([one.round(), other.round()])
  const ids = [...one.sent, ...other.sent].map(({ headers }) => headers['webhook-id'])
  assert.deepEqual([ids.length, new Set(ids).size], [30, 30])
})
