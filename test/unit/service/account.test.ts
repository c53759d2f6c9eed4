/** M-61 on Stellar: the key changes, and the account that it signs for stays. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  Account,
  Asset,
  FeeBumpTransaction,
  Keypair,
  Networks,
  Operation,
  type Transaction,
  TransactionBuilder,
} from '@stellar/stellar-sdk'
import { Address, xdr } from '@stellar/stellar-sdk/base'
import { toHex } from '../../../src/bytes/hex.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { SecretBytes } from '../../../src/domain/secret.ts'
import { demoPolicy, type PolicyDocument } from '../../../src/policy/index.ts'
import { adopt, createNative, type NewKey, wrapSeed } from '../../../src/service/register.ts'
import { beginRotation, rotationStep } from '../../../src/service/rotate/index.ts'
import { bob, contractId, invocationTree, scAddress } from '../../fuzz/xdr-corpus.ts'
import { account as stateOf } from '../../support/ledger.ts'
import { BOB, json, missing, openHouse, payment } from '../../support/proposal-house.ts'
import {
  addressOf,
  batchTemplate,
  openRevocations,
  revocation,
  revocationPolicy,
  seedOf,
  vaultTemplate,
} from '../../support/revocations.ts'
import { NOW, openRig, problemOf, type Rig } from '../../support/rig.ts'
import { rotationDeps } from '../../support/rotations.ts'

/** As a rotation meets it: no source but the account of the key. */
const { sources: _, ...OWN } = JSON.parse(demoPolicy().text) as PolicyDocument

const refusal = (code: string, says: RegExp) => (error: unknown) =>
  isSignerError(error) && error.code === code && says.test(JSON.stringify(error.detail))
const bytesOf = (address: string): Uint8Array => Keypair.fromPublicKey(address).rawPublicKey()
const signersOf = (tx: Transaction | FeeBumpTransaction, ...addresses: readonly string[]): readonly string[] =>
  addresses.filter(address =>
    tx.signatures.some(({ signature }) => Keypair.fromPublicKey(address).verify(tx.hash(), signature.toBytes())),
  )

/** Of the calls of `entryFor`, whoever they are for. */
const CALLS: Partial<PolicyDocument> = {
  authorizations: { expiration: 'any', legacy: true },
  contracts: [{ contract: contractId, functions: ['transfer'] }],
}
const entryFor = (address: string): string => {
  const credentials = new xdr.SorobanAddressCredentials({
    ...{ address: scAddress(address), nonce: 5n, signatureExpirationLedger: 900 },
    signature: xdr.ScVal.scvVoid(),
  })
  const own = xdr.SorobanCredentials.sorobanCredentialsAddress(credentials)
  return new xdr.SorobanAuthorizationEntry({ credentials: own, rootInvocation: invocationTree(0) }).toXdr('base64')
}
const auth = (address: string) => ({ type: 'stellar-auth-entry', entry: entryFor(address) })
const paid = (source: string, sequence = '7'): Transaction =>
  new TransactionBuilder(new Account(source, sequence), {
    ...{ fee: '100', networkPassphrase: Networks.TESTNET },
    timebounds: { minTime: 0, maxTime: NOW / 1000 + 300 },
  })
    .addOperation(Operation.payment({ destination: bob, asset: Asset.native(), amount: '1' }))
    .build()

/** The account takes the new key as a signer, the overlap opens, the account drops the old one, the cut-over. */
async function rotate(
  rig: Rig,
  key: string,
  on: { readonly added?: (next: string, old: string) => void; readonly dropped?: (next: string) => void } = {},
) {
  const deps = rotationDeps(rig)
  const before = (await rig.store.keys.resolve(key))?.version ?? assert.fail(key)
  const next = await beginRotation(deps, key)
  assert.equal(next.account, before.account)
  assert.notEqual(next.address, before.address)
  on.added?.(next.address, before.address)
  await rotationStep(deps, key, 'open')
  on.dropped?.(next.address)
  await rotationStep(deps, key, 'cutover')
  return next
}

