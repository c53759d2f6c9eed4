import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashTypedData, maxInt256, maxUint256, minInt256 } from 'viem'
import { TypedDataEncoder } from 'ethers'
import { askTypedData, attached, cow, type Fields, refusal, signatory } from './samples.ts'

const CONTRACT = '0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC'
const WALLET = '0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826'

const types: Record<string, Fields[]> = {
  Token: [
    { name: 'contract', type: 'address' },
    { name: 'amount', type: 'uint160' },
  ],
  Order: [
    { name: 'buyer', type: 'address' },
    { name: 'tokens', type: 'Token[]' },
    { name: 'pair', type: 'Token[2]' },
    { name: 'grid', type: 'int8[2][]' },
    { name: 'delta', type: 'int256' },
    { name: 'small', type: 'uint8' },
    { name: 'open', type: 'bool' },
    { name: 'tag', type: 'bytes4' },
    { name: 'data', type: 'bytes' },
    { name: 'note', type: 'string' },
  ],
}
const token: Fields = { contract: WALLET, amount: '5' }
const message: Fields = {
  buyer: WALLET.toLowerCase(),
  tokens: [token],
  pair: [token, { ...token, amount: 6 }],
  grid: [
    [-128, 127],
    ['-1', '0x1'],
  ],
  delta: '-5',
  small: 255,
  open: true,
  tag: '0xABcdef01',
  data: '0x',
  note: 'Grüße',
}
const domain: Fields = { name: 'Shop', version: '1', chainId: 1, verifyingContract: CONTRACT }
const order = { types, primaryType: 'Order', domain, message }

const why = (over: Fields): string => refusal(() => askTypedData({ ...order, ...over }))
const whyMessage = (over: Fields): string => why({ message: { ...message, ...over } })
const whyType = (struct: string, members: unknown): string => why({ types: { ...types, [struct]: members } })
const whyMember = (type: unknown, value: unknown = '0x', name: unknown = 'x'): string =>
  why({ types: { One: [{ name, type }] }, primaryType: 'One', message: { x: value } })

test('M-30 T33 the view: integers bigint, addresses with their checksum, bytes in lower case', () => {
  const asked = askTypedData(order)
  assert.deepEqual(asked.view, {
    kind: 'typed-data',
    network: 'mainnet',
    domain: { name: 'Shop', version: '1', chainId: 1n, verifyingContract: CONTRACT },
    primaryType: 'Order',
    message: {
      buyer: WALLET,
      tokens: [{ contract: WALLET, amount: 5n }],
      pair: [
        { contract: WALLET, amount: 5n },
        { contract: WALLET, amount: 6n },
      ],
      grid: [
        [-128n, 127n],
        [-1n, 1n],
      ],
      delta: -5n,
      small: 255n,
      open: true,
      tag: '0xabcdef01',
      data: '0x',
      note: 'Grüße',
    },
  })
  const digest = hashTypedData(order as never)
  assert.equal(`0x${asked.hash}`, digest)
  assert.equal(TypedDataEncoder.hash(domain, types as never, message), digest)
  assert.deepEqual(asked.operations, ['typed-data'])
  assert.equal(asked.slot(), undefined)
})

test('integers may be numbers, decimal text or hex quantities; every width has its ends', () => {
  const { hash } = askTypedData(order)
  for (const small of ['255', '0xff', '0xFF'])
    assert.equal(askTypedData({ ...order, message: { ...message, small } }).hash, hash)
  for (const bad of [
    '0256',
    '+1',
    '1.0',
    '1e3',
    '',
    ' 1',
    '0x',
    '0x0ff',
    '-0',
    '--1',
    '1_0',
    '٣',
    'NaN',
    `1${'0'.repeat(90)}`,
  ]) {
    assert.match(whyMessage({ small: bad }), /^typedData.message.small: /, bad)
  }
  for (const bad of [1.5, -0, Number.NaN, 2 ** 53, Infinity, null, true, [], {}]) {
    assert.match(whyMessage({ small: bad }), /^typedData.message.small: /, JSON.stringify(bad))
  }
  assert.match(whyMessage({ small: 256 }), /small: is out of the range of uint8/)
  assert.match(whyMessage({ small: -1 }), /small: is out of the range of uint8/)
  const one = (type: string, value: bigint) => ({
    types: { One: [{ name: 'x', type }] },
    primaryType: 'One',
    domain,
    message: { x: String(value) },
  })
  for (let bits = 8; bits <= 256; bits += 8) {
    const [top, half] = [1n << BigInt(bits), 1n << BigInt(bits - 1)]
    for (const [type, least, most] of [
      [`uint${bits}`, 0n, top - 1n],
      [`int${bits}`, -half, half - 1n],
    ] as const) {
      for (const value of [least, most]) {
        const given = one(type, value)
        assert.equal(`0x${askTypedData(given).hash}`, TypedDataEncoder.hash(domain, given.types, given.message))
      }
      for (const value of [least - 1n, most + 1n]) {
        assert.match(
          refusal(() => askTypedData(one(type, value))),
          /^typedData.message.x: is (out of|above)/,
        )
      }
    }
  }
  assert.ok(
    [maxInt256, minInt256].every(value => askTypedData({ ...order, message: { ...message, delta: String(value) } })),
  )
  assert.match(whyMessage({ delta: String(maxUint256) }), /delta: is out of the range of int256/)
})

