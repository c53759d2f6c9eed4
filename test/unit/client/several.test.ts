/** What takes several keys, people or a template, through the client, at the real routes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Networks, Transaction, TransactionBuilder } from '@stellar/stellar-sdk/base'
import { createCountersign } from '../../../src/client/index.ts'
import { cosignRoutes } from '../../../src/http/routes-cosign.ts'
import { cosign } from '../../../src/service/cosign.ts'
import { openClientWorld, URL_OF_RIG } from '../../support/client-world.ts'
import { BOB, openHouse, payment, signedBy } from '../../support/proposal-house.ts'
import { EXAMPLE, NOW, type RigOptions } from '../../support/rig.ts'
import { EVERY_RIGHT, openRevocations, revocation } from '../../support/revocations.ts'

const clock = { now: () => NOW, sleep: async () => {} }
const PAYLOAD = { type: 'stellar-transaction', xdr: EXAMPLE }

test('M-24 a batch: one answer each; one that may not be signed is found, and none is signed', async () => {
  const { countersign, sent } = await openClientWorld({ unguarded: true })
  const results = await countersign.signBatch([
    { key: 'treasury', payload: PAYLOAD },
    { key: 'treasury', payload: PAYLOAD },
  ])
  assert.deepEqual(
    results.map(({ status }) => status),
    [200, 200],
  )
  assert.ok('answer' in results[0]! && results[0].answer.signedXdr !== undefined)
  assert.match(sent.at(-1)?.headers.get('idempotency-key') ?? '', /^[0-9a-f-]{36}$/)
  const some = [
    { key: 'treasury', payload: PAYLOAD },
    { key: 'nobody', payload: PAYLOAD },
  ]
  await assert.rejects(countersign.signBatch(some), { code: 'batch/refused', retryable: false })
})

test('M-24 several keys on one envelope', async () => {
  const families: RigOptions['families'] = room => [cosignRoutes(request => cosign(room.deps, request))]
  const { countersign, rig } = await openClientWorld({ keys: [{ name: 'ops' }], families })
  const { signedXdr, hash, results } = await countersign.cosign(['treasury', 'ops'], EXAMPLE)
  const signed = TransactionBuilder.fromXDR(signedXdr, Networks.TESTNET)
  assert.equal(signed.signatures.length, 2)
  assert.equal(hash, Buffer.from(signed.hash()).toString('hex'))
  assert.deepEqual(
    results.map(({ key, status }) => [key, status]),
    [
      ['treasury', 200],
      ['ops', 200],
    ],
  )
  assert.equal(rig.signatures(), 2)
})

test('M-26 a proposal: opened, signed by ours and by others, ready, executed, and one that is cancelled', async () => {
  const house = await openHouse()
  const token = await house.rig.token(['propose:*', 'sign:*', 'submit:*', 'read:*'])
  const fetch = (url: string, init: RequestInit) => house.rig.http(url.slice(URL_OF_RIG.length), init)
  const { approvals } = createCountersign({ url: URL_OF_RIG, token, fetch, clock })
  const transaction = payment(house)
  const proposed = { xdr: transaction.toXDR(), keys: ['treasury', 'ops'], expiresInSeconds: 3600 }
  const { id, state } = await approvals.open(proposed)
  assert.equal(state, 'collecting')
  const { results, ready } = await approvals.collect(id, ['treasury'])
  assert.deepEqual([results.map(({ status }) => status), ready], [[200], false])
  assert.equal((await approvals.addSignatures(id, signedBy(transaction, BOB))).ready, true)
  assert.equal((await approvals.wait(id, { until: 'ready' })).state, 'collecting')
  assert.equal((await house.awake(approvals.execute(id))).state, 'executed')
  assert.equal((await approvals.wait(id)).outcome, 'ledger 42')
  const second = await approvals.open({ ...proposed, xdr: payment(house, { sequence: '2' }).toXDR() })
  await approvals.collect(second.id)
  assert.equal((await approvals.cancel(second.id)).state, 'cancelled')
  assert.equal((await approvals.wait(second.id)).state, 'cancelled')
})

test('M-25 a template: prepared, executed and found again; an envelope of the caller’s own too', async () => {
  const world = await openRevocations()
  const token = await world.rig.token(EVERY_RIGHT)
  const fetch = (url: string, init: RequestInit) => world.rig.http(url.slice(URL_OF_RIG.length), init)
  const countersign = createCountersign({ url: URL_OF_RIG, token, fetch, clock })
  const args = { revocations: [revocation('a', '200')] }
  const prepared = await countersign.prepare('batch-revoke', args)
  assert.match(prepared.summary, /batch_revoke/)
  assert.ok(TransactionBuilder.fromXDR(prepared.xdr, Networks.TESTNET) instanceof Transaction)
  const done = await world.pass(countersign.execute('batch-revoke', args))
  assert.equal(done.status, 'success')
  assert.deepEqual(await countersign.transaction(done.hash), done)
  const { rig } = world
  const own = await countersign.prepare('batch-revoke', { revocations: [revocation('b', 1)] })
  await assert.rejects(world.pass(countersign.executeXdr(own.xdr, ['treasury'])), { status: 400 })
  await assert.rejects(countersign.submit('operator', own.xdr), { code: 'payload/invalid' })
  assert.ok(rig.signatures() > 0)
})

test('M-35 an approval: dated by the service’s clock, the same for every try', async () => {
  const { client, sent } = await openClientWorld()
  const countersign = client({ clock })
  const approval = { action: 'demo.release', audience: 'payouts', subject: 'order 1', correlationId: 'c-1' }
  const jws = await countersign.approve('treasury', { ...approval, expiresAt: NOW / 1000 + 60 })
  const [, claims = ''] = jws.split('.')
  const { iat, sub } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>
  assert.deepEqual([iat, sub], [NOW / 1000, 'order 1'])
  const { approval: asked } = JSON.parse(sent.at(-1)?.body ?? '') as { approval: Record<string, unknown> }
  assert.equal(asked['issuedAt'], NOW / 1000)
  const later = { ...approval, issuedAt: '2026-11-22T11:59:59Z', expiresAt: '2026-11-22T12:00:59Z' }
  assert.match(await countersign.approve('treasury', later), /^[\w-]+\.[\w-]+\.[\w-]+$/)
})
