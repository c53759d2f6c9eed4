import { type Command, Option } from 'commander'
import type { MigrationReport, Progress } from '../service/migrate/types.ts'
import type { SeedReport } from '../service/migrate/seed.ts'
import { SEED_BYTES_MAX } from './address.ts'
import type { CliContext, MigrationRoom } from './context.ts'
import { EXIT, ExitError } from './exit.ts'
import { readInput, usage } from './input.ts'
import { columns, countOption, given, json, printable } from './options.ts'
import { progressLine } from './progress.ts'
import { forRoom, type RoomFlags, withRoom } from './room.ts'
import { type TargetFlags, targetOf } from './target.ts'

interface Common extends RoomFlags, TargetFlags {
  readonly dryRun?: boolean
}
interface SeedFlags extends Common {
  readonly seedFile?: string
  readonly seedEnv?: string
  readonly address?: string
  readonly account?: string
  readonly custody: 'native' | 'envelope'
  readonly wrappingKey?: string
}
interface RowFlags extends Common {
  readonly rows: string
  readonly concurrency?: number
  readonly wrappingKey?: string
}

const PASSPHRASE_BYTES_MAX = 4096
const ROWS_BYTES_MAX = 67_108_864
const CONCURRENCY = 4
const CONCURRENCY_MAX = 32

const EXAMPLES = `
Examples:
  countersign migrate env treasury --provider aws --network public --seed-file - --address G… < seed.txt
  countersign migrate passphrase-rows --rows rows.csv --passphrase-file old.txt --provider aws --wrapping-key alias/pool --dry-run
  countersign migrate kms-blob --rows blobs.jsonl --provider aws --wrapping-key alias/wallets --network public

Stop the service first, the registry has one owner. What moved before is skipped: start a command that was stopped again as it was.`

export function migrateCommand(program: Command, context: CliContext): void {
  const migrate = program
    .command('migrate')
    .description(
      'move keys here from an environment, from rows under a passphrase, or from ciphertexts of a key service',
    )
    .addHelpText('after', EXAMPLES)

  common(migrate.command('env').argument('<name>'))
    .description(
      'a raw seed: read from a file or standard input, proved, pinned; then a list of where old copies may be',
    )
    .option(
      '--seed-file <file>',
      'file with the S… seed, or the hex of an EVM key (- for stdin, /dev/fd/3 for a descriptor)',
    )
    .option('--seed-env <variable>', 'variable of this environment that holds it; prefer --seed-file')
    .option('--address <address>', 'the address it must give')
    .option('--account <address>', 'Stellar: the account (G…) that it signs for as a signer (default: its own address)')
    .addOption(
      new Option('--custody <mode>', 'wrapped by the key service, or a signing key in it')
        .choices(['envelope', 'native'])
        .default('envelope'),
    )
    .option('--wrapping-key <reference>', 'envelope: the key that wraps it (default: a new one)')
    .action((name: string, flags: SeedFlags) => moveSeed(context, name, flags))

  forRows(migrate.command('passphrase-rows'))
    .description('rows of AES-128-GCM under SHA-256 of one passphrase: one key each, wrapped anew')
    .requiredOption('--passphrase-file <file>', 'file with the passphrase that opens them')
    .requiredOption('--wrapping-key <reference>', 'the key that wraps them')
    .addHelpText('after', formatOf('row'))
    .action(async (flags: RowFlags & { readonly passphraseFile: string; readonly wrappingKey: string }) => {
      const { rows: path, passphraseFile, wrappingKey } = flags
      if (path === '-' && passphraseFile === '-') {
        throw usage('--passphrase-file', 'is standard input, and so are the rows', 'give one of them as a file')
      }
      const target = await targetOf(context, flags)
      const file = await readInput(context.terminal, { field: '--rows', path, bytesMax: ROWS_BYTES_MAX })
      const input = { field: '--passphrase-file', path: passphraseFile, bytesMax: PASSPHRASE_BYTES_MAX }
      const passphrase = await readInput(context.terminal, input)
      try {
        await moveRows(context, flags, (room, options) =>
          room.passphraseRows({ target, file, passphrase, wrappingKey }, options),
        )
      } finally {
        passphrase.fill(0)
      }
    })

  forRows(migrate.command('kms-blob'))
    .description('ciphertexts of a key service, bound to {"pubkey": address}: as they are, one key each')
    .option('--wrapping-key <reference>', 'the key that opens them, for lines that name none')
    .addHelpText('after', formatOf('ciphertext'))
    .action(async (flags: RowFlags) => {
      const target = await targetOf(context, flags)
      const file = await readInput(context.terminal, { field: '--rows', path: flags.rows, bytesMax: ROWS_BYTES_MAX })
      const { wrappingKey } = flags
      await moveRows(context, flags, (room, options) =>
        room.blobs({ target, file, ...given({ wrappingKey }) }, options),
      )
    })
}

