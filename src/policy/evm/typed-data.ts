import type { TypedDataView } from '../../domain/evm.ts'
import { type Bound, within } from './bounds.ts'
import { judgeCall, tokenCaps, type TokenSums } from './calls.ts'
import { deny, type Finding, quote, undecided, worst } from '../finding.ts'
import { lowerAddress } from './fields.ts'
import { callOfTypedData, NESTED_TYPES } from './known.ts'
import { isFields, isPermit, permitFinding, permitOf } from './permits.ts'
import type { EvmRules, TypedDataGrant } from './schema.ts'
import { type EvmFacts, valueFinding } from './transaction.ts'
import { type CallNode, readCall, valueOf } from './tree.ts'

const DEPTH_MAX = 16

/** Domain and primary type must be registered; one of the grants for them must let the whole message pass. */
export function typedDataFinding(rules: EvmRules, view: TypedDataView, facts: EvmFacts): Finding {
  const own = lowerAddress(facts.keyAddress)
  if (own === undefined) return undecided('the key has no EVM address')
  const missing = (['chainId', 'verifyingContract'] as const).find(field => view.domain[field] === undefined)
  if (missing !== undefined) return deny(`the domain has no ${missing}: its signatures are good elsewhere too`)
  const registered = (rules.typedData ?? []).filter(grant => isFor(grant, view))
  if (registered.length === 0) {
    const { name = '', verifyingContract } = view.domain
    return deny(`${quote(view.primaryType)} of domain ${quote(name)} at ${verifyingContract} is not registered`)
  }
  const findings: Finding[] = []
  for (const grant of registered) {
    const finding = grantFinding(grant, rules, view, facts, own)
    if (finding === undefined) return undefined
    findings.push(finding)
  }
  return worst(findings)
}

/** All of the domain, not a part of it. */
function isFor({ domain, primaryType }: TypedDataGrant, view: TypedDataView): boolean {
  const { name, version, chainId, verifyingContract, salt } = view.domain
  return (
    view.primaryType === primaryType &&
    (name ?? null) === domain.name &&
    (version ?? null) === domain.version &&
    chainId === domain.chainId &&
    lowerAddress(verifyingContract) === domain.verifyingContract &&
    salt === undefined
  )
}

function grantFinding(
  grant: TypedDataGrant,
  rules: EvmRules,
  view: TypedDataView,
  facts: EvmFacts,
  own: string,
): Finding {
  const finding = fieldsFinding(grant, view.message, own)
  if (finding !== undefined) return finding
  if (isPermit(view.primaryType)) {
    const permit = permitOf(view.primaryType, view.message, grant.domain.verifyingContract)
    const refused = permitFinding(grant, permit, facts.now)
    if (refused !== undefined) return refused
  }
  return NESTED_TYPES.has(view.primaryType) ? nestedFinding(rules, view, own) : undefined
}

/** The call that the typed data stands for, where it stands for one. */
export function callInside({ primaryType, message }: TypedDataView): CallNode | undefined {
  const paths = NESTED_TYPES.get(primaryType)
  const call = paths === undefined ? undefined : callOfTypedData(message, paths)
  return call === undefined ? undefined : readCall(call)
}

/** Somebody else pays the gas; the call is judged like one of our own. */
function nestedFinding({ evm = {} }: EvmRules, view: TypedDataView, own: string): Finding {
  const call = callInside(view)
  if (call === undefined) return undecided(`${view.primaryType} describes no call that can be read`)
  const sums: TokenSums = new Map()
  return judgeCall(call, { grants: evm, own }, sums) ?? valueFinding(evm, valueOf(call)) ?? tokenCaps(evm, sums)
}

function fieldsFinding({ fields, primaryType }: TypedDataGrant, message: unknown, own: string): Finding {
  const nested = NESTED_TYPES.get(primaryType) ?? []
  const judge = (value: unknown, path: string, depth: number): Finding => {
    const bound: Bound | undefined = Object.hasOwn(fields, path) ? fields[path] : undefined
    if (bound === 'any') return undefined
    if (depth > DEPTH_MAX) return undecided(`the message is nested deeper than ${DEPTH_MAX}`)
    if (isFields(value)) return each(value, path, depth)
    if (bound === undefined) return deny(`the policy has no bound for ${quote(path)}`)
    if (bound === 'nested' && nested.includes(path)) return undefined
    const finding = within(bound, value, own, path)
    if (finding !== undefined || !Array.isArray(value) || !(typeof bound === 'object' && 'entries' in bound))
      return finding
    return firstOf(value, entry => judge(entry, `${path}[]`, depth + 1))
  }
  /** Names with dots would point at bounds of other places. */
  const each = (struct: Readonly<Record<string, unknown>>, path: string, depth: number): Finding =>
    firstOf(Object.entries(struct), ([name, value]) =>
      isName(name)
        ? judge(value, path === '' ? name : `${path}.${name}`, depth + 1)
        : undecided(`${quote(name)} is not a name of a field`),
    )
  return isFields(message) ? each(message, '', 0) : undecided('the message has no fields')
}

function firstOf<T>(list: readonly T[], judge: (one: T) => Finding): Finding {
  for (const one of list) {
    const finding = judge(one)
    if (finding !== undefined) return finding
  }
  return undefined
}

function isName(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const letter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) || code === 0x5f || code === 0x24
    if (!letter && !(at > 0 && code >= 0x30 && code <= 0x39)) return false
  }
  return text.length > 0
}
