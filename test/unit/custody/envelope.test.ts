import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { StrKey } from '@stellar/stellar-sdk'
import { toBase64 } from '../../../src/bytes/base64.ts'
import { fromHex, toHex } from '../../../src/bytes/hex.ts'
import { sha256 } from '../../../src/bytes/sha256.ts'
import { verifySignature } from '../../../src/bytes/verify.ts'
import { contextFor } from '../../../src/custody/context.ts'
import {
  createAttempts,
  createCustody,
  createEngines,
  type CustodyDeps,
  type SeedEngine,
} from '../../../src/custody/index.ts'
import { openSeed } from '../../../src/custody/seed.ts'
import { isSignerError, SignerError } from '../../../src/domain/errors.ts'
import type { Binding, EnvelopeRow, KeyVersion } from '../../../src/domain/key.ts'
import type {
  EnvelopeContext,
  KeyProvider,
  Scheme,
  Signed,
  SignInput,
  Unwrapped,
} from '../../../src/domain/provider.ts'
import {
  binding,
  type FakeService,
  fakeService,
  randomOf,
  remember,
  resolvedOf,
  sealRow,
  stillClock,
  versionOf,
} from './world.ts'

const bytes = (hex: string): Uint8Array => fromHex(hex) as Uint8Array
const seedOf = (text: string): Uint8Array => sha256(new TextEncoder().encode(text))
const engines = createEngines({ wasmFromBytes: true })
await engines('ed25519') // a standing clock cannot wait for the WASM to compile
await engines('ecdsa-secp256k1')
const publicKeyOf = (scheme: Scheme, seed: Uint8Array): Uint8Array =>
  scheme === 'ed25519' ? ed25519.getPublicKey(seed) : secp256k1.getPublicKey(seed, false)
const digest = sha256(Uint8Array.of(1, 2, 3))
const inputOf = (scheme: Scheme): SignInput => (scheme === 'ed25519' ? { scheme, message: digest } : { scheme, digest })

interface Bench {
  readonly service: FakeService
  readonly rows: Map<string, EnvelopeRow>
  reads: number
  sign(version: KeyVersion, bound?: Binding, input?: SignInput): Promise<Signed>
}

async function bench(changes: Partial<CustodyDeps> = {}): Promise<Bench> {
  const service = fakeService()
  const clock = stillClock()
  const rows = new Map<string, EnvelopeRow>()
  const made: Bench = {
    service,
    rows,
    reads: 0,
    sign: (version, bound = binding(version.key.slice(4)), input = inputOf(version.scheme)) =>
      clock.settle(custody(resolvedOf(version, bound), bound, input, 'req_1')),
  }
  const custody = createCustody({
    provider: async () => service,
    readRow: async id => {
      made.reads++
      return rows.get(id)
    },
    engines,
    attempts: createAttempts({ clock, random: randomOf(0) }),
    ...changes,
  })
  return made
}

/** A key whose envelope holds `plaintext`, stored under the binding of its name. */
async function store(
  world: Bench,
  id: string,
  scheme: Scheme,
  plaintext: Uint8Array,
  seed: Uint8Array,
  context?: EnvelopeContext,
) {
  const version = versionOf(id, scheme, publicKeyOf(scheme, seed))
  world.rows.set(id, await sealRow(world.service, version, id, plaintext, context ?? contextFor(version, 'testnet')))
  return version
}

const pkcs8 = (seed: Uint8Array): string => `302e020100300506032b657004220420${toHex(seed)}`
const pkcs8v2 = (seed: Uint8Array, publicKey: Uint8Array): string =>
  `3051020101300506032b657004220420${toHex(seed)}812100${toHex(publicKey)}`
const sec1 = (seed: Uint8Array): string =>
  `303e020100301006072a8648ce3d020106052b8104000a042730250201010420${toHex(seed)}`
const sec1v2 = (seed: Uint8Array, publicKey: Uint8Array): string =>
  `308184020100301006072a8648ce3d020106052b8104000a046d306b0201010420${toHex(seed)}a144034200${toHex(publicKey)}`
const strkey = (seed: Uint8Array): Uint8Array => new TextEncoder().encode(StrKey.encodeEd25519SecretSeed(seed))

const seed = seedOf('treasury')
const edKey = publicKeyOf('ed25519', seed)
const ecKey = publicKeyOf('ecdsa-secp256k1', seed)
const FORMS: [string, Scheme, Uint8Array][] = [
  ['32 raw bytes', 'ed25519', seed],
  ['a Stellar secret key', 'ed25519', strkey(seed)],
  ['PKCS#8 version 1', 'ed25519', bytes(pkcs8(seed))],
  ['PKCS#8 version 2', 'ed25519', bytes(pkcs8v2(seed, edKey))],
  ['32 raw bytes', 'ecdsa-secp256k1', seed],
  ['PKCS#8 without public key', 'ecdsa-secp256k1', bytes(sec1(seed))],
  ['PKCS#8 with public key', 'ecdsa-secp256k1', bytes(sec1v2(seed, ecKey))],
]

