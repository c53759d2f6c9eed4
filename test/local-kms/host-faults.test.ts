import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, test } from 'node:test'
import { systemClock } from '../../local-kms/core/clock.ts'
import { startServer } from '../../local-kms/core/server.ts'
import type { Fault, FaultRule } from '../../local-kms/index.ts'
import { fakeHost } from './fake-face.ts'

const { host } = await fakeHost()
const server = await startServer({
  host: '127.0.0.1',
  port: 0,
  allowNonLoopback: false,
  bodyBytesMax: 1024,
  clock: systemClock,
  handle: host.handler('vault'),
})
after(() => server.close())
const port = Number(new URL(server.url).port)

async function under<T>(fault: Fault, body: () => Promise<T>): Promise<T> {
  host.clearFaults()
  host.addFaults({ times: 0, fault })
  try {
    return await body()
  } finally {
    host.clearFaults()
  }
}

interface Seen {
  readonly text: string
  readonly end: string
  readonly bytes: number
  readonly ms: number
  readonly rssWaiting: number
}

/**
 * What comes over the wire on a connection of its own, and how that ends.
 * @param stopAfter  the caller hangs up after so many bytes
 * @param waitMs  how long nothing is read
 */
function raw({ stopAfter = Number.POSITIVE_INFINITY, waitMs = 0 } = {}): Promise<Seen> {
  return new Promise(resolve => {
    const started = performance.now()
    const socket = connect(port, '127.0.0.1', () =>
      socket.write('POST /look HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'),
    )
    let [text, bytes, end, rssWaiting] = ['', 0, 'closed', 0]
    const read = () => {
      rssWaiting = process.memoryUsage().rss
      socket.on('data', (data: Uint8Array) => {
        bytes += data.length
        if (text.length < 4096) text += Buffer.from(data).toString('latin1')
        if (bytes >= stopAfter) socket.destroy()
      })
    }
    if (waitMs > 0) setTimeout(read, waitMs)
    else read()
    socket.on('error', (error: Error & { code?: string }) => void (end = error.code ?? 'error'))
    socket.on('close', () => resolve({ text, end, bytes, ms: performance.now() - started, rssWaiting }))
  })
}

