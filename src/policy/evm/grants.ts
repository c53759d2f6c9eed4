import { z } from 'zod'
import { problem } from '../fields.ts'
import { type Bound, bound, fits } from './bounds.ts'
import * as field from './fields.ts'
import { quote } from '../finding.ts'
import { CALLING_FUNCTIONS, SENSITIVE_FUNCTIONS, TOKEN_FUNCTIONS, UNLIMITED } from './known.ts'
import { type AbiFunction, readSignature } from './signature.ts'

/** A function that may be called, of these contracts, with arguments within these bounds. */
export interface CallGrant {
  readonly to: ReadonlySet<string>
  readonly function: AbiFunction
  readonly bounds: readonly Bound[]
  /** The most the call itself may carry. */
  readonly maxWei: bigint
  readonly unlimitedApprovals: boolean
}

const entry = z.strictObject({
  to: field.addresses,
  /** In the form that is hashed: `transfer(address,uint256)`. */
  function: z.string(),
  /** One bound an argument. */
  arguments: z.array(bound).max(64),
  /** Absent: the call carries nothing. */
  maxWei: field.uint.optional(),
  /** True: allowances without end may be given by this call. */
  unlimitedApprovals: z.boolean().optional(),
})

type Entry = z.output<typeof entry>

/** @param sensitive  which of the two lists: each refuses what belongs in the other. */
export const callGrant = (sensitive: boolean) =>
  entry.transform((given, context): CallGrant => {
    const called = readSignature(given.function)
    if (called === undefined) {
      return problem(
        context,
        `${quote(given.function)} is not the signature of a function`,
        'Write name and types in full, without spaces and names, such as "transfer(address,uint256)"',
        ['function'],
      )
    }
    const grant = {
      to: given.to,
      function: called,
      bounds: given.arguments,
      maxWei: given.maxWei ?? 0n,
      unlimitedApprovals: given.unlimitedApprovals === true,
    }
    checkPlace(called, sensitive, context)
    checkBounds(grant, context)
    checkApproval(grant, context)
    return grant
  })

type Context = z.core.$RefinementCtx<Entry>

function checkPlace({ signature, selector }: AbiFunction, sensitive: boolean, context: Context): void {
  const sensitiveOne = SENSITIVE_FUNCTIONS.get(selector)
  const known = [TOKEN_FUNCTIONS, CALLING_FUNCTIONS].map(table => table.get(selector)?.function.signature)
  const other = [...known, sensitiveOne].find(one => one !== undefined && one !== signature)
  if (other !== undefined) {
    problem(context, `${signature} has the selector of ${other}`, `A contract cannot tell them apart: write ${other}`)
  }
  if (sensitiveOne !== undefined && !sensitive) {
    problem(
      context,
      `${signature} changes who rules a contract or what its code is, or holds calls that cannot be read`,
      'Name it in sensitiveCalls if this key must sign it',
    )
  }
  if (sensitiveOne === undefined && sensitive) problem(context, `${signature} is not sensitive`, 'Name it in calls')
}

function checkBounds({ function: called, bounds }: CallGrant, context: Context): void {
  if (bounds.length !== called.parameters.length) {
    problem(
      context,
      `${called.signature} takes ${called.parameters.length} arguments; ${bounds.length} have a bound`,
      'Write one bound an argument; "any" where anything may stand',
      ['arguments'],
    )
    return
  }
  const nested = CALLING_FUNCTIONS.get(called.selector)?.parameters ?? []
  called.parameters.forEach((type, at) => {
    const bound = bounds[at] ?? 'any'
    if (nested.includes(at)) {
      if (bound === 'nested') return
      problem(context, `argument ${at + 1} of ${called.signature} describes a call`, 'Write "nested"', [
        'arguments',
        at,
      ])
    } else if (!fits(bound, type)) {
      const fix = `Write "any" or the bound for ${type.kind}: addresses, between, is, bytes, texts, items or fields`
      problem(context, `the bound does not fit argument ${at + 1} of ${called.signature}`, fix, ['arguments', at])
    }
  })
}

/** An allowance needs an end that is one, or the word for having none. */
function checkApproval({ function: called, bounds, unlimitedApprovals }: CallGrant, context: Context): void {
  const token = TOKEN_FUNCTIONS.get(called.selector)
  if (token?.kind !== 'approval' || unlimitedApprovals) return
  const bound = bounds[token.amount]
  if (bound !== undefined && typeof bound === 'object') {
    if ('between' in bound && bound.between[1] < UNLIMITED) return
    if ('is' in bound && !bound.is) return
  }
  problem(
    context,
    `${called.signature} would approve without limit`,
    'Write {"between": ["0", …]} for the amount, or "unlimitedApprovals": true',
    ['arguments'],
  )
}
