import type { Command } from 'commander'
import type { AddressView, CliContext } from './context.ts'
import { readInput, usage } from './input.ts'
import { given, json } from './options.ts'

/** A seed in any of its forms fits in this. */
export const SEED_BYTES_MAX = 4096

interface Flags {
  readonly seedFile?: string
  readonly provider?: string
  readonly key?: string
  readonly config?: string
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  countersign address --provider aws --key alias/treasury
  countersign address 3f0c34bf93ad0d9971d04ccc90f705511c838aad9734a4a2fb0d7a03fc7fe89a
  countersign address --seed-file - < seed.txt`

export function addressCommand(program: Command, context: CliContext): void {
  program
    .command('address')
    .description(
      'derive the Stellar or EVM address of a key in a key service, of a public key, or of the seed in a file',
    )
    .argument('[public-key]', 'hex or base64: 32 bytes (Ed25519), or 33, 64 or 65 bytes (secp256k1)')
    .option('--provider <name>', 'provider of the configuration that has the key')
    .option('--key <reference>', 'the key, as the provider names it (ARN, alias, resource name, name@version)')
    .option('--seed-file <file>', 'file with the S… seed, or - for stdin; the seed is not printed')
    .option('--config <file>', 'TOML file of the service')
    .option('--json', 'print one JSON object')
    .addHelpText('after', EXAMPLES)
    .action(async (publicKey: string | undefined, flags: Flags) => {
      const found = await addressOf(context, publicKey, flags)
      await context.terminal.out(flags.json ? json(found) : `${found.address}\n`)
    })
}

async function addressOf(
  { services, terminal }: CliContext,
  publicKey: string | undefined,
  { seedFile, provider, key, config: file }: Flags,
): Promise<AddressView> {
  const named = provider !== undefined || key !== undefined
  const sources = [publicKey !== undefined, seedFile !== undefined, named].filter(Boolean).length
  if (sources !== 1) {
    throw usage(
      'public-key, --seed-file, --key',
      sources === 0 ? 'none is given' : `${sources} are given`,
      'give a public key in hex or base64, or --seed-file, or --provider and --key',
    )
  }
  if (publicKey !== undefined) return services.addresses.ofPublicKey(publicKey)
  if (seedFile !== undefined) {
    const input = { field: '--seed-file', path: seedFile, bytesMax: SEED_BYTES_MAX }
    return services.addresses.ofSeed(await readInput(terminal, input))
  }
  if (provider === undefined || key === undefined) {
    throw usage(provider === undefined ? '--provider' : '--key', 'is missing', 'give --provider and --key together')
  }
  const config = await services.loadConfig({ ...given({ file }), flags: {} })
  return services.addresses.ofKey(config, provider, key)
}
