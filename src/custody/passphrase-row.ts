/**
 * Keys that disbursement platforms keep under a passphrase, opened once so that they can be wrapped anew. Never written.
 */
import { gcm } from '@noble/ciphers/aes.js'
import { fromBase64 } from '../bytes/base64.ts'
import { secretRoom } from '../bytes/secret-room.ts'
import { sha256 } from '../bytes/sha256.ts'
import { SignerError } from '../domain/errors.ts'

const NONCE_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES = 16

/**
 * Standard base64 of nonce (12 bytes), ciphertext and tag (16): AES-128-GCM without associated data, under the first half
 * of the passphrase's SHA-256. Nothing binds such a row to its account, and a guess at the passphrase costs one hash, so
 * the address has to come from elsewhere and be compared.
 *
 * @param row         the text; a line break at its end is no part of it.
 * @param passphrase  UTF-8; a line break at its end is no part of it. Wiped here.
 * @returns what was encrypted, mostly the 56 characters of an `S…` seed; the caller wipes it.
 * @throws `request/malformed` for what is no such row; `envelope/unreadable` when passphrase and row do not belong together.
 * @see https://github.com/stellar/stellar-disbursement-platform-backend, `internal/utils/crypto.go`
 */
export function openPassphraseRow(row: Uint8Array, passphrase: Uint8Array): Uint8Array {
  try {
    const sealed = fromBase64(new TextDecoder().decode(withoutLineBreak(row)))
    if (sealed === undefined) throw malformed('is not one line of standard base64')
    if (sealed.length <= NONCE_BYTES + TAG_BYTES) {
      throw malformed(`holds ${sealed.length} bytes, and nonce and tag alone are ${NONCE_BYTES + TAG_BYTES}`)
    }
    const opened = decrypted(sealed, withoutLineBreak(passphrase))
    if (opened !== undefined) return opened
    const reason = 'the row does not open with this passphrase, or it is damaged'
    throw new SignerError('envelope/unreadable', { provider: 'passphrase row', reason })
  } finally {
    passphrase.fill(0)
  }
}

function decrypted(sealed: Uint8Array, passphrase: Uint8Array): Uint8Array | undefined {
  const hash = sha256(passphrase)
  try {
    const opened = gcm(hash.subarray(0, KEY_BYTES), sealed.subarray(0, NONCE_BYTES)).decrypt(
      sealed.subarray(NONCE_BYTES),
    )
    const room = secretRoom(opened.length)
    room.set(opened)
    opened.fill(0)
    return room
  } catch {
    return undefined // the tag does not fit; nothing was decrypted
  } finally {
    hash.fill(0)
  }
}

function withoutLineBreak(text: Uint8Array): Uint8Array {
  const end = text.at(-1) === 0x0a ? text.length - 1 : text.length
  return text.subarray(0, end < text.length && text[end - 1] === 0x0d ? end - 1 : end)
}

const malformed = (reason: string) =>
  new SignerError('request/malformed', {
    field: '--passphrase-row',
    reason,
    fix: 'give a file with one value of the column that holds the encrypted private key',
  })
