/**
 * Reads AWS policies as the service evaluates them: an explicit deny wins, then an allow is needed. Plays the operators that
 * policies for keys use; one that is not played refuses the document instead of being passed over.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 */
type OneOrMany = string | readonly string[]
export type Conditions = Readonly<Record<string, Readonly<Record<string, OneOrMany>>>>

/** The short form of a seed document. */
export interface Statement {
  readonly actions: readonly string[]
  /** Absent: any. */
  readonly resources?: readonly string[] | undefined
  /** As in a policy: operator, condition key, values. */
  readonly conditions?: Conditions | undefined
}

/** A policy as it stands in IAM. */
export interface PolicyDocument {
  readonly Version?: string | undefined
  readonly Statement: PolicyStatement | readonly PolicyStatement[]
}
export interface PolicyStatement {
  readonly Sid?: string | undefined
  readonly Effect: 'Allow' | 'Deny'
  readonly Action?: OneOrMany | undefined
  readonly NotAction?: OneOrMany | undefined
  readonly Resource?: OneOrMany | undefined
  readonly NotResource?: OneOrMany | undefined
  readonly Condition?: Conditions | undefined
}

/** What a principal may do. Nothing given: everything. Only `deny` given: everything else. */
export interface Rights {
  readonly allow?: readonly Statement[] | undefined
  readonly deny?: readonly Statement[] | undefined
  readonly policies?: readonly PolicyDocument[] | undefined
}

export interface AccessRequest {
  readonly action: string
  readonly resource: string
  /** Names in lower case, as the service compares them. A list: a key with several values. */
  readonly context: ReadonlyMap<string, OneOrMany>
}

export type Decision = 'allowed' | 'denied' | 'not allowed'

export function decide(rights: Rights, request: AccessRequest): Decision {
  const policies = (rights.policies ?? []).flatMap(document => many(document.Statement))
  const denies = [...(rights.deny ?? []).map(longForm('Deny')), ...policies.filter(each => each.Effect === 'Deny')]
  if (denies.some(each => applies(each, request))) return 'denied'
  if (rights.allow === undefined && rights.policies === undefined) return 'allowed'
  const allows = [...(rights.allow ?? []).map(longForm('Allow')), ...policies.filter(each => each.Effect === 'Allow')]
  return allows.some(each => applies(each, request)) ? 'allowed' : 'not allowed'
}

const longForm =
  (Effect: 'Allow' | 'Deny') =>
  ({ actions, resources, conditions }: Statement): PolicyStatement => ({
    Effect,
    Action: actions,
    Resource: resources ?? '*',
    Condition: conditions,
  })

function applies(statement: PolicyStatement, { action, resource, context }: AccessRequest): boolean {
  const { Action, NotAction, Resource, NotResource, Condition = {} } = statement
  // Actions are compared without regard to case, resources with.
  const isAction = (patterns: OneOrMany) => many(patterns).some(each => fits(each.toLowerCase(), action.toLowerCase()))
  const isResource = (patterns: OneOrMany) => many(patterns).some(each => fits(each, resource))
  if (Action !== undefined ? !isAction(Action) : NotAction === undefined || isAction(NotAction)) return false
  if (Resource !== undefined && !isResource(Resource)) return false
  if (NotResource !== undefined && isResource(NotResource)) return false
  return Object.entries(Condition).every(([operator, tests]) =>
    Object.entries(tests).every(([name, wanted]) => holds(operator, context.get(name.toLowerCase()), many(wanted))),
  )
}

type Compare = (found: string, wanted: string) => boolean
const same: Compare = (found, wanted) => found === wanted
const alike: Compare = (found, wanted) => fits(wanted, found)
const sameFolded: Compare = (found, wanted) => found.toLowerCase() === wanted.toLowerCase()

/** Comparison, and whether the operator says that it must not hold for any of the values. */
const OPERATORS: Readonly<Record<string, readonly [Compare, negated: boolean]>> = {
  StringEquals: [same, false],
  StringNotEquals: [same, true],
  StringEqualsIgnoreCase: [sameFolded, false],
  StringNotEqualsIgnoreCase: [sameFolded, true],
  StringLike: [alike, false],
  StringNotLike: [alike, true],
  ArnEquals: [alike, false],
  ArnLike: [alike, false],
  ArnNotEquals: [alike, true],
  ArnNotLike: [alike, true],
  Bool: [sameFolded, false],
}

function holds(name: string, found: OneOrMany | undefined, wanted: readonly string[]): boolean {
  if (name === 'Null') return wanted.some(each => each === String(found === undefined))
  const { quantifier, operator, ifExists } = parts(name)
  const [compare, negated] = OPERATORS[operator]!
  const test = (value: string): boolean => wanted.some(each => compare(value, each)) !== negated
  if (quantifier === 'ForAllValues') return many(found ?? []).every(test)
  if (quantifier === 'ForAnyValue') return many(found ?? []).some(test)
  if (found === undefined) return negated || ifExists
  return negated ? many(found).every(test) : many(found).some(test)
}

function parts(name: string): { quantifier: string; operator: string; ifExists: boolean } {
  const at = name.indexOf(':')
  const quantifier = at < 0 ? '' : name.slice(0, at)
  const rest = name.slice(at + 1)
  const ifExists = rest.endsWith('IfExists')
  return { quantifier, operator: ifExists ? rest.slice(0, -'IfExists'.length) : rest, ifExists }
}

/** Undefined: every operator of these conditions is played. */
export function unknownOperator(conditions: Conditions): string | undefined {
  return Object.keys(conditions).find(name => {
    const { quantifier, operator } = parts(name)
    return (
      name !== 'Null' &&
      (!['', 'ForAllValues', 'ForAnyValue'].includes(quantifier) || !Object.hasOwn(OPERATORS, operator))
    )
  })
}

const many = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? value : [value as T])

/** `*` is any text, `?` any one character. Linear in practice: one mark to fall back to. */
export function fits(pattern: string, text: string): boolean {
  let p = 0
  let t = 0
  let star = -1
  let mark = 0
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++
      mark = t
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++mark
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}
