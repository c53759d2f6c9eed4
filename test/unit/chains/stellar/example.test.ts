import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { Keypair } from '@stellar/stellar-sdk/base'
import { sha256 } from '../../../../src/bytes/sha256.ts'
import { stellar } from '../../../../src/chains/stellar/index.ts'
import { decide, defaultPolicy, demoPolicy } from '../../../../src/policy/index.ts'

const text = await readFile(new URL('../../../../examples/payment.xdr', import.meta.url), 'utf8')
const notes = await readFile(new URL('../../../../examples/README.md', import.meta.url), 'utf8')
const seedKey = (label: string) => Keypair.fromRawEd25519Seed(sha256(new TextEncoder().encode(label)))

/** An XDR writer of the test's own: the envelope by hand, byte for byte. */
const bytes = (...parts: ReadonlyArray<Uint8Array | readonly number[]>): Uint8Array =>
  Uint8Array.from(parts.flatMap(part => [...part]))
const uint32 = (value: number): readonly number[] => [
  value >>> 24,
  (value >>> 16) & 255,
  (value >>> 8) & 255,
  value & 255,
]
const uint64 = (value: bigint): readonly number[] => [
  ...uint32(Number(value >> 32n)),
  ...uint32(Number(value & 0xffffffffn)),
]
const key = seedKey('countersign demo-stellar development key')
const payee = seedKey('countersign example payee development key')
const payment = bytes(uint32(0), uint32(1), uint32(0), payee.rawPublicKey(), uint32(0), uint64(100_000_000n))
const transactionBytes = bytes(
  [...uint32(0), ...key.rawPublicKey()], // source: ed25519
  uint32(100), // fee
  uint64(4_294_967_297n), // sequence
  uint32(0), // preconditions: none
  uint32(0), // memo: none
  [...uint32(1), ...payment], // operations
  uint32(0), // ext
)
const networkId = sha256(new TextEncoder().encode('Test SDF Network ; September 2015'))

test('M-20 the example is one line of base64, V1, unsigned, as written by hand', () => {
  assert.ok(text.endsWith('=\n') && text.indexOf('\n') === text.length - 1)
  const written = bytes(uint32(2), transactionBytes, uint32(0))
  assert.equal(text.trim(), btoa(String.fromCharCode(...written)))
})

test('M-20 the hash is SHA-256 of network id, envelope type 2 and the transaction, by hand', () => {
  const parsed = stellar.parse({ type: 'stellar-transaction', xdr: text.trim() }, 'testnet')
  assert.deepEqual(parsed.hash, sha256(networkId, Uint8Array.from(uint32(2)), transactionBytes))
  assert.ok(
    notes.includes(stellar.hash(parsed)) && notes.includes(key.publicKey()) && notes.includes(payee.publicKey()),
  )
})

test('M-20, M-21 V0 and fee-bump by hand: the V0 hash is that of V1, the fee bump has type 5', () => {
  const old = bytes(
    uint32(0),
    key.rawPublicKey(),
    uint32(100),
    uint64(4_294_967_297n),
    uint32(0), // no time bounds
    uint32(0),
    [...uint32(1), ...payment],
    uint32(0),
    uint32(0),
  )
  const bumped = bytes(
    [...uint32(0), ...payee.rawPublicKey()],
    uint64(400n),
    [...uint32(2), ...transactionBytes, ...uint32(0)],
    uint32(0),
  )
  const parse = (envelope: Uint8Array) =>
    stellar.parse({ type: 'stellar-transaction', xdr: btoa(String.fromCharCode(...envelope)) }, 'testnet')
  assert.deepEqual(parse(old).hash, sha256(networkId, Uint8Array.from(uint32(2)), transactionBytes))
  assert.deepEqual(
    parse(bytes(uint32(5), bumped, uint32(0))).hash,
    sha256(networkId, Uint8Array.from(uint32(5)), bumped),
  )
})

test('M-52 the demo policy admits the example, the default policy of a new key does not', () => {
  const { view } = stellar.parse({ type: 'stellar-transaction', xdr: text.trim() }, 'testnet')
  const facts = { now: 1_790_000_000_000, keyAddress: key.publicKey(), keyNetwork: 'testnet' }
  assert.equal(decide(demoPolicy(), view, facts).kind, 'allow')
  assert.equal(decide(demoPolicy(), view, { ...facts, keyAddress: payee.publicKey() }).kind, 'allow')
  assert.equal(decide(defaultPolicy(), view, facts).kind, 'deny')
})

test('an XDR file with its line break is not exact base64: readers of files take it off', () => {
  assert.throws(() => stellar.parse({ type: 'stellar-transaction', xdr: text }, 'testnet'))
})
