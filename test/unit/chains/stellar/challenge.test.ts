import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { WebAuth } from '@stellar/stellar-sdk'
import {
  Account,
  type Keypair,
  Networks,
  Operation,
  Transaction,
  TransactionBuilder,
  xdr,
} from '@stellar/stellar-sdk/base'
import { stellarPayloads, withoutSignatures } from '../../../../src/chains/stellar/index.ts'
import type { Asked } from '../../../../src/domain/payload.ts'
import type { ChallengeView } from '../../../../src/domain/stellar.ts'
import { demoPolicy, decide } from '../../../../src/policy/index.ts'
import {
  feeBump,
  muxed,
  namedCorpus,
  operations as samples,
  testKey,
  timeBounds,
  type TransactionParts,
  unmuxed,
  v0,
  v1,
} from '../../../fuzz/xdr-corpus.ts'
import { askPayload, assertInvalid, signatoryOf } from './samples.ts'

const server = testKey('server')
const client = testKey('alice')
const wallet = testKey('wallet')
const TESTNET = Networks.TESTNET

const signatory = (key: Keypair, network = 'testnet') => signatoryOf(key.publicKey(), network)
const ask = (fields: Record<string, unknown>, key: Keypair = client, network = 'testnet'): Asked =>
  askPayload('stellar-challenge', fields, signatory(key, network))
const viewOf = ({ view }: Asked): ChallengeView => {
  assert.ok(view.kind === 'challenge')
  return view
}
const refused = (fields: Record<string, unknown>, field: string, reason: RegExp, key: Keypair = client): void => {
  assertInvalid(() => ask(fields, key), field, reason)
}

/** The SDK issues. */
const issued = (account = client.publicKey(), memo: string | null = null, clientDomain?: string): string =>
  WebAuth.buildChallengeTx(
    server,
    account,
    'home.example',
    300,
    TESTNET,
    'auth.example:8443',
    memo,
    clientDomain ?? null,
    clientDomain === undefined ? null : wallet.publicKey(),
  )

function signed(key: Keypair, asked: Asked): Transaction {
  assert.ok(asked.input.scheme === 'ed25519')
  const { signedXdr } = asked.attach(key.rawPublicKey(), key.sign(asked.input.message))
  return new Transaction(signedXdr ?? '', TESTNET)
}

test('M-23 SEP-10, role client: what the SDK issued is answered, and the SDK accepts the answer', () => {
  const text = issued()
  const expected = { serverAddress: server.publicKey(), homeDomain: 'home.example', webAuthDomain: 'auth.example:8443' }
  const asked = ask({ role: 'client', xdr: text, ...expected })
  const view = viewOf(asked)
  assert.equal(view.role, 'client')
  assert.equal(view.serverAddress, server.publicKey())
  assert.equal(view.clientAddress, client.publicKey())
  assert.equal(view.clientAccount, client.publicKey())
  assert.equal(view.homeDomain, 'home.example')
  assert.equal(view.webAuthDomain, 'auth.example:8443')
  assert.equal(view.clientDomain, null)
  assert.equal(view.memo, null)
  assert.equal(view.maxTime - view.minTime, 300n)
  assert.equal(asked.slot(), undefined)
  assert.deepEqual(asked.operations, ['challenge'])
  const answer = signed(client, asked).toXdr()
  const signers = WebAuth.verifyChallengeTxSigners(
    answer,
    server.publicKey(),
    TESTNET,
    [client.publicKey()],
    'home.example',
    'auth.example:8443',
  )
  assert.deepEqual(signers, [client.publicKey()])
})

test('M-23 SEP-10, role server: an anchor’s key issues, and the SDK reads it', () => {
  const text = withoutSignatures(issued(), 'testnet')
  const asked = ask({ role: 'server', xdr: text }, server)
  assert.equal(viewOf(asked).role, 'server')
  const challenge = signed(server, asked).toXdr()
  const read = WebAuth.readChallengeTx(challenge, server.publicKey(), TESTNET, 'home.example', 'auth.example:8443')
  assert.equal(read.clientAccountID, client.publicKey())
  assert.match(
    asked.sentence,
    /^Challenge G.* to log in at home\.example; server G.* of auth\.example:8443; valid until/,
  )
  assert.equal(asked.describe().sentences.length, 2)
  refused({ role: 'server', xdr: text }, 'xdr', /has the server account G.*, and the key is/, client)
  refused({ role: 'server', xdr: text }, 'xdr', /has the server account G.*, and the key is/, wallet)
})

