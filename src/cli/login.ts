import type { Command } from 'commander'
import { httpClient } from '../client/http.ts'
import { SEED_BYTES_MAX } from './address.ts'
import type { CliContext, ExpectedLogin } from './context.ts'
import { readInput, usage } from './input.ts'
import { given, json } from './options.ts'
import { serviceUrl } from './service.ts'

interface Flags {
  readonly url?: string
  readonly seedFile: string
  readonly homeDomain?: string
  readonly webAuthDomain?: string
  readonly network: string
  readonly serverAccount?: string
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  COUNTERSIGN_TOKEN=$(countersign login --url https://control.example --seed-file ann.seed)
  countersign login --url https://control.example --home-domain example --seed-file - < ann.seed

The challenge is checked before it is signed: it must be one of this home domain and this address, with sequence number 0.`

export function loginCommand(program: Command, context: CliContext): void {
  program
    .command('login')
    .description('log in to a control plane as a Stellar address (SEP-10); prints the session token')
    .requiredOption('--seed-file <file>', 'file with the S… seed of the administrator, or - for stdin')
    .option('--url <url>', 'where the control plane listens (default: COUNTERSIGN_URL)')
    .option('--home-domain <domain>', 'the domain to log in to (default: the host of the URL; localhost on loopback)')
    .option(
      '--web-auth-domain <domain>',
      'domain of the endpoint (default: the host of the URL; on loopback the above)',
    )
    .option('--network <name>', 'network whose passphrase challenges are made for', 'public')
    .option('--server-account <address>', 'refuse challenges that another account than this made (G…)')
    .option('--json', 'print one JSON object')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: Flags) => {
      const { services, terminal, world } = context
      const url = secureUrl(serviceUrl(context, flags), flags)
      const expected = expectedAt(url, flags)
      const input = { field: '--seed-file', path: flags.seedFile, bytesMax: SEED_BYTES_MAX }
      const key = await services.openLoginKey(await readInput(terminal, input))
      try {
        const client = httpClient({ url: url.href, fetch: world.fetch })
        const { transaction } = await client.challenge(key.address)
        const answer = await key.answer(typeof transaction === 'string' ? transaction : '', expected)
        const session = await client.openSession(answer)
        await terminal.out(flags.json ? json({ address: key.address, ...session }) : `${session.token}\n`)
      } finally {
        key.wipe()
      }
    })
}

const isLoopback = ({ hostname }: URL): boolean => ['localhost', '127.0.0.1', '[::1]'].includes(hostname)

/** What comes back opens the control plane to whoever reads it on the way. */
function secureUrl(text: string, { url: flag }: Flags): URL {
  const url = new URL(text)
  if (url.protocol === 'https:' || isLoopback(url)) return url
  const field = flag === undefined ? 'COUNTERSIGN_URL' : '--url'
  throw usage(field, 'is not https', 'use https://, or http:// on 127.0.0.1')
}

function expectedAt(url: URL, flags: Flags): ExpectedLogin {
  const homeDomain = flags.homeDomain ?? (isLoopback(url) ? 'localhost' : url.host)
  const webAuthDomain = flags.webAuthDomain ?? (isLoopback(url) ? homeDomain : url.host)
  return { homeDomain, webAuthDomain, network: flags.network, ...given({ serverAccount: flags.serverAccount }) }
}
