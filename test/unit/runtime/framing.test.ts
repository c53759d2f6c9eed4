/** T18: where two readers of HTTP could see one request or two, ours sees one or refuses. Both servers, raw sockets. */
import { describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import type { ServeOptions } from '../../../src/runtime/contract.ts'
import { openRuntime } from '../../../src/runtime/index.ts'

const hidden = (id: string): string => `GET /hidden/${id} HTTP/1.1\r\nHost: x\r\n\r\n`
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`

/** Header lines, and what comes after them; `rest` is the request that one of the readings would let out. */
type Case = readonly [name: string, head: readonly string[], body: (rest: string) => string]

const post = 'POST /first HTTP/1.1'
const TE = 'Transfer-Encoding: chunked'

/** The length covers all of it, the chunks end before it. */
const endedEarly = (rest: string): string => `0\r\n\r\n${rest}`
const lengthOf = (rest: string): string => `Content-Length: ${endedEarly(rest).length}`
const REST = hidden('00')

/** Ways to say `chunked` that some take for it and some do not, each beside a length that says something else. */
const SPELLINGS: readonly string[] = [
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: Chunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: identity, chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: chunked,',
  'Transfer-Encoding: ,chunked',
  'Transfer-Encoding: "chunked"',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding:\tchunked',
  'Transfer-Encoding:\u000bchunked',
  'Transfer-Encoding:\u000cchunked',
  'Transfer-Encoding: chunked\u0000',
  'Transfer-Encoding: chun\u0000ked',
  'Transfer-Encoding:\r\n chunked',
  ' Transfer-Encoding: chunked',
  'X: y\nTransfer-Encoding: chunked',
  'X: y\rTransfer-Encoding: chunked',
  'Transfer_Encoding: chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
  'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
]
/** Ways to say a length that some read and some do not. */
const lengths = (n: number): readonly string[] => [
  `Content-Length: ${n}\r\nContent-Length: 0`,
  `Content-Length: 0\r\nContent-Length: ${n}`,
  `Content-Length: 0, ${n}`,
  `Content-Length: ${n}, 0`,
  `Content-Length: +${n}`,
  `Content-Length: -${n}`,
  `Content-Length: 0x${n.toString(16)}`,
  `Content-Length: ${n}.0`,
  `Content-Length: ${n}e0`,
  `Content-Length: ${n}abc`,
  `Content-Length: ${n} 0`,
  `Content-Length: 1${'0'.repeat(20)}`,
  `Content-Length : ${n}`,
  `Content-Length: ${n}\u0000`,
  `Content-Length:\r\n ${n}`,
  `Content_Length: ${n}\r\nContent-Length: ${n}`,
]
/** Bodies in chunks of which a length of 4 lets the rest out; and chunks that are none. */
const CHUNKS: ReadonlyArray<readonly [name: string, body: (rest: string) => string]> = [
  ['a size in capitals of hex with a prefix', rest => `0x${rest.length.toString(16)}\r\n${rest}\r\n0\r\n\r\n`],
  ['a size with a sign', rest => `+${rest.length.toString(16)}\r\n${rest}\r\n0\r\n\r\n`],
  ['a negative size', rest => `-1\r\n${rest}\r\n0\r\n\r\n`],
  ['a size that wraps around', rest => `1${'0'.repeat(16)}\r\n${rest}\r\n0\r\n\r\n`],
  ['a size that ends with LF', rest => `${rest.length.toString(16)}\n${rest}\r\n0\r\n\r\n`],
  ['a size with a line of its own in an extension', rest => `5;a=b\n${rest}\r\n0\r\n\r\n`],
  ['a size with blanks', rest => `${rest.length.toString(16)} \r\n${rest}\r\n0\r\n\r\n`],
  ['no size', rest => `\r\n${rest}\r\n0\r\n\r\n`],
  ['a chunk without its end', rest => `1\r\nx${rest}0\r\n\r\n`],
  ['a longer chunk than its size', rest => `1\r\nxx\r\n${rest}`],
  ['a last chunk that ends wrongly', rest => `0\r\nX${rest}`],
  ['a last chunk that ends with LF', rest => `0\n\n${rest}`],
]

const CASES: readonly Case[] = [
  ...SPELLINGS.map((line): Case => [`length beside ${JSON.stringify(line)}`, [post, lengthOf(REST), line], endedEarly]),
  ...SPELLINGS.slice(0, 6).map(
    (line): Case => [
      `chunks beside a short length and ${JSON.stringify(line)}`,
      [post, 'Content-Length: 4', line],
      chunk,
    ],
  ),
  ...lengths(REST.length).map((line): Case => [JSON.stringify(line), [post, line], rest => rest]),
  ...CHUNKS.map(([name, body]): Case => [name, [post, TE], body]),
  ['chunks in HTTP/1.0', ['POST /first HTTP/1.0', TE, 'Content-Length: 4'], chunk],
  ['GET with a body', ['GET /first HTTP/1.1', `Content-Length: ${REST.length}`], rest => rest],
  ['HEAD with a body', ['HEAD /first HTTP/1.1', `Content-Length: ${REST.length}`], rest => rest],
  ['DELETE with a body', ['DELETE /first HTTP/1.1', `Content-Length: ${REST.length}`], rest => rest],
  ['OPTIONS with a body in chunks', ['OPTIONS /first HTTP/1.1', TE], chunk],
  ['Expect: 100-continue', [post, `Content-Length: ${REST.length}`, 'Expect: 100-continue'], rest => rest],
  ['an upgrade to h2c', [post, `Content-Length: ${REST.length}`, 'Connection: Upgrade', 'Upgrade: h2c'], rest => rest],
  ['a trailer that sets a length', [post, TE], rest => `${chunk(rest).slice(0, -2)}Content-Length: 0\r\n\r\n`],
]

/** Sends the bytes and waits until the server closes, or has said nothing more for a moment. */
function exchange(port: number, text: string): Promise<string> {
  return new Promise(resolve => {
    let told = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'))
    const done = (): void => {
      socket.destroy()
      resolve(told)
    }
    socket.setTimeout(300, done)
    socket.on('data', bytes => {
      told += bytes.toString('latin1')
    })
    socket.on('error', done)
    socket.on('close', done)
  })
}

describe.each(['bun', 'node'] as const)('framing on %s', name => {
  test(`T18 ${CASES.length} framings that can be read in two ways: never a second request`, async () => {
    const seen: string[] = []
    const remember: ServeOptions['fetch'] = async request => {
      seen.push(new URL(request.url).pathname)
      await request.text().catch(() => '')
      return new Response('')
    }
    const runtime = await openRuntime(name)
    const limits = { bodyBytes: 10_000, idleSeconds: 5 }
    const server = await runtime.serve({ fetch: remember, host: '127.0.0.1', port: 0, limits })

    await exchange(server.port, `GET /first HTTP/1.1\r\nHost: x\r\n\r\n${hidden('control')}`)
    expect(seen).toEqual(['/first', '/hidden/control']) // two requests in a row are two: the trap is alive
    seen.length = 0

    const answers = await Promise.all(
      CASES.map(([, head, body], at) => {
        const rest = hidden(String(at).padStart(2, '0'))
        const [line = '', ...fields] = head
        return exchange(server.port, [line, 'Host: x', ...fields, '', body(rest)].join('\r\n'))
      }),
    )
    const second = seen.filter(path => path.startsWith('/hidden/')).map(path => CASES[Number(path.slice(8))]?.[0])
    expect(second).toEqual([])
    const refused = answers.filter(answer => /^HTTP\/1\.[01] 4\d\d/.test(answer) || answer === '').length
    expect(refused).toBeGreaterThan(CASES.length / 2)
    await server.stop(1000)
  })
})
