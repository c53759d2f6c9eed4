import { chainIdOf } from '../chains/evm/index.ts'
import type { NetworkSettings } from '../config/transactions.ts'
import { SignerError } from '../domain/errors.ts'
import type { EvmNetwork } from '../domain/evm-network.ts'
import type { World } from '../domain/ports.ts'
import { openEvmNetwork } from '../network/evm.ts'

/**
 * An EVM network that has an endpoint. Nothing is asked yet.
 * @throws `config/invalid` for a name that is none, and where the endpoint is missing or not of such a network
 */
export function evmNetwork(
  name: string,
  settings: NetworkSettings | undefined,
  { fetch, clock }: Pick<World, 'fetch' | 'clock'>,
): EvmNetwork {
  const chainId = chainIdOf(name)
  if (settings?.horizon !== undefined) throw invalid(name, 'horizon', 'is set for an EVM network', 'Give rpc alone')
  if (settings?.rpc === undefined) {
    throw invalid(name, 'rpc', 'names no endpoint', `Add [networks.${quoted(name)}] with the rpc of a node`)
  }
  return openEvmNetwork({
    name,
    chainId,
    rpcUrl: settings.rpc,
    fetch,
    clock,
    limits: { deadlineMs: settings.timeoutMs },
  })
}

/** TOML takes letters and hyphens bare. */
const quoted = (name: string): string => (/^[a-z-]+$/.test(name) ? name : JSON.stringify(name))

const invalid = (name: string, field: string, problem: string, fix: string): SignerError<'config/invalid'> =>
  new SignerError('config/invalid', { problems: [{ path: `networks.${name}.${field}`, problem, fix }] })
