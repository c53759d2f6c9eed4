import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SignerError } from '../../../src/domain/errors.ts'
import { operations, v1 } from '../../fuzz/xdr-corpus.ts'
import { EXAMPLE, openRig, problemOf } from '../../support/rig.ts'

const OTHER = v1({ operations: operations['payment']?.slice(0, 1) ?? [] }).toXdr('base64')

/** A turn of the event loop inside the key service, so that callers really overlap. */
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('I3 R-16 T58 200 rounds of 100 callers with one idempotency key: one call of the key service, one release', {
  timeout: 180_000,
}, async () => {
  const rig = await openRig({
    log: 'memory',
    concurrency: 1_000,
    provider: real => ({
      ...real,
      sign: async (...given) => {
        await turn()
        return real.sign(...given)
      },
    }),
  })
  const seen = { released: 0, replayed: 0, inFlight: 0 }
  for (let round = 0; round < 200; round++) {
    const idempotencyKey = `round-${round}`
    const calls = rig.signatures()
    const answers = new Set<string>()
    let released = 0
    await Promise.all(
      Array.from({ length: 100 }, async (_, at) => {
        if (at % 3 === 2) await turn() // some come late, to find the answer there
        if (at % 7 === 6) for (let wait = 0; wait < at; wait++) await turn()
        const response = await rig.sign({ idempotencyKey })
        if (!response.ok) {
          assert.equal((await problemOf(response)).code, 'idempotency/in-flight')
          assert.equal(response.status, 409)
          assert.equal(response.headers.get('retry-after'), '1')
          return void seen.inFlight++
        }
        answers.add(await response.text())
        if (response.headers.get('idempotency-replayed') === 'true') seen.replayed++
        else released++
      }),
    )
    assert.equal(rig.signatures() - calls, 1, `round ${round}`)
    assert.equal(released, 1, `round ${round}`)
    assert.equal(answers.size, 1, `round ${round}: every answer has the same bytes`)
    seen.released += released
  }
  console.log(`# ${JSON.stringify(seen)}`)
  assert.equal(seen.released, 200)
  assert.equal(seen.released + seen.replayed + seen.inFlight, 20_000)
  assert.ok(seen.replayed > 0 && seen.inFlight > 0, 'both kinds of duplicate were seen')
})

test('I3 a replay has the bytes of the first answer, says so in a header, and is on record under the same audit id', async () => {
  const rig = await openRig()
  const first = await rig.sign({ idempotencyKey: 'same' })
  const bytes = await first.text()
  for (let n = 0; n < 3; n++) {
    rig.clock.advance(60_000)
    const again = await rig.sign({ idempotencyKey: 'same' })
    assert.equal(again.status, 200)
    assert.equal(again.headers.get('idempotency-replayed'), 'true')
    assert.equal(await again.text(), bytes)
    assert.notEqual(again.headers.get('x-request-id'), first.headers.get('x-request-id'))
  }
  assert.equal(rig.signatures(), 1)
  const records = await rig.records()
  const { auditId } = JSON.parse(bytes) as { auditId: string }
  assert.deepEqual(
    records.map(record => (record.kind === 'event' ? record.event : record.kind)),
    ['intent', 'outcome', 'sign-replayed', 'sign-replayed', 'sign-replayed'],
  )
  assert.ok(records.every(record => record.auditId === auditId))
})

test('I3 the same request in another spelling of JSON is the same request', async () => {
  const rig = await openRig()
  const first = await (await rig.sign({ idempotencyKey: 'same' })).text()
  const spelled = `{ "xdr" : "${EXAMPLE.replaceAll('/', '\\/')}",\n"type":"stellar\\u002dtransaction" }`
  const again = await rig.sign({ idempotencyKey: 'same', body: spelled })
  assert.equal(again.headers.get('idempotency-replayed'), 'true')
  assert.equal(await again.text(), first)
  const quoted = await rig.sign({ idempotencyKey: '"same"' })
  assert.equal(await quoted.text(), first)
})

