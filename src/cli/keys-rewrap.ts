import { type Command, Option } from 'commander'
import type { Config } from '../config/schema.ts'
import type { RewrapProgress, RewrapReport } from '../service/rewrap/types.ts'
import type { CliContext } from './context.ts'
import { EXIT, ExitError } from './exit.ts'
import { usage } from './input.ts'
import { columns, given, json, printable } from './options.ts'
import { progressLine } from './progress.ts'
import { type RoomFlags, withRoom } from './room.ts'

interface Flags extends RoomFlags {
  readonly all?: boolean
  readonly provider: string
  readonly wrappingKey: string
  readonly fromProvider?: string
  readonly dryRun?: boolean
}

const WORDS = `
Opens each seed once, wraps it under the new key, has it sign a challenge from there; then it serves, and the old row goes when
what was under way has ended. A row that fails stays where it is. What was done before is skipped: start a command that was
stopped again as it was. The old wrapping key is yours to disable, once no row is left under it.

With SQLite stop the service first, the registry has one owner; with PostgreSQL run it beside the service: it waits for 90 s once.`

/** `keys rewrap`: the same keys and addresses, under another wrapping key or at another key service. */
export function rewrapCommand(keys: Command, context: CliContext): void {
  keys
    .command('rewrap')
    .argument('[name]')
    .description('put wrapped seeds under another wrapping key or into another key service; addresses stay')
    .addOption(new Option('--all', 'every key with a wrapped seed'))
    .requiredOption('--provider <name>', 'where the new wrapping key is; name of the provider in the configuration')
    .requiredOption('--wrapping-key <reference>', 'the key that wraps from now on')
    .option('--from-provider <name>', 'only seeds that are wrapped there')
    .option('--dry-run', 'open, wrap and check everything, write nothing')
    .option('--config <file>', 'TOML file of the service')
    .option('--data <dir>', 'data directory (wins over the file)')
    .option('--json', 'print one JSON object')
    .addHelpText('after', WORDS)
    .action(async (name: string | undefined, flags: Flags) => {
      if ((name === undefined) !== (flags.all === true)) {
        const how = name === undefined ? 'neither is given' : 'both are given'
        throw usage('<name>, --all', how, 'give exactly one of them')
      }
      const stop = new AbortController()
      const undo = context.onStop(() => stop.abort())
      const { provider, wrappingKey, fromProvider, dryRun = false } = flags
      const job = { provider, wrappingKey, ...given({ name, fromProvider }) }
      const options = { dryRun, signal: stop.signal, onProgress: progressOf(context) }
      try {
        const open = (config: Config) => context.services.openRewrap(config)
        const report = await withRoom(context, flags, open, room => room.rewrap(job, options))
        await context.terminal.out(flags.json ? json(jsonOf(report)) : textOf(report))
        if (report.failed.length > 0 || report.stopped !== undefined) throw new ExitError(EXIT.error)
      } finally {
        undo()
      }
    })
}

/** In twentieth parts; a row is half done until its old one is gone. */
function progressOf({ terminal }: CliContext): (progress: RewrapProgress) => void {
  const say = progressLine(terminal)
  return ({ rows, done, replaced, rewrapped, present, failed }) => {
    const part = Math.floor(((2 * done + replaced) * 10) / Math.max(1, rows))
    const waiting = replaced === 0 ? '' : ` · ${replaced} moved, their old rows still there`
    const line = `${done} of ${rows} rows · ${rewrapped} re-wrapped · ${present} were there · ${failed} failed${waiting}`
    say(part, line, done === rows)
  }
}

function textOf({ rows, dryRun, rewrapped, present, failed, stopped }: RewrapReport): string {
  const done = `${rows} rows: ${rewrapped} ${dryRun ? 'would be re-wrapped' : 're-wrapped'}, ${present} were there already, ${failed.length} failed`
  const lines = failed.map(({ key, version, error }) =>
    [key, `v${version}`, error.code, (error.detail as { reason?: string }).reason ?? ''].map(printable),
  )
  return [
    ...(lines.length === 0 ? [] : [columns(lines)]),
    ...(stopped === undefined ? [] : [printable(`stopped: ${stopped}; the same command goes on from here`)]),
    done,
    '',
  ].join('\n')
}

const jsonOf = (report: RewrapReport) => ({
  ...report,
  failed: report.failed.map(({ key, version, error }) => ({ ...error.detail, key, version, code: error.code })),
})
