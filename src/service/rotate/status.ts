import { SignerError } from '../../domain/errors.ts'
import type { DatedVersion, VersionTimes } from '../../domain/key.ts'
import type { KeyCatalogue } from '../../domain/ports.ts'
import { mayBegin } from '../../keys/lifecycle.ts'
import { planOf, ROTATION_STEPS, type RotationStep } from './moves.ts'
import { accountChange } from './sources.ts'

export interface VersionView {
  readonly version: number
  readonly state: string
  readonly address: string
  /** What it signs for. */
  readonly account: string
  readonly provider: string
  readonly custody: string
  /** When it came into its states, RFC 3339. */
  readonly times: Readonly<Partial<Record<keyof VersionTimes, string>>>
}

export interface RotationView {
  readonly key: string
  readonly chain: string
  readonly network: string
  /** `waiting`: a version was made and signs nothing yet. `overlap`: two may sign. */
  readonly phase: 'none' | 'waiting' | 'overlap'
  /** The oldest first. */
  readonly versions: readonly VersionView[]
  /** Steps that may come now. */
  readonly next: readonly ('begin' | RotationStep)[]
  /** What stands in the way, or is to be done elsewhere first. */
  readonly notes: readonly string[]
}

/** Where a rotation stands, read from the registry alone. @throws `key/unknown` */
export async function rotationStatus(registry: Pick<KeyCatalogue, 'versions'>, name: string): Promise<RotationView> {
  const versions = await registry.versions(name)
  const [first] = versions
  if (first === undefined) throw new SignerError('key/unknown', { key: name })
  const { chain, network } = first.key
  const states = versions.map(({ version }) => version)
  const waits = states.some(({ state }) => state === 'pending')
  const overlaps = states.some(({ state }) => state === 'overlap')
  const begin = mayBegin(states) === undefined ? (['begin'] as const) : []
  return {
    key: name,
    chain,
    network,
    phase: waits ? 'waiting' : overlaps ? 'overlap' : 'none',
    versions: versions.map(viewOf),
    next: [...begin, ...ROTATION_STEPS.filter(step => planOf(step, versions).kind === 'move')],
    notes: notesOf(versions, { waits, overlaps }),
  }
}

const MOVE =
  'The new version signs for an account of its own: move what the old one holds, and list it where the old one is listed.'

/** States of the versions that a rotation is about. */
const STAGED: readonly string[] = ['pending', 'active', 'overlap']

function notesOf(
  versions: readonly DatedVersion[],
  { waits, overlaps }: { readonly waits: boolean; readonly overlaps: boolean },
): readonly string[] {
  const change = waits ? accountChange(versions) : undefined
  const isStellar = versions[0]?.key.chain === 'stellar'
  const accounts = versions
    .filter(({ version }) => STAGED.includes(version.state))
    .map(({ version }) => version.account)
  const changing = `The account changes with the key: from ${change?.from} to ${change?.to}. Open with --new-account, or add the old one to sources.`
  const [add, drop, fund] = [
    'The account must have the new version as a signer before the overlap opens: --print add.',
    'Drop the old signer before the cut-over, signed by the new version: --print drop.',
    'The new version has an address of its own: move balances, allowances and roles (--print sweep lists what is left), and list it where the old one is listed.',
  ]
  if (!waits && !overlaps) return []
  if (!isStellar) return [fund]
  if (new Set(accounts).size > 1) return [...(change?.covered === false ? [changing] : []), MOVE]
  return [waits ? add : drop]
}

function viewOf({ version, bindings, times }: DatedVersion): VersionView {
  const [first] = bindings
  return {
    version: version.version,
    state: version.state,
    address: version.address,
    account: version.account,
    provider: first?.provider ?? '',
    custody: first?.custody ?? '',
    times: Object.fromEntries(
      Object.entries(times).flatMap(([name, at]) => (at === undefined ? [] : [[name, new Date(at).toISOString()]])),
    ),
  }
}
