/**
 * The process that is searched when the whole path counts: the real provider asks a key service that runs elsewhere, and
 * custody signs with what it opened. Signs as often as a line on standard input says, answers, and waits to be looked at.
 *
 * Of the key it is given only the ciphertext, so whatever a search finds came in through the network.
 */
import { readSync } from 'node:fs'
import { DecryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { openProvider } from '../../providers/index.ts'
import { toBase64 } from '../../src/bytes/base64.ts'
import { fromHex } from '../../src/bytes/hex.ts'
import { contextFor, createAttempts, createCustody, createEngines } from '../../src/custody/index.ts'
import type { Binding, KeyVersion } from '../../src/domain/key.ts'
import { canEnvelope, type EnvelopeProvider, type KeyRef } from '../../src/domain/provider.ts'
import { realWorld } from '../../src/runtime/world.ts'

export interface DecryptOrder {
  /** `sdk` is what an application does that asks the vendor's library and signs. `control` forgets to wipe one copy. */
  readonly mode: 'signer' | 'sdk' | 'control'
  readonly endpoint: string
  readonly region: string
  readonly wrappingKey: KeyRef
  readonly ciphertext: string
  readonly publicKey: string
  readonly digest: string
}

const bytes = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array()
const order = JSON.parse(process.argv[2] ?? '{}') as DecryptOrder
const [ciphertext, publicKey, message] = [bytes(order.ciphertext), bytes(order.publicKey), bytes(order.digest)]
const { region, endpoint, wrappingKey } = order

const version: KeyVersion = {
  key: 'treasury',
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
  key: 'treasury',
  version: 1,
  provider: 'aws-kms',
  custody: 'envelope',
  reference: wrappingKey,
}
const key = {
  name: 'treasury',
  chain: 'stellar',
  network: 'testnet',
  policy: '',
  policyHash: '',
  createdAt: 0,
} as const
const engines = createEngines({ wasmFromBytes: true })
const world = realWorld()
const opened = await openProvider({ kind: 'aws-kms', region, endpoint }, { ...world, environment: 'development' })
if (!canEnvelope(opened)) throw new Error('the provider opens nothing')
const provider: EnvelopeProvider = opened
const custody = createCustody({
  provider: async () => provider,
  readRow: async () => ({ bindingId: 'b', ciphertext, context }),
  engines,
  attempts: createAttempts({ clock: world.clock, random: world.random }),
})

const bySigner = async (): Promise<Uint8Array> =>
  (await custody({ key, version, bindings: [binding] }, binding, { scheme: 'ed25519', message }, 'req')).signature

const client = new KMSClient({ region, endpoint, credentials: { accessKeyId: 'a', secretAccessKey: 's' } })
async function bySdk(): Promise<Uint8Array> {
  const command = new DecryptCommand({ KeyId: wrappingKey, CiphertextBlob: ciphertext, EncryptionContext: context })
  const { Plaintext: seed = new Uint8Array() } = await client.send(command)
  return (await engines('ed25519')).sign(seed, message, publicKey)
}

const kept: Uint8Array[] = []
async function forget(): Promise<void> {
  const call = { requestId: 'req', signal: new AbortController().signal }
  const { plaintext } = await provider.unwrap(wrappingKey, ciphertext, context, call)
  plaintext.use(seed => kept.push(seed.slice(), new TextEncoder().encode(toBase64(seed))))
}

/** Blocks, so that the process stands still while it is searched. @returns 0 when the parent closed the pipe. */
function nextCount(): number {
  const line = new Uint8Array(16)
  return Number(new TextDecoder().decode(line.subarray(0, readSync(0, line))))
}

const sign = order.mode === 'sdk' ? bySdk : bySigner
for (let count = nextCount(); count > 0; count = nextCount()) {
  for (let round = 0; round < count; round++) if ((await sign()).length !== 64) throw new Error('no signature')
  if (order.mode === 'control') await forget()
  process.stdout.write('signed\n')
}
process.exit(kept.length > 99 ? 1 : 0)