test('M-23 SEP-10: memo, muxed client and client domain are shown', () => {
  const memo = viewOf(ask({ role: 'client', xdr: issued(undefined, '77') }))
  assert.equal(memo.memo, 77n)
  const address = muxed(client.publicKey(), 9n).toJson() as string
  const other = viewOf(ask({ role: 'client', xdr: issued(address) }))
  assert.equal(other.clientAddress, address)
  assert.equal(other.clientAccount, client.publicKey())
  const domain = ask({ role: 'client', xdr: issued(undefined, null, 'wallet.example') })
  assert.equal(viewOf(domain).clientDomain, 'wallet.example')
  assert.match(domain.sentence, /wallet wallet\.example/)
  assert.match(ask({ role: 'client', xdr: issued(undefined, '77') }).sentence, /memo id 77/)
})

test('M-23 SEP-10 vectors: three challenges of others are read, for their client and for nobody else', () => {
  const vectors = JSON.parse(
    readFileSync(new URL('../../../vectors/sep-0010/challenges.json', import.meta.url), 'utf8'),
  ) as Record<string, { transaction: string }>
  assert.equal(Object.keys(vectors).length, 3)
  for (const [name, { transaction }] of Object.entries(vectors)) {
    // All three were signed for the test network, the example of the specification too.
    const address = new Transaction(transaction, TESTNET).operations[0]?.source ?? ''
    const parse = stellarPayloads['stellar-challenge']
    const payload = { type: 'stellar-challenge', role: 'client', xdr: transaction }
    const asked = parse?.(payload, { ...signatory(client), address, account: address })
    assert.ok(asked?.view.kind === 'challenge', name)
    assert.equal(asked.view.webAuthDomain === null, name === 'specification')
    assert.throws(() => parse?.(payload, signatory(client)), /is for the client/)
    assert.throws(
      () => parse?.(payload, { ...signatory(client, 'public'), address, account: address }),
      /no good signature of its server/,
    )
  }
})

const NONCE = 'A'.repeat(64)
const data = (source: string | undefined, name: string, value: string | null): xdr.Operation =>
  Operation.manageData({ name, value, ...(source === undefined ? {} : { source }) })
const auth = data(client.publicKey(), 'home.example auth', NONCE)
const web = data(server.publicKey(), 'web_auth_domain', 'home.example')
const GOOD: TransactionParts = {
  operations: [auth, web],
  source: unmuxed(server.publicKey()),
  sequence: 0n,
  cond: timeBounds(1000n, 1900n),
}

/** Signed by the server, so that nothing but the shape can be wrong. */
function made(over: Partial<TransactionParts> = {}, signers: readonly Keypair[] = [server]): string {
  const transaction = new Transaction(v1({ ...GOOD, ...over }).toXdr('base64'), TESTNET)
  transaction.sign(...signers)
  return transaction.toXdr()
}

