import type { Command } from 'commander'
import type { CliContext } from './context.ts'
import { given, json, portOption } from './options.ts'
import { stayUp } from './stay-up.ts'

interface Flags {
  readonly config?: string
  readonly port?: number
  readonly data?: string
  readonly requireHardening?: boolean
  readonly json?: boolean
}

export function serveCommand(program: Command, context: CliContext): void {
  program
    .command('serve')
    .description('start the signer')
    .option('--config <file>', 'TOML file; environment variables and flags win over it')
    .addOption(portOption('port of the data plane'))
    .option('--data <dir>', 'directory of the store and the audit log')
    .option('--require-hardening', 'refuse to start unless every hardening step worked')
    .option('--json', 'print one JSON line when ready')
    .action(async (flags: Flags) => {
      const { services, terminal } = context
      const start = async () => {
        const config = await services.loadConfig({
          ...given({ file: flags.config }),
          flags: given({ 'server.port': flags.port, 'data.directory': flags.data }),
        })
        return services.serve(config, { requireHardening: flags.requireHardening === true })
      }
      await stayUp(context, start, ({ ready }) =>
        terminal.out(flags.json ? json(ready) : `countersign is ready at ${String(ready['dataUrl'])}\n`),
      )
    })
}
