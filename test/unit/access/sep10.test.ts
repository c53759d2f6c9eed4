/** SEP-10 as the login of administrators has it (M-41, T13): vectors, the SDK's second opinion, and one fault at a time. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  Keypair,
  SorobanDataBuilder,
  StrKey,
  Transaction,
  TransactionBuilder,
  WebAuth,
  xdr,
} from '@stellar/stellar-sdk'
import { readSep10Answer, makeSep10Challenge, SEP10_REASONS, type Sep10Rules } from '../../../src/access/sep10.ts'
import { fromBase64, toBase64 } from '../../../src/bytes/base64.ts'
import { sha256 } from '../../../src/bytes/sha256.ts'
import { stellar } from '../../../src/chains/stellar/index.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { decide, demoPolicy } from '../../../src/policy/index.ts'
import { stellarPerson } from '../../support/login-world.ts'

const encoder = new TextEncoder()
const bytesOf = (text: string) => encoder.encode(text)
const TESTNET = 'Test SDF Network ; September 2015'
// The SDK reads the machine's clock, so its opinion can only be had about today.
const NOW = Math.floor(Date.now() / 1000) * 1000
const AT = BigInt(NOW / 1000)
const [server, client, stranger] = [stellarPerson(1), stellarPerson(2), stellarPerson(3)]
const rules: Sep10Rules = {
  serverAccount: server.address,
  homeDomain: 'signer.example',
  webAuthDomain: 'auth.signer.example',
  networkPassphrase: TESTNET,
}
const sign = async (hash: Uint8Array) => server.signHash(hash)
const nonce = Uint8Array.from({ length: 48 }, (_, at) => at * 5)
const make = (now = NOW, seconds = 300) => makeSep10Challenge(rules, client.address, { now, seconds, nonce, sign })

type Signer = { readonly publicKey: Uint8Array; signHash(hash: Uint8Array): Uint8Array }
const decorate = (signer: Signer, hash: Uint8Array, hint = signer.publicKey.slice(-4)) =>
  new xdr.DecoratedSignature({ hint, signature: signer.signHash(hash) })
const account = (key: Uint8Array) => xdr.MuxedAccount.keyTypeEd25519(key)
const muxed = (key: Uint8Array) =>
  xdr.MuxedAccount.keyTypeMuxedEd25519(new xdr.MuxedAccountMed25519({ id: 7n, ed25519: key }))
const data = (source: xdr.MuxedAccount | null, name: string, value: Uint8Array | null) =>
  new xdr.Operation({
    sourceAccount: source,
    body: xdr.OperationBody.manageData(new xdr.ManageDataOp({ dataName: name, dataValue: value })),
  })
const bounds = (minTime: bigint, maxTime: bigint) => new xdr.TimeBounds({ minTime, maxTime })
const within = (minTime: bigint, maxTime: bigint) => xdr.Preconditions.precondTime(bounds(minTime, maxTime))
const AUTH = data(account(client.publicKey), 'signer.example auth', bytesOf(toBase64(nonce)))
const WEB = data(account(server.publicKey), 'web_auth_domain', bytesOf('auth.signer.example'))
const payment = new xdr.Operation({
  sourceAccount: account(client.publicKey),
  body: xdr.OperationBody.payment(
    new xdr.PaymentOp({ destination: account(server.publicKey), asset: xdr.Asset.assetTypeNative(), amount: 1n }),
  ),
})

type Signing = (hash: Uint8Array) => xdr.DecoratedSignature[]
interface Forged {
  tx?: Partial<ConstructorParameters<typeof xdr.Transaction>[0]>
  signatures?: Signing
  passphrase?: string
}

/** A good answer, but for what is said. */
function forge({ tx: parts = {}, signatures, passphrase = TESTNET }: Forged = {}): string {
  const tx = new xdr.Transaction({
    sourceAccount: account(server.publicKey),
    fee: 200,
    seqNum: 0n,
    cond: within(AT, AT + 300n),
    memo: xdr.Memo.memoNone(),
    operations: [AUTH, WEB],
    ext: xdr.TransactionExt.v0(),
    ...parts,
  })
  const taggedTransaction = xdr.TransactionSignaturePayloadTaggedTransaction.envelopeTypeTx(tx)
  const hash = sha256(
    new xdr.TransactionSignaturePayload({ networkId: sha256(bytesOf(passphrase)), taggedTransaction }).toXdr(),
  )
  const made = signatures?.(hash) ?? [decorate(server, hash), decorate(client, hash)]
  const envelope = new xdr.TransactionV1Envelope({ tx, signatures: made })
  return toBase64(xdr.TransactionEnvelope.envelopeTypeTx(envelope).toXdr())
}

