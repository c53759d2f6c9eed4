/**
 * The HTTP edge of a whole signer in memory against mutants: of envelopes (R-11, T23, T24) and of tokens. Nothing
 * crashes, nothing is answered with 500, no mutated token is accepted, and whatever is signed says what it is: it decodes,
 * encodes to the bytes that came, and policy, asked apart, allows it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { isSignerError } from '../../src/domain/errors.ts'
import { EXAMPLE, openRig, problemOf } from '../support/rig.ts'
import { campaign, type Lane, type LaneReport, mutatedEnvelopes } from './envelopes.ts'
import { createTokenMutator, isSendable, MUTATION_KINDS, type TokenMutant } from './token-mutator.ts'

const long = process.env['COUNTERSIGN_TEST_LONG'] === '1'
const ENVELOPES = long ? 2_000_000 : 200_000
const TOKENS = long ? 500_000 : 50_000
const LIMIT_MS = long ? 7_200_000 : 600_000

/** @throws what its lane throws, and when it ends without a report */
const onThread = (lane: Lane, signal: AbortSignal): Promise<LaneReport> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL('envelopes-lane.ts', import.meta.url), { workerData: lane })
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error('the lane ended without a report')))
    signal.addEventListener('abort', () => void worker.terminate(), { once: true })
  })

test(`R-11 ${ENVELOPES} mutated envelopes through the HTTP edge: 400, 403, or signed for what they say`, {
  timeout: LIMIT_MS,
}, async () => {
  const lanes = [20_261_122, 20_261_124].map(seed => ({ seed, count: ENVELOPES / 2 }))
  const [here, there] = lanes as [Lane, Lane]
  const stop = new AbortController()
  const reports = await Promise.all([mutatedEnvelopes(here), onThread(there, stop.signal)]).finally(() => stop.abort())
  reports.forEach(({ tally, signatures, cost }, at) => {
    console.log(`# envelopes: seed ${lanes[at]?.seed}, ${cost}, ${JSON.stringify(tally)}`)
    assert.equal(signatures, (tally['signed'] ?? 0) + (tally['signed, unchanged'] ?? 0))
    assert.equal(
      Object.values(tally).reduce((sum, each) => sum + each, 0),
      ENVELOPES / 2,
    )
    for (const code of ['signed', 'policy/denied', 'policy/undecided', 'payload/invalid']) {
      assert.ok((tally[code] ?? 0) > ENVELOPES / 10_000, `hardly any ${code}: the mutator has lost its edge`)
    }
  })
})

test(`R-10 ${TOKENS} mutated tokens through the HTTP edge: not one is accepted`, { timeout: LIMIT_MS }, async () => {
  const seed = 20_261_123
  const rig = await openRig({ log: 'memory' })
  // One token in sixteen has no letter that the two alphabets of base64 spell differently, and so no mutant of that kind.
  let token = await rig.token(['sign:treasury'])
  while (!/[-_]/.test(token)) token = await rig.token(['sign:treasury'])
  const [jwk] = rig.jwks.keys
  const next = createTokenMutator({ seed, token, jwk: { x: String(jwk?.x) } })
  assert.equal((await rig.sign({ token })).status, 200, 'the token they are made of is good')
  const kinds = new Set<string>()
  let direct = 0

  const one = async (n: number): Promise<void> => {
    const mutant = next()
    kinds.add(mutant.kind)
    const label = `seed ${seed}, mutant ${n} (${mutant.kind}): ${JSON.stringify(mutant.authorization)}`
    const code = isSendable(mutant) ? await overHttp(mutant, n, label) : await past(mutant, n)
    assert.ok(code === 'token/invalid' || code === 'token/missing', `${code}, ${label}`)
  }

  const body = JSON.stringify({ type: 'stellar-transaction', xdr: EXAMPLE })
  const overHttp = async ({ authorization }: TokenMutant, n: number, label: string): Promise<string> => {
    const headers = new Headers({ 'content-type': 'application/json', 'idempotency-key': `token-${n}` })
    for (const value of [authorization].flat()) headers.append('authorization', value)
    const response = await rig.http('/v1/keys/treasury/sign', { method: 'POST', headers, body })
    assert.equal(response.status, 401, label)
    assert.equal(response.headers.get('www-authenticate'), 'Bearer, DPoP algs="EdDSA ES256"', label)
    return (await problemOf(response)).code
  }

  /** What no HTTP client can send goes to the service itself. */
  const past = async ({ authorization }: TokenMutant, n: number): Promise<string> => {
    direct++
    const request = { key: 'treasury', requestId: `r_${n}`, peer: 'test', idempotencyKey: `token-${n}` }
    const whole = { ...request, body: new TextEncoder().encode(body), authorization: [authorization].flat().join(', ') }
    return rig.signer.sign(whole).then(
      () => 'accepted',
      (error: unknown) => (isSignerError(error) ? error.code : String(error)),
    )
  }

  const cost = await campaign(rig, TOKENS, one)
  console.log(`# tokens: seed ${seed}, ${cost}, ${kinds.size} kinds, ${direct} past the HTTP layer`)
  assert.equal(rig.signatures(), 1)
  assert.deepEqual([...kinds].toSorted(), [...new Set(MUTATION_KINDS)].toSorted())
})
