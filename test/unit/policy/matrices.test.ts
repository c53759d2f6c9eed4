import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stellar } from '../../../src/chains/stellar/index.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { OPERATION_TYPES, type PreconditionsView } from '../../../src/domain/stellar.ts'
import {
  decide,
  defaultPolicy,
  demoPolicy,
  explain,
  ORDINARY_OPERATIONS,
  parsePolicy,
  SENSITIVE_OPERATIONS,
} from '../../../src/policy/index.ts'
import { alice, bob, feeBump, operations, v0, v1 } from '../../fuzz/xdr-corpus.ts'
import { facts, narrow, NOW_S, view } from './samples.ts'

test('T28 every operation type, in V0, V1 and fee-bump, is denied by the default policy of a new key', () => {
  assert.deepEqual(Object.keys(operations).toSorted(), [...OPERATION_TYPES].toSorted())
  for (const [type, examples] of Object.entries(operations)) {
    for (const operation of examples) {
      const parts = { operations: [operation] }
      for (const envelope of [v0(parts), v1(parts), feeBump(parts)]) {
        const parsed = stellar.parse({ type: 'stellar-transaction', xdr: envelope.toXdr('base64') }, 'testnet')
        assert.equal(decide(defaultPolicy(), parsed.view, facts).kind, 'deny', type)
      }
    }
  }
})

test('T28 the demo policy allows everyday operations and nothing that changes control or calls contracts', () => {
  for (const type of OPERATION_TYPES) {
    for (const operation of operations[type] ?? []) {
      const envelope = v1({ operations: [operation] }).toXdr('base64')
      const { view: decoded } = stellar.parse({ type: 'stellar-transaction', xdr: envelope }, 'testnet')
      const decision = decide(demoPolicy(), decoded, facts)
      const everyday = ORDINARY_OPERATIONS.includes(type) && type !== 'invokeHostFunction'
      assert.equal(decision.kind, everyday ? 'allow' : 'deny', `${type}: ${JSON.stringify(decision)}`)
      if (decision.kind === 'deny') assert.equal(decision.rule, 'operations')
    }
  }
})

test('T28 the demo policy does not reach beyond the test network nor above its limits', () => {
  const { view: decoded } = stellar.parse(
    { type: 'stellar-transaction', xdr: v1({ operations: operations['payment'] ?? [] }).toXdr('base64') },
    'public',
  )
  const decision = decide(demoPolicy(), decoded, { ...facts, keyNetwork: 'public' })
  assert.ok(decision.kind === 'deny' && decision.rule === 'network')
})

test('T28 sensitive operations cannot slip into the ordinary list', () => {
  assert.equal(ORDINARY_OPERATIONS.length + SENSITIVE_OPERATIONS.length, OPERATION_TYPES.length)
  for (const type of SENSITIVE_OPERATIONS) {
    assert.throws(
      () => parsePolicy({ version: 1, operations: [type] }),
      error => isSignerError(error) && error.code === 'config/invalid' && error.detail.problems.length === 1,
    )
    assert.ok(parsePolicy({ version: 1, sensitiveOperations: [type] }))
  }
})

test('T29 256 combinations of preconditions: only those with a near end and nothing else pass', () => {
  const ends: ReadonlyArray<readonly [bounds: PreconditionsView['timeBounds'], good: boolean]> = [
    [null, false],
    [{ minTime: 0n, maxTime: 0n }, false],
    [{ minTime: 0n, maxTime: NOW_S + 1n }, true],
    [{ minTime: 0n, maxTime: NOW_S + 600n }, true],
    [{ minTime: 0n, maxTime: NOW_S + 601n }, false],
    [{ minTime: 0n, maxTime: (1n << 64n) - 1n }, false],
    [{ minTime: 0n, maxTime: NOW_S - 1n }, false],
    [{ minTime: NOW_S + 9n, maxTime: NOW_S + 8n }, false],
  ]
  const strict = parsePolicy(narrow)
  const granting = parsePolicy({
    ...narrow,
    preconditions: ['minSequence', 'minSequenceAge', 'minSequenceLedgerGap', 'extraSigners'],
  })
  let combinations = 0
  for (const [timeBounds, good] of ends) {
    for (let bits = 0; bits < 32; bits++) {
      const has = (bit: number): boolean => (bits & (1 << bit)) !== 0
      const preconditions: PreconditionsView = {
        timeBounds,
        minSequence: has(0) ? 1n : null,
        minSequenceAgeSeconds: has(1) ? 1n : 0n,
        minSequenceLedgerGap: has(2) ? 1 : 0,
        extraSigners: has(3) ? [bob] : [],
        ledgerBounds: has(4) ? { minLedger: 0, maxLedger: 0 } : null,
      }
      const asked = view({ preconditions })
      const extra = (bits & 15) !== 0
      combinations++
      assert.equal(decide(strict, asked, facts).kind, good && !extra ? 'allow' : 'deny', JSON.stringify({ bits, good }))
      assert.equal(
        decide(granting, asked, facts).kind,
        good ? 'allow' : 'deny',
        'granted conditions do not stretch time',
      )
      const checks = explain(strict, asked, facts)
      assert.equal(checks.find(check => check.rule === 'preconditions')?.result, extra ? 'deny' : 'pass')
      assert.equal(checks.find(check => check.rule === 'time-bounds')?.result, good ? 'pass' : 'deny')
    }
  }
  assert.equal(combinations, 256)
})

test('T29 a minimum sequence of 0 is a condition too', () => {
  const checks = explain(
    parsePolicy(narrow),
    view({
      preconditions: {
        timeBounds: { minTime: 0n, maxTime: NOW_S + 1n },
        ledgerBounds: null,
        minSequence: 0n,
        minSequenceAgeSeconds: 0n,
        minSequenceLedgerGap: 0,
        extraSigners: [],
      },
    }),
    { ...facts, keyAddress: alice },
  )
  assert.equal(checks.find(check => check.rule === 'preconditions')?.result, 'deny')
})
