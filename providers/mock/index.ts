import { SignerError } from '../../src/domain/errors.ts'
import type { Capabilities, EnvelopeContext, EnvelopeProvider, KeyRef } from '../../src/domain/provider.ts'
import type { SecretBytes } from '../../src/domain/secret.ts'
import { contextProblem } from '../checks.ts'
import { refuseProduction } from '../may-serve.ts'
import { memoised } from '../once.ts'
import { requireInput, requireLive } from '../software/guards.ts'
import { openSoftwareKey, type SoftwareKey } from '../software/key.ts'
import type { ProviderWorld } from '../world.ts'
import type { MockConfig } from './config.ts'
import { importWrappingKey, seal, unseal } from './envelope.ts'
import { houseOf, requireEnabled } from './house.ts'
import { developmentSecret, isImported, parseReference } from './keys.ts'

export { assertMayServe, type Place } from '../may-serve.ts'
export { developmentSecret, devPublicKey, reference as devReference } from './keys.ts'
export { DEVELOPMENT_LABELS, isDevelopmentKey } from '../development-keys.ts'

const CAN: Capabilities = Object.freeze({
  native: Object.freeze(['ed25519', 'ecdsa-secp256k1'] as const),
  envelope: true,
  rotation: 'new-key',
  production: false,
})

/** As AWS KMS has it, so that what works here works there. */
const PLAINTEXT_BYTES_MAX = 4096

/**
 * Keys in this process for development. Its signatures and envelopes are real; its keys are public. Knows no network:
 * whoever joins it to a key asks `assertMayServe`, for every request.
 * @throws `start/refused` in production
 */
export async function create(config: MockConfig, world: ProviderWorld): Promise<EnvelopeProvider> {
  refuseProduction(world.environment, 'The mock provider', 'set the provider to aws-kms')
  const name = config.name ?? config.kind
  let closed = false
  const house = houseOf(world)
  const signing = memoised(async (key: KeyRef): Promise<SoftwareKey> => {
    const brought = isImported(key) ? house.imported.get(key) : undefined
    if (brought !== undefined) return brought
    const { use, label } = parseReference(name, key)
    if (use === 'wrapping') throw notForSigning(key)
    const opened = await openSoftwareKey(use, developmentSecret(use, label))
    if (opened === undefined)
      throw new SignerError('provider/refused', { provider: name, reason: 'this label gives no key' })
    return opened
  })
  const wrapping = memoised(async (key: KeyRef): Promise<CryptoKey> => {
    const { use, label } = parseReference(name, key)
    if (use === 'wrapping') return importWrappingKey(label)
    throw new SignerError('provider/refused', {
      provider: name,
      reason: 'the key is a signing key, not a wrapping key',
    })
  })

  return Object.freeze({
    name,
    can: CAN,

    async describe(key, call) {
      requireLive(name, call, closed)
      const { scheme, publicKey } = await signing.get(key)
      requireEnabled(name, house, key)
      return { reference: key, scheme, publicKey: publicKey.slice(), protection: 'software' }
    },

    async sign(key, input, call) {
      requireLive(name, call, closed)
      const opened = await signing.get(key)
      requireEnabled(name, house, key)
      requireInput(key, opened.scheme, input)
      return { signature: await opened.sign(input) }
    },

    async wrap(wrappingKey, plaintext, context, call) {
      requireLive(name, call, closed)
      const problem = contextProblem(context) ?? sizeProblem(plaintext)
      if (problem !== undefined) throw new SignerError('provider/refused', { provider: name, reason: problem })
      return seal(await wrapping.get(wrappingKey), wrappingKey, plaintext, context, world.random)
    },

    async unwrap(wrappingKey: KeyRef, ciphertext: Uint8Array, context: EnvelopeContext, call) {
      requireLive(name, call, closed)
      const problem = contextProblem(context)
      if (problem !== undefined) throw new SignerError('envelope/unreadable', { provider: name, reason: problem })
      return { plaintext: await unseal(name, await wrapping.get(wrappingKey), wrappingKey, ciphertext, context) }
    },

    async close() {
      closed = true
      signing.clear()
      wrapping.clear()
    },
  } satisfies EnvelopeProvider)
}

const sizeProblem = ({ length }: SecretBytes): string | undefined =>
  length >= 1 && length <= PLAINTEXT_BYTES_MAX ? undefined : `a plaintext has 1 to ${PLAINTEXT_BYTES_MAX} bytes`

const notForSigning = (key: KeyRef) =>
  new SignerError('key/unsupported', { key, wanted: 'a signing key', reason: 'the key is a wrapping key' })
