import type { CommanderError } from 'commander'
import { ProblemError } from '../client/http.ts'
import { type AnySignerError, type ErrorCode, isSignerError } from '../domain/errors.ts'
import { printable } from './options.ts'

/** Documented in the README and on every `--help`. */
export const EXIT = { ok: 0, error: 1, usage: 2, denied: 3, pending: 4, unavailable: 5 } as const

/** A command that ends with a code of its own and has said why already. */
export class ExitError extends Error {
  readonly exitCode: number
  constructor(exitCode: number) {
    super(`exit ${exitCode}`)
    this.exitCode = exitCode
  }
}

interface Failure {
  readonly exitCode: number
  /** What went wrong and what to do, in lines. */
  readonly lines: readonly string[]
  readonly json: Readonly<Record<string, unknown>>
}

/** Any throw of a command, as what the terminal shows. Never a stack, never a cause: these are for logs. */
export function explain(error: unknown): Failure {
  if (error instanceof ProblemError) {
    const { code, title, type: _, status: __, retryable: ___, ...facts } = error.problem
    const lines = [printable(`${code}: ${title}`), ...named(facts)]
    return { exitCode: exitOf(code), lines, json: { error: error.problem } }
  }
  if (isSignerError(error)) {
    const { code, detail } = error
    return { exitCode: exitOf(code), lines: linesOf(error), json: { error: { code, ...detail } } }
  }
  const reason = error instanceof Error ? error.message : 'an unexpected fault'
  return { exitCode: EXIT.error, lines: [printable(reason)], json: { error: { code: 'internal', reason } } }
}

/** Commander has printed its own words; the code is ours. Help that was not asked for is a mistake in usage too. */
export const exitOfCommander = (error: CommanderError): number => (error.exitCode === 0 ? EXIT.ok : EXIT.usage)

/** What is not listed is an error (1). Two are the client's own: nobody answered, and people must approve first. */
const EXITS: Partial<Record<ErrorCode | 'service/unreachable' | 'approval/pending', number>> = {
  'request/malformed': EXIT.usage,
  'request/too-large': EXIT.usage,
  'approval/refused': EXIT.denied,
  'policy/denied': EXIT.denied,
  'policy/undecided': EXIT.denied,
  'access/denied': EXIT.denied,
  'approval/pending': EXIT.pending,
  'provider/unavailable': EXIT.unavailable,
  'provider/ambiguous': EXIT.unavailable,
  'store/unavailable': EXIT.unavailable,
  'service/overloaded': EXIT.unavailable,
  'service/stopping': EXIT.unavailable,
  'service/unreachable': EXIT.unavailable,
}

const exitOf = (code: string): number =>
  (Object.hasOwn(EXITS, code) ? EXITS[code as ErrorCode] : undefined) ?? EXIT.error

function linesOf(error: AnySignerError): string[] {
  if (error.code === 'config/invalid') {
    const { problems } = error.detail
    const lines = problems.map(({ path, problem, fix }) => printable(`  ${path}: ${problem}. ${fix}`))
    return [`config/invalid: ${problems.length} problem(s)`, ...lines]
  }
  return [error.code, ...named(error.detail)]
}

const named = (fields: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => printable(`  ${name}: ${String(value)}`))
