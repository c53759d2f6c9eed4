import { type Command, Option } from 'commander'
import { ROLES } from '../domain/admins.ts'
import type { AdminRoom, CliContext } from './context.ts'
import { columns, json, printable } from './options.ts'
import { forRoom, type RoomFlags, withRoom } from './room.ts'

interface AddFlags extends RoomFlags {
  readonly name: string
  readonly role: readonly string[]
}

const EXAMPLES = `
Examples:
  countersign admins add GABC… --name "Ann" --role policy-admin
  countersign admins add 0x52908400098527886E0F7030069857D2E4169EE7 --name "Bob" --role approver auditor

Roles: ${ROLES.join(', ')}. Nobody holds roles that together sign, approve and make policy.`

export function adminsCommand(program: Command, context: CliContext): void {
  const admins = program
    .command('admins')
    .description('who may log in to the control plane; for the owner of the machine')
    .addHelpText('after', EXAMPLES)

  forRoom(admins.command('add').argument('<address>', 'G… or 0x…'))
    .description('add an administrator')
    .requiredOption('--name <name>', 'for people')
    .addOption(new Option('--role <roles...>', 'one or more').choices(ROLES).makeOptionMandatory())
    .action(async (address: string, flags: AddFlags) => {
      const added = await inRoom(context, flags, room => room.add({ address, name: flags.name, roles: flags.role }))
      await show(context, flags, [added], added)
    })

  forRoom(admins.command('list'))
    .description('list the administrators')
    .action(async (flags: RoomFlags) => {
      const list = await inRoom(context, flags, room => room.list())
      await show(context, flags, list, { admins: list })
    })

  forRoom(admins.command('disable').argument('<address>', 'G… or 0x…'))
    .description('end the sessions of an administrator and let them in no more; the last policy-admin stays')
    .action(async (address: string, flags: RoomFlags) => {
      const disabled = await inRoom(context, flags, room => room.disable(address))
      await show(context, flags, [disabled], disabled)
    })
}

const inRoom = <T>(context: CliContext, flags: RoomFlags, body: (room: AdminRoom) => Promise<T>): Promise<T> =>
  withRoom(context, flags, config => context.services.openAdmins(config), body)

type View = Awaited<ReturnType<AdminRoom['list']>>[number]

async function show({ terminal }: CliContext, flags: RoomFlags, list: readonly View[], whole: unknown): Promise<void> {
  if (flags.json) return terminal.out(json(whole))
  const rows = list.map(({ address, name, roles, active }) => [
    address,
    active ? 'active' : 'disabled',
    roles.join(','),
    printable(name),
  ])
  await terminal.out(rows.length === 0 ? 'nobody may log in: countersign admins add\n' : `${columns(rows)}\n`)
}
