import { xdr } from '@stellar/stellar-sdk/base'
import { toBase64 } from '../../bytes/base64.ts'
import { equalBytes } from '../../bytes/equal.ts'
import { SIGNATURES_MAX, type StellarParsed } from './parse.ts'
import { refuse } from './refusal.ts'

/** The last four bytes of the public key: they tell a validator which key to try. */
const hintOf = (publicKey: Uint8Array): Uint8Array => publicKey.slice(-4)

/**
 * The envelope with one more signature, base64. The same arm comes back as was sent (V0 stays V0: the signature is good
 * for both spellings and the caller's tooling keeps working); signatures already there stay where they are, and ours is
 * not added twice. The inner envelope of a fee-bump is untouched. Does not verify: the service did.
 *
 * @param publicKey  32 bytes.
 * @param signature  64 bytes, R‖S.
 * @throws `payload/invalid` when 20 signatures are there already.
 */
export function attach(parsed: StellarParsed, publicKey: Uint8Array, signature: Uint8Array): string {
  const { envelope } = parsed
  switch (envelope.type) {
    case 'envelopeTypeTxV0': {
      const signatures = withOurs(envelope.v0.signatures, publicKey, signature)
      const signed = new xdr.TransactionV0Envelope({ tx: envelope.v0.tx, signatures })
      return toBase64(xdr.TransactionEnvelope.envelopeTypeTxV0(signed).toXdr())
    }
    case 'envelopeTypeTx': {
      const signatures = withOurs(envelope.v1.signatures, publicKey, signature)
      const signed = new xdr.TransactionV1Envelope({ tx: envelope.v1.tx, signatures })
      return toBase64(xdr.TransactionEnvelope.envelopeTypeTx(signed).toXdr())
    }
    case 'envelopeTypeTxFeeBump': {
      const signatures = withOurs(envelope.feeBump.signatures, publicKey, signature)
      const signed = new xdr.FeeBumpTransactionEnvelope({ tx: envelope.feeBump.tx, signatures })
      return toBase64(xdr.TransactionEnvelope.envelopeTypeTxFeeBump(signed).toXdr())
    }
  }
}

type Signatures = readonly xdr.DecoratedSignature[]

function withOurs(held: Signatures, publicKey: Uint8Array, signature: Uint8Array): xdr.DecoratedSignature[] {
  const hint = hintOf(publicKey)
  const there = held.some(one => equalBytes(one.hint.toBytes(), hint) && equalBytes(one.signature.toBytes(), signature))
  if (there) return [...held]
  if (held.length >= SIGNATURES_MAX) {
    throw refuse('xdr', `holds ${held.length} signatures; there is no room for another`)
  }
  return [...held, new xdr.DecoratedSignature({ hint, signature: signature.slice() })]
}
