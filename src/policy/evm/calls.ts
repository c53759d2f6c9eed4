import type { AbiValue } from './abi.ts'
import { decodeArguments } from './abi.ts'
import { within } from './bounds.ts'
import { deny, type Finding, undecided, worst } from '../finding.ts'
import { among } from './fields.ts'
import type { CallGrant } from './grants.ts'
import {
  CALLING_FUNCTIONS,
  ERC20_APPROVE,
  ERC20_DECREASE,
  ERC20_TRANSFER,
  ERC20_TRANSFER_FROM,
  TOKEN_FUNCTIONS,
  UNLIMITED,
} from './known.ts'
import type { EvmGrants, TokenGrant } from './schema.ts'
import { type CallNode, notCanonical } from './tree.ts'

export interface CallsQuestion {
  readonly grants: EvmGrants
  /** The account of the key, in lower case. */
  readonly own: string
}

/** What was let pass because of `tokens`, summed for each token. */
export type TokenSums = Map<string, bigint>

/** Every call must be granted, and so must every call inside it. `sums` is filled on the way. */
export function judgeCall(call: CallNode, question: CallsQuestion, sums: TokenSums): Finding {
  const { selector } = call
  if (selector === undefined) return call.fault ?? judgePayment(call, question)
  const finding = granted(call, selector, question, sums)
  if (finding !== undefined) return finding
  return worst(call.inner.map(inner => judgeCall(inner, question, sums)))
}

function judgePayment({ to }: CallNode, { grants, own }: CallsQuestion): Finding {
  if (grants.payments === undefined) return deny(`${to} would be paid; the policy grants no plain payments`)
  if (among(grants.payments.destinations, to, own)) return undefined
  return deny(`${to} would be paid, which is not a listed destination`)
}

/** Grants add up: one that lets the call pass is enough. A denial by its own grant says more than a doubt. */
function granted(call: CallNode, selector: string, question: CallsQuestion, sums: TokenSums): Finding {
  const { calls = [], sensitiveCalls = [], tokens = [] } = question.grants
  const findings: Finding[] = []
  for (const list of [calls, sensitiveCalls]) {
    for (const grant of list) {
      if (grant.function.selector !== selector || !grant.to.has(call.to)) continue
      const finding = call.fault ?? judgeGrant(grant, call, selector, question.own)
      if (finding === undefined) return undefined
      findings.push(finding)
    }
  }
  const token = tokens.find(one => one.token === call.to)
  if (token !== undefined) {
    const finding = call.fault ?? judgeToken(token, call, selector, question.own, sums)
    if (finding === undefined) return undefined
    findings.push(finding)
  }
  return worst(findings) ?? call.fault ?? deny(`function 0x${selector} of ${call.to} is not listed`)
}

function judgeGrant(grant: CallGrant, call: CallNode, selector: string, own: string): Finding {
  const { signature, parameters } = grant.function
  if (call.valueWei > grant.maxWei) {
    return deny(`${signature} carries ${call.valueWei} wei, which is above ${grant.maxWei}`)
  }
  const values = call.values ?? decodeArguments(parameters, call.data.subarray(4))
  if (values === undefined) return notCanonical(signature)
  const nested = CALLING_FUNCTIONS.get(selector)?.parameters
  for (const [at, bound] of grant.bounds.entries()) {
    if (bound === 'any' || (bound === 'nested' && nested?.includes(at) === true)) continue
    const finding = within(bound, values[at], own, `argument ${at + 1} of ${signature}`)
    if (finding !== undefined) return finding
  }
  if (grant.unlimitedApprovals || !approvesAll(selector, values)) return undefined
  return deny(`${signature} approves without limit`)
}

function approvesAll(selector: string, values: readonly AbiValue[]): boolean {
  const known = TOKEN_FUNCTIONS.get(selector)
  if (known?.kind !== 'approval') return false
  const amount = values[known.amount]
  return typeof amount === 'bigint' ? amount >= UNLIMITED : amount !== false
}

/** The functions of ERC-20 that move its tokens or let others move them. */
function judgeToken(grant: TokenGrant, call: CallNode, selector: string, own: string, sums: TokenSums): Finding {
  if (call.valueWei > 0n) return deny(`a call of the token ${grant.token} carries ${call.valueWei} wei`)
  if (selector === ERC20_DECREASE.selector) return judgeDecrease(grant, call, own)
  const { values = [] } = call
  const [first, second, third] = values
  if (selector === ERC20_TRANSFER) return receives(grant, first, own) ?? add(grant, second, sums)
  if (selector === ERC20_TRANSFER_FROM) {
    if (typeof first !== 'string') return undecided('transferFrom names no account to take from')
    if (grant.senders === undefined || !among(grant.senders, first, own)) {
      return deny(`tokens of ${first} would be moved, which is not a listed sender`)
    }
    return receives(grant, second, own) ?? add(grant, third, sums)
  }
  if (ERC20_APPROVE.has(selector)) return judgeApproval(grant, first, second, own, sums)
  return deny(`function 0x${selector} of the token ${grant.token} is not listed`)
}

function receives({ token, recipients }: TokenGrant, to: AbiValue | undefined, own: string): Finding {
  if (typeof to !== 'string') return undecided('a transfer names no receiver')
  if (recipients !== undefined && among(recipients, to, own)) return undefined
  return deny(`${to} would receive tokens of ${token}, and is not a listed recipient`)
}

function spends({ token, spenders }: TokenGrant, spender: AbiValue | undefined, own: string): Finding {
  if (typeof spender !== 'string') return undecided('an allowance names no spender')
  if (spenders !== undefined && among(spenders, spender, own)) return undefined
  return deny(`${spender} would get an allowance of ${token}, and is not a listed spender`)
}

function judgeApproval(
  grant: TokenGrant,
  spender: AbiValue | undefined,
  amount: AbiValue | undefined,
  own: string,
  sums: TokenSums,
): Finding {
  const finding = spends(grant, spender, own)
  if (finding !== undefined || typeof amount !== 'bigint') return finding ?? undecided('an allowance has no amount')
  if (amount <= grant.maxPerTransaction && amount < UNLIMITED) return add(grant, amount, sums)
  if (grant.unlimitedApprovals === true) return undefined
  return deny(`an allowance of ${amount} of the token ${grant.token} is above ${grant.maxPerTransaction}`)
}

function judgeDecrease(grant: TokenGrant, call: CallNode, own: string): Finding {
  const values = decodeArguments(ERC20_DECREASE.parameters, call.data.subarray(4))
  return values === undefined ? notCanonical(ERC20_DECREASE.signature) : spends(grant, values[0], own)
}

function add({ token }: TokenGrant, amount: AbiValue | undefined, sums: TokenSums): Finding {
  if (typeof amount !== 'bigint') return undecided('a transfer has no amount')
  sums.set(token, (sums.get(token) ?? 0n) + amount)
  return undefined
}

export function tokenCaps({ tokens = [] }: EvmGrants, sums: TokenSums): Finding {
  for (const { token, maxPerTransaction } of tokens) {
    const sum = sums.get(token) ?? 0n
    if (sum > maxPerTransaction) {
      return deny(`${sum} of the token ${token} in one transaction is above ${maxPerTransaction}`)
    }
  }
  return undefined
}
