/**
 * Which key of a key service stands behind an address (M-50). Four places may say it: the table `keys.mapping`, the file
 * `keys.mappingFile`, the variable `HSM_KEY_MAPPING` and one variable `HSM_KEY_<address>` each. What they say is put
 * together; none of them wins over another, since two of them that disagree mean that somebody is wrong about a key.
 */
import { readEvmAddress } from '../bytes/evm-address.ts'
import { parseStrictJson } from '../bytes/json.ts'
import type { ConfigProblem } from '../domain/errors.ts'
import type { Environment, Layers, Table } from './layers.ts'
import { tableAt } from './layers.ts'
import type { Config } from './schema.ts'
import { holdsStellarSeed } from './secret-shapes.ts'
import { type ReadFile, readText } from './secrets.ts'
import { isStellarText } from '../bytes/stellar-text.ts'
import { parseToml } from './toml.ts'

const JSON_VARIABLE = 'HSM_KEY_MAPPING'
const PREFIX = 'HSM_KEY_'
const ENTRIES_MAX = 10_000
const JSON_FIX = 'use {"G…":"arn:aws:kms:…"}, each address once'

interface Entry {
  readonly address: string
  readonly reference: unknown
  /** For messages: the setting, file or variable that says it. */
  readonly source: string
  /** Of the problem. */
  readonly path: string
}

/** The spelling that is kept: G… with its checksum; 0x… with the checksum of EIP-55, also for one all in lower case. */
export const canonicalAddress = (text: string): string | undefined =>
  isStellarText(text, 'address') ? text : readEvmAddress(text)

/** Reads all four, and leaves in `keys.mapping` what they say together. */
export async function fillMapping(layers: Layers, env: Environment, readFile: ReadFile): Promise<void> {
  const { values, problems } = layers
  const keys = tableAt(values, 'keys')
  if (values['keys'] !== undefined && keys === undefined) return // refused as no table
  const written = keys?.['mapping']
  if (written !== undefined && keys !== undefined && tableAt(keys, 'mapping') === undefined) return // the same
  const entries = [
    ...entriesOf((written ?? {}) as Table, 'keys.mapping', address => `keys.mapping.${address}`),
    ...(await ofFile(keys?.['mappingFile'], readFile, problems)),
    ...ofJson(env[JSON_VARIABLE] ?? '', problems),
    ...ofVariables(env),
  ]
  if (entries.length === 0) return
  const table = merge(entries, problems)
  if (keys === undefined) values['keys'] = { mapping: table }
  else keys['mapping'] = table
}

const entriesOf = (table: Table, source: string, path: (address: string) => string): Entry[] =>
  Object.entries(table).map(([address, reference]) => ({ address, reference, source, path: path(shown(address)) }))

async function ofFile(path: unknown, readFile: ReadFile, problems: ConfigProblem[]): Promise<Entry[]> {
  if (typeof path !== 'string' || path === '') return []
  const text = await readText(readFile, path)
  const complain = (problem: string, fix: string): Entry[] => {
    problems.push({ path: 'keys.mappingFile', problem, fix })
    return []
  }
  if (text === undefined)
    return complain(`names the file ${path.slice(0, 200)}, which cannot be read`, 'check path and permissions')
  try {
    const table = path.endsWith('.toml') ? parseToml(text) : parseStrictJson(new TextEncoder().encode(text))
    if (!isTable(table)) return complain('names a file that is no table', JSON_FIX)
    return entriesOf(table, 'keys.mappingFile', address => `keys.mappingFile.${address}`)
  } catch {
    return complain('names a file that is neither strict JSON nor TOML (by its name)', JSON_FIX)
  }
}

function ofJson(text: string, problems: ConfigProblem[]): Entry[] {
  if (text === '') return []
  try {
    const table = parseStrictJson(new TextEncoder().encode(text))
    if (isTable(table)) return entriesOf(table, JSON_VARIABLE, address => `${JSON_VARIABLE}.${address}`)
  } catch {
    // Said below; the parser's words are about a request.
  }
  problems.push({ path: JSON_VARIABLE, problem: 'is not a JSON object of texts', fix: JSON_FIX })
  return []
}

