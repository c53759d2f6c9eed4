/** M-08: keys under a passphrase. The contract itself is in `test/conformance`; here is what is this provider's own. */
import assert from 'node:assert/strict'
import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { PassphraseConfig } from '../../../providers/passphrase/config.ts'
import { DEVELOPMENT_PASSPHRASE } from '../../../providers/development-keys.ts'
import { COSTS } from '../../../providers/passphrase/cost.ts'
import { createDerive, nativeKdfs } from '../../../providers/passphrase/derive.ts'
import { createDoctor } from '../../../providers/passphrase/doctor.ts'
import { createAdmin } from '../../../providers/passphrase/admin.ts'
import { create, type Machine, machineOf } from '../../../providers/passphrase/index.ts'
import { openRow, readRow } from '../../../providers/passphrase/row.ts'
import { fromHex, toHex } from '../../../src/bytes/hex.ts'
import type { Finding } from '../../../src/domain/doctor.ts'
import type { EnvelopeContext, EnvelopeProvider } from '../../../src/domain/provider.ts'
import { Secret, SecretBytes } from '../../../src/domain/secret.ts'
import { refusal, spellings } from '../../support/leaks.ts'
import { call, providerWorld } from '../../support/provider-world.ts'

const PASSPHRASE = 'vector: 4 channels, all of low value'
const CONTEXT = { version: '1', pubkey: 'GABC' }
const PLAIN = Uint8Array.from({ length: 32 }, (_, i) => i)
const KEY = 'passphrase/channels'
const bytes = (hex: string): Uint8Array => fromHex(hex) ?? assert.fail('no hex')

/** Made once with OpenSSL's scrypt and AES, and another Argon2: what was written stays readable. */
const VECTORS = {
  argon2id:
    '43535031010200004c00a0a1a2a3a4a5a6a7a8a9aaabacadaeafc0c1c2c3c4c5c6c7c8c9cacb3ede107407f5459619288db7dd37aa4df6989ab9e52e0967475dca1997b8b15405980af0dce7df3692d6a2809b6824a36414ee35cba93fc05b0d639fb24cc211f2cb23d99db6e05d83455e859a9107d1',
  scrypt:
    '43535031020500004000a0a1a2a3a4a5a6a7a8a9aaabacadaeafc0c1c2c3c4c5c6c7c8c9cacb28a091e47e1117ca0255622438a7630b9459d754685a1c6550e9fe58d084c96fd99a1bd1792302e634a3df31336ad885e7e3b5d50f1aa0b2c47d8d89ad98a951eefda224a907d1a9113a5d2916183c1c',
} as const

const config = (more: Partial<PassphraseConfig> = {}): PassphraseConfig => ({
  kind: 'passphrase',
  passphrases: { channels: new Secret(PASSPHRASE, 'env:CHANNELS') },
  ...more,
})
const open = (more: Partial<PassphraseConfig> = {}, machine?: Machine): Promise<EnvelopeProvider> =>
  create(config(more), providerWorld('production'), machine)
const secret = () => new SecretBytes(PLAIN.slice(), 'sample')

/** Not a KDF: every derivation is counted and held until it is let go. For order and numbers, where bytes do not matter. */
function heldMachine(): Machine & {
  seen: Uint8Array[]
  derived: Uint8Array[]
  running: () => number
  letGo: () => void
} {
  const waiting: (() => void)[] = []
  const [seen, derived]: Uint8Array[][] = [[], []]
  return {
    seen: seen ?? [],
    derived: derived ?? [],
    cores: 3,
    native: { argon2id: false },
    running: () => waiting.length,
    letGo: () => waiting.shift()?.(),
    derive: (passphrase, _salt) => {
      const out = new Uint8Array(64).fill(7)
      seen?.push(passphrase)
      derived?.push(out)
      return new Promise(resolve => waiting.push(() => resolve(out)))
    },
  }
}
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('RFC 7914 §12: scrypt natively and in plain JavaScript', async () => {
  const expected =
    '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887'
  const text = (value: string) => new TextEncoder().encode(value)
  for (const derive of [createDerive(), createDerive({})]) {
    const cost = { kdf: 'scrypt', memoryKiB: 16_384, passes: 1 } as const
    assert.equal(toHex(await derive(text('pleaseletmein'), text('SodiumChloride'), cost)), expected)
  }
})

