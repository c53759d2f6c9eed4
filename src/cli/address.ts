import type { Command } from 'commander'
import type { CliContext } from './context.ts'
import { readInput, usage } from './input.ts'
import { json } from './options.ts'

/** A seed in any of its forms fits in this. */
export const SEED_BYTES_MAX = 4096

export function addressCommand(program: Command, context: CliContext): void {
  program
    .command('address')
    .description('derive the address of a public key, or of the seed in a file')
    .argument('[public-key]', '32 bytes, hex or base64')
    .option('--seed-file <file>', 'file with the S… seed, or - for stdin; the seed is not printed')
    .option('--json', 'print one JSON object')
    .action(async (publicKey: string | undefined, flags: { seedFile?: string; json?: boolean }) => {
      const found = await addressOf(context, publicKey, flags.seedFile)
      await context.terminal.out(flags.json ? json(found) : `${found.address}\n`)
    })
}

async function addressOf({ services, terminal }: CliContext, publicKey?: string, seedFile?: string) {
  if (publicKey !== undefined && seedFile === undefined) return services.addresses.ofPublicKey(publicKey)
  if (publicKey === undefined && seedFile !== undefined) {
    const input = { field: '--seed-file', path: seedFile, bytesMax: SEED_BYTES_MAX }
    return services.addresses.ofSeed(await readInput(terminal, input))
  }
  throw usage(
    'public-key, --seed-file',
    publicKey === undefined ? 'neither is given' : 'both are given',
    'give a public key of 32 bytes in hex or base64, or --seed-file',
  )
}
