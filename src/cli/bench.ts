import type { Command } from 'commander'
import type { CliContext } from './context.ts'
import { json } from './options.ts'

export function benchCommand(program: Command, context: CliContext): void {
  program
    .command('bench')
    .description('measure signing through AWS KMS (emulated): the SDK alone, native custody, per-call decrypt')
    .option('--short', 'fewer samples')
    .option('--json', 'print the measurements as JSON')
    .action(async (flags: { short?: boolean; json?: boolean }) => {
      const { terminal, services } = context
      const stop = new AbortController()
      const undo = context.onStop(() => stop.abort())
      try {
        const report = await services.bench({
          short: flags.short === true,
          signal: stop.signal,
          onProgress: line => void terminal.err(`${line}\n`),
        })
        await terminal.out(flags.json ? json(report.json) : report.table)
      } finally {
        undo()
      }
    })
}
