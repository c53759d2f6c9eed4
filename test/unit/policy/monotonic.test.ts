import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StellarTransactionView } from '../../../src/domain/stellar.ts'
import { decide, parsePolicy, type Policy } from '../../../src/policy/index.ts'
import { type Rng, seeded } from '../../fuzz/xdr-mutator.ts'
import { facts, randomDocument, randomOperation, randomView } from './samples.ts'
import { policyOrNone, takeOne } from '../../support/policy-places.ts'

const COUNT = 20_000
const SEED = Number(process.env['POLICY_SEED'] ?? 20_261_123)

/** The document without one field, or without one entry of a list. Undefined: what is left is no policy. */
function withoutOne(rng: Rng, document: unknown): Policy | undefined {
  const copy: unknown = structuredClone(document)
  return takeOne(rng, copy) ? policyOrNone(copy) : undefined
}

test(`R-26 taking any field or entry away never allows more, ${COUNT} times`, { timeout: 120_000 }, t => {
  const rng = seeded(SEED)
  const tally = { tried: 0, lostAllow: 0 }
  while (tally.tried < COUNT) {
    const document = randomDocument(rng)
    const policy = parsePolicy(document)
    for (let round = 0; round < 20; round++) {
      const less = withoutOne(rng, document)
      if (less === undefined) continue
      for (let views = 0; views < 5; views++) {
        const view = randomView(rng)
        const before = decide(policy, view, facts)
        const after = decide(less, view, facts)
        tally.tried++
        if (before.kind === 'allow' && after.kind !== 'allow') tally.lostAllow++
        if (before.kind !== 'allow') assert.notEqual(after.kind, 'allow', `seed ${SEED}: ${policy.text} → ${less.text}`)
      }
    }
  }
  t.diagnostic?.(JSON.stringify({ seed: SEED, ...tally }))
  assert.ok(tally.lostAllow > 50, 'the removals must matter')
})

function withOneMore(rng: Rng, view: StellarTransactionView): StellarTransactionView {
  const insert = <T>(list: readonly T[], entry: T): T[] => list.toSpliced(rng.int(list.length + 1), 0, entry)
  const operation = randomOperation(rng)
  if (view.kind === 'transaction') return { ...view, operations: insert(view.operations, operation) }
  return { ...view, inner: { ...view.inner, operations: insert(view.inner.operations, operation) } }
}

test(`R-26 adding an operation never turns deny into allow, ${COUNT} times`, { timeout: 120_000 }, () => {
  const rng = seeded(SEED + 1)
  let policy = parsePolicy(randomDocument(rng))
  let denied = 0
  for (let number = 0; denied < COUNT; number++) {
    if (number % 100 === 0) policy = parsePolicy(randomDocument(rng))
    const view = randomView(rng)
    if (decide(policy, view, facts).kind !== 'deny') continue
    denied++
    assert.notEqual(decide(policy, withOneMore(rng, view), facts).kind, 'allow', `seed ${SEED + 1}, number ${number}`)
  }
})
