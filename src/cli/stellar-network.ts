/** Which network stellar-cli was told to use, and whether the key signs for it. */
import { type Command, Option } from 'commander'
import { type KeyReply, ProblemError } from '../client/http.ts'
import { passphraseOf } from '../client/stellar-networks.ts'
import { parseToml } from '../config/toml.ts'
import type { CliContext } from './context.ts'
import { usage } from './input.ts'
import { printable } from './options.ts'
import type { Client } from './service.ts'

export interface NetworkFlags {
  readonly network?: string
  readonly networkPassphrase?: string
  readonly rpcUrl?: string
}

/** In stellar-cli's words. */
export const forNetwork = (command: Command): Command =>
  command
    .addOption(
      new Option('-n, --network <name>', 'refuse unless the key is of this network (default: STELLAR_NETWORK)'),
    )
    .addOption(
      new Option('--network-passphrase <text>', 'the same by passphrase (default: STELLAR_NETWORK_PASSPHRASE)'),
    )
    .addOption(new Option('--rpc-url <url>', 'taken as stellar-cli does, and not asked (default: STELLAR_RPC_URL)'))

interface Named {
  /** The option or variable, as the user wrote it. */
  readonly field: string
  readonly text: string
  readonly passphrase: string
}

/** The network comes from the key, whatever is said here: what is said can only stop a signature. @throws `request/malformed` */
export async function checkNetwork(
  context: CliContext,
  client: Client,
  name: string,
  flags: NetworkFlags,
): Promise<void> {
  const named = await networkNamed(context, flags)
  if (named === undefined) return
  const key = await readKey(context, client, name, named.field)
  if (key.chain !== 'stellar') throw wrongChain(key)
  if (passphraseOf(key.network) === named.passphrase) return
  const says = named.text === named.passphrase ? '' : `${JSON.stringify(named.text)}, which is `
  throw usage(
    named.field,
    `is ${says}${JSON.stringify(named.passphrase)}, and the key ${name} signs for ${key.network}, ${JSON.stringify(passphraseOf(key.network))}`,
    `choose a key of that network, or say ${named.text === named.passphrase ? JSON.stringify(passphraseOf(key.network)) : nameFor(key.network)} there and build the transaction for it`,
  )
}

export const wrongChain = ({ name, chain }: KeyReply) =>
  usage('--key', `${name} is a key for ${chain}`, 'choose a Stellar key: `stellar countersign keys` lists them')

async function readKey({ terminal }: CliContext, client: Client, name: string, field: string): Promise<KeyReply> {
  try {
    return await client.key(name)
  } catch (error) {
    if (error instanceof ProblemError && error.problem.code === 'access/denied') {
      const why = `To compare ${field} with the network of ${name}, the token must have the scope read:${name}.`
      await terminal.err(`${printable(why)} Without ${field} nothing is compared.\n`)
    }
    throw error
  }
}

/** The rules of stellar-cli: options before variables, a passphrase before a name, and no RPC without its passphrase. */
async function networkNamed(context: CliContext, flags: NetworkFlags): Promise<Named | undefined> {
  const { environment } = context
  const told = [flags.network, flags.networkPassphrase, flags.rpcUrl]
  const sources = told.some(text => text !== undefined)
    ? ([['--network', '--network-passphrase', '--rpc-url'], told] as const)
    : ([VARIABLES, VARIABLES.map(name => environment[name] || undefined)] as const)
  const [[byName, byPassphrase, byRpc], [name, passphrase, rpc]] = sources
  if (passphrase !== undefined) return { field: byPassphrase, text: passphrase, passphrase }
  if (rpc !== undefined) {
    throw usage(byRpc, 'does not say which network it serves', `set ${byPassphrase} too, as stellar-cli asks for`)
  }
  if (name === undefined) return undefined
  return { field: byName, text: name, passphrase: await passphraseNamed(context, byName, name) }
}

const VARIABLES = ['STELLAR_NETWORK', 'STELLAR_NETWORK_PASSPHRASE', 'STELLAR_RPC_URL'] as const

/** What stellar-cli knows without a file, in our names. */
const BUILT_IN: ReadonlyMap<string, string> = new Map([
  ['mainnet', 'public'],
  ['testnet', 'testnet'],
  ['futurenet', 'futurenet'],
  ['local', 'local'],
])
const nameFor = (network: string): string =>
  [...BUILT_IN].find(([, ours]) => passphraseOf(ours) === passphraseOf(network))?.[0] ?? 'its own name'

const FILE_BYTES_MAX = 65_536

/** Networks that were added with `stellar network add` win over those it knows. */
async function passphraseNamed(context: CliContext, field: string, name: string): Promise<string> {
  if (!/^[A-Za-z0-9_-]{1,250}$/.test(name)) {
    throw usage(field, `${JSON.stringify(name)} is no name of a network`, 'use letters, digits, _ and -')
  }
  const path = `${configFolder(context.environment)}/network/${name}.toml`
  const bytes = await context.terminal.readFile(path).catch(() => undefined)
  const stored = bytes === undefined ? undefined : passphraseIn(path, bytes)
  if (stored !== undefined) return stored
  const ours = BUILT_IN.get(name)
  if (ours !== undefined) return passphraseOf(ours)
  const known = [...BUILT_IN.keys()].join(', ')
  throw usage(field, `${name} is none of ${known}, and there is no ${path}`, 'set STELLAR_NETWORK_PASSPHRASE instead')
}

function passphraseIn(path: string, bytes: Uint8Array): string {
  const wrong = (reason: string) => usage(path, reason, 'write it with `stellar network add`')
  if (bytes.length > FILE_BYTES_MAX) throw wrong(`has ${bytes.length} bytes`)
  let table: unknown
  try {
    table = parseToml(new TextDecoder().decode(bytes))
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : 'is not TOML')
  }
  const { network_passphrase: passphrase } = table as { network_passphrase?: unknown }
  if (typeof passphrase === 'string' && passphrase !== '') return passphrase
  throw wrong('has no network_passphrase')
}

/** @see https://developers.stellar.org/docs/tools/cli/agent-cli/reference/architecture */
function configFolder(environment: CliContext['environment']): string {
  const { STELLAR_CONFIG_HOME: own, XDG_CONFIG_HOME: xdg, HOME: home = '' } = environment
  if (own) return own
  return xdg ? `${xdg}/stellar` : `${home}/.config/stellar`
}
