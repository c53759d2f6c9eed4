/**
 * Somebody has a valid token, the key it is bound to, and the whole host that calls the signer, and wants money out of a key
 * with a policy. Everything is real but the network: sockets, SQLite, the log, the login, the token.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { Asset, Claimant, Operation, xdr } from '@stellar/stellar-sdk/base'
import { fromBase64, toBase64Url } from '../../src/bytes/base64.ts'
import { fromHex } from '../../src/bytes/hex.ts'
import type { RunningService } from '../../src/compose/service.ts'
import type { PolicyDocument } from '../../src/policy/index.ts'
import {
  carol,
  contractId,
  feeBump,
  invocationTree,
  invoke,
  muxed,
  sourceAuthorization,
  testKey,
  timeBounds,
  type TransactionParts,
  unmuxed,
  v0,
  v1,
} from '../fuzz/xdr-corpus.ts'
import { createSender, type Sender } from '../unit/access/senders.ts'
import {
  addKey,
  administer,
  type Call,
  type Caller,
  caller,
  issue,
  loginAs,
  openPlant,
  type Person,
  type Plant,
  type Told,
  transactionBody,
} from './gateway-world.ts'

const own = testKey('treasury').publicKey()
const supplier = testKey('supplier').publicKey()
const exchange = testKey('exchange').publicKey()
const thief = carol
const XLM = Asset.native()
const WINDOW_XLM = 25

const POLICY: PolicyDocument = {
  version: 1,
  network: 'testnet',
  operations: ['payment', 'invokeHostFunction'],
  fee: { maxStroops: '1000' },
  feeBump: true,
  timeBounds: { maxLifetimeSeconds: 600 },
  payments: {
    destinations: [supplier, { account: exchange, memo: 'required', muxedIds: ['7'] }],
    assets: [{ asset: 'native', maxPerOperation: '10', maxPerTransaction: '15' }],
  },
  contracts: [{ contract: contractId, functions: ['swap'] }],
  windows: [{ asset: 'native', seconds: 3600, max: String(WINDOW_XLM) }],
}

let plant: Plant
let service: RunningService
let operator: Person
let auditor: Person
let sender: Sender
let evil: Caller
let controlUrl: string

before(async () => {
  plant = await openPlant()
  service = await plant.start({ plane: 'all' })
  controlUrl = service.controlUrl ?? assert.fail('no control plane')
  await addKey(service, plant.runtime, 'treasury', POLICY)
  await addKey(service, plant.runtime, 'reserve', POLICY)
  operator = await loginAs(service, ['operator'])
  auditor = await loginAs(service, ['auditor'])
  sender = await createSender()
  evil = await tokenFor({})
})
after(() => plant.close())

const tokenFor = async (constraints: object, scopes = ['sign:treasury', 'explain:treasury']): Promise<Caller> => {
  const held = Object.keys(constraints).length === 0 ? {} : { constraints }
  const { token } = await issue(controlUrl, operator, { scopes, sender, ...held })
  return caller(service.url, token, sender)
}

let sequence = 1_000n
const soon = (): xdr.Preconditions => timeBounds(0n, BigInt(Math.floor(Date.now() / 1000) + 300))
const parts = (operations: readonly xdr.Operation[], over: Partial<TransactionParts> = {}): TransactionParts => ({
  operations,
  source: unmuxed(own),
  cond: soon(),
  sequence: ++sequence,
  ...over,
})
const tx = (operations: readonly xdr.Operation[], over: Partial<TransactionParts> = {}): string =>
  v1(parts(operations, over)).toXdr('base64')
const pay = (amount: string, destination = supplier, asset = XLM, source?: string): xdr.Operation =>
  Operation.payment({ destination, amount, asset, ...(source === undefined ? {} : { source }) })
const payMuxed = (destination: xdr.MuxedAccount, amount: bigint): xdr.Operation =>
  new xdr.Operation({
    sourceAccount: null,
    body: xdr.OperationBody.payment(new xdr.PaymentOp({ destination, asset: xdr.Asset.assetTypeNative(), amount })),
  })
const signs = (text: string, over: Call = {}, who = evil): Promise<Told> =>
  who.ask({ body: transactionBody(text), ...over })

/** What left: every signature that anybody was given, by the hash it covers. */
const released = new Set<string>()
let stroopsOut = 0n
/** Looks for signatures in every answer there is, whatever the answer says of itself. */
function watch(answer: Told, stroops = 0n): void {
  const found = [
    answer.body,
    ...((answer.body['results'] as { answer?: Record<string, unknown> }[] | undefined) ?? []).map(
      each => each.answer ?? {},
    ),
  ]
  for (const each of found) {
    if (each['signature'] === undefined) continue
    const { hash: covered, signature: text } = each as { readonly hash: string; readonly signature: string }
    const [hash, signature] = [fromHex(covered), fromBase64(text)]
    const pair = testKey('treasury')
    assert.ok(hash !== undefined && signature !== undefined && pair.verify(hash, signature))
    if (!released.has(covered)) stroopsOut += stroops
    released.add(covered)
  }
}

