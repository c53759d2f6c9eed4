/** What a program does with the package, on any runtime: nothing here but the package, fetch and WebCrypto. */
import { CountersignError, createCountersign } from 'countersign/client'

export interface Task {
  /** Of the data plane; a token is to be had below it. */
  readonly url: string
  readonly xdr: string
  readonly message: string
  readonly to: `0x${string}`
}

export interface Done {
  readonly signedTxXdr: string
  readonly signedMessage: string
  readonly evmSignature: string
  readonly evmTransaction: string
  readonly refused: string
}

export async function consume({ url, xdr, message, to }: Task): Promise<Done> {
  const countersign = createCountersign({
    url,
    token: async ({ thumbprint }) => (await fetch(`${url}/token/${await thumbprint()}`)).text(),
  })
  const signer = await countersign.stellar('treasury')
  const { signedTxXdr } = await signer.signTransaction(xdr)
  const { signedMessage } = await signer.signMessage(message)
  const account = await countersign.evm('deployer')
  const evmSignature = await account.signMessage({ message })
  const fees = { maxFeePerGas: 10n, maxPriorityFeePerGas: 1n }
  const evmTransaction = await account.signTransaction({
    ...{ chainId: 11155111, nonce: 0, to, value: 1n, gas: 21_000n, ...fees },
  })
  const refused = await countersign.sign('treasury', { type: 'raw-digest', digest: '00'.repeat(32) }).then(
    () => 'signed',
    (error: unknown) => (error instanceof CountersignError ? error.code : String(error)),
  )
  return { signedTxXdr, signedMessage, evmSignature, evmTransaction, refused }
}
