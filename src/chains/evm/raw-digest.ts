import { fromHex, toHex } from '../../bytes/hex.ts'
import { digest32 } from '../../domain/brands.ts'
import type { PayloadParser } from '../../domain/payload.ts'
import { refuse } from '../refusal.ts'
import { fieldsOf, textOf } from './fields.ts'
import { recoverable } from './signature.ts'

const FIELDS = new Set(['type', 'digest'])

/**
 * `{type: 'raw-digest', digest: '<64 hex>'}`: 32 bytes that are signed as they are. They may be the hash of anything, a
 * transaction of this account included; no policy grants them unless it says so.
 * @throws `payload/invalid`
 */
export const rawDigest: PayloadParser = (payload, { network, address }) => {
  const given = textOf(fieldsOf(payload, FIELDS, '', 'a raw-digest')['digest'], 'digest')
  const bytes = fromHex(given)
  if (bytes?.length !== 32) throw refuse('digest', 'must be 32 bytes in hex: 64 digits without 0x')
  const digest = digest32(bytes)
  const hash = toHex(digest)
  const sentence = `Signs the digest ${hash} for ${address}, whatever it is the hash of`
  return {
    type: 'raw-digest',
    input: { scheme: 'ecdsa-secp256k1', digest },
    hash,
    sentence: `${sentence}; network ${network}.`,
    view: { kind: 'raw-digest', network, digest: hash },
    operations: ['raw-digest'],
    slot: () => undefined,
    describe: () => ({ json: { digest: hash }, sentences: [sentence] }),
    attach: (publicKey, signature) => ({ evmSignature: recoverable({ digest, signature, publicKey, address }).text }),
  }
}
