import { SignerError } from '../src/domain/errors.ts'
import type { Chain } from '../src/domain/key.ts'
import type { Capabilities } from '../src/domain/provider.ts'

/** Where a signature would count. */
export interface Place {
  readonly environment: string
  readonly chain: Chain
  /** Our name of the network, its passphrase (Stellar) or its chain id (EVM, decimal or CAIP-2). */
  readonly network: string
}

const EVM_TEST_CHAINS = '11155111 17000 560048 1337 31337 84532 11155420 421614 80002 43113 97'.split(' ')
const EVM_TEST_NETWORKS = [
  'sepolia holesky hoodi local localhost anvil hardhat dev'.split(' '),
  'base-sepolia optimism-sepolia arbitrum-sepolia polygon-amoy avalanche-fuji bsc-testnet'.split(' '),
  EVM_TEST_CHAINS.flatMap(id => [id, `eip155:${id}`]),
].flat()

/**
 * Networks whose money is play money: a closed list, because a name we do not know may be the real one under another
 * spelling. Sources: Stellar network passphrases of stellar-core and quickstart; EIP-155 ids of chainid.network.
 */
const TEST_NETWORKS: Readonly<Record<Chain, ReadonlySet<string>>> = {
  stellar: new Set([
    'testnet',
    'futurenet',
    'local',
    'standalone',
    'Test SDF Network ; September 2015',
    'Test SDF Future Network ; October 2022',
    'Standalone Network ; February 2017',
  ]),
  evm: new Set(EVM_TEST_NETWORKS),
}

/**
 * Keeps keys that live in this process away from everything of value. Providers know no networks, so whoever joins a
 * provider to a key asks here: when it wires, and again for every request.
 *
 * @param can the provider's capabilities; those of a production provider always pass. Left out: a development provider.
 * @throws `start/refused` in production, in an unknown environment, and on any network that is not a known test network.
 */
export function assertMayServe(place: Place, can: Pick<Capabilities, 'production'> = { production: false }): void {
  if (can.production === true) return
  refuseProduction(place.environment, 'A development key provider', 'bind the key to aws-kms')
  if (!Object.hasOwn(TEST_NETWORKS, place.chain) || !TEST_NETWORKS[place.chain].has(place.network)) {
    throw new SignerError('start/refused', {
      reason: `a development key must not serve the ${place.chain} network ${JSON.stringify(place.network.slice(0, 80))}: it is not a known test network`,
      fix: `use a test network (${[...(TEST_NETWORKS[place.chain] ?? [])].slice(0, 4).join(', ')}), or bind the key to aws-kms`,
    })
  }
}

/** @throws `start/refused` unless `environment` is one of those where keys in this process are allowed. */
export function refuseProduction(
  environment: string,
  what: string,
  fix: string,
  allowed = ['development', 'staging'],
): void {
  if (allowed.includes(environment)) return
  throw new SignerError('start/refused', {
    reason: `${what} cannot be opened in the environment ${JSON.stringify(environment)}: only in ${allowed.join(' or ')}`,
    fix,
  })
}