const formatOf = (sealed: string): string => {
  const more = sealed === 'ciphertext' ? ['wrappingKey'] : []
  const columnsOf = ['address', sealed, 'name', ...more]
  const fields = columnsOf.map(field => `"${field}":"…"`).join(',')
  return `
One key a line: ${columnsOf.join(',')} (CSV, a first line may name the columns) or {${fields}} (JSON Lines).
Address and ${sealed} (base64) must be there; a key without a name is called by its address.`
}

const common = (command: Command): Command =>
  forRoom(
    command
      .addOption(new Option('--chain <chain>', 'chain of the keys').choices(['stellar', 'evm']).default('stellar'))
      .option('--network <name>', 'network of the keys, fixed for their lives (default: testnet; of EVM keys sepolia)')
      .requiredOption('--provider <name>', 'name of the provider in the configuration')
      .option('--policy <file>', 'policy document (default: the strict one, which allows nothing)')
      .option('--dry-run', 'open and check everything, write nothing'),
  )

const forRows = (command: Command): Command =>
  common(command)
    .requiredOption('--rows <file>', 'file with one key a line (- for stdin)')
    .addOption(
      countOption(
        '--concurrency <number>',
        `rows under way at once, 1 to ${CONCURRENCY_MAX} (default: ${CONCURRENCY})`,
      ),
    )

async function moveSeed(context: CliContext, name: string, flags: SeedFlags): Promise<void> {
  const { terminal } = context
  const { custody, wrappingKey, address, account } = flags
  if (custody === 'native' && wrappingKey !== undefined) {
    throw usage('--wrapping-key', 'wraps nothing in native custody', 'leave it out, or add --custody envelope')
  }
  const target = await targetOf(context, flags)
  const file = await seedOf(context, flags)
  const dryRun = flags.dryRun === true
  try {
    const report = await inRoom(context, flags, room =>
      room.seed({ name, target, custody, file, dryRun, ...given({ address, account, wrappingKey }) }),
    )
    if (address === undefined) await terminal.err(`compare the address, or give it by --address: ${report.address}\n`)
    await terminal.out(flags.json ? json(report) : seedText(report))
  } finally {
    file.fill(0)
  }
}

/** Never an argument: every process of the machine can read those. */
async function seedOf(
  { terminal, environment }: CliContext,
  { seedFile: path, seedEnv }: SeedFlags,
): Promise<Uint8Array> {
  if ((path === undefined) === (seedEnv === undefined)) {
    const how = path === undefined ? 'neither is given' : 'both are given'
    throw usage('--seed-file, --seed-env', how, 'give exactly one of them')
  }
  if (path !== undefined) return readInput(terminal, { field: '--seed-file', path, bytesMax: SEED_BYTES_MAX })
  const text = environment[seedEnv as string] ?? ''
  if (text === '')
    throw usage('--seed-env', 'names a variable that is not set', 'give the name of the variable, not its value')
  await terminal.err(
    'warning: a seed in the environment can be read in /proc by other processes of this user, and cannot be wiped here; prefer --seed-file -\n',
  )
  return new TextEncoder().encode(text)
}

