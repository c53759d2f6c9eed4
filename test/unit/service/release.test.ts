import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex } from '../../../src/bytes/hex.ts'
import type { Decision } from '../../../src/domain/audit.ts'
import { digest32, signature64 } from '../../../src/domain/brands.ts'
import { type AnySignerError, SignerError } from '../../../src/domain/errors.ts'
import { type Key, VERSION_STATES, type VersionState } from '../../../src/domain/key.ts'
import {
  type Evidence,
  freshly,
  leave,
  leaveTogether,
  type Look,
  LOOK_GOOD_MS,
  release,
} from '../../../src/service/release.ts'
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
const lookOf = (state: VersionState): Look => ({
  state,
  at: { monotonic: 0, now: 0 },
  again: () => Promise.reject(new SignerError('key/not-active', { key: 'treasury', version: 1, state: 'revoked' })),
  withhold: async error => error,
})
const good: Evidence = {
  verified: { under: '00'.repeat(32) },
  intent: { seq: 1, hash: '01' },
  outcome: { seq: 2, hash: '02' },
  decision: { kind: 'allow', policyHash: POLICY },
  look: lookOf('active'),
  key,
}
const said = (kind: 'deny' | 'undecided'): Decision => ({ kind, policyHash: POLICY, rule: 'fee', reason: 'too high' })

const incident = (): AnySignerError => assert.fail('nothing unexpected was thrown')
const at = (monotonic: number, now = 0) => ({ clock: { monotonic: () => monotonic, now: () => now }, incident })

test('release gives the answer when every invariant holds, also for a version in overlap', async () => {
  for (const evidence of [good, { ...good, look: lookOf('overlap') }]) {
    const released = release(evidence, () => 'answer')
    assert.equal(await leave(at(0), released), 'answer')
    assert.equal(
      await leave(
        at(LOOK_GOOD_MS, -LOOK_GOOD_MS),
        released.as(answer => `${answer}ed`),
      ),
      'answered',
    )
  }
})

test('M-62 I5 an old look lets nothing out: it is looked again, as often as that takes too long, and not for ever', async () => {
  const revoked = release(good, () => 'answer')
  // The process stood still; the machine did, whose monotonic clock did too; somebody set the clock back.
  for (const late of [at(LOOK_GOOD_MS + 1), at(0, LOOK_GOOD_MS + 1), at(0, -LOOK_GOOD_MS - 1)]) {
    await assert.rejects(leave(late, revoked), withCode('key/not-active'))
  }

  let looks = 0
  const clock = { now: 0 }
  const again = async (tooSlow: number): Promise<Look> => {
    const look = { ...lookOf('active'), at: { monotonic: clock.now, now: 0 }, again: () => again(tooSlow) }
    if (++looks <= tooSlow) clock.now += LOOK_GOOD_MS + 1
    return look
  }
  const slow = (tooSlow: number) => ({ ...lookOf('active'), again: () => again(tooSlow) })
  const deps = { clock: { monotonic: () => clock.now, now: () => 0 }, incident }
  for (const [tooSlow, expected] of [
    [0, 'answer'],
    [3, 'answer'],
    [99, 'store/unavailable'],
  ] as const) {
    looks = 0
    clock.now += LOOK_GOOD_MS + 1
    const told = await leave(
      deps,
      release({ ...good, look: slow(tooSlow) }, () => 'answer'),
    ).catch(error => error.code)
    assert.equal(told, expected)
    assert.ok(looks <= 4, `${looks} looks`)
  }
})

test('M-62 I5 several leave at one moment, each by its own look; what throws unexpectedly has a number', async () => {
  const numbered = new SignerError('internal', { incident: 'i_1' }) as AnySignerError
  const deps = { ...at(LOOK_GOOD_MS + 1), incident: () => numbered }
  const broken = { ...lookOf('active'), again: () => Promise.reject(new Error('a fault')) }
  const before = new SignerError('policy/denied', { rule: 'fee', reason: 'r' }) as AnySignerError
  const settled = await leaveTogether(deps, [
    { released: release({ ...good, look: { ...lookOf('active'), at: { monotonic: 1, now: 0 } } }, () => 'fresh') },
    { refused: before },
    { released: release(good, () => 'revoked') },
    { released: release({ ...good, look: broken }, () => 'broken') },
  ])
  assert.deepEqual(
    settled.map(each => ('answer' in each ? each.answer : each.refused.code)),
    ['fresh', 'policy/denied', 'key/not-active', 'internal'],
  )
  assert.deepEqual(await leaveTogether(deps, []), [])
})

test('M-62 I5 what is asked for freshly is asked again while it comes late, and not for ever', async () => {
  const clock = { time: 0, asked: 0 }
  const clocks = { monotonic: () => clock.time, now: () => 0 }
  const ask = (late: number) => async () => {
    if (clock.asked++ < late) clock.time += LOOK_GOOD_MS + 1
    return clock.asked
  }
  assert.equal(await freshly(clocks, ask(2)), 3)
  clock.asked = 0
  await assert.rejects(freshly(clocks, ask(99)), withCode('store/unavailable'))
  assert.equal(clock.asked, 4)
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
    state => ['I5', `the version is ${state}`, { look: lookOf(state) }] as const,
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