test('T33 members: missing, surplus, of another shape; refused by their path', () => {
  const { note, ...rest } = message
  assert.ok(note !== undefined)
  assert.match(why({ message: rest }), /^typedData.message.note: is missing/)
  assert.match(whyMessage({ note: undefined }), /^typedData.message.note: is missing/)
  assert.match(whyMessage({ note: null }), /^typedData.message.note: must be a text/)
  assert.match(whyMessage({ more: 1 }), /^typedData.message.more: is not a member of its type/)
  assert.match(
    whyMessage({ tokens: [token, { ...token, more: 1 }] }),
    /^typedData.message.tokens\[1\].more: is not a member/,
  )
  assert.match(whyMessage({ tokens: [{ contract: WALLET }] }), /^typedData.message.tokens\[0\].amount: is missing/)
  assert.match(whyMessage({ tokens: [null] }), /^typedData.message.tokens\[0\]: must be an object/)
  assert.match(whyMessage({ tokens: token }), /^typedData.message.tokens: must be a list/)
  assert.match(whyMessage({ pair: [token] }), /^typedData.message.pair: has 1 entries; the type has 2/)
  assert.match(whyMessage({ grid: [[1]] }), /^typedData.message.grid\[0\]: has 1 entries; the type has 2/)
  assert.match(whyMessage({ grid: [[1, 128]] }), /^typedData.message.grid\[0\]\[1\]: is out of the range of int8/)
  assert.match(why({ message: [] }), /^typedData.message: must be an object/)
  assert.match(why({ message: undefined }), /^typedData.message: must be an object/)
})

test('T33 values in another spelling than the one', () => {
  for (const bad of [
    WALLET.replace('CD2a', 'cD2a'),
    WALLET.slice(2),
    WALLET.slice(0, 40),
    WALLET.toUpperCase(),
    '0x',
    5,
    null,
  ]) {
    assert.match(whyMessage({ buyer: bad }), /^typedData.message.buyer: /, String(bad))
  }
  for (const bad of ['0xabcdef', '0xabcdef0101', 'abcdef01', '0xabcdefg1', '', 5])
    assert.match(whyMessage({ tag: bad }), /tag: /)
  for (const bad of ['0x0', '00', 'text', null]) assert.match(whyMessage({ data: bad }), /^typedData.message.data: /)
  for (const bad of ['true', 1, 0, null]) assert.match(whyMessage({ open: bad }), /open: must be true or false/)
  for (const bad of [5, true, {}, '\ud800']) assert.match(whyMessage({ note: bad }), /^typedData.message.note: /)
})

