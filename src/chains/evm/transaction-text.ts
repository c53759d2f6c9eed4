import { keccak_256 } from '@noble/hashes/sha3.js'
import { toHex } from '../../bytes/hex.ts'
import type { EvmTransactionView } from '../../domain/evm.ts'
import type { HumanView } from '../../domain/payload.ts'
import { authorityOf } from './authorization.ts'
import { callText } from './calls.ts'
import { bytesIn } from './fields.ts'
import type { EvmTransaction, SignedAuthorization } from './model.ts'
import { authorizationText, weiText } from './texts.ts'

/** EIP-4844. */
const GAS_PER_BLOB = 131_072n

/** One sentence that leaves nothing out; only long bytes end in a count. */
export function transactionSentence(view: EvmTransactionView): string {
  const { from, nonce, type, chainId, network, accessList, blobs, authorizations } = view
  const parts = [
    `Account ${from} ${doing(view)}`,
    `nonce ${nonce}`,
    feeText(view),
    ...(accessList > 0 ? [`access list of ${accessList} contracts`] : []),
    ...(blobs > 0 ? [`${blobs} blobs at up to ${view.maxFeePerBlobGasWei} wei a unit of blob gas`] : []),
    ...authorizations.map(({ chainId: chain, address, nonce: at }) => {
      return `code of ${address} for whoever signed it at nonce ${at} on ${chain === 0n ? 'every chain' : `chain ${chain}`}`
    }),
    `type ${type}`,
    `chain ${chainId}`,
    `network ${network}`,
  ]
  return `${parts.join('; ')}.`
}

/** The call, then the authorizations it brings along, with the accounts that signed them. */
export function describeTransaction(transaction: EvmTransaction, view: EvmTransactionView): HumanView {
  const authorities = transaction.authorizationList.map(authorityOf)
  return {
    json: jsonOf(transaction, view, authorities),
    sentences: [
      `Account ${view.from} ${doing(view)}; ${feeText(view)}`,
      ...transaction.authorizationList.map((each, at) => authorizationText(each, authorities[at])),
    ],
  }
}

function doing({ to, valueWei, data }: EvmTransactionView): string {
  const carried = valueWei === 0n ? '' : ` and sends ${weiText(valueWei)} along`
  if (to === null) {
    const code = bytesIn(data)
    return `creates a contract of ${code.length} bytes with keccak-256 0x${toHex(keccak_256(code))}${carried}`
  }
  return data === '0x' ? `pays ${weiText(valueWei)} to ${to}` : `${callText(to, data)}${carried}`
}

const feeText = (view: EvmTransactionView): string => `fee at most ${weiText(mostFee(view))}`

/** In wei: gas and blobs. */
export const mostFee = ({ gasLimit, maxFeePerGasWei, blobs, maxFeePerBlobGasWei }: EvmTransactionView): bigint =>
  gasLimit * maxFeePerGasWei + BigInt(blobs) * GAS_PER_BLOB * maxFeePerBlobGasWei

/** For people and their tools: integers as decimal text. Blobs are counted, not shown. */
function jsonOf(
  transaction: EvmTransaction,
  { from, network }: EvmTransactionView,
  authorities: readonly (string | undefined)[],
): unknown {
  const { type, chainId, nonce, to, value, data, gas, maxFeePerGas, maxPriorityFeePerGas, maxFeePerBlobGas } =
    transaction
  const { accessList, blobVersionedHashes, authorizationList, sidecar } = transaction
  const fees =
    type < 2
      ? { gasPrice: `${maxFeePerGas}` }
      : { maxFeePerGas: `${maxFeePerGas}`, maxPriorityFeePerGas: `${maxPriorityFeePerGas}` }
  return {
    type,
    network,
    chainId: `${chainId}`,
    from,
    to,
    nonce: `${nonce}`,
    value: `${value}`,
    data,
    gas: `${gas}`,
    ...fees,
    ...(type === 0 ? {} : { accessList }),
    ...(type === 3 ? { maxFeePerBlobGas: `${maxFeePerBlobGas}`, blobVersionedHashes } : {}),
    ...(type === 3 ? { blobsIncluded: sidecar?.blobs.length ?? 0 } : {}),
    ...(type === 4
      ? { authorizationList: authorizationList.map((each, at) => authorizationJson(each, authorities[at])) }
      : {}),
  }
}

const authorizationJson = (
  { chainId, address, nonce }: SignedAuthorization,
  authority: string | undefined,
): unknown => ({
  chainId: `${chainId}`,
  address,
  nonce: `${nonce}`,
  authority: authority ?? null,
})
