import { type Command, Option } from 'commander'
import type { CliContext } from './context.ts'
import { usage } from './input.ts'
import { countOption } from './options.ts'
import { readTyped, readWhole, TYPES } from './payload.ts'
import { forSigning, signAndPrint, type SigningFlags } from './signing.ts'

interface Flags extends SigningFlags {
  readonly type?: string
  readonly payload?: string
}

const EXAMPLES = `
Examples:
  countersign sign --key treasury payment.xdr
  countersign sign --key treasury AAAAAgAAAAB…
  stellar tx new payment … --build-only | countersign sign --key treasury | stellar tx send
  countersign sign --key treasury --dry-run payment.xdr
  countersign sign --key hot --type evm-transaction transaction.json
  countersign sign --key hot --type evm-message 'I am the owner of this address'
  countersign sign --key anchor --payload challenge.json

It prints what goes on its way alone: the signed envelope, authorization entry or transaction, the signature of a message,
or the JWS of an approval. Of a message the argument is its text; from stdin one line break at its end is left out.
The token is read from COUNTERSIGN_TOKEN, never from the command line.`

export function signCommand(program: Command, context: CliContext): void {
  forSigning(
    program
      .command('sign')
      .description('have a running service sign; prints the signed envelope, or what else was asked for')
      .argument('[envelope]', 'base64 XDR or what --type says, a file that holds it, or - for stdin (default: stdin)'),
  )
    .addOption(new Option('--type <type>', 'payload type (default: stellar-transaction)').choices([...TYPES]))
    .option('--payload <file>', 'the whole payload as JSON, {"type":…}, of any payload type; - for stdin')
    .addOption(
      countOption('--key-version <n>', 'have this version sign, in a rotation: the old one or the new one').conflicts(
        'dryRun',
      ),
    )
    .addHelpText('after', EXAMPLES)
    .action(async (given: string | undefined, flags: Flags) => {
      const { payload, type = 'stellar-transaction' } = flags
      if (payload === undefined) return signAndPrint(context, flags, () => readTyped(context, type, given ?? '-'))
      if (given !== undefined) throw usage('--payload', 'holds the whole payload', 'leave the argument out')
      if (flags.type !== undefined) throw usage('--payload', 'names the payload type', 'leave --type out')
      return signAndPrint(context, flags, () => readWhole(context, payload))
    })
}
