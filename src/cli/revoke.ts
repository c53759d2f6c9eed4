import type { Command } from 'commander'
import type { RevokedReply } from '../client/http.ts'
import type { Config } from '../config/schema.ts'
import type { CliContext } from './context.ts'
import { usage } from './input.ts'
import { countOption, given, json, printable } from './options.ts'
import { type RoomFlags, withRoom } from './room.ts'
import { idempotencyKeyOf, openClient } from './service.ts'

interface Flags extends RoomFlags {
  readonly reason: string
  readonly keyVersion?: number
  readonly local?: boolean
  readonly url?: string
  readonly idempotencyKey?: string
}

const WORDS = `
Once it has answered, nothing of the key is released by any instance that shares the store, requests under way included.
Then its key service is told to sign no more with it, as far as the service can and nobody else needs what lies there; the
answer says what came of that, and whatever it is, the revocation stands.
Nobody's consent is needed, and nobody takes it back alone. The session token of an operator or key-admin is read from
COUNTERSIGN_TOKEN, never from the command line.

Examples:
  countersign revoke treasury --reason "the host was taken over"
  countersign revoke treasury --key-version 2 --reason "left with an employee"
  countersign revoke treasury --local --config countersign.toml --reason "the control plane is down, the service stopped"`

export function revokeCommand(program: Command, context: CliContext): void {
  const { terminal } = context
  program
    .command('revoke')
    .description('stop a key at once: on a running control plane, or in the store of a stopped service')
    .argument('<key>', 'name of the key')
    .requiredOption('--reason <text>', 'why, in one line; stands in the record')
    .addOption(countOption('--key-version <n>', 'this version (default: all of them)'))
    .option('--url <url>', 'where the control plane listens (default: COUNTERSIGN_URL)')
    .option('--local', 'in the store of the configuration, which no running service may own')
    .option('--config <file>', 'with --local: TOML file of the service')
    .option('--data <dir>', 'with --local: data directory (wins over the file)')
    .option('--idempotency-key <key>', 'the same for every retry of one request (default: a fresh one)')
    .option('--json', 'print one JSON object')
    .addHelpText('after', WORDS)
    .action(async (key: string, flags: Flags) => {
      const wish = { reason: oneLine(flags.reason), ...given({ version: flags.keyVersion }) }
      const done = flags.local === true ? await locally(key, wish, flags) : await remotely(key, wish, flags)
      const [revoked, now] = [done.revoked.join(', '), done.now.length]
      const text = `${key}: revoked version ${revoked}${now === 0 ? ' (it was before)' : ''}`
      await terminal.out(flags.json ? json(done) : `${[text, ...placeLines(done.places)].map(printable).join('\n')}\n`)
    })

  type Wish = { readonly reason: string; readonly version?: number }

  async function locally(key: string, wish: Wish, flags: Flags) {
    const open = (config: Config) => context.services.openKeys(config)
    return { key, ...(await withRoom(context, flags, open, room => room.revoke(key, wish))) }
  }

  async function remotely(key: string, wish: Wish, flags: Flags) {
    const client = openClient(context, flags, 'the session token of an operator or key-admin')
    return client.revoke(key, wish, idempotencyKeyOf(context, flags))
  }
}

/** Where the key service still signs with it, somebody has to go there. */
const placeLines = (places: RevokedReply['places'] = []): readonly string[] =>
  places.map(({ version, binding, provider, outcome, reason }) => {
    const what = outcome === 'disabled' ? 'disabled' : outcome === 'left' ? 'not touched' : 'NOT disabled'
    return `  version ${version} at ${provider} (${binding}): ${what}${reason === undefined ? '' : `: ${reason}`}`
  })

function oneLine(reason: string): string {
  if (/^[^\p{Cc}]{1,500}$/u.test(reason)) return reason
  throw usage('--reason', 'is not one line of 1 to 500 characters', 'say in a few words why')
}