const reasonOf = async (transaction: string, now = NOW, by = rules): Promise<string> => {
  try {
    await readSep10Answer(by, transaction, now)
    return 'accepted'
  } catch (error) {
    assert.ok(isSignerError(error) && error.code === 'login/refused', String(error))
    return error.detail.reason
  }
}

/** What the SDK says, by the machine's clock: times are left to the cases about times. */
const sdkAccepts = (transaction: string): boolean => {
  try {
    const [a, b, c] = [rules.serverAccount, rules.networkPassphrase, rules.homeDomain]
    return WebAuth.verifyChallengeTxSigners(transaction, a, b, [client.address], c, rules.webAuthDomain).length === 1
  } catch {
    return false
  }
}

test('M-41 a challenge signed by its account is accepted, at any time within its bounds', async () => {
  const { transaction, id, expiresAt } = await make()
  assert.equal(expiresAt, NOW + 300_000)
  const signed = TransactionBuilder.fromXDR(transaction, TESTNET)
  signed.sign(Keypair.fromRawEd25519Seed(new Uint8Array(32).fill(2)))
  const text = signed.toXdr()
  assert.equal(Buffer.from(signed.hash()).toString('hex'), id)
  for (const now of [NOW - 30_000, NOW, NOW + 299_999])
    assert.deepEqual(await readSep10Answer(rules, text, now), { account: client.address, id })
  assert.equal(await reasonOf(text, NOW - 31_000), SEP10_REASONS.early)
  assert.equal(await reasonOf(text, NOW + 300_000), SEP10_REASONS.expired)
  assert.equal(await reasonOf(transaction), SEP10_REASONS.count)
})

test('the challenge is what SEP-10 says, read by the SDK and by our own reader of transactions', async () => {
  const { transaction } = await make(Date.now())
  const { clientAccountID, matchedHomeDomain, memo, tx } = WebAuth.readChallengeTx(
    transaction,
    server.address,
    TESTNET,
    'signer.example',
    'auth.signer.example',
  )
  assert.deepEqual([clientAccountID, matchedHomeDomain, memo], [client.address, 'signer.example', null])
  assert.equal(Number(tx.timeBounds?.maxTime) - Number(tx.timeBounds?.minTime), 300)
  const { view } = stellar.parse({ type: 'stellar-transaction', xdr: transaction }, 'testnet')
  assert.ok(view.kind === 'transaction')
  assert.equal(view.sequence, 0n)
  assert.deepEqual(
    view.operations.map(operation => [operation.type, operation.source?.address]),
    [
      ['manageData', client.address],
      ['manageData', server.address],
    ],
  )
})

test('a challenge that the SDK makes and a wallet signs is accepted', async () => {
  const [serverKey, clientKey] = [1, 2].map(fill => Keypair.fromRawEd25519Seed(new Uint8Array(32).fill(fill)))
  assert.ok(serverKey !== undefined && clientKey !== undefined)
  const text = WebAuth.buildChallengeTx(serverKey, client.address, 'signer.example', 300, TESTNET, rules.webAuthDomain)
  const tx = TransactionBuilder.fromXDR(text, TESTNET)
  tx.sign(clientKey)
  assert.equal((await readSep10Answer(rules, tx.toXdr(), Date.now())).account, client.address)
})

