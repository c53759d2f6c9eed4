/** Several keys on one envelope: all or nothing in judgement, per key in the result. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  Account,
  Asset,
  FeeBumpTransaction,
  Keypair,
  Networks,
  Operation,
  Transaction,
  TransactionBuilder,
} from '@stellar/stellar-sdk'
import { toHex } from '../../../src/bytes/hex.ts'
import { signaturesOf, withSignatures } from '../../../src/chains/stellar/index.ts'
import { cosignRoutes } from '../../../src/http/routes-cosign.ts'
import { demoPolicy, type PolicyDocument } from '../../../src/policy/index.ts'
import { cosign } from '../../../src/service/cosign.ts'
import { openRigWithOutages } from '../../support/outage.ts'
import { NOW, problemOf, type Rig, type RigOptions } from '../../support/rig.ts'

const NAMES = Array.from({ length: 20 }, (_, n) => `channel-${n + 1}`)
const MINUTE = 60
const DEMO = JSON.parse(demoPolicy().text) as PolicyDocument

interface Told {
  readonly signedXdr: string
  readonly hash: string
  readonly results: readonly {
    readonly key: string
    readonly status: number
    readonly answer?: { readonly signature: string; readonly replayed: boolean; readonly signedXdr: string }
    readonly problem?: { readonly code: string }
  }[]
}

/** Twenty channels beside the treasury; `down` names those whose key service is out. */
async function openHouse({ channels = 3, ...options }: RigOptions & { readonly channels?: number } = {}) {
  const { rig, down } = await openRigWithOutages({
    ...options,
    keys: [...NAMES.slice(0, channels).map(name => ({ name })), ...(options.keys ?? [])],
    log: 'memory',
    families: room => [cosignRoutes(request => cosign(room.deps, request))],
  })
  let count = 0
  const ask = async (
    keys: readonly unknown[],
    xdr: string,
    over: { key?: string; token?: string; body?: object } = {},
  ) =>
    rig.post('/v1/cosign', over.body ?? { keys, payload: { type: 'stellar-transaction', xdr } }, {
      idempotencyKey: over.key ?? `cosign-${++count}`,
      token: over.token ?? (await rig.token()),
    })
  return { rig, down, ask }
}

const addressOf = (rig: Rig, name: string): string => rig.keys.get(name)?.version.address ?? assert.fail(name)

/** A payment of the treasury to a supplier; the demo policy allows it. */
const payment = (rig: Rig, sequence = '1'): Transaction =>
  new TransactionBuilder(new Account(addressOf(rig, 'treasury'), sequence), {
    fee: '1000',
    networkPassphrase: Networks.TESTNET,
    timebounds: { minTime: 0, maxTime: NOW / 1000 + 5 * MINUTE },
  })
    .addOperation(Operation.payment({ destination: Keypair.random().publicKey(), asset: Asset.native(), amount: '1' }))
    .build()

const signersOf = async (xdr: string, rig: Rig): Promise<string[]> => {
  const addresses = new Map([...rig.keys].map(([name, { version }]) => [version.address, name]))
  const { found, strange } = await signaturesOf(xdr, 'testnet', [...addresses.keys()])
  assert.equal(strange, 0)
  return found.map(({ signer }) => addresses.get(signer) ?? signer)
}

test('M-24 twenty keys sign one envelope in one call, in order, and a retry gives the same answer', async () => {
  const { rig, ask } = await openHouse({ channels: 20 })
  const tx = payment(rig)
  const response = await ask(NAMES, tx.toXDR(), { key: 'k' })
  assert.equal(response.status, 200)
  const told = (await response.json()) as Told
  assert.equal(told.hash, toHex(tx.hash()))
  assert.deepEqual(
    told.results.map(({ key, status }) => [key, status]),
    NAMES.map(name => [name, 200]),
  )
  assert.deepEqual(await signersOf(told.signedXdr, rig), NAMES)
  const signed = TransactionBuilder.fromXDR(told.signedXdr, Networks.TESTNET)
  for (const [at, name] of NAMES.entries()) {
    const signature = signed.signatures[at]?.signature.toBytes() ?? assert.fail()
    assert.ok(Keypair.fromPublicKey(addressOf(rig, name)).verify(tx.hash(), signature))
  }
  const before = rig.signatures()
  const again = (await (await ask(NAMES, tx.toXDR(), { key: 'k' })).json()) as Told
  assert.equal(again.signedXdr, told.signedXdr)
  assert.ok(again.results.every(({ answer }) => answer?.replayed === true))
  assert.equal(rig.signatures(), before)
})

