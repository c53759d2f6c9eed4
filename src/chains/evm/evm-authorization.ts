import { toHex } from '../../bytes/hex.ts'
import type { EvmSetCodeView } from '../../domain/evm.ts'
import type { PayloadParser } from '../../domain/payload.ts'
import { authorizationOf, digestOf, signedTuple } from './authorization.ts'
import { fieldsOf } from './fields.ts'
import { chainIdOf } from './networks.ts'
import { recoverable } from './signature.ts'
import { authorizationText } from './texts.ts'

const FIELDS = new Set(['type', 'authorization'])

/**
 * `{type: 'evm-authorization', authorization: {chainId, address, nonce}}`: the account of the key would run the code of
 * `address` from then on, so whoever wrote that code has the account. Chain id: the key's, or 0 for every chain.
 * @throws `payload/invalid`
 * @see EIP-7702
 */
export const evmAuthorization: PayloadParser = (payload, { network, address: account }) => {
  const { authorization: given } = fieldsOf(payload, FIELDS, '', 'an evm-authorization')
  const authorization = authorizationOf(given, chainIdOf(network), 'authorization')
  const digest = digestOf(authorization)
  const view: EvmSetCodeView = { kind: 'evm-set-code', network, ...authorization }
  const { chainId, address, nonce } = authorization
  const text = authorizationText(authorization, account)
  return {
    type: 'evm-authorization',
    input: { scheme: 'ecdsa-secp256k1', digest },
    hash: toHex(digest),
    sentence: `${text}; network ${network}.`,
    view,
    operations: [view.kind],
    slot: () => undefined,
    describe: () => ({ json: { chainId: `${chainId}`, address, nonce: `${nonce}` }, sentences: [text] }),
    attach: (publicKey, signature) => {
      const made = recoverable({ digest, signature, publicKey, address: account })
      return { signedAuthorization: signedTuple(authorization, made), evmSignature: made.text }
    },
  }
}
