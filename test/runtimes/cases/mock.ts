import { create, devReference } from '../../../providers/mock/index.ts'
import { sha256 } from '../../../src/bytes/sha256.ts'
import { verifySignature } from '../../../src/bytes/verify.ts'
import { digest32 } from '../../../src/domain/brands.ts'
import type { SignInput } from '../../../src/domain/provider.ts'
import { SecretBytes } from '../../../src/domain/secret.ts'
import { type Cases, outcome } from '../report.ts'
import { call, providerWorld } from '../world.ts'

const message = sha256(new TextEncoder().encode('parity message'))
const INPUTS: readonly SignInput[] = [
  { scheme: 'ed25519', message },
  { scheme: 'ecdsa-secp256k1', digest: digest32(message) },
]
const open = () => create({ kind: 'mock' }, providerWorld('mock'))
const secret = () => new SecretBytes(new Uint8Array(32).fill(5), 'parity')

export const mockCases: Cases = {
  'describes and signs with both schemes': async () => {
    const provider = await open()
    return Promise.all(
      INPUTS.map(async input => {
        const reference = devReference(input.scheme, 'parity')
        const facts = await provider.describe(reference, call())
        const { signature } = await provider.sign(reference, input, call())
        return [facts, signature, await verifySignature(input, facts.publicKey, signature)]
      }),
    )
  },
  'refuses what it cannot': async () => {
    const provider = await open()
    const [ed, ec] = INPUTS as [SignInput, SignInput]
    return Promise.all([
      outcome(() => provider.sign(devReference('ed25519', 'parity'), ec, call())),
      outcome(() => provider.sign(devReference('wrapping', 'parity'), ed, call())),
      outcome(() => provider.describe('mock/ed25519/parity/00000000', call())),
      outcome(() => create({ kind: 'mock' }, { ...providerWorld('x'), environment: 'production' })),
    ])
  },
  'M-05 wraps, and unwraps only under the same context, key and bytes': async () => {
    const provider = await open()
    const reference = devReference('wrapping', 'parity')
    const context = { pubkey: 'G…', keyId: 'parity', network: 'testnet' }
    const row = await provider.wrap(reference, secret(), context, call())
    const unwrap = (key: string, bytes: Uint8Array, under: Record<string, string>) =>
      outcome(async () => (await provider.unwrap(key, bytes, under, call())).plaintext.use(open => open.slice()))
    const flipped = row.slice()
    flipped[20] = (flipped[20] ?? 0) ^ 1
    return [
      row,
      await unwrap(reference, row, context),
      await unwrap(reference, row, { network: 'testnet', keyId: 'parity', pubkey: 'G…' }),
      await unwrap(reference, row, { ...context, pubkey: 'other' }),
      await unwrap(devReference('wrapping', 'other'), row, context),
      await unwrap(reference, flipped, context),
      await unwrap(reference, row.subarray(0, 10), context),
    ]
  },
}
