/** Commands for the owner of the machine: the configuration they go by, and what is opened with it. */
import type { Command } from 'commander'
import type { Config } from '../config/schema.ts'
import type { CliContext } from './context.ts'
import { given } from './options.ts'

export interface RoomFlags {
  readonly config?: string
  readonly data?: string
  readonly json?: boolean
}

export const forRoom = (command: Command): Command =>
  command
    .option('--config <file>', 'TOML file of the service')
    .option('--data <dir>', 'data directory (wins over the file)')
    .option('--json', 'print one JSON object')

export const configOf = (
  { services }: CliContext,
  { config: file, data }: Pick<RoomFlags, 'config' | 'data'>,
): Promise<Config> => services.loadConfig({ ...given({ file }), flags: given({ 'data.directory': data }) })

/** Closes what it has opened, whatever becomes of `body`. */
export async function withRoom<Room extends { close(): Promise<void> }, T>(
  context: CliContext,
  flags: Pick<RoomFlags, 'config' | 'data'>,
  open: (config: Config) => Promise<Room>,
  body: (room: Room, config: Config) => Promise<T>,
): Promise<T> {
  const config = await configOf(context, flags)
  const room = await open(config)
  try {
    return await body(room, config)
  } finally {
    await room.close()
  }
}
