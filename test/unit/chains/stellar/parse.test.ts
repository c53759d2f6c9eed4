import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StrKey, xdr } from '@stellar/stellar-sdk/base'
import { fromBase64, toBase64 } from '../../../../src/bytes/base64.ts'
import { stellar, XDR_CHARS_MAX, XDR_DEPTH_MAX } from '../../../../src/chains/stellar/index.ts'
import { operationOf } from '../../../../src/chains/stellar/operations.ts'
import { type AnySignerError, isSignerError } from '../../../../src/domain/errors.ts'
import {
  alice,
  bob,
  carol,
  corpus,
  fakeSignature,
  feeBump,
  invocationTree,
  invoke,
  operations,
  sourceAuthorization,
  v1,
} from '../../../fuzz/xdr-corpus.ts'

const PAYMENT = v1({ operations: operations['payment'] ?? [] }).toXdr('base64')

function refusal(payload: unknown): AnySignerError {
  try {
    stellar.parse(payload, 'testnet')
  } catch (error) {
    assert.ok(isSignerError(error), `not a SignerError: ${String(error)}`)
    return error
  }
  throw new assert.AssertionError({ message: `accepted: ${JSON.stringify(payload)}` })
}

const refusalOfXdr = (text: unknown): AnySignerError => refusal({ type: 'stellar-transaction', xdr: text })

test('a payload must be {type, xdr} and nothing else', () => {
  const payloads: ReadonlyArray<readonly [payload: unknown, field: string]> = [
    [undefined, 'payload'],
    [null, 'payload'],
    ['text', 'payload'],
    [7, 'payload'],
    [[], 'payload'],
    [() => PAYMENT, 'payload'],
    [{}, 'type'],
    [{ type: 1, xdr: PAYMENT }, 'type'],
    [{ type: 'stellar-transaction' }, 'xdr'],
    [{ type: 'stellar-transaction', xdr: '' }, 'xdr'],
    [{ type: 'stellar-transaction', xdr: null }, 'xdr'],
    [{ type: 'stellar-transaction', xdr: fromBase64(PAYMENT) }, 'xdr'],
    [{ type: 'stellar-transaction', xdr: [PAYMENT] }, 'xdr'],
    [{ type: 'stellar-transaction', xdr: PAYMENT, note: 'x' }, 'note'],
    [{ type: 'stellar-transaction', xdr: PAYMENT, ['\u0000\n']: 'x' }, '\u0000\n'],
  ]
  for (const [payload, field] of payloads) {
    const error = refusal(payload)
    assert.equal(error.code, 'payload/invalid')
    assert.ok(error.code === 'payload/invalid')
    assert.equal(error.detail.field, field)
    assert.ok(error.detail.reason.length > 0)
  }
})

test('another payload type is unsupported, not invalid', () => {
  const error = refusal({ type: 'stellar-message', message: 'x' })
  assert.equal(error.code, 'payload/unsupported')
  assert.deepEqual(error.detail, { payloadType: 'stellar-message', chain: 'stellar' })
})

test('a payload whose fields throw is refused all the same', () => {
  const hostile = {
    type: 'stellar-transaction',
    get xdr(): string {
      throw new RangeError('boo')
    },
  }
  assert.equal(refusal(hostile).code, 'payload/invalid')
})

test('base64 must be exact: no second spelling of an envelope', () => {
  const padded = corpus().find(text => text.endsWith('='))
  const special = corpus().find(text => text.includes('+') && text.includes('/'))
  assert.ok(padded !== undefined && special !== undefined)
  const spellings = [
    `${PAYMENT}\n`,
    ` ${PAYMENT}`,
    `${PAYMENT.slice(0, 40)}\n${PAYMENT.slice(40)}`,
    `${PAYMENT}====`,
    PAYMENT.slice(0, -1),
    padded.replaceAll('=', ''),
    special.replaceAll('+', '-').replaceAll('/', '_'),
    'not base64!',
    '\ud800',
  ]
  for (const text of spellings) {
    const error = refusalOfXdr(text)
    assert.ok(error.code === 'payload/invalid' && error.detail.field === 'xdr', JSON.stringify(text))
    assert.match(error.detail.reason, /base64/u)
  }
})