type RowOptions = Parameters<MigrationRoom['blobs']>[1]

async function moveRows(
  context: CliContext,
  flags: RowFlags,
  run: (room: MigrationRoom, options: RowOptions) => Promise<MigrationReport>,
): Promise<void> {
  const { concurrency = CONCURRENCY } = flags
  if (concurrency < 1 || concurrency > CONCURRENCY_MAX) {
    throw usage('--concurrency', `is ${concurrency}`, `use 1 to ${CONCURRENCY_MAX}`)
  }
  const stop = new AbortController()
  const undo = context.onStop(() => stop.abort())
  const onProgress = progressOf(context)
  try {
    const report = await inRoom(context, flags, room =>
      run(room, { dryRun: flags.dryRun === true, concurrency, signal: stop.signal, onProgress }),
    )
    await context.terminal.out(flags.json ? json(jsonOf(report)) : rowsText(report))
    if (report.failed.length > 0 || report.stopped !== undefined) throw new ExitError(EXIT.error)
  } finally {
    undo()
  }
}

/** In twentieth parts. */
function progressOf({ terminal }: CliContext): (progress: Progress) => void {
  const say = progressLine(terminal)
  return ({ rows, done, migrated, present, failed }) => {
    const part = Math.floor((done * 20) / Math.max(1, rows))
    const line = `${done} of ${rows} rows · ${migrated} migrated · ${present} were there · ${failed} failed`
    say(part, line, done === rows)
  }
}

const inRoom = <T>(context: CliContext, flags: Common, body: (room: MigrationRoom) => Promise<T>): Promise<T> =>
  withRoom(context, flags, config => context.services.openMigration(config), body)

const OUTCOMES: Readonly<Record<SeedReport['outcome'], string>> = {
  migrated: 'migrated: the key signed a challenge from its new place',
  present: 'was there already: the key signed a challenge from its place once more',
  'would-migrate': 'would be migrated; nothing was written',
}

function seedText({ name, address, outcome, key, checklist }: SeedReport): string {
  const place =
    key === undefined ? [] : [['place', `${key.provider} (${key.custody}), version ${key.version}, ${key.state}`]]
  const head = columns([['name', name], ['address', address], ...place, ['result', OUTCOMES[outcome]]])
  return `${head}\n${outcome === 'would-migrate' ? '' : checklistText(checklist)}`
}

function rowsText(report: MigrationReport): string {
  const { dryRun, migrated, present, failed, stopped, checklist, rows } = report
  const done = `${rows} rows: ${migrated} ${dryRun ? 'would be migrated' : 'migrated'}, ${present} were there already, ${failed.length} failed`
  const lines = failed.map(({ line, name = '', address = '', error }) =>
    [`line ${line}`, name, address === name ? '' : address, error.code, reasonOf(error.detail)].map(printable),
  )
  const unread =
    failed.length > 0 && failed.length === rows && failed.every(({ error }) => error.code === 'envelope/unreadable')
  return [
    ...(lines.length === 0 ? [] : [columns(lines)]),
    ...(unread ? ['not one of them opens: is it the right passphrase, or the right key?'] : []),
    ...(stopped === undefined ? [] : [printable(`stopped: ${stopped}; the same command goes on from here`)]),
    done,
    ...(dryRun || migrated + present === 0 ? [] : [checklistText(checklist).trimEnd()]),
    '',
  ].join('\n')
}

const checklistText = (checklist: MigrationReport['checklist']): string =>
  `Now the old copies. Until they are gone, nothing is won:\n${columns(
    checklist.map(({ id, what }) => [`[ ] ${id}`, what]),
    '  ',
  )}\n`

const jsonOf = (report: MigrationReport) => ({
  ...report,
  failed: report.failed.map(({ error, ...where }) => ({ ...where, code: error.code, ...error.detail })),
})

const reasonOf = (detail: object): string =>
  Object.entries(detail)
    .filter(([field]) => ['field', 'reason', 'fix'].includes(field))
    .map(([, value]) => String(value))
    .join(' ')
