import { CommanderError } from 'commander'
import { ProblemError } from '../client/http.ts'
import { type AnySignerError, isSignerError } from '../domain/errors.ts'

/** Documented in the README and in `countersign --help`. */
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
  readonly code: string
  /** What went wrong and what to do, in lines. */
  readonly lines: readonly string[]
  readonly json: Readonly<Record<string, unknown>>
}

/** Any throw of a command, as what the terminal shows. Never a stack, never a cause: these are for logs. */
export function explain(error: unknown): Failure {
  if (error instanceof ProblemError) {
    const { code, title, fix, reason, rule } = error.problem
    const lines = [`${code}: ${title}`, ...named({ rule, reason, fix })]
    return { exitCode: exitOf(code), code, lines, json: { error: error.problem } }
  }
  if (isSignerError(error)) {
    return { exitCode: exitOf(error.code), code: error.code, lines: linesOf(error), json: { error: { code: error.code, ...error.detail } } }
  }
  const message = error instanceof Error ? error.message : 'an unexpected fault'
  return { exitCode: EXIT.error, code: 'internal', lines: [message], json: { error: { code: 'internal', reason: message } } }
}

/** Commander has printed its own words; only the code is ours. */
export const exitOfCommander = (error: CommanderError): number => (error.exitCode === 0 ? EXIT.ok : EXIT.usage)

function exitOf(code: string): number {
  if (code.startsWith('policy/') || code === 'access/denied') return EXIT.denied
  if (code === 'provider/unavailable' || code === 'provider/ambiguous' || code === 'service/unreachable') return EXIT.unavailable
  if (code === 'service/overloaded' || code === 'service/stopping') return EXIT.unavailable
  if (code === 'request/malformed') return EXIT.usage
  return EXIT.error
}

function linesOf(error: AnySignerError): string[] {
  if (error.code === 'config/invalid') {
    return [
      `config/invalid: ${error.detail.problems.length} problem(s)`,
      ...error.detail.problems.map(({ path, problem, fix }) => `  ${path}: ${problem}. ${fix}`),
    ]
  }
  return [error.code, ...named(error.detail as Readonly<Record<string, unknown>>)]
}

const named = (fields: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `  ${name}: ${String(value)}`)