test('T23 malformed XDR: every cut, trailing bytes, lengths, bad padding, bad bool, unknown arms', () => {
  const bytes = fromBase64(PAYMENT) ?? new Uint8Array()
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(refusalOfXdr(toBase64(bytes.slice(0, length))).code, 'payload/invalid')
  }
  const longer = new Uint8Array(bytes.length + 4)
  longer.set(bytes)
  assert.equal(refusalOfXdr(toBase64(longer)).code, 'payload/invalid')
  assert.equal(refusalOfXdr(toBase64(longer.slice(0, -3))).code, 'payload/invalid')

  const word = (at: number, value: number): string => {
    const changed = bytes.slice()
    new DataView(changed.buffer).setUint32(at, value)
    return toBase64(changed)
  }
  const OPERATIONS_AT = 4 + 36 + 4 + 8 + 4 + 4
  assert.equal(new DataView(bytes.buffer).getUint32(OPERATIONS_AT), 3)
  for (const count of [4, 101, 0x7fffffff, 0xffffffff]) {
    assert.equal(refusalOfXdr(word(OPERATIONS_AT, count)).code, 'payload/invalid')
  }
  for (const envelopeType of [1, 3, 4, 6, 10, 99, 0xffffffff]) {
    assert.equal(refusalOfXdr(word(0, envelopeType)).code, 'payload/invalid')
  }
  assert.equal(refusalOfXdr(word(OPERATIONS_AT + 4, 2)).code, 'payload/invalid', 'a bool of 2')
  assert.equal(refusalOfXdr(word(OPERATIONS_AT + 8, 27)).code, 'payload/invalid', 'an operation type of 27')

  const text = fromBase64(v1({ operations: [], memo: xdr.Memo.memoText('hello') }).toXdr('base64')) ?? new Uint8Array()
  const padding = text.slice()
  padding[text.length - 13] = 1 // after it: no operation, ext, no signature
  const error = refusalOfXdr(toBase64(padding))
  assert.ok(error.code === 'payload/invalid')
  assert.match(error.detail.reason, /padding/u)
})

test('T23 what the SDK throws as TypeError is a refusal too', () => {
  // An operation body arm whose union the SDK walks by property: handed over broken, as a fault in the SDK would.
  const broken = xdr.TransactionEnvelope.schema
  const decode = broken.decode
  try {
    broken.decode = () => JSON.parse('{"type":2}')
    const error = refusalOfXdr(PAYMENT)
    assert.ok(error.code === 'payload/invalid')
    assert.equal(error.detail.field, 'xdr')
    assert.match(error.detail.reason, /cannot be decoded/u)
  } finally {
    broken.decode = decode
  }
})

test('T24 an envelope that encodes to other bytes is refused', () => {
  const { schema } = xdr.TransactionEnvelope
  const decode = schema.decode
  try {
    schema.decode = (bytes, options) => {
      const wire = decode.call(schema, bytes, options)
      if (wire.type === 2) wire.v1.tx.fee += 1
      return wire
    }
    const error = refusalOfXdr(PAYMENT)
    assert.ok(error.code === 'payload/invalid')
    assert.match(error.detail.reason, /canonical/u)
  } finally {
    schema.decode = decode
  }
})

test('T19, T23 size: one character over the limit is refused before decoding', () => {
  const error = refusalOfXdr('A'.repeat(XDR_CHARS_MAX + 1))
  assert.ok(error.code === 'payload/invalid')
  assert.match(error.detail.reason, /65536 is the limit/u)
})

test('T23 depth: trees that can run are read, deeper ones refused, in milliseconds', () => {
  const deep = (levels: number): string =>
    v1({ operations: [invoke('transfer', [sourceAuthorization(invocationTree(levels))])] }).toXdr('base64')
  const { view } = stellar.parse({ type: 'stellar-transaction', xdr: deep(60) }, 'testnet')
  const [operation] = view.kind === 'transaction' ? view.operations : []
  assert.ok(operation?.type === 'invokeHostFunction')
  assert.equal(operation.authorizations[0]?.invocations.length, 61)
  const start = performance.now()
  const error = refusalOfXdr(deep(250))
  assert.ok(performance.now() - start < 500)
  assert.ok(error.code === 'payload/invalid')
  assert.match(error.detail.reason, new RegExp(`depth ${XDR_DEPTH_MAX} exceeded`, 'u'))
})

