import type { Command } from 'commander'
import type { Config } from '../config/schema.ts'
import type { PinCounts, PinFinding, PinReport } from '../service/pins.ts'
import type { CliContext } from './context.ts'
import { EXIT, ExitError } from './exit.ts'
import { usage } from './input.ts'
import { columns, given, json, printable } from './options.ts'
import { progressLine } from './progress.ts'
import { forRoom, type RoomFlags, withRoom } from './room.ts'

interface Flags extends RoomFlags {
  readonly proof: boolean
  readonly quarantine?: boolean
}

const WORDS = `
Of every version that signs or waits to, each place that may serve it signs a challenge, verified under the pinned public key; a
service that signs itself also gives its public key. A running service does the same at its start and every keys.recheckHours.

It reports and changes nothing, and runs beside the service, unless --quarantine is said: then a version whose first place
answered wrongly goes into quarantine, and any other wrong place is suspended, on record. With SQLite stop the service for that.

Exit code 1 when a place is wrong; 5 when none is and one did not answer.`

/** `keys check`: whether the key services still have the keys that were pinned. */
export function checkCommand(keys: Command, context: CliContext): void {
  forRoom(keys.command('check').argument('[name]'))
    .description('ask the key services whether they still have the keys that were pinned')
    .option('--no-proof', 'compare public keys only: no signature, no seed opened; tells nothing of wrapped keys')
    .option('--quarantine', 'act on what is wrong, as a running service does')
    .addHelpText('after', WORDS)
    .action(async (name: string | undefined, flags: Flags) => {
      const { proof, quarantine = false } = flags
      if (quarantine && !proof) throw usage('--quarantine', 'acts on proofs', 'leave --no-proof out')
      const stop = new AbortController()
      const undo = context.onStop(() => stop.abort())
      const found: PinFinding[] = []
      const say = progressLine(context.terminal)
      const options = {
        ...given({ name }),
        proof,
        signal: stop.signal,
        onFinding: async (finding: PinFinding) => void found.push(finding),
        onProgress: (counts: PinCounts, places: number) => {
          const part = Math.floor((counts.checked * 20) / Math.max(1, places))
          if (places > SILENT_UP_TO)
            say(part, `${counts.checked} of ${places} places · ${sums(counts)}`, counts.checked === places)
        },
      }
      try {
        const open = (config: Config) => context.services.openPins(config, { proof, quarantine })
        const report = await withRoom(context, flags, open, room => room.check(options))
        const all = found.toSorted((a, b) => (a.key === b.key ? a.version - b.version : a.key < b.key ? -1 : 1))
        await context.terminal.out(flags.json ? json(jsonOf(report, all)) : textOf(report, all))
        if (report.wrong > 0) throw new ExitError(EXIT.error)
        if (report.unanswered > 0 || report.stopped) throw new ExitError(EXIT.unavailable)
      } finally {
        undo()
      }
    })
}

/** Fewer are over before anybody has read a line. */
const SILENT_UP_TO = 20

const sums = ({ ok, wrong, unanswered }: PinCounts): string =>
  `${ok} ok · ${wrong} wrong · ${unanswered} did not answer`

const reasonOf = ({ error }: PinFinding): string | undefined =>
  (error?.detail as { reason?: string } | undefined)?.reason

function textOf(report: PinReport, found: readonly PinFinding[]): string {
  const { checked, skipped, stopped } = report
  const rows = found.map(each => {
    const { key, version, binding, provider, custody, verdict, error } = each
    const why = error === undefined ? '' : [error.code, reasonOf(each)].filter(part => part !== undefined).join(': ')
    const first = each.first ? '' : ' (another place)'
    return [key, `v${version}`, `${provider} ${custody} ${binding}${first}`, verdict, why].map(printable)
  })
  const left = skipped === 0 ? [] : [`${skipped} wrapped: not looked at without a proof`]
  const fix =
    report.wrong === 0
      ? []
      : ['Find out who changed what is wrong before it is restored: docs/operations.md, "Every day".']
  return [
    ...(rows.length === 0 ? [] : [columns([['KEY', 'VERSION', 'PLACE', 'VERDICT', 'REASON'], ...rows])]),
    [`${checked} places: ${sums(report)}`, ...left].join(' · '),
    ...(stopped ? ['stopped by the operator before the last place'] : []),
    ...fix,
    '',
  ].join('\n')
}

const jsonOf = (report: PinReport, found: readonly PinFinding[]) => ({
  ...report,
  places: found.map(({ error, ...place }) => ({
    ...place,
    ...(error === undefined ? {} : { ...given({ reason: reasonOf({ ...place, error }) }), code: error.code }),
  })),
})
