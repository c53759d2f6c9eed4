import { chainIdOf } from '../chains/evm/index.ts'
import { passphraseOf } from '../chains/stellar/index.ts'
import type { Chain, ResolvedKey } from '../domain/key.ts'

/** @throws `config/invalid` for a network the chain does not know */
export function checkNetwork(chain: Chain, network: string): void {
  if (chain === 'stellar') passphraseOf(network)
  else chainIdOf(network)
}

/** The chain that an EVM key is pinned to; nothing for a Stellar key. */
export const pinnedChain = ({ key }: Pick<ResolvedKey, 'key'>): { readonly keyChainId?: bigint } =>
  key.chain === 'evm' ? { keyChainId: chainIdOf(key.network) } : {}
