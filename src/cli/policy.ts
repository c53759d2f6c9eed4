import { type Command, Option } from 'commander'
import { parseStrictJson } from '../bytes/json.ts'
import type { Answer, KeyFacts } from '../service/control/offline.ts'
import type { CliContext } from './context.ts'
import { EXIT, ExitError } from './exit.ts'
import { readInput, readText, usage } from './input.ts'
import { columns, countOption, given, json, printable } from './options.ts'
import { idempotencyKeyOf, openClient } from './service.ts'

interface Common {
  readonly json?: boolean
}
interface KeyFlags extends Common {
  readonly address: string
  readonly account?: string
  readonly network: string
}
interface ExplainFlags extends KeyFlags {
  readonly policy: string
  readonly now?: number
}
interface ActivateFlags extends Common {
  readonly url?: string
  readonly idempotencyKey?: string
}

const FILE_BYTES_MAX = 1_048_576
const PAYLOAD_BYTES_MAX = 65_536

const EXAMPLES = `
Examples:
  countersign policy check treasury.json
  countersign policy test treasury.json --address GABC… --network public
  countersign policy explain payment.xdr --policy treasury.json --address GABC… --network public
  countersign policy diff before.json after.json
  countersign policy activate c_0123…

A file holds a policy, or {"policy": …, "tests": […]}.`

export function policyCommand(program: Command, context: CliContext): void {
  const policy = program
    .command('policy')
    .description('check, compare and try policies without a service; activate an approved one on a running one')
    .addHelpText('after', EXAMPLES)
  const { terminal } = context
  const tools = () => import('../service/control/offline.ts')

  common(policy.command('check').argument('<file>', 'policy, or - for stdin'))
    .description('say everything that is wrong with a policy, and what is often not meant')
    .action(async (file: string, flags: Common) => {
      const report = (await tools()).reportOn(await readDocument(context, file))
      if (flags.json) await terminal.out(json(report))
      else if (report.valid) {
        for (const { path, sentence } of report.warnings)
          await terminal.err(`warning: ${printable(path)}: ${printable(sentence)}\n`)
        await terminal.out(`the policy is valid: ${report.policyHash}\n`)
      } else {
        for (const { path, problem, fix } of report.problems)
          await terminal.err(`${printable(`${path}: ${problem}. ${fix}`)}\n`)
      }
      if (!report.valid) throw new ExitError(EXIT.error)
    })

  forKey(common(policy.command('test').argument('<file>', 'policy with its tests, or - for stdin')))
    .description('run the golden tests of a policy')
    .action(async (file: string, flags: KeyFlags) => {
      const report = (await tools()).testOffline(await readDocument(context, file), keyOf(flags))
      if (flags.json) await terminal.out(json(report))
      else {
        const rows = report.tests.map(({ name, passed, sentence }) => [
          passed ? 'ok' : 'NOT ok',
          printable(name),
          printable(sentence),
        ])
        await terminal.out(rows.length === 0 ? 'there are no tests\n' : `${columns(rows)}\n`)
      }
      if (!report.passed) throw new ExitError(EXIT.denied)
    })

  forKey(
    common(policy.command('explain').argument('<payload>', 'base64 XDR, a file with it or with a JSON payload, or -')),
  )
    .description('what a policy says to a payload, rule by rule; spend windows are taken to be empty')
    .requiredOption('--policy <file>', 'the policy')
    .addOption(countOption('--now <ms>', 'milliseconds since the epoch (default: the clock of this machine)'))
    .action(async (text: string, flags: ExplainFlags) => {
      const document = await readDocument(context, flags.policy, '--policy')
      const payload = await readPayload(context, text)
      const answer = (await tools()).explainOffline(
        document,
        payload,
        keyOf(flags),
        flags.now ?? context.world.clock.now(),
      )
      await terminal.out(flags.json ? json(answer) : lines(answer))
      if (answer.decision !== 'allow') throw new ExitError(EXIT.denied)
    })

  common(policy.command('diff').argument('<before>').argument('<after>'))
    .description('what a policy allows more and less than another')
    .action(async (before: string, after: string, flags: Common) => {
      const found = (await tools()).compare(await readDocument(context, before), await readDocument(context, after))
      if (flags.json) return terminal.out(json(found))
      const rows = found.changes.map(({ change, path, sentence }) => [change, printable(path), printable(sentence)])
      await terminal.out(`${found.direction}\n${rows.length === 0 ? '' : `${columns(rows)}\n`}`)
    })

  common(policy.command('activate').argument('<change>', 'id of the change (c_…)'))
    .description('put an approved change in force on a running control plane')
    .option('--url <url>', 'where the control plane listens (default: COUNTERSIGN_URL)')
    .option('--idempotency-key <key>', 'the same for every retry of one request (default: a fresh one)')
    .addHelpText('after', '\nThe session token is read from COUNTERSIGN_TOKEN, never from the command line.')
    .action(async (change: string, flags: ActivateFlags) => {
      if (!/^c_[0-9a-f]{32}$/.test(change))
        throw usage('change', 'is not the id of a change', 'give c_ and 32 hex digits')
      const client = openClient(context, flags, 'the session token of a policy-admin')
      const done = await client.activate(change, idempotencyKeyOf(context, flags))
      await terminal.out(
        flags.json ? json(done) : `${printable(`${String(done['key'])} has the policy ${String(done['toHash'])}`)}\n`,
      )
    })
}

const common = (command: Command): Command => command.option('--json', 'print one JSON object')

const forKey = (command: Command): Command =>
  command
    .addOption(new Option('--address <address>', 'the address of the key that would sign').makeOptionMandatory())
    .option('--account <address>', 'Stellar: the account that it signs for (default: its address)')
    .option('--network <name>', 'network of the key', 'testnet')

const keyOf = ({ address, account, network }: KeyFlags): KeyFacts => ({ address, network, ...given({ account }) })

async function readDocument({ terminal }: CliContext, path: string, field = 'file'): Promise<unknown> {
  return parseStrictJson(await readInput(terminal, { field, path, bytesMax: FILE_BYTES_MAX }))
}

/** As `sign` takes it, or the whole body of a sign request. */
async function readPayload({ terminal }: CliContext, text: string): Promise<{ readonly type: string }> {
  if (text.length > 60 && /^AAAA[A-Za-z0-9+/]+={0,2}$/.test(text)) return envelope(text)
  const read = await readText(terminal, { field: 'payload', path: text, bytesMax: PAYLOAD_BYTES_MAX })
  if (!read.startsWith('{')) return envelope(read)
  const payload = parseStrictJson(new TextEncoder().encode(read)) as { type?: unknown }
  if (typeof payload.type === 'string') return payload as { type: string }
  throw usage('payload', 'has no type', 'send {"type":"stellar-transaction","xdr":"…"}')
}

const envelope = (xdr: string) => ({ type: 'stellar-transaction', xdr })

function lines({ decision, rule, reason, summary, checks }: Answer): string {
  const why = rule === undefined ? '' : ` by ${rule}: ${reason ?? ''}`
  const rows = checks.map(check => [check.result, check.rule, printable(check.sentence)])
  return `${printable(`${decision}${why}`)}\n${printable(summary)}\n${columns(rows, '  ')}\n`
}
