import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSignerError } from '../../../src/domain/errors.ts'
import { beforeDeadline, BODY_DEADLINE_MS } from '../../../src/http/arrival.ts'

/** A clock that rings when it is told to, and remembers who still waits. */
function bell() {
  const waiting = new Set<() => void>()
  return {
    waiting,
    ring: () => waiting.forEach(wake => wake()),
    clock: {
      sleep: (ms: number, signal?: AbortSignal) =>
        new Promise<void>((resolve, reject) => {
          assert.equal(ms, BODY_DEADLINE_MS)
          waiting.add(resolve)
          signal?.addEventListener('abort', () => {
            waiting.delete(resolve)
            reject(signal.reason)
          })
        }),
    },
  }
}

function body() {
  let control: ReadableStreamDefaultController<Uint8Array> | undefined
  let cancelled = false
  const stream = new ReadableStream<Uint8Array>({
    start: controller => void (control = controller),
    cancel: () => void (cancelled = true),
  })
  return {
    stream,
    send: (...bytes: number[]) => control?.enqueue(Uint8Array.from(bytes)),
    end: () => control?.close(),
    break: (error: Error) => control?.error(error),
    cancelled: () => cancelled,
  }
}

const read = async (parts: AsyncIterable<Uint8Array>): Promise<number[]> => {
  const all: number[] = []
  for await (const part of parts) all.push(...part)
  return all
}

test('arrival: a body that comes in time is handed on part by part, and nobody waits for the clock any more', async () => {
  const [{ clock, waiting }, { stream, send, end, cancelled }] = [bell(), body()]
  const all = read(beforeDeadline(stream, { clock, ms: BODY_DEADLINE_MS }))
  send(1, 2)
  send(3)
  end()
  assert.deepEqual(await all, [1, 2, 3])
  assert.deepEqual([waiting.size, cancelled()], [0, false])
})

test('arrival T19 D21: a body that has not ended by the deadline is refused, silent or dripping', async () => {
  for (const drips of [0, 1, 50]) {
    const [{ clock, ring, waiting }, { stream, send, cancelled }] = [bell(), body()]
    const all = read(beforeDeadline(stream, { clock, ms: BODY_DEADLINE_MS })).catch((error: unknown) => error)
    for (let drip = 0; drip < drips; drip++) {
      send(drip)
      await Promise.resolve()
    }
    ring()
    const error = await all
    assert.ok(isSignerError(error) && error.code === 'request/malformed')
    assert.deepEqual([error.detail.field, error.detail.reason], ['body', 'did not end within 5 seconds'])
    assert.deepEqual([waiting.size, cancelled()], [0, true])
  }
})

test('arrival: whoever stops early, or hears that the body broke off, leaves no timer and takes nothing more', async () => {
  const [early, broken] = [bell(), bell()]
  const [kept, lost] = [body(), body()]
  kept.send(1)
  kept.send(2)
  for await (const part of beforeDeadline(kept.stream, { clock: early.clock, ms: BODY_DEADLINE_MS })) {
    assert.deepEqual([...part], [1])
    break
  }
  assert.deepEqual([early.waiting.size, kept.cancelled()], [0, true])
  const all = read(beforeDeadline(lost.stream, { clock: broken.clock, ms: BODY_DEADLINE_MS }))
  lost.break(new Error('gone'))
  await assert.rejects(all, /gone/)
  assert.equal(broken.waiting.size, 0)
})
