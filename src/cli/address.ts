import type { Command } from 'commander'
import { SignerError } from '../domain/errors.ts'
import type { CliContext } from './context.ts'
import { json } from './options.ts'

export function addressCommand(program: Command, context: CliContext): void {
  program
    .command('address')
    .description('derive the address of a public key, or of the seed in a file')
    .argument('[public-key]', '32 bytes, hex or base64')
    .option('--seed-file <file>', 'file with the S… seed, or - for stdin; the seed is not printed')
    .option('--json', 'print one JSON object')
    .action(async (publicKey: string | undefined, flags: { seedFile?: string; json?: boolean }) => {
      const { services, terminal } = context
      if ((publicKey === undefined) === (flags.seedFile === undefined)) {
        throw new SignerError('request/malformed', {
          field: 'public-key, --seed-file',
          reason: 'one of them is needed, not both',
          fix: 'give a public key of 32 bytes in hex or base64, or --seed-file',
        })
      }
      const found =
        publicKey === undefined
          ? await services.addresses.ofSeed(
              flags.seedFile === '-' ? await terminal.readInput(4096) : await terminal.readFile(flags.seedFile as string),
            )
          : await services.addresses.ofPublicKey(publicKey)
      await terminal.out(flags.json ? json(found) : `${found.address}\n`)
    })
}
