import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { test } from 'node:test'
import { CreateKeyCommand, GetPublicKeyCommand, ListKeysCommand, SignCommand } from '@aws-sdk/client-kms'
import type { Fault, FaultRule } from '../../local-kms/index.ts'
import { base64, bytes, clientOf, createKey, failure, raw, start } from './support.ts'

const { kms, client } = await start()
const KeyId = (await createKey(client, { KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' })).id
const other = (await createKey(client, { KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' })).id
const Message = bytes('m')
const sign = (by = client, id = KeyId) =>
  by.send(new SignCommand({ KeyId: id, Message, SigningAlgorithm: 'ED25519_SHA_512' }))
const rawSign = () => raw(kms, 'Sign', { KeyId, Message: base64(Message), SigningAlgorithm: 'ED25519_SHA_512' })

/** Runs the body with these rules and none of them afterwards. */
async function under(rules: FaultRule | FaultRule[], body: () => Promise<void>): Promise<void> {
  kms.clearFaults()
  kms.addFaults(...[rules].flat())
  await body()
  kms.clearFaults()
}
const always = (fault: Fault): FaultRule => ({ times: 0, fault })

test('local-kms fault error: by name, with the status the service would give', async () => {
  await under(always({ kind: 'error', name: 'KMSInternalException' }), async () => {
    assert.deepEqual(await failure(sign()), { name: 'KMSInternalException', message: 'UnknownError', status: 500 })
  })
  await under(always({ kind: 'error', name: 'ThrottlingException', message: 'slow' }), async () => {
    assert.deepEqual(await failure(sign()), { name: 'ThrottlingException', message: 'slow', status: 400 })
  })
})

test('local-kms fault rules: operation, key, nth call, so many times', async () => {
  const fault: Fault = { kind: 'error', name: 'DependencyTimeoutException' }
  await under({ operation: 'Sign', key: KeyId, nth: 2, times: 2, fault }, async () => {
    await client.send(new ListKeysCommand({}))
    await sign(client, other)
    await sign()
    assert.equal((await failure(sign())).name, 'DependencyTimeoutException')
    await sign(client, other)
    assert.equal((await failure(sign())).name, 'DependencyTimeoutException')
    await sign()
  })
})

test('local-kms fault status: the SDK retries a 503 and gets through', async () => {
  await under({ times: 2, fault: { kind: 'status', status: 503, body: 'busy' } }, async () => {
    const retrying = clientOf(kms, { maxAttempts: 3 })
    const { $metadata } = await sign(retrying)
    assert.equal($metadata.attempts, 3)
  })
})

test('local-kms fault reset and error after the effect: the key exists although the caller saw a failure', async () => {
  for (const when of ['before', 'after'] as const) {
    for (const fault of [
      { kind: 'reset', when },
      { kind: 'error', name: 'KMSInternalException', when },
    ] as const) {
      const before = kms.inspect().keys.length
      await under(always(fault), async () => {
        // A connection of its own: on a used one Deno's http client sends the request a second time by itself
        const fresh = clientOf(kms)
        await failure(fresh.send(new CreateKeyCommand({})))
        fresh.destroy()
      })
      assert.equal(kms.inspect().keys.length - before, when === 'after' ? 1 : 0)
    }
  }
})

test('local-kms fault hang: the caller’s own deadline ends it, and close does not wait', async () => {
  const hung = await start({ faults: [always({ kind: 'hang' })] })
  const AbortError = await failure(hung.client.send(new ListKeysCommand({}), { abortSignal: AbortSignal.timeout(50) }))
  assert.ok(AbortError.name.length > 0)
  const waiting = failure(hung.client.send(new ListKeysCommand({})))
  while ((hung.kms.calls()['ListKeys'] ?? 0) < 2) await new Promise(resolve => setImmediate(resolve))
  await hung.kms.close()
  await waiting
})

test('local-kms fault truncated and slow body: cut answers fail, slow ones arrive whole', async () => {
  await under(always({ kind: 'truncate', bytes: 10 }), async () => {
    await failure(sign())
    await assert.rejects(rawSign())
  })
  await under(always({ kind: 'slow-body', msPerByte: 0.01 }), async () => {
    assert.equal((await sign()).Signature!.length, 64)
  })
})

test('local-kms fault wrong signature: one bit flipped, or another key’s', async () => {
  const spki = (await client.send(new GetPublicKeyCommand({ KeyId }))).PublicKey!
  const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
  const good = (await sign()).Signature!
  assert.ok(verify(null, Message, key, good))
  for (const bit of [undefined, 0, 511]) {
    await under(always(bit === undefined ? { kind: 'flip-bit' } : { kind: 'flip-bit', bit }), async () => {
      const bad = (await sign()).Signature!
      assert.ok(!verify(null, Message, key, bad))
      const differing = bad.reduce((sum, byte, i) => sum + (byte ^ good[i]!).toString(2).replaceAll('0', '').length, 0)
      assert.equal(differing, 1)
    })
  }
  await under(always({ kind: 'other-key-signature' }), async () => {
    const foreign = await sign()
    assert.equal(foreign.Signature!.length, 64)
    assert.ok(!verify(null, Message, key, foreign.Signature!))
    assert.ok(foreign.KeyId!.endsWith(KeyId))
  })
})

test('local-kms fault answers: redirect, oversize, doubled members, replaced members, other content type, wrong date', async () => {
  await under(always({ kind: 'redirect', location: 'http://127.0.0.1:1/', status: 302 }), async () => {
    const response = await fetch(kms.aws, {
      method: 'POST',
      redirect: 'manual',
      headers: { 'x-amz-target': 'TrentService.ListKeys', 'content-type': 'application/x-amz-json-1.1' },
      body: '{}',
    })
    assert.deepEqual([response.status, response.headers.get('location')], [302, 'http://127.0.0.1:1/'])
  })
  await under(always({ kind: 'oversized-body', bytes: 3_000_000 }), async () => {
    assert.ok((await rawSign()).text.length > 3_000_000)
  })
  await under(always({ kind: 'duplicate-json-keys', second: { KeyId: 'evil' } }), async () => {
    const { text, json } = await rawSign()
    assert.equal(text.split('"KeyId"').length, 3)
    assert.deepEqual([json['KeyId'], json['Signature']], ['evil', null])
  })
  await under(always({ kind: 'replace', members: { KeyId: 'arn:other' } }), async () => {
    assert.equal((await sign()).KeyId, 'arn:other')
  })
  await under(always({ kind: 'content-type', value: 'text/html' }), async () => {
    assert.match((await rawSign()).headers.get('content-type')!, /^text\/html/)
  })
  await under(always({ kind: 'date-skew', ms: -3_600_000 }), async () => {
    assert.ok(Date.parse((await rawSign()).headers.get('date')!) < Date.now() - 3_000_000)
  })
})

test('local-kms fault chance: drawn from the seed, so two runs fail at the same calls', async () => {
  const rule: FaultRule = { times: 0, probability: 0.5, fault: { kind: 'error', name: 'KMSInternalException' } }
  const run = async (masterSeed: string): Promise<string> => {
    const { kms } = await start({ masterSeed, faults: [rule] })
    let row = ''
    for (let i = 0; i < 40; i++) row += (await raw(kms, 'ListKeys', {})).status === 200 ? '.' : 'x'
    kms.reset()
    for (let i = 0; i < 40; i++) row += (await raw(kms, 'ListKeys', {})).status === 200 ? '.' : 'x'
    return row
  }
  const [a, b, c] = [await run('one'), await run('one'), await run('two')]
  assert.equal(a, b)
  assert.equal(a.slice(0, 40), a.slice(40))
  assert.notEqual(a, c)
  assert.match(a, /\..*x|x.*\./)
})

test('local-kms fault rules: an unknown kind is refused with the list of kinds', () => {
  const rule = { fault: { kind: 'gremlins' } } as unknown as FaultRule
  assert.throws(() => kms.addFaults(rule), /Cannot use fault kind 'gremlins': use one of error, status/)
})
