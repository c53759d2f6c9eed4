/** A reader of AWS policies, as far as ours go: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html */

type OneOrMany = string | readonly string[]
export interface Statement {
  readonly Sid: string
  readonly Effect: 'Allow' | 'Deny'
  readonly Principal?: '*' | { readonly AWS: OneOrMany }
  readonly Action: OneOrMany
  readonly Resource: OneOrMany
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, OneOrMany>>>>
}
export interface Policy {
  readonly Version: '2012-10-17'
  readonly Statement: readonly Statement[]
}
/** Condition keys of a request; a list for those with several values. */
export type Context = Readonly<Record<string, string | readonly string[]>>

export interface Request {
  readonly principal: string
  readonly action: string
  readonly resource: string
  readonly context: Context
}

/**
 * Allowed: no statement denies, and either the key's own policy allows the principal by name, or it hands the decision to
 * the account (its `root`) and an identity policy allows. Calls that are about no key (CreateKey) have no key policy.
 */
export function isAllowed(
  request: Request,
  identity: readonly Policy[],
  key: Policy | undefined,
  root: string,
): boolean {
  const context: Context = { ...request.context, 'aws:PrincipalArn': request.principal }
  const full = { ...request, context }
  const statements = [...identity.flatMap(each => each.Statement), ...(key?.Statement ?? [])]
  if (statements.some(each => each.Effect === 'Deny' && applies(each, full))) return false
  const byIdentity = identity.some(each => each.Statement.some(s => s.Effect === 'Allow' && applies(s, full)))
  if (key === undefined) return byIdentity
  const allows = (principal: string) => key.Statement.some(s => s.Effect === 'Allow' && applies(s, full, principal))
  return allows(request.principal) || (allows(root) && byIdentity)
}

function applies(statement: Statement, request: Request & { context: Context }, as = request.principal): boolean {
  const { Principal, Action, Resource, Condition = {} } = statement
  if (Principal !== undefined && Principal !== '*' && !many(Principal.AWS).includes(as)) return false
  if (!many(Action).some(pattern => fits(pattern, request.action))) return false
  if (!many(Resource).some(pattern => fits(pattern, request.resource))) return false
  return Object.entries(Condition).every(([operator, tests]) =>
    Object.entries(tests).every(([name, wanted]) => holds(operator, request.context[name], many(wanted))),
  )
}

function holds(operator: string, found: string | readonly string[] | undefined, wanted: readonly string[]): boolean {
  const isIn = (value: string) => wanted.some(each => fits(each, value))
  switch (operator) {
    case 'StringEquals':
      return typeof found === 'string' && wanted.includes(found)
    case 'StringNotEquals': // also when the key is not there
      return typeof found !== 'string' || !wanted.includes(found)
    case 'ArnEquals':
      return typeof found === 'string' && isIn(found)
    case 'ArnNotEquals':
      return typeof found !== 'string' || !isIn(found)
    case 'Null':
      return wanted[0] === String(found === undefined)
    case 'ForAllValues:StringEquals': // also when there is none
      return many(found ?? []).every(value => wanted.includes(value))
    default:
      throw new Error(`The evaluator does not know the operator ${operator}`)
  }
}

const many = (value: OneOrMany): readonly string[] => (typeof value === 'string' ? [value] : value)

/** `*` stands for anything. Actions are compared without regard to case, as the service does. */
function fits(pattern: string, value: string): boolean {
  const parts = pattern.toLowerCase().split('*')
  const [first = '', last = ''] = [parts[0], parts.at(-1)]
  const text = value.toLowerCase()
  if (parts.length === 1) return text === first
  if (parts.length > 2) throw new Error(`The evaluator takes one * in ${pattern}`)
  return text.length >= first.length + last.length && text.startsWith(first) && text.endsWith(last)
}

/** Fills `${name}` as Terraform's templatefile does: a text as it is, a list as JSON. */
export function rendered(template: string, values: Readonly<Record<string, OneOrMany>>): string {
  return template.replaceAll(/\$\{([a-z_]+)\}/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`The template asks for ${name}, which is not given`)
    return typeof value === 'string' ? value : JSON.stringify(value)
  })
}
