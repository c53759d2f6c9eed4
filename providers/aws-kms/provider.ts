import { type Signature64, signature64 } from '../../src/domain/brands.ts'
import { SignerError } from '../../src/domain/errors.ts'
import type { Capabilities, EnvelopeProvider, KeyRef, SignInput } from '../../src/domain/provider.ts'
import type { SecretBytes } from '../../src/domain/secret.ts'
import { ecdsaDerToCompact } from '../../src/bytes/der.ts'
import { checkedConfig, contextProblem } from '../checks.ts'
import { malformed } from '../judgement.ts'
import type { ProviderWorld } from '../world.ts'
import type { PlatformSources } from './credentials.ts'
import { type AwsKmsConfig, awsKmsSchema } from './config.ts'
import { describeKey } from './describe.ts'
import { bytesOf, requireArn, SPELLING } from './translate.ts'
import type { Transport } from './transport.ts'

const CAN: Capabilities = Object.freeze({
  native: Object.freeze(['ed25519', 'ecdsa-secp256k1'] as const),
  envelope: true,
  rotation: 'new-key',
  production: true,
})

/** Sign: RAW message 1 to 4096 bytes. Encrypt: plaintext 1 to 4096. Decrypt: ciphertext 1 to 6144. AWS KMS API reference. */
const MESSAGE_BYTES_MAX = 4096
const PLAINTEXT_BYTES_MAX = 4096
const CIPHERTEXT_BYTES_MAX = 6144

/**
 * AWS KMS over one of two transports. What a transport stands on is loaded when it is opened, so that a signer with the
 * lean one never loads AWS's SDK unless its credentials come from there.
 * @param platform where credentials come from that are not in the configuration; absent where there are no files.
 * @throws `config/invalid`
 */
export async function openAwsKms(
  config: AwsKmsConfig,
  world: ProviderWorld,
  platform: PlatformSources | undefined,
): Promise<EnvelopeProvider> {
  const checked = checkedConfig(awsKmsSchema(), config, 'see providers/aws-kms/README.md')
  const client = await openTransport(checked, world, platform)
  const name = checked.name ?? checked.kind

  return Object.freeze({
    name,
    can: CAN,

    describe: (key: KeyRef, call) => describeKey(client, name, key, call),

    async sign(key, input, call) {
      const bytes = bytesToSign(key, input)
      requireArn(name, 'Sign', key)
      const { algorithm, messageType } = SPELLING[input.scheme]
      const { output, providerRequestId } = await client.ask(
        'Sign',
        { KeyId: key, Message: bytes, MessageType: messageType, SigningAlgorithm: algorithm },
        call,
      )
      requireSameKey(name, key, output['KeyId'], providerRequestId)
      const signature = bytesOf(output['Signature'])
      if (signature === undefined) throw malformed(name, 'Sign: the answer holds no signature', providerRequestId)
      if (output['SigningAlgorithm'] !== algorithm) {
        const reason = 'Sign: the answer names another algorithm than the one that was asked for'
        throw new SignerError('provider/corrupt', { provider: name, reason, ...withRequestId(providerRequestId) })
      }
      return { signature: toSignature64(input, signature), ...withId(providerRequestId) }
    },

    async wrap(wrappingKey, plaintext, context, call) {
      requireArn(name, 'Encrypt', wrappingKey)
      const problem = contextProblem(context) ?? sizeProblem(plaintext)
      if (problem !== undefined)
        throw new SignerError('provider/refused', { provider: name, reason: `Encrypt: ${problem}` })
      const { output, providerRequestId } = await plaintext.use(bytes =>
        client.ask('Encrypt', { KeyId: wrappingKey, Plaintext: bytes, EncryptionContext: { ...context } }, call),
      )
      requireSameKey(name, wrappingKey, output['KeyId'], providerRequestId)
      const ciphertext = bytesOf(output['CiphertextBlob'])
      if (
        !isSymmetric(output['EncryptionAlgorithm']) ||
        ciphertext === undefined ||
        !isCiphertextSize(ciphertext.length)
      ) {
        throw malformed(name, 'Encrypt: the answer names another algorithm or holds no ciphertext', providerRequestId)
      }
      return ciphertext
    },

    async unwrap(wrappingKey, ciphertext, context, call) {
      requireArn(name, 'Decrypt', wrappingKey)
      const problem = contextProblem(context)
      if (problem !== undefined || !isCiphertextSize(ciphertext.length)) {
        const reason = `Decrypt: ${problem ?? `${ciphertext.length} bytes are no ciphertext of this service`}`
        throw new SignerError('envelope/unreadable', { provider: name, reason })
      }
      const { output, plaintext, providerRequestId } = await client.ask(
        'Decrypt',
        // The wrapping key is named although the ciphertext names it too: the service then refuses any other.
        { KeyId: wrappingKey, CiphertextBlob: ciphertext, EncryptionContext: { ...context } },
        call,
      )
      try {
        if (plaintext === undefined || !isSymmetric(output['EncryptionAlgorithm'])) {
          throw malformed(name, 'Decrypt: the answer names another algorithm or holds no plaintext', providerRequestId)
        }
        requireSameKey(name, wrappingKey, output['KeyId'], providerRequestId)
        return { plaintext, ...withId(providerRequestId) }
      } catch (error) {
        plaintext?.wipe()
        throw error
      }
    },

    close: async () => client.close(),
  } satisfies EnvelopeProvider)
}