test('R-14 local-kms faults: a connection reset before the answer, in its head, in its body', async () => {
  const start = await under({ kind: 'reset' }, () => raw())
  assert.deepEqual([start.text, start.end], ['', 'ECONNRESET'])
  const head = await under({ kind: 'reset', at: 'head' }, () => raw())
  assert.match(head.text, /^HTTP\/1\.1 200 /)
  assert.ok(!head.text.includes('\r\n\r\n'))
  assert.equal(head.end, 'ECONNRESET')
  const body = await under({ kind: 'reset', at: 'body' }, () => raw())
  assert.match(body.text, /content-length: 1024/i)
  assert.match(body.text, /\r\n\r\n\{"$/)
  assert.equal(body.end, 'ECONNRESET')
})

test('R-14 local-kms faults: text that ends too early, under an honest length and under a false one', async () => {
  const cut = await under({ kind: 'truncated-json' }, () => fetch(`${server.url}/look`))
  const text = await cut.text()
  assert.equal(cut.headers.get('content-length'), String(text.length))
  assert.throws(() => JSON.parse(text), SyntaxError)
  const lying = await under({ kind: 'truncate', bytes: 5 }, () => raw())
  const promised = Number(/content-length: (\d+)/i.exec(lying.text)![1])
  assert.ok(promised > 5)
  assert.equal(lying.text.split('\r\n\r\n')[1]!.length, 5)
})

test('R-14 local-kms faults: an answer byte by byte, the body alone or the head as well', async () => {
  const body = await under({ kind: 'slow-body', msPerByte: 1 }, () => raw())
  assert.ok(body.ms >= 20, `${body.ms} ms`)
  assert.match(body.text, /"id":"[0-9a-f]{8}"\}/)
  const head = await under({ kind: 'slow-body', msPerByte: 1, head: true }, () => raw())
  assert.ok(head.ms >= 100, `${head.ms} ms`)
  assert.match(head.text, /^HTTP\/1\.1 200 [^\r]*\r\n[^]*\r\n\r\n\{"count":\d+,"id":"[0-9a-f]{8}"\}$/)
  // A caller that hangs up ends it
  const left = await under({ kind: 'slow-body', msPerByte: 1, head: true }, () => raw({ stopAfter: 10 }))
  assert.ok(left.bytes < 60)
})

test('R-14 local-kms faults: 100 MB stream past without being held, and end when the reader leaves', async () => {
  const BYTES = 100_000_000
  await under({ kind: 'oversized-body', bytes: BYTES }, async () => {
    const before = process.memoryUsage().rss
    const whole = await raw({ waitMs: 150 }) // a reader that takes nothing at first: now it would all lie here
    assert.ok(whole.bytes > BYTES && whole.bytes < BYTES * 1.01, `${whole.bytes} bytes`)
    assert.match(whole.text, /transfer-encoding: chunked/i)
    assert.ok(whole.rssWaiting - before < 50_000_000, `${(whole.rssWaiting - before) / 1e6} MB held`)
    const left = await raw({ stopAfter: 1_000_000 })
    assert.ok(left.bytes < 10_000_000)
  })
})

test('local-kms faults: an answer that grew is still JSON, with all its members', async () => {
  const answer = await under({ kind: 'oversized-body', bytes: 200_000 }, async () => {
    const response = await fetch(`${server.url}/look`)
    return (await response.json()) as { Padding: string; id: string }
  })
  assert.equal(answer.Padding.length, 200_000)
  assert.match(answer.id, /^[0-9a-f]{8}$/)
})

test('R-14 local-kms faults: another content type, a date that is off, and no answer at all', async () => {
  const typed = await under({ kind: 'content-type', value: 'text/html' }, () => fetch(`${server.url}/look`))
  assert.equal(typed.headers.get('content-type'), 'text/html')
  const dated = await under({ kind: 'date-skew', ms: -7_200_000 }, () => fetch(`${server.url}/look`))
  assert.ok(Date.parse(dated.headers.get('date')!) < Date.now() - 7_000_000)
  await under({ kind: 'hang' }, async () => {
    await assert.rejects(fetch(`${server.url}/look`, { signal: AbortSignal.timeout(40) }))
  })
})

const rule = (more: Partial<FaultRule>): FaultRule => ({ fault: { kind: 'reset' }, ...more })

test('local-kms fault rules: each face counts for itself, so one face’s calls never shift another’s', async () => {
  const { host: own, call } = await fakeHost({ faults: [rule({ nth: 2 }), rule({ face: 'gcp', nth: 3 })] })
  const row = async (face: 'aws' | 'vault' | 'gcp', count: number) => {
    let out = ''
    for (let i = 0; i < count; i++) out += (await call(face, 'look')).wire === 'reset' ? 'x' : '.'
    return out
  }
  assert.equal(await row('aws', 4), '.x..')
  assert.equal(await row('vault', 4), '.x..')
  assert.equal(await row('gcp', 4), '.xx.')
  own.reset('aws')
  assert.equal(await row('aws', 2), '.x')
  assert.equal(await row('vault', 2), '..')
  own.clearFaults()
  own.reset()
  assert.equal(own.faults().length, 2)
})

test('local-kms fault rules: chances are drawn for each face, and the same again after reset', async () => {
  const { host: own, call } = await fakeHost({ faults: [rule({ times: 0, probability: 0.5 })] })
  const row = async (face: 'aws' | 'vault', other?: 'gcp') => {
    let out = ''
    for (let i = 0; i < 30; i++) {
      if (other !== undefined) await call(other, 'look')
      out += (await call(face, 'look')).wire === 'reset' ? 'x' : '.'
    }
    return out
  }
  const aws = await row('aws')
  const vault = await row('vault', 'gcp')
  assert.notEqual(aws, vault)
  own.reset()
  assert.equal(await row('vault'), vault)
  assert.equal(await row('aws', 'gcp'), aws)
})

test('local-kms fault rules: of a face that is not there, or of no kind there is, are refused', async () => {
  const { host: own } = await fakeHost({ faces: ['aws', 'gcp'] })
  assert.throws(() => own.addFaults(rule({ face: 'vault' })), /face 'vault': there are aws, gcp/)
  assert.throws(() => own.addFaults(rule({}), rule({ fault: { kind: 'gremlins' } as never })), /Cannot use fault kind/)
  assert.equal(own.faults().length, 0)
  await assert.rejects(fakeHost({ faults: [rule({ face: 'vault' })], faces: ['aws'] }), RangeError)
})
