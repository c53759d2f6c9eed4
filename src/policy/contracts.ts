import type { ContractValue, InvocationView, OperationView } from '../domain/stellar.ts'
import type { ArgumentGrant, FunctionGrant } from './contract-fields.ts'
import { addressText } from './fields.ts'
import { deny, type Finding, undecided, worst } from './finding.ts'
import { bodyOf, nth, ownAccount, type Question, type Rule } from './question.ts'

/**
 * Contract calls, in the operation and anywhere in its authorization trees: an entry with source-account credentials
 * is authorized by the very signature that is asked for.
 */
export const contractsRule: Rule = question =>
  worst(bodyOf(question).operations.map((operation, at) => contractsOf(operation, at, question)))

function contractsOf(operation: OperationView, at: number, question: Question): Finding {
  if (operation.type !== 'invokeHostFunction') return undefined
  const judge = (invocation: InvocationView): Finding => {
    switch (invocation.kind) {
      case 'call':
        return callFinding(invocation, at, question)
      case 'create-contract':
      case 'upload-code':
        return deny(`${nth(at)} would ${invocation.kind}, which no policy of this form allows`)
      default:
        return undecided(`${nth(at)} holds an invocation of an unknown kind`)
    }
  }
  const entries = operation.authorizations.flatMap(({ credentials, invocations }) => [
    credentials === 'unknown' ? undecided(`${nth(at)} holds credentials of an unknown kind`) : undefined,
    ...invocations.map(judge),
  ])
  return worst([judge(operation.invocation), ...entries])
}

function callFinding(
  { contract, function: called, arguments: values }: Extract<InvocationView, { kind: 'call' }>,
  at: number,
  { policy, facts }: Question,
): Finding {
  const { contracts = [], tokens = [] } = policy.rules
  const lists = [contracts, tokens].flatMap(list => list.find(one => one.contract === contract)?.functions ?? [])
  const listed = lists.filter(({ name }) => name === called)
  if (listed.length === 0) return deny(`${nth(at)} calls ${called} of ${contract}, which the policy does not list`)
  const misfits = listed.map(grant => misfitOf(grant, values, ownAccount(facts)))
  if (misfits.includes(undefined)) return undefined
  const position = Math.max(...misfits.map(misfit => misfit ?? 0))
  return deny(
    `${nth(at)} calls ${called} of ${contract} with an argument ${position + 1} that the policy does not grant`,
  )
}

/** The first position whose value no grant takes; undefined: the call is granted. */
function misfitOf(grant: FunctionGrant, values: readonly ContractValue[], self: string): number | undefined {
  const { arguments: grants } = grant
  if (grants === undefined) return undefined
  const misfit = values.findIndex(
    (value, at) => !grants.some(one => (one.at === 'all' || one.at === at) && takes(one, value, self)),
  )
  return misfit < 0 ? undefined : misfit
}

function takes(grant: ArgumentGrant, value: ContractValue, self: string): boolean {
  if (grant.any === true) return true
  switch (value.kind) {
    case 'void':
      return grant.void === true
    case 'bool':
      return grant.bools?.includes(value.value) === true
    case 'integer':
      return grant.integer !== undefined && grant.integer.min <= value.value && value.value <= grant.integer.max
    case 'symbol':
      return grant.symbols?.includes(value.text) === true
    case 'string':
      return grant.strings?.includes(value.text) === true
    case 'bytes':
      return grant.bytes?.includes(value.hex) === true
    case 'address': {
      const text = addressText(value.address, value.muxedId)
      return grant.addresses?.some(one => one === text || (one === 'self' && text === self)) === true
    }
    case 'vec':
      return within(value.items.length, grant.vec)
    case 'map':
      return within(value.entries.length, grant.map)
    default:
      return false // what is not known fits `any` alone
  }
}

const within = (count: number, lengths: ArgumentGrant['vec']): boolean =>
  lengths !== undefined && lengths.minLength <= count && count <= lengths.maxLength
