import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { canonicalAddress, keyMappingOf } from '../../../src/config/key-mapping.ts'
import { ACCOUNT, ACCOUNT_2, EVM_ACCOUNT, load, problemsOf, STELLAR_SEED } from './samples.ts'

const PLAIN = 'environment = "development"\n'
const TWO = `${PLAIN}[providers.aws]\nkind = "aws-kms"\nregion = "eu-west-1"\n[providers.vault]\nkind = "vault-transit"\naddress = "https://vault.example"\nauth = "token"\ntoken = "env:T"\n`
const ENV = { T: 'token' }
const mapped = async (given: Parameters<typeof load>[0]) => ({ ...(await load(given)).keys.mapping })
const refused = async (given: Parameters<typeof load>[0]) =>
  (await problemsOf(given ?? {})).map(({ path, problem }) => [path, problem])

test('key mapping M-50: table, file, HSM_KEY_MAPPING and HSM_KEY_<address> are put together', async () => {
  const third = 'GAIQLDXLRUN7KX5AF7IVVNG447KWPJGCVNB37SB45AYSS7VVVVA6MGXI'
  const given = {
    toml: `${PLAIN}[keys]\nmappingFile = "/m.json"\n[keys.mapping]\n${ACCOUNT} = "of the table"\n`,
    more: { '/m.json': JSON.stringify({ [EVM_ACCOUNT.toLowerCase()]: 'of the file' }) },
    env: {
      HSM_KEY_MAPPING: JSON.stringify({ [ACCOUNT_2]: 'of the JSON' }),
      [`HSM_KEY_${third}`]: 'of its own variable',
    },
  }
  assert.deepEqual(await mapped(given), {
    [ACCOUNT]: 'of the table',
    [EVM_ACCOUNT]: 'of the file',
    [ACCOUNT_2]: 'of the JSON',
    [third]: 'of its own variable',
  })
  const toml = `${PLAIN}[keys]\nmappingFile = "/m.toml"\n`
  assert.deepEqual(await mapped({ toml, more: { '/m.toml': `${ACCOUNT} = "arn:1"\n` } }), { [ACCOUNT]: 'arn:1' })
  assert.deepEqual(await mapped({ toml: PLAIN, env: { HSM_KEY_MAPPING: '', [`HSM_KEY_${ACCOUNT}`]: '' } }), {})
})

test('key mapping M-50: two places that agree are one; two that differ are refused, whichever they are', async () => {
  const [path, json] = ['/m.json', (reference: string) => JSON.stringify({ [ACCOUNT]: reference })]
  const places: readonly ((reference: string) => Parameters<typeof load>[0])[] = [
    reference => ({ toml: `${PLAIN}[keys.mapping]\n${ACCOUNT} = "${reference}"\n` }),
    reference => ({ env: { COUNTERSIGN_KEYS_MAPPING_FILE: path }, more: { [path]: json(reference) } }),
    reference => ({ env: { HSM_KEY_MAPPING: json(reference) } }),
    reference => ({ env: { [`HSM_KEY_${ACCOUNT}`]: reference } }),
  ]
  for (const [index, one] of places.entries()) {
    for (const other of places.slice(index + 1)) {
      const both = (a: string, b: string) => {
        const [first = {}, second = {}] = [one(a), other(b)]
        const [toml, env, more] = [
          first.toml ?? second.toml ?? PLAIN,
          { ...first.env, ...second.env },
          { ...first.more, ...second.more },
        ]
        return { toml, env, more }
      }
      assert.deepEqual(await mapped(both('same', 'same')), { [ACCOUNT]: 'same' })
      const [[where, what] = [], ...rest] = await refused(both('one', 'other'))
      assert.deepEqual(rest, [])
      assert.match(where ?? '', new RegExp(ACCOUNT))
      assert.match(what ?? '', /^is another key than .* says$/)
    }
  }
})

test('key mapping M-50: an address twice in one place is refused, also in two spellings', async () => {
  const twice = async (env: Record<string, string>) => (await refused({ toml: PLAIN, env }))[0]
  assert.equal((await twice({ HSM_KEY_MAPPING: `{"${ACCOUNT}":"a","${ACCOUNT}":"a"}` }))?.[0], 'HSM_KEY_MAPPING')
  assert.equal((await twice({ COUNTERSIGN_KEYS_MAPPING: `{"${ACCOUNT}":"a","${ACCOUNT}":"b"}` }))?.[0], 'keys.mapping')
  const spelled = { HSM_KEY_MAPPING: JSON.stringify({ [EVM_ACCOUNT]: 'a', [EVM_ACCOUNT.toLowerCase()]: 'a' }) }
  assert.deepEqual(await twice(spelled), [
    `HSM_KEY_MAPPING.${EVM_ACCOUNT.toLowerCase()}`,
    'names an address a second time',
  ])
  const variables = { [`HSM_KEY_${EVM_ACCOUNT}`]: 'a', [`HSM_KEY_${EVM_ACCOUNT.toLowerCase()}`]: 'b' }
  assert.match((await twice(variables))?.[1] ?? '', /a second time/)
})

