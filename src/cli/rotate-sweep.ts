import { type Command, InvalidArgumentError, Option } from 'commander'
import { readEvmAddress } from '../bytes/evm-address.ts'
import type { Sweep, SweepItem, SweepWish } from '../service/sweep/index.ts'
import type { Terminal } from './context.ts'
import { EXIT, ExitError } from './exit.ts'
import { readText, usage } from './input.ts'
import { json, printable } from './options.ts'

/** Options of `rotate --print sweep`. */
export interface SweepFlags {
  readonly token?: readonly string[]
  readonly tokens?: string
  readonly spender?: readonly string[]
  readonly collection?: readonly string[]
  readonly onlyNamed?: boolean
  readonly payloads?: boolean
}

export const SWEEP_FLAGS = [
  'token',
  'tokens',
  'spender',
  'collection',
  'onlyNamed',
  'payloads',
] as const satisfies readonly (keyof SweepFlags)[]

const FILE_BYTES_MAX = 1_048_576

const addressOption = (flags: string, description: string): Option =>
  new Option(flags, `with --print sweep: ${description}`).argParser((text: string, before?: readonly string[]) => {
    const address = readEvmAddress(text)
    if (address === undefined) {
      throw new InvalidArgumentError('Use 0x and 40 digits, in lower case or with the checksum of EIP-55.')
    }
    return [...(before ?? []), address]
  })

export const sweepOptions = (command: Command): Command =>
  command
    .addOption(addressOption('--token <address>', 'ask for this ERC-20 token too; may be given again'))
    .option('--tokens <file>', 'with --print sweep: ask for these ERC-20 tokens too, one address a line')
    .addOption(addressOption('--spender <address>', 'ask what it may move of each token; may be given again'))
    .addOption(addressOption('--collection <address>', 'ask for this ERC-721 collection too; may be given again'))
    .option('--only-named', 'with --print sweep: ask only for what these options name, not for what the policy names')
    .option(
      '--payloads',
      'with --print sweep: the transactions for the old version to sign, one JSON payload a line, instead of the list',
    )

/** @throws `request/malformed` */
export async function sweepWishOf(terminal: Terminal, flags: SweepFlags): Promise<SweepWish> {
  const { token = [], spender = [], collection = [], tokens, onlyNamed = false, payloads = false } = flags
  const listed = tokens === undefined ? [] : await addressesIn(terminal, tokens)
  return { tokens: [...token, ...listed], spenders: spender, collections: collection, policy: !onlyNamed, payloads }
}

/** Empty lines and what comes after a # are nothing. */
async function addressesIn(terminal: Terminal, path: string): Promise<readonly string[]> {
  const text = await readText(terminal, { field: '--tokens', path, bytesMax: FILE_BYTES_MAX })
  return text.split('\n').flatMap((line, at) => {
    const [written = ''] = line.split('#')
    const found = written.trim()
    if (found === '') return []
    const address = readEvmAddress(found)
    if (address !== undefined) return [address]
    const what = printable(JSON.stringify(found.slice(0, 60)))
    const fix = 'write 0x and 40 digits, in lower case or with the checksum of EIP-55, one address a line'
    throw usage('--tokens', `line ${at + 1} is ${what}, which is no address`, fix)
  })
}

/** What the old version can do nothing about. */
const NOT_ITS_OWN: readonly SweepItem['kind'][] = ['gas', 'grant']

/**
 * @throws ExitError 1 where something could not be read: then the list is not whole; and where no transaction is made though
 *         something is left, so that nobody takes silence for the end
 */
export async function printSweep(terminal: Terminal, sweep: Sweep, asJson: boolean): Promise<void> {
  const { payloads, notes, policy, unread, items } = sweep
  const left = items.some(({ kind, done }) => !done && !NOT_ITS_OWN.includes(kind))
  const stuck = payloads?.length === 0 && left
  if (asJson) await terminal.out(json(sweep))
  else {
    if (payloads === undefined) await terminal.out(printableLines(markdown(sweep)))
    else if (payloads.length > 0) await terminal.out(payloads.map(json).join(''))
    const blind = payloads === undefined ? [] : unread.map(one => `Could not be read: ${questionText(one)}`)
    for (const note of [...blind, ...notes]) await terminal.err(`${printable(note)}\n`)
    if (stuck) await terminal.err('Nothing is there to sign, and the list is not done: ask without --payloads.\n')
    if (policy !== undefined) {
      await terminal.err(`A policy that allows it and nothing else: ${JSON.stringify(policy)}\n`)
    }
  }
  if (unread.length > 0 || stuck) throw new ExitError(EXIT.error)
}

const questionText = ({ contract, question, reason }: Sweep['unread'][number]): string =>
  `\`${contract}\`: ${question}: ${reason}`

const SECTIONS: readonly (readonly [title: string, kinds: readonly SweepItem['kind'][]])[] = [
  ['First', ['pending', 'code', 'new-code', 'new-nonce', 'gas']],
  ['What the new address needs', ['grant', 'role']],
  ['What the old address has given', ['allowance', 'permit2', 'operator']],
  ['What the old address has', ['collection', 'token']],
  ['Last', ['native']],
]

function markdown({ key, network, chainId, block, from, to, items, unread }: Sweep): string {
  const done = items.filter(item => item.done).length
  const head = [
    `# Sweep of \`${key}\`, version ${from.version} to ${to.version}`,
    '',
    `Network ${network} (chain ${chainId}), block ${block.number}, ${block.time}. Done: ${done} of ${items.length}.`,
    '',
    `From \`${from.address}\` (v${from.version}, ${from.state}) to \`${to.address}\` (v${to.version}, ${to.state}).`,
  ]
  const sections = SECTIONS.flatMap(([title, kinds]) => {
    const lines = items
      .filter(({ kind }) => kinds.includes(kind))
      .map(item => `- [${item.done ? 'x' : ' '}] ${item.text}`)
    return lines.length === 0 ? [] : ['', `## ${title}`, '', ...lines]
  })
  const questions = unread.map(one => `- [ ] ${questionText(one)}`)
  const blind = questions.length === 0 ? [] : ['', '## Could not be read', '', ...questions]
  return [...head, ...sections, ...blind, ''].join('\n')
}

const printableLines = (text: string): string => text.split('\n').map(printable).join('\n')
