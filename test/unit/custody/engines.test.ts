/* oxlint-disable no-underscore-dangle -- the names of libsodium's WASM exports */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { sha512 } from '@noble/hashes/sha2.js'
import * as fc from 'fast-check'
import load, { type Libsodium } from 'libsodium'
import { fromHex, toHex } from '../../../src/bytes/hex.ts'
import { createEngines, pickEngine } from '../../../src/custody/engines/index.ts'
import { sodiumEngine } from '../../../src/custody/engines/sodium.ts'
import type { SeedEngine } from '../../../src/custody/engines/engine.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { sharedVectors } from '../../support/shared-vectors.ts'

const bytes = (hex: string): Uint8Array => fromHex(hex) as Uint8Array
const WASM = { wasmFromBytes: true }
const EDGE = { wasmFromBytes: false }

async function openLibsodium(): Promise<Libsodium> {
  const sodium = await load({ getRandomValue: () => 0 })
  sodium._sodium_init()
  return sodium
}

test('engines: the runtime decides which, and only that one is loaded', async () => {
  assert.equal((await pickEngine('ed25519', WASM)).name, 'sodium-wasm')
  assert.equal((await pickEngine('ed25519', EDGE)).name, 'webcrypto')
  assert.equal((await pickEngine('ecdsa-secp256k1', WASM)).name, 'noble-secp256k1')
  assert.equal((await pickEngine('ecdsa-secp256k1', EDGE)).name, 'noble-secp256k1')
})

test('engines: one of each is made, and a failed start is forgotten', async () => {
  let made = 0
  let broken = true
  const engines = createEngines(WASM, async (scheme, capability) => {
    made++
    if (broken) throw new Error('no memory')
    return pickEngine(scheme, capability)
  })
  await assert.rejects(engines('ed25519'), /no memory/)
  broken = false
  const [first, second] = await Promise.all([engines('ed25519'), engines('ed25519')])
  assert.equal(first, second)
  assert.equal(made, 2)
  assert.notEqual(await engines('ecdsa-secp256k1'), first)
  const defaults = createEngines(EDGE)
  assert.equal((await defaults('ed25519')).name, 'webcrypto')
})

test('R-09: RFC 8032 and RFC 6979 constants, every engine', async () => {
  const seed = bytes('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60')
  const pin = bytes('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a')
  for (const capability of [WASM, EDGE]) {
    const engine = await pickEngine('ed25519', capability)
    assert.deepEqual(engine.publicKey(seed), pin)
    assert.equal(
      toHex(await engine.sign(seed, new Uint8Array(), pin)),
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    )
  }
  const evm = await pickEngine('ecdsa-secp256k1', WASM)
  const key = new Uint8Array(32).fill(0x46)
  assert.equal(
    toHex(
      await evm.sign(
        key,
        bytes('daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53'),
        evm.publicKey(key),
      ),
    ),
    '28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa63627667cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83',
  )
})

test('engines give the same bytes as a second implementation, for messages of every length', async () => {
  const engines = await Promise.all([pickEngine('ed25519', WASM), pickEngine('ed25519', EDGE)])
  const seedOf = fc.uint8Array({ minLength: 32, maxLength: 32 })
  await fc.assert(
    fc.asyncProperty(seedOf, fc.uint8Array({ maxLength: 300 }), async (seed, message) => {
      const pin = ed25519.getPublicKey(seed)
      const expected = ed25519.sign(message, seed)
      for (const engine of engines) {
        assert.deepEqual(engine.publicKey(seed), pin)
        assert.deepEqual(await engine.sign(seed, message, pin), expected)
      }
    }),
    { numRuns: 60 },
  )
  const seed = new Uint8Array(32).fill(3)
  const long = new Uint8Array(1_000_000).fill(7)
  const [sodium] = engines
  assert.deepEqual(await sodium.sign(seed, long, ed25519.getPublicKey(seed)), ed25519.sign(long, seed))
})

