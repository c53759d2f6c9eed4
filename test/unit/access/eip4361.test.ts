/** ERC-4361 as the login of administrators has it (M-41, T14): grammar, published vectors, one fault at a time, mutants. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { createSiweMessage, parseSiweMessage } from 'viem/siwe'
import { provesAddress } from '../../../src/access/address-proof.ts'
import {
  EIP4361_REASONS,
  type Eip4361Rules,
  makeEip4361Challenge,
  readEip4361Answer,
} from '../../../src/access/eip4361.ts'
import { isAuthority, isUri } from '../../../src/access/rfc3986.ts'
import {
  readSignInMessage,
  type SignInMessage,
  type SignInReading,
  timeOf,
  writeSignInMessage,
} from '../../../src/access/sign-in-message.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { evmPerson } from '../../support/login-world.ts'

const long = process.env['COUNTERSIGN_TEST_LONG'] === '1'
const NOW = 1_700_000_000_000
const person = evmPerson(5)
const rules: Eip4361Rules = {
  domain: 'signer.example',
  uri: 'https://signer.example/login',
  statement: 'Log in to the control plane of Countersign.',
  chainIds: [1, 8453],
}
const nonce = Uint8Array.from({ length: 16 }, (_, at) => at * 11)
const { message: GOOD } = makeEip4361Challenge(rules, person.address, { now: NOW, seconds: 300, nonce })

const reasonOf = async (text: string, signature = person.signText(text), now = NOW): Promise<string> => {
  try {
    await readEip4361Answer(rules, text, signature, now)
    return 'accepted'
  } catch (error) {
    assert.ok(isSignerError(error) && error.code === 'login/refused', String(error))
    return error.detail.reason
  }
}
const messageOf = (reading: SignInReading): SignInMessage => {
  assert.ok(reading.kind === 'message', JSON.stringify(reading))
  return reading.message
}

interface Vectors {
  readonly positive: Record<string, { message: string; fields: Record<string, unknown> }>
  readonly negative: Record<string, { part: string; message: string }>
  readonly invalidUris: readonly string[]
  readonly signed: readonly (SignInMessage & { signature: string; verifies: boolean; why: string })[]
}
const vectors = JSON.parse(
  readFileSync(new URL('../../vectors/eip-4361/siwe.json', import.meta.url), 'utf8'),
) as Vectors

test('T14 the vectors of the reference library: 8 messages read, 32 refused for their part, 16 URIs, 6 signatures', async () => {
  const counts = [vectors.positive, vectors.negative, vectors.invalidUris, vectors.signed].map(
    all => Object.keys(all).length,
  )
  assert.deepEqual(counts, [8, 32, 16, 6])
  for (const [name, { message, fields }] of Object.entries(vectors.positive)) {
    const read = messageOf(readSignInMessage(message))
    assert.deepEqual(read, { ...fields }, name)
    assert.equal(writeSignInMessage(read), message, name)
  }
  for (const [name, { message, part }] of Object.entries(vectors.negative))
    assert.deepEqual(readSignInMessage(message), { kind: 'malformed', part }, name)
  for (const uri of vectors.invalidUris) {
    assert.equal(isUri(uri), false, uri)
    assert.deepEqual(readSignInMessage(GOOD.replace(rules.uri, uri)), { kind: 'malformed', part: 'uri' }, uri)
  }
  for (const { signature, verifies, why, ...message } of vectors.signed)
    assert.equal(await provesAddress(message.address, writeSignInMessage(message), signature), verifies, why)
})

test('RFC 3986: authorities and URIs to accept and to refuse', () => {
  const authorities = ['a', 'a.b-c_d~e', 'a:1', 'a:', '1.2.3.4', '[::]', '[::1]:443', '[1:2:3:4:5:6:7:8]', '[v1.a:b]']
  const more = [
    'u:p@a',
    '%41',
    "!$&'()*+,;=",
    '[1:2:3:4:5:6:1.2.3.4]',
    '[1::8]',
    '[::ffff:1.2.3.4]',
    '[1:2:3:4:5:6:7::]',
  ]
  for (const text of [...authorities, ...more]) assert.equal(isAuthority(text), true, text)
  const bad = [
    '',
    ':1',
    '@',
    'a b',
    'a/b',
    'a?b',
    'a#b',
    'a@b@c',
    'a:1x',
    '%4',
    '%zz',
    '[',
    '[::1',
    '[::1]x',
    '[]',
    'é',
  ]
  const worse = [
    '[1:2:3:4:5:6:7]',
    '[::1::]',
    '[12345::]',
    '[::1.2.3]',
    '[::1.2.3.04]',
    '[v.a]',
    '[vg.a]',
    '[v1.]',
    'a\n',
  ]
  for (const text of [...bad, ...worse, 'a[b', 'a"', '[:::1]', '[1.2.3.4::]'])
    assert.equal(isAuthority(text), false, text)
  const uris = [
    'a:',
    'a:b',
    'mailto:x@y.z',
    'file:///p',
    'urn:a:b',
    'https://a',
    'https://a/',
    'https://a?q=/?',
    'a+b-c.1:x#f/?',
  ]
  for (const text of [...uris, 'https://u@[::1]:1/p;q=%20?x#y']) assert.equal(isUri(text), true, text)
  const not = [
    '',
    ':',
    '1a:b',
    'a',
    '//a',
    'a:b c',
    'a:#b#c',
    'a:%g0',
    'https://a b',
    'https://a\\b',
    'a:[',
    'a_b:c',
    'a:<',
  ]
  for (const text of [...not, 'https://[::1', 'https://a:x', 'a:?"', 'a:#^']) assert.equal(isUri(text), false, text)
})

test('times of RFC 3339: the right instant, and none that does not exist', () => {
  const good: readonly [string, string][] = [
    ['2021-09-30T16:25:24Z', '2021-09-30T16:25:24.000Z'],
    ['2021-09-30T16:25:24.1Z', '2021-09-30T16:25:24.100Z'],
    ['2021-09-30T16:25:24.123456789Z', '2021-09-30T16:25:24.123Z'],
    ['2021-09-30T16:25:24+02:00', '2021-09-30T14:25:24.000Z'],
    ['2021-09-30T16:25:24.5-05:30', '2021-09-30T21:55:24.500Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
  ]
  for (const [text, instant] of good) assert.equal(new Date(timeOf(text) ?? Number.NaN).toISOString(), instant, text)
  const bad = [
    '',
    '2021-09-30',
    '2021-09-30T16:25Z',
    '2021-09-30t16:25:24Z',
    '2021-09-30T16:25:24z',
    '2021-09-30 16:25:24Z',
  ]
  const none = [
    '2023-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2021-13-01T00:00:00Z',
    '2021-00-01T00:00:00Z',
    '2021-04-31T00:00:00Z',
  ]
  const odd = [
    '2021-01-00T00:00:00Z',
    '2021-01-01T24:00:00Z',
    '2021-01-01T00:60:00Z',
    '2021-01-01T00:00:60Z',
    '2021-01-01T00:00:00',
  ]
  const tail = [
    '2021-01-01T00:00:00.Z',
    '2021-01-01T00:00:00+24:00',
    '2021-01-01T00:00:00+00:60',
    '2021-01-01T00:00:00.1234567890Z',
  ]
  for (const text of [
    ...bad,
    ...none,
    ...odd,
    ...tail,
    '+002021-01-01T00:00:00Z',
    '2021-01-01T00:00:00Z ',
    '9'.repeat(50),
  ])
    assert.equal(timeOf(text), undefined, text)
})

test('viem reads and writes our challenge as we do', () => {
  const theirs = parseSiweMessage(GOOD)
  assert.equal(theirs.address, person.address)
  assert.equal(theirs.nonce, '000b16212c37424d58636e79848f9aa5')
  assert.equal(theirs.expirationTime?.getTime(), NOW + 300_000)
  const { domain, uri, statement } = rules
  const written = createSiweMessage({
    ...{ domain, uri, statement, version: '1', chainId: 1, nonce: theirs.nonce ?? '' },
    ...{ address: person.address as `0x${string}`, issuedAt: new Date(NOW), expirationTime: new Date(NOW + 300_000) },
  })
  assert.equal(written, GOOD)
})

const read = messageOf(readSignInMessage(GOOD))
const edit = (change: Partial<Record<keyof SignInMessage, unknown>>): string => {
  const merged = Object.entries({ ...read, ...change }).filter(([, value]) => value !== undefined)
  return writeSignInMessage(Object.fromEntries(merged) as unknown as SignInMessage)
}
const grammar = (part: string) => `${EIP4361_REASONS.grammar}: ${part}`
const at = (ms: number) => new Date(ms).toISOString()
const other = evmPerson(6)

/** Name, text, reason, and who signs if it is not the address of the text. */
const FAULTS: readonly (readonly [string, string, string, string?])[] = [
  ['another domain', edit({ domain: 'evil.example' }), EIP4361_REASONS.domain],
  ['a subdomain', edit({ domain: 'x.signer.example' }), EIP4361_REASONS.domain],
  ['the domain with a port', edit({ domain: 'signer.example:443' }), EIP4361_REASONS.domain],
  ['the domain with a user', edit({ domain: 'signer.example@evil.example' }), EIP4361_REASONS.domain],
  ['the domain in capitals', edit({ domain: 'Signer.example' }), EIP4361_REASONS.domain],
  ['a dot behind the domain', edit({ domain: 'signer.example.' }), EIP4361_REASONS.domain],
  ['a scheme', edit({ scheme: 'https' }), EIP4361_REASONS.scheme],
  ['a scheme of another kind', edit({ scheme: 'http' }), EIP4361_REASONS.scheme],
  ['another URI', edit({ uri: 'https://evil.example/login' }), EIP4361_REASONS.uri],
  ['the URI with a slash', edit({ uri: `${rules.uri}/` }), EIP4361_REASONS.uri],
  ['the URI without TLS', edit({ uri: 'http://signer.example/login' }), EIP4361_REASONS.uri],
  ['another statement', edit({ statement: 'I give everything away.' }), EIP4361_REASONS.statement],
  ['no statement', edit({ statement: undefined }), EIP4361_REASONS.statement],
  ['the statement and a space', edit({ statement: `${rules.statement} ` }), EIP4361_REASONS.statement],
  ['a chain that is not listed', edit({ chainId: '2' }), EIP4361_REASONS.chainId],
  ['chain 0', edit({ chainId: '0' }), EIP4361_REASONS.chainId],
  ['a chain with a zero in front', edit({ chainId: '01' }), EIP4361_REASONS.chainId],
  ['a chain beyond 2^256', edit({ chainId: '1'.repeat(80) }), EIP4361_REASONS.chainId],
  ['version 2', edit({ version: '2' }), grammar('version')],
  ['a nonce of 7', edit({ nonce: 'abcdefg' }), grammar('nonce')],
  ['a nonce with a dash', edit({ nonce: '00000000-0000' }), grammar('nonce')],
  ['an empty nonce', edit({ nonce: '' }), grammar('nonce')],
  ['issued in the future', edit({ issuedAt: at(NOW + 30_001) }), EIP4361_REASONS.issuedAt],
  ['no time of issue', edit({ issuedAt: '' }), grammar('issuedAt')],
  ['issued on February 30', edit({ issuedAt: '2023-02-30T00:00:00Z' }), grammar('issuedAt')],
  ['no expiry', edit({ expirationTime: undefined }), EIP4361_REASONS.endless],
  ['expires now', edit({ expirationTime: at(NOW) }), EIP4361_REASONS.expired],
  [
    'expired an hour ago',
    edit({ issuedAt: at(NOW - 7_200_000), expirationTime: at(NOW - 3_600_000) }),
    EIP4361_REASONS.expired,
  ],
  ['expires before it is issued', edit({ expirationTime: at(NOW - 1) }), EIP4361_REASONS.expired],
  ['a life of 900.001 s', edit({ expirationTime: at(NOW + 900_001) }), EIP4361_REASONS.life],
  ['issued long ago, expires soon', edit({ issuedAt: '2020-01-01T00:00:00Z' }), EIP4361_REASONS.life],
  ['not valid yet', edit({ notBefore: at(NOW + 1) }), EIP4361_REASONS.notBefore],
  ['a request id', edit({ requestId: 'x' }), EIP4361_REASONS.requestId],
  ['an empty request id', edit({ requestId: '' }), EIP4361_REASONS.requestId],
  ['a resource', edit({ resources: ['https://signer.example/keys'] }), EIP4361_REASONS.resources],
  ['a resource that is no URI', edit({ resources: ['keys'] }), grammar('resources')],
  ['the address without checksum', edit({ address: person.address.toLowerCase() }), grammar('address')],
  ['the address of somebody else', edit({ address: other.address }), EIP4361_REASONS.signature],
  ['signed by somebody else', GOOD, EIP4361_REASONS.signature, other.signText(GOOD)],
  ['another text signed', GOOD, EIP4361_REASONS.signature, person.signText(`${GOOD} `)],
  ['no signature', GOOD, EIP4361_REASONS.signature, ''],
  ['the signature of a contract', GOOD, EIP4361_REASONS.signature, `0x${'00'.repeat(96)}`],
  ['v 0 or 1', GOOD, EIP4361_REASONS.signature, person.signText(GOOD).replace(/1[bc]$/, '00')],
  ['a line behind', `${GOOD}\n`, grammar('layout')],
  ['a line in front', `\n${GOOD}`, grammar('layout')],
  ['line ends of Windows', GOOD.replaceAll('\n', '\r\n'), grammar('layout')],
  ['a space behind the title', GOOD.replace('account:', 'account: '), grammar('layout')],
  ['the title in capitals', GOOD.replace('wants you', 'Wants You'), grammar('layout')],
  ['a label in small letters', GOOD.replace('URI: ', 'uri: '), grammar('uri')],
  ['no space behind a label', GOOD.replace('Nonce: ', 'Nonce:'), grammar('nonce')],
  ['two spaces behind a label', GOOD.replace('Chain ID: ', 'Chain ID:  '), grammar('chainId')],
  ['a line twice', GOOD.replace('Version: 1', 'Version: 1\nVersion: 1'), grammar('chainId')],
  ['an unknown line', `${GOOD}\nRole: admin`, grammar('layout')],
  ['an empty statement', edit({ statement: '' }), grammar('uri')],
  ['a statement beyond ASCII', edit({ statement: 'Ünïcode' }), grammar('statement')],
  ['a tab in the statement', edit({ statement: 'a\tb' }), grammar('statement')],
  ['a zero byte', GOOD.replace('Log in', 'Log\0in'), grammar('statement')],
  ['no text', '', grammar('layout')],
  ['too long', edit({ requestId: 'x'.repeat(4096) }), grammar('layout')],
]