for (const upgradedAuth of [false, true]) {
  const credentials = upgradedAuth ? 'credentials that name their account' : 'legacy credentials'
  test(`M-61 M-25 after the cut-over a template has the same source, payer and authorizations, with ${credentials}`, async () => {
    const policy = () => revocationPolicy({ feeBump: true, sources: [addressOf('operator')] })
    const template = batchTemplate({ feeSource: 'payer' })
    const byName = vaultTemplate()
    const named = byName.arguments.map(each => (each.name === 'signer' ? { ...each, key: 'admin-a' } : each))
    const templates = [template, { ...byName, arguments: named }]
    const world = await openRevocations({ stub: { upgradedAuth }, templates, policy })
    const keys = ['operator', 'admin-a', 'admin-b', 'payer'] as const
    const next = new Map<string, string>()
    for (const key of keys) {
      const address = addressOf(key)
      const added = (signer: string) => void world.stub.account(address, { signers: [{ key: signer, weight: 1 }] })
      const dropped = () => void world.stub.account(address, { master: 0 })
      next.set(key, (await rotate(world.rig, key, { added, dropped })).address)
    }
    const body = {
      template: 'batch-revoke',
      arguments: { revocations: [revocation('a', '200'), revocation('b', 300)] },
    }
    const prepared = (await (await world.post('/v1/transactions/prepare', body)).json()) as {
      keys: { key: string; address: string; account: string; decision: string }[]
    }
    assert.deepEqual(
      prepared.keys.map(({ key, address, account, decision }) => [key, address, account, decision]),
      ['admin-a', 'admin-b', 'operator', 'payer'].map(key => [
        ...[key, next.get(key), addressOf(key as 'payer')],
        'allow',
      ]),
    )
    const answer = await world.pass(world.post('/v1/transactions/execute', body))
    const told = (await answer.json()) as { status: string; hash: string }
    assert.equal(answer.status, 200, JSON.stringify(told))
    assert.equal(told.status, 'success', 'the network took every signature for its account')
    const kept = (await world.store.transactions.find(told.hash))?.signed?.envelope ?? ''
    const bump = TransactionBuilder.fromXDR(kept, Networks.TESTNET)
    assert.ok(bump instanceof FeeBumpTransaction)
    const [operator, payer] = ['operator', 'payer'].map(key => next.get(key) ?? '')
    assert.deepEqual([bump.feeSource, bump.innerTransaction.source], [addressOf('payer'), addressOf('operator')])
    assert.deepEqual(signersOf(bump, addressOf('payer'), payer ?? ''), [payer])
    assert.deepEqual(signersOf(bump.innerTransaction, addressOf('operator'), operator ?? ''), [operator])
    const { signer: __, ...rest } = revocation('a', 1)
    const one = { template: 'vault-revoke', arguments: rest }
    assert.equal(
      (await world.pass(world.post('/v1/transactions/execute', one))).status,
      200,
      'an argument that is a key',
    )
    const intents = (await world.rig.records()).flatMap(record => (record.kind === 'intent' ? [record] : []))
    assert.deepEqual(
      intents.slice(0, 4).map(({ key, version, address, account }) => [key, version, address, account]),
      ['admin-a', 'admin-b', 'operator', 'payer'].map(key => [key, 2, next.get(key), addressOf(key as 'payer')]),
    )
  })
}

