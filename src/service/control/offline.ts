/** Policies on the command line: the functions of the path of a signature, over files, without a service. */
import { isSignerError } from '../../domain/errors.ts'
import {
  type Check,
  checkPolicy,
  decide,
  diff,
  directionOf,
  explain,
  parsePolicyFile,
  parsePolicy,
  runTests,
  type TestResult,
  type Warning,
} from '../../policy/index.ts'
import type { Chain } from '../../domain/key.ts'
import type { ConfigProblem } from '../../domain/errors.ts'
import { parseFor } from '../payloads.ts'

export type PolicyReport =
  | { readonly valid: true; readonly policyHash: string; readonly warnings: readonly Warning[]; readonly tests: number }
  | { readonly valid: false; readonly problems: readonly ConfigProblem[] }

/** A policy alone, or with its golden tests: `{"policy": …, "tests": […]}`. */
export function reportOn(document: unknown): PolicyReport {
  try {
    const { policy, tests } = fileOf(document)
    const checked = checkPolicy(JSON.parse(policy.text))
    return {
      valid: true,
      policyHash: policy.hash,
      warnings: checked.kind === 'good' ? checked.warnings : [],
      tests: tests.length,
    }
  } catch (error) {
    if (isSignerError(error) && error.code === 'config/invalid')
      return { valid: false, problems: error.detail.problems }
    throw error
  }
}

const isFile = (document: unknown): boolean =>
  document !== null && typeof document === 'object' && !Array.isArray(document) && Object.hasOwn(document, 'policy')

/** @throws `config/invalid` */
const fileOf = (document: unknown): ReturnType<typeof parsePolicyFile> =>
  isFile(document) ? parsePolicyFile(document) : { policy: parsePolicy(document), tests: [] }

/** What a policy loosens and tightens against another. @throws `config/invalid` */
export function compare(before: unknown, after: unknown) {
  const [from, to] = [fileOf(before).policy, fileOf(after).policy]
  return { fromHash: from.hash, toHash: to.hash, direction: directionOf(from, to), changes: diff(from, to) }
}

/** The key that a payload is for, as far as a policy asks. */
export interface KeyFacts {
  readonly address: string
  /** The account it signs for, if it is not its address. */
  readonly account?: string
  readonly network: string
}

/** No key is asked: its name and version stand in no decision. */
const signatoryOf = (facts: KeyFacts, network = facts.network) => ({
  key: 'offline',
  version: 1,
  chain: chainOf(facts),
  network,
  address: facts.address,
  account: accountOf(facts),
})

const chainOf = ({ address }: KeyFacts): Chain => (address.startsWith('0x') ? 'evm' : 'stellar')
const accountOf = ({ address, account = address }: KeyFacts): string => account
const factsOf = (key: KeyFacts) => ({
  keyAddress: key.address,
  keyAccount: accountOf(key),
  keyNetwork: key.network,
})

export interface Answer {
  readonly decision: 'allow' | 'deny' | 'undecided'
  readonly rule?: string
  readonly reason?: string
  readonly policyHash: string
  readonly summary: string
  readonly hash: string
  readonly checks: readonly Check[]
}

/** Spend windows are of a service; here they are empty. @throws `config/invalid`, `payload/*` */
export function explainOffline(
  document: unknown,
  payload: { readonly type: string },
  key: KeyFacts,
  now: number,
): Answer {
  const { policy } = fileOf(document)
  const asked = parseFor(payload, signatoryOf(key))
  const facts = { ...factsOf(key), now }
  const decision = decide(policy, asked.view, facts)
  const why = decision.kind === 'allow' ? {} : { rule: decision.rule, reason: decision.reason }
  const checks = explain(policy, asked.view, facts)
  const { sentence: summary, hash } = asked
  return { decision: decision.kind, ...why, policyHash: policy.hash, summary, hash, checks }
}

/** @throws `config/invalid` */
export function testOffline(
  document: unknown,
  key: KeyFacts,
): { readonly policyHash: string; readonly passed: boolean; readonly tests: readonly TestResult[] } {
  const { policy, tests } = fileOf(document)
  const parse = (payload: { readonly type: string }, network: string) =>
    parseFor(payload, signatoryOf(key, network)).view
  const results = runTests(policy, tests, parse, factsOf(key))
  return { policyHash: policy.hash, passed: results.every(({ passed }) => passed), tests: results }
}
