import type { Hex } from 'viem'
import { sha256 } from '../../bytes/sha256.ts'
import { refuse } from '../refusal.ts'
import { bytesIn, bytesOf, hexOf, inside, listOf } from './fields.ts'
import type { Sidecar } from './model.ts'

const BLOB_BYTES = 131_072
const COMMITMENT_BYTES = 48
const PROOF_BYTES = 48
/** EIP-7594: cells of an extended blob. */
const CELLS = 128
const BLOBS_MAX = 128
/** EIP-4844: what a versioned hash of a KZG commitment begins with. */
const KZG_VERSION = 1

/** @throws `payload/invalid` unless a list of hashes of KZG commitments, 1 to 128. */
export function versionedHashesOf(value: unknown, at: string): readonly Hex[] {
  const hashes = listOf(value, at, BLOBS_MAX).map((each, place) => bytesOf(each, `${at}[${place}]`, 32))
  if (hashes.length === 0) throw refuse(at, 'is empty: a transaction of type 3 has at least one blob')
  for (const [place, hash] of hashes.entries()) {
    if (!hash.startsWith('0x01'))
      throw refuse(`${at}[${place}]`, 'does not begin with 01, the version of KZG commitments')
  }
  return hashes
}

export interface SidecarFields {
  readonly blobs: unknown
  readonly commitments: unknown
  readonly proofs: unknown
}

/**
 * Blobs and what proves them, checked for sizes and counts. Whether a commitment is the one of its blob takes the
 * trusted setup of KZG, which is not here; the network refuses what does not fit, and the signature covers the versioned
 * hashes of the commitments alone.
 * @param form  absent: told by the number of proofs.
 * @returns undefined where there is none of the three.
 * @throws `payload/invalid`
 */
export function sidecarOf(
  { blobs, commitments, proofs }: SidecarFields,
  at: string,
  form?: Sidecar['form'],
): Sidecar | undefined {
  if (blobs === undefined && commitments === undefined && proofs === undefined) return undefined
  if (blobs === undefined)
    throw refuse(inside(at, 'blobs'), 'is missing: commitments and proofs travel with their blobs')
  if (commitments === undefined || proofs === undefined) {
    const missing = commitments === undefined ? 'commitments' : 'proofs'
    const reason = 'is missing: this signer has no KZG setup to make it from the blobs; send commitments and proofs too'
    throw refuse(inside(at, missing), reason)
  }
  const read = {
    blobs: chunksOf(blobs, inside(at, 'blobs'), BLOB_BYTES, BLOBS_MAX),
    commitments: chunksOf(commitments, inside(at, 'commitments'), COMMITMENT_BYTES, BLOBS_MAX),
    proofs: chunksOf(proofs, inside(at, 'proofs'), PROOF_BYTES, BLOBS_MAX * CELLS),
  }
  const count = read.blobs.length
  if (read.commitments.length !== count) {
    throw refuse(inside(at, 'commitments'), `has ${read.commitments.length} entries for ${count} blobs`)
  }
  const found = read.proofs.length === count ? 'blobs' : read.proofs.length === count * CELLS ? 'cells' : undefined
  if (found === undefined || (form !== undefined && form !== found)) {
    const needed =
      form === undefined ? `${count}, or ${count * CELLS} of cells` : count * (form === 'cells' ? CELLS : 1)
    throw refuse(inside(at, 'proofs'), `has ${read.proofs.length} entries for ${count} blobs; ${needed} are needed`)
  }
  return { form: found, ...read }
}

const chunksOf = (value: unknown, at: string, size: number, most: number): readonly Hex[] =>
  listOf(value, at, most).map((each, place) => bytesOf(each, `${at}[${place}]`, size))

/** 01, then SHA-256 of the commitment without its first byte. @see EIP-4844 `kzg_to_versioned_hash` */
function versionedHash(commitment: Hex): Hex {
  const hash = sha256(bytesIn(commitment)).slice()
  hash[0] = KZG_VERSION
  return hexOf(hash)
}

export const hashesOf = ({ commitments }: Sidecar): readonly Hex[] => commitments.map(versionedHash)

/** @throws `payload/invalid` unless the hashes that the transaction names are those of the commitments, one by one. */
export function matchedHashes(hashes: readonly Hex[], sidecar: Sidecar, at: string): readonly Hex[] {
  const made = hashesOf(sidecar)
  if (hashes.length !== made.length) throw refuse(at, `has ${hashes.length} entries for ${made.length} commitments`)
  const wrong = made.findIndex((hash, place) => hash !== hashes[place])
  if (wrong >= 0) throw refuse(`${at}[${wrong}]`, `is not the hash of its commitment, which is ${made[wrong]}`)
  return hashes
}
