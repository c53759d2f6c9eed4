import { namesEvmNetwork } from '../chains/evm/index.ts'
import { networkCodec, passphraseOf } from '../chains/stellar/index.ts'
import type { NetworkSettings } from '../config/transactions.ts'
import type { World } from '../domain/ports.ts'
import type { StellarNetwork } from '../domain/stellar-network.ts'
import { openStellarNetwork } from '../network/index.ts'
import { evmNetwork } from './evm-networks.ts'

/**
 * Every Stellar network that has an endpoint, by our name. Nothing is asked yet.
 * @throws `config/invalid` for a name that is none, of an EVM network too, and for an EVM network with a horizon
 */
export function openNetworks(
  settings: Readonly<Record<string, NetworkSettings>>,
  { fetch, clock }: Pick<World, 'fetch' | 'clock'>,
): ReadonlyMap<string, StellarNetwork> {
  const all = Object.entries(settings)
  for (const [name, place] of all) if (namesEvmNetwork(name)) evmNetwork(name, place, { fetch, clock })
  const stellar = all.filter(([name]) => !namesEvmNetwork(name))
  return new Map(
    stellar.map(([name, { rpc, horizon, timeoutMs }]) => [
      name,
      openStellarNetwork({
        name,
        passphrase: passphraseOf(name),
        codec: networkCodec(name),
        ...(rpc === undefined ? {} : { rpcUrl: rpc }),
        ...(horizon === undefined ? {} : { horizonUrl: horizon }),
        fetch,
        clock,
        limits: { deadlineMs: timeoutMs },
      }),
    ]),
  )
}
