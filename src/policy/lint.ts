import { type ConfigProblem, isSignerError } from '../domain/errors.ts'
import type { OperationType } from '../domain/stellar.ts'
import { MEASURED_FUNCTIONS } from './moves.ts'
import { parsePolicy, type Policy, type PolicyRules } from './schema.ts'

/** Something that is allowed to be written, and is often not what was meant. */
export interface Warning {
  /** Stable, for programs. */
  readonly code: string
  readonly path: string
  readonly sentence: string
}

export type Checked =
  | { readonly kind: 'good'; readonly policy: Policy; readonly warnings: readonly Warning[] }
  | { readonly kind: 'bad'; readonly problems: readonly ConfigProblem[] }

/** Is it a policy, and what should its author look at again? */
export function checkPolicy(document: unknown): Checked {
  try {
    const policy = parsePolicy(document)
    return { kind: 'good', policy, warnings: lint(policy) }
  } catch (error) {
    if (isSignerError(error) && error.code === 'config/invalid') return { kind: 'bad', problems: error.detail.problems }
    throw error
  }
}

type Found = Iterable<Warning>

export const lint = ({ rules }: Policy): readonly Warning[] => [
  ...idle(rules),
  ...wide(rules),
  ...endless(rules),
  ...uncounted(rules),
  ...control(rules),
  ...calls(rules),
]

const warning = (code: string, path: string, sentence: string): Warning => ({ code, path, sentence })

const PAYING: readonly OperationType[] = [
  'createAccount',
  'payment',
  'pathPaymentStrictReceive',
  'pathPaymentStrictSend',
  'manageSellOffer',
  'manageBuyOffer',
  'createPassiveSellOffer',
  'createClaimableBalance',
  'accountMerge',
]

/** Grants that another one would have to be there for. */
function* idle(rules: PolicyRules): Found {
  const { operations = [], sensitiveOperations = [], payments, contracts = [], tokens = [] } = rules
  const types = [...operations, ...sensitiveOperations]
  if (rules.network === undefined) yield warning('no-network', 'network', 'Without a network nothing is granted.')
  const runs = types.length > 0 || rules.setOptions !== undefined || rules.trustLines !== undefined
  if (runs && rules.fee === undefined) yield warning('no-fee', 'fee', 'Without a fee no transaction is granted.')
  if (runs && rules.timeBounds === undefined && rules.ledgerBounds === undefined) {
    yield warning('no-time-bounds', 'timeBounds', 'Without time bounds no transaction is granted.')
  }
  const calls = types.includes('invokeHostFunction') || rules.authorizations !== undefined
  const pays = types.some(type => PAYING.includes(type)) || (calls && tokens.length > 0)
  if (payments !== undefined && !pays) {
    yield warning('idle-payments', 'payments', 'No operation is listed that pays anybody.')
  }
  if (payments === undefined && pays) {
    yield warning('no-payments', 'payments', 'Operations are listed that pay, and no payment is granted.')
  }
  if ((contracts.length > 0 || tokens.length > 0) && !calls) {
    const sentence = 'Contracts are listed, and neither invokeHostFunction nor authorizations are granted.'
    yield warning('idle-contracts', 'contracts', sentence)
  }
  if (calls && contracts.length === 0 && tokens.length === 0) {
    const what = types.includes('invokeHostFunction') ? 'invokeHostFunction is listed' : 'Authorizations are granted'
    yield warning('no-contracts', 'contracts', `${what}, and no contract is.`)
  }
  for (const [at, cap] of (payments?.assets ?? []).entries()) {
    if (cap.maxPerOperation <= cap.maxPerTransaction) continue
    const path = `payments.assets.${at}`
    yield warning('idle-cap', path, `The cap on an operation for ${cap.asset} is above the one on a transaction.`)
  }
}

function* wide({ payments, sources, operations, rawDigests }: PolicyRules): Found {
  if (payments?.destinations === 'any') {
    yield warning('any-destination', 'payments.destinations', 'Whoever holds a token can pay anybody, themselves too.')
  }
  for (const [at, { asset }] of (payments?.assets ?? []).entries()) {
    if (asset === 'any') {
      yield warning('any-asset', `payments.assets.${at}`, 'The same number is little of one asset and all of another.')
    }
  }
  if (sources === 'any') {
    yield warning(
      'any-source',
      'sources',
      'Any account may be source, also one that this key merely helps to sign for.',
    )
  }
  const offers = (operations ?? []).filter(type => type.includes('Offer'))
  if (offers.length > 0) {
    yield warning('any-price', 'operations', `${offers.join(', ')}: nothing says what is a fair price.`)
  }
  if (rawDigests === true) {
    yield warning('raw-digests', 'rawDigests', 'Any 32 bytes can be signed: all other rules can be gone around.')
  }
}