test(`T14 ERC-4361: ${FAULTS.length} abuses, one fault each, refused for that fault`, async () => {
  assert.equal(await reasonOf(GOOD), 'accepted')
  assert.equal(await reasonOf(edit({ chainId: '8453' })), 'accepted')
  assert.equal(await reasonOf(edit({ notBefore: at(NOW) })), 'accepted')
  assert.equal(await reasonOf(edit({ resources: [] })), 'accepted')
  assert.equal(await reasonOf(GOOD, person.signText(GOOD), NOW + 299_999), 'accepted')
  for (const [name, text, reason, signature] of FAULTS) assert.equal(await reasonOf(text, signature), reason, name)
  const shown = new Set(FAULTS.map(([, , reason]) => reason))
  const { grammar: _, ...plain } = EIP4361_REASONS
  assert.deepEqual(
    Object.values(plain).filter(reason => !shown.has(reason)),
    [],
  )
})

test('what is written is read again, and what is read is written again as it was', () => {
  const name = fc.stringMatching(/^[a-z]{1,10}$/)
  const time = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }).map(date => date.toISOString())
  const statement = fc.stringMatching(/^[A-Za-z0-9 .,:;!?@#$&'()*+/=_~[\]-]{1,60}$/)
  const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
  const message = fc.record({
    ...{ scheme: maybe(fc.constantFrom('https', 'http', 'a+b-c.1')), domain: name.map(text => `${text}.example:8080`) },
    ...{ address: fc.integer({ min: 1, max: 254 }).map(fill => evmPerson(fill).address), statement: maybe(statement) },
    ...{ uri: name.map(text => `https://${text}.example/${text}?a=%20#b`), version: fc.constant('1' as const) },
    ...{ chainId: fc.bigInt({ min: 0n, max: 2n ** 64n }).map(String), nonce: fc.stringMatching(/^[A-Za-z0-9]{8,40}$/) },
    ...{
      issuedAt: time,
      expirationTime: maybe(time),
      notBefore: maybe(time),
      requestId: maybe(fc.constantFrom('', 'a:b@c', '%20', '~')),
    },
    resources: maybe(
      fc.array(
        name.map(text => `ipfs://${text}/`),
        { maxLength: 4 },
      ),
    ),
  })
  fc.assert(
    fc.property(message, made => {
      const some = Object.fromEntries(
        Object.entries(made).filter(([, value]) => value !== undefined),
      ) as unknown as SignInMessage
      const text = writeSignInMessage(some)
      const reading = readSignInMessage(text)
      assert.deepEqual(messageOf(reading), some)
      assert.equal(writeSignInMessage(messageOf(reading)), text)
    }),
    { seed: 4361, numRuns: 500 },
  )
})

