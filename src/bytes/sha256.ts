import { sha256 as hash } from '@noble/hashes/sha2.js'
import { type Digest32, digest32 } from '../domain/brands.ts'

/** SHA-256 (FIPS 180-4) of the parts, one after the other. Synchronous on every runtime, the edge included. */
export function sha256(...parts: readonly Uint8Array[]): Digest32 {
  if (parts.length === 1 && parts[0] !== undefined) return digest32(hash(parts[0]))
  const state = hash.create()
  for (const part of parts) state.update(part)
  return digest32(state.digest())
}
