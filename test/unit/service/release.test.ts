import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex } from '../../../src/bytes/hex.ts'
import type { Decision } from '../../../src/domain/audit.ts'
import { digest32, signature64 } from '../../../src/domain/brands.ts'
import { type Key, VERSION_STATES } from '../../../src/domain/key.ts'
import { type Evidence, release } from '../../../src/service/release.ts'
import { verifyAfterSign } from '../../../src/service/verify-after-sign.ts'
import { testKey } from '../../fuzz/xdr-corpus.ts'
import { withCode } from '../../support/audit-world.ts'

const POLICY = 'ab'.repeat(32)
const key: Key = {
  name: 'treasury',
  chain: 'stellar',
  network: 'testnet',
  policy: '{}',
  policyHash: POLICY,
  createdAt: 0,
}
const good: Evidence = {
  verified: { under: '00'.repeat(32) },
  intent: { seq: 1, hash: '01' },
  outcome: { seq: 2, hash: '02' },
  decision: { kind: 'allow', policyHash: POLICY },
  state: 'active',
  key,
}
const said = (kind: 'deny' | 'undecided'): Decision => ({ kind, policyHash: POLICY, rule: 'fee', reason: 'too high' })

test('release gives the answer when every invariant holds, also for a version in overlap', () => {
  assert.equal(
    release(good, () => 'answer'),
    'answer',
  )
  assert.equal(
    release({ ...good, state: 'overlap' }, () => 'answer'),
    'answer',
  )
})

const BROKEN: ReadonlyArray<readonly [string, string, Partial<Evidence>]> = [
  ['I1', 'no evidence of verification', { verified: { under: '' } }],
  ['I2', 'the outcome stands before the intent', { intent: { seq: 2, hash: '02' }, outcome: { seq: 1, hash: '01' } }],
  ['I2', 'intent and outcome are one record', { outcome: { seq: 1, hash: '01' } }],
  ['I2', 'a receipt without a number', { outcome: { seq: Number.NaN, hash: '02' } }],
  ['I4', 'the decision was deny', { decision: said('deny') }],
  ['I4', 'the decision was undecided', { decision: said('undecided') }],
  ['I4', 'it was allowed under another policy', { decision: { kind: 'allow', policyHash: 'cd'.repeat(32) } }],
  ...VERSION_STATES.filter(state => state !== 'active' && state !== 'overlap').map(
    state => ['I5', `the version is ${state}`, { state }] as const,
  ),
]

for (const [invariant, what, change] of BROKEN) {
  test(`${invariant} broken on purpose (${what}): nothing is released`, () => {
    let answered = false
    const attempt = () =>
      release({ ...good, ...change }, () => {
        answered = true
      })
    assert.throws(attempt, error => {
      assert.ok(withCode('internal')(error))
      assert.deepEqual((error as { detail?: unknown }).detail, { incident: `invariant-${invariant}` })
      return true
    })
    assert.equal(answered, false)
  })
}

test('I1 verification gives the pin as evidence, and nothing for any other input', async () => {
  const pair = testKey('release')
  const message = new Uint8Array(32).fill(5)
  const pin = new Uint8Array(pair.rawPublicKey())
  const signature = new Uint8Array(pair.sign(message))
  const input = { scheme: 'ed25519', message } as const
  assert.deepEqual(await verifyAfterSign(input, pin, signature64(signature)), { under: toHex(pin) })

  const refused = withCode('signature/unverified')
  const other = new Uint8Array(testKey('other').rawPublicKey())
  const flipped = signature.slice()
  flipped[3] = (flipped[3] ?? 0) ^ 1
  await assert.rejects(verifyAfterSign(input, other, signature64(signature)), refused)
  await assert.rejects(verifyAfterSign(input, pin, signature64(flipped)), refused)
  await assert.rejects(verifyAfterSign({ ...input, message: new Uint8Array(32) }, pin, signature64(signature)), refused)
  await assert.rejects(
    verifyAfterSign({ scheme: 'ecdsa-secp256k1', digest: digest32(message) }, pin, signature64(signature)),
    refused,
  )
  await assert.rejects(verifyAfterSign(input, pin, signature64(flipped)), error => {
    assert.ok(
      !String(error).includes(toHex(flipped)) && !String(error).includes(Buffer.from(flipped).toString('base64')),
    )
    return true
  })
})
