import { type Signature64, signature64 } from '../../src/domain/brands.ts'
import { SignerError } from '../../src/domain/errors.ts'
import type { Capabilities, EnvelopeProvider, KeyFacts, KeyRef, Scheme, SignInput } from '../../src/domain/provider.ts'
import type { SecretBytes } from '../../src/domain/secret.ts'
import { ecdsaDerToCompact } from '../../src/bytes/der.ts'
import { contextProblem } from '../checks.ts'
import { contextBytes } from '../context-bytes.ts'
import { describeKey } from './describe.ts'
import {
  type About,
  checkedBytes,
  corrupt,
  crc32c,
  malformed,
  requireChecksum,
  requireName,
  requireVerified,
} from './integrity.ts'
import { isKeyName, isVersionName, keyOf, type Ring } from './names.ts'
import { isLevelOf, SPELLING } from './translate.ts'
import { numberIn, OPERATIONS, textIn, type Wire, type WireFields } from './wire.ts'

const CAN: Capabilities = Object.freeze({
  native: Object.freeze(['ed25519', 'ecdsa-secp256k1'] as const),
  envelope: true,
  rotation: 'new-key',
  production: true,
})

/** Ours, the same on every provider; the service takes 64 KiB in software and 8 KiB of plaintext and context in an HSM. */
const MESSAGE_BYTES_MAX = 4096
const PLAINTEXT_BYTES_MAX = 4096
const CONTEXT_BYTES_MAX = 4096
const CIPHERTEXT_BYTES_MAX = 8192

/** The provider above either transport. Every check of an answer stands here and in integrity.ts. */
export function providerOn(wire: Wire, name: string, ring: Ring): EnvelopeProvider {
  const schemes = rememberedSchemes()
  return Object.freeze({
    name,
    can: CAN,

    async describe(key: KeyRef, call) {
      const facts = await describeKey(wire, name, ring, key, call)
      schemes.note(facts)
      return facts
    },

    async sign(key, input, call) {
      const fields = fieldsToSign(key, input)
      schemes.check(key, input.scheme)
      if (!isVersionName(key)) {
        throw refused(name, 'AsymmetricSign: the reference names no key version; pin the one that describe returns')
      }
      const answer = await wire.attempt(OPERATIONS.sign, { name: key, fields }, call)
      const about: About = { provider: name, operation: 'AsymmetricSign', answer }
      requireName(about, key)
      requireVerified(about, SPELLING[input.scheme].verified)
      const signature = checkedBytes(about, 'signature')
      if (!isLevelOf(input.scheme, textIn(answer.message, 'protectionLevel'))) {
        throw new SignerError('key/mismatch', {
          key,
          reason: 'Cloud KMS names a protection level this key cannot have',
        })
      }
      return { signature: toSignature64(key, input, signature), ...withId(answer.providerRequestId) }
    },

    async wrap(wrappingKey, plaintext, context, call) {
      requireKey(name, 'Encrypt', wrappingKey)
      const aad = boundContext(context)
      const problem = typeof aad === 'string' ? aad : sizeProblem(plaintext)
      if (problem !== undefined || typeof aad === 'string') throw refused(name, `Encrypt: ${problem}`)
      const answer = await plaintext.use(bytes =>
        wire.attempt(
          OPERATIONS.encrypt,
          {
            name: wrappingKey,
            fields: { plaintext: bytes, plaintextCrc32c: crc32c(bytes), ...aadFields(aad) },
          },
          call,
        ),
      )
      const about: About = { provider: name, operation: 'Encrypt', answer }
      requireVersionOf(about, wrappingKey)
      requireVerified(about, 'verifiedPlaintextCrc32c')
      requireVerified(about, 'verifiedAdditionalAuthenticatedDataCrc32c')
      requireLevel(about)
      const ciphertext = checkedBytes(about, 'ciphertext')
      if (!isCiphertextSize(ciphertext.length))
        throw malformed(about, 'the ciphertext is larger than any of this service')
      return ciphertext
    },

    async unwrap(wrappingKey, ciphertext, context, call) {
      requireKey(name, 'Decrypt', wrappingKey)
      const aad = boundContext(context)
      if (typeof aad === 'string' || !isCiphertextSize(ciphertext.length)) {
        const why = typeof aad === 'string' ? aad : `${ciphertext.length} bytes are no ciphertext of this service`
        throw new SignerError('envelope/unreadable', { provider: name, reason: `Decrypt: ${why}` })
      }
      const fields = { ciphertext, ciphertextCrc32c: crc32c(ciphertext), ...aadFields(aad) }
      const answer = await wire.attempt(OPERATIONS.decrypt, { name: wrappingKey, fields }, call)
      const about: About = { provider: name, operation: 'Decrypt', answer }
      const { plaintext } = answer
      try {
        if (plaintext === undefined) throw malformed(about, 'the answer holds no plaintext')
        const sent = numberIn(answer.message, 'plaintextCrc32c')
        plaintext.use(bytes => requireChecksum(about, 'plaintext', bytes, sent))
        requireLevel(about)
        return { plaintext, ...withId(answer.providerRequestId) }
      } catch (error) {
        plaintext?.wipe()
        throw error
      }
    },

    close: async () => wire.close(),
  } satisfies EnvelopeProvider)
}