test('key mapping M-50: an address has one spelling, with its checksum', async () => {
  assert.equal(canonicalAddress(ACCOUNT), ACCOUNT)
  assert.equal(canonicalAddress(EVM_ACCOUNT), EVM_ACCOUNT)
  assert.equal(canonicalAddress(EVM_ACCOUNT.toLowerCase()), EVM_ACCOUNT)
  const bad = [
    ...[
      '',
      'GABC',
      'ID',
      STELLAR_SEED,
      ACCOUNT.toLowerCase(),
      `${ACCOUNT} `,
      `${ACCOUNT.slice(0, -1)}7`,
      ACCOUNT.slice(1),
    ],
    'MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVAAAAAAAAAAAAAJLK',
    'CA3D5KRYM6CB7OWQ6TWYRR3Z4T7GNZLKERYNZGGA5SOAOPIFY6YQGAXE',
    EVM_ACCOUNT.slice(2),
    EVM_ACCOUNT.replace('0x', '0X'),
    `0x${EVM_ACCOUNT.slice(2).toUpperCase()}`,
    EVM_ACCOUNT.replace('5aA', '5aa'),
    `${EVM_ACCOUNT}0`,
    '__proto__',
  ]
  for (const text of bad) {
    assert.equal(canonicalAddress(text), undefined, text)
    if (text === '' || text === '__proto__') continue
    const found = await problemsOf({ toml: PLAIN, env: { [`HSM_KEY_${text}`]: 'arn:1' } })
    assert.equal(found[0]?.problem, 'is not an address', text)
    assert.ok(!JSON.stringify(found).includes(STELLAR_SEED))
  }
  fc.assert(
    fc.property(
      fc.constantFrom(ACCOUNT, EVM_ACCOUNT),
      fc.nat(55),
      fc.constantFrom(...'ABCDEFGabcdefg234567'.split('')),
      (address, at, letter) => {
        const changed = address.slice(0, at % address.length) + letter + address.slice((at % address.length) + 1)
        if (changed !== address) assert.notEqual(canonicalAddress(changed), address)
      },
    ),
    { numRuns: 2000 },
  )
})

test('key mapping M-50: what is no table of texts is refused by the place that says it', async () => {
  for (const text of ['{', '[]', '1', 'null', '"x"', '{"__proto__":"x"}'])
    assert.equal((await refused({ toml: PLAIN, env: { HSM_KEY_MAPPING: text } }))[0]?.[0], 'HSM_KEY_MAPPING', text)
  const file = (text: string, name = '/m.json') =>
    refused({ toml: PLAIN, env: { COUNTERSIGN_KEYS_MAPPING_FILE: name }, more: { [name]: text } })
  for (const text of ['', '{', '[]', '{"a":{}', `{"${ACCOUNT}":"a",}`, `${ACCOUNT} = "a"`])
    assert.equal((await file(text))[0]?.[0], 'keys.mappingFile', text)
  assert.equal((await file('x =', '/m.toml'))[0]?.[0], 'keys.mappingFile')
  assert.match(
    (await refused({ toml: PLAIN, env: { COUNTERSIGN_KEYS_MAPPING_FILE: '/none' } }))[0]?.[1] ?? '',
    /cannot be read/,
  )
  for (const reference of ['1', 'true', '{}', '""', `"${'x'.repeat(2049)}"`]) {
    const env = { HSM_KEY_MAPPING: `{"${ACCOUNT}":${reference}}` }
    assert.deepEqual(await refused({ toml: PLAIN, env }), [
      [`HSM_KEY_MAPPING.${ACCOUNT}`, 'is not a key of a key service'],
    ])
  }
  assert.equal(
    (await refused({ toml: `${PLAIN}keys = 5`, env: { HSM_KEY_MAPPING: `{"${ACCOUNT}":"a"}` } }))[0]?.[0],
    'keys',
  )
  assert.equal((await refused({ toml: `${PLAIN}[keys]\nmapping = 5` }))[0]?.[0], 'keys.mapping')
})

test('key mapping M-50: a reference has a provider, by name or because there is one', async () => {
  const of = async (toml: string, reference: string, flags = {}) =>
    keyMappingOf(await load({ toml, flags, env: { ...ENV, [`HSM_KEY_${ACCOUNT}`]: reference } })).get(ACCOUNT)
  assert.deepEqual(await of(PLAIN, 'arn:aws:kms:x'), { reference: 'arn:aws:kms:x' })
  const one = TWO.slice(0, TWO.indexOf('[providers.vault]'))
  assert.deepEqual(await of(one, 'arn:aws:kms:x'), { provider: 'aws', reference: 'arn:aws:kms:x' })
  assert.deepEqual(await of(one, 'alias/treasury'), { provider: 'aws', reference: 'alias/treasury' })
  assert.deepEqual(await of(TWO, 'transit/k@1'), { reference: 'transit/k@1' })
  assert.deepEqual(await of(TWO, 'vault:transit/k@1'), { provider: 'vault', reference: 'transit/k@1' })
  assert.deepEqual(await of(TWO, 'aws:arn:aws:kms:x'), { provider: 'aws', reference: 'arn:aws:kms:x' })
  assert.deepEqual(await of(TWO, 'transit/k@1', { 'keys.provider': 'vault' }), {
    provider: 'vault',
    reference: 'transit/k@1',
  })

  const why = async (toml: string, reference: string, flags = {}) =>
    (await refused({ toml, flags, env: { ...ENV, [`HSM_KEY_${ACCOUNT}`]: reference } }))[0]
  assert.match((await why(TWO, 'volt:transit/k@1'))?.[1] ?? '', /names the provider "volt", which is not configured/)
  assert.match((await why(PLAIN, 'constructor:x'))?.[1] ?? '', /which is not configured/)
  assert.match((await why(TWO, 'vault:'))?.[1] ?? '', /no key/)
  assert.deepEqual(await why(TWO, 'aws:x', { 'keys.provider': 'gcp' }), [
    'keys.provider',
    'is not configured (from flag keys.provider)',
  ])
})
