import canonicalize from 'canonicalize'
import { z } from 'zod'
import { sha256 } from '../bytes/sha256.ts'
import { toHex } from '../bytes/hex.ts'
import { type ConfigProblem, SignerError } from '../domain/errors.ts'
import * as field from './fields.ts'

const LIST_MAX = 10_000
const LIFETIME_SECONDS_MAX = 31_536_000

const destination = z.union([
  field.address.transform(account => ({ account, memo: 'optional' as const, muxedIds: [] as bigint[] })),
  z.strictObject({
    account: field.address,
    /** `required`: a payment to it without memo and without muxed id is denied (SEP-29). */
    memo: z.enum(['required', 'optional']),
    /** Sub-accounts that may be paid besides the account itself. */
    muxedIds: z.union([z.literal('any'), z.array(field.muxedId).max(LIST_MAX)]).default([]),
  }),
])

const assetLimit = z.strictObject({
  asset: field.asset,
  maxPerOperation: field.amount,
  maxPerTransaction: field.amount,
})

const payments = z.strictObject({
  destinations: z.union([
    z.literal('any'),
    z
      .array(destination)
      .max(LIST_MAX)
      .superRefine((list, context) => field.distinct(list, entry => entry.account, context)),
  ]),
  /** `any`: every muxed id of an allowed destination. Without it, only the ids a destination lists. */
  muxed: z.literal('any').optional(),
  assets: z
    .array(assetLimit)
    .max(LIST_MAX)
    .superRefine((list, context) => field.distinct(list, entry => entry.asset, context)),
})

/**
 * A policy: what one key may sign. Every field is a grant; what is absent grants nothing, and the empty policy
 * `{"version": 1}` denies everything. So taking a rule away never allows more.
 *
 * Amounts are decimal text (`"10.5"`), fees are stroops in text (`"1000"`), times are seconds.
 */
export const policySchema = z.strictObject({
  version: z.literal(1),
  /** The one network. It must also be the key's. */
  network: field.name.optional(),
  operations: z.array(field.ordinaryOperation).optional(),
  sensitiveOperations: z.array(field.sensitiveOperation).optional(),
  /** The most any fee may be: of the transaction, and of the fee bump around it. */
  fee: z.strictObject({ maxStroops: field.stroops }).optional(),
  /** True: fee bumps may be signed, their inner transaction judged by all the same rules. */
  feeBump: z.boolean().optional(),
  /** How far from now `maxTime` may lie (600 is a good choice), or `any`: also without end. */
  timeBounds: z
    .union([
      z.literal('any'),
      z.strictObject({ maxLifetimeSeconds: z.number().int().min(1).max(LIFETIME_SECONDS_MAX) }),
    ])
    .optional(),
  /** CAP-21 conditions that may be present besides time and ledger bounds. */
  preconditions: z.array(z.enum(['minSequence', 'minSequenceAge', 'minSequenceLedgerGap', 'extraSigners'])).optional(),
  /** Accounts besides the key's own that may be source of the transaction, of an operation, or of a fee bump. */
  sources: z.union([z.literal('any'), z.array(field.address).max(LIST_MAX)]).optional(),
  /** Kinds of memo that may be present; no memo at all is always possible. */
  memo: z.array(z.enum(['text', 'id', 'hash', 'return'])).optional(),
  payments: payments.optional(),
  /** Contract functions that may be called, in the operation and anywhere in its authorization trees. */
  contracts: z
    .array(z.strictObject({ contract: field.contract, functions: z.array(field.name).min(1).max(LIST_MAX) }))
    .max(LIST_MAX)
    .superRefine((list, context) => field.distinct(list, entry => entry.contract, context))
    .optional(),
})

/** A document as operators write it. */
export type PolicyDocument = z.input<typeof policySchema>
export type PolicyRules = z.output<typeof policySchema>
export type Destination = z.output<typeof destination>

/** A document that was checked. Made only by `parsePolicy` and `readPolicy`. */
export interface Policy {
  readonly rules: PolicyRules
  /** Canonical JSON (RFC 8785) of the document: what is stored and hashed. */
  readonly text: string
  /** SHA-256 of `text`, hex. */
  readonly hash: string
}

/** @throws `config/invalid` with every problem of the document at once. */
export function parsePolicy(document: unknown): Policy {
  const result = policySchema.safeParse(document)
  if (!result.success) throw new SignerError('config/invalid', { problems: result.error.issues.flatMap(problemsOf) })
  const text = canonicalize(document) ?? ''
  return { rules: result.data, text, hash: toHex(sha256(new TextEncoder().encode(text))) }
}

/**
 * A stored policy. The text must be its own canonical form, so that a text means one thing: no second spelling of a
 * field, no field given twice.
 * @throws `config/invalid`
 */
export function readPolicy(text: string): Policy {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    throw invalid('is not JSON', 'Write one JSON object')
  }
  const policy = parsePolicy(document)
  if (policy.text !== text) throw invalid('is not in canonical form', 'Store the text that parsePolicy gives')
  return policy
}

const invalid = (problem: string, fix: string): SignerError<'config/invalid'> =>
  new SignerError('config/invalid', { problems: [{ path: 'policy', problem, fix }] })

type Issue = z.core.$ZodIssue

function problemsOf(issue: Issue): ConfigProblem[] {
  const path = ['policy', ...issue.path.map(String)].join('.')
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map(key => ({
        path: `${path}.${key}`,
        problem: 'is not a field of a policy',
        fix: 'Correct its spelling or remove it',
      }))
    case 'custom':
      return [{ path, problem: issue.message, fix: String(issue.params?.['fix'] ?? 'Correct it') }]
    case 'invalid_union': {
      // The branch that came furthest speaks for all: the others merely have another shape.
      const branches = issue.errors.map(branch =>
        branch.flatMap(nested => problemsOf({ ...nested, path: [...issue.path, ...nested.path] })),
      )
      const deepest = branches.toSorted((a, b) => depth(b) - depth(a))[0]
      return deepest ?? [{ path, problem: issue.message, fix: 'Correct it' }]
    }
    case 'invalid_type':
      return [
        { path, problem: issue.message, fix: `Write ${issue.expected === 'object' ? 'an' : 'a'} ${issue.expected}` },
      ]
    default:
      return [{ path, problem: issue.message, fix: 'Correct it' }]
  }
}

const depth = (problems: readonly ConfigProblem[]): number =>
  Math.max(0, ...problems.map(({ path, problem }) => path.length + (problem.startsWith('Invalid input') ? 0 : 1)))
