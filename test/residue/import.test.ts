/** What an import leaves of the seed in the memory of the process that made it, looked at from outside. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { type LocalKms, startLocalKms } from '../../local-kms/index.ts'
import { toHex } from '../../src/bytes/hex.ts'
import { mountTransit } from '../support/key-services.ts'
import { lookAt, type RuntimeName, skip } from './child.ts'
import type { ImportOrder } from './importer.ts'
import { needlesOf, shown, total } from './needles.ts'
import type { Found } from './search.ts'

const IMPORTS = 20
const LONG = process.env['COUNTERSIGN_TEST_LONG'] !== undefined
const directory = mkdtempSync(join(tmpdir(), 'countersign-residue-'))
let kms: LocalKms
before(async () => {
  kms = await startLocalKms({ faces: ['vault'] })
  await mountTransit(kms.vault, kms.vaultToken)
})
after(async () => {
  await kms.close()
  rmSync(directory, { recursive: true })
})

/** @returns what was found after the imports, and after one more whose seed was not wiped. */
async function measure(runtime: RuntimeName): Promise<Found[]> {
  const seed = crypto.getRandomValues(new Uint8Array(32))
  const seedFile = join(directory, runtime)
  writeFileSync(seedFile, seed, { mode: 0o600 })
  const publicKey = toHex(ed25519.getPublicKey(seed))
  const order: ImportOrder = { address: kms.vault, token: kms.vaultToken, seedFile, publicKey }
  const needles = needlesOf(seed, 'ed25519', new Uint8Array(32))
  return lookAt(runtime, { script: './importer.ts', order, counts: [IMPORTS, 1], needles })
}

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
