/**
 * What an encrypted key is bound to. The key service authenticates these entries with the ciphertext, so a row that was
 * moved to another key, version or network no longer opens; checked here first, it is not even sent.
 *
 * Entries are in clear in the vendor's log: nothing secret belongs here.
 */
import type { KeyVersion } from '../domain/key.ts'
import type { EnvelopeContext } from '../domain/provider.ts'

/** The context of every row we write. `pubkey` holds the address: the name and the content that existing rows use. */
export const contextFor = (version: KeyVersion, network: string): EnvelopeContext => ({
  pubkey: version.address,
  key: version.key,
  version: String(version.version),
  network,
})

/**
 * Rows of ours carry four entries; rows written by others carry `pubkey` alone and stay readable. No other shape is.
 * @returns what is wrong, or undefined
 */
export function contextFault(context: EnvelopeContext, version: KeyVersion, network: string): string | undefined {
  const expected = contextFor(version, network)
  const names = Object.keys(context)
  const ours = Object.keys(expected)
  const known = names.every(name => ours.includes(name)) && (names.length === 1 || names.length === ours.length)
  if (!known || !names.includes('pubkey')) return 'its context has entries other than pubkey, key, version, network'
  const wrong = names.find(name => context[name] !== expected[name])
  return wrong === undefined ? undefined : `its context belongs to another ${wrong}`
}
