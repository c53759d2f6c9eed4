import { fromHex, sha256 } from './bytes.ts'
import { clientError } from './errors.ts'
import { type BlobSidecar, type EvmTransaction, type Hex, hexOf } from './evm-transaction.ts'

/** What travels beside a blob transaction, and the hashes of it that are signed. */
export interface Blobs {
  readonly sidecars: readonly BlobSidecar[] | undefined
  readonly hashes: readonly Hex[] | undefined
}

/** As viem finds them: what is given counts; what is not follows from the blobs. @throws `client/options` for blobs without `kzg` */
export async function blobsOf(transaction: EvmTransaction): Promise<Blobs> {
  const { blobVersionedHashes } = transaction
  const sidecars = transaction.sidecars === false ? undefined : (transaction.sidecars ?? computed(transaction))
  if (blobVersionedHashes !== undefined || sidecars === undefined) return { sidecars, hashes: blobVersionedHashes }
  return { sidecars, hashes: await Promise.all(sidecars.map(({ commitment }) => versionedHash(commitment))) }
}

function computed({ blobs, kzg }: EvmTransaction): readonly BlobSidecar[] | undefined {
  if (blobs === undefined) return undefined
  if (kzg === undefined) throw clientError('client/options', 'Blobs need kzg, or sidecars with commitments and proofs')
  return blobs.map((given, at) => {
    const blob = bytes(given, `blobs[${at}]`)
    const commitment = kzg.blobToKzgCommitment(blob)
    return {
      blob: hexOf(blob),
      commitment: hexOf(commitment),
      proof: hexOf(kzg.computeBlobKzgProof(blob, commitment)),
    }
  })
}

/** EIP-4844: 0x01 and the SHA-256 of the commitment without its first byte. */
async function versionedHash(commitment: Hex): Promise<Hex> {
  const hash = await sha256(bytes(commitment, 'commitment'))
  hash[0] = 1
  return hexOf(hash)
}

/**
 * Puts blobs beside a signed transaction, in the form that networks take (EIP-4844, "Networking"):
 * `0x03 || rlp([transaction, blobs, commitments, proofs])`. The signed bytes stay as they are.
 */
export function withSidecars(signed: Hex, sidecars: readonly BlobSidecar[]): Hex {
  const raw = bytes(signed, 'signedTransaction')
  if (raw[0] !== 3) throw clientError('client/options', 'Blobs belong to transactions of type eip4844')
  const column = (member: keyof BlobSidecar) => list(sidecars.map(each => text(sized(each[member], member))))
  const wrapper = list([raw.subarray(1), column('blob'), column('commitment'), column('proof')])
  return `0x03${hexOf(wrapper).slice(2)}`
}

const SIZES: Readonly<Record<keyof BlobSidecar, number>> = { blob: 131_072, commitment: 48, proof: 48 }

function sized(value: Hex, member: keyof BlobSidecar): Uint8Array {
  const read = bytes(value, member)
  if (read.length === SIZES[member]) return read
  throw clientError('client/options', `A ${member} of a sidecar has ${read.length} bytes; ${SIZES[member]} are needed`)
}

/** RLP (Yellow Paper, appendix B) of parts that are RLP already, and of bytes longer than one. */
const list = (parts: readonly Uint8Array[]): Uint8Array => joined([header(0xc0, length(parts)), ...parts])
const text = (value: Uint8Array): Uint8Array => joined([header(0x80, value.length), value])

function header(base: number, size: number): Uint8Array {
  if (size <= 55) return Uint8Array.of(base + size)
  const digits: number[] = []
  for (let left = size; left > 0; left = Math.floor(left / 256)) digits.unshift(left % 256)
  return Uint8Array.of(base + 55 + digits.length, ...digits)
}

const length = (parts: readonly Uint8Array[]): number => parts.reduce((sum, part) => sum + part.length, 0)

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(length(parts))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function bytes(value: Hex | Uint8Array, field: string): Uint8Array {
  const read = typeof value === 'string' ? fromHex(value) : value
  if (read === undefined) throw clientError('client/options', `${field} is not 0x and whole bytes in hex`)
  return read
}
