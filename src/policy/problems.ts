import type { z } from 'zod'
import { type ConfigProblem, SignerError } from '../domain/errors.ts'

type Issue = z.core.$ZodIssue

export const invalid = (path: string, problem: string, fix: string): SignerError<'config/invalid'> =>
  new SignerError('config/invalid', { problems: [{ path, problem, fix }] })

/**
 * A document under a schema. @param root  what the document is called
 * @throws `config/invalid` with every problem of the document at once
 */
export function readAs<T extends z.ZodType>(schema: T, document: unknown, root: string): z.output<T> {
  const result = tried(schema, document)
  if (result === undefined) throw invalid(root, 'cannot be read', 'Write fields as docs/policy.md has them')
  if (result.success) return result.data
  throw new SignerError('config/invalid', { problems: result.error.issues.flatMap(issue => problemsOf(issue, root)) })
}

/** The library itself throws at a `length` that has no primitive value: nothing but the document can bring that about. */
function tried<T extends z.ZodType>(schema: T, document: unknown) {
  try {
    return schema.safeParse(document)
  } catch {
    return undefined
  }
}

/** What zod found, as problems of a document called `root`. */
export function problemsOf(issue: Issue, root = 'policy'): ConfigProblem[] {
  const path = [root, ...issue.path.map(String)].join('.')
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map(key => ({
        path: `${path}.${key}`,
        problem: 'is not a field of a policy',
        fix: 'Correct its spelling or remove it',
      }))
    case 'custom':
      return [{ path, problem: issue.message, fix: String(issue.params?.['fix'] ?? 'Correct it') }]
    case 'invalid_union': {
      // The branch that came furthest speaks for all: the others merely have another shape.
      const branches = issue.errors.map(branch =>
        branch.flatMap(nested => problemsOf({ ...nested, path: [...issue.path, ...nested.path] }, root)),
      )
      const deepest = branches.toSorted((a, b) => depth(b) - depth(a))[0]
      return deepest ?? [{ path, problem: issue.message, fix: 'Correct it' }]
    }
    case 'invalid_type':
      return [
        { path, problem: issue.message, fix: `Write ${issue.expected === 'object' ? 'an' : 'a'} ${issue.expected}` },
      ]
    default:
      return [{ path, problem: issue.message, fix: 'Correct it' }]
  }
}

const depth = (problems: readonly ConfigProblem[]): number =>
  Math.max(0, ...problems.map(({ path, problem }) => path.length + (problem.startsWith('Invalid input') ? 0 : 1)))
