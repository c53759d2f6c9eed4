import { type Command, Option } from 'commander'
import type { DestroyedPlace, DestroyPlan, DestroyReport, DoomedPlace } from '../service/destroy.ts'
import type { CliContext } from './context.ts'
import { EXIT, ExitError } from './exit.ts'
import { usage } from './input.ts'
import { columns, countOption, given, json, printable } from './options.ts'
import { forRoom, type RoomFlags, withRoom } from './room.ts'

interface Flags extends RoomFlags {
  readonly keyVersion: number
  readonly confirm: string
  readonly days: number
  readonly reason?: string
  readonly signerRemains?: boolean
  readonly atOnce?: boolean
  readonly dryRun?: boolean
}

const WORDS = `
Only of a version that is retired or revoked, since keys.destroyAfterDays at least (--at-once). --confirm takes its address, to the letter (countersign rotate KEY shows it). Key
services keep what they give up for --days, in which their own administrator can take it back; Vault does not wait, so it takes
--days 0. An encrypted seed is removed from the registry at once; the key that wraps it is not touched. Nothing takes this back.
Where a place fails, the version is destroyed all the same and the exit code is 1: the same command goes on with that place.
Where networks.* has an endpoint, a Stellar account that still lists the key is reason to refuse (--signer-remains).

With SQLite stop the service first, the registry has one owner; with PostgreSQL run it beside the service.

Examples:
  countersign keys destroy treasury --key-version 1 --confirm G… --dry-run
  countersign keys destroy treasury --key-version 1 --confirm G… --days 30 --reason "rotated in June"`

/** `keys destroy`: the end of a private key. */
export function destroyCommand(keys: Command, context: CliContext): void {
  forRoom(keys.command('destroy').argument('<name>'))
    .description('give the private key of a retired or revoked version up, everywhere it lies')
    .addOption(countOption('--key-version <n>', 'the version').makeOptionMandatory())
    .requiredOption('--confirm <address>', 'the address of the version')
    .addOption(countOption('--days <n>', 'how long key services keep what can be taken back there').default(30))
    .option('--reason <text>', 'why, in one line; stands in the record')
    .option('--signer-remains', 'go on although an account lists the key as a signer')
    .option('--at-once', 'do not wait until it has rested for keys.destroyAfterDays')
    .addOption(new Option('--dry-run', 'say what would happen, place by place, and what to look at first'))
    .addHelpText('after', WORDS)
    .action(async (name: string, flags: Flags) => {
      const { keyVersion: version, confirm, days, reason, signerRemains, atOnce, dryRun } = flags
      if (reason !== undefined && !/^[^\p{Cc}]{1,500}$/u.test(reason)) {
        throw usage('--reason', 'is not one line of 1 to 500 characters', 'say in a few words why')
      }
      const wish = { version, confirm, days, ...given({ reason, signerRemains, atOnce }) }
      await withRoom(context, flags, context.services.openDestroy, async room => {
        if (dryRun === true) await showPlan(context, flags, await room.plan(name, wish))
        else await showReport(context, flags, await room.destroy(name, wish))
      })
    })
}

async function showPlan({ terminal }: CliContext, flags: Flags, plan: DestroyPlan): Promise<void> {
  const look = checklistOf(plan)
  const isRefused = plan.signerOf.length > 0 || plan.notBefore !== undefined
  if (flags.json) await terminal.out(json({ dryRun: true, refused: isRefused, ...plan, look }))
  else {
    const { key, version, address, state, days, places, signerOf, notBefore, notes } = plan
    const rows = places.map(place => [WILL[place.will](days), ...cellsOf(place)])
    const items = look.map(({ id, text }) => `  [ ] ${id}: ${text}`)
    const refusals = [
      ...(notBefore === undefined ? [] : [`WOULD BE REFUSED: it has not rested until ${notBefore} (--at-once)`]),
      ...signerOf.map(account => `WOULD BE REFUSED: it is still a signer of ${account}`),
    ]
    const lines = [`${key} version ${version} (${address}) is ${state}; nothing was changed`, ...refusals, ...notes]
    const text = [...lines.map(printable), columns(rows, '  '), 'Look at this first:', ...items.map(printable)]
    await terminal.out(`${text.join('\n')}\n`)
  }
  if (isRefused) throw new ExitError(EXIT.error)
}

const WILL: Readonly<Record<DoomedPlace['will'], (days: number) => string>> = {
  schedule: days => (days === 0 ? 'would be given up' : `would be given up, gone after ${days} days or more`),
  remove: () => 'would be removed',
  left: () => 'would be left',
}

async function showReport({ terminal }: CliContext, flags: Flags, report: DestroyReport): Promise<void> {
  if (flags.json) await terminal.out(json(report))
  else {
    const { key, version, address, changed, places, notes } = report
    const head = `${key} version ${version} (${address}): destroyed${changed ? '' : ' (it was before)'}`
    const rows = places.map(place => [WAS[place.outcome](place), ...cellsOf(place)])
    await terminal.out(`${printable(head)}\n${columns(rows, '  ')}\n`)
    for (const note of notes) await terminal.err(`${printable(note)}\n`)
  }
  if (report.done) return
  await terminal.err('Not everywhere: run the same command again, once what failed is put right.\n')
  throw new ExitError(EXIT.error)
}

const WAS: Readonly<Record<DestroyedPlace['outcome'], (place: DestroyedPlace) => string>> = {
  scheduled: ({ at = '' }) => `gone on ${at.slice(0, 10)}`,
  removed: () => 'gone',
  left: () => 'left',
  failed: () => 'FAILED',
}

const cellsOf = (place: Pick<DoomedPlace, 'provider' | 'custody' | 'reference' | 'reason'>): string[] => {
  const { provider, custody, reference, reason } = place
  return [provider, custody, printable(reason === undefined ? reference : `${reference}: ${reason}`)]
}

interface Item {
  readonly id: string
  readonly text: string
}

/** What no program sees, or not all of it. */
function checklistOf({ key, address, places }: DestroyPlan): readonly Item[] {
  const isStellar = address.startsWith('G')
  const has = (custody: DoomedPlace['custody']): boolean => places.some(each => each.custody === custody)
  const chain: readonly Item[] = isStellar
    ? [
        { id: 'signer', text: `no account of any network lists ${address} with a weight` },
        { id: 'balances', text: 'its own account holds nothing and sponsors nothing, and nobody pays it any more' },
      ]
    : [
        { id: 'balances', text: `${address} holds nothing on any chain, and nobody pays it any more` },
        {
          id: 'rights',
          text: `no contract names it as owner, in a role or as a spender (rotate ${key} --print sweep)`,
        },
      ]
  return [
    ...chain,
    { id: 'approvals', text: 'whoever checks what it approved reads the signed document: the key set leaves it out' },
    ...(has('native')
      ? [
          {
            id: 'window',
            text: 'until the day that is told, an administrator of the key service can take it back there',
          },
        ]
      : []),
    ...(has('envelope')
      ? [
          {
            id: 'backups',
            text: 'backups of the registry hold its encrypted seed until they expire; with the wrapping key that is the key',
          },
        ]
      : []),
    { id: 'copies', text: 'the file, paper or environment that it was once imported from is gone' },
  ]
}
