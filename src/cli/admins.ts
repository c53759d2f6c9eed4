import { type Command, Option } from 'commander'
import { ROLES } from '../domain/admins.ts'
import type { AdminRoom, CliContext } from './context.ts'
import { columns, given, json, printable } from './options.ts'

interface Common {
  readonly config?: string
  readonly data?: string
  readonly json?: boolean
}
interface AddFlags extends Common {
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

  common(admins.command('add').argument('<address>', 'G… or 0x…'))
    .description('add an administrator')
    .requiredOption('--name <name>', 'for people')
    .addOption(new Option('--role <roles...>', 'one or more').choices(ROLES).makeOptionMandatory())
    .action(async (address: string, flags: AddFlags) => {
      const added = await withRoom(context, flags, room => room.add({ address, name: flags.name, roles: flags.role }))
      await show(context, flags, [added], added)
    })

  common(admins.command('list'))
    .description('list the administrators')
    .action(async (flags: Common) => {
      const list = await withRoom(context, flags, room => room.list())
      await show(context, flags, list, { admins: list })
    })

  common(admins.command('disable').argument('<address>', 'G… or 0x…'))
    .description('end the sessions of an administrator and let them in no more; the last policy-admin stays')
    .action(async (address: string, flags: Common) => {
      const disabled = await withRoom(context, flags, room => room.disable(address))
      await show(context, flags, [disabled], disabled)
    })
}

const common = (command: Command): Command =>
  command
    .option('--config <file>', 'TOML file of the service')
    .option('--data <dir>', 'data directory (wins over the file)')
    .option('--json', 'print one JSON object')

async function withRoom<T>(context: CliContext, flags: Common, body: (room: AdminRoom) => Promise<T>): Promise<T> {
  const config = await context.services.loadConfig({
    ...given({ file: flags.config }),
    flags: given({ 'data.directory': flags.data }),
  })
  const room = await context.services.openAdmins(config)
  try {
    return await body(room)
  } finally {
    await room.close()
  }
}

type View = Awaited<ReturnType<AdminRoom['list']>>[number]

async function show({ terminal }: CliContext, flags: Common, list: readonly View[], whole: unknown): Promise<void> {
  if (flags.json) return terminal.out(json(whole))
  const rows = list.map(({ address, name, roles, active }) => [
    address,
    active ? 'active' : 'disabled',
    roles.join(','),
    printable(name),
  ])
  await terminal.out(rows.length === 0 ? 'nobody may log in: countersign admins add\n' : `${columns(rows)}\n`)
}
