import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { type Digest32, signature64 } from '../../../src/domain/brands.ts'
import { SignerError } from '../../../src/domain/errors.ts'
import type { Signed } from '../../../src/domain/provider.ts'
import { createShadow, type ShadowCounts, type ShadowJob } from '../../../src/routing/index.ts'
import { binding, resolved, steppingClock, turns } from './world.ts'

const SECRET = new Uint8Array(32).fill(5)
const MESSAGE = new Uint8Array(32).fill(9)
const SIGNATURE = signature64(ed25519.sign(MESSAGE, SECRET))
const job: ShadowJob = {
  key: resolved([binding('raw'), binding('aws')], ed25519.getPublicKey(SECRET)),
  binding: binding('raw'),
  shadow: binding('aws'),
  input: { scheme: 'ed25519', message: MESSAGE },
  signature: SIGNATURE,
  auditId: 'a_1',
  requestId: 'r_1',
}

function shadowOf(
  sign: (job: ShadowJob) => Promise<Signed>,
  more: { places?: number; queue?: number; may?: () => boolean } = {},
) {
  const clock = steppingClock()
  const troubles: string[] = []
  const counts: ShadowCounts[] = []
  const shadow = createShadow({
    clock,
    sign,
    mayStillSign: async () => more.may?.() ?? true,
    onTrouble: async (_, result) => void troubles.push(result.kind === 'error' ? result.code : result.reason),
    onCounts: async (_, seen) => void counts.push(seen),
    ...(more.places === undefined ? {} : { places: more.places }),
    ...(more.queue === undefined ? {} : { queue: more.queue }),
  })
  return { clock, shadow, troubles, counts }
}

test('M-66 equal signatures are counted, told once a minute and at the end', async () => {
  const { clock, shadow, troubles, counts } = shadowOf(async () => ({ signature: SIGNATURE }))
  for (let n = 0; n < 3; n++) shadow.add(job)
  await turns()
  assert.deepEqual([shadow.totals().equal, troubles.length, counts.length], [3, 0, 0])
  clock.advance(60_000)
  await turns()
  assert.deepEqual(counts, [{ equal: 3, different: 0, errors: 0, dropped: 0 }])
  shadow.add(job)
  await shadow.stop(1_000)
  assert.equal(counts.at(-1)?.equal, 1)
  shadow.add(job)
  assert.equal(shadow.totals().dropped, 1, 'nothing is taken after the stop')
})

test('M-66 one bit off, another key, an error, a lie that the provider caught: each is told at once', async () => {
  const flipped = SIGNATURE.slice()
  flipped[3] = (flipped[3] ?? 0) ^ 1
  const other = ed25519.sign(MESSAGE, new Uint8Array(32).fill(6))
  const answers: (() => Promise<Signed>)[] = [
    async () => ({ signature: signature64(flipped) }),
    async () => ({ signature: signature64(other) }),
    () => Promise.reject(new SignerError('provider/unavailable', { provider: 'p', reason: 'down' })),
    () => Promise.reject(new SignerError('provider/corrupt', { provider: 'p', reason: 'crc' })),
    () => Promise.reject(new TypeError('unforeseen')),
  ]
  const { shadow, troubles } = shadowOf(() => (answers.shift() ?? assert.fail())(), { places: 1 })
  for (let n = 0; n < 5; n++) shadow.add(job)
  await turns(30)
  assert.deepEqual(troubles, [
    ...Array.from({ length: 2 }, () => 'it does not verify under the pinned public key'),
    ...['provider/unavailable', 'provider/corrupt', 'unexpected'],
  ])
  assert.deepEqual(shadow.totals(), { equal: 0, different: 3, errors: 2, dropped: 0 })
})

test('M-66 Ed25519 is compared bit by bit, ECDSA verified: a fresh nonce is no difference there', async () => {
  const same = shadowOf(async () => ({ signature: SIGNATURE }))
  const noted = new Uint8Array(64).fill(1) // as if the answer had been another valid signature of the same message
  same.shadow.add({ ...job, signature: noted })
  await turns()
  assert.deepEqual(same.troubles, ['it is another signature of the same message'])

  const digest = MESSAGE as Digest32
  const options = { prehash: false, extraEntropy: true } as const
  const key = resolved([binding('raw'), binding('aws')], secp256k1.getPublicKey(SECRET, false))
  const sign = () => signature64(secp256k1.sign(digest, SECRET, options))
  const [answered, again] = [sign(), sign()]
  assert.notDeepEqual(answered, again)
  const ecdsa = shadowOf(async () => ({ signature: again }))
  ecdsa.shadow.add({ ...job, key, input: { scheme: 'ecdsa-secp256k1', digest }, signature: answered })
  await turns()
  assert.deepEqual([ecdsa.shadow.totals().equal, ecdsa.troubles], [1, []])
})

test('M-66 bounded: what does not fit is dropped and counted, adding returns at once, and the stop waits for a time only', async () => {
  let under = 0
  let most = 0
  const wake: (() => void)[] = []
  const { clock, shadow } = shadowOf(
    async () => {
      most = Math.max(most, ++under)
      await new Promise<void>(resolve => wake.push(resolve))
      under--
      return { signature: SIGNATURE }
    },
    { places: 2, queue: 5 },
  )
  for (let n = 0; n < 20; n++) shadow.add(job)
  assert.equal(under, 0, 'not in the turn of the caller')
  assert.equal(shadow.totals().dropped, 15)
  await turns()
  assert.equal(most, 2)
  const stopped = shadow.stop(500)
  await turns()
  clock.advance(500)
  await stopped
  assert.deepEqual(shadow.totals(), { equal: 0, different: 0, errors: 0, dropped: 18 })
})

test('M-66 a version that may not sign any more is not signed for, and trouble in the telling ends nothing', async () => {
  let asked = 0
  const sign = async (): Promise<Signed> => {
    asked++
    return { signature: SIGNATURE }
  }
  const revoked = shadowOf(sign, { may: () => false })
  revoked.shadow.add(job)
  const broken = shadowOf(sign, { may: () => assert.fail('the store is gone') })
  broken.shadow.add(job)
  await turns()
  assert.equal(asked, 0)
})
