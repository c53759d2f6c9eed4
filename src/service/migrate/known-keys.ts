import { SignerError } from '../../domain/errors.ts'
import type { DatedVersion } from '../../domain/key.ts'
import type { KeyRegistry } from '../../domain/ports.ts'
import type { Target } from './types.ts'

interface Wanted {
  readonly name: string
  readonly address: string
}

/**
 * The key, when it moved before: under this name, with this address, on this network, in whatever state it is today.
 * @throws `key/exists` when the name is another key's
 */
export async function present(
  registry: Pick<KeyRegistry, 'versions'>,
  { chain, network }: Pick<Target, 'chain' | 'network'>,
  { name, address }: Wanted,
): Promise<DatedVersion | undefined> {
  const versions = await registry.versions(name)
  const [first] = versions
  if (first === undefined) return undefined
  const same = versions.findLast(({ version }) => version.address === address)
  if (same !== undefined && first.key.chain === chain && first.key.network === network) return same
  const { key, version } = versions.at(-1) ?? first
  const reason = `the name is that of ${version.address} on ${key.chain} ${key.network}; give this key another name`
  throw new SignerError('key/exists', { key: name, reason })
}
