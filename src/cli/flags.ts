import { type Command, InvalidArgumentError, Option } from 'commander'
import type { CliContext, FlagRoom, FlagRule, FlagValue, FlagView } from './context.ts'
import { usage } from './input.ts'
import { columns, countOption, given, json, printable } from './options.ts'
import { configOf, type RoomFlags } from './room.ts'

interface Common extends RoomFlags {
  readonly file?: string
}
interface SetFlags extends Common {
  readonly key?: string
  readonly environment?: string
  readonly caller?: string
  readonly mode: string
  readonly target?: string
  readonly percent?: number
  readonly order?: string
  readonly expect?: string
}

const MODES = ['off', 'shadow', 'canary', 'on', 'fail-over']

const EXAMPLES = `
Examples:
  countersign flags set --key treasury --mode shadow --target aws-kms
  countersign flags set --key treasury --mode canary --percent 5 --target aws-kms
  countersign flags rollback

A running service sees a change within a second, and records it before the first request goes by it.`

export function flagsCommand(program: Command, context: CliContext): void {
  const flags = program
    .command('flags')
    .description('where signatures are made: move a key from one key service to another, and back')
    .addHelpText('after', EXAMPLES)

  common(flags.command('show'))
    .description('show the rules, and what was there before')
    .action((options: Common) => report(context, options, room => room.show()))

  common(flags.command('set'))
    .description('set the rule of a key; the first rule that fits a request decides')
    .option('--key <name>', 'name of the key (default: every key without a rule of its own)')
    .option('--environment <name>', 'only in this environment')
    .option('--caller <subject>', 'only for tokens of this subject')
    .addOption(
      new Option('--mode <mode>', 'off: the first binding · shadow, canary, on: the target · fail-over: the order')
        .choices(MODES)
        .makeOptionMandatory(),
    )
    .option('--target <place>', 'shadow, canary, on: a provider by name, or a binding by id')
    .addOption(new Option('--percent <number>', 'canary: 0 to 100, two decimals at most').argParser(percent))
    .option('--order <places>', 'fail-over: providers or bindings, separated by commas')
    .option('--expect <hash>', 'refuse unless the flags have this hash')
    .action((options: SetFlags) => report(context, options, room => room.set(ruleOf(options), options.expect)))

  common(flags.command('rollback'))
    .description('bring back the flags as they were before the last change; again: before the one before')
    .addOption(countOption('--to <number>', 'bring back this version, see `flags show`'))
    .action((options: Common & { readonly to?: number }) => report(context, options, room => room.rollback(options.to)))
}

const common = (command: Command): Command =>
  command
    .option('--config <file>', 'TOML file of the service')
    .option('--file <file>', 'file of the flags (wins over flags.file)')
    .option('--data <dir>', 'data directory, to check keys and targets (wins over the file)')
    .option('--json', 'print one JSON object')

function percent(text: string): number {
  const value = Number(text)
  if (!/^\d{1,3}(\.\d{1,2})?$/.test(text) || value > 100) {
    throw new InvalidArgumentError('Use a number from 0 to 100 with two decimals at most.')
  }
  return value
}

function ruleOf(options: SetFlags): FlagRule {
  const { key, environment, caller } = options
  return { ...given({ environment, key, caller }), flag: valueOf(options) }
}

/** What the mode needs, and nothing that it has no use for. */
function valueOf({ mode, target, percent: share, order }: SetFlags): FlagValue {
  const has: Record<string, unknown> = { '--target': target, '--percent': share, '--order': order }
  const needs: Readonly<Record<string, readonly string[]>> = {
    shadow: ['--target'],
    on: ['--target'],
    canary: ['--target', '--percent'],
    'fail-over': ['--order'],
  }
  const wanted = needs[mode] ?? []
  for (const [option, value] of Object.entries(has)) {
    if (wanted.includes(option) && value === undefined) throw usage(option, 'is missing', `--mode ${mode} needs it`)
    if (!wanted.includes(option) && value !== undefined)
      throw usage(option, `means nothing with --mode ${mode}`, 'leave it out')
  }
  return { mode, ...given({ target, percent: share }), ...(order === undefined ? {} : { order: order.split(',') }) }
}

async function report(context: CliContext, options: Common, act: (room: FlagRoom) => Promise<FlagView>): Promise<void> {
  const config = await configOf(context, options)
  const view = await act(await context.services.openFlags(config, options.file))
  await context.terminal.out(options.json ? json(view) : text(view))
}

function text({ file, hash, rules, history }: FlagView): string {
  const every = (value: string | undefined) => printable(value ?? '*')
  const table = [
    ['ENVIRONMENT', 'KEY', 'CALLER', 'FLAG'],
    ...rules.map(({ environment, key, caller, flag }) => [
      every(environment),
      every(key),
      every(caller),
      printable(wordsOf(flag)),
    ]),
  ]
  const past = history.slice(0, 10).map(({ number, hash: was, at }) => [`  ${number}`, at, was.slice(0, 16)])
  const lines = [
    `${file}  ${hash.slice(0, 16)}`,
    rules.length === 0 ? 'no rules: every key is served by its first binding' : columns(table),
  ]
  return `${[...lines, ...(past.length === 0 ? [] : ['history, the newest first:', columns(past)])].join('\n')}\n`
}

function wordsOf({ mode, target, percent: share, order }: FlagValue): string {
  const to = typeof target === 'string' ? [`to ${target}`] : []
  const of = typeof share === 'number' ? [`${share} %`] : []
  return [String(mode), ...of, ...to, ...(Array.isArray(order) ? [order.join(' → ')] : [])].join(' ')
}
