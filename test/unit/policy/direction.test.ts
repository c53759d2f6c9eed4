import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stellar } from '../../../src/chains/stellar/index.ts'
import type { SpendClaim } from '../../../src/domain/claims.ts'
import { decide, diff, directionOf, parsePolicy, type Policy, type PolicyDocument } from '../../../src/policy/index.ts'
import { alice } from '../../fuzz/xdr-corpus.ts'
import { type Rng, seeded } from '../../fuzz/xdr-mutator.ts'
import { LEDGER, NOW_MS, often, randomDocument, randomEnvelope } from '../../support/policy-random.ts'
import { places, policyOrNone, takeOne } from '../../support/policy-places.ts'

const COUNT = 20_000
const SEED = Number(process.env['POLICY_SEED'] ?? 20_261_126)
const world = { now: NOW_MS, keyAddress: alice, keyNetwork: 'testnet', ledger: LEDGER }

/** One field or entry less. Windows limit, so they stay. */
function withoutOne(rng: Rng, document: PolicyDocument): Policy | undefined {
  const { windows, ...copy } = structuredClone(document)
  if (!takeOne(rng, copy)) return undefined
  return policyOrNone(windows === undefined ? copy : { ...copy, windows })
}

/** One value another, in either direction. */
function withOneOther(rng: Rng, document: PolicyDocument): Policy | undefined {
  const copy: unknown = structuredClone(document)
  const other: unknown = structuredClone(randomDocument(rng))
  const all = places(copy)
  const place = all[rng.int(all.length)]
  if (place === undefined) return undefined
  const donors = places(other).filter(({ key }) => key === place.key)
  const donor = donors[rng.int(donors.length)]
  if (donor === undefined) return undefined
  const given: unknown = Array.isArray(donor.holder) ? donor.holder[Number(donor.key)] : donor.holder[donor.key]
  if (Array.isArray(place.holder)) place.holder[Number(place.key)] = given
  else place.holder[place.key] = given
  return policyOrNone(copy)
}

const views = (rng: Rng, count: number) =>
  Array.from({ length: count }, () => {
    const xdr = randomEnvelope(rng).toXdr('base64')
    return stellar.parse({ type: 'stellar-transaction', xdr }, 'testnet').view
  })

test(`R-26 taking any grant away never allows more, ${COUNT} times, with contracts, tokens and options; it is a tightening`, {
  timeout: 120_000,
}, t => {
  const rng = seeded(SEED)
  const pool = views(rng, 2_000)
  const tally = { tried: 0, lostAllow: 0 }
  while (tally.tried < COUNT) {
    const document = randomDocument(rng)
    const policy = parsePolicy(document)
    for (let round = 0; round < 20; round++) {
      const fewer = withoutOne(rng, document)
      if (fewer === undefined) continue
      assert.equal(directionOf(policy, fewer), 'tightening', `seed ${SEED}: ${policy.text} → ${fewer.text}`)
      for (let each = 0; each < 10; each++) {
        const view = pool[rng.int(pool.length)] ?? assert.fail()
        const before = decide(policy, view, world)
        const after = decide(fewer, view, world)
        tally.tried++
        if (before.kind === 'allow' && after.kind !== 'allow') tally.lostAllow++
        if (before.kind !== 'allow')
          assert.notEqual(after.kind, 'allow', `seed ${SEED}: ${policy.text} → ${fewer.text}`)
      }
    }
  }
  t.diagnostic?.(JSON.stringify({ seed: SEED, ...tally }))
  assert.ok(tally.lostAllow > 50, 'the removals must matter')
})

const claimsOf = (claims: readonly SpendClaim[] = []): Map<string, SpendClaim> =>
  new Map(claims.map(claim => [claim.counter, claim]))

test(`R-26 a tightening allows nothing that was not allowed, and asks every window that was asked, ${COUNT} times`, {
  timeout: 120_000,
}, t => {
  const rng = seeded(SEED + 1)
  const pool = views(rng, 2_000)
  const tally = { tightening: 0, loosening: 0, lostAllow: 0, newAllow: 0 }
  for (let tried = 0; tried < COUNT; ) {
    const document = randomDocument(rng)
    const policy = parsePolicy(document)
    for (let round = 0; round < 20; round++) {
      const other = often(rng, 85) ? withOneOther(rng, document) : policyOrNone(randomDocument(rng))
      if (other === undefined) continue
      const direction = directionOf(policy, other)
      tally[direction]++
      for (let each = 0; each < 8; each++, tried++) {
        const view = pool[rng.int(pool.length)] ?? assert.fail()
        const before = decide(policy, view, world)
        const after = decide(other, view, world)
        const where: string = `seed ${SEED + 1}: ${policy.text} → ${other.text}`
        if (before.kind === 'allow' && after.kind !== 'allow') tally.lostAllow++
        if (before.kind !== 'allow' && after.kind === 'allow') {
          tally.newAllow++
          assert.equal(direction, 'loosening', where)
        }
        if (direction === 'tightening' && before.kind === 'allow' && after.kind === 'allow') {
          const held = claimsOf(after.spends)
          for (const [counter, claim] of claimsOf(before.spends)) {
            const now = held.get(counter)
            assert.ok(now !== undefined && now.amount >= claim.amount && now.limit <= claim.limit, where)
          }
        }
      }
    }
  }
  t.diagnostic?.(JSON.stringify({ seed: SEED + 1, ...tally }))
  assert.ok(tally.tightening > 100 && tally.loosening > 100 && tally.newAllow > 50)
})

test('a policy is a tightening of itself, and what its own words repeat is no difference', () => {
  const rng = seeded(SEED + 2)
  for (let number = 0; number < 500; number++) {
    const policy = parsePolicy(randomDocument(rng))
    assert.deepEqual(diff(policy, policy), [])
    assert.equal(directionOf(policy, policy), 'tightening')
  }
})

test('if one way is not a tightening and the other is not either, both lists say what is more', () => {
  const rng = seeded(SEED + 3)
  for (let number = 0; number < 500; number++) {
    const [a, b] = [parsePolicy(randomDocument(rng)), parsePolicy(randomDocument(rng))]
    for (const [before, after] of [
      [a, b],
      [b, a],
    ] as const) {
      const found = diff(before, after)
      assert.equal(
        directionOf(before, after) === 'loosening',
        found.some(({ change }) => change === 'more'),
      )
      assert.ok(found.every(({ path, sentence }) => path.length > 0 && sentence.endsWith('.')))
    }
  }
})
