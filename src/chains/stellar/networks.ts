import { sha256 } from '../../bytes/sha256.ts'
import type { Digest32 } from '../../domain/brands.ts'
import { SignerError } from '../../domain/errors.ts'

/**
 * Names of networks to passphrases. A key is bound to one name when it is created; the passphrase never comes from a
 * caller. `local` and `standalone` are two names of one network: the quickstart image and stellar-cli say `local`.
 */
const PASSPHRASES: ReadonlyMap<string, string> = new Map([
  ['testnet', 'Test SDF Network ; September 2015'],
  ['public', 'Public Global Stellar Network ; September 2015'],
  ['futurenet', 'Test SDF Future Network ; October 2022'],
  ['local', 'Standalone Network ; February 2017'],
  ['standalone', 'Standalone Network ; February 2017'],
  ['sandbox', 'Local Sandbox Stellar Network ; September 2022'],
])

export const STELLAR_NETWORKS: readonly string[] = [...PASSPHRASES.keys()]

const CUSTOM = 'custom:'
const CUSTOM_CHARS_MAX = 256

/**
 * The passphrase behind our name of a network. Networks outside the list are named `custom:<passphrase>` at key
 * creation: printable ASCII, 1 to 256 characters, and none of the listed ones, so that a network has one spelling and
 * nobody reaches the public network by another name.
 * @throws `config/invalid` for any other name: names come from the key registry or the operator, never from a caller.
 */
export function passphraseOf(network: string): string {
  const known = PASSPHRASES.get(network)
  if (known !== undefined) return known
  if (!network.startsWith(CUSTOM)) throw unknown(network, 'is not a network this signer knows')
  const passphrase = network.slice(CUSTOM.length)
  if (passphrase.length === 0 || passphrase.length > CUSTOM_CHARS_MAX) {
    throw unknown(network, `has a passphrase of ${passphrase.length} characters; 1 to ${CUSTOM_CHARS_MAX} are possible`)
  }
  if (!printable(passphrase)) throw unknown(network, 'has characters outside printable ASCII, or spaces at its ends')
  for (const [name, listed] of PASSPHRASES) {
    if (listed === passphrase) throw unknown(network, `is the network named ${name}`)
  }
  return passphrase
}

const ids = new Map<string, Digest32>()

/** SHA-256 of the passphrase: what stands before a transaction when it is hashed. @throws as `passphraseOf` */
export function networkIdOf(network: string): Digest32 {
  const kept = ids.get(network)
  if (kept !== undefined) return kept
  const id = sha256(new TextEncoder().encode(passphraseOf(network)))
  ids.set(network, id)
  return id
}

/** One name for each network: `standalone` and `local` are the same one. @throws as `passphraseOf` */
export function sameNetworkName(network: string): string {
  const passphrase = passphraseOf(network)
  for (const [name, listed] of PASSPHRASES) if (listed === passphrase) return name
  return network
}

function printable(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x20 || code > 0x7e) return false
  }
  return text.trim() === text
}

function unknown(network: string, problem: string): SignerError<'config/invalid'> {
  return new SignerError('config/invalid', {
    problems: [
      {
        path: 'network',
        problem: `${JSON.stringify(network)} ${problem}`,
        fix: `Use one of ${STELLAR_NETWORKS.join(', ')}, or custom:<passphrase> for a network of your own`,
      },
    ],
  })
}
