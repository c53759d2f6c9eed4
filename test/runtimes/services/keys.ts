import { recoveryId } from '../../../src/bytes/recovery.ts'
import { sha256 } from '../../../src/bytes/sha256.ts'
import { verifySignature } from '../../../src/bytes/verify.ts'
import { evmAddress } from '../../../src/chains/evm/address.ts'
import { stellar } from '../../../src/chains/stellar/index.ts'
import { digest32 } from '../../../src/domain/brands.ts'
import { SecretBytes } from '../../../src/domain/secret.ts'
import type { Cases } from '../report.ts'
import { call } from '../world.ts'
import { EVM_KEY } from './places.ts'
import { seen } from './seen.ts'
import { ref, type Subject, withProvider } from './subject.ts'

export const MESSAGE = sha256(new TextEncoder().encode('parity message'))
export const CONTEXT = { pubkey: 'G…', key: 'parity', version: '1', network: 'testnet' }
export const seed = () => new SecretBytes(new Uint8Array(32).fill(5), 'parity')

/** Half of the order of secp256k1 (SEC 2 §2.4.1), rounded down: an s above it is refused by chains (EIP-2). */
const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n
const ECDSA_ROUNDS = 6

export const keyCases = (subject: Subject): Cases => ({
  'M-02 what the service says of its keys': () =>
    withProvider(subject, async provider => [
      provider.name,
      provider.can,
      await seen(async () => {
        const facts = await provider.describe(ref(subject, 'treasury'), call())
        return [facts, stellar.address(facts.publicKey)]
      }),
      await seen(async () => {
        const facts = await provider.describe(ref(subject, EVM_KEY), call())
        return [facts, evmAddress(facts.publicKey)]
      }),
    ]),
  'M-03 Ed25519 by the service, the same bytes every time': () =>
    withProvider(subject, async provider => {
      const input = { scheme: 'ed25519', message: MESSAGE } as const
      const key = ref(subject, 'treasury')
      const { publicKey } = await provider.describe(key, call())
      return Promise.all(
        [1, 2].map(() =>
          seen(async () => {
            const { signature, providerRequestId } = await provider.sign(key, input, call())
            return [signature, await verifySignature(input, publicKey, signature), typeof providerRequestId]
          }),
        ),
      )
    }),
  'M-04 secp256k1 by the service: other bytes every time, each of them good': () =>
    withProvider(subject, async provider => {
      const input = { scheme: 'ecdsa-secp256k1', digest: digest32(MESSAGE) } as const
      const key = ref(subject, EVM_KEY)
      return seen(async () => {
        const { publicKey } = await provider.describe(key, call())
        const rounds: unknown[] = []
        for (let round = 0; round < ECDSA_ROUNDS; round++) {
          const { signature } = await provider.sign(key, input, call())
          const s = signature.subarray(32).reduce((whole, byte) => (whole << 8n) | BigInt(byte), 0n)
          const recovers = [0, 1].includes(recoveryId(input.digest, signature, publicKey))
          rounds.push([await verifySignature(input, publicKey, signature), s <= HALF_ORDER, recovers])
        }
        return rounds
      })
    }),
  'M-05 wraps, and unwraps only under the same context, key and bytes': () =>
    withProvider(subject, async provider => {
      const key = ref(subject, 'wrapping')
      const row = await provider.wrap(key, seed(), CONTEXT, call())
      const flipped = row.slice()
      const last = flipped.length - 3
      // Another letter or digit where the row is text, so that it is still base64.
      flipped[last] = flipped[last] === 0x41 ? 0x42 : 0x41
      const unwrap = (name: 'wrapping' | 'other-wrapping', bytes: Uint8Array, under: Record<string, string>) =>
        seen(async () => {
          const { plaintext, providerRequestId } = await provider.unwrap(ref(subject, name), bytes, under, call())
          const hash = plaintext.use(sha256)
          plaintext.wipe()
          return [hash, typeof providerRequestId]
        })
      const { network, version, key: name, pubkey } = CONTEXT
      return {
        'as it was': await unwrap('wrapping', row, CONTEXT),
        'entries in another order': await unwrap('wrapping', row, { network, version, key: name, pubkey }),
        'another value': await unwrap('wrapping', row, { ...CONTEXT, network: 'public' }),
        'an entry less': await unwrap('wrapping', row, { pubkey, key: name, version }),
        'no context': await unwrap('wrapping', row, {}),
        'another key': await unwrap('other-wrapping', row, CONTEXT),
        'another bit': await unwrap('wrapping', flipped, CONTEXT),
        'cut off': await unwrap('wrapping', row.subarray(0, 24), CONTEXT),
        nothing: await unwrap('wrapping', new Uint8Array(), CONTEXT),
      }
    }),
})