/** A refused request: nothing signed, in the words of the code, in 4xx, on record once. */
const refusals: { readonly requestId: string; readonly code: string; readonly title: string }[] = []
let attempts = 0
function refused(title: string, answer: Told, ...codes: string[]): void {
  const before = released.size
  watch(answer)
  assert.equal(released.size, before, `${title}: a signature`)
  assert.ok(codes.includes(answer.code ?? ''), `${title}: ${answer.status} ${JSON.stringify(answer.body)}`)
  assert.ok(answer.status >= 400 && answer.status < 500, `${title}: ${answer.status}`)
  assert.equal(answer.headers.get('content-type'), 'application/problem+json')
  assert.match(answer.requestId, /^r_/)
  refusals.push({ requestId: answer.requestId, code: answer.code ?? '', title })
}
function allowed(answer: Told, xlm: number): Told {
  assert.equal(answer.status, 200, JSON.stringify(answer.body))
  watch(answer, BigInt(Math.round(xlm * 1e7)))
  return answer
}

const attempt = (title: string, code: string | readonly string[], run: () => Promise<Told>): void => {
  attempts++
  test(`Shown-by 4 ${title}`, async () => refused(title, await run(), ...[code].flat()))
}
/** A transaction that the policy must refuse. */
const denied = (title: string, make: () => string): void => attempt(title, 'policy/denied', () => signs(make()))

let first: Told
let firstBody: string
let firstKey: string
test('the caller may do its work: what the policy allows is signed', async () => {
  firstBody = transactionBody(tx([pay('10')]))
  firstKey = 'order-1'
  first = allowed(await evil.ask({ body: firstBody, idempotencyKey: firstKey }), 10)
  assert.match(first.headers.get('ratelimit') ?? '', /^"token";r=\d+;t=\d+$/)
})

// Where the money goes
denied('T25 a payment to somebody who is not listed', () => tx([pay('1', thief)]))
denied('T25 one hidden behind good ones', () => tx([pay('1'), pay('1'), pay('0.0000001', thief)]))
denied('T25 a muxed id that is not granted', () => tx([payMuxed(muxed(exchange, 8n), 5n)]))
denied('T25 a muxed id of a listed account that grants none', () => tx([payMuxed(muxed(supplier, 7n), 5n)]))
denied('T25 a muxed form of somebody who is not listed', () => tx([payMuxed(muxed(thief, 7n), 5n)]))
denied('T25 to the exchange without the memo that says whose it is', () => tx([pay('1', exchange)]))
denied('T25 a memo that is not granted', () => tx([pay('1')], { memo: xdr.Memo.memoText('x') }))
denied('T27 out of an account that is not its own', () => tx([pay('1', supplier, XLM, thief)]))
denied('T25 a new account', () => tx([Operation.createAccount({ destination: thief, startingBalance: '5' })]))
denied('T25 a claimable balance', () =>
  tx([Operation.createClaimableBalance({ asset: XLM, amount: '1', claimants: [new Claimant(thief)] })]),
)

// How much
denied('T26 above the cap of an operation', () => tx([pay('10.0000001')]))
denied('T26 above the cap of a transaction, in pieces', () => tx([pay('8'), pay('7.0000001')]))
denied('T26 another asset', () => tx([pay('1', supplier, new Asset('USD', thief))]))
denied('T28 a path payment to itself through a market of its own', () =>
  tx([
    Operation.pathPaymentStrictSend({
      ...{ sendAsset: XLM, sendAmount: '5', destination: own, destAsset: new Asset('X', thief), destMin: '1' },
      path: [],
    }),
  ]),
)
denied('T28 an offer for a worthless asset', () =>
  tx([Operation.manageSellOffer({ selling: XLM, buying: new Asset('X', thief), amount: '9', price: { n: 1, d: 9 } })]),
)
denied('M-21 a fee that drains the account', () => tx([pay('1')], { fee: 1001 }))
denied('M-21 a fee bump that drains it', () =>
  feeBump(parts([pay('1')]), { feeSource: unmuxed(own), fee: 1_000_000_000n }).toXdr('base64'),
)
denied('M-21 a fee bump around a payment to the thief', () =>
  feeBump(parts([pay('1', thief)]), { feeSource: unmuxed(own), fee: 900n }).toXdr('base64'),
)

