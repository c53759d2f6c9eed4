import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nativeToScVal, scValToNative, xdr } from '@stellar/stellar-sdk/base'
import * as fc from 'fast-check'
import { buildCall } from '../../../src/chains/stellar/index.ts'
import type { AuditRecord } from '../../../src/domain/audit.ts'
import { isSignerError, SignerError } from '../../../src/domain/errors.ts'
import { CONTRACT_INTEGERS } from '../../../src/domain/stellar.ts'
import type { ArgumentShape, TemplateArgument } from '../../../src/domain/transactions.ts'
import { fillTemplate, rangeOf } from '../../../src/service/transactions/arguments.ts'
import { PREPARED_EVENT, preparedDetail, preparedIn } from '../../../src/service/transactions/journal.ts'
import { Turns } from '../../../src/service/transactions/turns.ts'
import { entryText } from '../../../src/audit/entry.ts'
import { alice, bob, contractId } from '../../fuzz/xdr-corpus.ts'
import { samplePrepared } from '../store/samples.ts'

const open = (shape: ArgumentShape, more: Partial<TemplateArgument> = {}): TemplateArgument => ({
  ...{ name: 'a', as: 'argument', shape },
  ...more,
})
const fill = (shape: ArgumentShape, value: unknown, more?: Partial<TemplateArgument>) =>
  fillTemplate(
    { a: value },
    {
      template: { contract: contractId, arguments: [open(shape, more)] },
      signers: new Set([alice]),
      accountOf: () => bob,
    },
  )

/** What the call says, decoded by the SDK. */
function sent(shape: ArgumentShape, value: unknown): xdr.ScVal {
  const { arguments: values, contract } = fill(shape, value)
  const plan = { source: alice, sequence: 1n, contract, function: 'run', arguments: values, fee: 100, maxTime: 1n }
  const envelope = xdr.TransactionEnvelope.fromXdr(buildCall(plan), 'base64')
  assert.ok(envelope.type === 'envelopeTypeTx')
  const body = envelope.v1.tx.operations[0]?.body
  assert.ok(body?.type === 'invokeHostFunction')
  const { hostFunction } = body.invokeHostFunctionOp
  assert.ok(hostFunction.type === 'hostFunctionTypeInvokeContract')
  return hostFunction.invokeContract.args[0] ?? assert.fail()
}

const refusedAt = (field: string) => (error: unknown) =>
  isSignerError(error) && error.code === 'request/malformed' && error.detail.field === field

const SEED = 25
const lengths = { minLength: 0, maxLength: 64 }

test('M-25 every integer of every width reaches the contract as it is, and none outside its width or its bounds', () => {
  for (const type of CONTRACT_INTEGERS) {
    const [least, most] = rangeOf(type)
    const inside = fc.oneof(fc.bigInt(least, most), fc.constantFrom(least, most, 0n))
    fc.assert(
      fc.property(inside, value => {
        const found = sent({ type }, String(value))
        if (type === 'timepoint' || type === 'duration') {
          assert.equal(
            found.type === 'scvTimepoint' ? found.timepoint : found.type === 'scvDuration' ? found.duration : -1n,
            value,
          )
        } else {
          assert.deepEqual(found.toXdr(), nativeToScVal(value, { type }).toXdr())
        }
      }),
      { seed: SEED, numRuns: 60 },
    )
    for (const outside of [least - 1n, most + 1n]) {
      assert.throws(() => fill({ type }, String(outside)), refusedAt('arguments.a'), `${type} ${outside}`)
      const wide = { type, min: least - 9n, max: most + 9n }
      assert.throws(() => fill(wide, String(outside)), refusedAt('arguments.a'), `${type} ${outside}, bounds wider`)
    }
    assert.throws(() => fill({ type, min: 5n, max: 6n }, '7'), refusedAt('arguments.a'))
    assert.equal(sent({ type, min: 5n, max: 6n }, 6).type, sent({ type }, '5').type)
  }
})

test('M-25 texts, bytes, lists and structs reach the contract as they are; fields of structs in the order of the host', () => {
  const shape: ArgumentShape = {
    type: 'struct',
    fields: [
      { name: 'zeta', shape: { type: 'vec', items: { type: 'string', ...lengths }, ...lengths } },
      { name: 'alpha', shape: { type: 'bytes', ...lengths } },
      { name: 'Beta', shape: { type: 'symbol', ...lengths } },
      { name: 'flag', shape: { type: 'bool' } },
      { name: 'who', shape: { type: 'address', signer: false } },
    ],
  }
  const value = fc.record({
    zeta: fc.array(fc.string({ unit: 'grapheme', maxLength: 8 }), { maxLength: 5 }),
    alpha: fc.uint8Array({ maxLength: 64 }).map(bytes => Buffer.from(bytes).toString('hex')),
    Beta: fc.stringMatching(/^[A-Za-z0-9_]{0,32}$/),
    flag: fc.boolean(),
    who: fc.constantFrom(alice, bob, contractId),
  })
  fc.assert(
    fc.property(value, given => {
      const found = sent(shape, given)
      const read = scValToNative(found) as Record<string, unknown>
      assert.deepEqual(Object.keys(read), ['Beta', 'alpha', 'flag', 'who', 'zeta'])
      assert.deepEqual({ ...read, alpha: Buffer.from(read['alpha'] as Uint8Array).toString('hex') }, { ...given })
    }),
    { seed: SEED, numRuns: 200 },
  )
})

