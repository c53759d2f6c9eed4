import { openDoctor } from '../../providers/doctor.ts'
import type { ProviderConfig } from '../../providers/index.ts'
import { randomId } from '../bytes/ids.ts'
import type { Diagnosis, DoctorOptions } from '../cli/context.ts'
import type { Config } from '../config/schema.ts'
import type { Finding, Patient } from '../domain/doctor.ts'
import { type ConfigProblem, isSignerError, SignerError } from '../domain/errors.ts'
import type { Binding } from '../domain/key.ts'
import type { KeyCatalogue, World } from '../domain/ports.ts'
import type { Scheme } from '../domain/provider.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import { exists, readFileText, storePath } from './places.ts'

/** For one provider, everything together. */
const DEADLINE_MS = 60_000

interface Options extends DoctorOptions {
  readonly refusals: readonly ConfigProblem[]
  readonly warnings: readonly ConfigProblem[]
}

/** What stands in the way of signing: first what this program refuses by itself, then what each key service says. */
export async function* diagnose(config: Config, options: Options, world: World): AsyncIterable<Diagnosis> {
  yield* ofSurroundings(options)
  const wanted = Object.entries(config.providers).filter(
    ([name]) => options.provider === undefined || name === options.provider,
  )
  if (wanted.length === 0) throw noProvider(config, options.provider)
  const registered: ReadonlyMap<string, readonly Patient[]> =
    options.patient === undefined ? yield* registeredPatients(config, world) : new Map()
  for (const [name, provider] of wanted) {
    const patients = options.patient === undefined ? (registered.get(name) ?? []) : [options.patient]
    for await (const finding of examine(provider, patients, config, options.signal, world))
      yield { provider: name, ...finding }
  }
}

function* ofSurroundings({ refusals, warnings }: Options): Iterable<Diagnosis> {
  for (const { path, problem, fix } of refusals) {
    yield { check: 'configuration', outcome: 'failed', meaning: `${path} ${problem}`, fix }
  }
  for (const { path, problem, fix } of warnings) {
    yield { check: 'configuration', outcome: 'warning', meaning: `${path} ${problem}`, fix }
  }
  if (refusals.length === 0) yield { check: 'configuration', outcome: 'ok' }
}

async function* examine(
  provider: ProviderConfig,
  patients: readonly Patient[],
  { environment }: Config,
  stopped: AbortSignal,
  world: World,
): AsyncIterable<Finding> {
  const over = new AbortController()
  const end = () => over.abort(new Error('stopped'))
  if (stopped.aborted) end()
  else stopped.addEventListener('abort', end, { once: true })
  const done = new AbortController()
  world.clock.sleep(DEADLINE_MS, done.signal).then(end, () => {})
  try {
    const doctor = await openDoctor(provider, { ...world, environment, readFile: readFileText })
    if (doctor === undefined) {
      const meaning = 'its keys live in this process: there is no service to ask'
      return yield { check: 'reachable', outcome: 'skipped', meaning }
    }
    try {
      yield* doctor.examine(patients, { requestId: randomId(world.random, 'r'), signal: over.signal })
    } finally {
      await doctor.close()
    }
  } catch (error) {
    if (!isSignerError(error)) throw error
    yield {
      check: 'configuration',
      outcome: 'failed',
      meaning: reasonOf(error),
      fix: 'mend the table of this provider',
    }
  } finally {
    done.abort()
    stopped.removeEventListener('abort', end)
  }
}

const reasonOf = (error: SignerError): string =>
  'problems' in error.detail
    ? error.detail.problems.map(({ path, problem }) => `${path} ${problem}`).join('; ')
    : 'reason' in error.detail
      ? error.detail.reason
      : error.code

/** A store that cannot be read is a finding of its own; the key services are asked all the same. */
async function* registeredPatients(config: Config, world: World): AsyncGenerator<Finding, Map<string, Patient[]>> {
  try {
    return await patientsOf(config, world)
  } catch (error) {
    if (!isSignerError(error)) throw error
    const fix = 'fix' in error.detail ? error.detail.fix : 'look at the data directory, or name a key with --key'
    const meaning = `the keys of the registry are not known: ${reasonOf(error)}`
    yield { check: 'configuration', outcome: 'failed', meaning, fix }
    return new Map()
  }
}

/** Where the registered keys live, by provider. The service may run beside it: reading takes nothing from it. */
async function patientsOf({ data }: Config, world: World): Promise<Map<string, Patient[]>> {
  const patients = new Map<string, Patient[]>()
  if (data.directory === undefined || !(await exists(storePath(data.directory)))) return patients
  const store = await openSqliteStore({ path: storePath(data.directory), clock: world.clock, role: 'guest' })
  try {
    for (const { version, bindings, times } of await store.keys.versions()) {
      if (times.destroyedAt !== undefined) continue // that it signs no more is no finding
      for (const binding of bindings) {
        const known = patients.get(binding.provider) ?? []
        known.push(await patientOf(binding, version.scheme, store.keys))
        patients.set(binding.provider, known)
      }
    }
  } finally {
    store.close()
  }
  return patients
}

/** A policy may let us open rows of this context alone, so the row's own is asked about. */
async function patientOf(
  { id, custody, reference }: Binding,
  scheme: Scheme,
  keys: Pick<KeyCatalogue, 'envelope'>,
): Promise<Patient> {
  if (custody === 'native') return { reference, use: 'sign', scheme }
  const context = (await keys.envelope(id))?.context
  return { reference, use: 'unwrap', ...(context === undefined ? {} : { context }) }
}

const noProvider = ({ providers }: Config, name: string | undefined): SignerError =>
  new SignerError('request/malformed', {
    field: '--provider',
    reason: name === undefined ? 'no provider is configured' : `${JSON.stringify(name.slice(0, 80))} is not configured`,
    fix:
      Object.keys(providers).length === 0
        ? 'add a table [providers.NAME] to the configuration, or set HSM_PROVIDER'
        : `use one of ${Object.keys(providers).join(', ')}`,
  })