// Who controls the account
denied('T29 a signer more', () => tx([Operation.setOptions({ signer: { ed25519PublicKey: thief, weight: 255 } })]))
denied('T29 the account merged', () => tx([Operation.accountMerge({ destination: thief })]))
denied('T29 the account merged into a listed one', () => tx([Operation.accountMerge({ destination: supplier })]))
denied('T29 a trust line', () => tx([Operation.changeTrust({ asset: new Asset('X', thief), limit: '1' })]))
denied('T29 a clawback', () => tx([Operation.clawback({ asset: new Asset('X', own), from: supplier, amount: '1' })]))
denied('T29 the sequence number moved to its end', () =>
  tx([Operation.bumpSequence({ bumpTo: '9223372036854775807' })]),
)
denied('T29 reserves of others', () => tx([Operation.beginSponsoringFutureReserves({ sponsoredId: thief })]))

// When, and where
denied('T32 no end of time', () => tx([pay('1')], { cond: xdr.Preconditions.precondNone() }))
denied('T32 an end far away', () =>
  tx([pay('1')], { cond: timeBounds(0n, BigInt(Math.floor(Date.now() / 1000) + 86_400)) }),
)
denied('T32 any sequence number from here on', () => {
  const conditions = { ledgerBounds: null, minSeqNum: 1n, minSeqAge: 0n, minSeqLedgerGap: 0, extraSigners: [] }
  const end = new xdr.TimeBounds({ minTime: 0n, maxTime: BigInt(Math.floor(Date.now() / 1000) + 300) })
  return tx([pay('1')], {
    cond: xdr.Preconditions.precondV2(new xdr.PreconditionsV2({ ...conditions, timeBounds: end })),
  })
})
denied('T33 a login challenge that is also a payment', () => tx([pay('1')], { sequence: 0n }))
denied('T33 a login challenge (SEP-10)', () =>
  tx([Operation.manageData({ name: 'bank.example auth', value: 'A'.repeat(64), source: own })], { sequence: 0n }),
)
attempt('T30 for another network than the key’s', 'payload/invalid', () =>
  evil.ask({ body: JSON.stringify({ type: 'stellar-transaction', xdr: tx([pay('1')]), network: 'public' }) }),
)
denied('T34 the older spelling of a payment to the thief', () => v0(parts([pay('1', thief)])).toXdr('base64'))

// Contracts
denied('T35 a contract deployed', () => tx([Operation.createStellarAssetContract({ asset: XLM })], { soroban: true }))
denied('T35 a transfer by the contract of an asset', () => tx([invoke('transfer')], { soroban: true }))
denied('T35 a transfer under a call that is granted', () =>
  tx([invoke('swap', [sourceAuthorization(invocationTree(1))])], { soroban: true }),
)

// Something else than a transaction
for (const type of ['raw-digest', 'stellar-message', 'digest', 'evm-transaction']) {
  attempt(`T33 a payload of type ${type}`, ['payload/unsupported', 'payload/invalid'], () =>
    evil.ask({ body: JSON.stringify({ type, digest: 'ab'.repeat(32), message: 'hello', xdr: tx([pay('1')]) }) }),
  )
}
attempt('T16 a field twice, so that two readers see two payments', 'request/malformed', () =>
  evil.ask({ body: `{"type":"stellar-transaction","xdr":"${tx([pay('1')])}","xdr":"${tx([pay('1', thief)])}"}` }),
)
attempt('T16 bytes behind the transaction', 'payload/invalid', () => {
  const bytes = Uint8Array.from([...(fromBase64(tx([pay('1')])) ?? []), 0, 0, 0, 0])
  return signs(Buffer.from(bytes).toString('base64'))
})
attempt('T16 a body that is not JSON by its own word', 'request/unsupported-media', () =>
  signs(tx([pay('1')]), { headers: { 'content-type': 'text/plain' } }),
)

