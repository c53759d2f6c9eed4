import type { ConfigProblem } from '../domain/errors.ts'
import { kindOfWord } from './familiar.ts'
import type { Environment } from './layers.ts'
import { type Config, isLoopbackHost } from './schema.ts'
import { weakChoices } from './weak-choices.ts'
import { holdsRawEvmKey, holdsStellarSeed } from './secret-shapes.ts'

export interface StartFacts {
  /** What will run. `dev` needs none. */
  readonly config?: Config
  readonly env: Environment
  /** `keys`: an operator's command on the registry. It may send a seed to the key service, and signs nothing for others. */
  readonly command: 'serve' | 'dev' | 'keys'
  /** Providers that keys of the registry are bound to, when the store is open already. */
  readonly registry?: readonly { readonly key: string; readonly provider: string }[]
}

export interface StartVerdict {
  /** Any of them: do not start. */
  readonly refusals: readonly ConfigProblem[]
  readonly warnings: readonly ConfigProblem[]
}

interface Rule {
  readonly names: (variable: string) => boolean
  readonly problem: string
  readonly fix: string
  /** What `serve` does in the environment `development`; it refuses unless told. */
  readonly inDevelopment?: 'warn'
}

const named =
  (...variables: readonly string[]) =>
  (variable: string) =>
    variables.includes(variable)
const CLEAN = 'unset it: start from a clean environment, such as a service unit with its own list of variables'

/**
 * Variables that change what this process is, whom it trusts or what it tells. Some work before our first line runs, so
 * this check finds honest mistakes, not an attacker who owns the environment; SECURITY.md says so.
 */
export const UNSAFE_VARIABLES: readonly Rule[] = [
  { names: variable => variable.startsWith('BUN_INSPECT'), problem: 'opens a debugger', fix: CLEAN },
  { names: named('BUN_OPTIONS', 'NODE_OPTIONS'), problem: 'loads other code into this process', fix: CLEAN },
  { names: named('BUN_BE_BUN'), problem: 'turns the binary into a general interpreter', fix: CLEAN },
  { names: named('LD_PRELOAD', 'LD_AUDIT'), problem: 'loads other libraries into this process', fix: CLEAN },
  { names: named('BUN_CONFIG_VERBOSE_FETCH'), problem: 'prints requests with their credentials', fix: CLEAN },
  { names: named('SSLKEYLOGFILE'), problem: 'writes the keys of TLS connections to a file', fix: CLEAN },
  { names: named('NODE_TLS_REJECT_UNAUTHORIZED'), problem: 'turns off the check of TLS certificates', fix: CLEAN },
  {
    // Set by many base images and company machines, so for play money they warn.
    names: named('NODE_EXTRA_CA_CERTS', 'NODE_USE_SYSTEM_CA', 'SSL_CERT_FILE', 'SSL_CERT_DIR'),
    problem: 'lets others issue certificates for the key service',
    fix: CLEAN,
    inDevelopment: 'warn',
  },
  {
    names: variable => named('HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY')(variable.toUpperCase()),
    problem: 'sends calls of the key service through a proxy',
    fix: 'unset it, and give this process a direct route to the key service',
  },
  {
    names: named('LISTEN_FDS'),
    problem: 'hands this process sockets it did not open',
    fix: 'unset it: sockets are opened here',
  },
]

/** What a provider that holds keys in this process is for. */
const DEVELOPMENT_KINDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['mock', ['development', 'staging']],
  ['raw-env', ['development']],
])

export const MIGRATE =
  'move the key into a key service: `countersign migrate env NAME --provider aws-kms --seed-file -` keeps it encrypted under a wrapping key and opens it for one call at a time; better, `countersign keys create NAME --provider aws-kms`, whose key never leaves the service, and make it a signer of the account. Then unset the variable'

/**
 * Whether this process may start. Table-driven: every rule looks at one thing and says yes or no, and all findings are
 * reported together. A missing configuration counts as development only for `dev`, which brings its own.
 */
export function checkStart(facts: StartFacts): StartVerdict {
  const refusals: ConfigProblem[] = []
  const warnings: ConfigProblem[] = []
  const serve = facts.command === 'serve'
  const environment = facts.config?.environment ?? (serve ? 'production' : 'development')
  const development = environment === 'development'

  for (const { rule, ...found } of unsafeVariables(facts.env)) {
    const tolerated = development && (!serve || rule.inDevelopment === 'warn')
    ;(tolerated ? warnings : refusals).push(found)
  }
  refusals.push(...foreignEndpoint(facts, environment))
  if (facts.command === 'keys') {
    warnings.push(...rawSecrets(facts.env)) // it may be on its way into the key service at this moment
    return { refusals, warnings }
  }
  ;(development ? warnings : refusals).push(...rawSecrets(facts.env))
  refusals.push(...developmentProviders(facts, environment))
  refusals.push(...(serve ? incomplete(facts.config) : notForDev(facts.config)))
  warnings.push(...passphrases(facts.config))
  if (serve && facts.config !== undefined) warnings.push(...weakChoices(facts.config))
  return { refusals, warnings }
}

