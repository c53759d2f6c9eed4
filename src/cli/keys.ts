import { type Command, Option } from 'commander'
import type { Config } from '../config/schema.ts'
import type { KeyView } from '../service/keys.ts'
import { SEED_BYTES_MAX } from './address.ts'
import type { BindKey, CliContext, ImportPassphraseRow, KeyRoom, NewKey } from './context.ts'
import { readInput, usage } from './input.ts'
import { checkCommand } from './keys-check.ts'
import { destroyCommand } from './keys-destroy.ts'
import { inventoryCommand } from './keys-inventory.ts'
import { rewrapCommand } from './keys-rewrap.ts'
import { columns, countOption, given, json } from './options.ts'
import { forRoom, type RoomFlags, withRoom } from './room.ts'
import { type TargetFlags, targetOf } from './target.ts'

interface NewFlags extends RoomFlags, TargetFlags {
  readonly shared?: boolean
  readonly account?: string
}
interface CreateFlags extends NewFlags {
  readonly custody: 'native' | 'envelope'
  readonly wrappingKey?: string
}
interface ImportFlags extends NewFlags {
  readonly reference?: string
  readonly seedFile?: string
  readonly ciphertextFile?: string
  readonly passphraseRow?: string
  readonly passphraseFile?: string
  readonly wrappingKey?: string
  readonly address?: string
  readonly native?: boolean
}

const CIPHERTEXT_BYTES_MAX = 6144 // AWS KMS takes no longer ciphertext
const PASSPHRASE_ROW_BYTES_MAX = 6144
const PASSPHRASE_BYTES_MAX = 4096

const EXAMPLES = `
Examples:
  countersign keys create treasury --provider aws --network public --policy treasury.json
  countersign keys import treasury --provider aws --reference alias/treasury
  countersign keys create deployer --chain evm --network base --provider aws
  countersign keys import legacy --provider aws --seed-file - < seed.txt
  countersign keys import treasury --provider aws --seed-file seed.txt --native --address G…`

export function keysCommand(program: Command, context: CliContext): void {
  const keys = program
    .command('keys')
    .description('the registry of keys; stop the service first, the registry has one owner')
    .addHelpText('after', EXAMPLES)

  forNewKey(forRoom(keys.command('create').argument('<name>')))
    .description('make a new key: in the key service (native) or wrapped by it (envelope)')
    .addOption(new Option('--custody <mode>', 'where the key lives').choices(['native', 'envelope']).default('native'))
    .option('--wrapping-key <reference>', 'envelope: the key that wraps it (default: a new one)')
    .action(async (name: string, flags: CreateFlags) => {
      const { custody, wrappingKey } = flags
      if (custody === 'native' && wrappingKey !== undefined) {
        throw usage('--wrapping-key', 'wraps nothing in native custody', 'leave it out, or add --custody envelope')
      }
      const asked = { ...(await newKey(context, name, flags)), custody, ...given({ wrappingKey }) }
      await show(context, flags, await inRoom(context, flags, room => room.create(asked)))
    })

  forNewKey(forRoom(keys.command('import').argument('<name>')))
    .description(
      'register a key that exists: in the key service, as a seed, as a ciphertext, or as a row under a passphrase',
    )
    .option('--reference <reference>', 'native: the key in the service (ARN or id); pinned after proof of possession')
    .option(
      '--seed-file <file>',
      'envelope: file with the S… seed, or the hex of an EVM key (or - for stdin); wrapped, verified, never stored in clear',
    )
    .option('--native', 'with --seed-file: into the key service itself, which signs with it from then on (not wrapped)')
    .option('--ciphertext-file <file>', 'envelope: an existing ciphertext with the context {"pubkey": address}')
    .option(
      '--passphrase-row <file>',
      'envelope: a row of AES-128-GCM under SHA-256 of a passphrase, in base64; wrapped anew',
    )
    .option('--passphrase-file <file>', 'the passphrase that opens --passphrase-row')
    .option('--wrapping-key <reference>', 'envelope: the key that wraps it')
    .option(
      '--shared',
      'the public key may be behind another name on this network too; both policies hold together then',
    )
    .option('--address <address>', 'the address it must give (required with --ciphertext-file and --passphrase-row)')
    .addHelpText(
      'after',
      '\nWithout a source, keys.mapping (by --address) or keys.reference of the configuration names the key.',
    )
    .action(async (name: string, flags: ImportFlags) => {
      const made = await inRoom(context, flags, (room, config) => importOne(context, { room, config, name, flags }))
      await show(context, flags, made)
    })

  forRoom(keys.command('list'))
    .description('list the keys')
    .action(async (flags: RoomFlags) => {
      const list = await inRoom(context, flags, room => room.list())
      if (flags.json) return context.terminal.out(json({ keys: list }))
      for (const key of list) await context.terminal.out(`${row(key)}\n`)
    })

  checkCommand(keys, context)
  inventoryCommand(keys, context)
  rewrapCommand(keys, context)
  destroyCommand(keys, context)

  forRoom(keys.command('show').argument('<name>'))
    .description('show one key and its policy')
    .action(async (name: string, flags: RoomFlags) => {
      const key = await inRoom(context, flags, room => room.show(name))
      await show(context, flags, key)
    })

  forRoom(keys.command('restore').argument('<name>'))
    .description('take a key out of quarantine, once it has signed a challenge that verifies under the pinned key')
    .addOption(countOption('--key-version <n>', 'this version (needed where several are in quarantine)'))
    .addOption(
      new Option(
        '--binding <id>',
        'instead: end the suspension of this binding, once it has signed such a challenge',
      ).conflicts('keyVersion'),
    )
    .action(async (name: string, flags: RoomFlags & { readonly binding?: string; readonly keyVersion?: number }) => {
      const { binding, keyVersion } = flags
      const restore = (room: KeyRoom) =>
        binding === undefined ? room.restore(name, keyVersion) : room.restoreBinding(name, binding)
      await show(context, flags, await inRoom(context, flags, restore))
    })

  forRoom(keys.command('bind').argument('<name>'))
    .description('add another place of the same public key, once it has signed a challenge that verifies under it')
    .requiredOption('--provider <name>', 'name of the provider in the configuration')
    .option('--reference <reference>', 'native: the key in the service (ARN or id)')
    .option(
      '--seed-file <file>',
      'envelope: file with the S… seed, or the hex of an EVM key (or - for stdin); wrapped, never stored in clear',
    )
    .option('--wrapping-key <reference>', 'envelope: the key that wraps it (default: a new one)')
    .action(async (name: string, flags: BindFlags) => {
      const place = await placeOf(context, name, flags)
      await show(context, flags, await inRoom(context, flags, room => room.bind(place)))
    })
}