const openTransport = async (
  config: AwsKmsConfig,
  world: ProviderWorld,
  platform: PlatformSources | undefined,
): Promise<Transport> =>
  config.transport === 'sdk'
    ? (await import('./client.ts')).openClient(config, world, platform)
    : (await import('./lean.ts')).openLean(config, world, platform)

/** What is sent, checked against the limits of the service before anything leaves. @throws `key/unsupported` */
function bytesToSign(key: KeyRef, input: SignInput): Uint8Array {
  switch (input.scheme) {
    case 'ed25519':
      if (input.message.length >= 1 && input.message.length <= MESSAGE_BYTES_MAX) return input.message
      throw unsupported(
        key,
        input.scheme,
        `AWS KMS signs messages of 1 to ${MESSAGE_BYTES_MAX} bytes, not ${input.message.length}`,
      )
    case 'ecdsa-secp256k1':
      if (input.digest.length === 32) return input.digest
      throw unsupported(key, input.scheme, `a digest has 32 bytes, not ${(input.digest as Uint8Array).length}`)
    default:
      throw unsupported(
        key,
        String((input as { scheme?: unknown }).scheme).slice(0, 40),
        'AWS KMS is not asked for this scheme',
      )
  }
}

/** Ed25519 comes raw, ECDSA as DER with whatever s the service drew. @throws `signature/malformed` */
function toSignature64({ scheme }: SignInput, wire: Uint8Array): Signature64 {
  if (scheme === 'ecdsa-secp256k1') return ecdsaDerToCompact(wire)
  if (wire.length === 64) return signature64(wire)
  throw new SignerError('signature/malformed', { reason: `an Ed25519 signature has 64 bytes, not ${wire.length}` })
}

/** @throws `key/mismatch`: something stands between us and the key, or the answer belongs to another request. */
function requireSameKey(provider: string, key: KeyRef, answered: unknown, requestId: string | undefined): void {
  if (typeof answered !== 'string') throw malformed(provider, 'the answer does not name its key', requestId)
  if (answered !== key) throw new SignerError('key/mismatch', { key, reason: 'AWS KMS answered for another key' })
}

const sizeProblem = ({ length }: SecretBytes): string | undefined =>
  length >= 1 && length <= PLAINTEXT_BYTES_MAX ? undefined : `a plaintext has 1 to ${PLAINTEXT_BYTES_MAX} bytes`

const isCiphertextSize = (length: number): boolean => length >= 1 && length <= CIPHERTEXT_BYTES_MAX

const isSymmetric = (algorithm: unknown): boolean => algorithm === 'SYMMETRIC_DEFAULT'

const withRequestId = (requestId: string | undefined) => (requestId === undefined ? {} : { requestId })

const withId = (providerRequestId: string | undefined) => (providerRequestId === undefined ? {} : { providerRequestId })

const unsupported = (key: KeyRef, wanted: string, reason: string) =>
  new SignerError('key/unsupported', { key, wanted, reason })
