/** What an import leaves of the seed in the memory of the process that made it, looked at from outside. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ed25519 } from '@noble/curves/ed25519.js'
import { type LocalKms, startLocalKms } from '../../local-kms/index.ts'
import { toHex } from '../../src/bytes/hex.ts'
import type { ImportOrder } from './importer.ts'
import { needlesOf, shown, total } from './needles.ts'
import { type Found, searchMemory } from './search.ts'

const IMPORTS = 20
const LONG = process.env['COUNTERSIGN_TEST_LONG'] !== undefined
const skip = existsSync('/proc/self/pagemap') ? false : 'there is no /proc to read another process from'
const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))
const RUNTIMES = {
  bun: process.versions.bun === undefined ? 'bun' : process.execPath,
  node: path('../../node_modules/.bin/node'),
}
const directory = mkdtempSync(join(tmpdir(), 'countersign-residue-'))
let kms: LocalKms
before(async () => {
  kms = await startLocalKms({ faces: ['vault'] })
  const headers = { 'x-vault-token': kms.vaultToken, 'content-type': 'application/json' }
  await fetch(`${kms.vault}/v1/sys/mounts/transit`, { method: 'POST', headers, body: '{"type":"transit"}' })
})
after(async () => {
  await kms.close()
  rmSync(directory, { recursive: true })
})

/** @returns what was found after the imports, and after one more whose seed was not wiped. */
async function measure(runtime: keyof typeof RUNTIMES): Promise<Found[]> {
  const seed = crypto.getRandomValues(new Uint8Array(32))
  const seedFile = join(directory, runtime)
  writeFileSync(seedFile, seed, { mode: 0o600 })
  const publicKey = toHex(ed25519.getPublicKey(seed))
  const order: ImportOrder = { address: kms.vault, token: kms.vaultToken, seedFile, publicKey }
  const child = spawn(RUNTIMES[runtime], [path('./importer.ts'), JSON.stringify(order)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'] ?? '', NODE_NO_WARNINGS: '1' },
  })
  const ended = once(child, 'exit')
  try {
    const found: Found[] = []
    for (const count of [IMPORTS, 1]) {
      child.stdin?.write(`${count}\n`)
      await imported(child)
      found.push(searchMemory(child.pid ?? 0, needlesOf(seed, 'ed25519', new Uint8Array(32))))
    }
    return found
  } finally {
    child.stdin?.end()
    await ended
  }
}

const imported = (child: ChildProcess): Promise<void> =>
  new Promise((resolve, reject) => {
    child.once('error', reject)
    const onExit = (code: number | null) => reject(new Error(`the importer ended with ${code}`))
    child.once('exit', onExit)
    child.stdout?.once('data', () => {
      child.off('exit', onExit)
      resolve()
    })
  })

for (const runtime of LONG ? (['bun', 'node'] as const) : (['bun'] as const)) {
  test(`M-66 T02: ${runtime}: ${IMPORTS} imports leave nothing of the seed, in no spelling; one that is not wiped is found`, {
    skip,
  }, async () => {
    const [found, control] = await measure(runtime)
    assert.ok(found !== undefined && control !== undefined)
    console.log(`residue ${runtime} import, ${IMPORTS} imports: ${shown(found)}`)
    assert.ok(found.searchedBytes > 4 * 2 ** 20, 'the search has seen the process')
    assert.equal(total(found), 0, shown(found))
    assert.ok(total(control) >= 1)
  })
}
