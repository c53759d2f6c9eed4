/** One request, with everything that goes wrong on the way. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ApprovalPendingError, CountersignError, createCountersign } from '../../../src/client/index.ts'
import type { CountersignOptions } from '../../../src/client/index.ts'

const SIGNED = { signature: 'AA==', publicKey: 'AA==', address: 'G', hash: '00', requestId: 'r_1' }
const PAYLOAD = { type: 'stellar-transaction', xdr: 'AAAA' }
const NOW = Date.UTC(2026, 10, 22, 12)

const problem = (code: string, status: number, more: object = {}, headers: Record<string, string> = {}) =>
  Response.json({ code, title: 'No', status, retryable: status >= 500, requestId: 'r_9', ...more }, { status, headers })

interface Call {
  readonly url: string
  readonly init: RequestInit
  readonly headers: Headers
}

/** Answers one call after the other; the last answer again and again. */
function clientFor(
  answers: readonly ((call: Call) => Response | Promise<Response>)[],
  more: Partial<CountersignOptions> = {},
) {
  const [calls, slept]: [Call[], number[]] = [[], []]
  let now = NOW
  const clock = {
    now: () => now,
    sleep: async (ms: number, signal?: AbortSignal) => {
      signal?.throwIfAborted()
      slept.push(ms)
      now += ms
    },
  }
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const call = { url, init, headers: new Headers(init.headers) }
    calls.push(call)
    const answer = answers[Math.min(calls.length, answers.length) - 1]
    return (answer ?? assert.fail('no answer'))(call)
  }
  const countersign = createCountersign({ url: 'https://sign.example/', token: 'abc', fetch, clock, ...more })
  return { countersign, calls, slept, clock }
}

const ok = () => Response.json(SIGNED)
const keyOf = (call: Call | undefined) => call?.headers.get('idempotency-key')

