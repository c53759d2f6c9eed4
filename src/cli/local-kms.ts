import { type Command, Option } from 'commander'
import type { CliContext, LocalKmsFlags } from './context.ts'
import { json, portOption } from './options.ts'
import { stayUp } from './stay-up.ts'

export function localKmsCommand(program: Command, context: CliContext): void {
  program
    .command('local-kms')
    .description('start the emulator of the key services alone; no secure store, for development and tests')
    .addOption(portOption())
    .option('--seed-file <file>', 'JSON document of keys, ids, aliases and key material')
    .option('--latency <profile>', 'none, fixed:<ms>, or a profile such as aws-in-region')
    .addOption(new Option('--sigv4 <mode>', 'check request signatures').choices(['off', 'lenient', 'strict']))
    .option('--persist <file>', 'keep keys in this file (readable by anyone who can read the file)')
    .option('--json', 'print one JSON line when ready')
    .action(async (flags: LocalKmsFlags & { json?: boolean }) => {
      const { services, terminal } = context
      await stayUp(
        context,
        () => services.localKms(flags),
        ({ ready }) => terminal.out(flags.json ? json(ready) : `local-kms speaks AWS KMS at ${String(ready['aws'])}\n`),
      )
    })
}
