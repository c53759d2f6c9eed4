/**
 * Releases money from an escrow contract, with a key that this program never sees:
 *
 *   bun examples/escrow-release.ts CONTRACT PAYEE AMOUNT
 *
 * Reads COUNTERSIGN_URL, COUNTERSIGN_TOKEN and STELLAR_RPC_URL. The policy of the key must grant this call of this contract.
 */
import { contract } from '@stellar/stellar-sdk'
import { createCountersign } from 'countersign/client'

interface Escrow {
  release(call: { to: string; amount: bigint }): Promise<contract.AssembledTransaction<number>>
}

const { COUNTERSIGN_URL: url = '', COUNTERSIGN_TOKEN: token = '', STELLAR_RPC_URL: rpcUrl = '' } = process.env
const [contractId = '', to = '', amount = ''] = process.argv.slice(2)

const countersign = createCountersign({ url, token })
const allowHttp = rpcUrl.startsWith('http://127.0.0.1')
// The one line: a signer is address, network and signatures at once.
const client = await contract.Client.from<Escrow>({
  contractId,
  rpcUrl,
  allowHttp,
  ...(await countersign.stellar('treasury')),
})

const release = await client.release({ to, amount: BigInt(amount) })
const sent = await release.signAndSend()
console.log(sent.sendTransactionResponse?.hash, sent.result)
