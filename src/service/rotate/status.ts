import { SignerError } from '../../domain/errors.ts'
import type { DatedVersion, VersionTimes } from '../../domain/key.ts'
import type { KeyCatalogue } from '../../domain/ports.ts'
import { mayBegin } from '../../keys/lifecycle.ts'
import { planOf, ROTATION_STEPS, type RotationStep } from './moves.ts'
import { missingSource } from './sources.ts'

export interface VersionView {
  readonly version: number
  readonly state: string
  readonly address: string
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

function notesOf(
  versions: readonly DatedVersion[],
  { waits, overlaps }: { readonly waits: boolean; readonly overlaps: boolean },
): readonly string[] {
  const missing = waits ? missingSource(versions) : undefined
  const isStellar = versions[0]?.key.chain === 'stellar'
  const sources = `The policy does not let a new version sign for ${missing}: add it to sources before the overlap opens.`
  const [add, drop, fund] = [
    'The account must have the new version as a signer before the overlap opens: --print add.',
    'Drop the old signer before the cut-over, signed by the new version: --print drop.',
    'The new version has an address of its own: move balances, allowances and roles, and list it where the old one is listed.',
  ]
  if (!waits && !overlaps) return []
  if (!isStellar) return [fund]
  return [...(missing === undefined ? [] : [sources]), waits ? add : drop]
}

function viewOf({ version, bindings, times }: DatedVersion): VersionView {
  const [first] = bindings
  return {
    version: version.version,
    state: version.state,
    address: version.address,
    provider: first?.provider ?? '',
    custody: first?.custody ?? '',
    times: Object.fromEntries(
      Object.entries(times).flatMap(([name, at]) => (at === undefined ? [] : [[name, new Date(at).toISOString()]])),
    ),
  }
}
