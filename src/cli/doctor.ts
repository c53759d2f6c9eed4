import { type Command, Option } from 'commander'
import { KEY_USES, type KeyUse } from '../domain/doctor.ts'
import type { CliContext, Diagnosis } from './context.ts'
import { EXIT, ExitError } from './exit.ts'
import { usage } from './input.ts'
import { given, json, printable } from './options.ts'
import { configOf } from './room.ts'

interface Flags {
  readonly config?: string
  readonly data?: string
  readonly provider?: string
  readonly key?: string
  readonly use?: KeyUse
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  countersign doctor                                          every provider, with the keys of the registry
  countersign doctor --provider aws --key alias/treasury      one key, before it is registered
  countersign doctor --provider vault --key wrapping --use unwrap

It changes nothing and releases no signature. It exits with 1 when something fails.`

export function doctorCommand(program: Command, context: CliContext): void {
  program
    .command('doctor')
    .description('examine the key services: reachability, clock, credentials, keys, permissions; name the fix')
    .option('--config <file>', 'TOML file of the service')
    .option('--data <dir>', 'data directory (wins over the file)')
    .option('--provider <name>', 'only this provider of the configuration')
    .option('--key <reference>', 'a key as the provider names it (default: those of the registry)')
    .addOption(new Option('--use <use>', 'what the key is for').choices(KEY_USES).default('sign'))
    .option('--json', 'print one JSON object')
    .addHelpText('after', EXAMPLES)
    .action((flags: Flags) => doctor(context, flags))
}

async function doctor(context: CliContext, flags: Flags): Promise<void> {
  const { services, terminal } = context
  const { provider, key, use = 'sign' } = flags
  if (key !== undefined && provider === undefined) {
    throw usage('--provider', 'is missing', 'name the provider that has the key of --key')
  }
  const config = await configOf(context, flags)
  const stop = new AbortController()
  const undo = context.onStop(() => stop.abort(new Error('stopped')))
  const findings: Diagnosis[] = []
  try {
    const patient = key === undefined ? undefined : { reference: key, use }
    for await (const finding of services.doctor(config, { ...given({ provider, patient }), signal: stop.signal })) {
      findings.push(finding)
      if (flags.json !== true) await terminal.out(lines(finding))
    }
  } finally {
    undo()
  }
  const count = (outcome: Diagnosis['outcome']) => findings.filter(each => each.outcome === outcome).length
  const ok = count('failed') === 0
  if (flags.json) await terminal.out(json({ ok, findings }))
  else
    await terminal.out(
      `${count('ok')} ok, ${count('warning')} warnings, ${count('failed')} failed, ${count('skipped')} skipped\n`,
    )
  if (!ok) throw new ExitError(EXIT.error)
}

const MARKS = { ok: 'ok      ', failed: 'FAILED  ', warning: 'warning ', skipped: 'skipped ' } as const

/** A line for what was found, and below it what it means and what to do. The service's words are others' words. */
function lines({
  outcome,
  provider,
  check,
  permission,
  reference,
  facts,
  vendorError,
  meaning,
  fix,
}: Diagnosis): string {
  const about = [provider, permission ?? check, reference].filter(part => part !== undefined)
  const told = Object.entries(facts ?? {}).map(([name, value]) => `${name}=${String(value)}`)
  const more = [
    meaning,
    vendorError === undefined ? undefined : `the service said: ${vendorError}`,
    fix === undefined ? undefined : `fix: ${fix}`,
  ]
  const below = more
    .filter(line => line !== undefined)
    .flatMap(line => line.split('\n').map(part => `          ${printable(part)}\n`))
  return `${MARKS[outcome]}${printable([...about, ...told].join('  '))}\n${below.join('')}`
}