test('I3 another body or another key under the same idempotency key is refused: before, during and after', async () => {
  let inside = false
  const rig = await openRig({
    provider: real => ({
      ...real,
      sign: async (...given) => {
        if (inside) {
          const during = await rig.sign({ idempotencyKey: 'same', xdr: OTHER })
          assert.equal((await problemOf(during)).code, 'idempotency/mismatch')
          assert.equal((await problemOf(await rig.sign({ idempotencyKey: 'same' }))).code, 'idempotency/in-flight')
          throw new SignerError('provider/unavailable', { provider: 'mock', reason: 'a test says so' })
        }
        return real.sign(...given)
      },
    }),
  })
  inside = true
  assert.equal((await problemOf(await rig.sign({ idempotencyKey: 'same' }))).code, 'provider/unavailable')
  inside = false
  const afterFailure = await rig.sign({ idempotencyKey: 'same', xdr: OTHER })
  assert.equal(afterFailure.status, 422)
  assert.equal((await problemOf(afterFailure)).code, 'idempotency/mismatch')
  assert.equal((await rig.sign({ idempotencyKey: 'same' })).status, 200, 'the same request may go again')
  assert.equal((await problemOf(await rig.sign({ idempotencyKey: 'same', xdr: OTHER }))).code, 'idempotency/mismatch')
  assert.deepEqual(
    rig.refusals.map(({ errorCode, actor }) => [errorCode, actor?.subject]),
    [
      ['idempotency/mismatch', 'tester'],
      ['idempotency/in-flight', 'tester'],
      ['idempotency/mismatch', 'tester'],
      ['idempotency/mismatch', 'tester'],
    ],
  )
})

test('I3 a refusal by policy gives the idempotency key back, and the body stays bound to it', async () => {
  const rig = await openRig({ policy: { version: 1 } })
  for (let n = 0; n < 2; n++) {
    assert.equal((await problemOf(await rig.sign({ idempotencyKey: 'same' }))).code, 'policy/denied')
  }
  assert.equal((await problemOf(await rig.sign({ idempotencyKey: 'same', xdr: OTHER }))).code, 'idempotency/mismatch')
})

test('I3 two callers may use the same idempotency key: each has a scope of its own', async () => {
  const rig = await openRig()
  const other = await rig.token(['sign:*'], 600, 'other')
  assert.equal((await rig.sign({ idempotencyKey: 'same' })).status, 200)
  const response = await rig.sign({ idempotencyKey: 'same', xdr: OTHER, token: other })
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('idempotency-replayed'), null)
  assert.equal(rig.signatures(), 2)
})

test('I3 R-17 T57 200 answers lost after the key service signed: at most one release for each id, and the retry gets it', async () => {
  const lost = new Set<string>()
  let current = ''
  const rig = await openRig({
    log: 'memory',
    provider: real => ({
      ...real,
      sign: async (...given) => {
        const signed = await real.sign(...given)
        if (lost.has(current)) return signed
        lost.add(current) // it signed; the answer went astray
        throw new SignerError('provider/ambiguous', {
          provider: 'mock',
          reason: 'the connection was reset',
          requestId: 'v-1',
        })
      },
    }),
  })
  let released = 0
  for (let n = 0; n < 200; n++) {
    current = `lost-${n}`
    const first = await rig.sign({ idempotencyKey: current })
    assert.equal(first.status, 504)
    const problem = await problemOf(first)
    assert.equal(problem.code, 'provider/ambiguous')
    assert.equal(problem['retryable'], true)
    const second = await rig.sign({ idempotencyKey: current })
    assert.equal(second.status, 200)
    assert.equal(second.headers.get('idempotency-replayed'), null)
    released++
    const third = await rig.sign({ idempotencyKey: current })
    assert.equal(third.headers.get('idempotency-replayed'), 'true')
    assert.equal(await third.text(), await second.text())
  }
  assert.equal(released, 200)
  assert.equal(rig.signatures(), 400)
  const outcomes = (await rig.records()).filter(record => record.kind === 'outcome')
  const failed = outcomes.filter(({ result, errorCode }) => result === 'failed' && errorCode === 'provider/ambiguous')
  assert.equal(failed.length, 200)
  assert.ok(
    failed.every(({ providerRequestId }) => providerRequestId === 'v-1'),
    'their request id is kept for reconciling',
  )
  assert.equal(outcomes.filter(({ result }) => result === 'released').length, 200)
})