function unsafeVariables(env: Environment): (ConfigProblem & { readonly rule: Rule })[] {
  return variablesOf(env).flatMap(([variable]) => {
    const rule = UNSAFE_VARIABLES.find(({ names }) => names(variable))
    return rule === undefined ? [] : [{ path: variable, problem: rule.problem, fix: rule.fix, rule }]
  })
}

/** In production the key service's address stands in the file: a variable may not send calls, or seeds, elsewhere. */
function foreignEndpoint({ env }: StartFacts, environment: string): ConfigProblem[] {
  if (environment !== 'production') return []
  return ['AWS_ENDPOINT_URL_KMS', 'AWS_ENDPOINT_URL']
    .filter(variable => (env[variable] ?? '') !== '')
    .map(path => ({
      path,
      problem: 'sends calls of the key service to another address',
      fix: 'unset it, and write providers.<name>.endpoint into the configuration file if it is meant',
    }))
}

/** The variable is named, its value never. */
function rawSecrets(env: Environment): ConfigProblem[] {
  return variablesOf(env).flatMap(([variable, value]) => {
    if (holdsStellarSeed(value)) return [{ path: variable, problem: 'holds a Stellar secret seed', fix: MIGRATE }]
    if (holdsRawEvmKey(variable, value))
      return [{ path: variable, problem: 'looks like a raw private key', fix: MIGRATE }]
    return []
  })
}

const variablesOf = (env: Environment): [string, string][] =>
  Object.entries(env).flatMap(([variable, value]) => (value === undefined || value === '' ? [] : [[variable, value]]))

/** By every way in: the configuration (file, variable, flag), the familiar variable, and keys bound to one. */
function developmentProviders({ config, env, registry = [] }: StartFacts, environment: string): ConfigProblem[] {
  const forbidden = (kind: string) => DEVELOPMENT_KINDS.get(kind)?.includes(environment) === false
  const problem = (kind: string) => `is the development provider "${kind}", which must not run in ${environment}`
  const found: ConfigProblem[] = []
  for (const [name, { kind }] of Object.entries(config?.providers ?? {})) {
    const fix = kind === 'raw-env' ? MIGRATE : 'use aws-kms'
    if (forbidden(kind)) found.push({ path: `providers.${name}`, problem: problem(kind), fix })
  }
  const familiar = kindOfWord(env['HSM_PROVIDER'] ?? '')
  if (forbidden(familiar))
    found.push({ path: 'HSM_PROVIDER', problem: problem(familiar), fix: 'set it to aws-kms, or unset it' })
  for (const { key, provider } of registry) {
    const kind = config?.providers[provider]?.kind ?? provider
    if (forbidden(kind))
      found.push({
        path: `key ${key}`,
        problem: `is bound to "${provider}": ${problem(kind)}`,
        fix: 'bind it to aws-kms, or revoke it',
      })
  }
  return found
}

/** Allowed, for what it is; said at every start, since what it is not is easily forgotten. */
const passphrases = (config: Config | undefined): ConfigProblem[] =>
  Object.entries(config?.providers ?? {}).flatMap(([name, { kind }]) =>
    kind !== 'passphrase'
      ? []
      : {
          path: `providers.${name}`,
          problem: 'opens keys in this process: whoever has its passphrase and the database has every key under it',
          fix: 'keep channel accounts of low value there, and no treasury',
        },
  )

function incomplete(config: Config | undefined): ConfigProblem[] {
  const missing = (path: string, fix: string) => ({ path, problem: 'is missing, and serve needs it', fix })
  const { plane = 'data', environment, issuer, login } = config ?? {}
  const administers = plane !== 'data'
  // In development a key for tokens is made, and the data plane of the same process takes what it signs.
  const hasIssuer = administers && (issuer?.key !== undefined || environment === 'development')
  const needsTokens = plane === 'data' || (plane === 'all' && !hasIssuer)
  return [
    ...(config === undefined ? [missing('configuration', 'name a file with --config')] : []),
    ...(config?.data.directory === undefined ? [missing('data.directory', 'set it, or use --data DIR')] : []),
    ...(needsTokens && config?.tokens === undefined
      ? [missing('tokens', 'set issuer, audience and jwks of whoever issues the tokens')]
      : []),
    ...(administers && !hasIssuer
      ? [
          missing(
            'issuer.key',
            'set it to "file:/path" with a private Ed25519 JWK: sessions and service tokens are signed with it',
          ),
        ]
      : []),
    ...(administers && environment !== 'development' && login?.homeDomain === undefined
      ? [missing('login.homeDomain', 'set it with login.serverKey: without it no administrator can log in')]
      : []),
    ...(Object.keys(config?.providers ?? {}).length === 0
      ? [missing('providers', 'add [providers.aws-kms] with kind and region')]
      : []),
  ]
}

function notForDev(config: Config | undefined): ConfigProblem[] {
  const { environment = 'development', server } = config ?? {}
  const place = { path: 'environment', problem: `is ${environment}, and dev is for development`, fix: 'use serve' }
  const host = {
    path: 'server.host',
    problem: 'can be reached from other machines, and dev prints its token',
    fix: 'use 127.0.0.1',
  }
  return [
    ...(environment === 'development' ? [] : [place]),
    ...(server === undefined || isLoopbackHost(server.host) ? [] : [host]),
  ]
}