describe('M-51 retries of the client', () => {
  test('what may be sent again is, with the same Idempotency-Key, and at most three times', async () => {
    const { countersign, calls, slept } = clientFor([() => problem('provider/unavailable', 503), ok])
    assert.equal((await countersign.sign('a/b', PAYLOAD)).signature, 'AA==')
    assert.equal(calls.length, 2)
    assert.equal(calls[0]?.url, 'https://sign.example/v1/keys/a%2Fb/sign')
    assert.match(keyOf(calls[0]) ?? '', /^[0-9a-f-]{36}$/)
    assert.equal(keyOf(calls[1]), keyOf(calls[0]))
    assert.equal(calls[1]?.init.body, calls[0]?.init.body)
    assert.ok(slept[0] !== undefined && slept[0] >= 125 && slept[0] <= 250)
    const never = clientFor([() => problem('provider/unavailable', 503)])
    await assert.rejects(never.countersign.sign('k', PAYLOAD), { code: 'provider/unavailable', retryable: true })
    assert.equal(never.calls.length, 3)
    await assert.rejects(never.countersign.sign('k', PAYLOAD))
    assert.notEqual(keyOf(never.calls[3]), keyOf(never.calls[0]), 'another call, another key')
  })

  test('a lost connection too: whether it was signed, the key tells', async () => {
    const lost = () => Promise.reject(new TypeError('reset'))
    const { countersign, calls } = clientFor([lost, () => new Response('<html>', { status: 502 }), ok])
    await countersign.sign('k', PAYLOAD, { idempotencyKey: 'order-1' })
    assert.deepEqual(calls.map(keyOf), ['order-1', 'order-1', 'order-1'])
  })

  test('a refusal is final, and an answer that is none says so', async () => {
    const { countersign, calls } = clientFor([() => problem('policy/denied', 403, { rule: 'fee', reason: 'too high' })])
    const error = await countersign.sign('k', PAYLOAD).catch((each: unknown) => each)
    assert.ok(error instanceof CountersignError && !(error instanceof ApprovalPendingError))
    assert.deepEqual([error.code, error.status, error.requestId], ['policy/denied', 403, 'r_9'])
    assert.equal(error.message, 'policy/denied: No: too high')
    assert.equal(error.problem['rule'], 'fee')
    assert.equal(calls.length, 1)
    const strange = [
      () => new Response('{}'),
      () => Response.json([SIGNED]),
      () => Response.json({ ...SIGNED, hash: 1 }),
    ]
    for (const answer of strange) {
      const other = clientFor([answer], { tries: 1 })
      await assert.rejects(other.countersign.sign('k', PAYLOAD), error => error instanceof CountersignError)
    }
    await assert.rejects(clientFor([() => new Response('no', { status: 404 })]).countersign.sign('k', PAYLOAD), {
      code: 'service/unreachable',
      status: 404,
      retryable: false,
    })
  })

  test('it waits as long as it is asked to, but not for minutes, and not past its deadline', async () => {
    const asked = clientFor([() => problem('access/limited', 429, { retryable: true, retryAfterMs: 3000 }), ok])
    await asked.countersign.sign('k', PAYLOAD)
    assert.ok((asked.slept[0] ?? 0) >= 3000 && (asked.slept[0] ?? 0) < 3100)
    const header = clientFor([() => new Response('', { status: 503, headers: { 'retry-after': '2' } }), ok])
    await header.countersign.sign('k', PAYLOAD)
    const long = clientFor([() => problem('access/limited', 429, { retryable: true, retryAfterMs: 60_000 })])
    await assert.rejects(long.countersign.sign('k', PAYLOAD), error => {
      return error instanceof CountersignError && error.problem['retryAfterMs'] === 60_000
    })
    assert.deepEqual([long.calls.length, long.slept], [1, []])
    const late = clientFor([() => problem('service/overloaded', 503, { retryAfterMs: 5000 })], { deadlineMs: 4000 })
    await assert.rejects(late.countersign.sign('k', PAYLOAD))
    assert.equal(late.calls.length, 1)
  })

  test('an abort ends it, with its own reason, before, during and between requests', async () => {
    const reason = new Error('changed my mind')
    const before = clientFor([ok])
    await assert.rejects(before.countersign.sign('k', PAYLOAD, { signal: AbortSignal.abort(reason) }), reason)
    assert.equal(before.calls.length, 0)
    const stop = new AbortController()
    const during = clientFor([
      () => {
        stop.abort(reason)
        return Promise.reject(new DOMException('aborted', 'AbortError'))
      },
    ])
    await assert.rejects(during.countersign.sign('k', PAYLOAD, { signal: stop.signal }), reason)
    assert.equal(during.calls.length, 1)
  })
})

test('an abort ends a wait at once, with the clock of this machine', async () => {
  const stop = new AbortController()
  const fetch = async (): Promise<Response> => {
    queueMicrotask(() => queueMicrotask(() => setTimeout(() => stop.abort(new Error('enough')))))
    return problem('service/overloaded', 503, { retryAfterMs: 9000 })
  }
  const countersign = createCountersign({ url: 'https://sign.example', token: 'abc', fetch })
  const started = performance.now()
  await assert.rejects(countersign.sign('k', PAYLOAD, { signal: stop.signal }), /enough/)
  assert.ok(performance.now() - started < 2000)
})

