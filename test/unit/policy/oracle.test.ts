import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccountView, InvocationView, OperationView, StellarTransactionView } from '../../../src/domain/stellar.ts'
import { decide, type Facts, parsePolicy, type PolicyDocument } from '../../../src/policy/index.ts'
import { seeded } from '../../fuzz/xdr-mutator.ts'
import { facts, randomDocument, randomView } from './samples.ts'

/**
 * A second reading of what a policy means, straight from the document and written apart from `src/policy`: one long
 * list of reasons to say no. It must agree with `decide` on every random pair.
 */
function allowed(document: PolicyDocument, view: StellarTransactionView, world: Facts): boolean {
  const tx = view.kind === 'transaction' ? view : view.inner
  const bumped = view.kind === 'fee-bump'
  const { fee, payments, timeBounds } = document

  if (document.network === undefined || new Set([document.network, view.network, world.keyNetwork]).size !== 1)
    return false
  if (tx.sequence < 1n || tx.operations.length === 0 || fee === undefined || timeBounds === undefined) return false
  if (bumped && document.feeBump !== true) return false

  const cap = BigInt(fee.maxStroops)
  const fees = bumped ? [tx.feeStroops, view.feeStroops] : [tx.feeStroops]
  if (fees.some(one => one < 0n || one > cap)) return false
  const { resourceFeeStroops: resource } = tx
  if (resource !== null && !(resource >= 0n && resource <= tx.feeStroops)) return false

  const sources: readonly (AccountView | null)[] = [
    tx.source,
    bumped ? view.feeSource : null,
    ...tx.operations.map(o => o.source),
  ]
  const known = new Set([world.keyAddress, ...(Array.isArray(document.sources) ? document.sources : [])])
  if (document.sources !== 'any' && sources.some(one => one !== null && !known.has(one.address))) return false

  const conditions = tx.preconditions
  if (timeBounds !== 'any') {
    const now = BigInt(Math.floor(world.now / 1000))
    const end = conditions.timeBounds?.maxTime ?? 0n
    const start = conditions.timeBounds?.minTime ?? 0n
    if (end === 0n || end < now || end - now > BigInt(timeBounds.maxLifetimeSeconds) || start > end) return false
  }
  const granted = new Set<string>(document.preconditions)
  if (conditions.minSequence !== null && !granted.has('minSequence')) return false
  if (conditions.minSequenceAgeSeconds > 0n && !granted.has('minSequenceAge')) return false
  if (conditions.minSequenceLedgerGap > 0 && !granted.has('minSequenceLedgerGap')) return false
  if (conditions.extraSigners.length > 0 && !granted.has('extraSigners')) return false
  if (!['none', ...(document.memo ?? [])].includes(tx.memo.kind)) return false

  const names = [...(document.operations ?? []), ...(document.sensitiveOperations ?? [])]
  if (!tx.operations.every(operation => names.includes(operation.type))) return false
  if (!tx.operations.every(operation => everyCall(operation, call => listed(document, call)))) return false

  for (const receiver of tx.operations.flatMap(receivers)) {
    if (payments === undefined) return false
    const entries = payments.destinations === 'any' ? [] : payments.destinations
    const entry = entries
      .map(one => (typeof one === 'string' ? { account: one, memo: 'optional', muxedIds: undefined } : one))
      .find(one => one.account === receiver.address)
    if (payments.destinations !== 'any' && entry === undefined) return false
    if (receiver.muxedId === null) {
      if (entry?.memo === 'required' && tx.memo.kind === 'none') return false
    } else if (payments.muxed !== 'any' && entry?.muxedIds !== 'any') {
      if (!(entry?.muxedIds ?? []).includes(String(receiver.muxedId))) return false
    }
  }

  const spent = tx.operations.flatMap(spending)
  if (spent.some(one => one.stroops < one.least)) return false
  for (const asset of new Set(spent.map(one => one.asset))) {
    const amounts = spent.filter(one => one.asset === asset).map(one => one.stroops)
    const sum = amounts.reduce((a, b) => a + b, 0n)
    const fits = (payments?.assets ?? [])
      .filter(one => one.asset === asset || one.asset === 'any')
      .some(one => {
        const each = BigInt(one.maxPerOperation) * 10_000_000n
        const all = BigInt(one.maxPerTransaction) * 10_000_000n
        return amounts.every(stroops => stroops <= each) && sum <= all
      })
    if (!fits) return false
  }
  return true
}

