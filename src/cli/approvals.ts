import { type Command, Option } from 'commander'
import type { VerifiedApproval } from '../service/approvals.ts'
import type { CliContext } from './context.ts'
import { readText, usage } from './input.ts'
import { given, json, printable } from './options.ts'
import { configOf, type RoomFlags } from './room.ts'

interface VerifyFlags {
  readonly jws: string
  readonly metadata: string
  readonly issuer: string
  readonly audience?: string
  readonly action?: string
  readonly at?: string
  readonly json?: boolean
}

const JWS_BYTES_MAX = 16_384
const METADATA_BYTES_MAX = 33_554_432
const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/

const EXAMPLES = `
Examples:
  countersign approvals issuer --config countersign.toml
  curl -s https://signer.example/.well-known/countersign-keys > keys.jws
  countersign approvals verify --jws approval.jws --metadata keys.jws --issuer Qp2W… --audience settlement

Exit codes: 0 the approval is good · 3 it is not · 2 a file or option cannot be read`

export function approvalsCommand(program: Command, context: CliContext): void {
  const approvals = program
    .command('approvals')
    .description('check execution approvals offline, and say which key vouches for those of this signer')
    .addHelpText('after', EXAMPLES)
  const { terminal, services } = context

  approvals
    .command('verify')
    .description('check an approval with the signed document of keys, and nothing else')
    .requiredOption('--jws <file>', 'the approval, or - for stdin')
    .requiredOption('--metadata <file>', 'what /.well-known/countersign-keys answered, or - for stdin')
    .requiredOption('--issuer <thumbprint>', 'the key that must have signed that: see `approvals issuer`')
    .option('--audience <name>', 'refuse an approval for anybody else')
    .option('--action <name>', 'refuse an approval of anything else')
    .addOption(
      new Option('--at <time>', 'as of then, such as 2026-01-31T12:00:00Z (default: the clock of this machine)'),
    )
    .option('--json', 'print one JSON object')
    .action(async (flags: VerifyFlags) => {
      const { issuer, audience, action } = flags
      if (flags.jws === '-' && flags.metadata === '-')
        throw usage('--metadata', 'is stdin, as --jws is', 'give one of them as a file')
      if (!THUMBPRINT.test(issuer))
        throw usage('--issuer', 'is not a thumbprint', 'give the 43 characters that `approvals issuer` prints')
      const now = flags.at === undefined ? context.world.clock.now() : timeOf(flags.at)
      const jws = await readText(terminal, { field: '--jws', path: flags.jws, bytesMax: JWS_BYTES_MAX })
      const metadata = await readText(terminal, {
        field: '--metadata',
        path: flags.metadata,
        bytesMax: METADATA_BYTES_MAX,
      })
      const { verifyApproval } = await import('../service/approvals.ts')
      const verified = await verifyApproval(jws, metadata, { issuer, now, ...given({ audience, action }) })
      await terminal.out(flags.json ? json({ valid: true, ...verified }) : lineOf(verified))
    })

  approvals
    .command('issuer')
    .description(
      'print the thumbprint of the key that signs what this signer says of its keys; makes it if there is none',
    )
    .option('--config <file>', 'TOML file of the service')
    .option('--data <dir>', 'data directory (wins over the file)')
    .option('--json', 'print one JSON object, with the public key')
    .action(async (flags: RoomFlags) => {
      const { thumbprint, jwk } = await services.metadataIssuer(await configOf(context, flags))
      await terminal.out(flags.json ? json({ issuer: thumbprint, jwk }) : `${thumbprint}\n`)
    })
}

const ISO = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/

function timeOf(text: string): number {
  const time = ISO.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(time)) return time
  throw usage('--at', 'is not a time in UTC', 'write it as 2026-01-31T12:00:00Z')
}

function lineOf({ kid, address, claims: { action, sub, aud, exp, jti } }: VerifiedApproval): string {
  const until = new Date(exp * 1000).toISOString()
  return `${printable(`good: ${action} of ${sub} for ${aud} until ${until} (${jti}), by ${kid} ${address}`)}\n`
}
