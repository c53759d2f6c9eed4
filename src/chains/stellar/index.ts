import { StrKey } from '@stellar/stellar-sdk/base'
import { toHex } from '../../bytes/hex.ts'
import type { ChainModule } from '../../domain/chain.ts'
import { attach } from './attach.ts'
import { describe } from './describe.ts'
import { parse, type StellarParsed } from './parse.ts'
import { toSign } from './to-sign.ts'

export {
  type AskedAuthorization,
  authorizationAt,
  buildCall,
  type CallPlan,
  type CallResources,
  completeCall,
  feeBumpOf,
  isAccountAddress,
  isContractAddress,
  readAuthorization,
  returnedJson,
  withAuthorizations,
} from './build.ts'
export { networkCodec } from './network-codec.ts'
export { networkIdOf, passphraseOf, STELLAR_NETWORKS } from './networks.ts'
export { SIGNATURES_MAX, type StellarParsed, XDR_CHARS_MAX, XDR_DEPTH_MAX } from './parse.ts'
export { stellarPayloads } from './payloads.ts'
export {
  mergeEnvelopes,
  type SignatureFound,
  signaturesOf,
  type SignaturesRead,
  withoutSignatures,
  withSignatures,
} from './signatures.ts'
export { addSigner, dropSigner, type SignerChange, type SignerPlan } from './signer-change.ts'
export { slotOf } from './slot.ts'
export { endOf } from './view.ts'
export { canBeReached, extraSignersOf, levelsOf, type Weighed, weigh, type Weights } from './weights.ts'

/**
 * Stellar transactions: V0, V1 and fee-bump. The SDK parses, hashes and encodes; it never holds a key and never signs.
 * `parse` gives the decoded view that policy judges (`parsed.view`).
 */
export const stellar: ChainModule<StellarParsed> = {
  parse,
  describe,
  toSign,
  hash: parsed => toHex(parsed.hash),
  attach,
  address: publicKey => {
    if (publicKey.length !== 32)
      throw new RangeError(`Cannot make an address of ${publicKey.length} bytes: 32 are needed`)
    return StrKey.encodeEd25519PublicKey(publicKey)
  },
}
