import assert from 'node:assert/strict'
import { test } from 'node:test'
import { operationOf } from '../../../../src/chains/stellar/operations.ts'
import { operationText } from '../../../../src/chains/stellar/sentences.ts'
import { authorizationOf, invocationOf } from '../../../../src/chains/stellar/soroban.ts'
import { assetOf, strkeyOf } from '../../../../src/chains/stellar/values.ts'
import { viewOf } from '../../../../src/chains/stellar/view.ts'
import { isSignerError } from '../../../../src/domain/errors.ts'
import { decide, parsePolicy } from '../../../../src/policy/index.ts'
import { alice, operations, v1 } from '../../../fuzz/xdr-corpus.ts'

/** Arms a later SDK may decode and this code does not know yet: made by hand, since today's SDK has none of them. */
const future = (fields: object): never => JSON.parse(JSON.stringify(fields)) as never
const refused = (error: unknown): boolean => isSignerError(error) && error.code === 'payload/invalid'

test('I8 unknown operations, calls and credentials are shown as unknown', () => {
  const operation = operationOf(future({ sourceAccount: null, body: { type: 'teleport' } }))
  assert.deepEqual(operation, { type: 'unknown', source: null, name: 'teleport' })
  assert.deepEqual(invocationOf(future({ type: 'teleport' })), { kind: 'unknown', name: 'host function' })
  const entry = { credentials: { type: 'teleport' }, rootInvocation: { function: { type: 'x' }, subInvocations: [] } }
  const authorization = authorizationOf(future(entry))
  assert.deepEqual(authorization, {
    credentials: 'unknown',
    address: null,
    invocations: [{ kind: 'unknown', name: 'authorized function' }],
  })
  const invocation = { kind: 'unknown', name: 'host function' } as const
  const text = operationText(
    { type: 'invokeHostFunction', source: null, invocation, authorizations: [authorization] },
    { address: alice, muxedId: null },
  )
  assert.equal(text.split('DOES NOT KNOW').length, 3)
  assert.match(text, /authorized by unknown/u)
})

test('I8 unknown assets, addresses, envelopes, preconditions and memos are refused', () => {
  assert.throws(() => assetOf(future({ type: 'assetTypeGold' })), refused)
  assert.throws(() => strkeyOf({ toJson: () => ({ later: 1 }) }), refused)
  assert.throws(() => viewOf(future({ type: 'envelopeTypeLater' }), 'testnet'), refused)
  for (const part of [{ cond: { type: 'precondV3' } }, { memo: { type: 'memoPicture' } }]) {
    const envelope = v1({ operations: operations['inflation'] ?? [] })
    assert.ok(envelope.type === 'envelopeTypeTx')
    Object.assign(envelope.v1.tx, part)
    assert.throws(() => viewOf(envelope, 'testnet'), refused)
  }
})

test('I8 no policy allows an operation of an unknown type', () => {
  const envelope = v1({ operations: operations['inflation'] ?? [] })
  const view = viewOf(envelope, 'testnet')
  assert.ok(view.kind === 'transaction')
  const policy = parsePolicy({
    version: 1,
    network: 'testnet',
    operations: ['inflation'],
    fee: { maxStroops: '100' },
    timeBounds: 'any',
    sources: 'any',
  })
  const facts = { now: 0, keyAddress: alice, keyNetwork: 'testnet' }
  assert.equal(decide(policy, view, facts).kind, 'allow')
  const later = { ...view, operations: [...view.operations, { type: 'unknown', source: null, name: 'x' } as const] }
  assert.equal(decide(policy, later, facts).kind, 'undecided')
})