test('T23 breadth: the largest lists a body can carry cost milliseconds', () => {
  const values = Array.from({ length: 11_000 }, () => xdr.ScVal.scvVoid())
  const text = v1({ operations: [invoke('f', [], values)] }).toXdr('base64')
  assert.ok(text.length < XDR_CHARS_MAX)
  const start = performance.now()
  const parsed = stellar.parse({ type: 'stellar-transaction', xdr: text }, 'testnet')
  stellar.describe(parsed)
  assert.ok(performance.now() - start < 500)
})

test('asset codes that no network accepts are refused', () => {
  const pay = (asset: xdr.Asset) =>
    v1({
      operations: [
        new xdr.Operation({
          sourceAccount: null,
          body: xdr.OperationBody.payment(
            new xdr.PaymentOp({
              destination: xdr.MuxedAccount.keyTypeEd25519(StrKey.decodeEd25519PublicKey(bob)),
              asset,
              amount: 1n,
            }),
          ),
        }),
      ],
    }).toXdr('base64')
  const issuer = xdr.PublicKey.publicKeyTypeEd25519(StrKey.decodeEd25519PublicKey(carol))
  const short = (...code: number[]) =>
    pay(
      xdr.Asset.assetTypeCreditAlphanum4(
        new xdr.AlphaNum4({ assetCode: Uint8Array.from({ length: 4 }, (_, at) => code[at] ?? 0), issuer }),
      ),
    )
  const long = (...code: number[]) =>
    pay(
      xdr.Asset.assetTypeCreditAlphanum12(
        new xdr.AlphaNum12({ assetCode: Uint8Array.from({ length: 12 }, (_, at) => code[at] ?? 0), issuer }),
      ),
    )
  assert.ok(stellar.parse({ type: 'stellar-transaction', xdr: short(0x55) }, 'testnet'))
  assert.ok(stellar.parse({ type: 'stellar-transaction', xdr: long(0x55, 0x55, 0x55, 0x55, 0x55) }, 'testnet'))
  const bad = [
    short(),
    short(0x55, 0, 0x55),
    short(0x55, 0x20),
    short(0x55, 0xc3, 0xa9),
    short(0x3a, 0x55),
    long(),
    long(0x55, 0x53, 0x44),
    long(0x55, 0x55, 0x55, 0x55, 0x55, 0, 0x55),
  ]
  for (const text of bad) {
    const error = refusalOfXdr(text)
    assert.ok(error.code === 'payload/invalid')
    assert.match(error.detail.reason, /asset code/u)
  }
})

test('an envelope with 20 signatures has no room for ours', () => {
  const signatures = (count: number) => Array.from({ length: count }, (_, at) => fakeSignature(String(at)))
  const envelope = (count: number) => v1({ operations: operations['payment'] ?? [] }, signatures(count)).toXdr('base64')
  assert.ok(stellar.parse({ type: 'stellar-transaction', xdr: envelope(19) }, 'testnet'))
  const error = refusalOfXdr(envelope(20))
  assert.ok(error.code === 'payload/invalid')
  assert.match(error.detail.reason, /20 signatures/u)
  // Twenty inside a fee bump are the inner transaction's own affair.
  const inner = feeBump({ operations: [] }, { innerSignatures: signatures(20) }).toXdr('base64')
  assert.ok(stellar.parse({ type: 'stellar-transaction', xdr: inner }, 'testnet'))
})

test('I8 an operation type this list does not have becomes unknown, never something else', () => {
  const future = JSON.parse('{"sourceAccount":null,"body":{"type":"teleport"}}')
  assert.deepEqual(operationOf(future), { type: 'unknown', source: null, name: 'teleport' })
})

test('V0 shows as the V1 it stands for', () => {
  const [operation] = operations['payment'] ?? []
  assert.ok(operation !== undefined)
  const { view } = stellar.parse(
    { type: 'stellar-transaction', xdr: v1({ operations: [operation] }).toXdr('base64') },
    'testnet',
  )
  assert.ok(view.kind === 'transaction')
  assert.deepEqual(view.source, { address: alice, muxedId: null })
  assert.deepEqual(view.operations, [
    {
      type: 'payment',
      source: null,
      destination: { address: bob, muxedId: null },
      asset: 'native',
      amount: { stroops: 100_000_000n, decimal: '10' },
    },
  ])
})
