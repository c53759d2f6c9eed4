import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromBase64 } from '../../../src/bytes/base64.ts'
import { signature64 } from '../../../src/domain/brands.ts'
import { type VersionState, VERSION_STATES } from '../../../src/domain/key.ts'
import type { EnvelopeProvider, Signed } from '../../../src/domain/provider.ts'
import { revokeKey } from '../../../src/service/revoke.ts'
import type { SignAnswer } from '../../../src/service/types.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { testKey } from '../../fuzz/xdr-corpus.ts'
import { seeded } from '../../support/audit-world.ts'
import { openRig, problemOf, type Rig } from '../../support/rig.ts'

/** The real provider, its signatures changed on the way. */
const lying =
  (change: (signature: Uint8Array, message: Uint8Array) => Uint8Array) =>
  (real: EnvelopeProvider): EnvelopeProvider => ({
    ...real,
    sign: async (key, input, call): Promise<Signed> => {
      const { signature } = await real.sign(key, input, call)
      return {
        signature: signature64(change(signature.slice(), input.scheme === 'ed25519' ? input.message : input.digest)),
      }
    },
  })

async function refusedAsUnverified(rig: Rig): Promise<void> {
  const before = (await rig.records()).length
  const problem = await problemOf(await rig.sign())
  assert.equal(problem.code, 'signature/unverified')
  assert.equal(problem['retryable'], false)
  const [intent, outcome, event, ...more] = (await rig.records()).slice(before)
  assert.deepEqual(more, [])
  assert.equal(intent?.kind, 'intent')
  assert.ok(event?.kind === 'event' && event.event === 'key-quarantined' && event.auditId === intent.auditId)
  assert.ok(outcome?.kind === 'outcome' && outcome.result === 'failed' && outcome.errorCode === 'signature/unverified')
  assert.equal(outcome.signature, undefined)
}

const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n
/** S + L: the same equation, another spelling (RFC 8032 §5.1.7 refuses it). */
function withHighS(signature: Uint8Array): Uint8Array {
  let s = 0n
  for (let at = 63; at >= 32; at--) s = (s << 8n) | BigInt(signature[at] ?? 0)
  s += ORDER
  for (let at = 32; at < 64; at++, s >>= 8n) signature[at] = Number(s & 0xffn)
  return signature
}

const LIES: Readonly<Record<string, (signature: Uint8Array, message: Uint8Array) => Uint8Array>> = {
  zeros: () => new Uint8Array(64),
  'high S': withHighS,
  'halves exchanged': signature => new Uint8Array([...signature.slice(32), ...signature.slice(0, 32)]),
  'another key': (_, message) => new Uint8Array(testKey('mallory').sign(message)),
  'another message': () => new Uint8Array(testKey('mallory').sign(new Uint8Array(32))),
  'small-order R': signature => new Uint8Array([1, ...new Uint8Array(31), ...signature.slice(32)]),
}

for (const [what, change] of Object.entries(LIES)) {
  test(`I1 T37 the key service answers with ${what}: nothing is released, the outcome says so`, async () => {
    await refusedAsUnverified(await openRig({ provider: lying(change) }))
  })
}

