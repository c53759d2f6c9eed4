/**
 * The process that is searched: signs by envelope with one engine, says so, and waits to be looked at.
 *
 * The seed comes in two halves that give it by exclusive or, so that it stands nowhere but where the signing path puts
 * it: the stand-in for the key service joins them for every `unwrap`, as a provider parses its answer, into wiped bytes.
 */
import { readSync } from 'node:fs'
import { fromHex } from '../../src/bytes/hex.ts'
import { secretRoom } from '../../src/bytes/secret-room.ts'
import { contextFor, createAttempts, createCustody, createEngines } from '../../src/custody/index.ts'
import { digest32 } from '../../src/domain/brands.ts'
import type { Binding, KeyVersion } from '../../src/domain/key.ts'
import type { EnvelopeProvider, Scheme, SignInput } from '../../src/domain/provider.ts'
import { SecretBytes } from '../../src/domain/secret.ts'

interface Order {
  readonly mode: 'sodium' | 'webcrypto' | 'secp256k1' | 'control'
  readonly signs: number
  readonly halves: readonly [string, string]
  readonly publicKey: string
  readonly digest: string
}

const bytes = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array()
const order = JSON.parse(process.argv[2] ?? '{}') as Order
const [left, right] = [bytes(order.halves[0]), bytes(order.halves[1])]
const scheme: Scheme = order.mode === 'secp256k1' ? 'ecdsa-secp256k1' : 'ed25519'

function joined(): Uint8Array {
  const seed = secretRoom(32)
  for (let at = 0; at < 32; at++) seed[at] = (left[at] ?? 0) ^ (right[at] ?? 0)
  return seed
}

const never = (): Promise<never> => Promise.reject(new Error('not part of this measurement'))
const provider: EnvelopeProvider = {
  name: 'stand-in',
  can: { native: [], envelope: true, rotation: 'none', production: false },
  describe: never,
  sign: never,
  wrap: never,
  unwrap: async () => ({ plaintext: new SecretBytes(joined(), 'seed') }),
  close: async () => {},
}
const version: KeyVersion = {
  key: 'treasury',
  version: 1,
  scheme,
  publicKey: bytes(order.publicKey),
  address: 'address',
  account: 'address',
  state: 'active',
}
const binding: Binding = { id: 'b', key: 'treasury', version: 1, provider: 'p', custody: 'envelope', reference: 'r' }
const key = {
  name: 'treasury',
  chain: 'stellar',
  network: 'testnet',
  policy: '',
  policyHash: '',
  createdAt: 0,
} as const
const custody = createCustody({
  provider: async () => provider,
  readRow: async () => ({ bindingId: 'b', ciphertext: new Uint8Array(), context: contextFor(version, 'testnet') }),
  engines: createEngines({ wasmFromBytes: order.mode !== 'webcrypto' }),
  attempts: createAttempts({
    clock: { now: () => Date.now(), monotonic: () => performance.now(), sleep: () => new Promise(() => {}) },
    random: { bytes: length => new Uint8Array(length) },
  }),
})
const digest = digest32(bytes(order.digest))
const input: SignInput = scheme === 'ed25519' ? { scheme, message: digest } : { scheme, digest }

for (let round = 0; round < order.signs; round++) {
  const { signature } = await custody({ key, version, bindings: [binding] }, binding, input, 'req')
  if (signature.length !== 64) throw new Error('no signature')
}
// What the search must find: one copy that nobody wiped.
const forgotten = order.mode === 'control' ? joined() : undefined

process.stdout.write('signed\n')
readSync(0, new Uint8Array(1)) // until the parent closes the pipe
process.exit(forgotten === undefined || forgotten.length === 32 ? 0 : 1)