test('M-05: every form of an opened key signs, with one read and one decrypt, and is wiped', async () => {
  for (const [form, scheme, plaintext] of FORMS) {
    const world = await bench()
    const version = await store(world, 'treasury', scheme, plaintext, seed)
    const { signature, providerRequestId } = await world.sign(version)
    assert.equal(await verifySignature(inputOf(scheme), version.publicKey, signature), true, form)
    assert.equal(providerRequestId, 'vendor-1')
    assert.deepEqual([world.reads, world.service.unwraps], [1, 1])
    assert.deepEqual(
      world.service.opened.map(secret => secret.wiped),
      [true],
    )
  }
})

test('M-05: a row is never kept: the next signature reads and decrypts again', async () => {
  const world = await bench()
  const version = await store(world, 'treasury', 'ed25519', seed, seed)
  for (let round = 1; round <= 3; round++) {
    await world.sign(version)
    assert.deepEqual([world.reads, world.service.unwraps], [round, round])
  }
})

test('M-05: keys in the forms that node:crypto writes are the forms we read', () => {
  const edwards = generateKeyPairSync('ed25519')
  const der = new Uint8Array(edwards.privateKey.export({ format: 'der', type: 'pkcs8' }))
  const opened = openSeed('ed25519', der)
  const raw = new Uint8Array(edwards.publicKey.export({ format: 'der', type: 'spki' })).slice(12)
  assert.deepEqual(publicKeyOf('ed25519', opened?.seed ?? new Uint8Array()), raw)
})

test('M-05: a Stellar secret key is decoded from bytes, as stellar-sdk decodes it', () => {
  for (let round = 0; round < 50; round++) {
    const secret = seedOf(`round ${round}`)
    const opened = openSeed('ed25519', strkey(secret))
    assert.deepEqual(opened?.seed, secret)
    opened?.wipe()
    assert.deepEqual(opened?.seed, new Uint8Array(32))
  }
})

test('T42: opened bytes in no known form are refused, and wiped', async () => {
  const flipped = (source: Uint8Array, at: number): Uint8Array => {
    const copy = source.slice()
    copy[at] = (copy[at] ?? 0) ^ 1
    return copy
  }
  const text = strkey(seed)
  const lower = new TextEncoder().encode(new TextDecoder().decode(text).toLowerCase())
  const account = new TextEncoder().encode(StrKey.encodeEd25519PublicKey(edKey))
  const cases: [Scheme, Uint8Array][] = [
    ['ed25519', new Uint8Array()],
    ['ed25519', seed.slice(1)],
    ['ed25519', Uint8Array.of(...seed, 0)],
    ['ed25519', new TextEncoder().encode(toHex(seed))],
    ['ed25519', new TextEncoder().encode(toBase64(seed))],
    ['ed25519', lower],
    ['ed25519', account],
    ['ed25519', new Uint8Array(56).fill(0x31)],
    ['ed25519', new Uint8Array(56)],
    ['ecdsa-secp256k1', text],
    ['ecdsa-secp256k1', bytes(pkcs8(seed))],
    ['ed25519', bytes(sec1(seed))],
    ['ecdsa-secp256k1', new Uint8Array(32)],
    ['ecdsa-secp256k1', new Uint8Array(32).fill(255)],
  ]
  for (let at = 0; at < 56; at += 5) cases.push(['ed25519', flipped(text, at)])
  for (let at = 0; at < 16; at++) cases.push(['ed25519', flipped(bytes(pkcs8(seed)), at)])
  for (let at = 0; at < 32; at++) cases.push(['ecdsa-secp256k1', flipped(bytes(sec1(seed)), at)])
  for (const at of [0, 15, 48, 50]) cases.push(['ed25519', flipped(bytes(pkcs8v2(seed, edKey)), at)])
  for (const [scheme, plaintext] of cases) {
    const world = await bench()
    const version = await store(world, 'treasury', scheme, plaintext, seed)
    await assert.rejects(world.sign(version), { code: 'envelope/unreadable' }, toHex(plaintext))
    assert.deepEqual(
      world.service.opened.map(secret => secret.wiped),
      [true],
    )
  }
})

