import { xdr } from '@stellar/stellar-sdk/base'
import { toBase64 } from '../../bytes/base64.ts'
import { toHex } from '../../bytes/hex.ts'
import type { Asked, PayloadParser } from '../../domain/payload.ts'
import { withSignature } from './auth-credentials.ts'
import { type AuthorizationParsed, authorizationSlot, parseAuthorization } from './auth-entry.ts'
import { INVOCATIONS_SHOWN, invocationText } from './sentences.ts'
import { toSign } from './to-sign.ts'

export const authEntry: PayloadParser = (payload, signatory): Asked => {
  const parsed = parseAuthorization(payload, signatory)
  const { view, preimage, hash } = parsed
  return {
    type: 'stellar-auth-entry',
    input: toSign(parsed),
    hash: toHex(hash),
    sentence: sentenceOf(parsed),
    view,
    operations: [view.kind],
    slot: () => authorizationSlot(parsed),
    describe: () => ({ json: preimage.toJson(), sentences: sentencesOf(parsed) }),
    attach: (publicKey, signature) => {
      const signed = attach(parsed, publicKey, signature)
      return signed === undefined ? {} : { signedAuthEntry: signed }
    },
  }
}

/** Of a preimage alone there is no entry to put the signature in. */
function attach(
  { entry, view, signatory }: AuthorizationParsed,
  publicKey: Uint8Array,
  signature: Uint8Array,
): string | undefined {
  if (entry === undefined) return undefined
  const signer = { account: signatory.account, publicKey, signature }
  const credentials = withSignature(entry.credentials, view.expirationLedger, signer)
  const { rootInvocation } = entry
  return toBase64(new xdr.SorobanAuthorizationEntry({ credentials, rootInvocation }).toXdr())
}

function sentenceOf(parsed: AuthorizationParsed): string {
  const { view } = parsed
  const count = view.invocations.length
  const shown = view.invocations.slice(0, INVOCATIONS_SHOWN).map((invocation, at) => {
    const text = invocationText(invocation)
    return count === 1 ? text : `(${at + 1} of ${count}) ${text}`
  })
  const hidden = count - shown.length
  const calls = `${shown.join('; ')}${hidden > 0 ? `; and ${hidden} more calls` : ''}`
  const nonce = `nonce ${view.nonce}`
  return `${whoText(parsed)}: ${calls}; ${nonce}; good until ledger ${view.expirationLedger}; network ${view.network}.`
}

/** One for each invocation, root first, depth first. */
function sentencesOf(parsed: AuthorizationParsed): string[] {
  return parsed.view.invocations.map(invocation => `${whoText(parsed)}: ${invocationText(invocation)}`)
}

function whoText({ view: { address, asDelegate, form }, signatory }: AuthorizationParsed): string {
  const { account, address: key } = signatory
  if (address === null) return `Authorize for EVERY ACCOUNT that ${key} can sign for`
  const own = `Authorize for ${address}${asDelegate ? ` as its delegate ${account}` : address === key ? '' : ` as its signer ${key}`}`
  return form === 'legacy' ? `${own} AND EVERY OTHER ACCOUNT that the key can sign for` : own
}
