import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stellar } from '../../../src/chains/stellar/index.ts'
import { decide, parsePolicy, type PolicyDocument } from '../../../src/policy/index.ts'
import { alice } from '../../fuzz/xdr-corpus.ts'
import { seeded } from '../../fuzz/xdr-mutator.ts'
import { oracle, type OracleSpends } from '../../support/policy-oracle.ts'
import { LEDGER, NOW_MS, often, randomDocument, randomEnvelope } from '../../support/policy-random.ts'

const LONG = process.env['COUNTERSIGN_TEST_LONG'] === '1'
const COUNT = LONG ? 100_000 : 20_000
const ROUNDS = 3
const SEED = Number(process.env['POLICY_SEED'] ?? 20_261_124)
const facts = { now: NOW_MS, keyAddress: alice, keyNetwork: 'testnet' }

/** The claims in the words of the oracle. */
function spendsOf(
  claims: readonly { counter: string; amount: bigint; limit: bigint; windowMs: number }[],
): OracleSpends {
  const spends: OracleSpends = new Map()
  for (const { counter, amount, limit, windowMs } of claims) {
    const [kind, network, key, seconds, asset, receiver, ...more] = counter.split('|')
    assert.deepEqual([kind, network, key, more], ['spent', 'testnet', alice, []])
    assert.equal(windowMs, Number(seconds) * 1000)
    const name = `${seconds} ${asset} ${receiver}`
    assert.ok(!spends.has(name), 'one claim a counter')
    spends.set(name, [amount, limit])
  }
  return spends
}

const sorted = (spends: OracleSpends) => [...spends].toSorted(([a], [b]) => (a < b ? -1 : 1))

test(`R-25 ${COUNT} random envelopes, ${ROUNDS} random policies each, against an oracle that reads the envelope: 0 false allow, 0 false refusal, the same claims`, {
  timeout: 600_000,
}, t => {
  const rng = seeded(SEED)
  const policies = Array.from({ length: 600 }, () => {
    const document: PolicyDocument = randomDocument(rng)
    return { document, policy: parsePolicy(document) }
  })
  const tally = { allow: 0, deny: 0, undecided: 0, claims: 0 }
  for (let number = 0; number < COUNT; number++) {
    const envelope = randomEnvelope(rng).toXdr('base64')
    const { view } = stellar.parse({ type: 'stellar-transaction', xdr: envelope }, 'testnet')
    for (let round = 0; round < ROUNDS; round++) {
      const { document, policy } = policies[rng.int(policies.length)] ?? assert.fail()
      const world = often(rng, 70) ? { ...facts, ledger: LEDGER } : facts
      const decision = decide(policy, view, world)
      tally[decision.kind]++
      const expected = oracle(document, envelope, { ...world, network: 'testnet' })
      if ((decision.kind === 'allow') !== (expected !== undefined)) {
        const said = JSON.stringify(decision, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
        assert.fail(
          `seed ${SEED}, number ${number}: ${said}; oracle ${expected !== undefined}; ${policy.text} ${envelope}`,
        )
      }
      if (decision.kind !== 'allow' || expected === undefined) continue
      const spends = spendsOf(decision.spends ?? [])
      tally.claims += spends.size
      assert.deepEqual(sorted(spends), sorted(expected), `seed ${SEED}, number ${number}: ${policy.text} ${envelope}`)
      assert.equal(decision.spends === undefined, expected.size === 0)
    }
  }
  t.diagnostic?.(JSON.stringify({ seed: SEED, ...tally }))
  assert.ok(tally.allow > (COUNT * ROUNDS) / 60, `only ${tally.allow} allowed: the sample proves too little`)
  assert.ok(tally.undecided > 0 && tally.claims > tally.allow / 10)
})