test('I1 R-15 each of the 512 single-bit flips of a signature is refused on the path', async () => {
  let bit = 0
  const rig = await openRig({
    log: 'memory',
    provider: lying(signature => {
      signature[bit >> 3] = (signature[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      return signature
    }),
  })
  const codes = new Map<string, number>()
  for (bit = 0; bit < 512; bit++) {
    const { code } = await problemOf(await rig.sign())
    codes.set(code, (codes.get(code) ?? 0) + 1)
    assert.ok(await rig.store.keys.setState('treasury', 1, 'active', ['quarantined']))
  }
  assert.deepEqual([...codes], [['signature/unverified', 512]])
  const outcomes = (await rig.records()).filter(record => record.kind === 'outcome')
  assert.equal(outcomes.length, 512)
  assert.ok(outcomes.every(outcome => outcome.result === 'failed' && outcome.signature === undefined))
})

for (const fault of ['EIO', 'ENOSPC', 'EROFS'] as const) {
  for (const kind of ['write', 'datasync'] as const) {
    test(`I2 T47 ${fault} at the ${kind} of the intent: the key service is never asked, and the log is sealed`, async () => {
      const rig = await openRig()
      rig.files.fault = operation => (operation.kind === kind ? fault : undefined)
      assert.equal((await problemOf(await rig.sign())).code, 'audit/sealed')
      assert.equal(rig.signatures(), 0)
      await isSealed(rig)
    })

    test(`I2 T47 ${fault} at the ${kind} of the outcome: nothing is released, and the log is sealed`, async () => {
      const rig = await openRig({
        provider: real => ({
          ...real,
          sign: async (...given) => {
            rig.files.fault = operation => (operation.kind === kind ? fault : undefined)
            return real.sign(...given)
          },
        }),
      })
      const problem = await problemOf(await rig.sign({ idempotencyKey: 'once' }))
      assert.equal(problem.code, 'audit/sealed')
      assert.ok(!JSON.stringify(problem).includes('signature"'))
      assert.equal(rig.signatures(), 1)
      await isSealed(rig)
      assert.equal((await problemOf(await rig.sign({ idempotencyKey: 'once' }))).code, 'audit/sealed')
      assert.equal(rig.signatures(), 1)
    })
  }
}

async function isSealed(rig: Rig): Promise<void> {
  const asked = rig.signatures()
  rig.files.fault = () => undefined // the disk is well again; the signer does not believe it
  for (let n = 0; n < 3; n++) {
    const response = await rig.sign()
    assert.equal(response.status, 503)
    assert.equal((await problemOf(response)).code, 'audit/sealed')
  }
  assert.equal(rig.signatures(), asked)
  assert.equal(rig.log.state.kind, 'sealed')
  const ready = await rig.http('/readyz')
  assert.equal(ready.status, 503)
  assert.deepEqual(await ready.json(), { status: 'unavailable', checks: [{ name: 'audit', ok: false }] })
  assert.equal((await rig.http('/livez')).status, 200)
}

test('I2 T47 a sync that hangs: nothing is released, and after its deadline the log is sealed', async () => {
  const rig = await openRig()
  const hangs = new Promise<void>(resolve => {
    rig.files.fault = ({ kind }) => {
      if (kind !== 'datasync') return undefined
      resolve()
      return 'hang'
    }
  })
  const answer = rig.sign()
  await hangs
  rig.clock.advance(5_001)
  assert.equal((await problemOf(await answer)).code, 'audit/sealed')
  assert.equal(rig.signatures(), 0)
})

for (const state of VERSION_STATES.filter(each => each !== 'active')) {
  const may = state === 'overlap'
  test(`I5 T59 the version becomes ${state} while the key service works: ${may ? 'released' : 'refused, on record'}`, async () => {
    const rig = await openRig({
      provider: real => ({
        ...real,
        sign: async (...given) => {
          const signed = await real.sign(...given)
          await rig.store.keys.setState('treasury', 1, state)
          return signed
        },
      }),
    })
    const response = await rig.sign()
    const outcome = (await rig.records()).at(-1)
    assert.ok(outcome?.kind === 'outcome')
    if (may) {
      assert.equal(response.status, 200)
      assert.equal(outcome.result, 'released')
      return
    }
    const problem = await problemOf(response)
    assert.equal(problem.code, 'key/not-active')
    assert.equal(problem['state'], state)
    assert.deepEqual([outcome.result, outcome.errorCode], ['refused', 'key/not-active'])
    assert.equal(outcome.signature, undefined)
  })
}

test('M-62 I5 T59 revoked at a random point of the path of four requests at once, 500 times: nothing is released after the acknowledgement', async () => {
  const seed = 59
  console.log(`# revocation seed ${seed}`)
  const chance = seeded(seed)
  let tick = 0
  let revokeAt = Number.POSITIVE_INFINITY
  let acknowledged = false
  let revoking: Promise<void> | undefined
  const actor = { subject: 'operator', peer: '127.0.0.1' }
  const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) }
  /** A timer: what is to go out on this turn of the loop has left, and for everybody the time has passed. */
  const sleep = async (ms: number): Promise<void> => {
    await new Promise(resolve => setImmediate(resolve))
    rig.clock.advance(ms)
  }
  const revoke = async (): Promise<void> => {
    const deps = { registry: store.keys, audit: rig.log, random, actor, clock: { sleep } }
    const done = await revokeKey(deps, 'treasury', { reason: 'r' })
    assert.deepEqual(done, { revoked: [1], now: [1] })
    acknowledged = true
  }
  /** Every step of every path passes here; at the drawn one the operator revokes, and that request waits until it is done. */
  const step = async (): Promise<void> => {
    await Promise.resolve()
    if (++tick !== revokeAt) return
    revoking = revoke()
    await revoking
  }
  const around = async <T>(body: () => Promise<T>): Promise<T> => {
    await step()
    const result = await body()
    await step()
    return result
  }
  const store = openMemoryStore()
  const rig = await openRig({
    log: 'memory',
    store,
    audit: real => ({
      get state() {
        return real.state
      },
      close: real.close,
      append: (...entries) => around(() => real.append(...entries)),
    }),
    catalogue: real => ({
      ...real,
      resolve: name => around(() => real.resolve(name)),
      stateOf: (name, version) => real.stateOf(name, version),
    }),
    idempotency: real => ({
      reserve: entry => around(() => real.reserve(entry)),
      complete: (entry, result) => real.complete(entry, result),
      release: entry => around(() => real.release(entry)),
    }),
    provider: real => ({ ...real, sign: (...given) => around(() => real.sign(...given)) }),
  })
  const codes = new Map<string, number>()
  const one = async (n: number): Promise<void> => {
    const response = await rig.sign()
    if (response.ok)
      assert.ok(!acknowledged, `round ${n}: released after the revocation at step ${revokeAt} was acknowledged`)
    const code = response.ok ? 'released' : (await problemOf(response)).code
    codes.set(code, (codes.get(code) ?? 0) + 1)
  }
  let revocations = 0
  for (let n = 0; n < 500; n++) {
    tick = 0
    acknowledged = false
    revoking = undefined
    revokeAt = 1 + Math.floor(chance() * 52) // each of the four paths has 12 such steps
    await Promise.all([0, 1, 2, 3].map(() => one(n)))
    await revoking
    if (acknowledged) revocations++
    revokeAt = Number.POSITIVE_INFINITY
    const after = await rig.sign()
    assert.equal(after.ok ? 'released' : (await problemOf(after)).code, acknowledged ? 'key/not-active' : 'released')
    await rig.store.keys.setState('treasury', 1, 'active')
  }
  console.log(`# ${revocations} revocations: ${JSON.stringify(Object.fromEntries(codes))}`)
  assert.deepEqual([...codes.keys()].toSorted(), ['key/not-active', 'released'])
  assert.ok(revocations > 400)
})

