import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { test } from 'node:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { toHex } from '../../src/bytes/hex.ts'
import { sha256 } from '../../src/bytes/sha256.ts'
import { path, type RuntimeName, RUNTIMES, skip } from './child.ts'
import { needlesOf, shown, total } from './needles.ts'
import { type Found, searchMemory } from './search.ts'

const SIGNS = process.env['COUNTERSIGN_TEST_LONG'] === undefined ? 200 : 5_000
const MODES = ['sodium', 'webcrypto', 'secp256k1', 'control'] as const
type Mode = (typeof MODES)[number]

const digest = sha256(new TextEncoder().encode('residue'))

async function measure(runtime: RuntimeName, mode: Mode): Promise<Found> {
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
  const child = spawn(RUNTIMES[runtime], [path('./signer.ts'), JSON.stringify(order)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'] ?? '', NODE_NO_WARNINGS: '1' },
  })
  try {
    await signed(child)
    return searchMemory(child.pid ?? 0, needlesOf(seed, mode === 'secp256k1' ? 'ecdsa-secp256k1' : 'ed25519', digest))
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

for (const runtime of Object.keys(RUNTIMES) as RuntimeName[]) {
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
