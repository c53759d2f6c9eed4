import type { DatedVersion } from '../../domain/key.ts'
import { readPolicy } from '../../policy/index.ts'

/**
 * The account of the version that signs now, where the policy does not let others sign for it. A Stellar account stays when
 * its key changes; what is signed for it then has a source that is not the new key's own.
 */
export function missingSource(versions: readonly DatedVersion[]): string | undefined {
  const before = versions.find(({ version }) => version.state === 'active')
  if (before === undefined || before.key.chain !== 'stellar') return undefined
  const { sources = [], ...rules } = readPolicy(before.key.policy).rules
  const grantsNothing = Object.keys(rules).length <= 1 // the version of the document
  if (sources === 'any' || grantsNothing || sources.includes(before.version.address)) return undefined
  return before.version.address
}