test('M-23 only what SEP-10 describes is a challenge: everything else is refused in both roles', () => {
  assert.ok(ask({ role: 'client', xdr: made() }))
  assert.ok(ask({ role: 'server', xdr: made() }, server))
  const [payment] = samples['payment'] ?? []
  assert.ok(payment)
  const conditions = xdr.Preconditions.precondV2(
    new xdr.PreconditionsV2({
      timeBounds: new xdr.TimeBounds({ minTime: 1n, maxTime: 9n }),
      ledgerBounds: null,
      minSeqNum: null,
      minSeqAge: 0n,
      minSeqLedgerGap: 0,
      extraSigners: [],
    }),
  )
  const cases: readonly (readonly [Partial<TransactionParts>, RegExp])[] = [
    [{ sequence: 1n }, /it is a transaction, not a challenge/],
    [{ sequence: -1n }, /it is a transaction, not a challenge/],
    [{ source: muxed(server.publicKey(), 1n) }, /muxed source/],
    [{ soroban: true }, /extension/],
    [{ cond: xdr.Preconditions.precondNone() }, /preconditions/],
    [{ cond: conditions }, /preconditions/],
    [{ cond: timeBounds(1000n, 0n) }, /time bounds/],
    [{ cond: timeBounds(1000n, 1000n) }, /time bounds/],
    [{ cond: timeBounds(1000n, 1901n) }, /time bounds/],
    [{ cond: timeBounds(2000n, 1900n) }, /time bounds/],
    [{ memo: xdr.Memo.memoText('77') }, /memo/],
    [{ memo: xdr.Memo.memoHash(new Uint8Array(32)) }, /memo/],
    [
      {
        memo: xdr.Memo.memoId(1n),
        operations: [data(muxed(client.publicKey(), 1n).toJson() as string, 'home.example auth', NONCE)],
      },
      /memo and a muxed/,
    ],
    [{ operations: [] }, /no operation/],
    [{ operations: [auth, payment] }, /of type payment/],
    [{ operations: [payment] }, /of type payment/],
    [{ operations: [web, auth] }, /server account as its client/],
    [{ operations: [data(undefined, 'home.example auth', NONCE)] }, /without a source/],
    [{ operations: [data(server.publicKey(), 'home.example auth', NONCE)] }, /server account as its client/],
    [{ operations: [data(client.publicKey(), 'home.example auth', null)] }, /without a value/],
    [{ operations: [data(client.publicKey(), 'home.example auth', 'A'.repeat(63))] }, /nonce/],
    [{ operations: [data(client.publicKey(), 'home.example auth', `${'A'.repeat(63)}-`)] }, /nonce/],
    [{ operations: [data(client.publicKey(), 'home.example auth', `${'A'.repeat(63)}=`)] }, /nonce/],
    [{ operations: [data(client.publicKey(), 'home.example', NONCE)] }, /not named/],
    [{ operations: [data(client.publicKey(), ' auth', NONCE)] }, /not named/],
    [{ operations: [data(client.publicKey(), 'home.example\u0000 auth', NONCE)] }, /not named/],
    [{ operations: [data(client.publicKey(), 'home example auth', NONCE)] }, /not named/],
    [{ operations: [auth, web, web] }, /web_auth_domain twice/],
    [{ operations: [auth, auth] }, /neither web_auth_domain nor client_domain/],
    [
      { operations: [auth, data(client.publicKey(), 'web_auth_domain', 'home.example')] },
      /wrong source of web_auth_domain/,
    ],
    [{ operations: [auth, data(server.publicKey(), 'client_domain', 'w.example')] }, /wrong source of client_domain/],
    [
      { operations: [auth, data(muxed(wallet.publicKey(), 1n).toJson() as string, 'client_domain', 'w.example')] },
      /muxed account as source/,
    ],
    [{ operations: [auth, data(server.publicKey(), 'web_auth_domain', 'home example')] }, /not a host name/],
    [{ operations: [auth, data(server.publicKey(), 'web_auth_domain', 'hôme')] }, /not a host name/],
  ]
  for (const [over, reason] of cases) {
    refused({ role: 'client', xdr: made(over) }, 'xdr', reason)
    refused({ role: 'server', xdr: made(over) }, 'xdr', reason, server)
  }
  const bump = feeBump({ ...GOOD, operations: [auth] }, { feeSource: unmuxed(server.publicKey()) }).toXdr('base64')
  const old = v0({ ...GOOD, operations: [auth] }).toXdr('base64')
  for (const xdr of [bump, old]) {
    refused({ role: 'client', xdr }, 'xdr', /fee bump or an envelope of version 0/)
    refused({ role: 'server', xdr }, 'xdr', /fee bump or an envelope of version 0/, server)
  }
})

