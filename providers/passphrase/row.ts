import { gcm } from '@noble/ciphers/aes.js'
import { equalBytes } from '../../src/bytes/equal.ts'
import { secretRoom } from '../../src/bytes/secret-room.ts'
import type { EnvelopeContext } from '../../src/domain/provider.ts'
import { contextBytes } from '../context-bytes.ts'
import { type Cost, knownCost } from './cost.ts'
import type { Derive } from './derive.ts'

/**
 * One encrypted key. Integers are big-endian; `README.md` has the same table.
 *
 *     0  4  `CSP1`                    10 16  salt
 *     4  1  1 Argon2id, 2 scrypt      26 12  nonce
 *     5  1  passes                    38 32  commitment to key and passphrase
 *     6  4  memory, KiB               70  n  ciphertext, and its tag of 16 bytes
 *
 * The KDF gives 64 bytes: the AES-256 key, and the commitment. GCM alone would not say under which passphrase a row was
 * made: one can be built that opens under many, and whoever may write rows and watch them fail could use it to try many
 * passphrases at a time (Len, Grubbs, Ristenpart: Partitioning Oracle Attacks, USENIX Security 2021). Associated data is
 * everything before the ciphertext and then the context; the first part has one length, so the whole is injective.
 */
const MAGIC = new Uint8Array([0x43, 0x53, 0x50, 0x31])
const KDFS = ['argon2id', 'scrypt'] as const
const SALT = 10
const NONCE = 26
const COMMITMENT = 38
const HEADER_BYTES = 70
const KEY_BYTES = 32
const TAG_BYTES = 16
export const PLAINTEXT_BYTES_MAX = 4096

/** What a row says of itself before any work is done for it. */
export interface Row {
  readonly cost: Cost
  readonly bytes: Uint8Array
}

/** @returns undefined for what we did not write, and for a cost we do not pay. */
export function readRow(bytes: Uint8Array): Row | undefined {
  const sealedBytes = bytes.length - HEADER_BYTES - TAG_BYTES
  if (sealedBytes < 1 || sealedBytes > PLAINTEXT_BYTES_MAX) return undefined
  if (!equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)) return undefined
  const kdf = KDFS[(bytes[4] ?? 0) - 1]
  if (kdf === undefined) return undefined
  const cost = knownCost(kdf, new DataView(bytes.buffer, bytes.byteOffset).getUint32(6), bytes[5] ?? 0)
  return cost === undefined ? undefined : { cost, bytes: bytes.slice() }
}

export interface Secrets {
  /** Wiped by whoever made them. */
  readonly passphrase: Uint8Array
  readonly derive: Derive
}

export async function sealRow(
  { passphrase, derive }: Secrets,
  cost: Cost,
  entropy: { readonly salt: Uint8Array; readonly nonce: Uint8Array },
  plaintext: Uint8Array,
  context: EnvelopeContext,
): Promise<Uint8Array> {
  const out = new Uint8Array(HEADER_BYTES + plaintext.length + TAG_BYTES)
  out.set(MAGIC)
  out[4] = KDFS.indexOf(cost.kdf) + 1
  out[5] = cost.passes
  new DataView(out.buffer).setUint32(6, cost.memoryKiB)
  out.set(entropy.salt, SALT)
  out.set(entropy.nonce, NONCE)
  const derived = await derive(passphrase, entropy.salt, cost)
  try {
    out.set(derived.subarray(KEY_BYTES), COMMITMENT)
    out.set(cipher(derived, out, context).encrypt(plaintext), HEADER_BYTES)
    return out
  } finally {
    derived.fill(0)
  }
}

/** @returns the plaintext, for the caller to wipe; undefined when passphrase, row and context do not belong together. */
export async function openRow(
  { passphrase, derive }: Secrets,
  { cost, bytes }: Row,
  context: EnvelopeContext,
): Promise<Uint8Array | undefined> {
  const derived = await derive(passphrase, bytes.subarray(SALT, NONCE), cost)
  try {
    if (!equalBytes(derived.subarray(KEY_BYTES), bytes.subarray(COMMITMENT, HEADER_BYTES))) return undefined
    const opened = opening(() => cipher(derived, bytes, context).decrypt(bytes.subarray(HEADER_BYTES)))
    if (opened === undefined) return undefined
    const room = secretRoom(opened.length)
    room.set(opened)
    opened.fill(0)
    return room
  } finally {
    derived.fill(0)
  }
}

/** In plain JavaScript on purpose: WebCrypto and, on Node, `node:crypto` leave copies of what they decrypt (`README.md`). */
function cipher(derived: Uint8Array, row: Uint8Array, context: EnvelopeContext) {
  const bound = contextBytes(context)
  const associated = new Uint8Array(HEADER_BYTES + bound.length)
  associated.set(row.subarray(0, HEADER_BYTES))
  associated.set(bound, HEADER_BYTES)
  return gcm(derived.subarray(0, KEY_BYTES), row.subarray(NONCE, COMMITMENT), associated)
}

/** The cipher throws for a tag that does not fit, and before it has decrypted anything. */
export function opening(decrypt: () => Uint8Array): Uint8Array | undefined {
  try {
    return decrypt()
  } catch {
    return undefined
  }
}
