import type { Command } from 'commander'
import type { CliContext } from './context.ts'
import { json } from './options.ts'

export function configCommand(program: Command, context: CliContext): void {
  const config = program.command('config').description('check a configuration, or print its schema')

  config
    .command('check')
    .description('read file, environment and flags as `serve` would, and say everything that is wrong at once')
    .option('--config <file>', 'TOML file')
    .option('--json', 'print one JSON object')
    .action(async (flags: { config?: string; json?: boolean }) => {
      const report = await context.services.checkConfig(flags.config)
      if (flags.json) await context.terminal.out(json(report))
      else {
        for (const { path, problem, fix } of report.warnings)
          await context.terminal.err(`warning: ${path}: ${problem}. ${fix}\n`)
        await context.terminal.out(`the configuration is valid (${report.environment})\n`)
      }
    })

  config
    .command('schema')
    .description('print the JSON Schema of the configuration file')
    .action(async () => context.terminal.out(`${JSON.stringify(await context.services.configSchema(), null, 2)}\n`))
}