interface BindFlags extends RoomFlags {
  readonly provider: string
  readonly reference?: string
  readonly seedFile?: string
  readonly wrappingKey?: string
}

async function placeOf({ terminal }: CliContext, name: string, flags: BindFlags): Promise<BindKey> {
  const { provider, reference, seedFile, wrappingKey } = flags
  if ((reference === undefined) === (seedFile === undefined)) {
    const how = reference === undefined ? 'neither is given' : 'both are given'
    throw usage('--reference, --seed-file', how, 'give exactly one of them')
  }
  if (reference !== undefined) {
    if (wrappingKey !== undefined) throw usage('--wrapping-key', 'wraps nothing in native custody', 'leave it out')
    return { name, provider, reference }
  }
  const input = { field: '--seed-file', path: seedFile as string, bytesMax: SEED_BYTES_MAX }
  return { name, provider, seed: await readInput(terminal, input), ...given({ wrappingKey }) }
}

function forNewKey(command: Command): Command {
  return command
    .addOption(new Option('--chain <chain>', 'chain of the key').choices(['stellar', 'evm']).default('stellar'))
    .option(
      '--network <name>',
      'network of the key, fixed for its life (default: testnet; of an EVM key sepolia); eip155:<id> for any chain',
    )
    .requiredOption('--provider <name>', 'name of the provider in the configuration')
    .option('--policy <file>', 'policy document (default: the strict one, which allows nothing)')
    .option('--account <address>', 'Stellar: the account (G…) that it signs for as a signer (default: its own address)')
}

const newKey = async (context: CliContext, name: string, flags: NewFlags): Promise<NewKey> => ({
  name,
  ...(await targetOf(context, flags)),
  ...given({ shared: flags.shared, account: flags.account }),
})

interface Import {
  readonly room: KeyRoom
  readonly config: Config
  readonly name: string
  readonly flags: ImportFlags
}

