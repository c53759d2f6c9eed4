import type { Command } from 'commander'
import type { CliContext } from './context.ts'
import { json } from './options.ts'

export function keygenCommand(program: Command, context: CliContext): void {
  program
    .command('keygen')
    .description('make a new Stellar seed in a file that only you can read; prints the address, never the seed')
    .requiredOption('--out <file>', 'the file to write; must not exist')
    .option('--json', 'print one JSON object')
    .action(async (flags: { out: string; json?: boolean }) => {
      const { services, terminal } = context
      const made = await services.addresses.generate()
      await terminal.writeSecretFile(flags.out, made.seed)
      made.seed.fill(0)
      await terminal.out(flags.json ? json({ address: made.address, file: flags.out }) : `${made.address}\n`)
      await terminal.err(
        `The seed is in ${flags.out}. Better: import it with \`countersign keys import --seed-file\` and destroy the file,\n` +
          'or make a key that never leaves the key service: `countersign keys create --custody native`.\n',
      )
    })
}
