import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Networks, TransactionBuilder } from '@stellar/stellar-sdk'
import { toHex } from '../../../src/bytes/hex.ts'
import { BOB, json, openHouse, payment } from '../../support/proposal-house.ts'
import { problemOf } from '../../support/rig.ts'

test('M-26 a body without a type is refused, also one in chunks, and not taken for none', async () => {
  const house = await openHouse()
  const { id } = await house.open(payment(house))
  const token = await house.rig.token(['propose:*', 'sign:*', 'read:*'])
  // To be read as "all keys" it would have to be no body at all.
  const response = await house.rig.http(`/v1/proposals/${id}/collect`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'transfer-encoding': 'chunked' },
    body: new TextEncoder().encode('{"keys":["ops"]}'),
  })
  assert.equal((await problemOf(response)).code, 'request/unsupported-media')
  const { signatures } = await json<{ signatures: unknown[] }>(house.get(`/v1/proposals/${id}`))
  assert.deepEqual(signatures, [])
})

test('T57 a proposed fee bump of which the transaction in it was sent alone has run', async () => {
  const house = await openHouse()
  const { ledger } = house
  const inner = payment(house)
  inner.sign(BOB)
  const bump = TransactionBuilder.buildFeeBumpTransaction(house.addressOf('treasury'), '1000', inner, Networks.TESTNET)
  const { id } = await house.open(bump as never, { keys: ['treasury'] })
  await json(house.ask(`/v1/proposals/${id}/collect`, {}))
  ledger.before = () => ({ kind: 'rejected', code: 'txFeeBumpInnerFailed: txBadSeq', reason: 'used up' })
  const real = ledger.transaction
  ledger.transaction = async (hash, signal) =>
    hash === toHex(inner.hash()) ? { kind: 'success', ledger: 41 } : real(hash, signal)
  const done = await house.awake(json(house.ask(`/v1/proposals/${id}/execute`)))
  assert.deepEqual([done.state, done.outcome], ['executed', 'ledger 41'])
})
