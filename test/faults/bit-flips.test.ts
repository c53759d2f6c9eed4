/** signatures with a bit off or put in the place of the right one, through custody and verification as the service has them. */
import { expect, test } from 'bun:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { ecdsaDerToCompact } from '../../src/bytes/der.ts'
import { createCustody, createEngines, createResilience } from '../../src/custody/index.ts'
import { digest32, signature64 } from '../../src/domain/brands.ts'
import { isSignerError } from '../../src/domain/errors.ts'
import type { Binding, ResolvedKey } from '../../src/domain/key.ts'
import type { KeyProvider, SignInput } from '../../src/domain/provider.ts'
import { realClock, realRandom } from '../../src/runtime/world.ts'
import { verifyAfterSign } from '../../src/service/verify-after-sign.ts'
import { DIGEST, HASH, oneBitOff, plusOrder, SIGNATURE } from './answers.ts'
import { PUBLIC, SCALAR, SECP_PUBLIC, SEED, STRANGER_SEED } from './remotes.ts'

const TOTAL = 2_048
const ED25519: SignInput = { scheme: 'ed25519', message: HASH }
const ECDSA: SignInput = { scheme: 'ecdsa-secp256k1', digest: digest32(DIGEST) }

/** What the key service sends back: 64 bytes for Ed25519, DER for ECDSA. */
interface Sent {
  readonly what: string
  readonly input: SignInput
  readonly bytes: Uint8Array
}

let answer: Uint8Array = SIGNATURE
/** Reads what came as the real ones do. */
const provider: KeyProvider = {
  name: 'liar',
  can: { native: ['ed25519', 'ecdsa-secp256k1'], envelope: false, rotation: 'none', production: false },
  describe: () => Promise.reject(new Error('nobody asks')),
  sign: async (_key, { scheme }) => ({
    signature: scheme === 'ed25519' ? signature64(answer) : ecdsaDerToCompact(answer),
  }),
  close: async () => {},
}
const custody = createCustody({
  provider: async () => provider,
  readRow: async () => undefined,
  engines: createEngines({ wasmFromBytes: true }),
  attempts: createResilience({ clock: realClock, random: realRandom, places: 1 }).attempts,
})

function keyOf({ scheme }: SignInput): [ResolvedKey, Binding] {
  const publicKey = scheme === 'ed25519' ? PUBLIC : SECP_PUBLIC
  const about = { key: 'treasury', version: 1 } as const
  const binding: Binding = { ...about, id: 'b_1', provider: 'liar', custody: 'native', reference: 'r' }
  const key = {
    name: 'treasury',
    chain: 'stellar',
    network: 'testnet',
    policy: '',
    policyHash: '',
    createdAt: 0,
  } as const
  return [
    { key, version: { ...about, scheme, publicKey, address: '', account: '', state: 'active' }, bindings: [binding] },
    binding,
  ]
}

/** @returns whether it would have been released */
async function releases({ input, bytes }: Sent): Promise<boolean> {
  answer = bytes
  const [key, binding] = keyOf(input)
  try {
    const { signature } = await custody(key, binding, input, 'r15')
    await verifyAfterSign(input, key.version.publicKey, signature)
    return true
  } catch (error) {
    if (isSignerError(error) && ['signature/unverified', 'signature/malformed'].includes(error.code)) return false
    throw error
  }
}

const N = secp256k1.Point.Fn.ORDER
const ecdsa = secp256k1.Signature.fromBytes(secp256k1.sign(DIGEST, SCALAR, { prehash: false, lowS: true }))
const der = ecdsa.toBytes('der')
const derOf = (r: bigint, s: bigint): Uint8Array => new secp256k1.Signature(r, s).toBytes('der')
const halves = (signature: Uint8Array) => [signature.slice(0, 32), signature.slice(32)] as const
const join = (a: Uint8Array, b: Uint8Array): Uint8Array => Uint8Array.from([...a, ...b])
const counted = (first: number): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => (first + i * 13) & 255)

