import { type Command, InvalidArgumentError, Option } from 'commander'
import type { CliContext, RotationRoom, RotationReport } from './context.ts'
import { readText, usage } from './input.ts'
import { columns, countOption, given, json, printable } from './options.ts'
import { configOf } from './room.ts'
import { printSweep, SWEEP_FLAGS, type SweepFlags, sweepOptions, sweepWishOf } from './rotate-sweep.ts'

const STEPS = ['open', 'revert', 'cutover', 'abandon'] as const
type Step = (typeof STEPS)[number]

type Flags = SweepFlags &
  Readonly<Partial<Record<Step | 'begin' | 'status' | 'newAccount' | 'json', boolean>>> & {
    readonly print?: 'add' | 'drop' | 'sweep'
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
An EVM key changes its address: --print sweep lists what is left to move and to hand over, as often as it is asked.
Back: --revert closes the overlap again, --abandon gives up a version that waits.

With SQLite stop the service first, the registry has one owner; with PostgreSQL run it beside the service.`

export function rotateCommand(program: Command, context: CliContext): void {
  const { terminal, services } = context
  const command = program
    .command('rotate')
    .description('replace the public key of a key without a moment in which it does not sign')
    .argument('<key>', 'name of the key')
    .option('--status', 'show where it stands (default)')
    .option('--begin', 'make the next version')
    .option('--open', 'have the new version sign, and the old one beside it')
    .option('--revert', 'have the old version sign again')
    .option('--cutover', 'retire the old version')
    .option('--abandon', 'give up the version that waits')
    .addOption(
      new Option(
        '--print <which>',
        'Stellar: the transaction that changes the signers; EVM: what is left to move, from the chain',
      ).choices(['add', 'drop', 'sweep']),
    )
    .option('--provider <name>', 'with --begin: another key service (default: where the newest version is)')
    .addOption(
      new Option('--custody <mode>', 'with --begin: where the new key lives (default: as before)').choices([
        'native',
        'envelope',
      ]),
    )
    .option('--wrapping-key <reference>', 'with --begin, envelope: the key that wraps it (default: a new one)')
    .option(
      '--new-account',
      'Stellar, with --begin: the new version signs for its own address; with --open: again, callers get that account now',
    )
    .option(
      '--account <address>',
      'with --print: whose signers (default: the account of the versions); with --begin: the account it signs for (default: as before)',
    )
    .option(
      '--account-state <file>',
      'with --print: its state, as Horizon or RPC say it (default: networks.* is asked)',
    )
    .addOption(
      new Option('--sequence <n>', 'with --print: of the transaction (default: the next one)').argParser(sequenceOf),
    )
    .addOption(countOption('--fee <stroops>', 'with --print: the most it may cost').default(1000))
    .addOption(countOption('--valid <seconds>', 'with --print: how long it can run').default(600))
  sweepOptions(command)
    .option('--config <file>', 'TOML file of the service')
    .option('--data <dir>', 'data directory (wins over the file)')
    .option('--json', 'print one JSON object')
    .addHelpText('after', WORDS)
    .action(async (key: string, flags: Flags) => {
      const asked = askedOf(flags)
      const config = await configOf(context, flags)
      const state = flags.accountState === undefined ? undefined : await stateOf(flags.accountState)
      const wish = await sweepWishOf(terminal, flags)
      const room = await services.openRotation(config)
      try {
        if (asked === 'print sweep') await printSweep(terminal, await room.sweep(key, wish), flags.json === true)
        else if (asked === 'print') await print(room, key, flags, state)
        else await show(flags, asked, await run(room, key, asked, flags))
      } finally {
        await room.close()
      }
    })

  const stateOf = (path: string): Promise<string> =>
    readText(terminal, { field: '--account-state', path, bytesMax: STATE_BYTES_MAX })

  async function print(room: RotationRoom, key: string, flags: Flags, state: string | undefined): Promise<void> {
    const { print: which, account, sequence, fee, valid: validSeconds } = flags
    const step = which === 'drop' ? 'drop' : 'add'
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
    const rows = report.versions.map(({ version, state, provider, custody, address, account }) => [
      `v${version}`,
      state,
      provider,
      custody,
      address,
      ...(account === address ? [] : [`for ${account}`]),
    ])
    await terminal.out(`${printable(report.key)}\n${columns(rows, '  ')}\n`)
    if (report.changed === false) await terminal.err(`${asked}: done before, nothing was changed\n`)
    for (const note of report.notes) await terminal.err(`${printable(note)}\n`)
    const next = report.next.map(step => `--${step}`).join(', ')
    await terminal.err(next === '' ? 'Nothing may come next.\n' : `Next: ${next}\n`)
  }
}

type Asked = Step | 'begin' | 'status' | 'print' | 'print sweep'

/** Exactly one, and nothing that it has no use for. */
function askedOf(flags: Flags): Asked {
  const all = (['status', 'begin', ...STEPS, 'print'] as const).filter(name => flags[name] !== undefined)
  if (all.length > 1) {
    throw usage(all.map(name => `--${name}`).join(', '), 'are given together', 'do one step at a time')
  }
  const [first = 'status'] = all
  const asked: Asked = flags.print === 'sweep' ? 'print sweep' : first
  const only: Readonly<Partial<Record<keyof Flags, readonly Asked[]>>> = {
    provider: ['begin'],
    custody: ['begin'],
    wrappingKey: ['begin'],
    newAccount: ['begin', 'open'],
    account: ['begin', 'print'],
    accountState: ['print'],
    sequence: ['print'],
    ...Object.fromEntries(SWEEP_FLAGS.map(name => [name, ['print sweep']])),
  }
  for (const [name, steps] of Object.entries(only)) {
    if (flags[name as keyof Flags] === undefined || steps.includes(asked)) continue
    const option = `--${name.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
    throw usage(option, `is for ${steps.map(step => `--${step}`).join(' and ')}`, 'leave it out')
  }
  return asked
}

async function run(
  room: RotationRoom,
  key: string,
  asked: Exclude<Asked, 'print' | 'print sweep'>,
  flags: Flags,
): Promise<RotationReport> {
  const { provider, custody, wrappingKey, account, newAccount } = flags
  if (asked === 'begin') return room.begin(key, given({ provider, custody, wrappingKey, account, newAccount }))
  if (asked === 'status') return room.status(key)
  return room.step(key, asked, given({ newAccount }))
}

function sequenceOf(text: string): bigint {
  if (/^[1-9]\d{0,18}$/.test(text)) return BigInt(text)
  throw new InvalidArgumentError('Use a whole number.')
}
