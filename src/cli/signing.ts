/** What every command that signs has in common: its options, the request, and one result alone on stdout. */
import type { Command } from 'commander'
import { type ExplainReply, ProblemError } from '../client/http.ts'
import type { Payload, Signed } from '../client/types.ts'
import type { CliContext } from './context.ts'
import { EXIT, ExitError } from './exit.ts'
import { columns, json, printable } from './options.ts'
import { type Client, idempotencyKeyOf, openClient } from './service.ts'

export interface SigningFlags {
  readonly key: string
  readonly url?: string
  readonly idempotencyKey?: string
  readonly dryRun?: boolean
  readonly keyVersion?: number
  readonly json?: boolean
}

export const forService = (command: Command): Command =>
  command.option('--url <url>', 'where the service listens (default: COUNTERSIGN_URL)')

export const forSigning = (command: Command): Command =>
  forService(command.requiredOption('--key <name>', 'the key to sign with'))
    .option('--idempotency-key <key>', 'the same for every retry of one request (default: a fresh one)')
    .option('--dry-run', 'sign nothing: say what it would do and what the policy says to it')
    .option('--json', 'print the whole answer')

/** @param payloadOf  called once it is known whom to ask: stdin is read for nothing otherwise */
export async function signAndPrint(
  context: CliContext,
  flags: SigningFlags,
  payloadOf: (client: Client) => Promise<Payload>,
): Promise<void> {
  const { key, dryRun = false } = flags
  const client = openClient(context, flags, `a token with the scope ${dryRun ? 'explain' : 'sign'}:${key}`)
  const idempotencyKey = idempotencyKeyOf(context, flags)
  const payload = await payloadOf(client)
  if (dryRun) return printExplained(context, flags, await client.explain(key, payload))
  const answer = await client.sign(key, payload, idempotencyKey, flags.keyVersion)
  const result = resultOf(payload, answer)
  await context.terminal.out(flags.json ? json(answer) : `${result}\n`)
}

async function printExplained({ terminal }: CliContext, flags: SigningFlags, said: ExplainReply): Promise<void> {
  await terminal.out(flags.json ? json(said) : `${explained(said)}\n`)
  if (said.decision !== 'allow') throw new ExitError(EXIT.denied)
}

export function explained({ decision, rule, reason, summary, sentences, hash }: ExplainReply): string {
  const why = rule === undefined ? decision : `${decision} by ${rule}: ${reason ?? ''}`
  const rows = [['decision', why], ['summary', summary], ...sentences.map(text => ['', text]), ['hash', hash]]
  return columns(rows.map(row => row.map(printable)))
}

type Member =
  | 'signature'
  | 'signedXdr'
  | 'signedAuthEntry'
  | 'signedTransaction'
  | 'signedAuthorization'
  | 'evmSignature'
  | 'jws'

/** What a caller of each payload type goes on with; a bare signature is a poor stand-in for it, so it is never that by accident. */
const RESULTS: Readonly<Record<string, Member>> = {
  'stellar-transaction': 'signedXdr',
  'stellar-challenge': 'signedXdr',
  'stellar-message': 'signature',
  'evm-transaction': 'signedTransaction',
  'evm-authorization': 'signedAuthorization',
  'evm-message': 'evmSignature',
  'evm-typed-data': 'evmSignature',
  approval: 'jws',
}

function resultOf(payload: Payload, answer: Signed): string {
  const member = memberOf(payload, answer)
  const result = answer[member]
  if (result !== undefined) return typeof result === 'string' ? result : JSON.stringify(result)
  const title = `The answer of the service holds no ${member}. Is it of the same version as this program?`
  throw new ProblemError({
    code: 'service/unreachable',
    status: 0,
    title,
    retryable: false,
    requestId: answer.requestId,
  })
}

function memberOf({ type, entry }: Payload, answer: Signed): Member {
  if (type === 'stellar-auth-entry') return entry === undefined ? 'signature' : 'signedAuthEntry'
  // Of a hash, and of what this program does not know yet: the form of the chain where there is one.
  return RESULTS[type] ?? (answer.evmSignature === undefined ? 'signature' : 'evmSignature')
}
