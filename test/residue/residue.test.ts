import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { StrKey } from '@stellar/stellar-sdk'
import { toBase64, toBase64Url } from '../../src/bytes/base64.ts'
import { fromHex, toHex } from '../../src/bytes/hex.ts'
import { sha256 } from '../../src/bytes/sha256.ts'
import { type Found, type Needle, searchMemory } from './search.ts'

const SIGNS = process.env['COUNTERSIGN_TEST_LONG'] === undefined ? 200 : 5_000
const MODES = ['sodium', 'webcrypto', 'secp256k1', 'control'] as const
type Mode = (typeof MODES)[number]

const skip = existsSync('/proc/self/pagemap') ? false : 'there is no /proc to read another process from'
const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))
const RUNTIMES: Readonly<Record<string, string>> = {
  bun: process.versions.bun === undefined ? 'bun' : process.execPath,
  node: path('../../node_modules/.bin/node'),
}
const digest = sha256(new TextEncoder().encode('residue'))

function needlesOf(seed: Uint8Array, mode: Mode): Needle[] {
  const text = (name: string, value: string): Needle[] => [
    { name, bytes: new TextEncoder().encode(value) },
    { name: `${name}, UTF-16`, bytes: new Uint8Array(Buffer.from(value, 'utf16le')) },
  ]
  const texts = [
    ...text('hex', toHex(seed)),
    ...text('HEX', toHex(seed).toUpperCase()),
    ...text('base64', toBase64(seed).slice(0, 42)),
    ...text('base64url', toBase64Url(seed).slice(0, 42)),
  ]
  // A big integer keeps its digits the other way round.
  const both = [...halves('seed', seed), ...halves('seed, reversed', seed.toReversed())]
  if (mode === 'secp256k1') return [...both, ...texts]
  const expanded = sha512(seed)
  const scalar = expanded.slice(0, 32)
  scalar[0] = (scalar[0] ?? 0) & 248
  scalar[31] = ((scalar[31] ?? 0) & 127) | 64
  const nonce = sha512(Uint8Array.of(...expanded.slice(32), ...digest))
  return [
    ...both,
    ...halves('SHA-512, left', expanded.slice(0, 32)),
    ...halves('SHA-512, right', expanded.slice(32)),
    ...halves('scalar', scalar),
    ...halves('scalar mod L', reduced(scalar)),
    ...halves('nonce', nonce.slice(0, 32)),
    ...halves('nonce mod L', reduced(nonce)),
    ...text('strkey', StrKey.encodeEd25519SecretSeed(Buffer.from(seed))),
    ...texts,
  ]
}

/** Either half of a secret is as good as found. */
const halves = (name: string, secret: Uint8Array): Needle[] => [
  { name: `${name} (first half)`, bytes: secret.slice(0, 16) },
  { name: `${name} (second half)`, bytes: secret.slice(16, 32) },
]

function reduced(littleEndian: Uint8Array): Uint8Array {
  const value = BigInt(`0x${toHex(littleEndian.toReversed())}`) % ed25519.Point.Fn.ORDER
  return (fromHex(value.toString(16).padStart(64, '0')) as Uint8Array).toReversed()
}

async function measure(runtime: string, mode: Mode): Promise<Found> {
  const seed = crypto.getRandomValues(new Uint8Array(32))
  const left = crypto.getRandomValues(new Uint8Array(32))
  const right = left.map((byte, at) => byte ^ (seed[at] ?? 0))
  const publicKey = mode === 'secp256k1' ? secp256k1.getPublicKey(seed, false) : ed25519.getPublicKey(seed)
  const order = {
    mode,
    signs: SIGNS,
    halves: [toHex(left), toHex(right)],
    publicKey: toHex(publicKey),
    digest: toHex(digest),
  }
  const child = spawn(RUNTIMES[runtime] ?? runtime, [path('./signer.ts'), JSON.stringify(order)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'] ?? '', NODE_NO_WARNINGS: '1' },
  })
  try {
    await signed(child)
    return searchMemory(child.pid ?? 0, needlesOf(seed, mode))
  } finally {
    child.stdin?.end()
    await new Promise(resolve => child.once('exit', resolve))
  }
}

const signed = (child: ChildProcess): Promise<void> =>
  new Promise((resolve, reject) => {
    child.stdout?.once('data', () => resolve())
    child.once('error', reject)
    child.once('exit', code => reject(new Error(`the signer ended with ${code}`)))
  })

const total = ({ hits }: Found): number => Object.values(hits).reduce((sum, hit) => sum + hit, 0)
const shown = ({ hits, searchedBytes }: Found): string => {
  const kinds = Object.entries(hits).filter(([, hit]) => hit > 0)
  const list = kinds.map(([name, hit]) => `${hit} × ${name}`).join(', ')
  return `${list === '' ? 'nothing' : list} in ${Math.round(searchedBytes / 2 ** 20)} MiB`
}

for (const runtime of Object.keys(RUNTIMES)) {
  for (const mode of MODES) {
    test(`R-22 T02: ${runtime}, ${mode}: ${SIGNS} signatures by envelope, then a search from outside`, {
      skip,
    }, async () => {
      const found = await measure(runtime, mode)
      console.log(`residue ${runtime} ${mode}: ${shown(found)}`)
      assert.ok(found.searchedBytes > 4 * 2 ** 20, 'the search has seen the process')
      if (mode === 'control') {
        assert.ok((found.hits['seed (first half)'] ?? 0) >= 1, 'a forgotten copy is found')
        assert.ok((found.hits['seed (second half)'] ?? 0) >= 1, 'a forgotten copy is found')
      }
      // The other engines cannot wipe everything; their figures are published, not promised.
      if (mode === 'sodium') assert.equal(total(found), 0, shown(found))
    })
  }
}
