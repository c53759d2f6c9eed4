import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Account, Asset, Keypair, Networks, Operation, TransactionBuilder } from '@stellar/stellar-sdk/base'
import { createAdmin } from '../../../providers/mock/admin.ts'
import type { PolicyDocument } from '../../../src/policy/index.ts'
import { addressOf } from '../../../src/service/payloads.ts'
import { openRig } from '../../support/rig.ts'

const policy: PolicyDocument = {
  version: 1,
  network: 'testnet',
  operations: ['payment'],
  fee: { maxStroops: '1000' },
  timeBounds: 'any',
  sources: 'any',
  payments: {
    destinations: 'any',
    assets: [{ asset: 'native', maxPerOperation: '100', maxPerTransaction: '100' }],
  },
  windows: [{ asset: 'native', seconds: 86_400, max: '100' }],
}

test('M-61 M-52 during a rotation both versions spend from the windows of their key, once', async () => {
  const rig = await openRig({ log: 'memory', policy })
  const { version } = rig.key
  const world = { clock: rig.clock, random: rig.room.deps.random, fetch: () => Promise.reject(new Error('no network')) }
  const admin = await createAdmin({ kind: 'mock' }, { ...world, environment: 'development' })
  const call = { requestId: 'r', signal: new AbortController().signal }
  const { reference, publicKey } = await admin.create({ scheme: 'ed25519', label: 'second' }, call)
  const address = addressOf('stellar', publicKey)
  await rig.store.keys.addVersion({
    version: { ...version, version: 2, publicKey, address, state: 'pending' },
    binding: { id: 'b_2', key: 'treasury', version: 2, provider: 'mock', custody: 'native', reference },
  })
  await rig.store.keys.setStates('treasury', [
    { version: 1, state: 'overlap' },
    { version: 2, state: 'active' },
  ])
  const destination = Keypair.random().publicKey()
  let sequence = 0
  const pay = async (of: number, amount: string): Promise<number> => {
    const xdr = new TransactionBuilder(new Account(version.address, String(++sequence)), {
      fee: '100',
      networkPassphrase: Networks.TESTNET,
    })
      .addOperation(Operation.payment({ destination, asset: Asset.native(), amount }))
      .setTimeout(0)
      .build()
      .toXdr()
    const path = of === 2 ? '/v1/keys/treasury/sign' : `/v1/keys/treasury/versions/${of}/sign`
    return (await rig.post(path, { type: 'stellar-transaction', xdr })).status
  }
  assert.deepEqual(
    [await pay(1, '60'), await pay(2, '60'), await pay(2, '40'), await pay(1, '1')],
    [200, 403, 200, 403],
  )
})
