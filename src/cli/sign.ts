import type { Command } from 'commander'
import { httpClient } from '../client/http.ts'
import type { CliContext } from './context.ts'
import { readText, usage } from './input.ts'
import { json } from './options.ts'
import { freshKey, headerText, serviceUrl, tokenOf } from './service.ts'

interface Flags {
  readonly key: string
  readonly url?: string
  readonly idempotencyKey?: string
  readonly json?: boolean
}

const ENVELOPE_BYTES_MAX = 65_536

const EXAMPLES = `
Examples:
  countersign sign --key treasury payment.xdr
  countersign sign --key treasury AAAAAgAAAAB…
  stellar tx new payment … --build-only | countersign sign --key treasury | stellar tx send

The token is read from COUNTERSIGN_TOKEN, never from the command line.`

export function signCommand(program: Command, context: CliContext): void {
  program
    .command('sign')
    .description('have a running service sign a transaction; prints the signed envelope')
    .argument('[envelope]', 'base64 XDR, a file that holds it, or - for stdin', '-')
    .requiredOption('--key <name>', 'the key to sign with')
    .option('--url <url>', 'where the service listens (default: COUNTERSIGN_URL)')
    .option('--idempotency-key <key>', 'the same for every retry of one request (default: a fresh one)')
    .option('--json', 'print the whole answer')
    .addHelpText('after', EXAMPLES)
    .action(async (envelope: string, flags: Flags) => {
      const url = serviceUrl(context, flags)
      const token = tokenOf(context, `a token with the scope sign:${flags.key}`)
      const idempotencyKey = headerText('--idempotency-key', flags.idempotencyKey ?? freshKey(context))
      const client = httpClient({ url, token: () => token, fetch: context.world.fetch })
      const answer = await client.signStellar(flags.key, await readEnvelope(context, envelope), idempotencyKey)
      await context.terminal.out(flags.json ? json(answer) : `${answer.signedXdr}\n`)
    })
}

/** Base64 on the command line, or a file, or stdin: the three forms stellar-cli takes. */
async function readEnvelope({ terminal }: CliContext, envelope: string): Promise<string> {
  // The base64 of an envelope starts with its type: 0 (V0), 2 (V1) or 5 (fee-bump) in four bytes.
  if (envelope.length > 60 && /^AAAA[A-Za-z0-9+/]+={0,2}$/.test(envelope)) return envelope
  const text = await readText(terminal, { field: 'envelope', path: envelope, bytesMax: ENVELOPE_BYTES_MAX })
  if (text === '') throw usage('envelope', 'is empty', 'give base64 XDR, a file that holds it, or - for stdin')
  return text
}
