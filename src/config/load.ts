import { parse } from 'smol-toml'
import { type ConfigProblem, SignerError } from '../domain/errors.ts'
import { type Jwks, readJwks } from '../domain/jwks.ts'
import { Secret } from '../domain/secret.ts'
import { fillFamiliar } from './familiar.ts'
import { crossProblems } from './cross-checks.ts'
import { fillMapping } from './key-mapping.ts'
import { type Environment, layEnvironment, type Layers, layFlags, type Table } from './layers.ts'
import { problemsOf, withSources } from './problems.ts'
import { type Config, configSchema, type Draft, type TokenSettings } from './schema.ts'
import { type ReadFile, readText, secretReference } from './secrets.ts'

export interface Sources {
  /** TOML file; left out, `COUNTERSIGN_CONFIG` names it, or there is none. */
  readonly file?: string
  readonly env: Environment
  /** By dotted path, such as `server.port`; they win over everything. */
  readonly flags?: Readonly<Record<string, unknown>>
  readonly readFile: ReadFile
}

/**
 * File, then environment, then flags, merged, checked and frozen. Secrets are resolved from their references, the key
 * set of the token issuer is read, and nothing else of the world is looked at.
 * @throws `config/invalid` with every problem found, each with its path and a fix; no value of a secret is in it.
 */
export async function loadConfig({ file, env, flags = {}, readFile }: Sources): Promise<Config> {
  const problems: ConfigProblem[] = []
  const path = file ?? (env['COUNTERSIGN_CONFIG'] || undefined)
  const layers: Layers = { values: await readToml(path, readFile, problems), sources: new Map(), problems }
  layEnvironment(layers, env)
  layFlags(layers, flags)
  fillFamiliar(layers, env)
  await fillMapping(layers, env, readFile)

  const parsed = await configSchema(secretReference(env, readFile)).safeParseAsync(layers.values)
  if (!parsed.success) problems.push(...problemsOf(parsed.error.issues, layers))
  else problems.push(...withSources(crossProblems(parsed.data), layers))
  const jwks = await loadKeySet(layers.values, readFile, problems)
  if (!parsed.success || problems.length > 0) throw new SignerError('config/invalid', { problems: unique(problems) })
  return freeze(assemble(parsed.data, jwks, problems))
}

function assemble(data: Draft, jwks: Jwks | undefined, problems: ConfigProblem[]): Config {
  const { tokens, providers, ...rest } = data
  const named = Object.entries(providers).map(([name, provider]) => {
    if (provider.name !== undefined && provider.name !== name) {
      const fix = 'leave it out: the table has the name'
      problems.push({ path: `providers.${name}.name`, problem: `is not the name of its table, "${name}"`, fix })
    }
    return [name, { ...provider, name }] as const
  })
  if (problems.length > 0) throw new SignerError('config/invalid', { problems })
  return {
    ...rest,
    ...(tokens === undefined ? {} : { tokens: tokenSettings(tokens, jwks, data.environment) }),
    providers: Object.fromEntries(named),
  }
}

/**
 * A bearer token is worth its theft: whoever reads one line of a log or of a proxy's memory signs with it until it ends
 * (T04, T06). So where money is real the sender has to prove himself unless somebody wrote down that he need not; in
 * development and staging `curl` with a token alone goes on working.
 */
function tokenSettings(
  { jwks: _, senderConstraint, ...rest }: NonNullable<Draft['tokens']>,
  jwks: Jwks | undefined,
  environment: Draft['environment'],
): TokenSettings {
  const decided = senderConstraint ?? (environment === 'production' ? 'required' : 'optional')
  return { ...rest, senderConstraint: decided, ...(jwks === undefined ? {} : { jwks }) }
}

async function readToml(path: string | undefined, readFile: ReadFile, problems: ConfigProblem[]): Promise<Table> {
  if (path === undefined) return {}
  const text = await readText(readFile, path)
  if (text === undefined) {
    problems.push({ path, problem: 'cannot be read', fix: 'check that the file exists and this user may read it' })
    return {}
  }
  try {
    return parse(text)
  } catch (error) {
    // The parser's message shows the line, and a line may hold a secret somebody wrote there: only the place is told.
    const { line = 0, column = 0 } = error as { line?: number; column?: number }
    problems.push({
      path,
      problem: `is not TOML (line ${line}, column ${column})`,
      fix: 'mend the syntax there (toml.io, version 1.0)',
    })
    return {}
  }
}

async function loadKeySet(values: Table, readFile: ReadFile, problems: ConfigProblem[]): Promise<Jwks | undefined> {
  const path = (values['tokens'] as { jwks?: unknown } | undefined)?.jwks
  if (typeof path !== 'string' || path === '') return undefined
  const text = await readText(readFile, path)
  const complain = (problem: string, fix: string) => problems.push({ path: 'tokens.jwks', problem, fix })
  if (text === undefined) {
    complain(`names the file ${path.slice(0, 200)}, which cannot be read`, 'check path and permissions')
    return undefined
  }
  try {
    const read = readJwks(JSON.parse(text), 'tokens.jwks')
    problems.push(...read.problems)
    return read.jwks
  } catch {
    complain('names a file that is not JSON', 'use a JWKS: {"keys":[…]} (RFC 7517)')
    return undefined
  }
}

const unique = (problems: readonly ConfigProblem[]): ConfigProblem[] => [
  ...new Map(problems.map(problem => [JSON.stringify(problem), problem])).values(),
]

/** All the way down; a `Secret` is closed already. */
function freeze<T>(value: T): T {
  if (value === null || typeof value !== 'object' || value instanceof Secret) return value
  for (const inner of Object.values(value)) freeze(inner)
  return Object.freeze(value)
}
