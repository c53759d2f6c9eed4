/**
 * Wrong tokens made from a right one: header, claims, signature, spelling, scheme. Every mutant differs from the
 * original header, and none is signed by the issuer, so a verifier that accepts one is broken.
 *
 * Two differences are none and are not made: the second form (r, n − s) of an ES256 signature, and white space that the
 * HTTP layer strips before anyone sees the header.
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js'
import { fromBase64Url, toBase64, toBase64Url } from '../../src/bytes/base64.ts'
import { createDice, type Dice } from './token-random.ts'

export interface TokenMutant {
  /** What was done, to name a survivor. */
  readonly kind: string
  /** A list stands for a header that came several times. */
  readonly authorization: string | readonly string[]
}

export interface MutatorOptions {
  readonly seed: number
  /** A token the verifier under test accepts. */
  readonly token: string
  /** The issuer's public key, which attackers know too. */
  readonly jwk: { readonly x: string }
}

type Json = Record<string, unknown>
interface Parts {
  readonly token: string
  readonly header: Json
  readonly claims: Json
  readonly parts: readonly [string, string, string]
  readonly x: string
}

const ATTACKER = new Uint8Array(32).fill(0x66)
const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const part = (value: unknown): string => toBase64Url(encode(typeof value === 'string' ? value : JSON.stringify(value)))
const decodeJson = (text: string): Json => JSON.parse(new TextDecoder().decode(fromBase64Url(text) ?? new Uint8Array()))

/** What HTTP strips from a field value (RFC 9110 §5.5). */
const EDGES = /^[ \t]+|[ \t]+$/g

/** Whether a client can put the mutant into an HTTP request at all; line ends, NUL and wide characters never get there. */
export const isSendable = ({ authorization }: TokenMutant): boolean =>
  [authorization].flat().every(text => /^[\t\x20-\x7e\x80-\xff]*$/.test(text))

/** @returns a function that gives the next mutant; it never ends. */
export function createTokenMutator({ seed, token, jwk }: MutatorOptions): () => TokenMutant {
  const dice = createDice(seed)
  const parts = token.split('.') as [string, string, string]
  const original: Parts = { token, header: decodeJson(parts[0]), claims: decodeJson(parts[1]), parts, x: jwk.x }
  return () => {
    for (;;) {
      const [kind, mutate] = dice.pick(MUTATIONS)
      const made = mutate(original, dice)
      const authorization = typeof made === 'string' ? `Bearer ${made}` : made.authorization
      const texts = typeof authorization === 'string' ? [authorization] : authorization
      if (texts.length !== 1 || texts[0]?.replace(EDGES, '') !== `Bearer ${token}`) return { kind, authorization }
    }
  }
}

type Mutation = (original: Parts, dice: Dice) => string | { authorization: string | readonly string[] }

