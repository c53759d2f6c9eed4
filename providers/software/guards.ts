import { SignerError } from '../../src/domain/errors.ts'
import type { Call, KeyRef, Scheme, SignInput } from '../../src/domain/provider.ts'

/** One limit for all providers that sign here, that of AWS KMS: what works in development works in production. */
const MESSAGE_BYTES_MAX = 4096

/** @throws `key/unsupported` when `input` is not of the key's scheme or size. */
export function requireInput(key: KeyRef, scheme: Scheme, input: SignInput): void {
  if (input.scheme !== scheme) {
    const wanted = String((input as { scheme?: unknown }).scheme).slice(0, 40)
    throw new SignerError('key/unsupported', { key, wanted, reason: `the key is of scheme ${scheme}` })
  }
  const bytes: Uint8Array = input.scheme === 'ed25519' ? input.message : input.digest
  const allowed =
    input.scheme === 'ed25519' ? bytes.length >= 1 && bytes.length <= MESSAGE_BYTES_MAX : bytes.length === 32
  if (!allowed) {
    const reason = `${bytes.length} bytes cannot be signed: ${input.scheme === 'ed25519' ? `1 to ${MESSAGE_BYTES_MAX}` : '32'} can`
    throw new SignerError('key/unsupported', { key, wanted: scheme, reason })
  }
}

/** In this process nothing takes long: it is enough to look once before the work. @throws `provider/unavailable` */
export function requireLive(provider: string, call: Call, closed: boolean): void {
  if (call.signal.aborted)
    throw new SignerError('provider/unavailable', { provider, reason: 'given up before the key was used' })
  if (closed) throw new SignerError('provider/unavailable', { provider, reason: 'the provider was closed' })
}
