/** What the log holds of a prepared transaction, so that a store that lost it in a power cut has it again. */
import type { AuditRecord } from '../../domain/audit.ts'
import { SignerError } from '../../domain/errors.ts'
import type { IdempotencyEntry } from '../../domain/ports.ts'
import type { PreparedTransaction } from '../../domain/transactions.ts'

export const PREPARED_EVENT = 'transaction-prepared'

/** A field of a record holds 2,048 characters, a record 65,535 bytes; quotation marks take two. */
const PIECE_CHARACTERS = 1_800
const PIECES_MAX = 28

type Detail = Readonly<Record<string, string | number | boolean>>

/** @throws `payload/invalid` when it is too large to be on record */
export function preparedDetail(entry: IdempotencyEntry, prepared: PreparedTransaction): Detail {
  const text = JSON.stringify(prepared)
  const count = Math.ceil(text.length / PIECE_CHARACTERS)
  if (count > PIECES_MAX) {
    const reason = `is too large to be on record before it is signed (${text.length} characters)`
    throw new SignerError('payload/invalid', { field: 'xdr', reason })
  }
  const pieces = Array.from({ length: count }, (_, at) => [
    `prepared${at}`,
    text.slice(at * PIECE_CHARACTERS, (at + 1) * PIECE_CHARACTERS),
  ])
  const { scope, key: idempotencyKey, fingerprint, at } = entry
  const { network, hash, source: key, template } = prepared
  const about = { key, network, hash, ...(template === null ? {} : { template }) }
  return { ...about, scope, idempotencyKey, fingerprint, at, pieces: count, ...Object.fromEntries(pieces) }
}

/** @returns undefined for every other record, and for one that cannot be read */
export function preparedIn(
  record: AuditRecord,
): { readonly entry: IdempotencyEntry; readonly prepared: PreparedTransaction } | undefined {
  if (record.kind !== 'event' || record.event !== PREPARED_EVENT) return undefined
  const { scope, idempotencyKey: key, fingerprint, at, pieces } = record.detail
  if (typeof scope !== 'string' || typeof key !== 'string' || typeof fingerprint !== 'string') return undefined
  if (typeof at !== 'number' || typeof pieces !== 'number' || pieces > PIECES_MAX) return undefined
  const text = Array.from({ length: pieces }, (_, n) => record.detail[`prepared${n}`]).join('')
  try {
    return { entry: { scope, key, fingerprint, at }, prepared: JSON.parse(text) as PreparedTransaction }
  } catch {
    return undefined
  }
}
