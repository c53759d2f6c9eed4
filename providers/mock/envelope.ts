import { SignerError } from '../../src/domain/errors.ts'
import type { Random } from '../../src/domain/ports.ts'
import type { EnvelopeContext, KeyRef } from '../../src/domain/provider.ts'
import { SecretBytes } from '../../src/domain/secret.ts'
import { developmentSecret } from './keys.ts'

/**
 * AES-256-GCM by WebCrypto. Layout: `CSM1`, 12 bytes nonce, ciphertext with 16 bytes tag. Bound as associated data: the
 * layout's name, the wrapping key and the context. The nonce is random; at 2^32 seals a key NIST SP 800-38D asks for a
 * new one, which a development key does not reach.
 */
const MAGIC = new Uint8Array([0x43, 0x53, 0x4d, 0x31])
const NONCE_BYTES = 12
const TAG_BYTES = 16

export async function importWrappingKey(label: string): Promise<CryptoKey> {
  const secret = developmentSecret('wrapping', label)
  try {
    return await secret.use(bytes =>
      crypto.subtle.importKey('raw', bytes as Uint8Array<ArrayBuffer>, 'AES-GCM', false, ['encrypt', 'decrypt']),
    )
  } finally {
    secret.wipe()
  }
}

export async function seal(
  key: CryptoKey,
  reference: KeyRef,
  plaintext: SecretBytes,
  context: EnvelopeContext,
  random: Random,
): Promise<Uint8Array> {
  const nonce = random.bytes(NONCE_BYTES)
  const parameters = gcm(nonce, reference, context)
  const sealed = await plaintext.use(bytes => crypto.subtle.encrypt(parameters, key, bytes as Uint8Array<ArrayBuffer>))
  const out = new Uint8Array(MAGIC.length + NONCE_BYTES + sealed.byteLength)
  out.set(MAGIC)
  out.set(nonce, MAGIC.length)
  out.set(new Uint8Array(sealed), MAGIC.length + NONCE_BYTES)
  return out
}

/** @throws `envelope/unreadable`, the same for every cause: what fits and what does not is not for an oracle to say. */
export async function unseal(
  provider: string,
  key: CryptoKey,
  reference: KeyRef,
  ciphertext: Uint8Array,
  context: EnvelopeContext,
): Promise<SecretBytes> {
  const nonce = ciphertext.slice(MAGIC.length, MAGIC.length + NONCE_BYTES)
  const sealed = ciphertext.slice(MAGIC.length + NONCE_BYTES)
  try {
    if (sealed.length <= TAG_BYTES || !MAGIC.every((byte, i) => ciphertext[i] === byte))
      throw new RangeError('not ours')
    const opened = await crypto.subtle.decrypt(gcm(nonce, reference, context), key, sealed)
    return new SecretBytes(new Uint8Array(opened), 'plaintext of unwrap')
  } catch (cause) {
    const reason = 'ciphertext, context and wrapping key do not belong together'
    throw new SignerError('envelope/unreadable', { provider, reason }, { cause })
  }
}

const gcm = (nonce: Uint8Array, reference: KeyRef, context: EnvelopeContext) => ({
  name: 'AES-GCM',
  iv: nonce as Uint8Array<ArrayBuffer>,
  additionalData: associatedData(reference, context) as Uint8Array<ArrayBuffer>,
  tagLength: TAG_BYTES * 8,
})

/**
 * Injective: every text is UTF-8 after its length (4 bytes, big-endian), pairs are counted and stand in the order of
 * their names, so two different contexts never give the same bytes. The caller refused text that is not well-formed.
 */
export function associatedData(reference: KeyRef, context: EnvelopeContext): Uint8Array {
  const names = Object.keys(context).toSorted()
  const texts = ['countersign mock envelope 1', reference, ...names.flatMap(name => [name, context[name] ?? ''])]
  const parts = texts.map(text => new TextEncoder().encode(text))
  const out = new Uint8Array(4 + parts.reduce((sum, part) => sum + 4 + part.length, 0))
  const view = new DataView(out.buffer)
  view.setUint32(0, names.length)
  let at = 4
  for (const part of parts) {
    view.setUint32(at, part.length)
    out.set(part, at + 4)
    at += 4 + part.length
  }
  return out
}
