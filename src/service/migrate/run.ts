import { type AnySignerError, isSignerError, SignerError } from '../../domain/errors.ts'
import { type Custody, SCHEME_OF } from '../../domain/key.ts'
import { recordEvent } from '../events.ts'
import { countFailures } from '../row-failures.ts'
import { envelopeOf } from '../wrap.ts'
import { checklistOf } from './checklist.ts'
import { present } from './known-keys.ts'
import type {
  LineProblem,
  MigrateDeps,
  MigrationReport,
  Progress,
  ReadRows,
  Source,
  SourceRow,
  Target,
} from './types.ts'

export interface RunOptions {
  readonly dryRun: boolean
  /** How many rows are under way at once; each waits for the key service most of the time. */
  readonly concurrency: number
  /** Ends the run after the rows that are under way. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Progress) => void
}

/** Proves a row, and moves it unless the run is a dry one. */
export type Move = (deps: MigrateDeps, row: SourceRow) => Promise<void>

/**
 * Every row becomes a key, once. What stands in the registry under its name and with its address is done: so a run that was
 * killed is started again as it was, and goes on where it ended. A row that fails is reported, and the others go on.
 *
 * @throws what concerns all rows alike: `config/invalid`, `start/refused`, `key/unsupported` for a provider that wraps nothing,
 *         and what the log says when it takes no record of the beginning or the end
 */
export async function migrateRows(
  deps: MigrateDeps,
  job: { readonly source: Source; readonly target: Target; readonly read: ReadRows; readonly move: Move },
  options: RunOptions,
): Promise<MigrationReport> {
  const { source, target, read, move } = job
  await checkTarget(deps, target)
  const rows = read.rows.length + read.problems.length
  const begin = { source, rows, provider: target.provider, chain: target.chain, network: target.network }
  if (!options.dryRun) await record(deps, 'migration-started', begin)
  const failed = [...read.problems]
  const counts = { migrated: 0, present: 0 }
  const tell = () => {
    const done = counts.migrated + counts.present + failed.length
    options.onProgress?.({ rows, done, ...counts, failed: failed.length })
  }
  const stop = stopper(options.signal)
  tell()
  await inParallel(byName(read.rows), options.concurrency, async group => {
    for (const row of group) {
      if (stop.reason() !== undefined) return
      try {
        counts[await once(deps, target, row, move)]++
        stop.succeeded()
      } catch (error) {
        if (!isSignerError(error)) throw error
        failed.push({ line: row.line, name: row.name, address: row.address, error })
        stop.failed(error, row.line)
      }
      tell()
    }
  })
  const stopped = stop.reason()
  const end = { ...begin, ...counts, failed: failed.length, stopped: stopped ?? '' }
  const checklist = checklistOf(source)
  if (!options.dryRun) {
    await record(deps, 'migration-finished', { ...end, checklist: checklist.map(({ id }) => id).join(' ') })
  }
  return {
    source,
    dryRun: options.dryRun,
    rows,
    ...counts,
    failed: failed.toSorted((a, b) => a.line - b.line),
    ...(stopped === undefined ? {} : { stopped }),
    checklist,
  }
}

async function once(deps: MigrateDeps, target: Target, row: SourceRow, move: Move): Promise<'present' | 'migrated'> {
  if ((await present(deps.registry, target, row)) !== undefined) return 'present'
  try {
    await move(deps, row)
    return 'migrated'
  } catch (error) {
    // Another operator may have been faster.
    if (isSignerError(error) && error.code === 'key/exists') {
      if ((await present(deps.registry, target, row)) !== undefined) return 'present'
    }
    throw error
  }
}

/** What would fail for every row alike fails before the first. */
export async function checkTarget(deps: MigrateDeps, target: Target, custody: Custody = 'envelope'): Promise<void> {
  deps.checkNetwork(target.chain, target.network)
  deps.policy(target.policy)
  const provider = await deps.provider(target.provider)
  deps.mayServe(target, provider)
  if (custody === 'envelope') return void envelopeOf(target.provider, provider)
  const wanted = SCHEME_OF[target.chain]
  if (provider.can.native.includes(wanted)) return
  const reason = `${provider.name} does not sign ${wanted} itself; use --custody envelope`
  throw new SignerError('key/unsupported', { key: target.provider, wanted, reason })
}

export const record = (
  deps: MigrateDeps,
  event: 'migration-started' | 'migration-finished',
  detail: Readonly<Record<string, string | number | boolean>>,
) => recordEvent(deps, event, detail)

/** Rows of one name come one after the other: the second is done when the first has moved. */
function byName(rows: readonly SourceRow[]): readonly (readonly SourceRow[])[] {
  return [...Map.groupBy(rows, ({ name }) => name).values()]
}

async function inParallel<T>(items: readonly T[], width: number, body: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values()
  const worker = async () => {
    for (const item of rest) await body(item)
  }
  const ended = await Promise.allSettled(Array.from({ length: Math.max(1, width) }, worker))
  for (const each of ended) if (each.status === 'rejected') throw each.reason
}

function stopper(signal: AbortSignal | undefined) {
  let reason: string | undefined
  const failures = countFailures()
  return {
    reason: () => reason ?? (signal?.aborted === true ? 'stopped by the operator' : undefined),
    succeeded: failures.succeeded,
    failed: ({ code }: AnySignerError, line: LineProblem['line']) =>
      void (reason ??= failures.failed(code, `line ${line}`)),
  }
}
