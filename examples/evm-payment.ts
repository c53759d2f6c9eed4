/**
 * Pays ether with viem (EIP-1559), from an account whose key this program never sees:
 *
 *   bun examples/evm-payment.ts PAYEE ETHER
 *
 * Reads COUNTERSIGN_URL, COUNTERSIGN_TOKEN and ETH_RPC_URL.
 */
import { createCountersign } from 'countersign/client'
import { createWalletClient, http, isAddress, parseEther, publicActions } from 'viem'
import { sepolia } from 'viem/chains'

const { COUNTERSIGN_URL: url = '', COUNTERSIGN_TOKEN: token = '', ETH_RPC_URL } = process.env
const [to = '', ether = ''] = process.argv.slice(2)
if (!isAddress(to)) throw new TypeError(`Cannot pay ${to}: it is no address`)

const countersign = createCountersign({ url, token })
const account = await countersign.evm('deployer')
const wallet = createWalletClient({ account, chain: sepolia, transport: http(ETH_RPC_URL) }).extend(publicActions)

const hash = await wallet.sendTransaction({ to, value: parseEther(ether) })
const { status, blockNumber } = await wallet.waitForTransactionReceipt({ hash })
console.log(hash, status, blockNumber)