// Another key
for (const name of ['reserve', 'nobody', 'sys..tem']) {
  attempt(`T04 the key ${name}, which the token does not name`, 'access/denied', () =>
    signs(tx([pay('1')]), { path: `/v1/keys/${name}/sign` }),
  )
}
attempt('T04 a key that is a path', ['request/malformed', 'request/unknown-route'], () =>
  signs(tx([pay('1')]), { path: '/v1/keys/..%2Freserve/sign' }),
)
attempt('T04 a batch that asks for nothing', 'request/malformed', () =>
  evil.ask({ path: '/v1/sign-batch', body: JSON.stringify({ requests: [] }) }),
)
attempts++
test('Shown-by 4 T04 a batch that carries other keys and other payments among good ones', async () => {
  const item = (key: string, text: string) => ({ key, payload: { type: 'stellar-transaction', xdr: text } })
  const requests = [
    item('reserve', tx([pay('1')])),
    item('treasury', tx([pay('1', thief)])),
    item('nobody', tx([pay('1')])),
  ]
  const answer = await evil.ask({ path: '/v1/sign-batch', body: JSON.stringify({ requests }) })
  assert.deepEqual([answer.status, answer.body['code']], [403, 'batch/refused'])
  watch(answer)
  const findings = answer.body['findings'] as { key: string; code: string }[]
  assert.deepEqual(
    findings.map(({ key, code }) => [key, code]),
    [
      ['reserve', 'access/denied'],
      ['treasury', 'policy/denied'],
      ['nobody', 'access/denied'],
    ],
  )
  for (const { code } of findings) refusals.push({ requestId: answer.requestId, code, title: 'batch' })
})

// The same request again
attempt('T57 an idempotency key of before for another payment', 'idempotency/mismatch', () =>
  signs(tx([pay('1')]), { idempotencyKey: firstKey }),
)
attempt('T05 a proof of before, with the body changed', 'token/invalid', async () => {
  const body = transactionBody(tx([pay('2')]))
  return evil.ask({ body, provenBody: transactionBody(tx([pay('1')])) })
})
attempt('T05 the proof of another request', 'token/invalid', async () => {
  const call = { body: transactionBody(tx([pay('1')])), idempotencyKey: 'one' }
  return evil.ask({ ...call, idempotencyKey: 'two', proof: await evil.proofFor(call) })
})
attempt('T06 a proof for the second time', 'token/invalid', async () => {
  const call = { body: firstBody, idempotencyKey: firstKey }
  const proof = await evil.proofFor(call)
  const again = await evil.ask({ ...call, proof })
  assert.equal(again.headers.get('idempotency-replayed'), 'true')
  watch(again)
  assert.equal(again.body['signature'], first.body['signature'])
  return evil.ask({ ...call, proof })
})
denied('M-70 T34 another payment for a sequence number that is taken', () => tx([pay('9')], { sequence: 1001n }))
denied('M-70 T34 the same in the older spelling', () => v0(parts([pay('9')], { sequence: 1001n })).toXdr('base64'))
denied('M-70 M-21 a fee bump with another inner transaction for it', () =>
  feeBump(parts([pay('9')], { sequence: 1001n }), { feeSource: unmuxed(own), fee: 900n }).toXdr('base64'),
)