test('T33 types: cyclic, twice, unknown, unused, or named like something else', () => {
  const node = [{ name: 'next', type: 'Node[]' }]
  assert.match(
    why({ types: { Node: node }, primaryType: 'Node', message: { next: [] } }),
    /types.Node: contains itself/,
  )
  const [a, b] = [[{ name: 'b', type: 'B' }], [{ name: 'a', type: 'A[]' }]]
  assert.match(
    why({ types: { A: a, B: b }, primaryType: 'A', message: {} }),
    /types.A: contains itself: types must not be cyclic/,
  )
  assert.match(
    whyType('Token', [...(types['Token'] ?? []), { name: 'amount', type: 'bool' }]),
    /types.Token\[2\].name: is amount, which stands there twice/,
  )
  assert.match(whyType('Unused', [{ name: 'x', type: 'bool' }]), /types.Unused: is used by nothing/)
  assert.match(whyType('Token', []), /^typedData.types.Token: has no members/)
  assert.match(whyType('Token', {}), /^typedData.types.Token: must be a list/)
  assert.match(whyType('Token', [{ name: 'x' }]), /Token\[0\].type: is missing/)
  assert.match(whyType('Token', [{ name: 'x', type: 'bool', indexed: true }]), /Token\[0\].indexed: is not a field/)
  assert.match(whyType('Token', ['bool x']), /Token\[0\]: must be an object/)
  for (const type of [
    ...[
      'uint',
      'int',
      'uint7',
      'uint264',
      'uint0',
      'uint08',
      'int1',
      'bytes0',
      'bytes33',
      'bytes01',
      'byte',
      'Unknown',
      '',
    ],
    ...[
      'address payable',
      'bool[',
      'bool]',
      'bool[]x',
      'bool[-1]',
      'bool[0]',
      'bool[01]',
      'bool[1e1]',
      '[]',
      'function',
      'fixed128x18',
    ],
    ...[
      'mapping(a=>b)',
      'bool ',
      ' bool',
      'constructor',
      '__proto__',
      'toString',
      'EIP712Domain',
      'EIP712Domain[]',
      'bool[9999999]',
    ],
  ]) {
    assert.match(whyMember(type), /^typedData.types.One\[0\].type: /, type)
  }
  assert.match(whyMember(`bool${'[]'.repeat(9)}`), /is nested in more than 8 arrays/)
  assert.match(whyMember(5), /^typedData.types.One\[0\].type: must be a text/)
  for (const name of ['', '1a', 'a b', 'a.b', 'a,b', 'ключ', '__proto__', 'a'.repeat(129), 5, null]) {
    assert.match(whyMember('bool', true, name), /^typedData.types.One\[0\].name: /, String(name))
  }
  for (const name of [
    'uint256',
    'address',
    'bool',
    'string',
    'bytes',
    'bytes32',
    'int7',
    'tuple',
    'a b',
    'A[]',
    '1A',
    '',
    'A(bool x)',
  ]) {
    const given = { types: { [name]: [{ name: 'x', type: 'bool' }] }, primaryType: name, message: { x: true } }
    assert.match(why(given), /^typedData.types.*: is not a name that a struct can have/, name)
  }
  // Names that every object has from elsewhere are names like others.
  for (const name of ['constructor', 'toString', 'valueOf', 'hasOwnProperty']) {
    const given = { types: { [name]: [{ name, type: 'bool' }] }, primaryType: name, domain, message: { [name]: true } }
    assert.equal(`0x${askTypedData(given).hash}`, TypedDataEncoder.hash(domain, given.types, given.message))
    assert.match(
      refusal(() => askTypedData({ ...given, message: {} })),
      /is missing/,
    )
  }
  const many = Object.fromEntries(Array.from({ length: 257 }, (_, at) => [`T${at}`, [{ name: 'x', type: 'bool' }]]))
  assert.match(why({ types: many }), /^typedData.types: has 257 structs; 256 is the limit/)
})

test('T33 the primary type is one of the types, and no domain', () => {
  for (const bad of ['Orders', '', 'uint256', 'Order[]', 'constructor', '__proto__']) {
    assert.match(why({ primaryType: bad }), /^typedData.primaryType: is not among the types/, bad)
  }
  assert.match(why({ primaryType: 'EIP712Domain' }), /^typedData.primaryType: is EIP712Domain/)
  assert.match(why({ primaryType: undefined }), /^typedData.primaryType: is missing/)
  assert.match(why({ types: [] }), /^typedData.types: must be an object/)
  assert.match(why({ extra: 1 }), /^typedData.extra: is not a field of typed data/)
  for (const bad of [undefined, null, 'text', []])
    assert.match(
      refusal(() => askTypedData(bad)),
      /^typedData: must be an object/,
    )
})

test('T33 the domain names the chain of the key, has no other field, and fits its type', () => {
  const declared = [
    { name: 'name', type: 'string' },
    { name: 'version', type: 'string' },
    { name: 'chainId', type: 'uint256' },
    { name: 'verifyingContract', type: 'address' },
  ]
  const { hash } = askTypedData(order)
  assert.equal(askTypedData({ ...order, types: { ...types, EIP712Domain: declared } }).hash, hash)
  for (const chainId of ['1', '0x1', 1])
    assert.equal(askTypedData({ ...order, domain: { ...domain, chainId } }).hash, hash)
  const bad = (over: Fields): string => why({ domain: { ...domain, ...over } })
  const { chainId, ...nowhere } = domain
  assert.equal(chainId, 1)
  assert.match(why({ domain: nowhere }), /^typedData.domain.chainId: is missing; the key is pinned to chain 1/)
  assert.match(bad({ chainId: 5 }), /^typedData.domain.chainId: is 5; the key is pinned to chain 1/)
  assert.match(bad({ chainId: 0 }), /^typedData.domain.chainId: is 0; the key/)
  assert.match(
    refusal(() => askTypedData(order, signatory(5n))),
    /^typedData.domain.chainId: is 1; the key is pinned to chain 5/,
  )
  for (const value of ['01', '', null, -1, 1.5]) assert.match(bad({ chainId: value }), /^typedData.domain.chainId: /)
  assert.match(bad({ chainid: 1 }), /^typedData.domain.chainid: is not a field of a domain/)
  assert.match(bad({ extensions: [] }), /^typedData.domain.extensions: is not a field of a domain/)
  assert.match(
    bad({ verifyingContract: CONTRACT.replace('CcCC', 'cCCC') }),
    /^typedData.domain.verifyingContract: must be/,
  )
  assert.match(bad({ verifyingContract: null }), /^typedData.domain.verifyingContract: must be a text/)
  assert.match(bad({ name: 5 }), /^typedData.domain.name: must be a text/)
  assert.match(bad({ salt: '0x00' }), /^typedData.domain.salt: has 1 bytes; 32 are needed/)
  assert.match(why({ domain: undefined }), /^typedData.domain: must be an object/)
  for (const list of [
    declared.slice(1),
    declared.toReversed(),
    [...declared, { name: 'salt', type: 'bytes32' }],
    [],
    declared.with(2, { name: 'chainId', type: 'uint64' }),
  ]) {
    assert.match(
      whyType('EIP712Domain', list),
      /^typedData.types.EIP712Domain: does not fit the domain, which has: string name,/,
    )
  }
  const salted = { ...domain, salt: `0x${'ab'.repeat(32)}` }
  assert.equal(
    `0x${askTypedData({ ...order, domain: salted }).hash}`,
    TypedDataEncoder.hash(salted, types as never, message),
  )
})

