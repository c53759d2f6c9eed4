import { clientError } from './errors.ts'

/** The service's names of networks: its passphrase, and what SEP-43 wallets call it. */
const NETWORKS: Readonly<Record<string, readonly [passphrase: string, wallet: string]>> = {
  testnet: ['Test SDF Network ; September 2015', 'TESTNET'],
  public: ['Public Global Stellar Network ; September 2015', 'PUBLIC'],
  futurenet: ['Test SDF Future Network ; October 2022', 'FUTURENET'],
  local: ['Standalone Network ; February 2017', 'STANDALONE'],
  standalone: ['Standalone Network ; February 2017', 'STANDALONE'],
  sandbox: ['Local Sandbox Stellar Network ; September 2022', 'SANDBOX'],
}
const CUSTOM = 'custom:'

const listed = (network: string) => (Object.hasOwn(NETWORKS, network) ? NETWORKS[network] : undefined)

/** @throws `client/options` for a name this client does not know: a passphrase is never guessed */
export function passphraseOf(network: string): string {
  const known = listed(network)
  if (known !== undefined) return known[0]
  if (network.startsWith(CUSTOM)) return network.slice(CUSTOM.length)
  throw clientError('client/options', `Cannot tell the passphrase of the network ${JSON.stringify(network)}`)
}

export const networkOf = (network: string): string => listed(network)?.[1] ?? network