test('T38: a pin that is not the key of the seed: no signature leaves, from any engine', async () => {
  const seed = new Uint8Array(32).fill(5)
  const digest = new Uint8Array(32).fill(9)
  const engines: [SeedEngine, Uint8Array][] = [
    [await pickEngine('ed25519', WASM), ed25519.getPublicKey(seed)],
    [await pickEngine('ed25519', EDGE), ed25519.getPublicKey(seed)],
    [await pickEngine('ecdsa-secp256k1', WASM), secp256k1.getPublicKey(seed, false)],
  ]
  for (const [engine, pin] of engines) {
    const foreign = engine.publicKey(new Uint8Array(32).fill(6))
    const flipped = pin.slice()
    flipped[7] = (flipped[7] ?? 0) ^ 1
    for (const wrong of [foreign, flipped, pin.slice(1), new Uint8Array(pin.length), new Uint8Array()]) {
      await assert.rejects(async () => engine.sign(seed, digest, wrong), { code: 'envelope/mismatch' })
    }
    assert.equal((await engine.sign(seed, digest, pin)).length, 64)
    for (const length of [0, 31, 33, 64]) {
      await assert.rejects(async () => engine.sign(new Uint8Array(length), digest, pin), RangeError)
      assert.throws(() => engine.publicKey(new Uint8Array(length)), RangeError)
    }
  }
  const [, , [evm, pin]] = engines as [unknown, unknown, [SeedEngine, Uint8Array]]
  for (const key of [new Uint8Array(32), new Uint8Array(32).fill(255)]) {
    assert.throws(() => evm.publicKey(key), RangeError)
    await assert.rejects(async () => evm.sign(key, digest, pin), RangeError)
  }
  await assert.rejects(async () => evm.sign(seed, new Uint8Array(31), pin), RangeError)
})

test('T02: after a call nothing of the key is left in the memory of the WASM engine', async () => {
  const sodium = await openLibsodium()
  const engine = await sodiumEngine(async () => sodium)
  const traces: Uint8Array[] = []
  const leaks = (): number => traces.filter(trace => indexOf(sodium.HEAPU8, trace) >= 0).length
  for (let round = 0; round < 20; round++) {
    const seed = crypto.getRandomValues(new Uint8Array(32))
    const expanded = sha512(seed)
    const clamped = expanded.slice(0, 32)
    clamped[0] = (clamped[0] ?? 0) & 248
    clamped[31] = ((clamped[31] ?? 0) & 127) | 64
    traces.push(seed, expanded.slice(0, 16), expanded.slice(32, 48), clamped.slice(0, 16), clamped.slice(16))
    const pin = engine.publicKey(seed)
    if (round === 10) await assert.rejects(async () => engine.sign(seed, seed.slice(0, 8), new Uint8Array(32)))
    else await engine.sign(seed, new Uint8Array(32).fill(round), pin)
    assert.equal(leaks(), 0)
  }
  sodium.HEAPU8.set(traces[0] ?? new Uint8Array(), sodium._malloc(32))
  assert.equal(leaks(), 1, 'the search finds what is there')
})

test('T02: the WASM stack is clean after a call, whatever lay there before', async () => {
  const sodium = await openLibsodium()
  const engine = await sodiumEngine(async () => sodium)
  const seed = new Uint8Array(32).fill(1)
  const pin = engine.publicKey(seed)
  await engine.sign(seed, new Uint8Array(), pin) // the allocator has made its room for the message
  const before = sodium.HEAPU8.slice()
  await engine.sign(seed, new Uint8Array(), pin)
  assert.deepEqual(differences(before, sodium.HEAPU8), [])
})

const MUTE_BUILDS: Record<string, (sodium: Libsodium) => Partial<Libsodium>> = {
  'no memory': () => ({ _malloc: () => 0 }),
  'a signature other than the published one': sodium => ({
    _crypto_sign_detached: (at, ...rest) => {
      const result = sodium._crypto_sign_detached(at, ...rest)
      sodium.HEAPU8[at] = (sodium.HEAPU8[at] ?? 0) ^ 1
      return result
    },
  }),
  'a stack somewhere else': sodium => ({
    // As if the block lay far from the stack: nothing below it is ever written.
    _malloc: size => {
      sodium._malloc(256 * 1024)
      return sodium._malloc(size)
    },
  }),
  'a copy of the key kept among the static data': sodium => ({
    _crypto_sign_seed_keypair: (publicKey, secretKey, seed) => {
      sodium.HEAPU8.copyWithin(50_000, seed, seed + 32)
      return sodium._crypto_sign_seed_keypair(publicKey, secretKey, seed)
    },
  }),
  'a copy of the key kept behind the block': sodium => ({
    _crypto_sign_seed_keypair: (publicKey, secretKey, seed) => {
      sodium.HEAPU8.copyWithin(seed + 4096, seed, seed + 32)
      return sodium._crypto_sign_seed_keypair(publicKey, secretKey, seed)
    },
  }),
}

