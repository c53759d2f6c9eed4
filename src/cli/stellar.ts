/** The commands of `stellar countersign …` (a plugin of stellar-cli), which are also those of `countersign stellar …`. */
import type { Command } from 'commander'
import type { KeyReply } from '../client/http.ts'
import type { Payload } from '../client/types.ts'
import type { CliContext } from './context.ts'
import { usage } from './input.ts'
import { columns, countOption, json, printable } from './options.ts'
import { messagePayload, readMessage, readTyped } from './payload.ts'
import { type Client, openClient } from './service.ts'
import { explained, forService, forSigning, signAndPrint, type SigningFlags } from './signing.ts'
import { checkNetwork, forNetwork, type NetworkFlags, wrongChain } from './stellar-network.ts'

/** Any `stellar-NAME` on PATH is a plugin of stellar-cli: `stellar countersign sign` runs `stellar-countersign sign`. */
export const PLUGIN = 'stellar-countersign'

interface ServiceFlags {
  readonly url?: string
  readonly json?: boolean
}
type SignFlags = SigningFlags & NetworkFlags
interface AuthFlags extends SignFlags {
  readonly expirationLedger?: number
  readonly autoSign?: boolean
}
interface MessageFlags extends SigningFlags {
  readonly base64?: boolean
}
interface InstallFlags {
  readonly dir?: string
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  stellar tx new payment … --build-only | stellar countersign sign --key treasury | stellar tx send
  stellar countersign sign --key treasury --dry-run payment.xdr
  stellar countersign sign-auth --key operator --auto-sign --expiration-ledger 1234567 entry.xdr
  stellar countersign sign-message --key treasury 'Hello, World!'
  stellar countersign keys export-public treasury | sh

The service is COUNTERSIGN_URL, the token COUNTERSIGN_TOKEN, never an argument. A network that stellar-cli was told to use
(STELLAR_NETWORK, STELLAR_NETWORK_PASSPHRASE with STELLAR_RPC_URL) must be the key's: signing is refused otherwise.`

export function stellarCommand(program: Command, context: CliContext): void {
  addStellarCommands(
    program.command('stellar').description(`sign for stellar-cli; the same as ${PLUGIN} (stellar countersign …)`),
    context,
  )
}

export function addStellarCommands(stellar: Command, context: CliContext): void {
  stellar.addHelpText('after', EXAMPLES)
  forNetwork(forSigning(stellar.command('sign').argument('[xdr]', XDR)))
    .description('have a running service sign a transaction; prints the signed envelope')
    .action((xdr: string | undefined, flags: SignFlags) =>
      signAndPrint(context, flags, async client => {
        const payload = await readTyped(context, 'stellar-transaction', xdr ?? '-')
        await checkNetwork(context, client, flags.key, flags)
        return payload
      }),
    )

  forNetwork(forSigning(stellar.command('sign-auth').argument('[xdr]', AUTH_XDR)))
    .description(
      'have a Soroban authorization entry signed; prints the entry, or of a preimage the signature in base64',
    )
    .addOption(countOption('--expiration-ledger <number>', 'the last ledger it is good for (default: as in the entry)'))
    .option('--auto-sign', 'sign without a look at it first')
    .action((xdr: string | undefined, flags: AuthFlags) =>
      signAndPrint(context, flags, async client => {
        const payload = withExpiration(await readTyped(context, 'stellar-auth-entry', xdr ?? '-'), flags)
        await checkNetwork(context, client, flags.key, flags)
        if (!flags.autoSign && !flags.dryRun) await refuseUnseen(context, client, flags, payload)
        return payload
      }),
    )

  forSigning(stellar.command('sign-message').argument('[message]', 'the text, or - for stdin (default: stdin)'))
    .description('have a message signed (SEP-53); prints the signature in base64')
    .option('--base64', 'the message is binary, in base64')
    .action((message: string | undefined, flags: MessageFlags) =>
      signAndPrint(context, flags, async () =>
        messagePayload('stellar-message', await readMessage(context, message ?? '-', flags.base64)),
      ),
    )

  addKeys(stellar, context)
  addInstall(stellar, context)
}

const XDR = 'base64 XDR of an envelope, a file that holds it, or - for stdin (default: stdin)'
const AUTH_XDR =
  'base64 XDR of an authorization entry or of its HashIdPreimage, a file that holds it, or - (default: stdin)'

function withExpiration(payload: Payload, { expirationLedger }: AuthFlags): Payload {
  if (expirationLedger === undefined) return payload
  if (payload['preimage'] === undefined) return { ...payload, expirationLedger }
  throw usage('--expiration-ledger', 'stands in the preimage itself', 'leave it out, or give the entry')
}

/**
 * stellar-cli asks before it signs an entry that is not exactly the call of its transaction, unless there is `--auto-sign`.
 * Here the transaction is not there to compare with, so every entry is such a one. Nobody is asked: a pipe has no terminal.
 */
async function refuseUnseen(context: CliContext, client: Client, { key }: AuthFlags, payload: Payload): Promise<never> {
  await context.terminal.err(`${explained(await client.explain(key, payload))}\n`)
  throw usage(
    '--auto-sign',
    'is missing, and nothing was signed: an authorization on its own fits into any transaction that makes these calls',
    'read above what it allows, then add --auto-sign',
  )
}

function addKeys(stellar: Command, context: CliContext): void {
  const { terminal } = context
  const listed = async (flags: ServiceFlags): Promise<readonly KeyReply[]> =>
    (await openClient(context, flags, 'a token with the scope read:*').keys())
      .filter(({ chain }) => chain === 'stellar')
      .map(forAccount)
  const named = async (name: string, flags: ServiceFlags): Promise<KeyReply> => {
    const key = await openClient(context, flags, `a token with the scope read:${name}`).key(name)
    if (key.chain !== 'stellar') throw wrongChain(key)
    return forAccount(key)
  }

  forService(stellar.command('address').requiredOption('--key <name>', 'the key'))
    .description('print the account (G…) that a key signs for')
    .option('--json', 'print one JSON object')
    .action(async (flags: ServiceFlags & { readonly key: string }) => {
      const { name, network, address } = await named(flags.key, flags)
      await terminal.out(flags.json ? json({ name, network, address }) : `${address}\n`)
    })

  const keys = stellar.command('keys').description('the Stellar keys of the service, for stellar-cli')
  forService(keys.command('list', { isDefault: true }))
    .description('list the keys that the token may read: name, network, address')
    .option('--json', 'print one JSON object')
    .action(async (flags: ServiceFlags) => {
      const found = (await listed(flags)).map(({ name, network, address }) => ({ name, network, address }))
      if (flags.json) return terminal.out(json({ keys: found }))
      const rows = found.map(key => Object.values(key).map(printable))
      return terminal.out(rows.length === 0 ? '' : `${columns(rows)}\n`)
    })
  forService(keys.command('export-public').argument('[name]', 'a key (default: all of them)'))
    .description('print the lines that make stellar-cli know the addresses by name')
    .option('--json', 'print one JSON object')
    .action(async (name: string | undefined, flags: ServiceFlags) => {
      const found = name === undefined ? await listed(flags) : [await named(name, flags)]
      const lines = found.map(key => ({ name: nameFor(key), address: key.address }))
      if (flags.json) return terminal.out(json({ keys: lines }))
      for (const { name: ours } of found.filter(key => nameFor(key) !== key.name))
        await terminal.err(
          `${printable(`stellar-cli takes letters, digits, _ and - only: ${ours} has another name there`)}\n`,
        )
      return terminal.out(lines.map(line => `stellar keys add ${line.name} --public-key ${line.address}\n`).join(''))
    })
}

/** stellar-cli knows accounts: what a key signs for is what it builds transactions from. */
const forAccount = (key: KeyReply): KeyReply => ({ ...key, address: key.account ?? key.address })

/** These lines go into a shell: nothing of them is taken as it came. */
function nameFor({ name, address }: KeyReply): string {
  if (!/^G[A-Z2-7]{55}$/.test(address))
    throw usage('address', `of ${printable(name)} is no address`, 'ask another service')
  return name.replaceAll(/[^A-Za-z0-9_-]/g, '_').replace(/^-/, '_')
}

function addInstall(stellar: Command, { services, terminal }: CliContext): void {
  stellar
    .command('install')
    .description(`make the link ${PLUGIN}, by which stellar-cli finds this program`)
    .option('--dir <dir>', 'a folder on PATH (default: the one this program is in)')
    .option('--json', 'print one JSON object')
    .action(async ({ dir, json: wantsJson }: InstallFlags) => {
      const made = await services.linkPlugin(PLUGIN, dir)
      await terminal.out(wantsJson ? json(made) : `${made.path}\n`)
      if (!made.created) await terminal.err('It was there already.\n')
      const where = printable(made.path)
      if (!made.onPath) await terminal.err(`The folder of ${where} is not on PATH: stellar-cli does not look there.\n`)
    })
}
