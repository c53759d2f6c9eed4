import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { httpClient, ProblemError } from '../../../src/client/http.ts'
import type { Signed } from '../../../src/client/types.ts'
import type { Fetch } from '../../../src/domain/ports.ts'

const REPLY: Signed = {
  signature: 'c2ln',
  publicKey: 'cGs=',
  address: 'GA',
  keyVersion: 1,
  hash: '00',
  signedXdr: 'AAAA',
  provider: 'aws',
  custody: 'native',
  auditId: 'a_1',
  requestId: 'r_1',
}

interface Call {
  readonly url: string
  readonly init: RequestInit
}

function clientFor(answer: (call: Call) => Response | Promise<Response>, more: { deadlineMs?: number } = {}) {
  const calls: Call[] = []
  let issued = 0
  const fetch: Fetch = async (url, init) => {
    calls.push({ url, init })
    return answer({ url, init })
  }
  const client = httpClient({ url: 'http://service:1/', token: () => `t${++issued}`, fetch, ...more })
  return { client, calls }
}

const unreachable = (error: unknown) => error instanceof ProblemError && error.problem.code === 'service/unreachable'

describe('client', () => {
  test('signStellar posts one strict JSON object, with token and idempotency key in headers, and follows no redirect', async () => {
    const { client, calls } = clientFor(() => Response.json(REPLY))
    assert.deepEqual(await client.signStellar('a/b ü', 'AAAA', 'k-1'), REPLY)
    assert.deepEqual(await client.signStellar('plain', 'AAAA', 'k-2'), REPLY)
    const [first, second] = calls
    assert.equal(first?.url, 'http://service:1/v1/keys/a%2Fb%20%C3%BC/sign')
    assert.equal(first?.init.redirect, 'error')
    assert.equal(first?.init.method, 'POST')
    assert.equal(first?.init.body, '{"type":"stellar-transaction","xdr":"AAAA"}')
    assert.deepEqual(first?.init.headers, {
      authorization: 'Bearer t1',
      'content-type': 'application/json',
      'idempotency-key': 'k-1',
    })
    assert.equal(new Headers(second?.init.headers).get('authorization'), 'Bearer t2', 'asked for each time')
  })

  test('key asks for a key, without a body', async () => {
    const key = { name: 'treasury', chain: 'stellar', network: 'testnet', address: 'GA' }
    const { client, calls } = clientFor(() => Response.json(key))
    assert.deepEqual(await client.key('treasury'), key)
    assert.equal(calls[0]?.url, 'http://service:1/v1/keys/treasury')
    assert.equal(calls[0]?.init.body, undefined)
    assert.equal(calls[0]?.init.method, 'GET')
  })

  test('a refusal of the service comes as it is', async () => {
    const problem = { code: 'policy/denied', status: 403, title: 'No', retryable: false, requestId: 'r_9', rule: 'fee' }
    const { client } = clientFor(() => Response.json(problem, { status: 403 }))
    await assert.rejects(client.signStellar('k', 'x', 'i'), (error: unknown) => {
      assert.ok(error instanceof ProblemError)
      assert.deepEqual(error.problem, problem)
      assert.equal(error.message, 'policy/denied: No')
      return true
    })
  })

  for (const member of Object.keys(REPLY)) {
    test(`an answer without ${member}, or with another type there, is no answer`, async () => {
      const { [member as keyof Signed]: _, ...rest } = REPLY
      await assert.rejects(clientFor(() => Response.json(rest)).client.signStellar('k', 'x', 'i'), unreachable)
      const wrong = { ...REPLY, [member]: { toString: 'x' } }
      await assert.rejects(clientFor(() => Response.json(wrong)).client.signStellar('k', 'x', 'i'), unreachable)
    })
  }

  test('sign takes every payload type, and passes on which member the answer has', async () => {
    const { signedXdr: _, ...base } = REPLY
    const reply = { ...base, evmSignature: '0x01', signedTransaction: '0x02' }
    const { client, calls } = clientFor(() => Response.json(reply))
    assert.deepEqual(await client.sign('k', { type: 'evm-transaction', unsigned: '0x' }, 'i'), reply)
    assert.equal(calls[0]?.init.body, '{"type":"evm-transaction","unsigned":"0x"}')
    const wrong = { ...base, signedAuthorization: 'text' }
    await assert.rejects(clientFor(() => Response.json(wrong)).client.sign('k', { type: 'x' }, 'i'), unreachable)
    const none = { ...base, signedAuthorization: null }
    await assert.rejects(clientFor(() => Response.json(none)).client.sign('k', { type: 'x' }, 'i'), unreachable)
  })

  test('M-61 a version that is asked for stands in the path, and is the one that has signed', async () => {
    const { client, calls } = clientFor(() => Response.json({ ...REPLY, keyVersion: 2 }))
    assert.equal((await client.sign('k', { type: 'x' }, 'i', 2)).keyVersion, 2)
    assert.equal(calls[0]?.url, 'http://service:1/v1/keys/k/versions/2/sign')
    await assert.rejects(client.sign('k', { type: 'x' }, 'i', 1), unreachable)
  })

  test('202 is no signature: it waits for people', async () => {
    const wait = { approvalId: 'p_1', url: '/v1/proposals/p_1', requestId: 'r_2' }
    const { client } = clientFor(() => Response.json(wait, { status: 202 }))
    await assert.rejects(client.signStellar('k', 'x', 'i'), (error: unknown) => {
      assert.ok(error instanceof ProblemError)
      const { code, approvalId, requestId, status } = error.problem
      assert.deepEqual([code, approvalId, requestId, status], ['approval/pending', 'p_1', 'r_2', 202])
      return true
    })
  })

  test('explain posts the payload without an idempotency key; keys lists; what is neither is no answer', async () => {
    const said = { decision: 'allow', summary: 'Pay.', sentences: ['Pay'], hash: '00' }
    const { client, calls } = clientFor(() => Response.json(said))
    assert.deepEqual(await client.explain('k', { type: 't' }), said)
    assert.equal(calls[0]?.url, 'http://service:1/v1/keys/k/explain')
    assert.equal(new Headers(calls[0]?.init.headers).has('idempotency-key'), false)
    for (const wrong of [{}, { ...said, sentences: [1] }, { ...said, rule: 1 }, { ...said, decision: null }]) {
      await assert.rejects(clientFor(() => Response.json(wrong)).client.explain('k', { type: 't' }), unreachable)
    }
    const key = { name: 'k', chain: 'stellar', network: 'testnet', address: 'GA' }
    assert.deepEqual(await clientFor(() => Response.json({ keys: [key] })).client.keys(), [key])
    for (const wrong of [{}, { keys: [null] }, { keys: [{ ...key, network: 1 }] }]) {
      await assert.rejects(clientFor(() => Response.json(wrong)).client.keys(), unreachable)
    }
  })

  test('a failing connection is named with the base URL, its cause kept for logs', async () => {
    const cause = new TypeError('refused')
    const { client } = clientFor(() => Promise.reject(cause))
    await assert.rejects(client.key('k'), (error: unknown) => {
      assert.ok(unreachable(error))
      const { problem, cause: kept } = error as ProblemError
      assert.equal(kept, cause)
      assert.equal(problem.retryable, true)
      assert.ok(problem.title.startsWith('http://service:1: no answer.'))
      return true
    })
  })

  test('an answer that breaks off, is too long or does not come in time is no answer', async () => {
    const broken = () =>
      new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode('{'))
            controller.error(new Error('reset'))
          },
        }),
      )
    await assert.rejects(clientFor(broken).client.key('k'), unreachable)
    const long = () => new Response(`"${'x'.repeat(1_100_000)}"`)
    await assert.rejects(clientFor(long).client.key('k'), unreachable)
    const alive = setInterval(() => {}, 1000) // the deadline alone keeps no process running
    const never: Parameters<typeof clientFor>[0] = ({ init }) =>
      new Promise((_, reject) => init.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error)))
    await assert.rejects(clientFor(never, { deadlineMs: 5 }).client.key('k'), unreachable)
    clearInterval(alive)
  })
})
