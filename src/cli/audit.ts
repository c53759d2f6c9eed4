import type { Command } from 'commander'
import type { CliContext } from './context.ts'
import { EXIT, ExitError } from './exit.ts'
import { countOption, json } from './options.ts'

export function auditCommand(program: Command, context: CliContext): void {
  const audit = program.command('audit').description('read and verify the audit log, offline')

  audit
    .command('verify')
    .description('check every byte, record and link of the log; names the first bad record')
    .requiredOption('--data <dir>', 'data directory')
    .option('--json', 'print one JSON object')
    .action(async (flags: { data: string; json?: boolean }) => {
      const verdict = await context.services.audit(flags.data).verify(records => {
        if (!flags.json && context.terminal.interactive) void context.terminal.err(`\r${records} records …`)
      })
      if (flags.json) await context.terminal.out(json(verdict))
      else if (verdict.ok) {
        await context.terminal.out(`ok: ${verdict.records} records, last ${verdict.lastSeq}, head ${verdict.headHash}\n`)
      } else {
        await context.terminal.err(
          `NOT ok: record ${verdict.record} in ${verdict.segment} at byte ${verdict.offset}: ${verdict.reason}\n`,
        )
      }
      if (!verdict.ok) throw new ExitError(EXIT.error)
    })

  audit
    .command('tail')
    .description('print the records, one a line')
    .requiredOption('--data <dir>', 'data directory')
    .addOption(countOption('--from <seq>', 'start at this record'))
    .option('--follow', 'wait for more')
    .option('--json', 'print each record as JSON')
    .action(async (flags: { data: string; from?: number; follow?: boolean; json?: boolean }) => {
      const stop = new AbortController()
      const undo = context.onStop(() => stop.abort())
      const records = context.services.audit(flags.data).tail({
        follow: flags.follow === true,
        signal: stop.signal,
        ...(flags.from === undefined ? {} : { fromSeq: flags.from }),
      })
      for await (const record of records) await context.terminal.out(flags.json ? json(record) : `${line(record)}\n`)
      undo()
    })

  audit
    .command('reopen')
    .description('open a sealed log again: verifies, drops a torn tail, starts a new segment')
    .requiredOption('--data <dir>', 'data directory')
    .option('--json', 'print one JSON object')
    .action(async (flags: { data: string; json?: boolean }) => {
      const report = await context.services.audit(flags.data).reopen()
      await context.terminal.out(flags.json ? json(report) : `the log is open again: ${JSON.stringify(report)}\n`)
    })
}

const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '-')

function line(record: Readonly<Record<string, unknown>>): string {
  const { seq, time, kind, auditId, decision, result, event, key, version, summary, errorCode, reason } = record
  const what = text(kind === 'intent' ? decision : kind === 'outcome' ? result : event)
  const about = key === undefined ? '' : ` ${text(key)}${version === undefined ? '' : `@${text(version)}`}`
  const why = [summary, errorCode, reason].filter(value => typeof value === 'string').join(' · ')
  return `${text(seq)} ${text(time)} ${text(kind)} ${what}${about} ${text(auditId)}${why === '' ? '' : ` ${why}`}`
}
