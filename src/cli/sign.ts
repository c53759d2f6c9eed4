import type { Command } from 'commander'
import { httpClient } from '../client/http.ts'
import { SignerError } from '../domain/errors.ts'
import type { CliContext } from './context.ts'
import { json } from './options.ts'

interface Flags {
  readonly key: string
  readonly url?: string
  readonly idempotencyKey?: string
  readonly json?: boolean
}

const ENVELOPE_BYTES_MAX = 65_536

export function signCommand(program: Command, context: CliContext): void {
  program
    .command('sign')
    .description('have a running service sign a transaction; prints the signed envelope')
    .argument('[envelope]', 'base64 XDR, a file that holds it, or - for stdin', '-')
    .requiredOption('--key <name>', 'the key to sign with')
    .option('--url <url>', 'where the service listens (default: COUNTERSIGN_URL)')
    .option('--idempotency-key <key>', 'the same for every retry of one request (default: a fresh one)')
    .option('--json', 'print the whole answer')
    .addHelpText('after', '\nThe token is read from COUNTERSIGN_TOKEN, never from the command line.')
    .action(async (envelope: string, flags: Flags) => {
      const url = flags.url ?? need(context, 'COUNTERSIGN_URL', 'http://127.0.0.1:8080, or start `countersign dev` and copy its lines')
      const token = need(context, 'COUNTERSIGN_TOKEN', 'a token with the scope sign:' + flags.key)
      const client = httpClient({ url, token: () => token, fetch: context.world.fetch })
      const idempotencyKey = flags.idempotencyKey ?? `cli-${hex(context.world.random.bytes(16))}`
      const answer = await client.signStellar(flags.key, await readEnvelope(context, envelope), idempotencyKey)
      await context.terminal.out(flags.json ? json(answer) : `${answer.signedXdr}\n`)
    })
}

/** Base64 on the command line, or a file, or stdin: the three forms stellar-cli takes. */
async function readEnvelope({ terminal }: CliContext, envelope: string): Promise<string> {
  if (envelope === '-') return text(await terminal.readInput(ENVELOPE_BYTES_MAX))
  // The base64 of an envelope starts with its type: 0 (V0), 2 (V1) or 5 (fee-bump) in four bytes.
  if (envelope.length > 60 && /^AAAA[A-Za-z0-9+/]+={0,2}$/.test(envelope)) return envelope
  return text(await terminal.readFile(envelope))
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim()

const hex = (bytes: Uint8Array) => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')

function need(context: CliContext, name: string, example: string): string {
  const value = context.environment[name]
  if (value !== undefined && value !== '') return value
  throw new SignerError('request/malformed', { field: name, reason: 'is not set', fix: `set it to ${example}` })
}
