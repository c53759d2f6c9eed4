import type { z } from 'zod'
import type { ConfigProblem } from '../domain/errors.ts'
import { fieldAt, namesBelow } from './fields.ts'
import { type Layers, type Table, tableAt } from './layers.ts'
import { PROVIDER_KINDS } from '../../providers/configs.ts'
import { FIX } from './shapes.ts'
import { nearest } from './words.ts'

type Issue = z.core.$ZodIssue

/** zod's findings in our words: what is wrong where, what would be right, and which variable or flag said it. */
export function problemsOf(issues: readonly Issue[], layers: Layers): ConfigProblem[] {
  const found = issues.flatMap(issue => describeIssue(issue, layers.values))
  return withSources(
    found.map(({ steps, problem, fix }) => ({ path: steps.join('.'), problem, fix })),
    layers,
  )
}

/** Says which variable or flag a bad value came from. A place of a list came from where the list did. */
export const withSources = (problems: readonly ConfigProblem[], { sources }: Layers): ConfigProblem[] =>
  problems.map(({ path, problem, fix }) => {
    const source = sources.get(path) ?? sources.get(path.replace(/(\.\d+)+$/, ''))
    return { path, problem: source === undefined ? problem : `${problem} (from ${source})`, fix }
  })

interface Finding {
  readonly steps: readonly string[]
  readonly problem: string
  readonly fix: string
}

function describeIssue(issue: Issue, values: Table): Finding[] {
  const steps = issue.path.map(String)
  const field = fieldAt(steps)
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map(key => unknownField(steps, key, values))
    case 'invalid_type':
      if (valueAt(values, steps) === undefined) return [missing(steps)]
      return [
        {
          steps,
          problem: `is not of the right type (${typeName(valueAt(values, steps))})`,
          fix: expectation(steps, issue.expected),
        },
      ]
    case 'invalid_union':
      return [{ steps, problem: 'is not a kind of provider this program has', fix: kindFix(valueAt(values, steps)) }]
    case 'invalid_value': {
      if (valueAt(values, steps) === undefined) return [missing(steps)]
      return [
        {
          steps,
          problem: `${quoted(valueAt(values, steps))} is not one of the values`,
          fix: oneOf(issue.values.map(String)),
        },
      ]
    }
    case 'too_big':
    case 'too_small': {
      const bound = issue.code === 'too_big' ? `at most ${issue.maximum}` : `at least ${issue.minimum}`
      const counted = COUNTED[issue.origin]
      return [
        {
          steps,
          problem: counted === undefined ? 'is out of range' : 'has the wrong length',
          fix: `use ${bound}${counted ?? unitOf(field?.unit)}`,
        },
      ]
    }
    case 'invalid_key':
      return issue.issues.map(inner => ({ steps, ...split(inner.message) }))
    default:
      return [{ steps, ...split(issue.message) }]
  }
}

function unknownField(steps: readonly string[], key: string, values: Table): Finding {
  const kind = steps[0] === 'providers' ? valueAt(values, [...steps, 'kind']) : undefined
  const known = namesBelow(steps, typeof kind === 'string' ? kind : undefined)
  const meant = nearest(key, known)
  const others = known.length === 0 ? 'remove it' : `remove it; known here: ${known.join(', ')}`
  const fix = meant === undefined ? others : `did you mean "${meant}"?`
  return { steps: [...steps, key.slice(0, 80)], problem: 'is a field that means nothing here', fix }
}

const missing = (steps: readonly string[]): Finding => ({
  steps,
  problem: 'is missing',
  fix: expectation(steps, fieldAt(steps)?.type ?? 'table'),
})

function expectation(steps: readonly string[], expected: string): string {
  const field = fieldAt(steps)
  if (field?.values !== undefined) return oneOf(field.values)
  if (field?.secret === true) return SECRET_FIX
  return `use ${EXPECTED[expected] ?? expected}${unitOf(field?.unit)}`
}

const COUNTED: Readonly<Record<string, string>> = { string: ' characters', array: ' entries' }

const WHOLE = 'a whole number'
const EXPECTED: Readonly<Record<string, string>> = {
  string: 'a text',
  text: 'a text',
  number: WHOLE,
  int: WHOLE,
  boolean: 'true or false',
  object: 'a table',
  record: 'a table',
  table: 'a table',
  array: 'a list',
  list: 'a list',
}

export const SECRET_FIX = 'use "env:NAME" or "file:/path"; a secret never stands in the configuration itself'

const unitOf = (unit: string | undefined): string => (unit === undefined || unit === '' ? '' : ` (${unit})`)

const oneOf = (values: readonly string[]): string =>
  values.length === 1 ? `use ${values[0]}` : `use one of ${values.join(', ')}`

function kindFix(value: unknown): string {
  const meant = typeof value === 'string' ? nearest(value, PROVIDER_KINDS) : undefined
  return meant === undefined ? oneOf(PROVIDER_KINDS) : `did you mean "${meant}"?`
}

/** Refinements carry their own fix. */
function split(message: string): { problem: string; fix: string } {
  const [problem = message, fix = 'see `countersign config schema`'] = message.split(FIX)
  return { problem, fix }
}

function valueAt(values: Table, steps: readonly string[]): unknown {
  let value: unknown = values
  for (const step of steps) {
    if (value === null || typeof value !== 'object') return undefined
    value = Array.isArray(value)
      ? value[Number(step)]
      : (tableAt(value as Table, step) ?? ownValue(value as Table, step))
  }
  return value
}

const ownValue = (table: Table, name: string): unknown => (Object.hasOwn(table, name) ? table[name] : undefined)

const typeName = (value: unknown): string =>
  Array.isArray(value) ? 'a list' : typeof value === 'string' ? 'a text' : `a ${typeof value}`

/** Only of fields with a few fixed values, and only when it is short: something pasted by mistake may be a secret. */
const quoted = (value: unknown): string =>
  typeof value === 'string' && value.length <= 20 ? JSON.stringify(value) : `the value (${typeName(value)})`