interface Vector {
  readonly networkPassphrase: string
  readonly transaction: string
}
const vectors = JSON.parse(
  readFileSync(new URL('../../vectors/sep-0010/challenges.json', import.meta.url), 'utf8'),
) as Record<'specification' | 'testAnchor' | 'testAnchorClientDomain', Vector>
const testAnchor: Sep10Rules = {
  serverAccount: 'GCUZ6YLL5RQBTYLTTQLPCM73C5XAIUGK2TIMWQH7HPSGWVS2KJ2F3CHS',
  homeDomain: 'testanchor.stellar.org',
  webAuthDomain: 'testanchor.stellar.org',
  networkPassphrase: TESTNET,
}

test('a challenge of the public test anchor, signed by a wallet in 2024, is accepted at its time', async () => {
  const { transaction } = vectors.testAnchor
  const at = 0x6673ee2c * 1000
  const { account: who, id } = await readSep10Answer(testAnchor, transaction, at)
  assert.equal(who, new Transaction(transaction, TESTNET).operations[0]?.source)
  assert.match(id, /^[0-9a-f]{64}$/)
  assert.equal(await reasonOf(transaction, at + 900_000, testAnchor), SEP10_REASONS.expired)
  assert.equal(
    await reasonOf(transaction, at, { ...testAnchor, networkPassphrase: vectors.specification.networkPassphrase }),
    SEP10_REASONS.server,
  )
})

test('the anchor’s challenge with a client domain, and the example of the older specification, are refused for that', async () => {
  const withDomain = vectors.testAnchorClientDomain.transaction
  assert.equal(await reasonOf(withDomain, 0x630fd265 * 1000, testAnchor), SEP10_REASONS.clientDomain)
  const { transaction, networkPassphrase } = vectors.specification
  const bytes = fromBase64(transaction) ?? new Uint8Array()
  const rulesThen = {
    serverAccount: StrKey.encodeEd25519PublicKey(bytes.slice(8, 40)),
    homeDomain: 'thisisatest.sandbox.anchor.anchordomain.com',
    webAuthDomain: 'thisisatest.sandbox.anchor.anchordomain.com',
    networkPassphrase,
  }
  assert.equal(await reasonOf(transaction, 0x5f3ad471 * 1000, rulesThen), SEP10_REASONS.operations)
})

const good = forge()
const bytes = fromBase64(good) ?? new Uint8Array()
/** Signatures over the good answer, under another one. */
const stale: Signing = () => {
  const { envelope } = stellar.parse({ type: 'stellar-transaction', xdr: good }, 'testnet')
  return envelope.value.signatures.slice()
}
const anotherNetwork = 'Public Global Stellar Network ; September 2015'
const v2 = (rest: Partial<ConstructorParameters<typeof xdr.PreconditionsV2>[0]>) =>
  xdr.Preconditions.precondV2(
    new xdr.PreconditionsV2({
      timeBounds: bounds(AT, AT + 300n),
      ledgerBounds: null,
      minSeqNum: null,
      minSeqAge: 0n,
      minSeqLedgerGap: 0,
      extraSigners: [],
      ...rest,
    }),
  )

function asV0(): string {
  const tx = new xdr.TransactionV0({
    sourceAccountEd25519: server.publicKey,
    fee: 200,
    seqNum: 0n,
    timeBounds: bounds(AT, AT + 300n),
    memo: xdr.Memo.memoNone(),
    operations: [AUTH, WEB],
    ext: xdr.TransactionV0Ext.v0(),
  })
  const { envelope } = stellar.parse({ type: 'stellar-transaction', xdr: good }, 'testnet')
  assert.ok(envelope.type === 'envelopeTypeTx')
  const v0 = new xdr.TransactionV0Envelope({ tx, signatures: [...envelope.v1.signatures] })
  return toBase64(xdr.TransactionEnvelope.envelopeTypeTxV0(v0).toXdr())
}

