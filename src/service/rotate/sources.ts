import type { DatedVersion } from '../../domain/key.ts'
import { readPolicy } from '../../policy/index.ts'

interface AccountChange {
  /** What the version that signs now signs for. */
  readonly from: string
  /** What the one that waits would sign for. */
  readonly to: string
  /** True: the policy lets it sign for the old one too. */
  readonly covered: boolean
}

/**
 * Whether another account would be signed for from the overlap on. So it is where a new account was asked for, and with a
 * version that was made before versions knew their account.
 */
export function accountChange(versions: readonly DatedVersion[]): AccountChange | undefined {
  const before = versions.find(({ version }) => version.state === 'active')
  const next = versions.find(({ version }) => version.state === 'pending')
  if (before === undefined || next === undefined || before.key.chain !== 'stellar') return undefined
  const [from, to] = [before.version.account, next.version.account]
  if (from === to) return undefined
  const { sources = [], ...rules } = readPolicy(before.key.policy).rules
  const grantsNothing = Object.keys(rules).length <= 1 // the version of the document
  return { from, to, covered: sources === 'any' || grantsNothing || sources.includes(from) }
}