test('M-24 T70 one key that is refused refuses all: nothing is signed, every refusal is told and on record', async () => {
  const { rig, ask } = await openHouse({
    keys: [
      { name: 'other-chain', chain: 'evm' },
      { name: 'strict', policy: { version: 1 } },
    ],
  })
  const token = await rig.token(['sign:treasury', 'sign:strict', 'sign:gone', 'sign:other-chain'])
  const keys = ['treasury', 'strict', 'channel-1', 'gone', 'other-chain']
  const response = await ask(keys, payment(rig).toXDR(), { token })
  assert.equal(response.status, 403)
  const problem = await problemOf(response)
  assert.equal(problem.code, 'batch/refused')
  const findings = problem['findings'] as { field: string; key: string; code: string; rule?: string; reason?: string }[]
  assert.deepEqual(
    findings.map(({ field, key, code }) => [field, key, code]),
    [
      ['keys[1]', 'strict', 'policy/denied'],
      ['keys[2]', 'channel-1', 'access/denied'],
      ['keys[3]', 'gone', 'key/unknown'],
      ['keys[4]', 'other-chain', 'payload/unsupported'],
    ],
  )
  assert.ok(findings[0]?.rule !== undefined)
  assert.equal(rig.signatures(), 0)
  const denied = (await rig.records()).filter(({ kind }) => kind === 'intent')
  assert.deepEqual(
    denied.map(record => 'key' in record && record.key),
    ['strict'],
  )
  assert.deepEqual(
    rig.refusals.map(({ key, errorCode }) => [key, errorCode]),
    [
      ['channel-1', 'access/denied'],
      ['gone', 'key/unknown'],
      ['other-chain', 'payload/unsupported'],
    ],
  )
})

test('M-24 a fault at each of 20 places: the others are there, that one has its problem, a retry signs what is missing', async () => {
  const { rig, down, ask } = await openHouse({ channels: 20, unguarded: true })
  for (const [at, name] of NAMES.entries()) {
    const tx = payment(rig, String(at + 1))
    const key = `fault-${at}`
    down.add(name)
    const told = (await (await ask(NAMES, tx.toXDR(), { key })).json()) as Told
    assert.deepEqual(
      told.results.map(({ status }) => status),
      NAMES.map(each => (each === name ? 503 : 200)),
    )
    assert.equal(told.results[at]?.problem?.code, 'provider/unavailable')
    assert.deepEqual(
      await signersOf(told.signedXdr, rig),
      NAMES.filter(each => each !== name),
    )
    down.clear()
    const before = rig.signatures()
    const whole = (await (await ask(NAMES, tx.toXDR(), { key })).json()) as Told
    assert.equal(rig.signatures(), before + 1)
    assert.deepEqual(await signersOf(whole.signedXdr, rig), NAMES)
    assert.deepEqual(
      whole.results.map(({ answer }) => answer?.replayed),
      NAMES.map(each => each !== name),
    )
  }
})

test('M-24 M-21 the inner envelope of a fee bump comes back byte for byte, signatures on it too', async () => {
  const { rig, ask } = await openHouse()
  const inner = payment(rig)
  inner.sign(Keypair.random())
  const bump = TransactionBuilder.buildFeeBumpTransaction(addressOf(rig, 'treasury'), '4000', inner, Networks.TESTNET)
  const told = (await (await ask(['treasury', 'channel-1'], bump.toXDR())).json()) as Told
  const back = TransactionBuilder.fromXDR(told.signedXdr, Networks.TESTNET)
  assert.ok(back instanceof FeeBumpTransaction)
  assert.equal(back.innerTransaction.toXDR(), inner.toXDR())
  assert.equal(back.signatures.length, 2)
  assert.equal(told.hash, toHex(bump.hash()))
  assert.notEqual(told.hash, toHex(inner.hash()))
})

