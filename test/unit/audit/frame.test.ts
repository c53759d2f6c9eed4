import assert from 'node:assert/strict'
import { test } from 'node:test'
import { frameOf, readFrame, RECORD_BYTES_MAX } from '../../../src/audit/frame.ts'
import { createMemoryFiles } from '../../../src/audit/memory-files.ts'
import { segmentNumber } from '../../../src/audit/record.ts'
import { framesBehind, scanFrames } from '../../../src/audit/scan.ts'
import { seeded } from '../../support/audit-world.ts'

test('a frame is length, CRC32C of the payload, CRC32C of both, payload, line feed', () => {
  // Payload "123456789": its CRC32C is the check value of the algorithm.
  const frame = frameOf(new TextEncoder().encode('123456789'))
  assert.equal(Buffer.from(frame).toString('hex').slice(0, 16), '00000009e3069283')
  assert.equal(Buffer.from(frame.subarray(12)).toString(), '123456789\n')
  assert.equal(frame.length, 22)
})

test('readFrame: whole, incomplete with what is needed, damaged with the reason', () => {
  const frame = frameOf(new TextEncoder().encode('{"a":1}'))
  const whole = readFrame(frame, 0, frame.length, 100)
  assert.ok(whole.kind === 'frame' && whole.end === 20 && new TextDecoder().decode(whole.payload) === '{"a":1}')
  assert.deepEqual(readFrame(frame, 0, 11, 100), { kind: 'incomplete', need: 12 })
  assert.deepEqual(readFrame(frame, 0, 19, 100), { kind: 'incomplete', need: 20 })
  const at = (offset: number): string => {
    const changed = frame.slice()
    changed[offset]! ^= 4
    const reading = readFrame(changed, 0, changed.length, 100)
    return reading.kind === 'damaged' ? reading.reason : reading.kind
  }
  assert.match(at(3), /header/)
  assert.match(at(7), /header/)
  assert.match(at(11), /header/)
  assert.match(at(12), /payload/)
  assert.match(at(19), /line feed/)
  const long = readFrame(frame, 0, frame.length, 6)
  assert.ok(long.kind === 'damaged' && /7 bytes/.test(long.reason))
  const none = frameOf(new Uint8Array())
  assert.equal(readFrame(none, 0, none.length, 100).kind, 'damaged')
})

test('frames behind damage are found at any offset, over the borders of what is read at a time', async () => {
  const draw = seeded(3)
  for (const gap of [1, 13, 1_024 * 1_024 - 30, 1_024 * 1_024, 2 * 1_024 * 1_024 + 7]) {
    const payloads = Array.from({ length: 5 }, () =>
      new Uint8Array(1 + Math.floor(draw() * RECORD_BYTES_MAX)).fill(0x78),
    )
    const frames = payloads.map(frameOf)
    const size = gap + frames.reduce((sum, { length }) => sum + length + 3, 0)
    const bytes = new Uint8Array(size)
    let at = gap
    const offsets = frames.map(frame => {
      bytes.set(frame, at)
      at += frame.length + 3
      return at - frame.length - 3
    })
    const files = createMemoryFiles()
    files.put('x', bytes)
    const found: number[] = []
    for await (const frame of framesBehind(await files.open('x', 'read'), size, 0)) found.push(frame.offset)
    assert.deepEqual(found, offsets, `gap ${gap}`)
  }
})

test('scanFrames reads frames that are larger than what is read at a time', async () => {
  const header = frameOf(new Uint8Array(3 * 1_024 * 1_024).fill(0x20))
  const record = frameOf(new Uint8Array(100).fill(0x21))
  const files = createMemoryFiles()
  files.put('x', Uint8Array.of(...header.subarray(0, 12)))
  const both = new Uint8Array(header.length + record.length)
  both.set(header)
  both.set(record, header.length)
  files.put('x', both)
  const lengths: number[] = []
  for await (const { frames, damage } of scanFrames(await files.open('x', 'read'), both.length)) {
    lengths.push(...frames.map(({ payload }) => payload.length))
    assert.equal(damage, undefined)
  }
  assert.deepEqual(lengths, [3 * 1_024 * 1_024, 100])
})

test('names of segments', () => {
  assert.equal(segmentNumber('00000012.log'), 12)
  for (const name of [
    '00000000.log',
    '0000001.log',
    '000000012.log',
    '0000001x.log',
    '00000001.LOG',
    'STATE',
    '1e000000.log',
    '+0000001.log',
  ]) {
    assert.equal(segmentNumber(name), undefined, name)
  }
})
