import type { Command } from 'commander'
import type { CliContext } from './context.ts'
import { usage } from './input.ts'
import { json } from './options.ts'

export function keygenCommand(program: Command, context: CliContext): void {
  program
    .command('keygen')
    .description('make a new Stellar seed in a file that only you can read; prints the address, never the seed')
    .requiredOption('--out <file>', 'the file to write; must not exist')
    .option('--json', 'print one JSON object')
    .action(async ({ out, json: wantsJson }: { out: string; json?: boolean }) => {
      const { services, terminal } = context
      const made = await services.addresses.generate()
      try {
        await terminal.writeSecretFile(out, made.seed)
      } catch (cause) {
        throw notWritten(out, (cause as { code?: string }).code, cause)
      } finally {
        made.seed.fill(0)
      }
      await terminal.out(wantsJson ? json({ address: made.address, file: out }) : `${made.address}\n`)
      await terminal.err(
        `The seed is in ${out}. Better: import it with \`countersign keys import --seed-file\` and destroy the file,\n` +
          'or make a key that never leaves the key service: `countersign keys create --custody native`.\n',
      )
    })
}

const notWritten = (path: string, code = 'unknown', cause: unknown) =>
  code === 'EEXIST'
    ? usage('--out', `${JSON.stringify(path)} exists, and no file is overwritten`, 'name a file that does not exist')
    : usage(
        '--out',
        `${JSON.stringify(path)} cannot be written (${code})`,
        'check the directory and its permissions',
        cause,
      )
