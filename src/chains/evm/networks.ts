import { SignerError } from '../../domain/errors.ts'

/**
 * Names of networks to chain ids (EIP-155). A key is bound to one name when it is created; the id never comes from a
 * caller. Ids as registered at https://chainid.network.
 */
const CHAIN_IDS: ReadonlyMap<string, bigint> = new Map([
  ['mainnet', 1n],
  ['sepolia', 11155111n],
  ['hoodi', 560048n],
  ['optimism', 10n],
  ['optimism-sepolia', 11155420n],
  ['base', 8453n],
  ['base-sepolia', 84532n],
  ['arbitrum-one', 42161n],
  ['arbitrum-sepolia', 421614n],
  ['polygon', 137n],
  ['polygon-amoy', 80002n],
  ['bnb', 56n],
  ['avalanche', 43114n],
  ['gnosis', 100n],
  ['linea', 59144n],
  ['anvil', 31337n],
])

export const EVM_NETWORKS: readonly string[] = [...CHAIN_IDS.keys()]

const CAIP = 'eip155:'

/** Whether it is written as the name of an EVM network; `chainIdOf` says whether it is one. */
export const namesEvmNetwork = (network: string): boolean => CHAIN_IDS.has(network) || network.startsWith(CAIP)

/** EIP-2294: half of what a 64-bit integer less 36 can hold, so that `v` of a legacy transaction fits. */
const CHAIN_ID_MAX = 9_223_372_036_854_775_790n

/**
 * The chain id behind our name of a network. Networks outside the list are named `eip155:<id>` (CAIP-2) at key creation, in
 * decimal, and none of the listed ones, so that a network has one spelling.
 * @throws `config/invalid` for any other name: names come from the key registry or the operator, never from a caller.
 */
export function chainIdOf(network: string): bigint {
  const known = CHAIN_IDS.get(network)
  if (known !== undefined) return known
  const digits = network.startsWith(CAIP) ? network.slice(CAIP.length) : ''
  if (digits.length === 0 || digits.length > 19 || !isDecimal(digits)) {
    throw unknown(network, 'is not an EVM network this signer knows')
  }
  const id = BigInt(digits)
  if (id > CHAIN_ID_MAX) throw unknown(network, `has a chain id over ${CHAIN_ID_MAX} (EIP-2294)`)
  for (const [name, listed] of CHAIN_IDS) if (listed === id) throw unknown(network, `is the network named ${name}`)
  return id
}

function isDecimal(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x30 || code > 0x39) return false
  }
  return text.charAt(0) !== '0' // no leading zeros, and no chain 0
}

const unknown = (network: string, problem: string): SignerError<'config/invalid'> =>
  new SignerError('config/invalid', {
    problems: [
      {
        path: 'network',
        problem: `${JSON.stringify(network.slice(0, 80))} ${problem}`,
        fix: `Use one of ${EVM_NETWORKS.join(', ')}, or eip155:<chain id> for another`,
      },
    ],
  })