const ALGORITHMS = [
  ...['none', 'None', 'NONE', 'nOnE', '', 'HS256', 'HS384', 'HS512', 'RS256', 'PS256', 'ES256', 'ES384', 'ES256K'],
  ...[
    'EdDSA',
    'Ed25519',
    'Ed448',
    'eddsa',
    'EDDSA',
    ' EdDSA',
    'EdDSA ',
    'dir',
    'A128KW',
    null,
    0,
    true,
    ['EdDSA'],
    { a: 1 },
  ],
]
const KIDS = [
  ...[
    '',
    '.',
    '..',
    '../../../../dev/null',
    '/etc/passwd',
    "' OR '1'='1",
    '"; DROP TABLE keys;--',
    '__proto__',
    'constructor',
  ],
  ...[
    'toString',
    'https://evil.example/jwks',
    'file:///dev/null',
    '\u0000',
    'a'.repeat(65),
    'a'.repeat(3000),
    '%2e%2e',
    '${jndi:x}',
  ],
  ...['0', null, 0, [], {}, true, 'dev_ffff'],
]
const TYPES = [
  'JWT',
  'jwt',
  'AT+JWT',
  'at+JWT',
  'application/at+jwt',
  'at+jwt ',
  'id+jwt',
  'dpop+jwt',
  '',
  null,
  1,
  ['at+jwt'],
]
const EXTRAS: readonly (readonly [string, unknown])[] = [
  ['jwk', { kty: 'OKP', crv: 'Ed25519', x: toBase64Url(ed25519.getPublicKey(ATTACKER)) }],
  ['jku', 'https://evil.example/jwks.json'],
  ['x5u', 'https://evil.example/cert.pem'],
  ['x5c', ['MIIB']],
  ['crit', ['b64']],
  ['b64', false],
  ['zip', 'DEF'],
  ['cty', 'JWT'],
  ['enc', 'A256GCM'],
  ['epk', {}],
  ['constructor', {}],
]
const CLAIMS: readonly (readonly [string, readonly unknown[]])[] = [
  ['iss', ['https://evil.example', '', null, 1, ['countersign-dev']]],
  ['aud', ['other', '', null, [], ['other'], 1, {}]],
  ['sub', ['operator', 'admin', '', null, 0, {}, 'x'.repeat(300)]],
  ['exp', [0, -1, 1e99, 9_999_999_999, '9999999999', null, 1.5, []]],
  ['iat', [0, 9_999_999_999, null, '0', -1]],
  ['nbf', [9_999_999_999, '0', null, {}]],
  ['jti', ['', 'other', null, 1, []]],
  ['scope', ['sign:*', 'sign:* read:*', '*', 'admin', null, ['sign:*'], { sign: '*' }]],
]

/** Signs like somebody who knows everything but the private key. */
function forge(header: unknown, claims: unknown, { parts, x }: Parts, dice: Dice): string {
  const signed = `${part(header)}.${part(claims)}`
  const raw = fromBase64Url(x) ?? new Uint8Array()
  const spki = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00, ...raw)
  const pem = `-----BEGIN PUBLIC KEY-----\n${toBase64(spki)}\n-----END PUBLIC KEY-----\n`
  const secrets = [raw, spki, encode(x), encode(pem), encode(pem.trim()), new Uint8Array(), encode('secret')]
  const mac = () => toBase64Url(hmac(dice.pick([sha256, sha384, sha512]), dice.pick(secrets), encode(signed)))
  const signatures = [
    () => parts[2],
    () => '',
    () => toBase64Url(new Uint8Array(64)),
    () => toBase64Url(dice.bytes(64)),
    mac,
    mac,
    () => toBase64Url(ed25519.sign(encode(signed), ATTACKER)),
  ]
  return `${signed}.${dice.pick(signatures)()}`
}

const without = (object: Json, name: string): Json =>
  Object.fromEntries(Object.entries(object).filter(([member]) => member !== name))

/** The member twice: which one counts depends on the parser. */
const twice = (object: Json, name: string, value: unknown, dice: Dice): string => {
  const extra = `${JSON.stringify(name)}:${JSON.stringify(value)}`
  const inner = JSON.stringify(object).slice(1, -1)
  return dice.roll(2) === 0 ? `{${extra},${inner}}` : `{${inner},${extra}}`
}

const WRONG_JSON = [
  '',
  '{',
  'null',
  '[]',
  '1',
  '"x"',
  '{}',
  '{"alg":"none"}',
  '{"__proto__":{}}',
  '\ufeff{}',
  '[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]',
]

const headerMutations: readonly (readonly [string, Mutation])[] = [
  [
    'header alg',
    (o, d) => forge({ ...o.header, alg: d.pick(ALGORITHMS.filter(alg => alg !== o.header['alg'])) }, o.claims, o, d),
  ],
  ['header kid', (o, d) => forge({ ...o.header, kid: d.pick(KIDS) }, o.claims, o, d)],
  ['header typ', (o, d) => forge({ ...o.header, typ: d.pick(TYPES) }, o.claims, o, d)],
  ['header extra', (o, d) => forge(Object.fromEntries([...Object.entries(o.header), d.pick(EXTRAS)]), o.claims, o, d)],
  ['header missing', (o, d) => forge(without(o.header, d.pick(Object.keys(o.header))), o.claims, o, d)],
  [
    'header twice',
    (o, d) => forge(twice(o.header, d.pick(Object.keys(o.header)), d.pick(ALGORITHMS), d), o.claims, o, d),
  ],
  ['header not an object', (o, d) => forge(d.pick(WRONG_JSON), o.claims, o, d)],
  ['header reformatted', (o, d) => forge(JSON.stringify(o.header, null, 1 + d.roll(3)), o.claims, o, d)],
]

