import { type ConfigProblem, SignerError } from '../src/domain/errors.ts'
import type { EnvelopeContext } from '../src/domain/provider.ts'

/** Types are gone at run time and a config may come from a file: an unknown kind is refused there as well. */
export function refuseUnknownKind(config: unknown): never {
  const kind = (config as { kind?: unknown } | null | undefined)?.kind
  throw configInvalid([
    {
      path: 'kind',
      problem: `unknown provider kind ${typeof kind === 'string' ? JSON.stringify(kind.slice(0, 40)) : typeof kind}`,
      fix: 'use one of the kinds in providers/README.md, such as aws-kms',
    },
  ])
}

export const configInvalid = (problems: readonly ConfigProblem[]): SignerError<'config/invalid'> =>
  new SignerError('config/invalid', { problems })

/**
 * The slice of a zod schema that is needed here, so that a provider without a schema need not load zod.
 * Issue texts are the schema's own: they name fields and rules, never a value.
 */
interface Schema<T> {
  safeParse(
    value: unknown,
  ):
    | { success: true; data: T }
    | { success: false; error: { issues: readonly { path: PropertyKey[]; message: string }[] } }
}

/** @throws `config/invalid` with every problem at once. */
export function checkedConfig<T>(schema: Schema<T>, config: unknown, fix: string): T {
  const parsed = schema.safeParse(config)
  if (parsed.success) return parsed.data
  throw configInvalid(
    parsed.error.issues.map(issue => {
      // A schema may say the fix itself, after a separator no zod text contains.
      const [problem, own] = issue.message.split(' ⇒ ')
      return { path: issue.path.map(String).join('.') || '(root)', problem: problem ?? issue.message, fix: own ?? fix }
    }),
  )
}

/** An envelope context is bound byte for byte: text that has two encodings, or none, would bind something else. */
export function contextProblem(context: EnvelopeContext): string | undefined {
  const entries = Object.entries(context)
  if (entries.length === 0) return 'the context is empty and would bind nothing'
  for (const [name, value] of entries) {
    if (name === '' || name === '__proto__') return 'a context name is empty or reserved'
    if (typeof value !== 'string') return 'a context value is not a string'
    if (!name.isWellFormed() || !value.isWellFormed()) return 'a context name or value is not well-formed Unicode'
  }
  return undefined
}