function feeBump(): string {
  const { envelope } = stellar.parse({ type: 'stellar-transaction', xdr: good }, 'testnet')
  assert.ok(envelope.type === 'envelopeTypeTx')
  const tx = new xdr.FeeBumpTransaction({
    feeSource: account(server.publicKey),
    fee: 400n,
    innerTx: xdr.FeeBumpTransactionInnerTx.envelopeTypeTx(envelope.v1),
    ext: xdr.FeeBumpTransactionExt.v0(),
  })
  const bump = new xdr.FeeBumpTransactionEnvelope({ tx, signatures: envelope.v1.signatures.slice() })
  return toBase64(xdr.TransactionEnvelope.envelopeTypeTxFeeBump(bump).toXdr())
}

const by =
  (...signers: readonly Signer[]): Signing =>
  hash =>
    signers.map(one => decorate(one, hash))
const inside = (...operations: xdr.Operation[]): string => forge({ tx: { operations } })

/** Name, answer, reason. */
const FAULTS: readonly (readonly [string, string, keyof typeof SEP10_REASONS])[] = [
  ['sequence 1', forge({ tx: { seqNum: 1n } }), 'sequence'],
  ['sequence -1', forge({ tx: { seqNum: -1n } }), 'sequence'],
  ['sequence of a payment', forge({ tx: { seqNum: 12_345n << 32n } }), 'sequence'],
  ['source is the client', forge({ tx: { sourceAccount: account(client.publicKey) } }), 'source'],
  ['source is a stranger', forge({ tx: { sourceAccount: account(stranger.publicKey) } }), 'source'],
  ['source is the server, muxed', forge({ tx: { sourceAccount: muxed(server.publicKey) } }), 'source'],
  ['no time bounds', forge({ tx: { cond: xdr.Preconditions.precondNone() } }), 'preconditions'],
  ['time bounds without end', forge({ tx: { cond: within(AT, 0n) } }), 'endless'],
  ['time bounds of 901 s', forge({ tx: { cond: within(AT, AT + 901n) } }), 'life'],
  ['time bounds from 1970', forge({ tx: { cond: within(0n, AT + 300n) } }), 'life'],
  ['time bounds that end before they begin', forge({ tx: { cond: within(AT, AT - 1n) } }), 'life'],
  ['time bounds of nothing', forge({ tx: { cond: within(AT, AT) } }), 'life'],
  ['not valid yet', forge({ tx: { cond: within(AT + 31n, AT + 300n) } }), 'early'],
  ['expired this second', forge({ tx: { cond: within(AT - 300n, AT) } }), 'expired'],
  ['expired long ago', forge({ tx: { cond: within(AT - 3600n, AT - 3000n) } }), 'expired'],
  ['largest times there are', forge({ tx: { cond: within(2n ** 64n - 2n, 2n ** 64n - 1n) } }), 'early'],
  ['preconditions V2', forge({ tx: { cond: v2({}) } }), 'preconditions'],
  ['preconditions V2 with a sequence age', forge({ tx: { cond: v2({ minSeqAge: 1n }) } }), 'preconditions'],
  ['memo id', forge({ tx: { memo: xdr.Memo.memoId(7n) } }), 'memo'],
  ['memo text', forge({ tx: { memo: xdr.Memo.memoText('hello') } }), 'memo'],
  ['memo hash', forge({ tx: { memo: xdr.Memo.memoHash(new Uint8Array(32)) } }), 'memo'],
  ['memo return', forge({ tx: { memo: xdr.Memo.memoReturn(new Uint8Array(32)) } }), 'memo'],
  [
    'muxed client',
    inside(data(muxed(client.publicKey), 'signer.example auth', bytesOf(toBase64(nonce))), WEB),
    'muxed',
  ],
  [
    'muxed client with a memo',
    forge({
      tx: {
        memo: xdr.Memo.memoId(7n),
        operations: [data(muxed(client.publicKey), 'signer.example auth', bytesOf(toBase64(nonce))), WEB],
      },
    }),
    'memo',
  ],
  ['no operation', inside(), 'operations'],
  ['only the first operation', inside(AUTH), 'operations'],
  ['only the second operation', inside(WEB), 'operations'],
  ['operations the other way round', inside(WEB, AUTH), 'client'],
  ['the first operation twice', inside(AUTH, AUTH, WEB), 'operations'],
  ['the second operation twice', inside(AUTH, WEB, WEB), 'operations'],
  [
    'a third operation of the server',
    inside(AUTH, WEB, data(account(server.publicKey), 'x', bytesOf('y'))),
    'operations',
  ],
  [
    'a third operation of the client',
    inside(AUTH, WEB, data(account(client.publicKey), 'x', bytesOf('y'))),
    'operations',
  ],
  ['a payment', inside(payment), 'type'],
  ['a payment behind', inside(AUTH, WEB, payment), 'type'],
  ['a payment in place of web_auth_domain', inside(AUTH, payment), 'type'],
  [
    'client_domain',
    inside(AUTH, WEB, data(account(stranger.publicKey), 'client_domain', bytesOf('wallet.example'))),
    'clientDomain',
  ],
  [
    'client_domain of the server',
    inside(AUTH, WEB, data(account(server.publicKey), 'client_domain', null)),
    'clientDomain',
  ],
  [
    'first operation without a source',
    inside(data(null, 'signer.example auth', bytesOf(toBase64(nonce))), WEB),
    'client',
  ],
  [
    'the server logs itself in',
    inside(data(account(server.publicKey), 'signer.example auth', bytesOf(toBase64(nonce))), WEB),
    'client',
  ],
  [
    'another home domain',
    inside(data(account(client.publicKey), 'evil.example auth', bytesOf(toBase64(nonce))), WEB),
    'homeDomain',
  ],
  [
    'home domain in capitals',
    inside(data(account(client.publicKey), 'Signer.example auth', bytesOf(toBase64(nonce))), WEB),
    'homeDomain',
  ],
  [
    'home domain without auth',
    inside(data(account(client.publicKey), 'signer.example', bytesOf(toBase64(nonce))), WEB),
    'homeDomain',
  ],
  [
    'home domain and more',
    inside(data(account(client.publicKey), 'signer.example auth ', bytesOf(toBase64(nonce))), WEB),
    'homeDomain',
  ],
  [
    'a subdomain',
    inside(data(account(client.publicKey), 'x.signer.example auth', bytesOf(toBase64(nonce))), WEB),
    'homeDomain',
  ],
  ['no nonce', inside(data(account(client.publicKey), 'signer.example auth', null), WEB), 'nonce'],
  ['an empty nonce', inside(data(account(client.publicKey), 'signer.example auth', new Uint8Array()), WEB), 'nonce'],
  [
    'a nonce of 47 bytes',
    inside(data(account(client.publicKey), 'signer.example auth', bytesOf(toBase64(nonce.slice(1)))), WEB),
    'nonce',
  ],
  [
    '64 bytes that are no base64',
    inside(data(account(client.publicKey), 'signer.example auth', new Uint8Array(64).fill(255)), WEB),
    'nonce',
  ],
  [
    '64 characters of base64url',
    inside(data(account(client.publicKey), 'signer.example auth', bytesOf('-_'.repeat(32))), WEB),
    'nonce',
  ],
  [
    'web_auth_domain of another server',
    inside(AUTH, data(account(server.publicKey), 'web_auth_domain', bytesOf('evil.example'))),
    'webAuthDomain',
  ],
  ['web_auth_domain empty', inside(AUTH, data(account(server.publicKey), 'web_auth_domain', null)), 'webAuthDomain'],
  [
    'web_auth_domain under another name',
    inside(AUTH, data(account(server.publicKey), 'Web_auth_domain', bytesOf('auth.signer.example'))),
    'webAuthDomain',
  ],
  [
    'web_auth_domain of the client',
    inside(AUTH, data(account(client.publicKey), 'web_auth_domain', bytesOf('auth.signer.example'))),
    'webAuthSource',
  ],
  [
    'web_auth_domain without a source',
    inside(AUTH, data(null, 'web_auth_domain', bytesOf('auth.signer.example'))),
    'webAuthSource',
  ],
  ['no signature', forge({ signatures: () => [] }), 'count'],
  ['only the server', forge({ signatures: by(server) }), 'count'],
  ['only the client', forge({ signatures: by(client) }), 'count'],
  ['a third signature', forge({ signatures: by(server, client, stranger) }), 'count'],
  ['the client twice', forge({ signatures: by(server, client, client) }), 'count'],
  ['the client twice, no server', forge({ signatures: by(client, client) }), 'server'],
  ['a stranger for the server', forge({ signatures: by(stranger, client) }), 'server'],
  ['the server twice', forge({ signatures: by(server, server) }), 'signature'],
  ['a stranger for the client', forge({ signatures: by(server, stranger) }), 'signature'],
  [
    'a stranger with the client’s hint',
    forge({ signatures: hash => [decorate(server, hash), decorate(stranger, hash, client.publicKey.slice(-4))] }),
    'signature',
  ],
  [
    'the client with a wrong hint',
    forge({ signatures: hash => [decorate(server, hash), decorate(client, hash, new Uint8Array(4))] }),
    'signature',
  ],
  [
    'the server with a wrong hint',
    forge({ signatures: hash => [decorate(server, hash, new Uint8Array(4)), decorate(client, hash)] }),
    'server',
  ],
  [
    'an empty signature',
    forge({
      signatures: hash => [
        decorate(server, hash),
        new xdr.DecoratedSignature({ hint: client.publicKey.slice(-4), signature: new Uint8Array() }),
      ],
    }),
    'signature',
  ],
  ['signed for another network', forge({ passphrase: anotherNetwork }), 'server'],
  [
    'signed by the client for another network',
    forge({ signatures: hash => [decorate(server, hash), decorate(client, sha256(hash))] }),
    'signature',
  ],
  ['V0 envelope', asV0(), 'envelope'],
  ['fee-bump', feeBump(), 'envelope'],
  [
    'the nonce changed after signing',
    forge({
      tx: { operations: [data(account(client.publicKey), 'signer.example auth', bytesOf('A'.repeat(64))), WEB] },
      signatures: stale,
    }),
    'server',
  ],
  ['the end changed after signing', forge({ tx: { cond: within(AT, AT + 301n) }, signatures: stale }), 'server'],
  ['the fee changed after signing', forge({ tx: { fee: 201 }, signatures: stale }), 'server'],
  [
    'Soroban data',
    forge({ tx: { ext: xdr.TransactionExt.sorobanData(new SorobanDataBuilder().build()) } }),
    'extension',
  ],
  ['empty', '', 'spelling'],
  ['no base64', '!!!!', 'spelling'],
  ['base64url', good.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', ''), 'spelling'],
  ['a line break behind', `${good}\n`, 'spelling'],
  ['a byte behind', toBase64(Uint8Array.from([...bytes, 0])), 'spelling'],
  ['a byte short', toBase64(bytes.slice(0, -1)), 'spelling'],
  ['the tag cut off, which leaves a V0 envelope', toBase64(bytes.slice(4)), 'envelope'],
  ['longer than any challenge', 'AAAA'.repeat(1025), 'spelling'],
]

/** Five minutes of grace, an end that is far away, what the SEP leaves open, and other spellings. */
const NARROWER: readonly string[] = [
  'time bounds of 901 s',
  'time bounds from 1970',
  'time bounds that end before they begin',
  'time bounds of nothing',
  'not valid yet',
  'expired this second',
  'preconditions V2',
  'preconditions V2 with a sequence age',
  'memo id',
  'muxed client',
  'only the first operation',
  'the second operation twice',
  'a third operation of the server',
  'the server logs itself in',
  '64 characters of base64url',
  'web_auth_domain under another name',
  'V0 envelope',
  'Soroban data',
  'base64url',
  'a line break behind',
  'the tag cut off, which leaves a V0 envelope',
]

test(`T13 SEP-10: ${FAULTS.length} abuses, one fault each, refused for that fault`, async () => {
  assert.equal(await reasonOf(good), 'accepted')
  assert.equal(await reasonOf(forge({ signatures: by(client, server) })), 'accepted')
  for (const [name, answer, reason] of FAULTS) assert.equal(await reasonOf(answer), SEP10_REASONS[reason], name)
  const shown = new Set(FAULTS.map(([, , reason]) => reason))
  assert.deepEqual(
    Object.keys(SEP10_REASONS).filter(reason => !shown.has(reason as never)),
    [],
  )
})

test('T13 the SDK refuses them too, but for those where we are narrower on purpose', async () => {
  assert.equal(sdkAccepts(good), true)
  assert.deepEqual(
    FAULTS.filter(([, answer]) => sdkAccepts(answer)).map(([name]) => name),
    NARROWER,
  )
})

const request = (transaction: string) => ({ type: 'stellar-transaction', xdr: transaction })

test('T13 a challenge offered as a payment is denied by policy, signed or not', async () => {
  const { transaction } = await make()
  for (const text of [transaction, good]) {
    const { view } = stellar.parse(request(text), 'testnet')
    const facts = { now: NOW, keyAddress: client.address, keyNetwork: 'testnet' }
    const decision = decide(demoPolicy(), view, facts)
    assert.equal(decision.kind, 'deny')
    assert.equal(decision.kind === 'deny' && decision.rule, 'sequence')
  }
})

test('T13 a payment that an administrator signed is no answer, and neither is a challenge of the test network', async () => {
  const paid = forge({ tx: { seqNum: 5n, operations: [payment] }, signatures: by(server, client) })
  assert.equal(await reasonOf(paid), SEP10_REASONS.sequence)
  const elsewhere = { ...rules, networkPassphrase: anotherNetwork }
  assert.equal(await reasonOf(good, NOW, elsewhere), SEP10_REASONS.server)
})

test('the signature of the server is verified before a challenge leaves', async () => {
  const lying = [
    async () => new Uint8Array(64),
    async () => new Uint8Array(63),
    async (hash: Uint8Array) => stranger.signHash(hash),
    async (hash: Uint8Array) => server.signHash(sha256(hash)),
    async (hash: Uint8Array) => server.signHash(hash.fill(0)),
  ]
  for (const one of lying) {
    await assert.rejects(
      makeSep10Challenge(rules, client.address, { now: NOW, seconds: 300, nonce, sign: one }),
      (error: unknown) => isSignerError(error) && error.code === 'signature/unverified',
    )
  }
})

test('T13 20,000 single bytes changed in a good answer: none is accepted, and the refusal is always typed', {
  timeout: 60_000,
}, async () => {
  let refused = 0
  for (let n = 0; n < 20_000; n++) {
    const at = n % bytes.length
    const mask = 1 + ((n * 7 + Math.floor(n / bytes.length)) % 255)
    const mutant = toBase64(bytes.map((byte, index) => (index === at ? byte ^ mask : byte)))
    if ((await reasonOf(mutant)) !== 'accepted') refused++
  }
  assert.equal(refused, 20_000)
})
