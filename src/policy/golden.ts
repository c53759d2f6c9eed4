import { z } from 'zod'
import type { Decision } from '../domain/audit.ts'
import { isSignerError } from '../domain/errors.ts'
import { decide } from './decide.ts'
import { readAs } from './problems.ts'
import type { Facts, PolicyView } from './question.ts'
import { parsePolicy, type Policy, policySchema } from './schema.ts'

const TESTS_MAX = 1000

/** A payload as callers send it. */
export type Payload = { readonly type: string } & Readonly<Record<string, unknown>>

const goldenTest = z
  .strictObject({
    name: z.string().min(1).max(300),
    /** Short for a payload of type `stellar-transaction`. */
    xdr: z.string().optional(),
    payload: z.looseObject({ type: z.string() }).optional(),
    /** Milliseconds since the epoch. */
    now: z.number().int().min(0),
    /** Whose key signs, if it is another than the one the policy is for. */
    keyAddress: z.string().optional(),
    /** The account that key signs for, if it is not its address. */
    keyAccount: z.string().optional(),
    ledger: z.number().int().min(0).optional(),
    expect: z.enum(['allow', 'deny', 'undecided']),
    /** The rule that says no. */
    rule: z.string().optional(),
  })
  .superRefine((test, context) => {
    const given = [test.xdr, test.payload].filter(one => one !== undefined).length
    if (given !== 1) context.addIssue({ code: 'custom', message: 'needs one of xdr and payload' })
    if (test.rule !== undefined && test.expect === 'allow') {
      context.addIssue({ code: 'custom', message: 'names a rule, and expects allow' })
    }
  })

const policyFile = z.strictObject({ policy: policySchema, tests: z.array(goldenTest).max(TESTS_MAX) })

/** A policy and what it must say: the form in which people keep it, review it and send it. */
export interface PolicyFile {
  readonly policy: Policy
  readonly tests: readonly GoldenTest[]
}

export interface GoldenTest {
  readonly name: string
  readonly xdr?: string | undefined
  readonly payload?: Payload | undefined
  /** Decoded already: for tests that are written as code. */
  readonly view?: PolicyView | undefined
  readonly now: number
  readonly keyAddress?: string | undefined
  readonly keyAccount?: string | undefined
  readonly ledger?: number | undefined
  readonly expect: Decision['kind']
  readonly rule?: string | undefined
}

/** @throws `config/invalid` with every problem of policy and tests at once. */
export function parsePolicyFile(document: unknown): PolicyFile {
  const { tests } = readAs(policyFile, document, 'file')
  const { policy } = document as { readonly policy: unknown }
  return { policy: parsePolicy(policy), tests }
}

export interface TestResult {
  readonly name: string
  readonly passed: boolean
  /** What was said, for people. */
  readonly sentence: string
}

/** What the tests do not say for themselves. */
export type TestKey = Pick<Facts, 'keyAddress' | 'keyAccount' | 'keyNetwork' | 'keyChainId'>

/**
 * Every test, in order. A payload that cannot be decoded fails its test, whatever was expected: it never reaches a policy.
 * @param parse  payload and network to what policy sees; throws SignerError.
 */
export const runTests = (
  policy: Policy,
  tests: readonly GoldenTest[],
  parse: (payload: Payload, network: string) => PolicyView,
  key: TestKey,
): readonly TestResult[] => tests.map(test => runTest(policy, test, parse, key))

function runTest(
  policy: Policy,
  test: GoldenTest,
  parse: (payload: Payload, network: string) => PolicyView,
  key: TestKey,
): TestResult {
  const { name, expect, rule } = test
  let view: PolicyView | undefined
  try {
    view = test.view ?? parse(payloadOf(test), key.keyNetwork)
  } catch (error) {
    if (!isSignerError(error)) throw error
    const reason = 'reason' in error.detail ? error.detail.reason : error.code
    return { name, passed: false, sentence: `The payload cannot be decoded: ${reason}.` }
  }
  const facts = {
    ...key,
    now: test.now,
    ...keyOf(test),
    ...(test.ledger === undefined ? {} : { ledger: test.ledger }),
  }
  const decision = decide(policy, view, facts)
  const said = decision.kind === 'allow' ? 'allow' : `${decision.kind} by ${decision.rule}: ${decision.reason}`
  const ruleFits = rule === undefined || (decision.kind !== 'allow' && decision.rule === rule)
  const passed = decision.kind === expect && ruleFits
  const wanted = rule === undefined ? expect : `${expect} by ${rule}`
  return { name, passed, sentence: passed ? `As expected: ${said}.` : `Expected ${wanted}; the policy says ${said}.` }
}

/** Another key signs for its own account, unless the test says which. */
const keyOf = ({ keyAddress, keyAccount }: GoldenTest): Partial<TestKey> => ({
  ...(keyAddress === undefined ? {} : { keyAddress, keyAccount: keyAddress }),
  ...(keyAccount === undefined ? {} : { keyAccount }),
})

const payloadOf = ({ xdr, payload }: GoldenTest): Payload => payload ?? { type: 'stellar-transaction', xdr: xdr ?? '' }
