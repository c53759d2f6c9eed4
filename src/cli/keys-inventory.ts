import { type Command, Option } from 'commander'
import type { Config } from '../config/schema.ts'
import type { Inventory, InventoryEntry } from '../service/inventory.ts'
import type { CliContext } from './context.ts'
import { EXIT, ExitError } from './exit.ts'
import { columns, json, printable } from './options.ts'
import { type RoomFlags, withRoom } from './room.ts'

interface Flags extends RoomFlags {
  readonly markdown?: boolean
  readonly overdue?: boolean
  readonly offline?: boolean
}

/** `keys inventory`, for auditors: every version of every key, and where it stands in its life. */
export function inventoryCommand(keys: Command, context: CliContext): void {
  keys
    .command('inventory')
    .description('every version of every key: algorithm, place, protection, custody, state, age, next rotation')
    .option('--overdue', 'only those past their crypto-period (keys.cryptoPeriodDays); exit code 1 when there are any')
    .option('--offline', 'ask no key service what protects its keys')
    .option('--config <file>', 'TOML file of the service')
    .option('--data <dir>', 'data directory (wins over the file)')
    .option('--markdown', 'print a Markdown table')
    .addOption(new Option('--json', 'print one JSON object').conflicts('markdown'))
    .action(async (flags: Flags) => {
      const open = (config: Config) => context.services.openInventory(config)
      const taken = await withRoom(context, flags, open, room => room.take({ ask: flags.offline !== true }))
      const shown = flags.overdue ? { ...taken, keys: taken.keys.filter(({ overdue }) => overdue) } : taken
      await context.terminal.out(flags.json ? json(shown) : flags.markdown ? markdown(shown) : text(shown))
      if (flags.overdue && shown.keys.length > 0) throw new ExitError(EXIT.error)
    })
}

const HEAD = [
  'Name',
  'Version',
  'Chain',
  'Network',
  'Algorithm',
  'Provider',
  'Protection',
  'Custody',
  'State',
  'Created',
  'Active from',
  'Age (days)',
  'Crypto-period (days)',
  'Next rotation',
  'Overdue',
  'Address',
]

const cellsOf = (entry: InventoryEntry): string[] => [
  entry.name,
  String(entry.version),
  entry.chain,
  entry.network,
  entry.algorithm,
  each(entry, place => place.provider),
  each(entry, place => place.protection),
  each(entry, place => place.custody),
  entry.state,
  day(entry.created),
  day(entry.activeFrom),
  String(entry.ageDays),
  entry.cryptoPeriodDays === undefined ? 'none' : String(entry.cryptoPeriodDays),
  day(entry.nextRotation),
  entry.overdue ? 'OVERDUE' : 'no',
  entry.account === entry.address ? entry.address : `${entry.address} for ${entry.account}`,
]

/** In the order of the places, so that the columns can be read together. */
const each = ({ places }: InventoryEntry, of: (place: InventoryEntry['places'][number]) => string): string =>
  places.map(of).join(', ')

const day = (iso: string | undefined): string => iso?.slice(0, 10) ?? '–'

function markdown({ at, cryptoPeriodDays, overdue, keys }: Inventory): string {
  const row = (cells: readonly string[]) => `| ${cells.map(escaped).join(' | ')} |`
  const period = cryptoPeriodDays === undefined ? 'none is set' : `${cryptoPeriodDays} days`
  return `# Inventory of keys

Taken ${at}. Crypto-period: ${period}. Overdue: ${overdue}.

${[row(HEAD), `|${HEAD.map(() => '---|').join('')}`, ...keys.map(entry => row(cellsOf(entry)))].join('\n')}
`
}

/** Networks, providers and names hold none of these today; a table that auditors read stays a table whatever comes. */
const escaped = (cell: string): string => printable(cell).replaceAll('\\', '\\\\').replaceAll('|', '\\|')

const text = ({ keys }: Inventory): string =>
  `${columns([HEAD.map(title => title.toUpperCase()), ...keys.map(entry => cellsOf(entry).map(printable))])}\n`