test('T38 T42: an opened key that is not the pinned one is refused before any signature, and wiped', async () => {
  const other = seedOf('someone else')
  const foreign: [Scheme, Uint8Array][] = [
    ['ed25519', other],
    ['ed25519', strkey(other)],
    ['ed25519', bytes(pkcs8(other))],
    ['ed25519', bytes(pkcs8v2(other, publicKeyOf('ed25519', other)))],
    ['ed25519', bytes(pkcs8v2(other, edKey))], // says it is ours
    ['ed25519', bytes(pkcs8v2(seed, publicKeyOf('ed25519', other)))], // is ours, says it is not
    ['ecdsa-secp256k1', other],
    ['ecdsa-secp256k1', bytes(sec1v2(other, ecKey))],
    ['ecdsa-secp256k1', bytes(sec1v2(seed, publicKeyOf('ecdsa-secp256k1', other)))],
  ]
  for (const [scheme, plaintext] of foreign) {
    const world = await bench()
    const version = await store(world, 'treasury', scheme, plaintext, seed)
    await assert.rejects(world.sign(version), { code: 'envelope/mismatch' })
    assert.deepEqual(
      world.service.opened.map(secret => secret.wiped),
      [true],
    )
  }
})

test('T38: a stored public key that was changed is refused, wherever the bit', async () => {
  const world = await bench()
  const version = await store(world, 'treasury', 'ed25519', seed, seed)
  for (let bit = 0; bit < 256; bit += 7) {
    const publicKey = version.publicKey.slice()
    publicKey[bit >> 3] = (publicKey[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    await assert.rejects(world.sign({ ...version, publicKey }), { code: 'envelope/mismatch' })
  }
})

test('T41: all 380 swaps among 20 rows, moved whole or in part: 0 signatures', async () => {
  for (const shape of ['ours', 'others'] as const) {
    const world = await bench()
    const versions: KeyVersion[] = []
    for (let id = 0; id < 20; id++) {
      const secret = seedOf(`key ${id}`)
      const version = versionOf(String(id), 'ed25519', publicKeyOf('ed25519', secret))
      const context = shape === 'ours' ? contextFor(version, 'testnet') : { pubkey: version.address }
      versions.push(await store(world, String(id), 'ed25519', secret, secret, context))
    }
    const original = new Map(world.rows)
    let signed = 0
    for (const version of versions) {
      const home = version.key.slice(4)
      for (const [id, foreign] of original) {
        if (id === home) continue
        const own = original.get(home) as EnvelopeRow
        const moved: EnvelopeRow[] = [
          foreign, // the row as it is, answered for another binding
          { ...foreign, bindingId: home }, // relabelled
          { ...own, ciphertext: foreign.ciphertext }, // only the ciphertext
          { ...own, context: foreign.context }, // only the context
        ]
        for (const row of moved) {
          world.rows.set(home, row)
          await assert.rejects(
            world.sign(version).then(() => signed++),
            { code: 'envelope/unreadable' },
          )
        }
      }
      world.rows.set(home, original.get(home) as EnvelopeRow)
      await world.sign(version)
    }
    assert.equal(signed, 0)
    assert.ok(world.service.opened.every(secret => secret.wiped))
  }
})

test('T41: a context of another shape or of another key is refused before the service is asked', async () => {
  const version = versionOf('treasury', 'ed25519', edKey)
  const ours = contextFor(version, 'testnet')
  const pubkey = version.address
  const refused: Record<string, string>[] = [
    {},
    { key: ours['key'] ?? '' },
    { pubkey: '' },
    { pubkey: `${pubkey} ` },
    { pubkey: pubkey.toUpperCase() },
    { pubkey, key: version.key },
    { pubkey, tenant: 'a' },
    { PUBKEY: pubkey },
    { ...ours, tenant: 'a' },
    { ...ours, network: 'public' },
    { ...ours, version: '2' },
    { ...ours, version: '01' },
    { ...ours, key: 'key-other' },
    { ...ours, pubkey: 'address-of-another' },
    { pubkey, key: version.key, version: '1', tenant: 'testnet' },
  ]
  for (const context of refused) {
    const world = await bench()
    await store(world, 'treasury', 'ed25519', seed, seed, context)
    await assert.rejects(world.sign(version), { code: 'envelope/unreadable' }, JSON.stringify(context))
    assert.equal(world.service.unwraps, 0)
  }
  for (const context of [ours, { pubkey }]) {
    const world = await bench()
    await store(world, 'treasury', 'ed25519', seed, seed, context)
    await world.sign(version)
  }
})

test('envelope: no row, no wrapping keys, another scheme: refused with the reason, nothing is sent', async () => {
  const empty = await bench()
  const version = versionOf('treasury', 'ed25519', edKey)
  await assert.rejects(empty.sign(version), { code: 'key/mismatch' })
  assert.equal(empty.service.unwraps, 0)

  const crossed = await bench()
  await store(crossed, 'treasury', 'ed25519', seed, seed)
  await assert.rejects(crossed.sign(version, binding('treasury'), inputOf('ecdsa-secp256k1')), {
    code: 'key/unsupported',
  })
  assert.deepEqual([crossed.reads, crossed.service.unwraps], [0, 0])

  const service = fakeService()
  const nativeOnly: KeyProvider = { ...service, can: { ...service.can, envelope: false } }
  const none = await bench({ provider: async () => nativeOnly })
  await assert.rejects(none.sign(version), { code: 'key/unsupported' })
  assert.equal(none.reads, 0)
})

test('M-05: a throttled decrypt is tried again on the row that was read once; an unreadable one is not', async () => {
  const world = await bench()
  const version = await store(world, 'treasury', 'ed25519', seed, seed)
  const busy = (): Promise<Unwrapped> =>
    Promise.reject(new SignerError('provider/unavailable', { provider: 'fake', reason: 'throttled' }))
  world.service.script.push(busy, busy)
  await world.sign(version)
  assert.deepEqual([world.reads, world.service.unwraps], [1, 3])

  const refuse = (): Promise<Unwrapped> =>
    Promise.reject(new SignerError('envelope/unreadable', { provider: 'fake', reason: 'no' }))
  world.service.script.push(refuse)
  await assert.rejects(world.sign(version), { code: 'envelope/unreadable' })
  assert.deepEqual([world.reads, world.service.unwraps], [2, 4])
})

test('T02: a key that is opened after the deadline is wiped, and signs nothing', async () => {
  const world = await bench()
  const version = await store(world, 'treasury', 'ed25519', seed, seed)
  let open = (): void => {}
  world.service.script.push(
    () =>
      new Promise(resolve => {
        open = () => resolve({ plaintext: remember(world.service, seed.slice()) })
      }),
  )
  await assert.rejects(world.sign(version), { code: 'provider/unavailable' })
  open()
  await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(
    world.service.opened.map(secret => secret.wiped),
    [true],
  )
})

test('T02 R-23: an engine that throws leaves a wiped key and an error that quotes nothing', async () => {
  const faults: (() => never)[] = [
    () => {
      throw new RangeError(`bad key ${toHex(seed)}`)
    },
    () => {
      throw new Error(`engine broke on ${toHex(seed)}`)
    },
    () => {
      throw new SignerError('start/refused', { reason: 'the engine fails', fix: 'none' })
    },
  ]
  for (const fault of faults) {
    const broken: SeedEngine = { name: 'broken', scheme: 'ed25519', publicKey: fault, sign: fault }
    const world = await bench({ engines: async () => broken })
    const version = await store(world, 'treasury', 'ed25519', strkey(seed), seed)
    await assert.rejects(world.sign(version), error => {
      assert.ok(isSignerError(error) && ['envelope/unreadable', 'start/refused'].includes(error.code))
      assert.ok(!`${error.message}${error.stack}${String(error.cause)}`.includes(toHex(seed)))
      return true
    })
    assert.deepEqual(
      world.service.opened.map(secret => secret.wiped),
      [true],
    )
  }
})

test('T02: the engine is ready before the key is opened', async () => {
  const order: string[] = []
  const world = await bench({
    engines: async scheme => {
      const engine = await engines(scheme)
      order.push(`engine, ${world.service.unwraps} opened`)
      return engine
    },
  })
  const version = await store(world, 'treasury', 'ed25519', seed, seed)
  await world.sign(version)
  assert.deepEqual(order, ['engine, 0 opened'])
})

test('native: the provider signs under the pinned reference, is asked again only when nothing was signed', async () => {
  const service = fakeService()
  const asked: string[] = []
  let busy = 1
  const signing: KeyProvider = {
    ...service,
    can: { ...service.can, native: ['ed25519'] },
    sign: async (reference, input, call) => {
      asked.push(`${reference} ${input.scheme} ${call.requestId}`)
      if (busy-- > 0) throw new SignerError('provider/unavailable', { provider: 'fake', reason: 'throttled' })
      return { signature: ed25519.sign(digest, seed) as Signed['signature'], providerRequestId: 'vendor-2' }
    },
  }
  const world = await bench({ provider: async () => signing })
  const version = versionOf('treasury', 'ed25519', edKey)
  const bound = { ...binding('treasury', 'native'), reference: 'arn:key/1' }
  const signed = await world.sign(version, bound)
  assert.deepEqual(asked, ['arn:key/1 ed25519 req_1', 'arn:key/1 ed25519 req_1'])
  assert.equal(signed.providerRequestId, 'vendor-2')
  assert.equal(world.reads, 0)

  await assert.rejects(world.sign(version, bound, inputOf('ecdsa-secp256k1')), { code: 'key/unsupported' })
  assert.equal(asked.length, 2)

  const strange = { ...bound, custody: 'borrowed' } as unknown as Binding
  await assert.rejects(world.sign(version, strange), { code: 'key/unsupported' })
})
