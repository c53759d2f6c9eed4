import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Exchange, oneFetch, orAborted, TransportError, type TransportKind } from '../../../providers/one-fetch.ts'

const exchange = (more: Partial<Exchange> = {}): Exchange => ({
  url: 'https://kms.example/',
  method: 'POST',
  headers: {},
  signal: new AbortController().signal,
  bodyBytesMax: 16,
  ...more,
})

/** A Response whose stream is the test's own, not a copy the runtime makes. */
const answerOf = (body: ReadableStream<Uint8Array>, more: Partial<Response> = {}): Response =>
  ({ status: 200, headers: new Headers(), body, redirected: false, type: 'basic', ...more }) as Response

const kind = (expected: TransportKind) => (error: unknown) => {
  assert.ok(error instanceof TransportError, String(error))
  assert.equal(error.kind, expected)
  return true
}

test('asks once, without redirects or cookies, and gives status, headers and bytes', async () => {
  const seen: [string, RequestInit][] = []
  let sent = 0
  const answer = await oneFetch(
    async (url, init) => {
      seen.push([url, init])
      return new Response('hello', { status: 201, headers: { 'x-id': '7' } })
    },
    exchange({ body: 'ask', headers: { a: 'b' }, onSend: () => sent++ }),
  )
  assert.equal(answer.status, 201)
  assert.equal(answer.headers.get('x-id'), '7')
  assert.equal(new TextDecoder().decode(answer.body), 'hello')
  assert.equal(sent, 1)
  assert.equal(seen.length, 1)
  const [url, init] = seen[0] ?? assert.fail()
  assert.equal(url, 'https://kms.example/')
  assert.deepEqual([init.method, init.redirect, init.credentials, init.body], ['POST', 'manual', 'omit', 'ask'])
})

test('no body is an empty body', async () => {
  const answer = await oneFetch(async () => new Response(null, { status: 204 }), exchange())
  assert.equal(answer.body.length, 0)
})

test('a signal that fired before never reaches the network', async () => {
  let asked = 0
  const fetch = async () => {
    asked++
    return new Response('')
  }
  await assert.rejects(oneFetch(fetch, exchange({ signal: AbortSignal.abort() })), kind('not-sent'))
  assert.equal(asked, 0)
})

test('abortion does not wait for a fetch that does not listen', async () => {
  const deadline = new AbortController()
  const waiting = oneFetch(() => new Promise(() => {}), exchange({ signal: deadline.signal }))
  deadline.abort()
  await assert.rejects(waiting, kind('aborted'))
})

test('abortion does not wait for a body that never ends, and lets go of it', async () => {
  const deadline = new AbortController()
  let cancelled = false
  const source = {
    pull: () => {
      deadline.abort()
      return new Promise<void>(() => {})
    },
    cancel: () => {
      cancelled = true
    },
  }
  const body = new ReadableStream<Uint8Array>(source, { highWaterMark: 0 })
  await assert.rejects(
    oneFetch(async () => answerOf(body), exchange({ signal: deadline.signal })),
    kind('aborted'),
  )
  assert.ok(cancelled)
})

test('an answer that comes after the deadline is let go of', async () => {
  const deadline = new AbortController()
  const late = Promise.withResolvers<Response>()
  const waiting = oneFetch(() => late.promise, exchange({ signal: deadline.signal }))
  deadline.abort()
  await assert.rejects(waiting, kind('aborted'))
  let cancelled = false
  const body = new ReadableStream<Uint8Array>({
    cancel: () => {
      cancelled = true
    },
  })
  late.resolve(answerOf(body))
  await new Promise(resolve => setImmediate(resolve))
  assert.ok(cancelled)
})

test('the cap holds for announced and for streamed bodies, and exactly the cap is allowed', async () => {
  const full = new Uint8Array(16).fill(7)
  assert.deepEqual((await oneFetch(async () => new Response(full.slice()), exchange())).body, full)
  await assert.rejects(
    oneFetch(async () => new Response(new Uint8Array(17)), exchange()),
    kind('oversized'),
  )
  await assert.rejects(
    oneFetch(async () => new Response('x', { headers: { 'content-length': '17' } }), exchange()),
    kind('oversized'),
  )
  let pulled = 0
  const endless = new ReadableStream<Uint8Array>({
    pull: controller => (pulled++, controller.enqueue(new Uint8Array(8))),
  })
  await assert.rejects(
    oneFetch(async () => new Response(endless), exchange()),
    kind('oversized'),
  )
  assert.ok(pulled < 10)
})

test('every redirect is refused, unread', async () => {
  for (const status of [300, 301, 302, 303, 304, 305, 307, 308]) {
    await assert.rejects(
      oneFetch(async () => new Response(null, { status, headers: { location: 'https://x' } }), exchange()),
      kind('redirected'),
    )
  }
  const followed = Object.defineProperty(new Response('x'), 'redirected', { value: true })
  await assert.rejects(
    oneFetch(async () => followed, exchange()),
    kind('redirected'),
  )
})