// The token
attempt('T06 the token alone, as a bearer', 'token/invalid', () =>
  signs(tx([pay('1')]), { headers: { authorization: `Bearer ${evil.token}`, dpop: '' } }),
)
attempt('T06 the token as DPoP without a proof', 'token/invalid', () =>
  signs(tx([pay('1')]), { headers: { dpop: '' } }),
)
attempt('T06 a proof of yesterday', 'token/invalid', () =>
  signs(tx([pay('1')]), { claims: { iat: Math.floor(Date.now() / 1000) - 86_400 } }),
)
attempt('T06 a proof of 61 seconds ago', 'token/invalid', () =>
  signs(tx([pay('1')]), { claims: { iat: Math.floor(Date.now() / 1000) - 61 } }),
)
attempt('T06 a proof by another key', 'token/invalid', async () =>
  caller(service.url, evil.token, await createSender()).ask({ body: transactionBody(tx([pay('1')])) }),
)
const rewritten = (change: (claims: Record<string, unknown>) => object, alg?: string): string => {
  const [header = '', payload = '', signature = ''] = evil.token.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
  const text = toBase64Url(new TextEncoder().encode(JSON.stringify(change(claims))))
  if (alg === undefined) return [header, text, signature].join('.')
  const own = { ...(JSON.parse(Buffer.from(header, 'base64url').toString()) as object), alg }
  return `${toBase64Url(new TextEncoder().encode(JSON.stringify(own)))}.${text}.`
}
attempt('T04 a token with wider scopes', 'token/invalid', () =>
  caller(
    service.url,
    rewritten(claims => ({ ...claims, scope: 'sign:*' })),
    sender,
  ).ask({ body: transactionBody(tx([pay('1')])) }),
)
attempt('T04 a token of no algorithm', 'token/invalid', () =>
  caller(
    service.url,
    rewritten(claims => claims, 'none'),
    sender,
  ).ask({ body: transactionBody(tx([pay('1')])) }),
)
attempt('T04 two tokens in one header', 'token/invalid', () =>
  signs(tx([pay('1')]), { headers: { authorization: `DPoP ${evil.token}, DPoP ${evil.token}` } }),
)
attempt('T05 a token that was taken back', 'token/invalid', async () => {
  const { id, token } = await issue(controlUrl, operator, { scopes: ['sign:treasury'], sender })
  const who = caller(service.url, token, sender)
  const revoked = await administer(controlUrl, operator.token, 'DELETE', `/v1/tokens/${id}`)
  assert.equal(revoked.status, 200, JSON.stringify(revoked.body))
  return signs(tx([pay('1')]), {}, who)
})

// What the token says beside its scopes
const constrained = (title: string, constraints: object, call: Call = {}, make = () => tx([pay('1')])): void =>
  attempt(title, 'access/denied', async () => signs(make(), call, await tokenFor(constraints)))
constrained('T04 from an address that the token is not for', { cidrs: ['192.0.2.0/24'] })
constrained(
  'T13 with a header that says another address',
  { cidrs: ['192.0.2.0/24'] },
  { headers: { 'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.1', 'x-real-ip': '192.0.2.1' } },
)
constrained('T04 an operation that the token is not for', { operations: ['invokeHostFunction'] })
constrained('T04 a fee bump with a token for payments', { operations: ['payment'] }, {}, () =>
  feeBump(parts([pay('1')]), { feeSource: unmuxed(own), fee: 900n }).toXdr('base64'),
)
constrained('T04 more than the token allows in one signature', { maxValue: { native: '9999999' } })
constrained('T04 more than the token allows, in pieces', { maxValue: { native: '9999999' } }, {}, () =>
  tx([pay('0.6'), pay('0.6')]),
)
constrained(
  'T04 a call that nobody can measure, by a token with a limit',
  { maxValue: { native: '9999999' } },
  {},
  () => tx([invoke('swap')], { soroban: true }),
)
constrained('T04 a network that the token is not for', { networks: ['public'] })
attempt('T14 more often than the token says', 'access/limited', async () => {
  const who = await tokenFor({ limit: 1 })
  refused('used up', await signs(tx([pay('1', thief)]), {}, who), 'policy/denied')
  const answer = await signs(tx([pay('1')]), {}, who)
  assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d?$/)
  assert.match(answer.headers.get('ratelimit') ?? '', /^"token";r=0;t=\d+$/)
  return answer
})
attempt('T04 a dry run with a token that only signs', 'access/denied', async () =>
  signs(tx([pay('1')]), { path: '/v1/keys/treasury/explain' }, await tokenFor({}, ['sign:treasury'])),
)

// The other plane
const elsewhere = (title: string, method: string, path: string, body?: object): void =>
  attempt(title, 'token/invalid', async () => {
    const answer = await administer(controlUrl, evil.token, method, path, body)
    return answer
  })
elsewhere('M-73 a token for itself', 'POST', '/v1/tokens', { subject: 'me', scopes: ['sign:*'] })
elsewhere('M-73 an administrator of its own', 'POST', '/v1/admins', { address: thief, name: 'me', roles: ['operator'] })
elsewhere('M-73 another policy', 'POST', '/v1/keys/treasury/policy/changes', { policy: { version: 1 }, tests: [{}] })
elsewhere('M-73 the log', 'GET', '/v1/audit')
attempt('M-73 the signing route where administrators are', 'request/unknown-route', () =>
  caller(controlUrl, evil.token, sender).ask({ body: transactionBody(tx([pay('1')])) }),
)

