import { type Command, InvalidArgumentError, Option } from 'commander'
import type { CliContext, RotationRoom, RotationReport } from './context.ts'
import { readText, usage } from './input.ts'
import { columns, countOption, given, json, printable } from './options.ts'
import { configOf } from './room.ts'

const STEPS = ['open', 'revert', 'cutover', 'abandon'] as const
type Step = (typeof STEPS)[number]

type Flags = Readonly<Partial<Record<Step | 'begin' | 'status' | 'newAccount' | 'json', boolean>>> & {
  readonly print?: 'add' | 'drop'
  readonly provider?: string
  readonly custody?: 'native' | 'envelope'
  readonly wrappingKey?: string
  readonly account?: string
  readonly accountState?: string
  readonly sequence?: bigint
  readonly fee: number
  readonly valid: number
  readonly config?: string
  readonly data?: string
}

const STATE_BYTES_MAX = 262_144

const WORDS = `
A rotation, in order; each step may be asked for again after a crash, and all of them be taken back until the cut-over:
  countersign rotate treasury --begin            makes the next version; verifiers see it, it signs nothing yet
  countersign rotate treasury --print add        the transaction that adds it to the account, XDR on stdout; sign and send it
  countersign rotate treasury --open             the new version signs, the old one where it is asked for by number
  countersign rotate treasury --print drop       the transaction that drops the old signer; sign it with the new version
  countersign rotate treasury --cutover          the old version signs no more
Back: --revert closes the overlap again, --abandon gives up a version that waits.

With SQLite stop the service first, the registry has one owner; with PostgreSQL run it beside the service.`

export function rotateCommand(program: Command, context: CliContext): void {
  const { terminal, services } = context
  program
    .command('rotate')
    .description('replace the public key of a key without a moment in which it does not sign')
    .argument('<key>', 'name of the key')
    .option('--status', 'show where it stands (default)')
    .option('--begin', 'make the next version')
    .option('--open', 'have the new version sign, and the old one beside it')
    .option('--revert', 'have the old version sign again')
    .option('--cutover', 'retire the old version')
    .option('--abandon', 'give up the version that waits')
    .addOption(new Option('--print <which>', 'the transaction that changes the signers').choices(['add', 'drop']))
    .option('--provider <name>', 'with --begin: another key service (default: where the newest version is)')
    .addOption(
      new Option('--custody <mode>', 'with --begin: where the new key lives (default: as before)').choices([
        'native',
        'envelope',
      ]),
    )
    .option('--wrapping-key <reference>', 'with --begin, envelope: the key that wraps it (default: a new one)')
    .option('--new-account', 'with --open: the account changes with the key, the policy need not name the old one')
    .option('--account <address>', 'with --print: whose signers (default: the account of version 1)')
    .option(
      '--account-state <file>',
      'with --print: its state, as Horizon or RPC say it (default: networks.* is asked)',
    )
    .addOption(
      new Option('--sequence <n>', 'with --print: of the transaction (default: the next one)').argParser(sequenceOf),
    )
    .addOption(countOption('--fee <stroops>', 'with --print: the most it may cost').default(1000))
    .addOption(countOption('--valid <seconds>', 'with --print: how long it can run').default(600))
    .option('--config <file>', 'TOML file of the service')
    .option('--data <dir>', 'data directory (wins over the file)')
    .option('--json', 'print one JSON object')
    .addHelpText('after', WORDS)
    .action(async (key: string, flags: Flags) => {
      const asked = askedOf(flags)
      const config = await configOf(context, flags)
      const state = flags.accountState === undefined ? undefined : await stateOf(flags.accountState)
      const room = await services.openRotation(config)
      try {
        if (asked === 'print') await print(room, key, flags, state)
        else await show(flags, asked, await run(room, key, asked, flags))
      } finally {
        await room.close()
      }
    })

  const stateOf = (path: string): Promise<string> =>
    readText(terminal, { field: '--account-state', path, bytesMax: STATE_BYTES_MAX })

  async function print(room: RotationRoom, key: string, flags: Flags, state: string | undefined): Promise<void> {
    const { print: step = 'add', account, sequence, fee, valid: validSeconds } = flags
    const made = await room.signers(key, { step, fee, validSeconds, ...given({ account, state, sequence }) })
    if (made.kind === 'done') {
      if (flags.json) return terminal.out(json({ key, step, done: true, reason: made.reason }))
      return terminal.err(`${printable(`nothing to do: ${made.reason}`)}\n`)
    }
    const { envelope: xdr, sentence, needs, notes, grant } = made
    if (flags.json) return terminal.out(json({ key, step, done: false, xdr, sentence, needs, notes, policy: grant }))
    for (const line of [sentence, ...notes]) await terminal.err(`${printable(line)}\n`)
    await terminal.err(`A policy that allows it and nothing else: ${JSON.stringify(grant)}\n`)
    await terminal.out(`${xdr}\n`)
  }

  async function show(flags: Flags, asked: Asked, report: RotationReport): Promise<void> {
    if (flags.json) return terminal.out(json(report))
    const rows = report.versions.map(({ version, state, provider, custody, address }) => [
      `v${version}`,
      state,
      provider,
      custody,
      address,
    ])
    await terminal.out(`${printable(report.key)}\n${columns(rows, '  ')}\n`)
    if (report.changed === false) await terminal.err(`${asked}: done before, nothing was changed\n`)
    for (const note of report.notes) await terminal.err(`${printable(note)}\n`)
    const next = report.next.map(step => `--${step}`).join(', ')
    await terminal.err(next === '' ? 'Nothing may come next.\n' : `Next: ${next}\n`)
  }
}

type Asked = Step | 'begin' | 'status' | 'print'

/** Exactly one, and nothing that it has no use for. */
function askedOf(flags: Flags): Asked {
  const all = (['status', 'begin', ...STEPS, 'print'] as const).filter(name => flags[name] !== undefined)
  if (all.length > 1) {
    throw usage(all.map(name => `--${name}`).join(', '), 'are given together', 'do one step at a time')
  }
  const [asked = 'status'] = all
  const only: Readonly<Partial<Record<keyof Flags, Asked>>> = {
    provider: 'begin',
    custody: 'begin',
    wrappingKey: 'begin',
    newAccount: 'open',
    account: 'print',
    accountState: 'print',
    sequence: 'print',
  }
  for (const [name, step] of Object.entries(only)) {
    if (flags[name as keyof Flags] === undefined || step === asked) continue
    const option = `--${name.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
    throw usage(option, `is for --${step}`, 'leave it out')
  }
  return asked
}

async function run(room: RotationRoom, key: string, asked: Asked, flags: Flags): Promise<RotationReport> {
  const { provider, custody, wrappingKey, newAccount } = flags
  if (asked === 'begin') return room.begin(key, given({ provider, custody, wrappingKey }))
  if (asked === 'status' || asked === 'print') return room.status(key)
  return room.step(key, asked, given({ newAccount }))
}

function sequenceOf(text: string): bigint {
  if (/^[1-9]\d{0,18}$/.test(text)) return BigInt(text)
  throw new InvalidArgumentError('Use a whole number.')
}