test('only failures that certainly came before the request are called unreachable', async () => {
  const coded = (code: string) => Object.assign(new Error('x'), { code })
  const wrapped = (code: string) => new TypeError('fetch failed', { cause: coded(code) })
  const rows: [unknown, TransportKind][] = [
    [coded('ECONNREFUSED'), 'unreachable'],
    [wrapped('ENOTFOUND'), 'unreachable'],
    [wrapped('DEPTH_ZERO_SELF_SIGNED_CERT'), 'unreachable'],
    [
      new TypeError('fetch failed', { cause: new Error('error sending request: client error (Connect): refused') }),
      'unreachable',
    ],
    [coded('ECONNRESET'), 'lost'],
    [wrapped('UND_ERR_SOCKET'), 'lost'],
    [new TypeError('fetch failed', { cause: new Error('client error (SendRequest)') }), 'lost'],
    [new Error('anything'), 'lost'],
    ['a string', 'lost'],
    [undefined, 'lost'],
  ]
  for (const [error, expected] of rows)
    await assert.rejects(
      oneFetch(() => Promise.reject(error), exchange()),
      kind(expected),
    )
  const circle: { cause?: unknown } = new Error('circle')
  circle.cause = circle
  await assert.rejects(
    oneFetch(() => Promise.reject(circle), exchange()),
    kind('lost'),
  )
})

test('the pieces of a body are overwritten once they are copied', async () => {
  const pieces = [new Uint8Array([1, 2]), new Uint8Array([3])]
  const body = new ReadableStream<Uint8Array>({
    start: controller => {
      for (const piece of pieces) controller.enqueue(piece)
      controller.close()
    },
  })
  const answer = await oneFetch(async () => answerOf(body), exchange())
  assert.deepEqual(answer.body, new Uint8Array([1, 2, 3]))
  assert.deepEqual(pieces, [new Uint8Array(2), new Uint8Array(1)])
})

/** A body of which the length is announced, to be read in either way; runtimes differ in which one is taken. */
const announced = (length: number, pieces: readonly Uint8Array[], whole: () => Promise<ArrayBuffer>): Response => {
  const body = new ReadableStream<Uint8Array>({
    start: controller => {
      for (const piece of pieces) controller.enqueue(piece)
      controller.close()
    },
  })
  return answerOf(body, { headers: new Headers({ 'content-length': String(length) }), arrayBuffer: whole })
}

test('T02 an announced body is handed over as the one buffer it came in, or its pieces are overwritten', async () => {
  const pieces = [new Uint8Array([1, 2]), new Uint8Array([3])]
  const whole = new Uint8Array([1, 2, 3])
  const answer = await oneFetch(async () => announced(3, pieces, async () => whole.buffer), exchange())
  assert.deepEqual(answer.body, new Uint8Array([1, 2, 3]))
  answer.body.fill(0)
  const left = [...pieces.flatMap(piece => [...piece]), ...whole].filter(byte => byte !== 0)
  assert.equal(left.length, 3, 'only the copy that was not read is as it was')
})

test('T02 a body longer than announced is refused and overwritten', async () => {
  const pieces = [new Uint8Array(17).fill(7)]
  const whole = new Uint8Array(17).fill(7)
  await assert.rejects(
    oneFetch(async () => announced(3, pieces, async () => whole.buffer), exchange()),
    kind('oversized'),
  )
  assert.ok(whole.every(byte => byte === 0) || pieces.every(piece => piece.every(byte => byte === 0)))
})

test('T02 an announced body that comes after the deadline is overwritten', async () => {
  const deadline = new AbortController()
  const late = new Uint8Array([1, 2, 3])
  const coming = Promise.withResolvers<ArrayBuffer>()
  const endless = new ReadableStream<Uint8Array>({ pull: () => new Promise<void>(() => {}) }, { highWaterMark: 0 })
  const headers = new Headers({ 'content-length': '3' })
  let asked = false
  const arrayBuffer = () => ((asked = true), coming.promise)
  const response = answerOf(endless, { headers, arrayBuffer })
  const waiting = oneFetch(async () => response, exchange({ signal: deadline.signal }))
  await new Promise(resolve => setImmediate(resolve))
  deadline.abort()
  await assert.rejects(waiting, kind('aborted'))
  coming.resolve(late.buffer)
  await new Promise(resolve => setImmediate(resolve))
  if (asked) assert.deepEqual(late, new Uint8Array(3))
})

test('a body that will be unpacked is read in pieces, whatever length is announced', async () => {
  const headers = { 'content-encoding': 'x-none', 'content-length': '3' }
  const answer = await oneFetch(async () => new Response('abc', { headers }), exchange())
  assert.equal(new TextDecoder().decode(answer.body), 'abc')
})

test('orAborted leaves no listener behind', async () => {
  const controller = new AbortController()
  let listeners = 0
  const signal = controller.signal
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args))
  signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args))
  assert.equal(await orAborted(Promise.resolve(1), signal), 1)
  await assert.rejects(orAborted(Promise.reject(new Error('no')), signal))
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(listeners, 0)
})

test('R-14: a length beside a transfer coding is not believed: the body is still capped', async () => {
  let pulled = 0
  const source = {
    pull: (controller: ReadableStreamDefaultController<Uint8Array>) => {
      pulled++
      controller.enqueue(new Uint8Array(8))
    },
  }
  const body = new ReadableStream<Uint8Array>(source, { highWaterMark: 0 })
  const headers = new Headers({ 'content-length': '5', 'transfer-encoding': 'chunked' })
  const arrayBuffer = (): Promise<ArrayBuffer> => assert.fail('taken whole, without a cap')
  await assert.rejects(
    oneFetch(async () => answerOf(body, { headers, arrayBuffer }), exchange()),
    kind('oversized'),
  )
  assert.ok(pulled <= 4, `${pulled} pieces`)
})