const BAD: readonly (readonly [shape: ArgumentShape, value: unknown])[] = [
  [{ type: 'bool' }, 'true'],
  [{ type: 'symbol', ...lengths }, 'a-b'],
  [{ type: 'symbol', ...lengths }, 'a'.repeat(33)],
  [{ type: 'string', ...lengths }, '\ud800'],
  [{ type: 'string', minLength: 0, maxLength: 3 }, 'äöü'],
  [{ type: 'string', minLength: 1, maxLength: 3 }, ''],
  [{ type: 'string', oneOf: ['a'], ...lengths }, 'b'],
  [{ type: 'bytes', ...lengths }, 'AB'],
  [{ type: 'bytes', ...lengths }, 'abc'],
  [{ type: 'bytes', minLength: 2, maxLength: 2 }, 'ab'],
  [{ type: 'address', signer: false }, 'SBGWSG6BTNCKCOB3DIFBGCVMUPQFYPA2G4O34RMTB343OYPXU5DJDVMN'],
  [{ type: 'address', oneOf: [alice], signer: false }, bob],
  [{ type: 'address', signer: true }, bob],
  [{ type: 'u32' }, 2 ** 53],
  [{ type: 'u32' }, '1e3'],
  [{ type: 'u32' }, ' 1'],
  [{ type: 'u32' }, '-0'],
  [{ type: 'u32' }, true],
  [
    { type: 'vec', items: { type: 'bool' }, ...lengths },
    { 0: true, length: 1 },
  ],
  [{ type: 'struct', fields: [] }, null],
  [{ type: 'struct', fields: [] }, []],
]

test('M-25 what is not the value that a template takes is refused, whatever it is', () => {
  for (const [shape, value] of BAD)
    assert.throws(() => fill(shape, value), refusedAt('arguments.a'), JSON.stringify([shape, value]))
  const struct: ArgumentShape = { type: 'struct', fields: [{ name: 'x', shape: { type: 'bool' } }] }
  assert.throws(() => fill(struct, JSON.parse('{"x":true,"__proto__":1}')), refusedAt('arguments.a.__proto__'))
  assert.throws(() => fill(struct, {}), refusedAt('arguments.a.x'))
  assert.throws(() => fill({ type: 'address', signer: false }, bob, { as: 'contract' }), refusedAt('arguments.a'))
})

test('M-25 what a template fixes callers cannot give; the address of a key stands for the key', () => {
  const template = {
    contract: contractId,
    arguments: [
      open({ type: 'u32' }, { name: 'fixed', value: 7 }),
      open({ type: 'address', signer: false }, { name: 'owner', key: 'treasury' }),
    ],
  }
  const filling = { template, signers: new Set<string>(), accountOf: () => bob }
  assert.deepEqual(fillTemplate({}, filling).arguments, [
    { kind: 'integer', type: 'u32', value: 7n },
    { kind: 'address', address: bob },
  ])
  for (const name of ['fixed', 'owner', 'toString']) {
    assert.throws(() => fillTemplate({ [name]: 7 }, filling), refusedAt(`arguments.${name}`))
  }
})

const prepared = (envelope: string) => samplePrepared({ envelope, expiresAt: 1 })
const entry = { scope: 'tester', key: 'k', fingerprint: 'ab'.repeat(32), at: 5 }
const recorded = (detail: object): AuditRecord => {
  const event = { kind: 'event', auditId: 'a', event: PREPARED_EVENT, actor: { subject: 's', peer: 'p' }, detail }
  return JSON.parse(entryText(event as never)) as AuditRecord
}

test('M-25 what was prepared comes back from the log to the letter, or is not taken on', () => {
  for (const size of [10, 1_800, 20_000, 49_000]) {
    const whole = prepared(Buffer.alloc(size, 7).toString('base64').slice(0, size))
    assert.deepEqual(preparedIn(recorded(preparedDetail(entry, whole))), { entry, prepared: whole })
  }
  const large = (): unknown => preparedDetail(entry, prepared('A'.repeat(60_000)))
  assert.throws(large, (error: unknown) => isSignerError(error) && error.code === 'payload/invalid')
  const detail = preparedDetail(entry, prepared('AAAA'))
  for (const change of [{ prepared0: '{' }, { pieces: 99 }, { pieces: 'x' }, { at: 'x' }, { scope: 1 }]) {
    assert.equal(preparedIn(recorded({ ...detail, ...change })), undefined)
  }
  assert.equal(preparedIn({ ...recorded(detail), event: 'other' } as AuditRecord), undefined)
})

test('turns: one at a time for a name, in order, also after one that fails; whoever waits too long leaves', async () => {
  const turns = new Turns()
  const never = new AbortController().signal
  const late = (): Error => new SignerError('service/overloaded', { retryAfterMs: 1 })
  const seen: string[] = []
  const one = (name: string, fails = false) =>
    turns.take('a', never, late, async () => {
      seen.push(`${name} in`)
      await new Promise(resolve => setImmediate(resolve))
      seen.push(`${name} out`)
      if (fails) throw new Error(name)
    })
  const over = new AbortController()
  const leaves = () => turns.take('a', over.signal, late, async () => seen.push('never'))
  const first = Promise.allSettled([one('1'), one('2', true), leaves(), one('3'), leaves()])
  over.abort()
  await new Promise(resolve => setImmediate(resolve))
  const results = [...(await Promise.all([first, Promise.allSettled([one('4')])]))].flat()
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
  )
  assert.deepEqual(seen, ['1 in', '1 out', '2 in', '2 out', '3 in', '3 out', '4 in', '4 out'])
  assert.equal(await turns.take('b', never, late, async () => 'other'), 'other')
})