test('M-08 every cost gives the same bytes natively and in plain JavaScript', async () => {
  for (const cost of [COSTS.argon2id, COSTS.scrypt]) {
    const [passphrase, salt] = [randomBytes(33), randomBytes(16)]
    assert.deepEqual(
      Uint8Array.from(await createDerive()(passphrase, salt, cost)),
      Uint8Array.from(await createDerive({})(passphrase, salt, cost)),
    )
  }
  assert.deepEqual(nativeKdfs({}), { argon2id: false, scrypt: false })
  assert.equal(nativeKdfs().scrypt, true)
})

test('M-08 costs are at least what OWASP asks for, and none takes more than 128 MiB', () => {
  for (const { kdf, memoryKiB, passes } of Object.values(COSTS)) {
    assert.ok(memoryKiB <= 128 * 1024)
    // Password Storage Cheat Sheet: Argon2id 19 MiB and 2 passes; scrypt r = 8 with 2^17 × 1 or 2^14 × 5.
    if (kdf === 'argon2id') assert.ok(memoryKiB >= 19_456 && passes >= 2)
    else assert.ok((memoryKiB >= 2 ** 17 && passes >= 1) || (memoryKiB >= 2 ** 14 && passes >= 5))
  }
})

for (const [name, hex] of Object.entries(VECTORS)) {
  test(`M-08 a row of ${name} made elsewhere opens, and says its cost`, async () => {
    const provider = await open()
    const { plaintext } = await provider.unwrap(KEY, bytes(hex), CONTEXT, call())
    plaintext.use(opened => assert.deepEqual(Uint8Array.from(opened), PLAIN))
    assert.deepEqual(readRow(bytes(hex))?.cost, COSTS[name as keyof typeof VECTORS])
  })
}

test('M-08 what is written is what README.md says: another program opens it', async () => {
  const row = await (await open({ kdf: 'scrypt' })).wrap(KEY, secret(), CONTEXT, call())
  assert.equal(row.length, 70 + 32 + 16)
  assert.equal(toHex(row.subarray(0, 10)), '43535031020500004000')
  const derived = scryptSync(PASSPHRASE, row.subarray(10, 26), 64, { N: 16_384, r: 8, p: 5, maxmem: 2 ** 26 })
  assert.deepEqual(Uint8Array.from(derived.subarray(32)), row.slice(38, 70))
  const cipher = createDecipheriv('aes-256-gcm', derived.subarray(0, 32), row.subarray(26, 38))
  cipher.setAAD(Buffer.concat([row.subarray(0, 70), Buffer.from('{"pubkey":"GABC","version":"1"}')]))
  cipher.setAuthTag(row.subarray(-16))
  assert.deepEqual(Uint8Array.from(Buffer.concat([cipher.update(row.subarray(70, -16)), cipher.final()])), PLAIN)
})

test('M-08 new rows take the cost of the configuration; without one, Argon2id where it is native and scrypt elsewhere', async () => {
  const costOf = async (more: Partial<PassphraseConfig>, machine?: Machine) =>
    readRow(await (await open(more, machine)).wrap(KEY, secret(), CONTEXT, call()))?.cost
  assert.deepEqual(await costOf({ kdf: 'scrypt-128mib' }), COSTS['scrypt-128mib'])
  assert.deepEqual(await costOf({}, { ...machineOf(), native: { argon2id: false } }), COSTS.scrypt)
  assert.deepEqual(await costOf({}, { ...machineOf(), native: { argon2id: true } }), COSTS.argon2id)
})

