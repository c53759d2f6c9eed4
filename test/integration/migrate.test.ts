/** A seed off the environment into each key service, wrapped and as a key of the service: what it signs stays what it signed. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EncryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { Keypair } from '@stellar/stellar-sdk/base'
import { type LocalKms, startLocalKms } from '../../local-kms/index.ts'
import { registerDeps } from '../../src/compose/keys.ts'
import { openRoom } from '../../src/compose/room.ts'
import { roomSettings } from '../../src/compose/settings.ts'
import { loadConfig } from '../../src/config/load.ts'
import * as bun from '../../src/runtime/bun.ts'
import { type CliOptions, type Ended, ROOT, run, scratch } from '../support/cli.ts'
import { numbered, passphraseRow } from '../support/migration.ts'

const SEED = Keypair.random()
const PLACE = { project: 'payments', location: 'europe-west3', keyRing: 'signing' }
const WRAPPING_ID = '00000000-0000-4000-8000-0000000000d1'
const files = scratch()
let kms: LocalKms
let env: Record<string, string>

beforeAll(async () => {
  kms = await startLocalKms({ seed: { version: 1, keys: [{ keyId: WRAPPING_ID, spec: 'SYMMETRIC_DEFAULT' }] } })
  const { project, location, keyRing } = PLACE
  const ring = `${kms.gcpRest}/v1/projects/${project}/locations/${location}/keyRings?keyRingId=${keyRing}`
  expect((await fetch(ring, { method: 'POST' })).ok).toBe(true)
  await fetch(`${kms.vault}/v1/sys/mounts/transit`, {
    method: 'POST',
    headers: { 'x-vault-token': kms.vaultToken },
    body: '{"type":"transit"}',
  })
  env = { TEST_ID: 'test', TEST_SECRET: 'test', TEST_TOKEN: kms.vaultToken }
  writeFileSync(files.path('seed'), `${SEED.secret()}\n`, { mode: 0o600 })
})
afterAll(async () => {
  await kms.close()
  files.remove()
})

/** An installation of its own, for on one network a public key has one name. */
function config(name: string): string {
  const path = files.path(`${name}.toml`)
  writeFileSync(
    path,
    `environment = "staging"
[data]
directory = "${files.path(name)}"
[providers.aws]
kind = "aws-kms"
region = "us-east-1"
endpoint = "${kms.aws}"
accessKeyId = "env:TEST_ID"
secretAccessKey = "env:TEST_SECRET"
[providers.vault]
kind = "vault-transit"
address = "${kms.vault}"
token = "env:TEST_TOKEN"
[providers.gcp]
kind = "gcp-kms"
endpoint = "${kms.gcpRest}"
project = "${PLACE.project}"
location = "${PLACE.location}"
keyRing = "${PLACE.keyRing}"
`,
  )
  return path
}

const migrate = (file: string, argv: readonly string[], options: CliOptions = {}): Promise<Ended> =>
  run(['migrate', 'env', 'treasury', '--config', file, '--json', ...argv], {
    ...options,
    env: { ...env, ...options.env },
  })

/** What the key signs from where it is now. */
async function signs(file: string, message: Uint8Array): Promise<Uint8Array> {
  const loaded = await loadConfig({ file, flags: {}, env, readFile: path => readFileSync(path, 'utf8') })
  const room = await openRoom(roomSettings(loaded), bun.world())
  try {
    const key = await room.store.keys.resolve('treasury')
    const row = await room.store.keys.envelope(key?.bindings[0]?.id ?? '')
    if (key === undefined) throw new Error('no key')
    const deps = registerDeps(room, bun.world(), 'staging')
    return (await deps.trial(key, row, { scheme: 'ed25519', message })).signature
  } finally {
    await room.close()
  }
}

for (const provider of ['aws', 'vault', 'gcp']) {
  for (const custody of ['envelope', 'native']) {
    test(`M-66 one seed into ${provider}, ${custody}: the same address, and the same Ed25519 signature bit for bit`, async () => {
      const file = config(`${provider}-${custody}`)
      const argv = ['--provider', provider, '--custody', custody, '--seed-file', files.path('seed')]
      const moved = await migrate(file, [...argv, '--address', SEED.publicKey()])
      expect(moved.json).toMatchObject({
        outcome: 'migrated',
        address: SEED.publicKey(),
        key: { provider, custody, state: 'active' },
      })
      const message = crypto.getRandomValues(new Uint8Array(32))
      expect(await signs(file, message)).toEqual(new Uint8Array(SEED.sign(Buffer.from(message))))
      const again = await migrate(file, argv)
      expect(again.json).toMatchObject({ outcome: 'present', address: SEED.publicKey(), key: { version: 1 } })
    })
  }
}

test('M-66 M-61 the commands of docs/operations.md that bring keys here do what the page says, in its order', async () => {
  config('page')
  const client = new KMSClient({
    region: 'us-east-1',
    endpoint: kms.aws,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })
  const pubkey = numbered(9).publicKey()
  const { CiphertextBlob } = await client.send(
    new EncryptCommand({
      KeyId: WRAPPING_ID,
      Plaintext: numbered(9).rawSecretKey(),
      EncryptionContext: { pubkey },
    }),
  )
  client.destroy()
  const rows = [1, 2, 3].map(
    n => `${numbered(n).publicKey()},${passphraseRow(numbered(n).secret(), 'old')},channel-${n}`,
  )
  const content: Readonly<Record<string, string>> = {
    'seed.txt': `${SEED.secret()}\n`,
    'rows.csv': `${rows.join('\n')}\n`,
    'passphrase.txt': 'old\n',
    'blobs.csv': `address,ciphertext,name\n${pubkey},${Buffer.from(CiphertextBlob ?? []).toString('base64')},wallet\n`,
  }
  for (const [name, text] of Object.entries(content)) writeFileSync(files.path(name), text)
  const meant: Readonly<Record<string, string>> = {
    $WRAPPING: `arn:aws:kms:us-east-1:000000000000:key/${WRAPPING_ID}`,
    $TREASURY: SEED.publicKey(),
    'countersign.toml': files.path('page.toml'),
    ...Object.fromEntries(Object.keys(content).map(name => [name, files.path(name)])),
  }
  const plain = (text: string) => text.replaceAll(/\s+/g, ' ')
  const page = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8')
  const lines = [...page.matchAll(/^```sh migration\n([^`]*)^```/gm)].flatMap(([, block = '']) =>
    block.trim().split('\n'),
  )
  let printed = ''
  let ran = 0
  for (const line of lines) {
    if (line.startsWith('# → ')) {
      expect(plain(printed)).toContain(plain(line.slice(4)))
      continue
    }
    const [program, ...argv] = line.split(' ').map(word => meant[word] ?? word)
    const { exitCode, out, err } = await run(argv, { env })
    expect([line, program, exitCode, err.includes('error')]).toEqual([line, 'countersign', 0, false])
    printed = out
    ran++
  }
  expect(ran).toBe(8)
})