test('M-23 role client: for its own account, and signed by the server already', () => {
  refused({ role: 'client', xdr: made() }, 'xdr', /is for the client G/, wallet)
  refused({ role: 'client', xdr: made({}, []) }, 'xdr', /no good signature of its server/)
  refused({ role: 'client', xdr: made({}, [wallet]) }, 'xdr', /no good signature of its server/)
  // The server's signature of another challenge, with the right hint.
  const other = new Transaction(made({ cond: timeBounds(1n, 2n) }), TESTNET).signatures
  const stolen = new Transaction(made({}, []), TESTNET)
  stolen.signatures.push(...other)
  refused({ role: 'client', xdr: stolen.toXdr() }, 'xdr', /no good signature of its server/)
  // Others' signatures stay where they are.
  const asked = ask({ role: 'client', xdr: made({}, [wallet, server]) })
  assert.equal(signed(client, asked).toXdr(), made({}, [wallet, server, client]))
})

test('M-23 what the caller expects must be so', () => {
  const xdr = made()
  const role = 'client'
  assert.ok(
    ask({ role, xdr, serverAddress: server.publicKey(), homeDomain: 'home.example', webAuthDomain: 'home.example' }),
  )
  refused({ role, xdr, serverAddress: wallet.publicKey() }, 'serverAddress', /is not that of the challenge/)
  refused({ role, xdr, homeDomain: 'evil.example' }, 'homeDomain', /which is home\.example/)
  refused(
    { role, xdr: made({ operations: [auth] }), webAuthDomain: 'home.example' },
    'webAuthDomain',
    /which is absent/,
  )
  for (const odd of [5, null, '']) refused({ role, xdr, homeDomain: odd }, 'homeDomain', /must be text/)
  refused({ role, xdr, domain: 'x' }, 'domain', /not a field/)
  for (const odd of ['both', undefined, null, 'CLIENT']) refused({ role: odd, xdr }, 'role', /server or client/)
  for (const odd of [undefined, 5, '']) refused({ role, xdr: odd }, 'xdr', /base64/)
})

test('T28, M-23 no transaction passes as a challenge, and no policy signs a challenge as a transaction', () => {
  let others = 0
  for (const [name, envelope] of namedCorpus()) {
    const xdr = envelope.toXdr('base64')
    for (const role of ['client', 'server']) {
      others++
      assert.throws(() => ask({ role, xdr }), { code: 'payload/invalid' }, name)
    }
  }
  assert.ok(others > 100)
  const parse = stellarPayloads['stellar-transaction']
  for (const xdr of [issued(), made(), made({ operations: [auth] })]) {
    const asked = parse?.({ type: 'stellar-transaction', xdr }, signatory(server))
    assert.ok(asked)
    const facts = { now: 1_500_000, keyAddress: server.publicKey(), keyNetwork: 'testnet' }
    const decision = decide(demoPolicy(), asked.view, facts)
    assert.equal(decision.kind, 'deny')
    assert.match(decision.kind === 'deny' ? decision.reason : '', /sequence/)
    assert.equal(asked.slot(), undefined)
  }
})

test('M-23 a challenge of the SDK signed by us runs on no network: sequence number 0', () => {
  const { sequence } = new Transaction(signed(client, ask({ role: 'client', xdr: issued() })).toXdr(), TESTNET)
  assert.equal(sequence, '0')
  const builder = new TransactionBuilder(new Account(server.publicKey(), '-1'), {
    fee: '100',
    networkPassphrase: TESTNET,
  })
  assert.equal(builder.setTimeout(5).build().sequence, '0')
})

test('M-61 SEP-10: a key logs in for its account with its own signature, and issues under its own address', () => {
  const account = testKey('bob')
  const who = signatoryOf(client.publicKey(), 'testnet', account.publicKey())
  const parse = (fields: Record<string, unknown>) => askPayload('stellar-challenge', fields, who)
  const xdr = issued(account.publicKey())
  assert.equal(viewOf(parse({ role: 'client', xdr })).clientAccount, account.publicKey())
  assertInvalid(
    () => parse({ role: 'client', xdr: issued() }),
    'xdr',
    /is for the client G\w+, and the key signs for G/,
  )
  const serving = { role: 'server', xdr }
  const by = (address: string, of: string) =>
    askPayload('stellar-challenge', serving, signatoryOf(address, 'testnet', of))
  assert.equal(viewOf(by(server.publicKey(), account.publicKey())).role, 'server')
  assertInvalid(() => by(account.publicKey(), server.publicKey()), 'xdr', /has the server account/)
})
