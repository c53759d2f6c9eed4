import type { Command } from 'commander'
import type { CliContext, DemoResult } from './context.ts'
import { EXIT, ExitError } from './exit.ts'
import { portOption } from './options.ts'

interface Flags {
  readonly once?: boolean
  readonly data?: string
  readonly port: number
  readonly json?: boolean
  readonly latency?: string
  readonly xdr?: string
}

export function devCommand(program: Command, context: CliContext): void {
  program
    .command('dev')
    .description('start local-kms and the signer with demo keys on loopback; leaves nothing behind')
    .option('--once', 'sign the example transaction natively and by decrypt, verify both, and end')
    .option('--data <dir>', 'keep state here instead of in a directory that is removed at the end')
    .addOption(portOption())
    .option('--latency <profile>', 'latency profile of local-kms, for example aws-in-region or fixed:25')
    .option('--xdr <file>', 'the envelope --once signs (default: examples/payment.xdr)')
    .option('--json', 'print one JSON line when ready (with --once: one JSON object of the results)')
    .action(async (flags: Flags) => {
      const { terminal } = context
      const say = (line: string) => void terminal.err(`${line}\n`)
      const xdr = flags.xdr === undefined ? undefined : new TextDecoder().decode(await terminal.readFile(flags.xdr)).trim()
      const running = await context.services.dev({
        port: flags.port,
        say: flags.json ? () => {} : say,
        ...(flags.data === undefined ? {} : { data: flags.data }),
        ...(flags.latency === undefined ? {} : { latency: flags.latency }),
        ...(xdr === undefined ? {} : { xdr }),
      })
      if (flags.once) {
        try {
          await once(context, running.demo, flags.json === true)
        } finally {
          await running.stop()
        }
        return
      }
      if (flags.json) await terminal.out(`${JSON.stringify(running.ready)}\n`)
      else await terminal.out(welcome(running.ready))
      const undo = context.onStop(() => void running.stop())
      await running.done
      undo()
    })
}

async function once(context: CliContext, demo: () => Promise<readonly DemoResult[]>, json: boolean): Promise<void> {
  const results = await demo()
  const verified = results.every(result => result.verified)
  if (json) await context.terminal.out(`${JSON.stringify({ verified, results })}\n`)
  else {
    for (const result of results) await context.terminal.out(`${describe(result)}\n`)
    await context.terminal.out(
      verified
        ? '\nBoth signatures verify with stellar-sdk. Next: run it without --once and it stays up as `countersign dev`.\n'
        : '\nA signature does NOT verify with stellar-sdk.\n',
    )
  }
  if (!verified) throw new ExitError(EXIT.error)
}

const describe = (r: DemoResult) =>
  [
    `${r.key} (${r.provider}, ${r.custody}) signed in ${r.milliseconds.toFixed(1)} ms`,
    `  address    ${r.address}`,
    `  hash       ${r.hash}`,
    `  signature  ${r.signature}`,
    `  verified   ${r.verified ? 'yes, by stellar-sdk' : 'NO'}`,
    `  audit      ${r.auditId}`,
  ].join('\n')

interface ReadyKey {
  readonly name: string
  readonly provider: string
  readonly custody: string
  readonly address: string
}

function welcome(ready: Readonly<Record<string, unknown>>): string {
  const { dataUrl, token, keys } = ready as { dataUrl: string; token: string; keys: readonly ReadyKey[] }
  const rows = keys.map(k => `  ${k.name.padEnd(22)} ${k.provider.padEnd(8)} ${k.custody.padEnd(9)} ${k.address}`)
  return `countersign dev is ready at ${dataUrl}   NOT FOR PRODUCTION: public keys, public seeds, no real key service

${rows.join('\n')}

In another terminal:

  export COUNTERSIGN_URL=${dataUrl}
  export COUNTERSIGN_TOKEN=${token}
  countersign sign --key demo-stellar examples/payment.xdr

or with curl:

  curl -s ${dataUrl}/v1/keys/demo-stellar/sign -H "Authorization: Bearer $COUNTERSIGN_TOKEN" \\
    -H 'Content-Type: application/json' -H "Idempotency-Key: $(uuidgen)" \\
    -d "{\\"type\\":\\"stellar-transaction\\",\\"xdr\\":\\"$(tr -d '\\n' < examples/payment.xdr)\\"}"

The token lives 15 minutes; a fresh one is printed here before it ends. Ctrl-C stops.
`
}