test('M-08 salt, nonce and commitment differ from row to row; a plaintext has 1 to 4096 bytes', async () => {
  const provider = await open()
  const [one, two] = [
    await provider.wrap(KEY, secret(), CONTEXT, call()),
    await provider.wrap(KEY, secret(), CONTEXT, call()),
  ]
  for (const [from, to] of [
    [10, 26],
    [26, 38],
    [38, 70],
    [70, 118],
  ] as const) // prettier-ignore
    assert.notDeepEqual(one.slice(from, to), two.slice(from, to))
  const long = await provider.wrap(KEY, new SecretBytes(new Uint8Array(4096).fill(9), 'long'), CONTEXT, call())
  assert.equal((await provider.unwrap(KEY, long, CONTEXT, call())).plaintext.length, 4096)
})

test('T66 M-08 a row that names another cost is refused before anything is derived', async () => {
  const machine = { ...heldMachine(), derive: () => assert.fail('it derived') }
  const provider = await open({}, machine)
  const row = bytes(VECTORS.argon2id)
  const edited = (at: number, ...to: number[]) => Uint8Array.from(row, (byte, i) => to[i - at] ?? byte)
  const hostile = {
    '4 GiB of Argon2id': edited(6, 0x00, 0x40, 0x00, 0x00),
    'all of it': edited(5, 0xff, 0xff, 0xff, 0xff, 0xff),
    '255 passes': edited(5, 255),
    'no passes': edited(5, 0),
    'no memory': edited(6, 0, 0, 0, 0),
    'a KiB less, for another key': edited(9, 0xff),
    'an unknown KDF': edited(4, 3),
    'no KDF': edited(4, 0),
    'scrypt with the numbers of Argon2id': edited(4, 2),
    'another version': edited(3, 0x32),
    'too long': new Uint8Array(70 + 4097 + 16).map((_, i) => row[i] ?? 0),
    'nothing inside': row.slice(0, 86),
  }
  for (const ciphertext of Object.values(hostile))
    await refusal(provider.unwrap(KEY, ciphertext, CONTEXT, call()), 'envelope/unreadable', [PASSPHRASE])
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async noise => {
      const headed = Uint8Array.of(...row.subarray(0, 4), ...noise)
      if (readRow(headed) !== undefined) return
      await refusal(provider.unwrap(KEY, headed, CONTEXT, call()), 'envelope/unreadable')
    }),
    { numRuns: 300 },
  )
})

test('M-08 a row that opens under this key, but is not committed to this passphrase, is refused (partitioning oracle)', async () => {
  const row = bytes(VECTORS.scrypt)
  // The key is right, the tag is made anew over another commitment: GCM alone would open it.
  row[38] = (row[38] ?? 0) ^ 1
  const derived = scryptSync(PASSPHRASE, row.subarray(10, 26), 64, { N: 16_384, r: 8, p: 5, maxmem: 2 ** 26 })
  const cipher = createCipheriv('aes-256-gcm', derived.subarray(0, 32), row.subarray(26, 38))
  cipher.setAAD(Buffer.concat([row.subarray(0, 70), Buffer.from('{"pubkey":"GABC","version":"1"}')]))
  row.set(Buffer.concat([cipher.update(PLAIN), cipher.final(), cipher.getAuthTag()]), 70)
  await refusal((await open()).unwrap(KEY, row, CONTEXT, call()), 'envelope/unreadable', spellings(PLAIN))
})

test('M-08 rotation: two passphrases side by side, each row opens with its own', async () => {
  const next = new Secret('vector: the passphrase that comes after', 'env:NEXT')
  const provider = await open({ passphrases: { channels: new Secret(PASSPHRASE, 'env:CHANNELS'), next } })
  const row = await provider.wrap('passphrase/next', secret(), CONTEXT, call())
  ;(await provider.unwrap('passphrase/next', row, CONTEXT, call())).plaintext.wipe()
  ;(await provider.unwrap(KEY, bytes(VECTORS.scrypt), CONTEXT, call())).plaintext.wipe()
  await refusal(provider.unwrap(KEY, row, CONTEXT, call()), 'envelope/unreadable')
  await refusal(provider.unwrap('passphrase/gone', row, CONTEXT, call()), 'provider/refused')
})

