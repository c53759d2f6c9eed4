import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { contextBytes } from '../../../providers/context-bytes.ts'
import { contextProblem } from '../../../providers/checks.ts'

const text = (bytes: Uint8Array): string => new TextDecoder('utf-8', { fatal: true }).decode(bytes)

test('a context is bound as RFC 8785 JSON: sorted by UTF-16 code units, escaped only where JSON must', () => {
  const rows: readonly (readonly [Record<string, string>, string])[] = [
    [{ version: '1', pubkey: 'GABC', network: 'testnet' }, '{"network":"testnet","pubkey":"GABC","version":"1"}'],
    [{ a: '"\\\u0000\u001f\n/é€😀' }, '{"a":"\\"\\\\\\u0000\\u001f\\n/é€😀"}'],
    // RFC 8785 §3.2.3: U+FB33 sorts after the surrogates of U+1F600.
    [
      { '\ufb33': '1', '😀': '2', '\u20ac': '3', '\r': '4', '1': '5' },
      '{"\\r":"4","1":"5","€":"3","😀":"2","\ufb33":"1"}',
    ],
    [{ constructor: 'x', toString: 'y' }, '{"constructor":"x","toString":"y"}'],
  ]
  for (const [context, expected] of rows) assert.equal(text(contextBytes(context)), expected)
})

test('M-06 two contexts give the same bytes exactly when they have the same entries (property)', () => {
  const context = fc
    .dictionary(fc.string({ unit: 'binary', maxLength: 6 }), fc.string({ unit: 'binary', maxLength: 6 }), {
      maxKeys: 4,
    })
    .map(each => ({ ...each }))
    .filter(each => contextProblem(each) === undefined)
  const entries = (each: Record<string, string>) =>
    JSON.stringify(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  fc.assert(
    fc.property(context, context, (a, b) => {
      assert.equal(text(contextBytes(a)) === text(contextBytes(b)), entries(a) === entries(b))
      assert.deepEqual(JSON.parse(text(contextBytes(a))), a)
      const reversed = Object.fromEntries(Object.entries(a).toReversed())
      assert.deepEqual(contextBytes(reversed), contextBytes(a))
    }),
    { numRuns: 150 },
  )
})