const ofVariables = (env: Environment): Entry[] =>
  Object.entries(env)
    .filter(([variable, value]) => variable.startsWith(PREFIX) && variable !== JSON_VARIABLE && (value ?? '') !== '')
    .map(([variable, reference]) => {
      const address = variable.slice(PREFIX.length)
      return { address, reference, source: `${PREFIX}…`, path: `${PREFIX}${shown(address)}` }
    })

/** Every entry checked and in its one spelling. The same said twice is said once; two that differ are refused. */
function merge(entries: readonly Entry[], problems: ConfigProblem[]): Table {
  const known = new Map<string, Entry>()
  const complain = ({ path }: Entry, problem: string, fix: string) => problems.push({ path, problem, fix })
  for (const entry of entries) {
    const address = canonicalAddress(entry.address)
    const before = address === undefined ? undefined : known.get(address)
    if (address === undefined) {
      complain(
        entry,
        'is not an address',
        'use G…, or 0x… in lower case or with the checksum of EIP-55; the other spellings may be typing mistakes',
      )
    } else if (typeof entry.reference !== 'string' || entry.reference === '' || entry.reference.length > 2048) {
      complain(entry, 'is not a key of a key service', 'use a text of 1 to 2048 characters')
    } else if (before !== undefined && before.source === entry.source) {
      complain(entry, 'names an address a second time', 'keep one of the two')
    } else if (before !== undefined && before.reference !== entry.reference) {
      complain(entry, `is another key than ${before.source} says`, 'keep it in one place, or make both say the same')
    } else known.set(address, entry)
  }
  if (known.size > ENTRIES_MAX)
    problems.push({ path: 'keys.mapping', problem: 'is too long', fix: `keep at most ${ENTRIES_MAX} addresses` })
  return Object.fromEntries([...known].map(([address, { reference }]) => [address, reference]))
}

/** What stands in an address' place may be a secret that somebody mixed up with it. */
const shown = (address: string): string => (holdsStellarSeed(address) ? '(a secret seed)' : address.slice(0, 80))

const isTable = (value: unknown): value is Table => value !== null && typeof value === 'object' && !Array.isArray(value)

/** A key of a key service. */
export interface MappedKey {
  /** Absent where none is said and none follows: whoever uses the entry has to name one. */
  readonly provider?: string
  /** In the provider's own form. */
  readonly reference: string
}

type Mapped = Pick<Config, 'keys'> & { readonly providers: Readonly<Record<string, unknown>> }

/** Address, in its one spelling, to key. */
export const keyMappingOf = (config: Mapped): ReadonlyMap<string, MappedKey> =>
  new Map(
    Object.entries(config.keys.mapping).flatMap(([address, text]) => {
      const key = mappedKey(text, config)
      return 'problem' in key ? [] : [[address, key] as const]
    }),
  )

/** Entries that name a provider which is not there. */
export const mappingProblems = (config: Mapped): ConfigProblem[] =>
  Object.entries(config.keys.mapping).flatMap(([address, text]) => {
    const key = mappedKey(text, config)
    return 'problem' in key ? [{ path: `keys.mapping.${address}`, problem: key.problem, fix: key.fix }] : []
  })

/** Stand before a colon in the key services' own references, so that no provider of this name can be meant. */
const SCHEMES = ['arn']

function mappedKey(text: string, { keys, providers }: Mapped): MappedKey | { problem: string; fix: string } {
  const names = Object.keys(providers)
  const colon = text.indexOf(':')
  const before = colon < 0 ? '' : text.slice(0, colon)
  if (colon > 0 && /^[a-z0-9][a-z0-9-]{0,62}$/.test(before) && !SCHEMES.includes(before)) {
    const reference = text.slice(colon + 1)
    if (!Object.hasOwn(providers, before))
      return {
        problem: `names the provider "${before}", which is not configured`,
        fix: `use one of ${names.join(', ') || '(none is configured)'}`,
      }
    return reference === ''
      ? { problem: 'names a provider and no key', fix: 'write provider:reference' }
      : { provider: before, reference }
  }
  const provider = keys.provider ?? (names.length === 1 ? names[0] : undefined)
  return provider === undefined ? { reference: text } : { provider, reference: text }
}
