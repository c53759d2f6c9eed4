import { type Command, Option } from 'commander'
import { SignerError } from '../domain/errors.ts'
import type { KeyView } from '../service/keys.ts'
import type { CliContext, KeyRoom, NewKey } from './context.ts'
import { json } from './options.ts'

interface Common {
  readonly config?: string
  readonly data?: string
  readonly json?: boolean
}
interface NewFlags extends Common {
  readonly chain: 'stellar'
  readonly network: string
  readonly provider: string
  readonly policy?: string
}
interface ImportFlags extends NewFlags {
  readonly reference?: string
  readonly seedFile?: string
  readonly ciphertextFile?: string
  readonly wrappingKey?: string
  readonly address?: string
}

const SEED_BYTES_MAX = 4096
const CIPHERTEXT_BYTES_MAX = 6144 // AWS KMS takes no longer ciphertext

export function keysCommand(program: Command, context: CliContext): void {
  const keys = program.command('keys').description('the registry of keys; stop the service first, the registry has one owner')

  forNewKey(common(keys.command('create').argument('<name>')))
    .description('make a new key: in the key service (native) or wrapped by it (envelope)')
    .addOption(new Option('--custody <mode>', 'where the key lives').choices(['native', 'envelope']).default('native'))
    .option('--wrapping-key <reference>', 'envelope: the key that wraps it (default: a new one)')
    .action(async (name: string, flags: NewFlags & { custody: 'native' | 'envelope'; wrappingKey?: string }) => {
      const { custody, wrappingKey } = flags
      const made = await withRoom(context, flags, async room =>
        room.create({ ...(await newKey(context, name, flags)), custody, ...given({ wrappingKey }) }),
      )
      await show(context, flags, made)
    })

  forNewKey(common(keys.command('import').argument('<name>')))
    .description('register a key that exists: in the key service, as a seed, or as a ciphertext')
    .option('--reference <reference>', 'native: the key in the service (ARN or id); pinned after proof of possession')
    .option('--seed-file <file>', 'envelope: file with the S… seed (or - for stdin); wrapped, verified, never stored in clear')
    .option('--ciphertext-file <file>', 'envelope: an existing ciphertext with the context {"pubkey": address}')
    .option('--wrapping-key <reference>', 'envelope: the key that wraps it')
    .option('--address <address>', 'the address it must give (required with --ciphertext-file)')
    .action(async (name: string, flags: ImportFlags) => {
      const made = await withRoom(context, flags, async room => importOne(context, room, name, flags))
      await show(context, flags, made)
    })

  common(keys.command('list'))
    .description('list the keys')
    .action(async (flags: Common) => {
      const list = await withRoom(context, flags, room => room.list())
      if (flags.json) return context.terminal.out(json({ keys: list }))
      for (const key of list) await context.terminal.out(`${row(key)}\n`)
    })

  common(keys.command('show').argument('<name>'))
    .description('show one key and its policy')
    .action(async (name: string, flags: Common) => {
      const key = await withRoom(context, flags, room => room.show(name))
      await context.terminal.out(flags.json ? json(key) : `${lines(key)}\n`)
    })
}

function common(command: Command): Command {
  return command
    .option('--config <file>', 'TOML file of the service')
    .option('--data <dir>', 'data directory (wins over the file)')
    .option('--json', 'print one JSON object')
}

function forNewKey(command: Command): Command {
  return command
    .addOption(new Option('--chain <chain>', 'chain of the key').choices(['stellar']).default('stellar'))
    .option('--network <name>', 'network of the key, fixed for its life', 'testnet')
    .requiredOption('--provider <name>', 'name of the provider in the configuration')
    .option('--policy <file>', 'policy document (default: the strict one, which allows nothing)')
}

async function newKey(context: CliContext, name: string, flags: NewFlags): Promise<NewKey> {
  const { chain, network, provider } = flags
  const policy = flags.policy === undefined ? undefined : new TextDecoder().decode(await context.terminal.readFile(flags.policy))
  return { name, chain, network, provider, ...given({ policy }) }
}

async function importOne(context: CliContext, room: KeyRoom, name: string, flags: ImportFlags): Promise<KeyView> {
  const base = await newKey(context, name, flags)
  const { reference, seedFile, ciphertextFile, wrappingKey, address } = flags
  const sources = [reference, seedFile, ciphertextFile].filter(source => source !== undefined)
  if (sources.length !== 1) {
    throw usage('--reference, --seed-file, --ciphertext-file', `${sources.length} are given`, 'give exactly one of them')
  }
  if (reference !== undefined) return room.adopt({ ...base, reference })
  if (seedFile !== undefined) {
    const seed = seedFile === '-' ? await context.terminal.readInput(SEED_BYTES_MAX) : await context.terminal.readFile(seedFile)
    return room.importSeed({ ...base, seed, ...given({ wrappingKey, address }) })
  }
  if (wrappingKey === undefined) throw usage('--wrapping-key', 'is missing', 'name the key that opens the ciphertext')
  if (address === undefined) throw usage('--address', 'is missing', 'give the address the ciphertext was bound to')
  const ciphertext = await context.terminal.readFile(ciphertextFile as string)
  if (ciphertext.length > CIPHERTEXT_BYTES_MAX) {
    throw usage('--ciphertext-file', `has ${ciphertext.length} bytes`, `give at most ${CIPHERTEXT_BYTES_MAX}`)
  }
  return room.importCiphertext({ ...base, wrappingKey, address, ciphertext })
}

async function withRoom<T>(context: CliContext, flags: Common, body: (room: KeyRoom) => Promise<T>): Promise<T> {
  const config = await context.services.loadConfig({
    ...given({ file: flags.config }),
    flags: given({ 'data.directory': flags.data }),
  })
  const room = await context.services.openKeys(config)
  try {
    return await body(room)
  } finally {
    await room.close()
  }
}

const show = (context: CliContext, flags: Common, key: KeyView) =>
  context.terminal.out(flags.json ? json(key) : `${lines(key)}\n`)

const row = (key: KeyView) =>
  [key.name, `v${key.version}`, key.state, key.chain, key.network, key.provider, key.custody, key.address].join('\t')

const lines = (key: object) =>
  Object.entries(key)
    .map(([name, value]) => `${name.padEnd(11)} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('\n')

/** Drops members that are undefined: absent and undefined are not the same under exact optional types. */
function given<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never
}

const usage = (field: string, reason: string, fix: string) => new SignerError('request/malformed', { field, reason, fix })
