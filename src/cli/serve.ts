import type { Command } from 'commander'
import type { CliContext } from './context.ts'
import { json } from './options.ts'

interface Flags {
  readonly config?: string
  readonly port?: string
  readonly data?: string
  readonly requireHardening?: boolean
  readonly json?: boolean
}

export function serveCommand(program: Command, context: CliContext): void {
  program
    .command('serve')
    .description('start the signer')
    .option('--config <file>', 'TOML file; environment variables and flags win over it')
    .option('--port <number>', 'port of the data plane; 0 takes any free port')
    .option('--data <dir>', 'directory of the store and the audit log')
    .option('--require-hardening', 'refuse to start unless every hardening step worked')
    .option('--json', 'print one JSON line when ready')
    .action(async (flags: Flags) => {
      const config = await context.services.loadConfig({
        ...(flags.config === undefined ? {} : { file: flags.config }),
        flags: {
          ...(flags.port === undefined ? {} : { 'server.port': flags.port }),
          ...(flags.data === undefined ? {} : { 'data.directory': flags.data }),
        },
      })
      const running = await context.services.serve(config, { requireHardening: flags.requireHardening === true })
      await context.terminal.out(flags.json ? json(running.ready) : `countersign is ready at ${String(running.ready['dataUrl'])}\n`)
      const undo = context.onStop(() => void running.stop())
      await running.done
      undo()
    })
}
