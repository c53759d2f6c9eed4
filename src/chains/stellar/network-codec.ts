import { xdr } from '@stellar/stellar-sdk/base'
import { toHex } from '../../bytes/hex.ts'
import type { StellarCodec } from '../../domain/stellar-network.ts'
import { accountKeyOf, exactly, readAccountEntry } from './account-entry.ts'
import { passphraseOf } from './networks.ts'
import { readEnvelope } from './parse.ts'

/** @param network our name. @throws `config/invalid` for a network that is not known */
export function networkCodec(network: string): StellarCodec {
  passphraseOf(network)
  return {
    hashOf: text => toHex(readEnvelope(text, network).hash),
    innerHashOf: text => {
      const { envelope } = readEnvelope(text, network)
      if (envelope.type !== 'envelopeTypeTxFeeBump') return undefined
      const inner = xdr.TransactionEnvelope.envelopeTypeTx(envelope.feeBump.tx.innerTx.v1)
      return toHex(readEnvelope(inner.toXdr('base64'), network).hash)
    },
    accountKey: accountKeyOf,
    account: readAccountEntry,
    resultCode: text => codeOf(exactly(text, bytes => xdr.TransactionResult.fromXdr(bytes))),
    returned: text => {
      const meta = xdr.TransactionMeta.fromXdr(text, 'base64')
      const soroban = meta.type === 'v3' ? meta.v3.sorobanMeta : meta.type === 'v4' ? meta.v4.sorobanMeta : null
      return soroban?.returnValue?.toXdr('base64')
    },
  }
}

type Results = readonly xdr.OperationResult[]

function codeOf({ result }: xdr.TransactionResult): { readonly code: string; readonly success: boolean } {
  switch (result.type) {
    case 'txSuccess':
      return { code: result.type, success: true }
    case 'txFailed':
      return { code: `${result.type}: ${operationCode(result.results)}`, success: false }
    case 'txFeeBumpInnerSuccess':
      return { code: result.type, success: true }
    case 'txFeeBumpInnerFailed': {
      const inner = result.innerResultPair.result.result
      const code = inner.type === 'txFailed' ? `${inner.type}: ${operationCode(inner.results)}` : inner.type
      return { code: `${result.type}: ${code}`, success: false }
    }
    default:
      return { code: result.type, success: false }
  }
}

/** Of the first operation that failed. */
function operationCode(results: Results): string {
  for (const result of results) {
    if (result.type !== 'opInner') return result.type
    const inner = result.tr.value as { readonly type?: unknown }
    const code = typeof inner.type === 'string' ? inner.type : 'unknown'
    if (!code.endsWith('Success')) return code.slice(0, 64)
  }
  return 'unknown'
}
