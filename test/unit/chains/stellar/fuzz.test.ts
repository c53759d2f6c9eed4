import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fuzzXdr } from '../../../fuzz/xdr.ts'

/** The whole under Bun; where branches are counted, a part. */
const COUNT = process.versions['bun'] === undefined ? 10_000 : 50_000

test(`R-11, T23, T24 ${COUNT} mutated envelopes: no crash, nothing accepted that encodes to other bytes`, {
  timeout: 120_000,
}, t => {
  const seed = Number(process.env['FUZZ_SEED'] ?? 42)
  const result = fuzzXdr({ count: COUNT, seed })
  t.diagnostic?.(JSON.stringify(result))
  assert.equal(result.accepted + result.refused, COUNT)
  assert.ok(result.accepted > COUNT / 10, 'the mutator must reach the decoder')
  assert.ok(result.allow > COUNT / 50 && result.deny > COUNT / 50, 'both answers must occur')
})

test('R-11 the same seed gives the same outcomes', () => {
  const { slowestMs: _, ...first } = fuzzXdr({ count: 500, seed: 7 })
  const { slowestMs: __, ...second } = fuzzXdr({ count: 500, seed: 7 })
  assert.deepEqual(first, second)
  assert.notEqual(fuzzXdr({ count: 500, seed: 8 }).digest, first.digest)
})
