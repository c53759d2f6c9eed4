import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fuzzAuthorizations } from './auth.ts'

const LONG = process.env['COUNTERSIGN_TEST_LONG'] === '1'
const COUNT = LONG ? 1_000_000 : 100_000

test(`M-22, T23, T24 ${COUNT} mutated authorizations, values and fee bumps: no crash, no other bytes, one digest`, {
  timeout: LONG ? 3_600_000 : 120_000,
}, t => {
  const result = fuzzAuthorizations({ count: COUNT, seed: Number(process.env['FUZZ_SEED'] ?? 71) })
  t.diagnostic?.(JSON.stringify(result))
  for (const [kind, accepted] of Object.entries(result.accepted)) {
    assert.ok(accepted > COUNT / 50 && accepted < COUNT / 4, `${kind}: ${accepted} accepted`)
  }
  assert.ok(result.allowed > COUNT / 100, 'policy must have been reached')
  assert.ok(result.secondOpinions > COUNT / 500, 'the second SDK must have been asked')
})