test('M-61 M-25 an envelope that the old version has signed is sent in the overlap, and after the cut-over no more', async () => {
  const world = await openRevocations()
  const deps = rotationDeps(world.rig)
  await beginRotation(deps, 'operator')
  await rotationStep(deps, 'operator', 'open')
  const submit = async (sequence: string) => {
    const tx = paid(addressOf('operator'), sequence)
    tx.sign(Keypair.fromRawEd25519Seed(seedOf('operator')))
    return world.pass(world.post('/v1/transactions/submit', { key: 'operator', xdr: tx.toXDR() }))
  }
  const sent = await submit('41')
  assert.equal(sent.status, 200, await sent.clone().text())
  assert.equal(world.stub.accepted.length, 1)
  await rotationStep(deps, 'operator', 'cutover')
  const late = await problemOf(await submit('42'))
  assert.deepEqual([late.code, late['field'], world.stub.accepted.length], ['payload/invalid', 'xdr', 1])
})

test('M-61 M-62 I5 a network is busy, and the version that signed the envelope is revoked meanwhile: it is not sent', async () => {
  const world = await openRevocations()
  const deps = rotationDeps(world.rig)
  await beginRotation(deps, 'operator')
  await rotationStep(deps, 'operator', 'open')
  world.stub.lies('submit', 'try-again', 'try-again', 'try-again')
  const tx = paid(addressOf('operator'), '41')
  tx.sign(Keypair.fromRawEd25519Seed(seedOf('operator')))
  const running = world.pass(world.post('/v1/transactions/submit', { key: 'operator', xdr: tx.toXDR() }))
  while ((world.stub.asked.get('submit') ?? 0) === 0) await new Promise(resolve => setTimeout(resolve, 1))
  await world.rig.store.keys.setState('operator', 1, 'revoked')
  assert.equal((await problemOf(await running)).code, 'key/not-active')
  assert.deepEqual(world.stub.accepted, [])
})

test('M-61 M-26 a proposal of before the overlap gets the signature of the old version in it; one of after, that of the new', async () => {
  const house = await openHouse({ policy: OWN })
  const { rig, ledger, ask, addressOf: at } = house
  const [treasury, ops] = [at('treasury'), at('ops')]
  const weights = { [treasury]: 1, [ops]: 1, [BOB.publicKey()]: 1 }
  const early = await house.open(payment(house))
  const deps = rotationDeps(rig)
  const next = await beginRotation(deps, 'treasury')
  const levels = { low: 1, medium: 2, high: 3 }
  ledger.accounts.set(treasury, stateOf(treasury, { ...weights, [next.address]: 1 }, levels))
  const between = await house.open(payment(house, { sequence: '2' }))
  await rotationStep(deps, 'treasury', 'open')

  const collected = await json(ask(`/v1/proposals/${early.id}/collect`, { keys: ['treasury'] }))
  assert.deepEqual([collected.signatures.map(({ signer }) => signer), missing(collected)], [[treasury], [1]])
  const again = await json(ask(`/v1/proposals/${early.id}/collect`, { keys: ['treasury'] }))
  assert.equal(again.signatures.length, 1, 'once')
  const both = await json(ask(`/v1/proposals/${between.id}/collect`, {}))
  assert.deepEqual(both.signatures.map(({ signer }) => signer).toSorted(), [next.address, ops].toSorted())
  assert.ok(both.ready)
  assert.equal((await house.awake(json(ask(`/v1/proposals/${between.id}/execute`)))).state, 'executed')

  await rotationStep(deps, 'treasury', 'cutover')
  ledger.accounts.set(treasury, stateOf(treasury, { [next.address]: 1, [ops]: 1, [BOB.publicKey()]: 1 }, levels))
  const late = await house.open(payment(house, { sequence: '3' }))
  const done = await json(ask(`/v1/proposals/${late.id}/collect`, {}))
  assert.ok(done.ready)
  assert.equal((await house.awake(json(ask(`/v1/proposals/${late.id}/execute`)))).state, 'executed')
  const gone = await problemOf(await ask(`/v1/proposals/${early.id}/collect`, {}))
  assert.deepEqual(
    [gone.code, /may sign for no account of it/.test(String(gone['reason']))],
    ['request/malformed', true],
  )
})

