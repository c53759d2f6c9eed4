import assert from 'node:assert/strict'
import { test } from 'node:test'
import { networkCodec, passphraseOf } from '../../../src/chains/stellar/index.ts'
import { type AnySignerError, isSignerError } from '../../../src/domain/errors.ts'
import type { StellarNetwork } from '../../../src/domain/stellar-network.ts'
import type { Fetch } from '../../../src/domain/ports.ts'
import { openStellarNetwork } from '../../../src/network/index.ts'
import { alice, bob, testKey } from '../../fuzz/xdr-corpus.ts'
import { manualClock, watch } from '../../support/audit-world.ts'
import { unsignedPayment } from '../../support/payment.ts'
import { type Lie, openStubNetwork, type Question, STUB_HORIZON, stubbedTestnet } from '../../support/stub-network.ts'

const NOW = Date.UTC(2026, 10, 22, 12)
const never = new AbortController().signal

function open(by: 'rpc' | 'horizon', fetchWith?: (real: Fetch) => Fetch) {
  const clock = manualClock(NOW)
  const stub = openStubNetwork({ now: clock.now, closesAfter: 0 })
  stub.account(alice)
  stub.account(bob, { low: 1, medium: 2, high: 3, signers: [{ key: alice, weight: 2 }] })
  const way = by === 'rpc' ? undefined : { horizonUrl: `${STUB_HORIZON}/` }
  const network = stubbedTestnet({ fetch: fetchWith?.(stub.fetch) ?? stub.fetch, clock }, way)
  /** Lets pauses and deadlines pass. */
  const pass = async <T>(work: Promise<T>): Promise<T> => {
    const watched = watch(work)
    while (watched.state === 'waiting') {
      for (let turn = 0; turn < 40; turn++) await new Promise(resolve => setImmediate(resolve))
      if (watched.state === 'waiting') clock.advance(250)
    }
    return work
  }
  return { clock, stub, network, pass }
}

function payment(sequence = '41'): string {
  const transaction = unsignedPayment(sequence, NOW / 1000 + 300)
  transaction.sign(testKey('alice'))
  return transaction.toXDR()
}

async function failure(work: Promise<unknown>): Promise<AnySignerError> {
  try {
    await work
  } catch (error) {
    if (isSignerError(error)) return error
    throw error
  }
  return assert.fail('it was accepted')
}

