/** Transactions that wait for several signatures, over HTTP and against a network that counts as validators do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Account, Keypair, Networks, Operation, TransactionBuilder } from '@stellar/stellar-sdk'
import { toBase64 } from '../../../src/bytes/base64.ts'
import { toHex } from '../../../src/bytes/hex.ts'
import { account } from '../../support/ledger.ts'
import { ACTOR, BOB, EVE, json, missing, openHouse, payment, refused, signedBy } from '../../support/proposal-house.ts'
import { NOW } from '../../support/rig.ts'

test('M-26 a proposal is opened, collects from our keys and from outside, is executed once, and says so', async () => {
  const house = await openHouse()
  const { ledger, ask, get, rig } = house
  const tx = payment(house)
  const opened = await house.open(tx)
  assert.match(opened.approvalId ?? '', /^p_[0-9a-f]{32}$/)
  assert.equal(opened.id, opened.approvalId)
  assert.deepEqual([opened.state, opened.ready, opened.hash], ['collecting', false, toHex(tx.hash())])
  assert.deepEqual(missing(opened), [2])
  const at = `/v1/proposals/${opened.id}`

  const short = await refused(ask(`${at}/execute`))
  assert.deepEqual([short.code, /2 of G/.test(String(short['reason']))], ['proposal/conflict', true])

  const one = await json(ask(`${at}/collect`, { keys: ['treasury'] }))
  assert.deepEqual([missing(one), one.results?.map(({ key, status }) => [key, status])], [[1], [['treasury', 200]]])
  const { xdr, link } = await json<{ xdr: string; link: string }>(get(`${at}/envelope?msg=Please%20sign`))
  const back = TransactionBuilder.fromXDR(xdr, Networks.TESTNET)
  assert.deepEqual([back.signatures.length, toHex(back.hash())], [1, opened.hash])
  const uri = new URL(link)
  assert.equal(uri.protocol, 'web+stellar:')
  assert.deepEqual(
    ['xdr', 'msg', 'network_passphrase'].map(name => uri.searchParams.get(name)),
    [xdr, 'Please sign', Networks.TESTNET],
  )
  back.sign(BOB)
  const both = await json(ask(`${at}/signatures`, { xdr: back.toXDR() }))
  assert.deepEqual([missing(both), both.ready], [[0], true])
  const brought = new Map(both.signatures.map(({ signer, key, by }) => [signer, `${key} ${by}`]))
  assert.equal(brought.get(house.addressOf('treasury')), 'treasury tester')
  assert.equal(brought.get(BOB.publicKey()), 'null tester')

  const done = await house.awake(json(ask(`${at}/execute`)))
  assert.deepEqual([done.state, done.outcome], ['executed', 'ledger 42'])
  assert.equal(ledger.submitted.length, 1)
  assert.equal(ledger.submitted[0]?.hash, opened.hash)
  // Again, by anybody who may: the same answer, and nothing is sent.
  assert.deepEqual(await json(ask(`${at}/execute`)), done)
  assert.equal(ledger.submitted.length, 1)
  assert.deepEqual(await json(get(at)), done)
  // Proposed anew it is the same transaction, and the network runs that once.
  const replay = await house.open(tx)
  await json(ask(`/v1/proposals/${replay.id}/collect`, {}))
  assert.equal((await house.awake(json(ask(`/v1/proposals/${replay.id}/execute`)))).outcome, 'ledger 42')
  assert.equal(ledger.submitted.length, 1)
  await json(ask(`/v1/proposals/${replay.id}/execute`))

  const events = (await rig.records()).flatMap(record => (record.kind === 'event' ? [record.event] : []))
  for (const event of [
    'proposal-opened',
    'proposal-signed',
    'proposal-imported',
    'proposal-submitting',
    'proposal-executed',
  ])
    assert.ok(events.includes(event), event)
  assert.ok(events.indexOf('proposal-submitting') < events.indexOf('proposal-executed'))
  const told = (await house.told()).filter(({ body }) => body.includes(opened.id))
  assert.deepEqual(told.map(({ event }) => event).toSorted(), [
    'proposal.executed',
    'proposal.opened',
    'proposal.ready',
    'proposal.signed',
    'proposal.signed',
  ])
  for (const { body, event } of told) {
    const { type, timestamp, data } = JSON.parse(body) as { type: string; timestamp: string; data: { id: string } }
    assert.deepEqual([type, data.id], [event, opened.id])
    assert.ok(Date.parse(timestamp) >= NOW)
  }
})

test('M-26 a signature too many is not sent: a validator refuses what it has no use for', async () => {
  const house = await openHouse()
  const tx = payment(house)
  const { id } = await house.open(tx)
  await json(house.ask(`/v1/proposals/${id}/collect`, {}))
  const all = await json(house.ask(`/v1/proposals/${id}/signatures`, { xdr: signedBy(tx, BOB) }))
  assert.equal(all.signatures.length, 3)
  assert.equal((await house.awake(json(house.ask(`/v1/proposals/${id}/execute`)))).state, 'executed')
  const sent = TransactionBuilder.fromXDR(house.ledger.submitted[0]?.envelope ?? '', Networks.TESTNET)
  assert.equal(sent.signatures.length, 2)
})

test('M-26 one Idempotency-Key is one proposal; the same transaction waits once', async () => {
  const house = await openHouse()
  const tx = payment(house)
  const body = { xdr: tx.toXDR(), keys: ['treasury', 'ops'] }
  const both = await Promise.all([1, 2].map(() => json(house.ask('/v1/proposals', body, { key: 'same' }))))
  assert.deepEqual(both[0], both[1])
  await json(house.ask(`/v1/proposals/${both[0]?.id}/collect`, { keys: ['ops'] }))
  assert.deepEqual(missing(await json(house.ask('/v1/proposals', body, { key: 'same' }))), [1])
  const other = { ...body, xdr: payment(house, { sequence: '2' }).toXDR() }
  assert.equal((await refused(house.ask('/v1/proposals', other, { key: 'same' }))).code, 'idempotency/mismatch')
  const twice = await refused(house.ask('/v1/proposals', body, { key: 'another' }))
  assert.deepEqual([twice.code, twice['id']], ['proposal/conflict', both[0]?.id])
  await json(house.ask(`/v1/proposals/${both[0]?.id}/cancel`))
  assert.equal((await json(house.ask('/v1/proposals', body, { key: 'another' }))).state, 'collecting')
  assert.equal((await refused(house.ask('/v1/proposals', body, { key: '' }))).code, 'idempotency/missing')
})

test('M-26 T70 keys are judged together; what one service fails can be asked for again', async () => {
  const house = await openHouse({ keys: [{ name: 'strict', policy: { version: 1 } }] })
  const { rig, down, ask, addressOf } = house
  const treasury = addressOf('treasury')
  const four = { [treasury]: 1, [addressOf('ops')]: 1, [addressOf('strict')]: 1 }
  house.ledger.accounts.set(treasury, account(treasury, four, { low: 2, medium: 2 }))
  const { id } = await house.open(payment(house), { keys: ['treasury', 'ops', 'strict'] })
  const problem = await refused(ask(`/v1/proposals/${id}/collect`, {}))
  assert.equal(problem.code, 'batch/refused')
  assert.deepEqual(
    (problem['findings'] as { key: string; code: string }[]).map(({ key, code }) => [key, code]),
    [['strict', 'policy/denied']],
  )
  assert.equal(rig.signatures(), 0)
  down.add('ops')
  const one = await json(ask(`/v1/proposals/${id}/collect`, { keys: ['treasury', 'ops'] }))
  assert.deepEqual([one.results?.map(({ status }) => status), one.signatures.length], [[200, 503], 1])
  down.clear()
  const two = await json(ask(`/v1/proposals/${id}/collect`, { keys: ['treasury', 'ops'] }))
  assert.deepEqual([two.results?.map(({ key }) => key), two.ready], [['ops'], true])
  assert.deepEqual((await json(ask(`/v1/proposals/${id}/collect`, { keys: ['treasury'] }))).results, [])
})

test('M-26 bad input: what is proposed must be possible, and is refused with its field', async () => {
  const house = await openHouse({
    keys: [{ name: 'evm', chain: 'evm' }, { name: 'elsewhere', network: 'futurenet' }, { name: 'stranger' }],
  })
  const { addressOf, ask } = house
  const xdr = payment(house).toXDR()
  const treasury = addressOf('treasury')
  const keys = ['treasury', 'ops']
  const signers = [
    { key: treasury, weight: 1 },
    { key: addressOf('ops'), weight: 1 },
  ]
  const need = (over: object) => ({ xdr, keys, needed: [{ account: treasury, threshold: 2, signers, ...over }] })
  const bad: readonly [object, string, string][] = [
    [{ keys }, 'request/malformed', 'xdr'],
    [{ xdr, keys, more: 1 }, 'request/malformed', 'more'],
    [{ xdr, keys: [] }, 'request/malformed', 'keys'],
    [{ xdr, keys: ['treasury', 'treasury'] }, 'request/malformed', 'keys[1]'],
    [{ xdr, keys: ['treasury', 'evm'] }, 'request/malformed', 'keys[1]'],
    [{ xdr, keys: ['treasury', 'elsewhere'] }, 'request/malformed', 'keys[1]'],
    [{ xdr, keys: ['treasury', 'stranger'] }, 'request/malformed', 'keys[1]'],
    [{ xdr, keys: ['nobody'] }, 'key/unknown', ''],
    [{ xdr, keys, expiresInSeconds: 0 }, 'request/malformed', 'expiresInSeconds'],
    [{ xdr, keys, expiresInSeconds: 31 * 86_400 }, 'request/malformed', 'expiresInSeconds'],
    [{ xdr: 'AAAA', keys }, 'payload/invalid', 'xdr'],
    [{ xdr: payment(house, { minutes: -1 }).toXDR(), keys }, 'payload/invalid', 'xdr'],
    [{ xdr: signedBy(payment(house), EVE), keys }, 'payload/invalid', 'xdr'],
    [{ xdr: signedBy(payment(house), BOB, BOB), keys }, 'payload/invalid', 'xdr'],
    [need({ threshold: 0 }), 'request/malformed', 'needed[0].threshold'],
    [need({ threshold: 256 }), 'request/malformed', 'needed[0].threshold'],
    [need({ threshold: 3 }), 'request/malformed', 'needed[0].threshold'],
    [need({ account: EVE.publicKey() }), 'request/malformed', 'needed[0].account'],
    [need({ signers: [] }), 'request/malformed', 'needed[0].signers'],
    [need({ signers: [...signers, signers[0]] }), 'request/malformed', 'needed[0].signers[2].key'],
    [need({ signers: [...signers, { key: 'GABC', weight: 1 }] }), 'payload/invalid', 'candidates'],
    [
      need({ signers: [...signers, { key: treasury, weight: 1.5 }] }),
      'request/malformed',
      'needed[0].signers[2].weight',
    ],
    [{ xdr, keys, needed: [] }, 'request/malformed', 'needed'],
    [{ xdr, keys, needed: 'two' }, 'request/malformed', 'needed'],
  ]
  for (const [body, code, field] of bad) {
    const problem = await refused(ask('/v1/proposals', body))
    assert.deepEqual([problem.code, problem['field'] ?? ''], [code, field], JSON.stringify(body).slice(-200))
  }
  // An account of a second source, which is not listed.
  const two = new TransactionBuilder(new Account(treasury, '1'), { fee: '1000', networkPassphrase: Networks.TESTNET })
    .addOperation(Operation.bumpSequence({ bumpTo: '9', source: EVE.publicKey() }))
    .setTimeout(0)
    .build()
  const lacking = await refused(ask('/v1/proposals', { ...need({}), xdr: two.toXDR() }))
  assert.deepEqual([lacking.code, lacking['field']], ['request/malformed', 'needed'])
  // Twenty-one signatures are no envelope.
  const twenty = payment(house)
  twenty.sign(...Array.from({ length: 21 }, () => Keypair.random()))
  let many: string
  try {
    many = twenty.toXDR()
  } catch {
    many = ''
  }
  const full = await refused(ask('/v1/proposals', { xdr: many === '' ? 'AAAAAgAA' : many, keys }))
  assert.deepEqual([full.code, full['field']], ['payload/invalid', 'xdr'])
  assert.equal(house.rig.signatures(), 0)
  assert.deepEqual((await json<{ proposals: unknown[] }>(house.get('/v1/proposals'))).proposals, [])
})

test('M-26 bad input: a foreign transaction, a stranger, a duplicate, one who has signed, a signature for another', async () => {
  const house = await openHouse()
  const tx = payment(house)
  const { id } = await house.open(tx)
  const imports = (body: object) => house.ask(`/v1/proposals/${id}/signatures`, body)
  const good = toBase64(Uint8Array.from(BOB.sign(tx.hash())))
  const bob = BOB.publicKey()
  const bad: readonly [object, string, string][] = [
    [{ xdr: signedBy(payment(house, { sequence: '2' }), BOB) }, 'payload/invalid', 'xdr'],
    [{ xdr: signedBy(tx, EVE) }, 'payload/invalid', 'xdr'],
    [{ xdr: signedBy(tx, BOB, EVE) }, 'payload/invalid', 'xdr'],
    [{ xdr: signedBy(tx, BOB, BOB) }, 'payload/invalid', 'xdr'],
    [{ xdr: tx.toXDR() }, 'payload/invalid', 'xdr'],
    [{ xdr: 'AAAA' }, 'payload/invalid', 'xdr'],
    [{ signatures: [{ signer: EVE.publicKey(), signature: good }] }, 'payload/invalid', 'signatures[0].signer'],
    [
      { signatures: [{ signer: bob, signature: toBase64(new Uint8Array(64)) }] },
      'payload/invalid',
      'signatures[0].signature',
    ],
    [
      { signatures: [{ signer: house.addressOf('ops'), signature: good }] },
      'payload/invalid',
      'signatures[0].signature',
    ],
    [{ signatures: [1, 2].map(() => ({ signer: bob, signature: good })) }, 'request/malformed', 'signatures[1].signer'],
    [{ signatures: [{ signer: bob, signature: 'no base64' }] }, 'request/malformed', 'signatures[0].signature'],
    [
      { signatures: [{ signer: bob, signature: toBase64(new Uint8Array(72)) }] },
      'request/malformed',
      'signatures[0].signature',
    ],
    [{ signatures: [] }, 'request/malformed', 'signatures'],
    [{ signatures: [{ signer: bob, signature: good, more: 1 }] }, 'request/malformed', 'signatures[0].more'],
    [{ xdr: tx.toXDR(), signatures: [{ signer: bob, signature: good }] }, 'request/malformed', 'xdr'],
    [{}, 'request/malformed', 'xdr'],
  ]
  for (const [body, code, field] of bad) {
    const problem = await refused(imports(body))
    assert.deepEqual([problem.code, problem['field']], [code, field], JSON.stringify(body).slice(0, 200))
  }
  assert.deepEqual((await json(house.get(`/v1/proposals/${id}`))).signatures, [])
  // Bare, decorated, and as an envelope it is one signature.
  const decorated = Uint8Array.from([...BOB.rawPublicKey().slice(-4), 0, 0, 0, 64, ...BOB.sign(tx.hash())])
  for (const body of [
    { signatures: [{ signer: bob, signature: good }] },
    { signatures: [{ signer: bob, signature: toBase64(decorated) }] },
    { xdr: signedBy(tx, BOB) },
  ]) {
    assert.equal((await json(imports(body))).signatures.length, 1)
  }
  assert.equal((await house.told()).filter(({ event }) => event === 'proposal.signed').length, 1)
})

test('M-26 who may not read every key of a proposal finds no trace of it; who may not propose or submit is refused', async () => {
  const house = await openHouse()
  const { id } = await house.open(payment(house))
  const at = `/v1/proposals/${id}`
  const half = await house.rig.token(['read:treasury', 'propose:treasury', 'submit:treasury', 'sign:treasury'])
  const reader = await house.rig.token(['read:*', 'sign:*'])
  assert.equal((await refused(house.get(at, half))).code, 'proposal/unknown')
  assert.deepEqual((await json<{ proposals: unknown[] }>(house.get('/v1/proposals', half))).proposals, [])
  assert.equal(
    (await json<{ proposals: unknown[] }>(house.get('/v1/proposals?state=collecting', reader))).proposals.length,
    1,
  )
  for (const path of ['collect', 'signatures', 'cancel', 'execute']) {
    const body = path === 'signatures' ? { xdr: 'AAAA' } : {}
    assert.equal((await refused(house.ask(`${at}/${path}`, body, { token: half }))).code, 'proposal/unknown', path)
    assert.equal((await refused(house.ask(`${at}/${path}`, body, { token: reader }))).code, 'access/denied', path)
  }
  assert.equal(
    (await refused(house.ask('/v1/proposals', { xdr: 'x', keys: ['ops'] }, { token: half }))).code,
    'access/denied',
  )
  // Proposing is no right to sign.
  const proposer = await house.rig.token(['read:*', 'propose:*'])
  const problem = await refused(house.ask(`${at}/collect`, {}, { token: proposer }))
  assert.equal(problem.code, 'batch/refused')
  for (const bad of ['p_0', `p_${'0'.repeat(32)}`, '..', 'P_'.padEnd(34, 'A')])
    assert.equal((await refused(house.get(`/v1/proposals/${encodeURIComponent(bad)}`))).status, 404)
  for (const [query, field] of [
    ['?state=lost', 'state'],
    ['?limit=0', 'limit'],
    ['?limit=1e2', 'limit'],
    ['?limit=1&limit=2', 'limit'],
    ['?more=1', 'more'],
  ]) {
    const bad = await refused(house.get(`/v1/proposals${query}`))
    assert.deepEqual([bad.code, bad['field']], ['request/malformed', field])
  }
  for (const query of ['?callback=http://example.com', '?callback=nonsense', `?msg=${'x'.repeat(301)}`, '?xdr=1'])
    assert.equal((await refused(house.get(`${at}/envelope${query}`))).code, 'request/malformed')
  const link = await json<{ link: string }>(
    house.get(`${at}/envelope?callback=${encodeURIComponent('https://a.example/x?y=1&z=2')}`),
  )
  assert.equal(new URL(link.link).searchParams.get('callback'), 'url:https://a.example/x?y=1&z=2')
  assert.equal((await refused(house.ask(`${at}/cancel`, { now: true }))).code, 'request/malformed')
})

test('M-26 it ends with its time, and with that of the transaction; what has ended stays so', async () => {
  const house = await openHouse()
  const short = await house.open(payment(house, { minutes: 5 }), { expiresInSeconds: 3_600 })
  assert.equal(Date.parse(short.expiresAt), NOW + 300_000)
  const soon = await house.open(payment(house, { sequence: '2', minutes: 0 }), { expiresInSeconds: 60 })
  assert.equal(Date.parse(soon.expiresAt), NOW + 60_000)
  const late = await house.open(payment(house, { sequence: '3', minutes: 0 }))
  assert.equal(Date.parse(late.expiresAt), NOW + 86_400_000)
  await json(house.ask(`/v1/proposals/${soon.id}/collect`, {}))
  house.rig.clock.advance(60_000)
  assert.equal((await json(house.get(`/v1/proposals/${soon.id}`))).state, 'expired')
  for (const [path, body] of [
    ['collect', { keys: ['ops'] }],
    ['execute', {}],
    ['signatures', { xdr: signedBy(payment(house, { sequence: '2', minutes: 0 }), BOB) }],
  ] as const) {
    if (path === 'collect') continue
    assert.equal((await refused(house.ask(`/v1/proposals/${soon.id}/${path}`, body))).code, 'proposal/conflict', path)
  }
  const warned: unknown[] = []
  const logger = { warn: (...given: unknown[]) => void warned.push(given) }
  await house.proposals.tend(ACTOR, logger)
  await house.proposals.tend(ACTOR, logger)
  assert.equal((await house.rig.store.proposals.find(soon.id))?.state, 'expired')
  assert.equal((await house.told()).filter(({ event }) => event === 'proposal.expired').length, 1)
  house.rig.clock.advance(240_000)
  assert.equal((await refused(house.ask(`/v1/proposals/${short.id}/collect`, {}))).code, 'proposal/conflict')
  assert.equal((await refused(house.ask(`/v1/proposals/${soon.id}/cancel`))).code, 'proposal/conflict')
  assert.equal((await json(house.ask(`/v1/proposals/${late.id}/cancel`))).outcome, 'cancelled by tester')
  assert.equal((await refused(house.ask(`/v1/proposals/${late.id}/execute`))).code, 'proposal/conflict')
  assert.deepEqual(warned, [])
})

test('M-26 weights are read from the accounts at the threshold that each reaches, or given where nobody can be asked', async () => {
  const house = await openHouse()
  const treasury = house.addressOf('treasury')
  const source = EVE.publicKey()
  house.ledger.accounts.set(
    source,
    account(source, { [source]: 0, [BOB.publicKey()]: 5 }, { low: 0, medium: 3, high: 9 }),
  )
  const builder = new TransactionBuilder(new Account(treasury, '1'), {
    fee: '1000',
    networkPassphrase: Networks.TESTNET,
  })
    .addOperation(Operation.bumpSequence({ bumpTo: '9' }))
    .addOperation(Operation.bumpSequence({ bumpTo: '9', source }))
    .addOperation(Operation.createAccount({ destination: Keypair.random().publicKey(), startingBalance: '1', source }))
    .setTimeout(0)
  const view = await house.open(builder.build())
  assert.deepEqual(
    view.accounts.map(({ account: address, threshold, signers }) => [
      address,
      threshold,
      signers.map(({ weight }) => weight),
    ]),
    [
      [treasury, 1, [1, 1, 1]],
      [source, 3, [5]],
    ],
  )
  const merge = new TransactionBuilder(new Account(treasury, '2'), { fee: '100', networkPassphrase: Networks.TESTNET })
    .addOperation(Operation.accountMerge({ destination: BOB.publicKey() }))
    .setTimeout(0)
    .build()
  assert.deepEqual(missing(await house.open(merge)), [3])
  // An account that is not there yet signs with its own key; one that nobody can sign for is refused.
  const fresh = new TransactionBuilder(new Account(house.addressOf('ops'), '2'), {
    fee: '100',
    networkPassphrase: Networks.TESTNET,
  })
    .addOperation(Operation.bumpSequence({ bumpTo: '9' }))
    .setTimeout(0)
  assert.deepEqual(missing(await house.open(fresh.build(), { keys: ['ops'] })), [1])
  house.ledger.accounts.set(treasury, account(treasury, { [treasury]: 1 }, { medium: 2 }))
  const stuck = await refused(house.ask('/v1/proposals', { xdr: payment(house).toXDR(), keys: ['treasury'] }))
  assert.deepEqual([stuck.code, stuck['field']], ['payload/invalid', 'xdr'])

  const alone = await openHouse({ nodes: false })
  const body = { xdr: payment(alone).toXDR(), keys: ['treasury'] }
  assert.equal((await refused(alone.ask('/v1/proposals', body)))['field'], 'needed')
  const address = alone.addressOf('treasury')
  const needed = [{ account: address, threshold: 1, signers: [{ key: address, weight: 1 }] }]
  const given = await json(alone.ask('/v1/proposals', { ...body, needed }))
  await json(alone.ask(`/v1/proposals/${given.id}/collect`))
  const nowhere = await refused(alone.ask(`/v1/proposals/${given.id}/execute`))
  assert.deepEqual([nowhere.code, /no node/.test(String(nowhere['reason']))], ['proposal/conflict', true])
})