/** The whole under Bun; where branches are counted it would take half a minute. */
const MUTANTS = long ? 1_000_000 : process.versions['bun'] === undefined ? 20_000 : 100_000
const LIMIT_MS = long ? 600_000 : 60_000
const SIGNED_ANEW = MUTANTS / 5

/** One to three edits, from a generator with a seed: characters, lines, and pieces of one message put into another. */
function mutator(seed: number): (text: string) => string {
  let state = seed
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
  const characters = 'abcXYZ019 :/@?#[]%-\n\r\t\0\u00e9\u200b\ud800"<>|'
  const strange = edit({ domain: 'evil.example', resources: ['a:b'], requestId: 'r', notBefore: at(NOW) })
  const edits: ((text: string) => string)[] = [
    text => splice(text, below(text.length), 1, ''),
    text => splice(text, below(text.length), 0, characters.charAt(below(characters.length))),
    text => splice(text, below(text.length), 1, characters.charAt(below(characters.length))),
    text => splice(text, below(text.length), 1, String.fromCharCode(below(128))),
    text => splice(text, below(text.length), below(20), ''),
    text => lines(text, all => all.splice(below(all.length), 1)),
    text => lines(text, all => all.splice(below(all.length), 0, all[below(all.length)] ?? '')),
    text => lines(text, all => all.push(...all.splice(below(all.length), 1))),
    text => lines(text, all => all.splice(below(all.length), 1, strange.split('\n')[below(12)] ?? '')),
    text => text.slice(0, below(text.length)),
    text => splice(text, below(text.length), 1, text.charAt(below(text.length))),
  ]
  return text => {
    let mutant = text
    for (let left = 1 + below(3); left > 0; left--) mutant = (edits[below(edits.length)] ?? String)(mutant)
    return mutant
  }
}
const splice = (text: string, from: number, length: number, insert: string) =>
  text.slice(0, from) + insert + text.slice(from + length)