for (const by of ['rpc', 'horizon'] as const) {
  test(`M-25 ${by}: accounts, ledgers, submissions and their ends are read as they are`, async () => {
    const { network, stub } = open(by)
    assert.deepEqual(await network.account(bob, never), {
      address: bob,
      sequence: 41n,
      thresholds: { low: 1, medium: 2, high: 3 },
      signers: [
        ...(by === 'rpc' ? [{ key: bob, weight: 1 }] : []),
        { key: alice, weight: 2 },
        ...(by === 'rpc' ? [] : [{ key: bob, weight: 1 }]),
      ],
    })
    assert.equal(await network.account(testKey('nobody').publicKey(), never), undefined)
    assert.deepEqual(await network.latestLedger(never), { sequence: 1000, closedAt: NOW })
    const envelope = payment()
    const hash = networkCodec('testnet').hashOf(envelope)
    assert.deepEqual(await network.transaction(hash, never), { kind: 'unknown', latestLedger: 1000 })
    assert.deepEqual(await network.submit(envelope, never), { kind: 'accepted', hash })
    assert.deepEqual(await network.submit(envelope, never), { kind: 'accepted', hash }, 'known already')
    assert.deepEqual(await network.transaction(hash, never), { kind: 'success', ledger: 1001 })
    const refused = await network.submit(payment('77'), never)
    assert.deepEqual([refused.kind, refused.kind === 'rejected' && refused.code], ['rejected', 'txBadSeq'])
    assert.equal(stub.asked.get('passphrase') ?? 1, 1, 'asked once')
  })

  test(`M-25 M-62 ${by}: once it is reached, what is submitted is on its way before anything else is waited for`, async () => {
    let asked = 0
    const { network } = open(by, real => (...given) => {
      asked++
      return real(...given)
    })
    await network.reached(never)
    assert.equal(asked, 1, 'its passphrase')
    const sending = network.submit(payment(), never)
    for (let step = 0; step < 5; step++) await Promise.resolve() // of this turn of the loop
    assert.equal(asked, 2)
    await network.reached(never)
    assert.equal((await sending).kind, 'accepted')
    assert.equal(asked, 2)
  })

  const ask: Readonly<Record<string, (network: StellarNetwork) => Promise<unknown>>> = {
    account: network => network.account(bob, never),
    ledger: network => network.latestLedger(never),
    submit: network => network.submit(payment(), never),
    transaction: network => network.transaction(networkCodec('testnet').hashOf(payment()), never),
  }
  const LIES: readonly (readonly [lie: Lie, code: string, questions: readonly Question[]])[] = [
    ['redirect', 'network/malformed', ['account', 'ledger', 'submit', 'transaction']],
    ['huge', 'network/malformed', ['account', 'ledger', 'submit', 'transaction']],
    ['not-json', 'network/malformed', ['account', 'ledger', 'submit', 'transaction']],
    ['other-hash', 'network/malformed', ['submit']],
    ['other-transaction', 'network/malformed', ['transaction']],
    ['hang', 'network/unavailable', ['account', 'submit', 'transaction']],
    ['lost', 'network/unavailable', ['submit']],
    ['unreachable', 'network/unavailable', ['submit']],
    ['status-500', 'network/unavailable', ['submit']],
  ]

  test(`M-25 ${by}: a node that lies, hangs, sends elsewhere or sends too much is refused, each with its code`, async () => {
    for (const [lie, code, questions] of LIES) {
      for (const question of questions) {
        const { network, stub, pass } = open(by)
        await network.latestLedger(never)
        if (question === 'transaction') await network.submit(payment(), never)
        const before = stub.asked.get(question) ?? 0
        stub.lies(question, lie)
        const error = await failure(pass(ask[question]?.(network) ?? assert.fail()))
        assert.equal(error.code, code, `${question} ${lie}`)
        assert.equal(stub.asked.get(question), before + 1, `${question} ${lie} is asked once`)
      }
    }
  })

  test(`M-25 ${by}: what changes nothing is asked three times, what changes something once`, async () => {
    const { network, stub, pass } = open(by)
    await network.latestLedger(never)
    stub.lies('account', 'unreachable', 'status-500')
    assert.equal((await pass(network.account(bob, never)))?.address, bob)
    stub.lies('account', 'unreachable', 'unreachable', 'unreachable')
    assert.equal((await failure(pass(network.account(bob, never)))).code, 'network/unavailable')
    assert.equal(stub.asked.get('account'), 6)
  })

  test(`M-25 ${by}: an endpoint on another network is told apart before it is asked for anything`, async () => {
    const { network, stub, pass } = open(by)
    stub.lies(by === 'rpc' ? 'passphrase' : 'ledger', 'other-network')
    const error = await failure(pass(network.submit(payment(), never)))
    assert.deepEqual([error.code, stub.asked.get('submit')], ['network/malformed', undefined])
  })

  test(`M-25 ${by}: the end of the request ends the question, also where fetch does not heed it`, async () => {
    const deaf: Fetch = () => new Promise(() => {})
    const { network } = open(by, () => deaf)
    const over = new AbortController()
    const asked = failure(network.account(bob, over.signal))
    over.abort()
    assert.equal((await asked).code, 'network/unavailable')
    assert.equal((await failure(network.account(bob, over.signal))).code, 'network/unavailable')
  })
}

test('M-25 RPC: an error of the node is no answer; one about what was sent is a refusal', async () => {
  const answering =
    (body: object): Fetch =>
    async (_, init) => {
      const { id, method } = JSON.parse(init.body as string) as { id: number; method: string }
      const result = method === 'getNetwork' ? { result: { passphrase: passphraseOf('testnet') } } : body
      return Response.json({ jsonrpc: '2.0', id, ...result })
    }
  const refused = open('rpc', () => answering({ error: { code: -32602, message: 'invalid params' } }))
  assert.deepEqual(await refused.network.submit(payment(), never), {
    ...{ kind: 'rejected', code: 'malformed', reason: 'it is not well formed' },
  })
  for (const [body, code] of [
    [{ error: { code: -32603, message: 'x' } }, 'network/unavailable'],
    [{ error: { code: 'x' } }, 'network/malformed'],
    [{ error: { code: -1 }, result: {} }, 'network/malformed'],
    [{}, 'network/malformed'],
    [{ result: [] }, 'network/malformed'],
    [{ result: { hash: 'ab' } }, 'network/malformed'],
    [{ result: { hash: networkCodec('testnet').hashOf(payment()), status: 'MAYBE' } }, 'network/malformed'],
    [
      { result: { hash: networkCodec('testnet').hashOf(payment()), status: 'ERROR', errorResultXdr: 'AAAA' } },
      'network/malformed',
    ],
  ] as const) {
    const { network } = open('rpc', () => answering(body))
    assert.equal((await failure(network.submit(payment(), never))).code, code, JSON.stringify(body))
  }
})

test('M-25 an endpoint is needed, and only Soroban RPC simulates', async () => {
  const { network } = open('horizon')
  assert.equal((await failure(network.simulate(payment(), never))).code, 'network/unavailable')
  const bare = {
    name: 'testnet',
    passphrase: 'x',
    codec: networkCodec('testnet'),
    fetch: fetch as Fetch,
    clock: manualClock(),
  }
  assert.throws(
    () => openStellarNetwork(bare),
    (error: unknown) => isSignerError(error) && error.code === 'config/invalid',
  )
})
