/** One account for viem, and a signer for ethers. Compiled, never run: what does not fit does not compile. */
import { ContractFactory, Contract, type Signer } from 'ethers'
import { type Account, createWalletClient, http, type LocalAccount } from 'viem'
import { mainnet, optimism } from 'viem/chains'
import { CountersignSigner } from '../../src/client/ethers.ts'
import type { Countersign, EvmAccount } from '../../src/client/index.ts'

declare const countersign: Countersign
declare const account: EvmAccount

account satisfies LocalAccount<'countersign'>
account satisfies Account
/** Required where viem's own type has them optional. */
account.sign satisfies NonNullable<LocalAccount['sign']>
account.signAuthorization satisfies NonNullable<LocalAccount['signAuthorization']>

export const clients = async () => {
  const plain = createWalletClient({ account: await countersign.evm('deployer'), chain: mainnet, transport: http() })
  const layer2 = createWalletClient({ account, chain: optimism, transport: http() })
  const hash: `0x${string}` = await plain.sendTransaction({ to: account.address, value: 1n })
  return [hash, await layer2.sendTransaction({ to: account.address, value: 1n })]
}

export const signers = async () => {
  const signer: Signer = new CountersignSigner(account)
  const contract = new Contract(account.address, [], signer)
  return [contract, new ContractFactory([], '0x', signer), signer.connect(null) satisfies Signer]
}

export const wrong = async () => {
  // @ts-expect-error a value is a bigint
  await account.signTransaction({ value: 1 })
  // @ts-expect-error an address is 0x…
  await account.signTransaction({ to: 'vitalik.eth' })
  // @ts-expect-error nothing changes an account
  account.address = '0x'
}