function lines(text: string, change: (all: string[]) => unknown): string {
  const all = text.split('\n')
  change(all)
  return all.join('\n')
}

test(`T14 ${MUTANTS} mutants of a message, under the signature of the original: 0 accepted, reading stays exact`, {
  timeout: LIMIT_MS,
}, async () => {
  const mutate = mutator(20_261_122)
  const signature = person.signText(GOOD)
  const tally = { same: 0, refused: 0, read: 0, accepted: 0 }
  for (let n = 0; n < MUTANTS; n++) {
    const mutant = mutate(GOOD)
    if (mutant === GOOD) {
      tally.same++
      continue
    }
    const reading = readSignInMessage(mutant)
    if (reading.kind === 'message') {
      tally.read++
      assert.equal(writeSignInMessage(reading.message), mutant)
    }
    if ((await reasonOf(mutant, signature)) === 'accepted') tally.accepted++
    else tally.refused++
  }
  assert.equal(tally.accepted, 0, JSON.stringify(tally))
  assert.ok(tally.read > MUTANTS / 100 && tally.refused > MUTANTS * 0.9, JSON.stringify(tally))
})

test(`T14 ${SIGNED_ANEW} mutants of a message, each signed anew by the address: accepted only with every pinned term as it is`, {
  timeout: LIMIT_MS,
}, async () => {
  const mutate = mutator(20_261_123)
  let accepted = 0
  for (let n = 0; n < SIGNED_ANEW; n++) {
    const mutant = mutate(GOOD)
    const reading = readSignInMessage(mutant)
    if (reading.kind === 'malformed') {
      assert.equal(await reasonOf(mutant, '0x'), grammar(reading.part))
      continue
    }
    // Whoever signs may choose the nonce and the times; that the text was issued is the store's to say.
    if ((await reasonOf(mutant, '0x')) !== EIP4361_REASONS.signature) continue
    if ((await reasonOf(mutant)) !== 'accepted') continue
    accepted++
    const { domain, address, statement, uri, chainId } = reading.message
    assert.deepEqual([domain, address, statement, uri], [rules.domain, person.address, rules.statement, rules.uri])
    assert.ok(['1', '8453'].includes(chainId))
  }
  assert.ok(accepted > 0)
})
