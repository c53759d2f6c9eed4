import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { ScanError, scanObject, withValue } from '../../../providers/json-bytes.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const slice = (text: string, { from, to }: { from: number; to: number }): string =>
  new TextDecoder().decode(bytes(text).subarray(from, to))

test('the members of any object are found with their exact extent', () => {
  const name = fc.string({ unit: fc.constantFrom(...'abcKXYz09_-$ '.split('')), maxLength: 8 })
  // Names go through the same rule at every level, so nested objects get plain names too.
  const { value } = fc.letrec<{ value: unknown }>(tie => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.string({ unit: 'binary' }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(name, tie('value'), { maxKeys: 3 }),
    ),
  }))
  fc.assert(
    fc.property(fc.dictionary(name, value, { maxKeys: 5 }), fc.constantFrom(0, 1), (object, indent) => {
      const text = JSON.stringify(object, null, indent)
      const members = scanObject(bytes(text))
      assert.deepEqual(
        members.map(each => each.name),
        Object.keys(object),
      )
      for (const member of members)
        assert.deepEqual(JSON.parse(slice(text, member)), JSON.parse(JSON.stringify(object[member.name])))
    }),
  )
})

test('what is not one object, or not JSON, is refused with a message that quotes nothing', () => {
  const bad = [
    [
      '',
      '[]',
      '"x"',
      '1',
      '{',
      '{"',
      '{"a"',
      '{"a":',
      '{"a":1',
      '{"a":1,',
      '{"a":1,}',
      '{,}',
      '{"a" 1}',
      '{"a":}',
      '{a:1}',
      "{'a':1}",
    ],
    [
      '{"a":1}x',
      '{"a":1}{}',
      '\ufeff{}',
      '{"a":1 "b":2}',
      '{"a":[1,]}',
      '{"a":[1',
      '{"a":[1 2]}',
      '{"a":"\n"}',
      '{"a":"\\"}',
      '{"a":"x\\',
      '{"a":/}',
    ],
    [`{"a":${'['.repeat(40)}${']'.repeat(40)}}`, `{"${'n'.repeat(129)}":1}`, '{"\u00e9":1}'],
  ].flat()
  for (const text of bad) {
    assert.throws(
      () => scanObject(bytes(text)),
      (error: unknown) => error instanceof ScanError && (text.length < 9 || !error.message.includes(text)),
      text,
    )
  }
})

test('a member twice is refused at every level, and so is an escaped name that could hide one', () => {
  for (const text of [
    '{"a":1,"a":2}',
    '{"a":1,"b":2,"a":1}',
    '{"x":{"a":1,"a":2}}',
    '{"x":[{"a":1,"a":2}]}',
    '{"\\u0061":1}',
    '{"x":{"\\u0061":1}}',
  ]) {
    assert.throws(() => scanObject(bytes(text)), ScanError, text)
  }
  assert.equal(scanObject(bytes('{"a":{"b":1},"b":{"a":1}}')).length, 2)
})

test('whatever JSON.parse refuses as an object never has another meaning here', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'{}[]",:\\ 1ae-.'.split('')), maxLength: 14 }), inner => {
      const text = `{${inner}}`
      let members: ReturnType<typeof scanObject>
      try {
        members = scanObject(bytes(text))
      } catch {
        return
      }
      // The scanner leaves numbers, literals and escapes to the parser; where the parser agrees, they see the same names.
      try {
        assert.deepEqual(Object.keys(JSON.parse(text)).toSorted(), members.map(each => each.name).toSorted())
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error
      }
    }),
    { numRuns: 20_000 },
  )
})

test('one value is replaced and everything else stays byte for byte', () => {
  const text = '{ "KeyId":"k", "Plaintext" : "c2VjcmV0" ,"z":[1]}'
  const body = bytes(text)
  const member = scanObject(body).find(({ name }) => name === 'Plaintext') ?? assert.fail()
  assert.equal(
    new TextDecoder().decode(withValue(body, member, bytes('""'))),
    '{ "KeyId":"k", "Plaintext" : "" ,"z":[1]}',
  )
  assert.equal(new TextDecoder().decode(body), text)
})