test('T02: a build of libsodium that is not as expected is refused at start', async () => {
  for (const [what, change] of Object.entries(MUTE_BUILDS)) {
    const sodium = await openLibsodium()
    const changed = wrap(sodium, change(sodium))
    await assert.rejects(
      sodiumEngine(async () => changed),
      { code: 'start/refused' },
      what,
    )
  }
})

test('T02: an engine that fails in the middle wipes all the same', async () => {
  const sodium = await openLibsodium()
  let fail: '' | 'derive' | 'sign' | 'memory' = ''
  const engine = await sodiumEngine(async () =>
    wrap(sodium, {
      _malloc: size => (fail === 'memory' ? 0 : sodium._malloc(size)),
      _crypto_sign_seed_keypair: (...at) => sodium._crypto_sign_seed_keypair(...at) - (fail === 'derive' ? 1 : 0),
      _crypto_sign_detached: (...at) => sodium._crypto_sign_detached(...at) - (fail === 'sign' ? 1 : 0),
    }),
  )
  const seed = crypto.getRandomValues(new Uint8Array(32))
  const pin = engine.publicKey(seed)
  for (const kind of ['derive', 'sign', 'memory'] as const) {
    fail = kind
    await assert.rejects(async () => engine.sign(seed, new Uint8Array(32), pin), { code: 'start/refused' })
    assert.equal(indexOf(sodium.HEAPU8, seed), -1)
    assert.equal(indexOf(sodium.HEAPU8, sha512(seed).slice(32, 48)), -1)
  }
})

interface Group {
  readonly tests: readonly { msg: string; sig: string; result: string }[]
}
const wycheproof = sharedVectors('wycheproof/ed25519_test.json')

test('R-08: no message of Wycheproof makes an engine disagree with the second implementation', {
  skip: wycheproof.skip,
}, async () => {
  const engine = await pickEngine('ed25519', WASM)
  const seed = new Uint8Array(32).fill(8)
  const pin = engine.publicKey(seed)
  for (const { tests } of (wycheproof.data as { testGroups: Group[] }).testGroups) {
    for (const { msg } of tests) {
      assert.deepEqual(await engine.sign(seed, bytes(msg), pin), ed25519.sign(bytes(msg), seed))
    }
  }
})

test('R-23: no refusal of an engine quotes the key', async () => {
  for (const scheme of ['ed25519', 'ecdsa-secp256k1'] as const) {
    const engine = await pickEngine(scheme, WASM)
    const seed = new Uint8Array(32).fill(0xab)
    try {
      await engine.sign(seed, new Uint8Array(32), new Uint8Array(engine.publicKey(seed).length))
      assert.fail('it signed')
    } catch (error) {
      assert.ok(isSignerError(error))
      assert.ok(!`${error.message}${error.stack}`.includes('abab') && !error.message.includes('171'))
    }
  }
})

function wrap(sodium: Libsodium, changes: Partial<Libsodium>): Libsodium {
  return new Proxy(sodium, {
    get: (target, name) => Reflect.get(name in changes ? changes : target, name) as unknown,
  })
}

function indexOf(memory: Uint8Array, wanted: Uint8Array): number {
  for (let at = memory.indexOf(wanted[0] ?? 0); at >= 0; at = memory.indexOf(wanted[0] ?? 0, at + 1)) {
    if (wanted.every((byte, offset) => memory[at + offset] === byte)) return at
  }
  return -1
}

function differences(a: Uint8Array, b: Uint8Array): number[] {
  const found: number[] = []
  for (let at = 0; at < b.length; at++) if (a[at] !== b[at]) found.push(at)
  return found
}