const HOUR = 3600

function* endless({ timeBounds, preconditions, authorizations, challenges }: PolicyRules): Found {
  if (authorizations?.expiration === 'any') {
    const sentence = 'An authorization that never ends can be kept, and used when it hurts most.'
    yield warning('no-expiration', 'authorizations.expiration', sentence)
  }
  if (authorizations?.legacy === true) {
    const sentence = 'Such an authorization is good for every account that this key signs for: keep it to one account.'
    yield warning('legacy-authorizations', 'authorizations.legacy', sentence)
  }
  if (challenges !== undefined && challenges.issue !== true && (challenges.servers ?? []).length === 0) {
    yield warning('no-servers', 'challenges.servers', 'No server is listed whose challenges could be answered.')
  }
  if (timeBounds === 'any') {
    yield warning('no-end', 'timeBounds', 'A signature without end can be kept, and used when it hurts most.')
  } else if ((timeBounds?.maxLifetimeSeconds ?? 0) > HOUR) {
    yield warning(
      'long-life',
      'timeBounds',
      'Signatures are good for more than an hour; ten minutes are enough for most.',
    )
  }
  if (preconditions?.includes('minSequence') === true) {
    yield warning('any-sequence', 'preconditions', 'With minSequence a transaction can run at many sequence numbers.')
  }
}

function* uncounted({ payments, windows = [], sensitiveOperations = [], fee }: PolicyRules): Found {
  for (const { asset } of payments?.assets ?? []) {
    const counted = windows.some(window => window.asset === asset || window.asset === 'any')
    if (!counted) {
      yield warning('no-window', 'windows', `Nothing limits how much ${asset} leaves in the course of a day.`)
    }
  }
  if ((fee?.maxStroops ?? 0n) > 10_000_000n && !windows.some(({ asset }) => asset === 'fee')) {
    yield warning('no-fee-window', 'windows', 'Fees above 1 XLM are granted, and nothing limits them over a day.')
  }
  for (const type of ['accountMerge', 'liquidityPoolDeposit'] as const) {
    if (sensitiveOperations.includes(type)) {
      yield warning('not-measured', 'sensitiveOperations', `${type} moves value that no cap and no window counts.`)
    }
  }
}

function* control({ sensitiveOperations = [], setOptions }: PolicyRules): Found {
  for (const type of sensitiveOperations) {
    yield warning('sensitive', 'sensitiveOperations', `${type} is granted as it is, whatever it sets.`)
  }
  for (const { key, maxWeight } of setOptions?.signers ?? []) {
    if (maxWeight === 0) continue
    yield warning('adds-signer', 'setOptions.signers', `${key} can be made a signer of the account.`)
  }
  if (setOptions?.masterWeight !== undefined && setOptions.masterWeight.min === 0) {
    yield warning('locks-out', 'setOptions.masterWeight', 'The master key can be switched off.')
  }
}

const RULING = new Set(['set_admin', 'set_authorized', 'upgrade', 'set_owner', 'transfer_ownership', 'authorize'])

function* calls({ contracts = [], tokens = [] }: PolicyRules): Found {
  for (const [at, { contract, functions }] of contracts.entries()) {
    for (const grant of functions) {
      const path = `contracts.${at}.functions`
      if (MEASURED_FUNCTIONS.includes(grant.name)) {
        yield warning('uncounted-token', path, `${grant.name} of ${contract} is counted only if it stands in tokens.`)
      }
      if (grant.arguments === undefined) {
        yield warning('any-arguments', path, `${grant.name} of ${contract} may be called with any arguments.`)
      }
    }
  }
  for (const { contract, functions } of [...contracts, ...tokens]) {
    for (const { name } of functions) {
      if (RULING.has(name)) yield warning('rules-contract', 'contracts', `${name} of ${contract} changes who rules it.`)
    }
  }
}