/** One source, and nothing that the source has no use for: an option that is not looked at would be a promise not kept. */
async function importOne(context: CliContext, { room, config, name, flags }: Import): Promise<KeyView> {
  const base = await newKey(context, name, flags)
  const { seedFile, ciphertextFile, passphraseRow, passphraseFile, wrappingKey, address } = flags
  const reference =
    flags.reference ??
    ((seedFile ?? ciphertextFile ?? passphraseRow) ? undefined : await configured(config, base.provider, address))
  const sources = [reference, seedFile, ciphertextFile, passphraseRow].filter(source => source !== undefined)
  if (sources.length !== 1) {
    const given = sources.length === 0 ? 'none is given' : `${sources.length} are given`
    throw usage('--reference, --seed-file, --ciphertext-file, --passphrase-row', given, 'give exactly one of them')
  }
  if (passphraseRow === undefined && passphraseFile !== undefined) {
    throw usage('--passphrase-file', 'opens nothing here', 'leave it out, or add --passphrase-row')
  }
  if (flags.native === true && (seedFile === undefined || wrappingKey !== undefined)) {
    const how = seedFile === undefined ? 'brings a seed into the key service, and none is given' : 'wraps nothing'
    throw usage('--native', how, 'give --seed-file, and no --wrapping-key')
  }
  if (reference !== undefined) {
    if (wrappingKey === undefined) return room.adopt({ ...base, reference, ...given({ address }) })
    throw usage('--wrapping-key', 'wraps nothing in native custody', 'leave it out')
  }
  if (seedFile !== undefined) {
    const input = { field: '--seed-file', path: seedFile, bytesMax: SEED_BYTES_MAX }
    const seed = await readInput(context.terminal, input)
    if (flags.native === true) return room.importNative({ ...base, seed, ...given({ address }) })
    return room.importSeed({ ...base, seed, ...given({ wrappingKey, address }) })
  }
  if (passphraseRow !== undefined) {
    const read = await passphraseRowInput(context, passphraseRow, passphraseFile, address)
    return room.importPassphraseRow({ ...base, ...read, ...given({ wrappingKey }) })
  }
  if (wrappingKey === undefined) throw usage('--wrapping-key', 'is missing', 'name the key that opens the ciphertext')
  if (address === undefined) throw usage('--address', 'is missing', 'give the address the ciphertext was bound to')
  const input = { field: '--ciphertext-file', path: ciphertextFile as string, bytesMax: CIPHERTEXT_BYTES_MAX }
  return room.importCiphertext({ ...base, wrappingKey, address, ciphertext: await readInput(context.terminal, input) })
}

async function passphraseRowInput(
  { terminal }: CliContext,
  rowPath: string,
  passphrasePath: string | undefined,
  address: string | undefined,
): Promise<Pick<ImportPassphraseRow, 'row' | 'passphrase' | 'address'>> {
  if (passphrasePath === undefined) throw usage('--passphrase-file', 'is missing', 'name the file with the passphrase')
  if (address === undefined) throw usage('--address', 'is missing', 'give the address of the account: the row has none')
  if (rowPath === '-' && passphrasePath === '-') {
    throw usage('--passphrase-file', 'is standard input, and so is the row', 'give one of them as a file')
  }
  const row = await readInput(terminal, {
    field: '--passphrase-row',
    path: rowPath,
    bytesMax: PASSPHRASE_ROW_BYTES_MAX,
  })
  const input = { field: '--passphrase-file', path: passphrasePath, bytesMax: PASSPHRASE_BYTES_MAX }
  return { row, passphrase: await readInput(terminal, input), address }
}

/** The familiar variables (KMS_KEY_ID, HSM_KEY_MAPPING) and the file end up here. */
async function configured(config: Config, provider: string, address: string | undefined): Promise<string | undefined> {
  const { canonicalAddress, keyMappingOf } = await import('../config/key-mapping.ts')
  const canonical = address === undefined ? undefined : canonicalAddress(address)
  const key = canonical === undefined ? undefined : keyMappingOf(config).get(canonical)
  if (key === undefined) return config.keys.reference
  if (key.provider === undefined || key.provider === provider) return key.reference
  throw usage('--provider', `is ${provider}, and the key of this address is mapped to ${key.provider}`, 'give that one')
}

const inRoom = <T>(
  context: CliContext,
  flags: RoomFlags,
  body: (room: KeyRoom, config: Config) => Promise<T>,
): Promise<T> => withRoom(context, flags, config => context.services.openKeys(config), body)

const show = (context: CliContext, flags: RoomFlags, key: KeyView) =>
  context.terminal.out(flags.json ? json(key) : `${lines(key)}\n`)

function row(key: KeyView): string {
  const cells = [key.name, `v${key.version}`, key.state, key.chain, key.network, key.provider, key.custody, key.address]
  return (key.account === key.address ? cells : [...cells, `for ${key.account}`]).join('\t')
}

const lines = (key: object) =>
  columns(Object.entries(key).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]))