test('M-61 M-26 a key that is asked again after its rotation is still one signer: where two are needed it does not make them alone', async () => {
  const house = await openHouse({ policy: OWN })
  const { rig, ledger, ask, addressOf: at } = house
  const [treasury, ops] = [at('treasury'), at('ops')]
  const deps = rotationDeps(rig)
  const next = await beginRotation(deps, 'treasury')
  ledger.accounts.set(
    treasury,
    stateOf(treasury, { [treasury]: 1, [ops]: 1, [next.address]: 1 }, { low: 1, medium: 2, high: 3 }),
  )
  const proposal = await house.open(payment(house))
  const collect = () => json(ask(`/v1/proposals/${proposal.id}/collect`, { keys: ['treasury'] }))
  await collect()
  await rotationStep(deps, 'treasury', 'open')
  const again = await collect()
  assert.deepEqual([again.signatures.map(({ signer }) => signer), again.ready], [[treasury], false])
  await rotationStep(deps, 'treasury', 'revert')
  assert.equal((await collect()).ready, false)
  await rotationStep(deps, 'treasury', 'open')
  await rotationStep(deps, 'treasury', 'cutover')
  assert.equal((await collect()).ready, false)
  await rig.store.keys.setState('treasury', 1, 'revoked')
  const after = await collect()
  assert.deepEqual(
    after.signatures.map(({ signer }) => signer),
    [next.address],
    'of one that fell the next one takes the place',
  )
})

test('M-61 in the overlap both versions sign one envelope and one authorization, for the account of the first', async () => {
  const rig = await openRig({ policy: { ...OWN, ...CALLS } })
  const one = rig.key.version
  const next = await beginRotation(rotationDeps(rig), 'treasury')
  await rotationStep(rotationDeps(rig), 'treasury', 'open')
  const post = async (path: string, payload: object) => {
    const response = await rig.post(`/v1/keys/treasury/${path}`, payload)
    assert.equal(response.status, 200, await response.clone().text())
    return (await response.json()) as Record<'signedXdr' | 'signedAuthEntry' | 'address', string> & { account?: string }
  }
  const tx = paid(one.address)
  const first = await post('versions/1/sign', { type: 'stellar-transaction', xdr: tx.toXDR() })
  const both = await post('sign', { type: 'stellar-transaction', xdr: first.signedXdr })
  const signed = TransactionBuilder.fromXDR(both.signedXdr, Networks.TESTNET) as Transaction
  assert.deepEqual(signersOf(signed, one.address, next.address), [one.address, next.address])
  assert.deepEqual([signed.signatures.length, signed.source], [2, one.address])
  assert.deepEqual([first.account, both.account], [undefined, one.address], 'said where it is not the address')

  const entry = entryFor(one.address)
  const held = await post('versions/1/sign', { type: 'stellar-auth-entry', entry, expirationLedger: 900 })
  const whole = await post('versions/2/sign', { type: 'stellar-auth-entry', entry: held.signedAuthEntry })
  const read = xdr.SorobanAuthorizationEntry.fromXdr(whole.signedAuthEntry, 'base64')
  assert.ok(read.credentials.type === 'sorobanCredentialsAddress')
  const { address, signature } = read.credentials.address
  assert.ok(address.type === 'scAddressTypeAccount')
  assert.equal(Address.fromScAddress(address).toString(), one.address, 'the account stays')
  assert.ok(signature.type === 'scvVec')
  const found = (signature.vec ?? []).map(each => {
    const [pair] = each.type === 'scvMap' ? (each.map ?? []) : []
    return pair?.val.type === 'scvBytes' ? toHex(pair.val.bytes.toBytes()) : ''
  })
  assert.deepEqual(found, [one.address, next.address].map(each => toHex(bytesOf(each))).toSorted(), 'in their order')

  // Its own bare address is nobody: neither in an entry nor as a source.
  const bare = await problemOf(await rig.post('/v1/keys/treasury/sign', auth(next.address)))
  assert.deepEqual([bare.code, bare['field']], ['payload/invalid', 'entry'])
  assert.match(String(bare['reason']), new RegExp(`the account ${one.address} of the key ${next.address}`))
  const denied = await problemOf(await rig.sign({ xdr: paid(next.address).toXDR() }))
  assert.deepEqual([denied.code, denied['rule']], ['policy/denied', 'sources'])
  const fine = await rig.post('/v1/keys/treasury/sign', auth(one.address))
  assert.equal(fine.status, 200)
})

