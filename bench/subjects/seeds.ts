import { sha256 } from '../../src/bytes/sha256.ts'

/** A seed of the bench. Public, worth nothing: SHA-256 of a text. */
export const ed25519Seed = (label: string): Uint8Array =>
  sha256(new TextEncoder().encode(`countersign bench seed of ${label}`))
