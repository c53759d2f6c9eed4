import { type Command, Option } from 'commander'
import type { Plane } from '../config/schema.ts'
import type { CliContext } from './context.ts'
import { given, json, portOption } from './options.ts'
import { stayUp } from './stay-up.ts'

interface Flags {
  readonly config?: string
  readonly plane?: string
  readonly port?: number
  readonly controlPort?: number
  readonly data?: string
  readonly requireHardening?: boolean
  readonly json?: boolean
}

const PLANES: readonly Plane[] = ['data', 'control', 'all']

export function serveCommand(program: Command, context: CliContext): void {
  program
    .command('serve')
    .description('start the signer')
    .option('--config <file>', 'TOML file; environment variables and flags win over it')
    .addOption(
      new Option('--plane <plane>', 'data signs, control administers, all is both in one process').choices(PLANES),
    )
    .addOption(portOption('port of the data plane'))
    .addOption(portOption('port of the control plane', '--control-port'))
    .option('--data <dir>', 'directory of the store and the audit log')
    .option('--require-hardening', 'refuse to start unless every hardening step worked')
    .option('--json', 'print one JSON line when ready')
    .action(async (flags: Flags) => {
      const { services, terminal } = context
      const start = async () => {
        const config = await services.loadConfig({
          ...given({ file: flags.config }),
          flags: given({
            plane: flags.plane,
            'server.port': flags.port,
            'control.port': flags.controlPort,
            'data.directory': flags.data,
          }),
        })
        return services.serve(config, { requireHardening: flags.requireHardening === true })
      }
      await stayUp(context, start, ({ ready }) => terminal.out(flags.json ? json(ready) : readyLines(ready)))
    })
}

/** One line a plane. */
function readyLines({ dataUrl, controlUrl }: Readonly<Record<string, unknown>>): string {
  const signer = typeof dataUrl === 'string' ? [`countersign is ready at ${dataUrl}`] : []
  const control = typeof controlUrl === 'string' ? [`the control plane is ready at ${controlUrl}`] : []
  return `${[...signer, ...control].join('\n')}\n`
}