test('M-24 signatures that are there stay; ours is not added twice; there is no room for a twenty-first', async () => {
  const { rig, ask } = await openHouse()
  const tx = payment(rig)
  const strangers = Array.from({ length: 18 }, () => Keypair.random())
  tx.sign(...strangers)
  const told = (await (await ask(['channel-1', 'channel-2'], tx.toXDR())).json()) as Told
  const signed = TransactionBuilder.fromXDR(told.signedXdr, Networks.TESTNET)
  assert.equal(signed.signatures.length, 20)
  assert.deepEqual(signed.signatures.slice(0, 18), tx.signatures)
  const before = rig.signatures()
  const full = await problemOf(await ask(['channel-1', 'channel-2', 'channel-3'], tx.toXDR()))
  assert.deepEqual([full.code, full['field']], ['payload/invalid', 'xdr'])
  assert.match(String(full['reason']), /holds 18 signatures; there is no room for 3 more/)
  // One of the three has signed already.
  const one = told.results[0]?.answer?.signedXdr ?? assert.fail()
  const { found } = await signaturesOf(one, 'testnet', [
    ...strangers.map(each => each.publicKey()),
    addressOf(rig, 'channel-1'),
  ])
  const seventeen = withSignatures(one, found.slice(1), 'testnet')
  const again = (await (await ask(['channel-1', 'channel-2', 'channel-3'], seventeen)).json()) as Told
  assert.equal(TransactionBuilder.fromXDR(again.signedXdr, Networks.TESTNET).signatures.length, 20)
  assert.ok(rig.signatures() > before)
  const twenty = await problemOf(await ask(['channel-3'], told.signedXdr))
  assert.equal(twenty.code, 'batch/refused')
})

test('M-24 a request that cannot be meant is refused with its field, and nothing is signed', async () => {
  const seed = new Uint8Array(32).fill(9)
  const { rig, ask } = await openHouse({
    keys: [
      { name: 'twin-a', custody: 'envelope', seed },
      { name: 'twin-b', custody: 'envelope', seed },
      { name: 'elsewhere', network: 'futurenet', policy: { ...DEMO, network: 'futurenet' } },
    ],
  })
  const xdr = payment(rig).toXDR()
  const payload = { type: 'stellar-transaction', xdr }
  const bad: readonly [readonly unknown[], object | undefined, string][] = [
    [[], undefined, 'keys'],
    [[...NAMES, 'treasury'], undefined, 'keys'],
    [['treasury', 'treasury'], undefined, 'keys[1]'],
    [['treasury', 7], undefined, 'keys[1]'],
    [['treasury', 'no/name'], undefined, 'keys[1]'],
    [['twin-a', 'treasury', 'twin-b'], undefined, 'keys[2]'],
    [['treasury', 'channel-1', 'elsewhere'], undefined, 'keys[2]'],
    [[], { keys: ['treasury'], payload, more: 1 }, 'more'],
    [[], { keys: ['treasury'] }, 'payload'],
    [[], { keys: ['treasury'], payload: { type: 'stellar-message', message: 'x' } }, 'payload.type'],
    [[], { keys: ['treasury'], payload: { type: 'stellar-transaction' } }, 'payload.xdr'],
    [[], { keys: 'treasury', payload }, 'keys'],
  ]
  for (const [at, [keys, body, field]] of bad.entries()) {
    const problem = await problemOf(await ask(keys, xdr, body === undefined ? {} : { body }))
    assert.deepEqual([problem.code, problem['field']], ['request/malformed', field], `${at}`)
    assert.deepEqual([rig.refusals.length, rig.refusals.at(-1)?.errorCode], [at + 1, 'request/malformed'])
  }
  const surplus = await problemOf(
    await ask(['treasury'], xdr, { body: { keys: ['treasury'], payload: { ...payload, more: 1 } } }),
  )
  assert.equal(surplus.code, 'batch/refused')
  assert.equal((await problemOf(await ask(['treasury'], xdr, { key: 'k'.repeat(253) }))).code, 'idempotency/malformed')
  assert.equal(rig.signatures(), 0)
})
