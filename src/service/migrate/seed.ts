import { malformed, SignerError } from '../../domain/errors.ts'
import { type Custody, type ResolvedKey, SCHEME_OF } from '../../domain/key.ts'
import type { KeyRef } from '../../domain/provider.ts'
import { checkAccount } from '../accounts.ts'
import { type KeyView, viewOf } from '../keys.ts'
import { importNative, wrapSeed } from '../register.ts'
import { prove } from '../restore.ts'
import { checklistOf } from './checklist.ts'
import { present } from './known-keys.ts'
import { looksSecret } from './read-rows.ts'
import { checkTarget, record } from './run.ts'
import { checkSeed } from './sources.ts'
import type { ChecklistItem, MigrateDeps, Target } from './types.ts'

export interface SeedJob {
  readonly name: string
  readonly target: Target
  readonly custody: Custody
  /** In any of its forms. Taken and wiped. */
  readonly file: Uint8Array
  /** What it must give. */
  readonly address?: string
  /** Stellar: the account that it signs for; absent: its own address. */
  readonly account?: string
  /** Envelope: the key that wraps it; absent: a new one. */
  readonly wrappingKey?: KeyRef
  readonly dryRun: boolean
}

export interface SeedReport {
  readonly source: 'env'
  readonly name: string
  readonly address: string
  /** `would-migrate`: in a dry run. `present`: it had moved before, and proved itself again now. */
  readonly outcome: 'migrated' | 'present' | 'would-migrate'
  readonly key?: KeyView
  readonly checklist: readonly ChecklistItem[]
}

/**
 * A raw seed into a key service, under the same address. When this resolves with `migrated` or `present`, the key has signed
 * a challenge from its new place under the public key that the seed gives: the old copies can go. Done twice, it is done once.
 *
 * @throws `request/malformed` for what is no seed of this chain or no address, `key/mismatch` when the seed gives another
 *         address, `key/exists` when the name is another key's or the key has another name, and what the proof says
 */
export async function migrateSeed(deps: MigrateDeps, job: SeedJob): Promise<SeedReport> {
  const { name, custody } = job
  const target = { ...job.target, ...(job.account === undefined ? {} : { account: job.account }) }
  if (looksSecret(name)) {
    job.file.fill(0)
    throw malformed(
      'name',
      'looks like a private key',
      'give the key a name; every process of this machine could read this one',
    )
  }
  const seed = deps.seedOf(job.file, `seed of ${name}`, SCHEME_OF[target.chain])
  try {
    checkAccount(target.chain, target.account)
    await checkTarget(deps, target, custody)
    const publicKey = await deps.publicKeyOf(seed, SCHEME_OF[target.chain])
    const address = await checkSeed(deps, target, { name, ...wantedAddress(deps, job) }, publicKey)
    const report = { source: 'env', name, address, checklist: checklistOf('env') } as const
    const before = await present(deps.registry, target, { name, address })
    if (before !== undefined) {
      sameAccount(before, target)
      for (const binding of before.bindings) await prove(deps, before, binding)
      if (!job.dryRun) await finished(deps, { key: name, address, outcome: 'present' })
      return { ...report, outcome: 'present', key: viewOf(before) }
    }
    if (job.dryRun) return { ...report, outcome: 'would-migrate' }
    await record(deps, 'migration-started', { source: 'env', key: name, address, provider: target.provider, custody })
    const key = await (custody === 'native'
      ? importNative(deps, { ...target, name }, { seed, address })
      : wrapSeed(deps, { ...target, name }, { seed, address, ...wrapping(job) }))
    await finished(deps, { key: name, address, outcome: 'migrated' })
    return { ...report, outcome: 'migrated', key: viewOf(key) }
  } finally {
    seed.wipe()
  }
}

/** @throws `key/mismatch` */
function sameAccount(
  { key, version }: ResolvedKey,
  { account = version.account }: { readonly account?: string },
): void {
  if (version.account === account) return
  throw new SignerError('key/mismatch', {
    key: key.name,
    reason: `it is registered for ${version.account}, not for ${account}`,
  })
}

/** What the operator is told to do stands in the log too; the run before may have been killed right before it said so. */
const finished = (deps: MigrateDeps, detail: Readonly<Record<'key' | 'address' | 'outcome', string>>) => {
  const checklist = checklistOf('env').map(({ id }) => id)
  return record(deps, 'migration-finished', { source: 'env', ...detail, checklist: checklist.join(' ') })
}

function wantedAddress(deps: MigrateDeps, { address, target: { chain } }: SeedJob) {
  if (address === undefined) return {}
  const account = deps.account(chain, address)
  if (account !== undefined) return { address: account.address }
  const [what, fix] = chain === 'evm' ? ['an EVM address', 'the 0x… address'] : ['a Stellar address', 'the G… address']
  throw malformed('--address', `is not ${what}`, `give ${fix} of the key`)
}

const wrapping = ({ wrappingKey }: SeedJob) => (wrappingKey === undefined ? {} : { wrappingKey })
