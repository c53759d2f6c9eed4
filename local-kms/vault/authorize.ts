import { type Acl, allows, createAcl } from './acl.ts'
import type { Core, OperationKind } from './context.ts'
import { denied, unknownToken, VaultError } from './errors.ts'
import { parsePolicy, type PathRule, PolicyError } from './policy.ts'
import type { Asked } from './request.ts'
import type { Token } from './state.ts'
import { findToken, useToken } from './tokens.ts'

export interface Pass {
  readonly token: Token | undefined
  readonly allowed: boolean
  readonly sudo: boolean
  /** Why not. */
  readonly refusal: VaultError | undefined
  /** The token is used up with this request. */
  readonly lastUse: boolean
}

/** @param needsSudo  of the route */
export function authorize(
  core: Core,
  clientToken: string,
  asked: Asked,
  operation: OperationKind,
  parameters: Readonly<Record<string, unknown>>,
  needsSudo: boolean,
): Pass {
  const token = clientToken === '' ? undefined : findToken(core, clientToken)
  if (token === undefined) {
    const refusal = core.flavour === 'vault' && clientToken !== '' ? invalidToken() : unknownToken()
    return { token, allowed: false, sudo: false, refusal, lastUse: false }
  }
  const lastUse = !useToken(token)
  const verdict = allows(aclOf(core, token), `${asked.namespace.path}${asked.path}`, operation, parameters)
  const inside = asked.namespace.path.startsWith(token.namespace)
  const allowed = inside && verdict.allowed && (!needsSudo || verdict.sudo)
  return { token, allowed, sudo: inside && verdict.sudo, refusal: allowed ? undefined : denied(), lastUse }
}

/** What Vault says of a token it does not know. */
const invalidToken = (): VaultError =>
  new VaultError(403, ['2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n'])

export function aclOf(core: Core, token: Token): Acl {
  const root = token.policies.includes('root')
  const policies = core.state.namespaces[token.namespace]?.policies ?? {}
  const known = token.policies.flatMap(name => (Object.hasOwn(policies, name) ? [policies[name]!.text] : []))
  return createAcl(
    known.map(text => ({ prefix: token.namespace, rules: rulesOf(text) })),
    root,
  )
}

/** Policies were checked when written; one that came by a snapshot and does not parse grants nothing. */
function rulesOf(text: string): readonly PathRule[] {
  try {
    return parsePolicy(text)
  } catch (problem) {
    if (problem instanceof PolicyError) return []
    throw problem
  }
}
