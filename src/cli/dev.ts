import type { Command } from 'commander'
import type { CliContext, DemoResult, DevRunning } from './context.ts'
import { EXIT, ExitError } from './exit.ts'
import { readText } from './input.ts'
import { columns, given, json, portOption } from './options.ts'
import { stayUp, whileUp } from './stay-up.ts'
import { welcome } from './welcome.ts'

interface Flags {
  readonly once?: boolean
  readonly data?: string
  readonly port?: number
  readonly json?: boolean
  readonly latency?: string
  readonly xdr?: string
}

const ENVELOPE_BYTES_MAX = 65_536

export function devCommand(program: Command, context: CliContext): void {
  program
    .command('dev')
    .description('start local-kms and the signer with demo keys on loopback; leaves nothing behind')
    .option('--once', 'sign the example transaction natively and by decrypt, verify both, and end')
    .option('--data <dir>', 'keep state here instead of in a directory that is removed at the end')
    .addOption(portOption('port of the signer'))
    .option('--latency <profile>', 'latency profile of local-kms, for example aws-in-region or fixed:25')
    .option('--xdr <file>', 'the envelope --once signs (default: examples/payment.xdr)')
    .option('--json', 'print one JSON line when ready (with --once: one JSON object of the results)')
    .action(async (flags: Flags) => {
      const { terminal } = context
      const start = async () => context.services.dev(await optionsOf(context, flags))
      if (flags.once) return whileUp(context, start, running => once(context, running, flags.json === true))
      return stayUp(context, start, running => terminal.out(flags.json ? json(running.ready) : welcome(running)))
    })
}

async function optionsOf({ terminal }: CliContext, { port = 0, data, latency, xdr: path, json }: Flags) {
  const say = (line: string) => void terminal.err(`${line}\n`)
  const xdr =
    path === undefined ? undefined : await readText(terminal, { field: '--xdr', path, bytesMax: ENVELOPE_BYTES_MAX })
  return { port, warn: say, say: json ? () => {} : say, ...given({ data, latency, xdr }) }
}

async function once({ terminal }: CliContext, { demo }: DevRunning, wantsJson: boolean): Promise<void> {
  const results = await demo()
  const verified = results.every(result => result.verified)
  await terminal.out(wantsJson ? json({ verified, results }) : report(results, verified))
  if (!verified) throw new ExitError(EXIT.error)
}

const report = (results: readonly DemoResult[], verified: boolean): string =>
  `${results.map(describe).join('\n\n')}\n\n${verified ? ALL_WELL : 'A signature does NOT verify.\n'}`

const ALL_WELL = `Every signature verifies, with stellar-sdk and viem. Next:
  countersign dev      the same without --once: it stays up and prints how to call it
  countersign bench    what the signer costs against the vendor's SDK alone
`

const describe = (r: DemoResult): string =>
  [
    `${r.key} (${r.provider}, ${r.custody}) signed in ${r.milliseconds.toFixed(1)} ms`,
    columns(
      [
        ['address', r.address],
        ['hash', r.hash],
        ['signature', r.signature],
        ['verified', r.verified ? `yes, by ${r.by}` : 'NO'],
        ['audit', r.auditId],
      ],
      '  ',
    ),
  ].join('\n')
