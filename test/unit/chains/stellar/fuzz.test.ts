import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fuzzXdr } from '../../../fuzz/xdr.ts'

test('R-11, T23, T24 50,000 mutated envelopes: no crash, nothing accepted that encodes to other bytes', {
  timeout: 120_000,
}, t => {
  const seed = Number(process.env['FUZZ_SEED'] ?? 42)
  const result = fuzzXdr({ count: 50_000, seed })
  t.diagnostic?.(JSON.stringify(result))
  assert.equal(result.accepted + result.refused, 50_000)
  assert.ok(result.accepted > 5_000, 'the mutator must reach the decoder')
  assert.ok(result.allow > 1_000 && result.deny > 1_000, 'both answers must occur')
})

test('R-11 the same seed gives the same outcomes', () => {
  const { slowestMs: _, ...first } = fuzzXdr({ count: 500, seed: 7 })
  const { slowestMs: __, ...second } = fuzzXdr({ count: 500, seed: 7 })
  assert.deepEqual(first, second)
  assert.notEqual(fuzzXdr({ count: 500, seed: 8 }).digest, first.digest)
})
