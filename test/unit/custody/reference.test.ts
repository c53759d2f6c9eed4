import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAttempts, createCustody, createEngines } from '../../../src/custody/index.ts'
import { type ErrorCode, isSignerError, SignerError } from '../../../src/domain/errors.ts'
import { binding, fakeService, randomOf, resolvedOf, stillClock, versionOf } from './world.ts'

const ARN = 'arn:aws:kms:eu-central-1:111122223333:key/0f1e2d3c-0000-4000-8000-000000000001'
const SCHEME = 'ed25519'

/** What a caller hears when the provider throws `thrown`. */
async function heard(thrown: SignerError, custody: 'native' | 'envelope'): Promise<SignerError> {
  const service = fakeService()
  const fails = () => Promise.reject(thrown)
  const provider = { ...service, can: { ...service.can, native: [SCHEME] as const }, sign: fails, unwrap: fails }
  const version = versionOf('a', SCHEME, new Uint8Array(32))
  const bound = { ...binding('a', custody), reference: ARN }
  const context = { pubkey: version.address }
  const sign = createCustody({
    provider: async () => provider,
    readRow: async () => ({ bindingId: bound.id, ciphertext: new Uint8Array(60), context }),
    engines: createEngines({ wasmFromBytes: true }),
    attempts: createAttempts({ clock: stillClock(), random: randomOf(0) }),
  })
  const input = { scheme: SCHEME, message: new Uint8Array(32) } as const
  const error: unknown = await sign(resolvedOf(version, bound), bound, input, 'req_1').catch(
    (caught: unknown) => caught,
  )
  assert.ok(isSignerError(error))
  return error
}

for (const custody of ['native', 'envelope'] as const) {
  test(`T50 ${custody}: a provider's own reference, account number and all, never reaches the caller`, async () => {
    const mismatch = new SignerError('key/mismatch', { key: ARN, reason: 'AWS KMS answered for another key' })
    const unsupported = new SignerError('key/unsupported', { key: ARN, wanted: SCHEME, reason: 'another KeySpec' })
    for (const thrown of [mismatch, unsupported]) {
      const { code, detail, cause } = await heard(thrown, custody)
      const expected: ErrorCode = thrown.code
      assert.equal(code, expected)
      assert.deepEqual(detail, { ...thrown.detail, key: 'key-a' })
      assert.equal(cause, thrown, 'the log may still know')
    }
  })
}
