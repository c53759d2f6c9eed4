import { SignerError } from '../../domain/errors.ts'
import type { DatedVersion } from '../../domain/key.ts'
import type { KeyRegistry } from '../../domain/ports.ts'
import type { Target } from './types.ts'

/** So often one reading of the whole registry answers. Reading it for every row would cost the square of the rows. */
const ANSWERS_MAX = 64

/** The registry, with `versions()` of all keys read again only now and then: for many registrations in a row. */
export function rarelyRead(registry: KeyRegistry): KeyRegistry {
  let read: Promise<readonly DatedVersion[]> | undefined
  let answers = 0
  return {
    ...registry,
    versions: name => {
      if (name !== undefined) return registry.versions(name)
      if (read === undefined || ++answers >= ANSWERS_MAX) {
        answers = 0
        read = registry.versions()
        read.catch(() => (read = undefined))
      }
      return read
    },
  }
}

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
