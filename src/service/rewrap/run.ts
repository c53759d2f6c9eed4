import { isSignerError, SignerError } from '../../domain/errors.ts'
import type { Binding, DatedVersion, VersionState } from '../../domain/key.ts'
import { countFailures } from '../row-failures.ts'
import { envelopeAt, finish, isReplaced, move, unsupported } from './move.ts'
import type { RewrapDeps, RewrapJob, RewrapOptions, RewrapProblem, RewrapReport } from './types.ts'

/** What signs no more and never will again stays where it is. */
const LEFT_ALONE: readonly VersionState[] = ['revoked', 'destroyed']

/**
 * @throws what concerns all rows alike: `config/invalid`, `key/unsupported` for a provider that wraps nothing, `key/unknown`
 *         for a name; a row that fails is reported, keeps its old place, and the others go on
 */
export async function rewrapKeys(deps: RewrapDeps, job: RewrapJob, options: RewrapOptions): Promise<RewrapReport> {
  const { dryRun, signal } = options
  const target = await envelopeAt(deps, job.provider)
  const all = (await deps.registry.versions(job.name)).filter(({ version }) => !LEFT_ALONE.includes(version.state))
  if (job.name !== undefined && all.length === 0) throw new SignerError('key/unknown', { key: job.name })
  const held = all.filter(({ bindings }) => bindings.some(each => isConcerned(each, job)))
  if (job.name !== undefined && held.length === 0) {
    const where = job.fromProvider === undefined ? '' : ` at ${job.fromProvider}`
    throw unsupported(job.name, `it has no wrapped seed${where}; a key that its service keeps moves by a rotation`)
  }

  const replaced = new Set<string>()
  const counts = { replaced: 0, rewrapped: 0, present: 0 }
  const failed: RewrapProblem[] = []
  const failures = countFailures()
  let stopped: string | undefined
  const tell = () => {
    const done = counts.rewrapped + counts.present + failed.length
    options.onProgress?.({ rows: held.length, done, ...counts, failed: failed.length })
  }
  /** Row by row: no more than one seed is open at a time. */
  const each = async (rows: readonly DatedVersion[], body: (row: DatedVersion) => Promise<void>): Promise<void> => {
    for (const row of rows) {
      if (signal?.aborted === true) stopped ??= 'stopped by the operator'
      if (stopped !== undefined) return
      try {
        await body(row)
        failures.succeeded()
      } catch (error) {
        if (!isSignerError(error)) throw error
        const { key, version } = row.version
        failed.push({ key, version, error })
        stopped = failures.failed(error.code)
      }
      tell()
    }
  }

  tell()
  await each(held, async row => {
    const old = toMove(row, job)
    if (old !== undefined) await move(deps, { row, old, target, job, dryRun })
    else if (!row.bindings.some(isReplaced)) return void counts.present++
    if (dryRun) return void counts.rewrapped++
    replaced.add(idOf(row))
    counts.replaced++
  })
  if (replaced.size > 0 && stopped === undefined) {
    // Read before the wait: what another operator replaces meanwhile has not been waited for.
    const rows = (await deps.registry.versions(job.name)).filter(row => replaced.has(idOf(row)))
    await deps.settle(signal)
    await each(rows, async row => {
      counts.replaced--
      await finish(deps, row)
      counts.rewrapped++
    })
  }
  const { rewrapped, present } = counts
  return { rows: held.length, dryRun, rewrapped, present, failed, ...(stopped === undefined ? {} : { stopped }) }
}

const idOf = ({ version: { key, version } }: DatedVersion): string => `${key} ${version}` // no name has a space

const isThere = ({ provider, reference }: Binding, job: RewrapJob): boolean =>
  provider === job.provider && reference === job.wrappingKey

const isConcerned = (binding: Binding, job: RewrapJob): boolean =>
  binding.custody === 'envelope' &&
  (job.fromProvider === undefined || binding.provider === job.fromProvider || isThere(binding, job))

/** @returns the binding to move; undefined when the version is wrapped there already */
function toMove({ version, bindings }: DatedVersion, job: RewrapJob): Binding | undefined {
  const wrapped = bindings.filter(each => each.custody === 'envelope' && !isReplaced(each))
  if (wrapped.some(each => isThere(each, job))) return undefined
  const from = wrapped.filter(each => job.fromProvider === undefined || each.provider === job.fromProvider)
  const [old, ...more] = from
  if (old === undefined) throw unsupported(version.key, `it has no wrapped seed at ${job.fromProvider}`)
  if (more.length > 0) {
    const places = from.map(({ id, provider }) => `${id} at ${provider}`).join(', ')
    throw unsupported(version.key, `it is wrapped in several places (${places}); name one by --from-provider`)
  }
  if (old.suspended !== undefined) {
    throw unsupported(version.key, `${old.id} at ${old.provider} is suspended (${old.suspended}); restore it first`)
  }
  return old
}
