import { networkCodec, passphraseOf } from '../chains/stellar/index.ts'
import type { NetworkSettings } from '../config/transactions.ts'
import type { World } from '../domain/ports.ts'
import type { StellarNetwork } from '../domain/stellar-network.ts'
import { openStellarNetwork } from '../network/index.ts'

/** Every network that has an endpoint, by our name. Nothing is asked yet. @throws `config/invalid` for a name that is none */
export function openNetworks(
  settings: Readonly<Record<string, NetworkSettings>>,
  { fetch, clock }: Pick<World, 'fetch' | 'clock'>,
): ReadonlyMap<string, StellarNetwork> {
  return new Map(
    Object.entries(settings).map(([name, { rpc, horizon, timeoutMs }]) => [
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
