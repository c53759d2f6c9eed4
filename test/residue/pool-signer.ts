/**
 * The process that is searched when the key is under a passphrase: provider, custody and engine as they run, and no
 * network at all. Of the key it is given only the row and what opens it.
 */
import { readSync } from 'node:fs'
import { openProvider } from '../../providers/index.ts'
import { fromHex } from '../../src/bytes/hex.ts'
import { contextFor, createAttempts, createCustody, createEngines } from '../../src/custody/index.ts'
import type { Binding, KeyVersion } from '../../src/domain/key.ts'
import { canEnvelope } from '../../src/domain/provider.ts'
import { Secret } from '../../src/domain/secret.ts'
import { realWorld } from '../../src/runtime/world.ts'

export interface PoolOrder {
  /** `control` forgets to wipe what it opened last. */
  readonly mode: 'signer' | 'control'
  readonly passphrase: string
  readonly row: string
  readonly publicKey: string
  readonly digest: string
}

const bytes = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array()
const order = JSON.parse(process.argv[2] ?? '{}') as PoolOrder
const [ciphertext, publicKey, message] = [bytes(order.row), bytes(order.publicKey), bytes(order.digest)]
const reference = 'passphrase/channels'
const version: KeyVersion = {
  key: 'channel-1',
  version: 1,
  scheme: 'ed25519',
  publicKey,
  address: 'address',
  account: 'address',
  state: 'active',
}
const context = contextFor(version, 'testnet')
const binding: Binding = {
  id: 'b',
  key: 'channel-1',
  version: 1,
  provider: 'passphrase',
  custody: 'envelope',
  reference,
}
const key = {
  name: 'channel-1',
  chain: 'stellar',
  network: 'testnet',
  policy: '',
  policyHash: '',
  createdAt: 0,
} as const
const world = realWorld()
const provider = await openProvider(
  { kind: 'passphrase', passphrases: { channels: new Secret(order.passphrase, 'channels') } },
  { ...world, environment: 'production' },
)
if (!canEnvelope(provider)) throw new Error('the provider opens nothing')
const custody = createCustody({
  provider: async () => provider,
  readRow: async () => ({ bindingId: 'b', ciphertext, context }),
  engines: createEngines({ wasmFromBytes: true }),
  attempts: createAttempts({ clock: world.clock, random: world.random }),
})

/** Blocks, so that the process stands still while it is searched. @returns 0 when the parent closed the pipe. */
function nextCount(): number {
  const line = new Uint8Array(16)
  return Number(new TextDecoder().decode(line.subarray(0, readSync(0, line))))
}

const kept: Uint8Array[] = []
const resolved = { key, version, bindings: [binding] }
for (let count = nextCount(); count > 0; count = nextCount()) {
  for (let round = 0; round < count; round++) {
    const { signature } = await custody(resolved, binding, { scheme: 'ed25519', message }, 'req')
    if (signature.length !== 64) throw new Error('no signature')
  }
  if (order.mode === 'control') {
    const call = { requestId: 'req', signal: new AbortController().signal }
    const { plaintext } = await provider.unwrap(reference, ciphertext, context, call)
    plaintext.use(seed => kept.push(seed.slice()))
  }
  process.stdout.write('signed\n')
}
process.exit(kept.length > 99 ? 1 : 0)