describe('where a token travels', () => {
  test('https, or http on this machine; nothing else, and no redirect', async () => {
    for (const url of ['https://sign.example', 'http://127.0.0.1:1', 'http://localhost:2/base/', 'http://[::1]:3'])
      createCountersign({ url, token: 'abc' })
    const bad = [
      'http://sign.example',
      'ftp://localhost',
      'https://u:p@sign.example',
      'https://a/?b',
      'https://a/#b',
      'x',
    ]
    for (const url of [...bad, 'http://localhost.evil.example', 'http://127.0.0.1.evil.example'])
      assert.throws(() => createCountersign({ url, token: 'abc' }), { code: 'client/options' }, url)
    for (const status of [301, 302, 307, 308, 304]) {
      const headers = { location: 'https://evil.example/' }
      const { countersign, calls } = clientFor([() => new Response(null, { status, headers })])
      await assert.rejects(countersign.sign('k', PAYLOAD), { code: 'service/unreachable', retryable: false })
      assert.equal(calls[0]?.init.redirect, 'manual')
      assert.equal(calls.length, 1)
    }
  })

  test('an answer of any length is read to its limit and no further', async () => {
    let pulled = 0
    const endless = () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            pulled++
            controller.enqueue(new Uint8Array(65_536).fill(32))
          },
        }),
      )
    const { countersign } = clientFor([endless], { tries: 1 })
    await assert.rejects(countersign.sign('k', PAYLOAD), { code: 'service/unreachable' })
    assert.ok(pulled < 40)
  })

  test('the token is asked for each time; what no header can hold is none; what its source throws comes out', async () => {
    let issued = 0
    const { countersign, calls } = clientFor([ok], { token: async () => `t${++issued}` })
    await countersign.sign('k', PAYLOAD)
    await countersign.sign('k', PAYLOAD)
    assert.deepEqual(
      calls.map(({ headers }) => headers.get('authorization')),
      ['Bearer t1', 'Bearer t2'],
    )
    for (const token of ['', 'a b', 'a\r\nx: y', 'ü']) {
      const none = clientFor([ok], { token })
      await assert.rejects(none.countersign.sign('k', PAYLOAD), { code: 'client/token' })
      assert.equal(none.calls.length, 0)
    }
    const failure = new Error('the issuer is away')
    const away = clientFor([ok], { token: () => Promise.reject(failure) })
    await assert.rejects(away.countersign.sign('k', PAYLOAD), failure)
  })

  test('a token that has just ended is exchanged once; one that never changes is not tried twice', async () => {
    let issued = 0
    const ended = () => problem('token/invalid', 401)
    const renewed = clientFor([ended, ok], { token: () => `t${++issued}` })
    await renewed.countersign.sign('k', PAYLOAD)
    assert.deepEqual(
      renewed.calls.map(({ headers }) => headers.get('authorization')),
      ['Bearer t1', 'Bearer t2'],
    )
    assert.equal(keyOf(renewed.calls[0]), keyOf(renewed.calls[1]))
    const same = clientFor([ended])
    await assert.rejects(same.countersign.sign('k', PAYLOAD), { code: 'token/invalid', status: 401 })
    assert.equal(same.calls.length, 1)
    const always = clientFor([ended], { token: () => `t${++issued}` })
    await assert.rejects(always.countersign.sign('k', PAYLOAD), { code: 'token/invalid' })
    assert.equal(always.calls.length, 2)
  })
})

const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const tokenWith = (claims: object) => `${base64url({ alg: 'EdDSA' })}.${base64url(claims)}.c2ln`
const claimsOf = (call: Call | undefined) => {
  const [header = '', payload = ''] = call?.headers.get('dpop')?.split('.') ?? []
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, never>
  return { header: read(header), ...read(payload) } as Record<string, unknown>
}

