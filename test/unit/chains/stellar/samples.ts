/** Keys and requests for the tests of Stellar payloads. */
import assert from 'node:assert/strict'
import { stellarPayloads } from '../../../../src/chains/stellar/index.ts'
import { isSignerError } from '../../../../src/domain/errors.ts'
import type { Asked, Signatory } from '../../../../src/domain/payload.ts'

export const signatoryOf = (address: string, network = 'testnet', account = address): Signatory => ({
  key: 'treasury',
  version: 1,
  chain: 'stellar',
  network,
  address,
  account,
})

export function askPayload(type: string, fields: Record<string, unknown>, by: Signatory): Asked {
  const parse = stellarPayloads[type]
  assert.ok(parse)
  return parse({ type, ...fields }, by)
}

/** Refused as a payload, at this field and for this reason. */
export function assertInvalid(body: () => unknown, field: string, reason: RegExp): void {
  assert.throws(body, error => {
    assert.ok(isSignerError(error) && error.code === 'payload/invalid', String(error))
    assert.equal(error.detail.field, field, error.detail.reason)
    assert.match(error.detail.reason, reason)
    return true
  })
}