/** What is sent, checked against our limits before anything leaves. @throws `key/unsupported` */
function fieldsToSign(key: KeyRef, input: SignInput): WireFields {
  switch (input.scheme) {
    case 'ed25519': {
      const { message } = input
      if (message.length >= 1 && message.length <= MESSAGE_BYTES_MAX) {
        return { data: message, dataCrc32c: crc32c(message) }
      }
      throw unsupported(key, input.scheme, `messages have 1 to ${MESSAGE_BYTES_MAX} bytes, not ${message.length}`)
    }
    case 'ecdsa-secp256k1': {
      const { digest } = input
      // The member is called sha256 and carries any 32 bytes: our keccak-256, which is not hashed again.
      if (digest.length === 32) return { digest: { sha256: digest }, digestCrc32c: crc32c(digest) }
      throw unsupported(key, input.scheme, `a digest has 32 bytes, not ${(digest as Uint8Array).length}`)
    }
    default:
      throw unsupported(
        key,
        String((input as { scheme?: unknown }).scheme).slice(0, 40),
        'Cloud KMS is not asked for this scheme',
      )
  }
}

/**
 * A secp256k1 key that is given `data` hashes it with SHA-256 and signs: the service does not mind. The algorithm of a
 * version never changes, so what describe once saw is enough to refuse that before anything is sent.
 */
function rememberedSchemes() {
  const seen = new Map<KeyRef, Scheme>()
  return {
    note({ reference, scheme }: KeyFacts): void {
      if (seen.size >= REMEMBERED_MAX) seen.clear()
      seen.set(reference, scheme)
    },
    check(key: KeyRef, wanted: Scheme): void {
      const scheme = seen.get(key)
      if (scheme !== undefined && scheme !== wanted) throw unsupported(key, wanted, `the key signs ${scheme}`)
    },
  }
}
const REMEMBERED_MAX = 10_000

/**
 * Ed25519 comes raw, ECDSA as DER with whatever s the service drew.
 * @throws `signature/malformed`; `key/mismatch` when an Ed25519 key answers with an ECDSA signature.
 */
function toSignature64(key: KeyRef, { scheme }: SignInput, wire: Uint8Array): Signature64 {
  if (scheme === 'ecdsa-secp256k1') return ecdsaDerToCompact(wire)
  if (wire.length === 64) return signature64(wire)
  if (isEcdsa(wire)) throw new SignerError('key/mismatch', { key, reason: 'the key answered with an ECDSA signature' })
  throw new SignerError('signature/malformed', { reason: `an Ed25519 signature has 64 bytes, not ${wire.length}` })
}

function isEcdsa(wire: Uint8Array): boolean {
  try {
    ecdsaDerToCompact(wire)
    return true
  } catch {
    return false
  }
}

function requireKey(provider: string, operation: string, key: KeyRef): void {
  if (isKeyName(key)) return
  throw refused(
    provider,
    `${operation}: the reference is no full key name: projects/P/locations/L/keyRings/R/cryptoKeys/K`,
  )
}

/** Encrypt answers with the version it used, which has to be one of the key that was asked. */
function requireVersionOf(about: About, key: KeyRef): void {
  const version = textIn(about.answer.message, 'name')
  if (version === undefined) throw malformed(about, 'the answer does not name its key')
  if (!isVersionName(version) || keyOf(version) !== key) {
    throw new SignerError('key/mismatch', { key, reason: 'Cloud KMS answered for another key' })
  }
}

const LEVELS = ['SOFTWARE', 'HSM', 'HSM_SINGLE_TENANT', 'EXTERNAL', 'EXTERNAL_VPC']
/** Says nothing about security; an answer with another word in this place is damaged. */
function requireLevel(about: About): void {
  const level = textIn(about.answer.message, 'protectionLevel')
  if (level === undefined || !LEVELS.includes(level)) throw corrupt(about, 'the answer names no protection level')
}

/** The context as associated data, or why not. */
function boundContext(context: Readonly<Record<string, string>>): Uint8Array | string {
  const problem = contextProblem(context)
  if (problem !== undefined) return problem
  const bytes = contextBytes(context)
  return bytes.length <= CONTEXT_BYTES_MAX ? bytes : `a context has at most ${CONTEXT_BYTES_MAX} bytes`
}

const aadFields = (aad: Uint8Array): WireFields => ({
  additionalAuthenticatedData: aad,
  additionalAuthenticatedDataCrc32c: crc32c(aad),
})

const sizeProblem = ({ length }: SecretBytes): string | undefined =>
  length >= 1 && length <= PLAINTEXT_BYTES_MAX ? undefined : `a plaintext has 1 to ${PLAINTEXT_BYTES_MAX} bytes`

const isCiphertextSize = (length: number): boolean => length >= 1 && length <= CIPHERTEXT_BYTES_MAX

const withId = (providerRequestId: string | undefined) => (providerRequestId === undefined ? {} : { providerRequestId })

const unsupported = (key: KeyRef, wanted: string, reason: string) =>
  new SignerError('key/unsupported', { key, wanted, reason })

const refused = (provider: string, reason: string) => new SignerError('provider/refused', { provider, reason })
