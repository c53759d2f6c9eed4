import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type AnySignerError,
  type ErrorCode,
  type ErrorDetail,
  isRetryable,
  SignerError,
} from '../../../src/domain/errors.ts'
import { codeOfProblem, PROBLEMS, problemResponse, problemType } from '../../../src/http/problem.ts'
import { openRig, problemOf } from '../../support/rig.ts'

/** One of each; a code without an example does not compile. */
const DETAILS: { readonly [C in ErrorCode]: ErrorDetail[C] } = {
  'request/malformed': { field: '/xdr', reason: 'is missing', fix: 'send it' },
  'request/too-large': { limitBytes: 65_536 },
  'request/unsupported-media': { contentType: 'text/plain' },
  'request/unknown-route': { method: 'GET', path: '/nowhere' },
  'idempotency/missing': { header: 'Idempotency-Key' },
  'idempotency/malformed': { reason: 'r' },
  'idempotency/mismatch': { reason: 'r' },
  'idempotency/in-flight': { retryAfterMs: 250 },
  'payload/invalid': { field: 'xdr', reason: 'r' },
  'payload/unsupported': { payloadType: 'raw-digest', chain: 'stellar' },
  'token/missing': { reason: 'r' },
  'token/invalid': { reason: 'r' },
  'access/denied': { action: 'sign', reason: 'r' },
  'access/limited': { scope: 's', limit: 10, windowSeconds: 60, retryAfterMs: 500 },
  'login/refused': { reason: 'r' },
  'admin/unknown': { address: 'G' },
  'admin/exists': { address: 'G' },
  'admin/last': { address: 'G', reason: 'r' },
  'change/unknown': { id: 'c' },
  'change/conflict': { id: 'c', reason: 'r' },
  'change/not-approved': { id: 'c', needed: 2, given: 1, reason: 'r' },
  'approval/refused': { rule: 'time', reason: 'r' },
  'proposal/unknown': { id: 'p' },
  'proposal/conflict': { id: 'p', reason: 'r' },
  'network/unavailable': { network: 'testnet', reason: 'r', retryAfterMs: 2_000 },
  'network/malformed': { network: 'testnet', reason: 'r' },
  'transaction/rejected': { network: 'testnet', resultCode: 'txBAD_SEQ', reason: 'r' },
  'transaction/unknown': { hash: 'ab' },
  'template/unknown': { template: 't' },
  'batch/refused': { reason: 'r', findings: [{ field: 'keys[0]', key: 'k', code: 'policy/denied', rule: 'fee' }] },
  'policy/denied': { rule: 'fee', reason: 'r' },
  'policy/undecided': { rule: 'operations', reason: 'r' },
  'key/unknown': { key: 'k' },
  'key/exists': { key: 'k' },
  'key/unsupported': { key: 'k', wanted: 'w', reason: 'r' },
  'key/not-active': { key: 'k', version: 1, state: 'revoked' },
  'key/rotation': { key: 'k', reason: 'r' },
  'key/mismatch': { key: 'k', reason: 'r' },
  'provider/unavailable': { provider: 'p', reason: 'r', retryAfterMs: 2_500 },
  'provider/ambiguous': { provider: 'p', reason: 'r', requestId: 'v' },
  'provider/refused': { provider: 'p', reason: 'r' },
  'provider/malformed': { provider: 'p', reason: 'r' },
  'provider/corrupt': { provider: 'p', reason: 'r' },
  'envelope/unreadable': { provider: 'p', reason: 'r' },
  'envelope/mismatch': { reason: 'r' },
  'signature/malformed': { reason: 'r' },
  'signature/unverified': { reason: 'r' },
  'audit/sealed': { reason: 'r' },
  'audit/corrupt': { segment: 's', record: 3, reason: 'r' },
  'store/unavailable': { reason: 'r' },
  'service/overloaded': { retryAfterMs: 1_000 },
  'service/stopping': { reason: 'r' },
  'config/invalid': { problems: [{ path: 'p', problem: 'is wrong', fix: 'mend it' }] },
  'start/refused': { reason: 'r', fix: 'f' },
  internal: { incident: 'i_1' },
}
const CODES = Object.keys(DETAILS) as ErrorCode[]

/** Seconds, where a caller is told to wait. Every 503 has it, so that clients slow down. */
const WAITS: Partial<Record<ErrorCode, string>> = {
  'idempotency/in-flight': '1',
  'provider/unavailable': '3',
  'access/limited': '1',
  'network/unavailable': '2',
}
const STATUSES = [400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 502, 503, 504]

for (const code of CODES) {
  test(`${code} becomes a problem (RFC 9457) with ${PROBLEMS[code].status}, its page and its headers`, async () => {
    const cause = new Error('of the log only')
    const error = new SignerError(code, DETAILS[code], { cause }) as AnySignerError
    const response = problemResponse(error, 'r_1')
    const { status, title } = PROBLEMS[code]
    assert.equal(response.status, status)
    assert.ok(STATUSES.includes(status))
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    assert.equal(response.headers.get('www-authenticate'), status === 401 ? 'Bearer, DPoP algs="EdDSA ES256"' : null)
    assert.equal(response.headers.get('retry-after'), WAITS[code] ?? (status === 503 ? '1' : null))
    const text = await response.text()
    const { requestId: providerRequestId, ...detail } = DETAILS[code] as { requestId?: string }
    const publicDetail = providerRequestId === undefined ? detail : { ...detail, providerRequestId }
    assert.deepEqual(JSON.parse(text), {
      ...publicDetail,
      type: problemType(code),
      title,
      status,
      code,
      retryable: isRetryable(error),
      requestId: 'r_1',
    })
    for (const hidden of ['of the log only', 'stack', 'cause', 'message']) assert.ok(!text.includes(hidden))
    assert.equal(codeOfProblem(problemType(code).slice('/problems/'.length)), code)
  })
}

test('a detail cannot put itself in the place of a standard member', async () => {
  const detail = { provider: 'aws-kms', reason: 'slow', requestId: 'theirs', type: 'https://evil.example' }
  const problem = await problemOf(problemResponse(new SignerError('provider/unavailable', detail), 'r_1'))
  assert.equal(problem['type'], '/problems/provider-unavailable')
  assert.deepEqual([problem['requestId'], problem['providerRequestId']], ['r_1', 'theirs'])
})

test('every problem type has a page where it points to', async () => {
  const rig = await openRig()
  for (const code of CODES) {
    const page = await rig.http(problemType(code))
    assert.equal(page.status, 200)
    assert.deepEqual(await page.json(), { code, ...PROBLEMS[code] })
  }
  for (const slug of ['none', 'policy', 'policy/denied', '__proto__', 'constructor', 'toString']) {
    const page = await rig.http(`/problems/${slug}`)
    assert.equal(page.status, 404)
    assert.equal((await problemOf(page)).code, 'request/unknown-route')
  }
})
