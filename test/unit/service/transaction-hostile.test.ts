/** A node that is late, or that would like more signed than it needs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TransactionBuilder } from '@stellar/stellar-sdk/base'
import { passphraseOf } from '../../../src/chains/stellar/index.ts'
import type { StellarNetwork, Submission, TransactionStatus } from '../../../src/domain/stellar-network.ts'
import { send } from '../../../src/service/transactions/send.ts'
import { bob } from '../../fuzz/xdr-corpus.ts'
import { hashOf, unsignedPayment } from '../../support/payment.ts'
import { problemOf } from '../../support/rig.ts'
import { addressOf, openRevocations, revocation, VAULT_A, vaultTemplate } from '../../support/revocations.ts'

const BAD_SEQUENCE: Submission = {
  kind: 'rejected',
  code: 'txBadSeq',
  reason: 'its sequence number is not the next one',
}

/** @param statuses by hash one answer after the other, the last one for ever */
function sending(answer: Submission, statuses: readonly TransactionStatus[], bump?: readonly TransactionStatus[]) {
  let now = 0
  const asked = new Map<string, number>()
  const inner = unsignedPayment('41', 0)
  const sent =
    bump === undefined ? inner : TransactionBuilder.buildFeeBumpTransaction(bob, '500', inner, passphraseOf('testnet'))
  const answers = new Map([[hashOf(inner), statuses], ...(bump === undefined ? [] : [[hashOf(sent), bump] as const])])
  const network: StellarNetwork = {
    name: 'testnet',
    latestLedger: async () => ({ sequence: 10, closedAt: now }),
    account: async () => undefined,
    simulate: () => assert.fail('nothing is simulated'),
    reached: async () => {},
    submit: async () => answer,
    transaction: async hash => {
      const [list, at] = [answers.get(hash) ?? assert.fail(hash), asked.get(hash) ?? 0]
      asked.set(hash, at + 1)
      return list[Math.min(at, list.length - 1)] ?? assert.fail()
    },
  }
  const end = send({
    network,
    signed: { hash: hashOf(sent), envelope: sent.toXDR(), by: [] },
    submit: async () => answer,
    expiresAt: null,
    clock: { now: () => now, sleep: async ms => void (now += ms) },
    pollMs: 1_000,
    signal: AbortSignal.timeout(5_000),
    again: true,
    submitted: async () => {},
  })
  return { end }
}

const unknown = (latestLedger: number): TransactionStatus => ({ kind: 'unknown', latestLedger })

test('T57 a sequence number that this very transaction has used up is no refusal, though its ledger is read late', async () => {
  // Sent before, and the answer was lost: the network has run it, and the node has not read that ledger yet.
  const { end } = sending(BAD_SEQUENCE, [unknown(10), unknown(10), unknown(10), { kind: 'success', ledger: 11 }])
  assert.deepEqual(await end, { status: 'success', ledger: 11 })
})

test('T57 one that somebody else has used up is a refusal, once two more ledgers do not have it', async () => {
  const { end } = sending(BAD_SEQUENCE, [unknown(10), unknown(10), unknown(11), unknown(12)])
  assert.deepEqual(await end, { status: 'rejected', code: BAD_SEQUENCE.code, reason: BAD_SEQUENCE.reason })
})

test('T57 whoever sees a fee bump can have the transaction in it run alone: then that is what ran', async () => {
  const ran: TransactionStatus = { kind: 'success', ledger: 11 }
  const { end } = sending(BAD_SEQUENCE, [unknown(10), unknown(10), ran], [unknown(10)])
  assert.deepEqual(await end, { status: 'success', ledger: 11 })
})

test('M-25 what is refused for another reason is refused at once', async () => {
  const answer: Submission = { kind: 'rejected', code: 'txBadAuth', reason: 'no' }
  const { end } = sending(answer, [unknown(10), unknown(10), { kind: 'success', ledger: 11 }])
  assert.deepEqual(await end, { status: 'rejected', code: 'txBadAuth', reason: 'no' })
})

test('T30 a node that asks for the same authorization twice gets none: what the call leaves over, others could use', async () => {
  const world = await openRevocations({ templates: [vaultTemplate()] })
  world.stub.lies('simulate', 'auth-twice')
  const body = { template: 'vault-revoke', arguments: revocation('a', 1) }
  const problem = await problemOf(await world.pass(world.post('/v1/transactions/execute', body)))
  assert.equal(problem.code, 'transaction/rejected', JSON.stringify(problem))
  assert.match(String(problem['reason']), new RegExp(`twice.*${VAULT_A}|${VAULT_A}.*twice`))
  assert.equal(world.rig.signatures(), 0)
})

test('T30 a node that says it is far ahead has no authorization signed that would be good for long', async () => {
  const body = { template: 'vault-revoke', arguments: revocation('a', 1) }
  const [ahead, near] = [await openRevocations({ ledger: 700 }), await openRevocations({ ledger: 990 })]
  const problem = await problemOf(await ahead.pass(ahead.post('/v1/transactions/execute', body)))
  assert.deepEqual([problem.code, ahead.rig.signatures()], ['network/malformed', 0])
  const told = (await (await near.pass(near.post('/v1/transactions/execute', body))).json()) as Record<string, unknown>
  assert.equal(told['status'], 'success', JSON.stringify(told))
})

test('M-25 a sequence number that has no next one is the fault of whoever told it', async () => {
  const world = await openRevocations()
  const body = { template: 'vault-revoke', arguments: revocation('a', 1) }
  for (const sequence of [2n ** 63n - 1n, -1n]) {
    world.stub.account(addressOf('operator')).sequence = sequence
    const problem = await problemOf(await world.pass(world.post('/v1/transactions/execute', body)))
    assert.equal(problem.code, 'network/malformed', String(sequence))
  }
})

test('T57 what a network does not take now can be submitted again, and then counts', async () => {
  const world = await openRevocations({ templates: [vaultTemplate({ name: 'own', source: 'admin-a' })] })
  const prepare = { template: 'own', arguments: revocation('a', 5) }
  const { xdr } = (await (await world.post('/v1/transactions/prepare', prepare)).json()) as { xdr: string }
  const token = await world.rig.token(['sign:*'])
  const signed = await world.post('/v1/keys/admin-a/sign', { type: 'stellar-transaction', xdr }, { token })
  const { signedXdr } = (await signed.json()) as { signedXdr: string }
  const submit = () => world.pass(world.post('/v1/transactions/submit', { key: 'admin-a', xdr: signedXdr }))
  const account = world.stub.account(String(vaultTemplate().signers.keys().next().value))
  account.sequence -= 1n // the transaction before this one is not in a ledger yet
  assert.equal((await problemOf(await submit())).code, 'transaction/rejected')
  account.sequence += 1n
  const told = (await (await submit()).json()) as Record<string, unknown>
  assert.equal(told['status'], 'success', JSON.stringify(told))
})
