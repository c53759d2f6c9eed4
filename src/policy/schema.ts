import canonicalize from 'canonicalize'
import { z } from 'zod'
import { sha256 } from '../bytes/sha256.ts'
import { toHex } from '../bytes/hex.ts'
import { evmRulesSchema } from './evm/schema.ts'
import * as contractField from './contract-fields.ts'
import * as field from './fields.ts'
import * as statement from './statement-fields.ts'
import { invalid, readAs } from './problems.ts'

const WINDOW_SECONDS_MAX = 31_622_400

const destination = z.union([
  field.receiver.transform(account => ({ account, memo: 'optional' as const, muxedIds: [] as bigint[] })),
  z.strictObject({
    account: field.receiver,
    /** `required`: a payment to it without memo and without muxed id is denied (SEP-29). */
    memo: z.enum(['required', 'optional']),
    /** Sub-accounts that may be paid besides the account itself. */
    muxedIds: z.union([z.literal('any'), z.array(field.muxedId).max(field.LIST_MAX)]).default([]),
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
      .max(field.LIST_MAX)
      .superRefine((list, context) => field.distinct(list, entry => entry.account, context)),
  ]),
  /** `any`: every muxed id of an allowed destination. Without it, only the ids a destination lists. */
  muxed: z.literal('any').optional(),
  assets: z
    .array(assetLimit)
    .max(field.LIST_MAX)
    .superRefine((list, context) => field.distinct(list, entry => entry.asset, context)),
})

const weight = z.number().int().min(0).max(255)
const weights = z.strictObject({ min: weight, max: weight })
const ACCOUNT_FLAGS = ['required', 'revocable', 'immutable', 'clawback'] as const

const setOptions = z.strictObject({
  /** Weight 0 removes the signer. */
  signers: z
    .array(z.strictObject({ key: field.signer, minWeight: weight, maxWeight: weight }))
    .max(field.LIST_MAX)
    .superRefine((list, context) => field.distinct(list, entry => entry.key, context))
    .optional(),
  masterWeight: weights.optional(),
  lowThreshold: weights.optional(),
  mediumThreshold: weights.optional(),
  highThreshold: weights.optional(),
  setFlags: z.array(z.enum(ACCOUNT_FLAGS)).optional(),
  clearFlags: z.array(z.enum(ACCOUNT_FLAGS)).optional(),
  homeDomains: z.array(field.text).max(field.LIST_MAX).optional(),
  inflationDestinations: z.array(field.address).max(field.LIST_MAX).optional(),
})

const spendWindow = z
  .strictObject({
    /** `any`: each asset for itself. `fee`: what the transactions may cost, in XLM. */
    asset: field.windowAsset,
    /** Absent: all that leaves, whoever receives it. `each`: every receiver for itself. */
    destination: z.union([z.literal('each'), field.receiver]).optional(),
    seconds: z.number().int().min(60).max(WINDOW_SECONDS_MAX),
    max: field.amount,
  })
  .superRefine(({ asset, destination }, context) => {
    if (asset === 'fee' && destination !== undefined) {
      field.problem(context, 'a fee has no destination', 'Remove destination', ['destination'])
    }
  })

/**
 * A policy: what one key may sign. Every field is a grant; what is absent grants nothing, and the empty policy
 * `{"version": 1}` denies everything. So taking a rule away never allows more.
 *
 * Amounts are decimal text (`"10.5"`), fees are stroops in text (`"1000"`), times are seconds.
 */
const grants = {
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
    .union([z.literal('any'), z.strictObject({ maxLifetimeSeconds: z.number().int().min(1).max(field.YEAR_SECONDS) })])
    .optional(),
  /** How far from the current ledger `maxLedger` may lie: another way to have an end, where the current ledger is known. */
  ledgerBounds: z.strictObject({ maxLedgersAhead: z.number().int().min(1).max(field.LEDGERS_AHEAD_MAX) }).optional(),
  /** CAP-21 conditions that may be present besides time and ledger bounds. */
  preconditions: z.array(z.enum(['minSequence', 'minSequenceAge', 'minSequenceLedgerGap', 'extraSigners'])).optional(),
  /** Accounts besides the key's own that may be source of the transaction, of an operation, or of a fee bump. */
  sources: z.union([z.literal('any'), z.array(field.address).max(field.LIST_MAX)]).optional(),
  /** Kinds of memo that may be present; no memo at all is always possible. */
  memo: z.array(z.enum(['text', 'id', 'hash', 'return'])).optional(),
  payments: payments.optional(),
  /** Contract functions that may be called, in the operation and anywhere in its authorization trees. */
  contracts: contractField.contracts.optional(),
  /** The same for contracts that are tokens: what a call moves must also fit `payments`, and fills its windows. */
  tokens: contractField.tokens.optional(),
  /** `changeTrust` for these assets, without granting it for all in `operations`. */
  trustLines: z.array(field.line).max(field.LIST_MAX).optional(),
  /** `setOptions` for these fields, without granting all of it in `sensitiveOperations`. */
  setOptions: setOptions.optional(),
  /** The one field that limits instead of granting: the most that may leave within any window of so many seconds. */
  windows: z
    .array(spendWindow)
    .max(100)
    .superRefine((list, context) =>
      field.distinct(list, ({ asset, destination, seconds }) => `${asset} ${destination} ${seconds}`, context),
    )
    .optional(),
  /** Soroban authorizations signed apart from a transaction. */
  authorizations: statement.authorizations.optional(),
  /** SEP-10 logins that the key answers, or issues. */
  challenges: statement.challenges.optional(),
  /** Execution approvals for programs elsewhere. */
  approvals: statement.approvals.optional(),
  ...evmRulesSchema.shape,
}

export const policySchema = z.strictObject(grants).superRefine(({ contracts = [], tokens = [] }, context) => {
  for (const [at, { contract }] of tokens.entries()) {
    if (!contracts.some(other => other.contract === contract)) continue
    const fix = 'List all of its functions in one of them'
    field.problem(context, 'is listed in contracts too, where nothing is counted', fix, ['tokens', at, 'contract'])
  }
})

/** A document as operators write it. */
export type PolicyDocument = z.input<typeof policySchema>
export type PolicyRules = z.output<typeof policySchema>
export type Destination = z.output<typeof destination>
export type SpendWindow = z.output<typeof spendWindow>
export type SetOptionsGrant = z.output<typeof setOptions>

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
  const rules = readAs(policySchema, document, 'policy')
  const text = canonicalize(document) ?? ''
  return { rules, text, hash: toHex(sha256(new TextEncoder().encode(text))) }
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
    throw invalid('policy', 'is not JSON', 'Write one JSON object')
  }
  const policy = parsePolicy(document)
  if (policy.text !== text) throw invalid('policy', 'is not in canonical form', 'Store the text that parsePolicy gives')
  return policy
}
