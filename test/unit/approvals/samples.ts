import { generateKeyPairSync } from 'node:crypto'

/** A private JWK for Ed25519, as `metadata.key` has it. */
export const metadataJwk = (): string =>
  JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }))