function everyCall(operation: OperationView, good: (call: InvocationView) => boolean): boolean {
  if (operation.type !== 'invokeHostFunction') return true
  if (operation.authorizations.some(entry => entry.credentials === 'unknown')) return false
  return [operation.invocation, ...operation.authorizations.flatMap(entry => entry.invocations)].every(good)
}

const listed = (document: PolicyDocument, call: InvocationView): boolean =>
  call.kind === 'call' &&
  (document.contracts ?? []).some(one => one.contract === call.contract && one.functions.includes(call.function))

function receivers(operation: OperationView): readonly AccountView[] {
  if (operation.type === 'createClaimableBalance') {
    return operation.claimants.map(one => ({ address: one.destination, muxedId: null }))
  }
  return 'destination' in operation ? [operation.destination] : []
}

interface Spent {
  readonly asset: string
  readonly stroops: bigint
  readonly least: bigint
}

function spending(operation: OperationView): readonly Spent[] {
  switch (operation.type) {
    case 'payment':
    case 'createClaimableBalance':
      return [{ asset: operation.asset, stroops: operation.amount.stroops, least: 1n }]
    case 'createAccount':
      return [{ asset: 'native', stroops: operation.startingBalance.stroops, least: 0n }]
    case 'pathPaymentStrictReceive':
      return [{ asset: operation.sendAsset, stroops: operation.sendMax.stroops, least: 1n }]
    case 'pathPaymentStrictSend':
      return [{ asset: operation.sendAsset, stroops: operation.sendAmount.stroops, least: 1n }]
    case 'manageSellOffer':
    case 'createPassiveSellOffer':
      return [{ asset: operation.selling, stroops: operation.amount.stroops, least: 0n }]
    case 'manageBuyOffer': {
      const { numerator, denominator } = operation.price
      const { stroops } = operation.amount
      if (numerator <= 0 || denominator <= 0 || stroops < 0n)
        return [{ asset: operation.selling, stroops: 0n, least: 1n }]
      const product = stroops * BigInt(numerator)
      const quotient = product / BigInt(denominator)
      const cost = quotient * BigInt(denominator) === product ? quotient : quotient + 1n
      return [{ asset: operation.selling, stroops: cost, least: 0n }]
    }
    default:
      return []
  }
}

const COUNT = 100_000

test(`R-25 ${COUNT} random transactions under random policies: no false allow, no false refusal`, {
  timeout: 120_000,
}, t => {
  const seed = Number(process.env['POLICY_SEED'] ?? 20_261_122)
  const rng = seeded(seed)
  const policies = Array.from({ length: 500 }, () => {
    const document = randomDocument(rng)
    return { document, policy: parsePolicy(document) }
  })
  const tally = { allow: 0, deny: 0, undecided: 0 }
  for (let number = 0; number < COUNT; number++) {
    const { document, policy } = policies[rng.int(policies.length)] ?? assert.fail()
    const view = randomView(rng)
    const decision = decide(policy, view, facts)
    tally[decision.kind]++
    const expected = allowed(document, view, facts)
    if ((decision.kind === 'allow') !== expected) {
      const shown = JSON.stringify({ document, view }, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
      assert.fail(`seed ${seed}, number ${number}: ${JSON.stringify(decision)}, oracle ${expected}, ${shown}`)
    }
    if (decision.kind !== 'allow') assert.ok(decision.rule.length > 0 && decision.reason.length > 0)
    assert.equal(decision.policyHash, policy.hash)
  }
  t.diagnostic?.(JSON.stringify({ seed, ...tally }))
  assert.ok(tally.allow > COUNT / 50, `only ${tally.allow} allowed: the sample proves too little`)
  assert.ok(tally.undecided > 0)
})