const claimMutations: readonly (readonly [string, Mutation])[] = [
  [
    'claim changed',
    (o, d) => {
      const [name, values] = d.pick(CLAIMS)
      const changed = { ...o.claims, [name]: d.pick(values.filter(value => value !== o.claims[name])) }
      return forge(o.header, changed, o, d)
    },
  ],
  ['claim missing', (o, d) => forge(o.header, without(o.claims, d.pick(Object.keys(o.claims))), o, d)],
  ['claim twice', (o, d) => forge(o.header, twice(o.claims, d.pick(CLAIMS)[0], 'sign:*', d), o, d)],
  ['claims not an object', (o, d) => forge(o.header, d.pick(WRONG_JSON), o, d)],
  ['claims reformatted', (o, d) => forge(o.header, JSON.stringify(o.claims, null, 1 + d.roll(3)), o, d)],
]

/** L, the order of the base point of Ed25519, little-endian (RFC 8032 §5.1). */
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n

function addOrder(signature: Uint8Array): Uint8Array {
  let s = 0n
  for (let at = 63; at >= 32; at--) s = (s << 8n) | BigInt(signature[at] ?? 0)
  s += ORDER
  return signature.map((byte, at) => (at < 32 ? byte : Number((s >> BigInt(8 * (at - 32))) & 0xffn)))
}

const onSignature =
  (change: (signature: Uint8Array, dice: Dice) => Uint8Array): Mutation =>
  ({ parts: [header, claims, signature] }, dice) =>
    `${header}.${claims}.${toBase64Url(change(fromBase64Url(signature) ?? new Uint8Array(), dice))}`

const flipBit = (bytes: Uint8Array, dice: Dice): Uint8Array => {
  const at = dice.roll(bytes.length)
  return bytes.map((byte, index) => (index === at ? byte ^ (1 << dice.roll(8)) : byte))
}

const signatureMutations: readonly (readonly [string, Mutation])[] = [
  ['signature bit', onSignature(flipBit)],
  ['signature cut', onSignature((signature, d) => signature.slice(0, d.roll(signature.length)))],
  ['signature longer', onSignature((signature, d) => Uint8Array.of(...signature, ...d.bytes(1 + d.roll(64))))],
  ['signature s + L', onSignature(addOrder)],
  [
    'signature halves swapped',
    onSignature(signature => Uint8Array.of(...signature.slice(32), ...signature.slice(0, 32))),
  ],
  ['signature zero', onSignature(signature => new Uint8Array(signature.length))],
  ['signature small order', onSignature((_, d) => Uint8Array.of(d.roll(2), ...new Uint8Array(63)))],
  ['signature as DER', onSignature(s => Uint8Array.of(0x30, 0x44, 2, 32, ...s.slice(0, 32), 2, 32, ...s.slice(32)))],
]

const INSERTED = [
  '=',
  '==',
  ' ',
  '\t',
  '\n',
  '\r\n',
  '\u0000',
  '.',
  '+',
  '/',
  '%2E',
  'é',
  '\u200b',
  '\u{1f511}',
  '"',
  ',',
  ';',
  '~',
]

const insertAt = (text: string, at: number, what: string): string => text.slice(0, at) + what + text.slice(at)

/** Sets bits that the last character of a part carries for nothing. */
const respellLast = (text: string): string => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const value = alphabet.indexOf(text.slice(-1))
  return text.length % 4 === 0 ? `${text}=` : text.slice(0, -1) + alphabet.charAt(value ^ 1)
}