/** The eight points of small order, in all spellings a decoder might take (RFC 7748 §7 gives the idea; orders 1, 2, 4, 8). */
const SMALL_ORDER = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map(hex => Uint8Array.from(Buffer.from(hex, 'hex')))

function* everyLie(): Generator<Sent> {
  for (let bit = 0; bit < 512; bit++) {
    yield { what: `Ed25519 bit ${bit}`, input: ED25519, bytes: oneBitOff(SIGNATURE, bit) }
  }
  for (let bit = 0; bit < der.length * 8; bit++) {
    yield { what: `DER bit ${bit}`, input: ECDSA, bytes: oneBitOff(der, bit) }
  }
  const [r, s] = halves(SIGNATURE)
  yield { what: 'R and S swapped', input: ED25519, bytes: join(s, r) }
  yield { what: 'r and s swapped', input: ECDSA, bytes: derOf(ecdsa.s, ecdsa.r) }
  yield { what: 'S + L', input: ED25519, bytes: plusOrder(SIGNATURE) }
  for (const point of SMALL_ORDER) {
    yield { what: 'small-order R', input: ED25519, bytes: join(point, s) }
    yield { what: 'small-order R, S = 0', input: ED25519, bytes: join(point, new Uint8Array(32)) }
  }
  for (const value of [1n, 2n, N - 1n, N - 2n]) {
    yield { what: `r = ${value}`, input: ECDSA, bytes: derOf(value, ecdsa.s) }
    yield { what: `s = ${value}`, input: ECDSA, bytes: derOf(ecdsa.r, value) }
  }
  yield { what: 'another scheme', input: ED25519, bytes: ecdsa.toBytes('compact') }
  yield { what: 'another scheme', input: ECDSA, bytes: SIGNATURE }
  const sign = (digest: Uint8Array, scalar: Uint8Array): Uint8Array =>
    secp256k1.Signature.fromBytes(secp256k1.sign(digest, scalar, { prehash: false, lowS: true })).toBytes('der')
  for (let first = 0; ; first++) {
    const other = counted(first)
    yield { what: 'another message', input: ED25519, bytes: ed25519.sign(other, SEED) }
    yield { what: 'another message', input: ECDSA, bytes: sign(other, SCALAR) }
    yield { what: 'another key', input: ED25519, bytes: ed25519.sign(HASH, other) }
    yield { what: 'another key', input: ECDSA, bytes: sign(DIGEST, other) }
    yield { what: 'R of another message', input: ED25519, bytes: join(halves(ed25519.sign(other, SEED))[0], s) }
    yield {
      what: 'S of another key',
      input: ED25519,
      bytes: join(
        r,
        halves(ed25519.sign(HASH, STRANGER_SEED))[1].map((b, i) => b ^ ((other[i] ?? 0) & 15)),
      ),
    }
  }
}

test('R-15 T37 of 2,048 flipped and substituted signatures none is released', async () => {
  expect(await releases({ what: 'the right one', input: ED25519, bytes: SIGNATURE })).toBe(true)
  expect(await releases({ what: 'the right one', input: ECDSA, bytes: der })).toBe(true)
  expect(
    await releases({ what: 'the right one with a high s, made low', input: ECDSA, bytes: derOf(ecdsa.r, N - ecdsa.s) }),
  ).toBe(true)
  const released: string[] = []
  const counts = new Map<string, number>()
  let total = 0
  for (const sent of everyLie()) {
    if (total === TOTAL) break
    total++
    const kind = sent.what.replace(/ (bit \d+|= .*)$/, '')
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
    if (await releases(sent)) released.push(sent.what)
  }
  const kinds = [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ')
  console.log(`# R-15: ${total} flipped or substituted signatures, ${released.length} released (${kinds})`)
  expect([total, released]).toEqual([TOTAL, []])
}, 120_000)
