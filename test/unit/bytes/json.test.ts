import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { parseStrictJson, type StrictJsonOptions } from '../../../src/bytes/json.ts'
import { type ErrorDetail, isSignerError } from '../../../src/domain/errors.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const parse = (text: string, options?: StrictJsonOptions) => parseStrictJson(utf8(text), options)

function refusal(input: string | Uint8Array, options?: StrictJsonOptions): ErrorDetail['request/malformed'] {
  try {
    parseStrictJson(typeof input === 'string' ? utf8(input) : input, options)
  } catch (error) {
    assert.ok(isSignerError(error) && error.code === 'request/malformed', String(error))
    return error.detail
  }
  return assert.fail(`accepted: ${typeof input === 'string' ? input : [...input].join()}`)
}

test('strict JSON reads what JSON.parse reads', () => {
  const texts = [
    '{}',
    '[]',
    ' [ ] ',
    '{ }',
    'null',
    'true',
    'false',
    '0',
    '-0',
    '-1',
    '12.50',
    '1e3',
    '1E+3',
    '1.5e-3',
    '9007199254740991',
    '-9007199254740991',
    '123e45',
    '""',
    '"a\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\ud83d\\ude00é😀"',
    '{"a":[1,{"b":null}],"c":"d"}',
    '\t\r\n {"a" : [ 1 , 2 ] } \n',
    '{"":1}',
    '{"constructor":1,"toString":2,"hasOwnProperty":3}',
    '"\u007f\u2028\u2029\ufeff"',
  ]
  for (const text of texts) assert.deepEqual(parse(text), JSON.parse(text), text)
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), text => {
      try {
        assert.deepEqual(parse(text), JSON.parse(text))
      } catch (error) {
        // JSON.stringify writes numbers such as 1e300 as they are, and integers beyond 2^53: those are refused.
        assert.ok(isSignerError(error) && error.code === 'request/malformed' && /number|name/.test(error.message))
      }
    }),
    { numRuns: 1_000 },
  )
})

test('T20: the same name twice in one object is refused at any level, in any spelling', () => {
  assert.equal(refusal('{"a":1,"a":1}').field, '/a')
  assert.equal(refusal('{"x":[{"a":1,"b":2,"a":3}]}').field, '/x/0/a')
  assert.equal(refusal('{"a":1,"\\u0061":2}').field, '/a')
  assert.equal(refusal('{"toString":1,"toString":2}').field, '/toString')
  assert.equal(refusal('{"a/b~c":1,"a/b~c":2}').field, '/a~1b~0c')
  assert.deepEqual(parse('[{"a":1},{"a":1}]'), [{ a: 1 }, { a: 1 }])
})

test('T21: __proto__ is no name, at any level and in any spelling; constructor is one like any other', () => {
  for (const text of ['{"__proto__":{"admin":true}}', '{"a":[{"__proto__":null}]}', '{"\\u005f_proto__":1}']) {
    assert.ok(refusal(text).field.endsWith('__proto__'))
  }
  const parsed = parse('{"constructor":{"prototype":{"admin":true}}}')
  assert.deepEqual(Object.keys(parsed as object), ['constructor'])
  assert.equal(({} as { admin?: boolean }).admin, undefined)
})

test('T20: depth is counted from the outermost value and bounded before the stack is', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
  assert.ok(parse(nested(16)))
  assert.match(refusal(nested(17)).reason, /16 deep/)
  assert.ok(parse('{"a":{"b":{}}}', { maxDepth: 3 }))
  assert.equal(refusal('{"a":{"b":{}}}', { maxDepth: 2 }).field, '/a/b')
  assert.match(refusal('['.repeat(65_536)).reason, /16 deep/)
  assert.match(refusal('{"a":'.repeat(10_000)).reason, /16 deep/)
})

test('T20: surrogates without their partner, broken UTF-8 and a byte order mark are refused', () => {
  for (const text of ['"\\ud800"', '"\\udc00"', '"\\ude00\\ud83d"', '"\\ud83dx"', '{"\\ud800":1}']) refusal(text)
  const broken = [
    [0x22, 0xff, 0x22],
    [0x22, 0xc0, 0x80, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
    [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22],
    [0x22, 0xe2, 0x82],
    [0xff, 0xfe, 0x7b, 0x00],
  ]
  for (const bytes of broken) assert.match(refusal(Uint8Array.from(bytes)).reason, /UTF-8/)
  assert.match(refusal(Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d)).reason, /byte order mark/)
})

test('T20: numbers that a double would change are refused', () => {
  for (const text of ['9007199254740992', '-9007199254740993', '1e400', '-1e400', '123456789012345678901234567890']) {
    assert.match(refusal(`{"amount":${text}}`).fix, /string/)
  }
})

test('T20: everything outside the grammar is refused with the place', () => {
  const texts = [
    '',
    ' ',
    '{',
    '[',
    '"',
    '"a',
    '{"a"',
    '{"a":',
    '{"a":1',
    '[1',
    '[1,',
    '[1,]',
    '{"a":1,}',
    '{,}',
    '[,]',
    '{a:1}',
    "{'a':1}",
    '{"a" 1}',
    '{"a"::1}',
    '{"a":1 "b":2}',
    '[1 2]',
    '[1}',
    '{"a":1]',
    '{}{}',
    '[] x',
    'nul',
    'True',
    'NaN',
    'Infinity',
    '-',
    '+1',
    '.5',
    '1.',
    '01',
    '-01',
    '1e',
    '1e+',
    '0x10',
    '1_000',
    '"\\x41"',
    '"\\u12"',
    '"\\u12g4"',
    '"\\',
    '"\t"',
    '"\n"',
    '"\u0000"',
    '[1]//',
    '/**/1',
    '\u00a0[]',
    '\u2028[]',
    '[\f]',
    'undefined',
    '--1',
    '1..2',
  ]
  for (const text of texts) {
    const detail = refusal(text)
    assert.ok(detail.field.length > 0 && detail.reason.length > 0 && detail.fix.length > 0, text)
  }
  assert.equal(refusal('{"a":[1,{"b":tru}]}').field, '/a/1/b')
  assert.equal(refusal('{"a":1,b}').field, 'body')
})

test('T20: a long name does not make a long error', () => {
  assert.ok(refusal(`{"${'é😀'.repeat(5_000)}":x}`).field.length <= 120)
})

test('T20: mutated documents are read as JSON.parse reads them, or refused with our error', () => {
  const base = '{"type":"stellar-transaction","xdr":"AAAA","options":{"list":[1,2.5,true,null,"\\u00e9"]}}'
  const edit = fc.tuple(fc.nat({ max: base.length - 1 }), fc.constantFrom(...Array.from('{}[]",:\\u0e1 tfn\u0007-.')))
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), edits => {
      const letters = Array.from(base)
      for (const [at, letter] of edits) letters[at] = letter
      const text = letters.join('')
      let parsed: unknown
      try {
        parsed = parse(text)
      } catch (error) {
        assert.ok(isSignerError(error) && error.code === 'request/malformed')
        return
      }
      assert.deepEqual(parsed, JSON.parse(text))
    }),
    { numRuns: 5_000 },
  )
})