test('M-60 a key is registered for an account that it is a signer of, in every way in; on record, and used from the first day', async () => {
  const rig = await openRig()
  const deps = rotationDeps(rig)
  const account = Keypair.random().publicKey()
  const asked = (name: string): NewKey => ({
    ...{ name, chain: 'stellar', network: 'testnet', provider: 'mock', account },
    policy: JSON.stringify(OWN),
  })
  const seed = () => new SecretBytes(crypto.getRandomValues(new Uint8Array(32)), 'seed')
  const made = await createNative(deps, asked('made'))
  const ways = [
    made,
    await adopt(deps, { ...asked('adopted'), shared: true }, made.bindings[0]?.reference ?? ''),
    await wrapSeed(deps, asked('wrapped'), { seed: seed() }),
  ]
  for (const { key, version } of ways) {
    assert.equal((await rig.store.keys.resolve(key.name))?.version.account, account, key.name)
    const token = await rig.token(['sign:*', 'read:*'])
    const signed = await rig.post(
      `/v1/keys/${key.name}/sign`,
      { type: 'stellar-transaction', xdr: paid(account).toXDR() },
      { token },
    )
    const answer = (await signed.json()) as { signedXdr: string }
    assert.equal(signed.status, 200, JSON.stringify(answer))
    const tx = TransactionBuilder.fromXDR(answer.signedXdr, Networks.TESTNET) as Transaction
    assert.deepEqual(signersOf(tx, version.address), [version.address])
    const shown = await rig.http(`/v1/keys/${key.name}`, { headers: { authorization: `Bearer ${token}` } })
    const view = (await shown.json()) as Record<string, unknown>
    assert.deepEqual([view['address'], view['account']], [version.address, account])
  }
  const registered = (await rig.records()).flatMap(record =>
    record.kind === 'event' && record.event.startsWith('key-register') ? [record.detail['account']] : [],
  )
  assert.deepEqual(
    registered,
    Array.from({ length: 6 }, () => account),
  )
})

test('M-60 bad input: what is no account of the chain is refused before a key service makes anything', async () => {
  const rig = await openRig()
  const deps = rotationDeps(rig)
  const good = Keypair.random().publicKey()
  const secret = Keypair.random().secret()
  const bad: readonly [string, RegExp][] = [
    [`${good.slice(0, -1)}${good.endsWith('A') ? 'B' : 'A'}`, /checksum/],
    ['MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUQ', /muxed account .M…./],
    [contractId, /a contract/],
    [secret, /checksum/],
    [good.toLowerCase(), /checksum/],
    ['', /checksum/],
  ]
  for (const [account, says] of bad) {
    const asked = { name: 'hot', chain: 'stellar', network: 'testnet', provider: 'mock', account } as const
    await assert.rejects(createNative(deps, asked), refusal('request/malformed', says), account)
    await assert.rejects(createNative(deps, asked), error => !JSON.stringify(error).includes(secret.slice(0, 12)))
  }
  const evm = { name: 'hot', chain: 'evm', network: 'sepolia', provider: 'mock', account: good } as const
  await assert.rejects(createNative(deps, evm), refusal('request/malformed', /of an EVM key is its address/))
  assert.equal(await rig.store.keys.resolve('hot'), undefined)
  assert.equal((await rig.records()).length, 0)
})
