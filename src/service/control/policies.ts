import { isSignerError, SignerError } from '../../domain/errors.ts'
import type { Key, ResolvedKey } from '../../domain/key.ts'
import {
  checkPolicy as check,
  diff,
  directionOf,
  type GoldenTest,
  parsePolicy,
  parsePolicyFile,
  type Policy,
  readPolicy,
  runTests,
  type TestResult,
} from '../../policy/index.ts'
import { explainAsked, factsFor } from '../explain.ts'
import { parseFor, parsePayload, signatoryOf } from '../payloads.ts'
import type { Done } from './guard.ts'
import { holdKey } from './keys.ts'
import type { ControlParts } from './ports.ts'

/** A document is not wrong in itself: that is the answer, not an error. */
export async function checkPolicy(document: unknown): Promise<Done> {
  const checked = check(document)
  if (checked.kind === 'bad') return { answer: { valid: false, problems: checked.problems }, facts: { valid: false } }
  const { policy, warnings } = checked
  return {
    answer: { valid: true, policyHash: policy.hash, canonical: policy.text, warnings },
    facts: { valid: true, policyHash: policy.hash },
  }
}

export interface ExplainWish {
  readonly payload: { readonly type: string }
  /** Instead of the policy in force. */
  readonly policy?: unknown
}

/** Decides as for a signature; reserves nothing, signs nothing. @throws `payload/*` */
export async function explainPolicy(parts: ControlParts, key: string, wish: ExplainWish): Promise<Done> {
  const { current } = await holdKey(parts, key)
  const policy = wish.policy === undefined ? inForce(current.key) : readDocument(wish.policy)
  const asked = parsePayload(wish.payload, current)
  const answer = await explainAsked(parts.claims, policy, current, asked, parts.world.clock.now())
  const { decision, policyHash, hash } = answer
  return { answer, facts: { decision, policyHash, digest: hash } }
}

export async function diffPolicy(parts: ControlParts, key: string, document: unknown): Promise<Done> {
  const { current } = await holdKey(parts, key)
  const from = inForce(current.key)
  const to = readDocument(document)
  const direction = directionOf(from, to)
  return {
    answer: { key, fromHash: from.hash, toHash: to.hash, direction, changes: diff(from, to) },
    facts: { direction, fromHash: from.hash, toHash: to.hash },
  }
}

/** @throws `key/mismatch`: a policy was checked before it was stored, so one that is none was changed behind our back */
export function inForce({ name, policy: text, policyHash }: Key): Policy {
  const reason = 'its policy on record cannot be read'
  let policy: Policy
  try {
    policy = readPolicy(text)
  } catch (cause) {
    throw new SignerError('key/mismatch', { key: name, reason }, { cause })
  }
  if (policy.hash !== policyHash) throw new SignerError('key/mismatch', { key: name, reason })
  return policy
}

/** What a caller sent is the caller's to mend. @throws `request/malformed` naming the first problem and how many there are */
const readDocument = (document: unknown): Policy => orMalformed(() => parsePolicy(document))

/** A policy with its golden tests. @throws `request/malformed` */
export const readFile = (file: { policy: unknown; tests: unknown }) => orMalformed(() => parsePolicyFile(file))

/** As the path of a signature would decide about each. */
export function runGolden(
  { key, version }: ResolvedKey,
  policy: Policy,
  tests: readonly GoldenTest[],
): readonly TestResult[] {
  const parse = (payload: { readonly type: string }, network: string) =>
    parseFor(payload, { ...signatoryOf({ key, version }), network }).view
  const { now: _, ...facts } = factsFor({ key, version }, 0)
  return runTests(policy, tests, parse, facts)
}

function orMalformed<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!isSignerError(error) || error.code !== 'config/invalid') throw error
    const { problems } = error.detail
    const [first = { path: 'policy', problem: 'cannot be read', fix: 'see docs/policy.md' }] = problems
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more: POST /v1/policies/check lists them)` : ''
    const field = first.path.slice(0, 120).toWellFormed()
    const reason = `${first.problem.slice(0, 300).toWellFormed()}${more}`
    throw new SignerError('request/malformed', { field, reason, fix: first.fix }, { cause: error })
  }
}
