import type { Command } from 'commander'
import type { AuditVerdict, CliContext } from './context.ts'
import { EXIT, ExitError } from './exit.ts'
import { countOption, given, json, printable } from './options.ts'

interface TailFlags {
  readonly data: string
  readonly from?: number
  readonly follow?: boolean
  readonly json?: boolean
}

export function auditCommand(program: Command, context: CliContext): void {
  const audit = program.command('audit').description('read and verify the audit log, offline')
  const { services, terminal } = context

  audit
    .command('verify')
    .description('check every byte, record and link of the log; names the first bad record')
    .requiredOption('--data <dir>', 'data directory')
    .option('--json', 'print one JSON object')
    .action(async (flags: { data: string; json?: boolean }) => {
      const shows = !flags.json && terminal.interactive
      const verdict = await services.audit(flags.data).verify(records => {
        if (shows) void terminal.err(`\r${records} records …`)
      })
      if (shows) await terminal.err('\r\u001b[K')
      if (flags.json) await terminal.out(json(verdict))
      else await say(context, verdict)
      if (!verdict.ok) throw new ExitError(EXIT.error)
    })

  audit
    .command('tail')
    .description('print the records, one a line')
    .requiredOption('--data <dir>', 'data directory')
    .addOption(countOption('--from <seq>', 'start at this record'))
    .option('--follow', 'wait for more')
    .option('--json', 'print each record as JSON')
    .action(async ({ data, from, follow, json: wantsJson }: TailFlags) => {
      const stop = new AbortController()
      const undo = context.onStop(() => stop.abort())
      try {
        const options = { follow: follow === true, signal: stop.signal, ...given({ fromSeq: from }) }
        for await (const record of services.audit(data).tail(options)) {
          await terminal.out(wantsJson ? json(record) : `${line(record)}\n`)
          if (stop.signal.aborted) return
        }
      } finally {
        undo()
      }
    })

  audit
    .command('reopen')
    .description('open a sealed log again: verifies, drops a torn tail, starts a new segment')
    .requiredOption('--data <dir>', 'data directory')
    .option('--json', 'print one JSON object')
    .action(async (flags: { data: string; json?: boolean }) => {
      const report = await services.audit(flags.data).reopen()
      await terminal.out(
        flags.json ? json(report) : `the log is open again; it was sealed: ${printable(report.wasSealed)}\n`,
      )
    })
}

async function say({ terminal }: CliContext, verdict: AuditVerdict): Promise<void> {
  if (verdict.warning !== undefined) await terminal.err(`warning: ${printable(verdict.warning)}\n`)
  if (verdict.ok) {
    const { records, lastSeq, headHash } = verdict
    return terminal.out(`ok: ${records} records, last ${lastSeq}, head ${headHash}\n`)
  }
  const { record, segment, offset, reason, fix } = verdict
  await terminal.err(
    printable(`NOT ok: record ${record} in ${segment} at byte ${offset}: ${reason}`) + `\n  fix: ${fix}\n`,
  )
}

const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '-')

function line(record: Readonly<Record<string, unknown>>): string {
  const { seq, time, kind, auditId, decision, result, event, key, version, summary, errorCode, reason } = record
  const what = text(kind === 'intent' ? decision : kind === 'outcome' ? result : event)
  const about = key === undefined ? '' : ` ${text(key)}${version === undefined ? '' : `@${text(version)}`}`
  const why = [summary, errorCode, reason].filter(value => typeof value === 'string').join(' · ')
  const said = `${text(seq)} ${text(time)} ${text(kind)} ${what}${about} ${text(auditId)}${why === '' ? '' : ` ${why}`}`
  return printable(said)
}