test('M-08 weak, equal and unreadable passphrases are refused together, with a fix, and none is quoted', async () => {
  const weak: Record<string, string> = {
    short: 'correct horse batte',
    same: 'abababababababababababababab',
    torn: `abcdefghijklmnopqrstuvwxyz\ud800`,
    long: 'abcdefghij'.repeat(103),
    first: 'abcdefghijklmnopqrst',
    twice: 'abcdefghijklmnopqrst',
  }
  const passphrases = Object.fromEntries(Object.entries(weak).map(([name, text]) => [name, new Secret(text, name)]))
  const error = await refusal(open({ passphrases }), 'config/invalid', Object.values(weak))
  assert.ok(error.code === 'config/invalid')
  const paths = error.detail.problems.map(({ path, fix }) => (assert.match(fix, /openssl rand/), path))
  assert.deepEqual(
    paths,
    ['short', 'same', 'torn', 'long', 'twice'].map(name => `passphrases.${name}`),
  )
  await refusal(open({ passphrases: {} }), 'config/invalid')
  await refusal(open({ kdf: 'md5' as never }), 'config/invalid')
})

test('M-08 T69 the passphrase of `countersign dev` is refused in production, and only there', async () => {
  const everybodys = { passphrases: { demo: new Secret(DEVELOPMENT_PASSPHRASE, 'env:DEMO') } }
  const error = await refusal(open(everybodys), 'config/invalid', [DEVELOPMENT_PASSPHRASE])
  assert.ok(error.code === 'config/invalid')
  assert.match(error.detail.problems[0]?.problem ?? '', /everybody has it/)
  await (await create(config(everybodys), providerWorld('development'))).close()
})

test('M-08 T66 64 calls derive two at a time, in order; what is given up leaves the queue and derives nothing', async () => {
  const machine = heldMachine()
  const provider = await open({ parallel: 2 }, machine)
  const row = bytes(VECTORS.scrypt)
  const deadlines = Array.from({ length: 64 }, () => new AbortController())
  const calls = deadlines.map(({ signal }) => provider.unwrap(KEY, row, CONTEXT, call(signal)))
  const outcomes = Promise.all(calls.map(each => refusal(each, ['envelope/unreadable', 'provider/unavailable'])))
  await turn()
  assert.equal(machine.running(), 2)
  for (const deadline of deadlines.slice(2, 60)) deadline.abort(new Error('deadline'))
  for (let i = 0; i < 6; i++) {
    machine.letGo()
    await turn()
    assert.ok(machine.running() <= 2)
  }
  const codes = (await outcomes).map(({ code }) => code)
  assert.equal(codes.filter(code => code === 'provider/unavailable').length, 58)
  assert.equal(machine.seen.length, 6)
  for (const used of [...machine.seen, ...machine.derived])
    assert.ok(
      used.every(byte => byte === 0),
      'wiped',
    )
})

test('M-08 given up in the middle: the caller hears at once, the place is free when the work ends, the late key is wiped', async () => {
  let late: Uint8Array | undefined
  const { promise: gate, resolve: letGo } = Promise.withResolvers<void>()
  const real = createDerive()
  const machine: Machine = {
    ...machineOf(),
    derive: async (...asked) => {
      late = await real(...asked)
      await gate
      return late
    },
  }
  const provider = await open({ parallel: 1 }, machine)
  const deadline = new AbortController()
  const first = provider.unwrap(KEY, bytes(VECTORS.scrypt), CONTEXT, call(deadline.signal))
  const second = provider.unwrap(KEY, bytes(VECTORS.scrypt), CONTEXT, call())
  await turn()
  deadline.abort(new Error('deadline'))
  await refusal(first, 'provider/unavailable', [PASSPHRASE])
  letGo()
  ;(await second).plaintext.wipe()
  assert.ok(late?.every(byte => byte === 0))
})

