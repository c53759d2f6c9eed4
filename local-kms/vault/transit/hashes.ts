import { sha1 } from '@noble/hashes/legacy.js'
import { sha224, sha256, sha384, sha512 } from '@noble/hashes/sha2.js'
import { sha3_224, sha3_256, sha3_384, sha3_512 } from '@noble/hashes/sha3.js'
import type { CHash } from '@noble/hashes/utils.js'

export type HashFunction = CHash

export interface HashRow {
  readonly hash: HashFunction
  /** DigestInfo without the digest, RFC 8017 §9.2 note 1 and NIST's identifiers for SHA-3. */
  readonly digestInfo: string
}

export const HASHES: Readonly<Record<string, HashRow>> = {
  sha1: { hash: sha1, digestInfo: '3021300906052b0e03021a05000414' },
  'sha2-224': { hash: sha224, digestInfo: '302d300d06096086480165030402040500041c' },
  'sha2-256': { hash: sha256, digestInfo: '3031300d060960864801650304020105000420' },
  'sha2-384': { hash: sha384, digestInfo: '3041300d060960864801650304020205000430' },
  'sha2-512': { hash: sha512, digestInfo: '3051300d060960864801650304020305000440' },
  'sha3-224': { hash: sha3_224, digestInfo: '302d300d06096086480165030402070500041c' },
  'sha3-256': { hash: sha3_256, digestInfo: '3031300d060960864801650304020805000420' },
  'sha3-384': { hash: sha3_384, digestInfo: '3041300d060960864801650304020905000430' },
  'sha3-512': { hash: sha3_512, digestInfo: '3051300d060960864801650304020a05000440' },
}

export const hashNamed = (name: string): HashRow | undefined => (Object.hasOwn(HASHES, name) ? HASHES[name] : undefined)