// Little by little
attempts++
test('Shown-by 4 T26 many small payments: the window gives what is left of it, to the stroop', async () => {
  allowed(await signs(tx([pay('8')])), 8)
  refused('too much for what is left', await signs(tx([pay('7.0000001')])), 'policy/denied')
  const dry = await signs(tx([pay('7.0000001')]), { path: '/v1/keys/treasury/explain' })
  assert.deepEqual([dry.status, dry.body['decision'], dry.body['rule']], [200, 'deny', 'windows'])
})
attempts++
test('Shown-by 4 T26 M-51 40 small payments at the same time: 7 fit', async () => {
  const answers = await Promise.all(Array.from({ length: 40 }, () => signs(tx([pay('1')]))))
  const good = answers.filter(({ status }) => status === 200)
  for (const answer of good) allowed(answer, 1)
  for (const answer of answers) if (answer.status !== 200) refused('in parallel', answer, 'policy/denied')
  assert.equal(good.length, 7)
})
attempts++
test('Shown-by 4 T26 the window is full: not a stroop more, by no way', async () => {
  const ways: (() => Promise<Told>)[] = [
    () => signs(tx([pay('0.0000001')])),
    () => signs(v0(parts([pay('0.0000001')])).toXdr('base64')),
    () => signs(tx([payMuxed(muxed(exchange, 7n), 1n)])),
    () => signs(feeBump(parts([pay('0.0000001')]), { feeSource: unmuxed(own), fee: 900n }).toXdr('base64')),
    () => signs(tx([pay('0.0000001')], { source: muxed(own, 5n) })),
    async () => signs(tx([pay('0.0000001')]), {}, await tokenFor({})),
  ]
  for (const way of ways) refused('full', await way(), 'policy/denied')
})
attempts++
test('Shown-by 4 T57 40 requests under one idempotency key at the same time: one answer, and the money counts once', async () => {
  const call = { body: firstBody, idempotencyKey: firstKey }
  const answers = await Promise.all(Array.from({ length: 40 }, () => evil.ask(call)))
  for (const answer of answers) {
    if (answer.status === 200) watch(answer)
    else refused('at once', answer, 'idempotency/in-flight')
  }
  const given = new Set(answers.filter(({ status }) => status === 200).map(({ body }) => body['signature']))
  assert.deepEqual([...given], [first.body['signature']])
})

test('Shown-by 4 T48 the bill: nothing that the policy does not allow, no more than the window, one record a refusal', async () => {
  assert.equal(released.size, 1 + 1 + 7, 'payments of 10, 8 and 7 times 1')
  assert.equal(stroopsOut, BigInt(WINDOW_XLM) * 10_000_000n)
  assert.ok(attempts >= 30)
  // What is recorded in the background is there once everybody before has been written.
  const found: Record<string, unknown>[] = []
  for (let seq: number | undefined = 1; seq !== undefined; ) {
    const page: Told = await administer(
      controlUrl,
      auditor.token,
      'GET',
      `/v1/audit?limit=1000&result=refused&seq=${seq}`,
    )
    assert.equal(page.status, 200, JSON.stringify(page.body))
    found.push(...(page.body['records'] as Record<string, unknown>[]))
    seq = page.body['next'] as number | undefined
  }
  const name = ({ requestId, code }: { requestId: unknown; code: unknown }) => `${String(requestId)} ${String(code)}`
  const recorded = found.map(({ requestId, errorCode }) => name({ requestId, code: errorCode })).toSorted()
  const wanted = refusals.map(name).toSorted()
  const missing = refusals.filter(each => !recorded.includes(name(each))).map(({ title, code }) => `${title}: ${code}`)
  assert.deepEqual(missing, [])
  assert.deepEqual(recorded, wanted)
  const signed = await administer(controlUrl, auditor.token, 'GET', '/v1/audit?limit=1000&result=released')
  assert.equal((signed.body['records'] as object[]).length, released.size)
  const incidents = plant.logs.filter(({ level }) => level === 'error')
  assert.deepEqual(incidents, [])
  const text = JSON.stringify([found, plant.logs])
  assert.ok(!text.includes(evil.token), 'no token stands in a record or in a line of the log')
  assert.ok(!text.includes(createHash('sha256').update(evil.token).digest('base64url')))
  process.stderr.write(
    `# hostile: ${attempts} attempts, ${refusals.length} refused requests, ${recorded.length} records, ${released.size} signatures of ${Number(stroopsOut) / 1e7} XLM\n`,
  )
})