describe('DPoP of the client', () => {
  test('a bound token brings a proof, any other none; the token source learns the thumbprint', async () => {
    const { countersign, calls } = clientFor([ok], {
      token: async ({ thumbprint }) => tokenWith({ cnf: { jkt: await thumbprint() } }),
    })
    await countersign.sign('k', PAYLOAD)
    const { header, htm, htu, ik, bh, iat } = claimsOf(calls[0])
    assert.match(calls[0]?.headers.get('authorization') ?? '', /^DPoP /)
    assert.deepEqual([htm, htu, ik, iat], ['POST', 'https://sign.example/v1/keys/k/sign', keyOf(calls[0]), NOW / 1000])
    assert.equal(typeof bh, 'string')
    assert.deepEqual(Object.keys((header as { jwk: object }).jwk).toSorted(), ['crv', 'kty', 'x'])
    for (const token of [tokenWith({}), tokenWith({ cnf: { 'x5t#S256': 'x' } }), 'opaque', 'a.b.c']) {
      const bearer = clientFor([ok], { token })
      await bearer.countersign.sign('k', PAYLOAD)
      assert.equal(bearer.calls[0]?.headers.get('authorization'), `Bearer ${token}`)
      assert.equal(bearer.calls[0]?.headers.get('dpop'), null)
    }
    const off = clientFor([ok], { token: tokenWith({ cnf: { jkt: 'x' } }), dpop: false })
    await off.countersign.sign('k', PAYLOAD)
    assert.equal(off.calls[0]?.headers.get('dpop'), null)
  })

  test('a token of another key is refused here; a proof is never used twice', async () => {
    const other = clientFor([ok], { token: tokenWith({ cnf: { jkt: 'other' } }) })
    await assert.rejects(other.countersign.sign('k', PAYLOAD), { code: 'client/token' })
    assert.equal(other.calls.length, 0)
    const { countersign, calls } = clientFor([() => problem('service/overloaded', 503), ok], {
      token: tokenWith({ cnf: { jwk: {} } }),
    })
    await countersign.sign('k', PAYLOAD)
    assert.notEqual(claimsOf(calls[0])['jti'], claimsOf(calls[1])['jti'])
  })

  test('keys of the caller: P-256 as well as Ed25519, no other; with them also a token that cannot be read', async () => {
    const p256 = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify'])
    const { countersign, calls } = clientFor([ok], { dpop: p256, token: 'opaque' })
    await countersign.sign('k', PAYLOAD)
    assert.equal((claimsOf(calls[0])['header'] as { alg: string }).alg, 'ES256')
    const p384 = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-384' }, false, ['sign', 'verify'])
    await assert.rejects(clientFor([ok], { dpop: p384 }).countersign.thumbprint(), { code: 'client/options' })
  })

  test('a clock that is wrong is set by the Date of the first 401, once, and stays set', async () => {
    const token = tokenWith({ cnf: { jwk: {} } })
    const service = NOW + 3_600_000
    const late = () => problem('token/invalid', 401, {}, { date: new Date(service).toUTCString() })
    const { countersign, calls } = clientFor([late, ok], { token })
    await countersign.sign('k', PAYLOAD)
    await countersign.sign('k', PAYLOAD)
    assert.deepEqual(
      calls.map(call => claimsOf(call)['iat']),
      [NOW / 1000, service / 1000, service / 1000],
    )
    const always = clientFor([late], { token })
    await assert.rejects(always.countersign.sign('k', PAYLOAD), { code: 'token/invalid' })
    assert.equal(always.calls.length, 2)
    const near = clientFor([() => problem('token/invalid', 401, {}, { date: new Date(NOW).toUTCString() })], { token })
    await assert.rejects(near.countersign.sign('k', PAYLOAD), { code: 'token/invalid' })
    assert.equal(near.calls.length, 1)
  })
})

describe('M-26 what waits for people', () => {
  test('202 is ApprovalPendingError; SEP-43 methods throw it too', async () => {
    const body = { approvalId: 'p_1', url: '/v1/proposals/p_1' }
    const { countersign } = clientFor([() => Response.json(body, { status: 202 })])
    const pending = (error: unknown) =>
      error instanceof ApprovalPendingError &&
      error.approvalId === 'p_1' &&
      error.url === 'https://sign.example/v1/proposals/p_1'
    await assert.rejects(countersign.sign('k', PAYLOAD), pending)
    await assert.rejects(countersign.execute('payout', {}), pending)
    const signer = await countersign.stellar('k', { address: 'G', network: 'testnet' })
    await assert.rejects(signer.signTransaction('AAAA'), pending)
  })

  test('approvals.wait looks until it has ended, and not for ever', async () => {
    const state = (value: string) => () => Response.json({ id: 'p_1', state: value })
    const { countersign, calls, slept } = clientFor([state('collecting'), state('executing'), state('executed')])
    assert.equal((await countersign.approvals.wait('p_1')).state, 'executed')
    assert.equal(calls[0]?.url, 'https://sign.example/v1/proposals/p_1')
    assert.deepEqual(slept, [1000, 1500])
    const stuck = clientFor([state('collecting')])
    await assert.rejects(stuck.countersign.approvals.wait('p_1', { timeoutMs: 5000 }), { code: 'client/timeout' })
    const stop = new AbortController()
    const stopped = clientFor([
      () => {
        stop.abort(new Error('enough'))
        return state('collecting')()
      },
    ])
    await assert.rejects(stopped.countersign.approvals.wait('p_1', { signal: stop.signal }), /enough/)
    await assert.rejects(clientFor([() => Response.json({})]).countersign.approvals.get('p_1'), {
      code: 'client/answer',
    })
  })
})