test('I5 T59 revoked while the outcome is on its way to the disk: withheld, and the log says so after the outcome', async () => {
  const rig = await openRig({
    audit: real => ({
      get state() {
        return real.state
      },
      close: real.close,
      append: async (...entries) => {
        const receipt = await real.append(...entries)
        if (entries.some(entry => entry.kind === 'outcome')) await rig.store.keys.setState('treasury', 1, 'revoked')
        return receipt
      },
    }),
  })
  const problem = await problemOf(await rig.sign({ idempotencyKey: 'same' }))
  assert.equal(problem.code, 'key/not-active')
  const [intent, outcome, event, ...more] = await rig.records()
  assert.deepEqual(more, [])
  assert.ok(intent?.kind === 'intent' && outcome?.kind === 'outcome' && event?.kind === 'event')
  assert.equal(outcome.result, 'released')
  assert.deepEqual(
    [event.event, event.auditId, event.detail['errorCode']],
    ['release-withheld', intent.auditId, 'key/not-active'],
  )
  assert.equal((await problemOf(await rig.sign({ idempotencyKey: 'same' }))).code, 'key/not-active')
  assert.equal(rig.signatures(), 1)
})

test('I5 a request released before and sent again after the revocation is refused', async () => {
  const rig = await openRig()
  assert.equal((await rig.sign({ idempotencyKey: 'same' })).status, 200)
  for (const state of ['retired', 'revoked', 'destroyed'] satisfies VersionState[]) {
    await rig.store.keys.setState('treasury', 1, state)
    assert.equal((await problemOf(await rig.sign({ idempotencyKey: 'same' }))).code, 'key/not-active')
  }
  assert.equal(rig.signatures(), 1)
})

test('I5 revoked between the resolving of the key and the replay: refused too', async () => {
  const rig = await openRig({
    idempotency: real => ({
      ...real,
      reserve: async entry => {
        const reservation = await real.reserve(entry)
        if (reservation.kind === 'replay') await rig.store.keys.setState('treasury', 1, 'revoked')
        return reservation
      },
    }),
  })
  assert.equal((await rig.sign({ idempotencyKey: 'same' })).status, 200)
  assert.equal((await problemOf(await rig.sign({ idempotencyKey: 'same' }))).code, 'key/not-active')
  assert.equal(rig.refusals.at(-1)?.errorCode, 'key/not-active')
})

test('I1 a stored answer that was changed is not given again', async () => {
  const rig = await openRig({
    idempotency: real => ({
      ...real,
      reserve: async entry => {
        const found = await real.reserve(entry)
        if (found.kind !== 'replay') return found
        const bytes = fromBase64(found.result.signature) ?? new Uint8Array()
        bytes[0] = (bytes[0] ?? 0) ^ 1
        return { kind: 'replay', result: { ...found.result, signature: Buffer.from(bytes).toString('base64') } }
      },
    }),
  })
  const first = (await (await rig.sign({ idempotencyKey: 'same' })).json()) as SignAnswer
  assert.ok(first.signature.length > 0)
  assert.equal((await problemOf(await rig.sign({ idempotencyKey: 'same' }))).code, 'signature/unverified')
  assert.equal(rig.signatures(), 1)
})

test('the store cannot note a release: it is given, said in the log, and the next start repairs the index', async () => {
  const rig = await openRig({
    idempotency: real => ({ ...real, complete: () => Promise.reject(new Error('disk I/O error')) }),
  })
  const released = await rig.sign({ idempotencyKey: 'same' })
  assert.equal(released.status, 200)
  const { signature } = (await released.json()) as SignAnswer
  assert.equal(rig.logs.filter(({ event }) => event === 'store-lags').length, 1)
  assert.equal((await problemOf(await rig.sign({ idempotencyKey: 'same' }))).code, 'idempotency/in-flight')

  await rig.log.close()
  const next = await openRig({ files: rig.files.copy(), store: rig.store })
  const again = await next.sign({ idempotencyKey: 'same' })
  assert.equal(again.headers.get('idempotency-replayed'), 'true')
  assert.equal(((await again.json()) as SignAnswer).signature, signature)
  assert.equal(next.signatures(), 0)
})