const spellingMutations: readonly (readonly [string, Mutation])[] = [
  ['character inserted', (o, d) => insertAt(o.token, d.roll(o.token.length + 1), d.pick(INSERTED))],
  [
    'character dropped',
    (o, d) => {
      const at = d.roll(o.token.length)
      return o.token.slice(0, at) + o.token.slice(at + 1)
    },
  ],
  [
    'character changed',
    (o, d) => {
      const at = d.roll(o.token.length)
      return o.token.slice(0, at) + String.fromCharCode(d.roll(128)) + o.token.slice(at + 1)
    },
  ],
  [
    'last bits of a part',
    (o, d) => {
      const at = d.roll(3)
      return o.parts.map((text, index) => (index === at ? respellLast(text) : text)).join('.')
    },
  ],
  [
    'padding',
    (o, d) => {
      const at = d.roll(3)
      return o.parts.map((text, index) => (index === at ? text + '='.repeat(1 + d.roll(3)) : text)).join('.')
    },
  ],
  ['other alphabet', o => o.token.replaceAll('-', '+').replaceAll('_', '/')],
  ['part dropped', (o, d) => o.parts.filter((_, index) => index !== d.roll(3)).join('.')],
  ['part twice', (o, d) => insertAt(o.token, 0, `${d.pick(o.parts)}.`)],
  [
    'parts in another order',
    (o, d) =>
      d
        .pick([
          [1, 0, 2],
          [2, 1, 0],
          [0, 2, 1],
        ])
        .map(index => o.parts[index])
        .join('.'),
  ],
  ['case', o => o.token.toUpperCase()],
  ['percent', o => encodeURIComponent(o.token.replaceAll('.', '%'))],
  ['cut', (o, d) => o.token.slice(0, d.roll(o.token.length))],
  ['very long', (o, d) => o.token + 'A'.repeat(4096 + d.roll(4096))],
  [
    'noise',
    (_, d) =>
      d.pick(['', '.', '..', '...', 'a.b', 'a.b.c', 'a.b.c.d', 'null', 'undefined', '{}', toBase64Url(d.bytes(48))]),
  ],
  [
    'five parts, as JWE',
    (o, d) => `${o.parts[0]}.${toBase64Url(d.bytes(32))}.${toBase64Url(d.bytes(12))}.${o.parts[1]}.${o.parts[2]}`,
  ],
]

const SCHEMES = [
  'bearer',
  'BEARER',
  'BeArEr',
  'Bearer:',
  'DPoP',
  'Basic',
  'Token',
  'JWT',
  'HOBA',
  'Negotiate',
  '"Bearer"',
  '',
]

const schemeMutations: readonly (readonly [string, Mutation])[] = [
  ['scheme', (o, d) => ({ authorization: `${d.pick(SCHEMES)} ${o.token}` })],
  ['gap', (o, d) => ({ authorization: `Bearer${d.pick(['', '  ', '\t', '\u00a0', '=', ': ', '\n'])}${o.token}` })],
  ['no scheme', o => ({ authorization: o.token })],
  ['two in one', (o, d) => ({ authorization: `Bearer ${o.token}${d.pick([', ', ',', ' ', ';'])}Bearer ${o.token}` })],
  ['twice', o => ({ authorization: [`Bearer ${o.token}`, `Bearer ${o.token}`] })],
  [
    'after another',
    (o, d) => ({
      authorization: d.pick([
        [`Basic eDp5`, `Bearer ${o.token}`],
        ['', `Bearer ${o.token}`],
      ]),
    }),
  ],
  [
    'parameters',
    (o, d) => ({ authorization: `Bearer ${d.pick(['token=', 'access_token=', 'realm="x", '])}${o.token}` }),
  ],
]

const MUTATIONS: readonly (readonly [string, Mutation])[] = [
  ...headerMutations,
  ...claimMutations,
  ...signatureMutations,
  ...spellingMutations,
  ...schemeMutations,
]

/** Names of all mutations, so that a campaign can show that each had its turn. */
export const MUTATION_KINDS: readonly string[] = MUTATIONS.map(([kind]) => kind)