test('M-08 T66 the queue has an end: the call after the last is told when to come again', async () => {
  const machine = heldMachine()
  const provider = await open({ parallel: 1 }, machine)
  const stop = new AbortController()
  const waiting = Array.from({ length: 257 }, () =>
    provider.unwrap(KEY, bytes(VECTORS.scrypt), CONTEXT, call(stop.signal)),
  )
  const outcomes = Promise.all(waiting.map(each => refusal(each, 'provider/unavailable')))
  const error = await refusal(provider.unwrap(KEY, bytes(VECTORS.scrypt), CONTEXT, call()), 'provider/unavailable')
  assert.ok('retryAfterMs' in error.detail && (error.detail.retryAfterMs ?? 0) > 0)
  stop.abort(new Error('over'))
  machine.letGo()
  await outcomes
})

test('a machine that cannot derive, and a provider that was closed while it waited, are unavailable', async () => {
  const broken = await open({}, { ...machineOf(), derive: () => Promise.reject(new Error('out of memory')) })
  await refusal(broken.unwrap(KEY, bytes(VECTORS.scrypt), CONTEXT, call()), 'provider/unavailable', [PASSPHRASE])
  const machine = heldMachine()
  const provider = await open({ parallel: 1 }, machine)
  const calls = [1, 2].map(() => provider.wrap(KEY, secret(), CONTEXT, call()))
  const second = refusal(calls[1] ?? assert.fail(), 'provider/unavailable')
  await turn()
  await provider.close()
  machine.letGo()
  await Promise.all([calls[0], second])
})

test('M-08 a context is bound whatever it is: only the same entries open a row', async () => {
  // The cipher without the KDF, so that many contexts can be tried.
  const derive = async () => new Uint8Array(64).fill(3)
  const machine: Machine = { derive, native: { argon2id: true }, cores: 1 }
  const provider = await open({}, machine)
  const entry = fc.string({ minLength: 1, unit: 'grapheme' }).filter(name => name !== '__proto__')
  const context = fc.dictionary(entry, fc.string({ unit: 'grapheme' }), { minKeys: 1, noNullPrototype: true })
  await fc.assert(
    fc.asyncProperty(context, context, async (mine: EnvelopeContext, other: EnvelopeContext) => {
      const row = readRow(await provider.wrap(KEY, secret(), mine, call())) ?? assert.fail()
      const opens = async (given: EnvelopeContext) =>
        (await openRow({ passphrase: new Uint8Array(1), derive }, row, given)) !== undefined
      const sorted = (given: EnvelopeContext) =>
        JSON.stringify(Object.entries(given).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      assert.ok(await opens(Object.fromEntries(Object.entries(mine).toReversed())))
      assert.equal(await opens(other), sorted(mine) === sorted(other))
    }),
  )
})

test('an admin makes no passphrase and says what to name; the doctor looks at names and measures', async () => {
  const error = await refusal(createAdmin(config(), providerWorld()), 'key/unsupported', [PASSPHRASE])
  assert.match(JSON.stringify(error.detail), /passphrase\/channels/)
  const findings = async (machine?: Machine): Promise<Finding[]> => {
    const doctor = await createDoctor(config(), providerWorld(), machine)
    const patients = [
      { reference: KEY, use: 'unwrap' },
      { reference: 'passphrase/other', use: 'wrap' },
      { reference: KEY, use: 'sign' },
    ] as const
    const found = await Array.fromAsync(doctor.examine(patients, call()))
    await doctor.close()
    return found
  }
  const found = await findings()
  assert.deepEqual(
    found.map(({ check, outcome }) => `${check} ${outcome}`),
    ['configuration ok', 'key ok', 'key failed', 'key failed', 'latency ok'],
  )
  for (const { outcome, meaning, fix } of found) assert.equal(outcome === 'failed', Boolean(meaning) && Boolean(fix))
  const broken = await findings({ ...machineOf(), derive: () => Promise.reject(new Error('out of memory')) })
  assert.equal(broken.at(-1)?.outcome, 'failed')
})