test('work is bounded: many structs of a long type, deep nesting, wide domains', () => {
  const wide = Array.from({ length: 256 }, (_, at) => ({ name: `m${at}${'x'.repeat(100)}`, type: 'Leaf[]' }))
  const given = {
    types: { Root: [{ name: 'list', type: 'Wide[]' }], Wide: wide, Leaf: [{ name: 'x', type: 'bool' }] },
    primaryType: 'Root',
    domain,
    message: { list: Array.from({ length: 500 }, () => Object.fromEntries(wide.map(({ name }) => [name, []]))) },
  }
  assert.match(
    refusal(() => askTypedData(given)),
    /is more than can be hashed/,
  )
  const strings = { types: { S: [{ name: 'list', type: 'string[]' }] }, primaryType: 'S', domain }
  const list = (length: number) => ({ ...strings, message: { list: Array.from({ length }, () => '') } })
  assert.ok(askTypedData(list(8_000)))
  assert.match(
    refusal(() => askTypedData(list(8_200))),
    /^typedData.message.list\[\d+\]: is more than can be hashed/,
  )
  const long = (length: number) => ({ ...strings, message: { list: ['a'.repeat(length)] } })
  assert.ok(askTypedData(long(1_000_000)))
  assert.match(
    refusal(() => askTypedData(long(1_048_576))),
    /^typedData.message.list\[0\]: is more than can be hashed/,
  )
  const deep: Record<string, Fields[]> = { T40: [{ name: 'x', type: 'bool' }] }
  let value: unknown = { x: true }
  for (let at = 39; at >= 0; at--) {
    deep[`T${at}`] = [{ name: 'n', type: `T${at + 1}` }]
    value = { n: value }
  }
  assert.match(why({ types: deep, primaryType: 'T0', message: value }), /is nested deeper than 32/)
})

test('M-20 in words: what it is, for whom, and each value by its path', () => {
  const asked = askTypedData(order, signatory(1n, cow.address))
  const { json, sentences } = asked.describe()
  assert.equal(
    sentences[0],
    `Signs typed data Order (EIP-712) as ${WALLET} for "Shop", version "1", contract ${CONTRACT}, chain 1`,
  )
  assert.ok(sentences.includes(`buyer is ${WALLET}`))
  assert.ok(sentences.includes('tokens[0].amount is 5'))
  assert.ok(sentences.includes('grid[1][0] is -1'))
  assert.ok(sentences.includes('note is "Gr\\u{fc}\\u{df}e"'))
  assert.equal((json as { message: { delta: string } }).message.delta, '-5')
  assert.ok(JSON.stringify(json).length > 100)
  const { length } = asked.sentence
  const long = askTypedData({ ...order, message: { ...message, tokens: Array.from({ length: 400 }, () => token) } })
  assert.ok(long.sentence.length < 3 * length)
  assert.match(long.sentence, /; and \d+ more values; network mainnet\.$/)
  assert.equal(long.describe().sentences.length, 101)
  assert.match(long.describe().sentences[100] ?? '', /^and \d+ more values$/)
  const quotes = askTypedData({ ...order, message: { ...message, tokens: [], note: `"\\\n\u202e${'x'.repeat(300)}` } })
  assert.match(quotes.sentence, /note is "\\"\\\\\\u\{a\}\\u\{202e\}x+" and 104 more characters; network mainnet\.$/)
  assert.ok(quotes.describe().sentences.includes('tokens is empty'))
  assert.equal(attached(asked, cow).evmSignature?.length, 132)
})
