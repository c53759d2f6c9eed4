import { type Environment, type Layers, setAt, type Table, tableAt } from './layers.ts'
import { PROVIDER_KINDS, PROVIDERS } from '../../providers/configs.ts'

/**
 * Variables people have set already. They fill what file, `COUNTERSIGN_…` and flags left open, and change nothing that is
 * there: they often come from the platform, not from whoever configures this program.
 */
export const FAMILIAR: readonly { readonly variable: string; readonly path: string; readonly kind?: string }[] = [
  ...PROVIDERS.flatMap(({ kind, familiar }) =>
    familiar.map(({ variable, field }) => ({ variable, path: `providers.<name>.${field}`, kind })),
  ),
  { variable: 'KMS_KEY_ID', path: 'keys.reference' },
  { variable: 'AWS_KMS_KEY_ID', path: 'keys.reference' },
  { variable: 'KMS_MAX_RETRIES', path: 'limits.tries' },
  { variable: 'KMS_TIMEOUT', path: 'limits.deadlineMs' },
  { variable: 'HSM_PROVIDER', path: 'providers' },
  { variable: 'HSM_KEY_MAPPING', path: 'keys.mapping' },
  { variable: 'HSM_KEY_<address>', path: 'keys.mapping' },
  { variable: 'STELLAR_RPC_URL', path: 'networks' },
]

const ALIASES: ReadonlyMap<string, string> = new Map(
  PROVIDERS.flatMap(({ kind, aliases }) => aliases.map(alias => [alias, kind] as const)),
)

/** `AWS_KMS`, `aws` and `aws-kms` are one kind. */
export function kindOfWord(word: string): string {
  const folded = word.toLowerCase().replaceAll('_', '-')
  return ALIASES.get(folded.replaceAll('-', '')) ?? folded
}

export function fillFamiliar(layers: Layers, env: Environment): void {
  fillProvider(layers, env)
  const first = (...variables: readonly string[]) => variables.find(variable => (env[variable] ?? '') !== '')
  for (const [name, provider] of Object.entries(tableAt(layers.values, 'providers') ?? {})) {
    if (!isTable(provider)) continue
    for (const { familiar } of PROVIDERS.filter(({ kind }) => kind === provider['kind']))
      for (const { variable, field, secret, unless = [] } of familiar) {
        if (unless.some(other => other !== field && provider[other] !== undefined)) continue
        fill(layers, env, ['providers', name, field], first(variable), secret)
      }
  }
  fill(layers, env, ['keys', 'reference'], first('KMS_KEY_ID', 'AWS_KMS_KEY_ID'))
  fillRpc(layers, env)
  fillLimit(layers, env, 'KMS_MAX_RETRIES', 'tries', triesOf)
  fillLimit(layers, env, 'KMS_TIMEOUT', 'deadlineMs', deadlineOf)
}

/** Of the network that `STELLAR_NETWORK` names, as for stellar-cli, or else of the only one that is configured. */
function fillRpc(layers: Layers, env: Environment): void {
  const asked = env['STELLAR_NETWORK'] ?? ''
  const known = Object.keys(tableAt(layers.values, 'networks') ?? {})
  const name = asked === '' ? (known.length === 1 ? known[0] : undefined) : asked === 'mainnet' ? 'public' : asked
  if (name === undefined || (env['STELLAR_RPC_URL'] ?? '') === '') return
  fill(layers, env, ['networks', name, 'rpc'], 'STELLAR_RPC_URL')
}

type Understood = { readonly value: number } | { readonly problem: string; readonly fix: string }

/** A number that others count differently; what is in the file or in a variable of ours is not looked at twice. */
function fillLimit(
  layers: Layers,
  env: Environment,
  variable: string,
  field: string,
  understand: (number: number) => Understood,
): void {
  const text = env[variable] ?? ''
  if (text === '' || tableAt(layers.values, 'limits')?.[field] !== undefined) return
  const found = /^\d{1,9}$/.test(text) ? understand(Number(text)) : NO_NUMBER
  if ('problem' in found) layers.problems.push({ path: variable, problem: found.problem, fix: found.fix })
  else setAt(layers, ['limits', field], found.value, variable)
}

const NO_NUMBER: Understood = { problem: 'is not a whole number', fix: 'use digits alone, or unset it' }

/** Retries follow the first try: 2 of them are 3 tries. */
function triesOf(retries: number): Understood {
  if (retries <= 2) return { value: retries + 1 }
  return {
    problem: `asks for ${retries} retries`,
    fix: 'use 0, 1 or 2: more would only be load on a service that fails',
  }
}

/** Milliseconds, as the SDKs that read it take it. Somebody who meant seconds would have every call cut off. */
function deadlineOf(ms: number): Understood {
  if (ms >= 100) return { value: ms }
  return { problem: `is ${ms} milliseconds`, fix: `use at least 100; if seconds were meant, ${Math.max(1, ms)}000` }
}

/** `HSM_PROVIDER` names the kind of the only provider, when none is configured. */
function fillProvider(layers: Layers, env: Environment): void {
  const word = env['HSM_PROVIDER'] ?? ''
  if (word === '' || Object.keys(tableAt(layers.values, 'providers') ?? {}).length > 0) return
  const kind = kindOfWord(word)
  if (PROVIDER_KINDS.some(known => known === kind)) setAt(layers, ['providers', kind, 'kind'], kind, 'HSM_PROVIDER')
  else {
    const shown = word.length <= 20 ? JSON.stringify(word) : 'the value'
    const problem = `${shown} is not a provider this program has`
    layers.problems.push({ path: 'HSM_PROVIDER', problem, fix: `use one of ${PROVIDER_KINDS.join(', ')}` })
  }
}

function fill(
  layers: Layers,
  env: Environment,
  path: readonly string[],
  variable: string | undefined,
  secret?: boolean,
): void {
  if (variable === undefined) return
  let table: Table | undefined = layers.values
  for (const step of path.slice(0, -1)) table = table === undefined ? undefined : tableAt(table, step)
  if (table?.[path.at(-1) as string] === undefined)
    setAt(layers, path, secret === true ? `env:${variable}` : env[variable], variable)
}

const isTable = (value: unknown): value is Table => value !== null && typeof value === 'object' && !Array.isArray(value)
