import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Keypair, TransactionBuilder } from '@stellar/stellar-sdk/base'
import { createMemoryFiles } from '../../../src/audit/memory-files.ts'
import { passphraseOf } from '../../../src/chains/stellar/index.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { testKey } from '../../fuzz/xdr-corpus.ts'
import { problemOf } from '../../support/rig.ts'
import {
  addressOf,
  batchTemplate,
  BENEFICIARY,
  EVERY_RIGHT,
  openRevocations,
  revocation,
  revocationPolicy,
  type RevocationWorld,
  VAULT_A,
  vaultTemplate,
} from '../../support/revocations.ts'
import type { Lie, Question } from '../../support/stub-network.ts'

const EXECUTE = '/v1/transactions/execute'
const PREPARE = '/v1/transactions/prepare'
const BOTH = { template: 'batch-revoke', arguments: { revocations: [revocation('a', '200'), revocation('b', 300)] } }
const ONE = { template: 'vault-revoke', arguments: revocation('a', 1) }

type Body = Record<string, unknown>
const bodyOf = async (response: Response): Promise<Body> => (await response.json()) as Body

async function executed(world: RevocationWorld, body: object = BOTH, key?: string): Promise<Body> {
  const answer = await world.pass(world.post(EXECUTE, body, key === undefined ? {} : { key }))
  const told = await bodyOf(answer)
  assert.equal(answer.status, 200, JSON.stringify(told))
  return told
}

async function refused(
  world: RevocationWorld,
  body: object,
  code: string,
  over: { key?: string; token?: string } = {},
) {
  const problem = await problemOf(await world.pass(world.post(EXECUTE, body, over)))
  assert.equal(problem.code, code, JSON.stringify(problem))
  return problem
}

const eventsOf = async ({ rig }: RevocationWorld): Promise<string[]> =>
  (await rig.records()).flatMap(record => (record.kind === 'event' ? [record.event] : []))
const intentsOf = async ({ rig }: RevocationWorld) =>
  (await rig.records()).flatMap(record => (record.kind === 'intent' ? [record] : []))

test('M-25 batch revoke end to end: three keys sign, the network checks each signature, and the hash is the signed one', async () => {
  const world = await openRevocations()
  const told = await executed(world)
  assert.equal(told['status'], 'success')
  assert.deepEqual(told['keys'], ['admin-a', 'admin-b', 'operator'])
  assert.deepEqual(world.stub.accepted, [told['hash']])
  assert.equal(told['ledger'], world.stub.applied(String(told['hash']))?.ledger)
  assert.deepEqual(told['value'], { u32: 2 })
  assert.deepEqual([world.vaults.a.get(BENEFICIARY), world.vaults.b.get(BENEFICIARY)], [300n, 200n])

  const intents = await intentsOf(world)
  assert.deepEqual(
    intents.map(({ key, payloadType }) => [key, payloadType]),
    [
      ['admin-a', 'stellar-auth-entry'],
      ['admin-b', 'stellar-auth-entry'],
      ['operator', 'stellar-transaction'],
    ],
  )
  assert.equal(intents.at(-1)?.digest, told['hash'], 'what was signed is what was submitted')
  const events = ['transaction-prepared', 'transaction-submitted', 'transaction-settled', 'transaction-executed']
  assert.deepEqual(await eventsOf(world), events)
})

test('M-25 the same over HTTP, with authorizations that name their account, and a payer', async () => {
  const template = batchTemplate({ feeSource: 'payer' })
  const policy = () =>
    revocationPolicy({ feeBump: true, sources: [addressOf('operator')], authorizations: { expiration: 'any' } })
  const open = (urls?: { rpcUrl: string; horizonUrl: string }, network?: RevocationWorld['stub']) =>
    openRevocations({
      stub: { upgradedAuth: true },
      templates: [template],
      policy,
      ...(urls === undefined ? {} : { urls }),
      ...(network === undefined ? {} : { network }),
    })
  const first = await open()
  const server = await first.stub.listen()
  try {
    const world = await open(server, first.stub)
    const told = await executed(world)
    assert.deepEqual(told['keys'], ['admin-a', 'admin-b', 'operator', 'payer'])
    assert.deepEqual(first.stub.accepted, [told['hash']])
    assert.equal((await intentsOf(world)).at(-1)?.digest, told['hash'])
  } finally {
    await server.close()
  }
})

test('M-25 prepare shows what would be signed, by whom, for how much; nothing is signed and nothing is kept', async () => {
  const world = await openRevocations({ templates: [batchTemplate({ feeSource: 'payer' })] })
  const answer = await world.post(PREPARE, BOTH)
  const told = await bodyOf(answer)
  assert.equal(answer.status, 200, JSON.stringify(told))
  assert.deepEqual(told['fee'], { inclusion: '10000', resource: '62000', total: '72000' })
  const keys = told['keys'] as Body[]
  assert.deepEqual(
    keys.map(({ key, role, decision, rule }) => [key, role, decision, rule]),
    [
      ['admin-a', 'authorization', 'allow', undefined],
      ['admin-b', 'authorization', 'allow', undefined],
      ['operator', 'source', 'allow', undefined],
      ['payer', 'fee-source', 'deny', 'sources'],
    ],
  )
  assert.match(String((told['sentences'] as string[])[0]), /Call "batch_revoke" of contract C/)
  assert.deepEqual(told['simulated'], { u32: 2 })
  const transaction = TransactionBuilder.fromXDR(String(told['xdr']), passphraseOf('testnet'))
  assert.equal(Buffer.from(transaction.hash()).toString('hex'), told['hash'])
  assert.equal(transaction.signatures.length, 0)
  assert.equal(world.rig.signatures(), 0)
  assert.deepEqual(await eventsOf(world), ['transaction-prepared'])
})

test('M-25 one vault a transaction: an argument says which contract is called, and its admin may be the source itself', async () => {
  const world = await openRevocations({
    templates: [vaultTemplate({ source: 'admin-a' }), batchTemplate()],
  })
  const told = await executed(world, ONE)
  assert.deepEqual(told['keys'], ['admin-a'], 'the signature of the transaction authorizes the call')
  assert.equal(world.vaults.a.get(BENEFICIARY), 499n)
})

test('T58 the same request again is the same transaction, and another under its key is refused', async () => {
  const world = await openRevocations()
  const told = await executed(world, BOTH, 'again')
  const signatures = world.rig.signatures()
  assert.deepEqual(await executed(world, BOTH, 'again'), told)
  assert.equal(world.rig.signatures(), signatures)
  assert.equal(world.stub.asked.get('submit'), 1)
  await refused(world, ONE, 'idempotency/mismatch', { key: 'again' })
  assert.deepEqual([...world.stub.accepted], [told['hash']])
  const missing = await world.post(EXECUTE, BOTH, { key: undefined })
  assert.equal((await problemOf(missing)).code, 'idempotency/missing')
})

const BREAKS: readonly (readonly [question: Question, lie: Lie, code: string])[] = [
  ['submit', 'unreachable', 'network/unavailable'],
  ['submit', 'hang', 'network/unavailable'],
  ['submit', 'lost', 'network/unavailable'],
  ['submit', 'status-500', 'network/unavailable'],
  ['submit', 'other-hash', 'network/malformed'],
  ['submit', 'wrong-id', 'network/malformed'],
  ['submit', 'redirect', 'network/malformed'],
  ['submit', 'huge', 'network/malformed'],
  ['submit', 'not-json', 'network/malformed'],
  ['submit', 'wrong-types', 'network/malformed'],
  ['submit', 'error', 'network/unavailable'],
  ['transaction', 'other-transaction', 'network/malformed'],
  ['transaction', 'wrong-types', 'network/malformed'],
]

test('M-25 whatever happens between signature and ledger is typed, and the request goes on with the very same transaction', async () => {
  const world = await openRevocations({ stub: { closesAfter: 0 } })
  for (const [at, [question, lie, code]] of BREAKS.entries()) {
    const key = `broken-${at}`
    world.stub.lies(question, lie)
    const problem = await refused(world, ONE, code, { key })
    assert.equal(problem['retryable'], code === 'network/unavailable', lie)
    const signatures = world.rig.signatures()
    const told = await executed(world, ONE, key)
    assert.equal(told['status'], 'success', lie)
    assert.equal(world.rig.signatures(), signatures, `${lie}: nothing was signed again`)
    assert.equal(world.stub.accepted.length, at + 1, `${lie}: one transaction`)
    assert.equal(world.stub.accepted[at], told['hash'], lie)
    assert.equal((await intentsOf(world)).length, 2 * (at + 1), lie)
    assert.equal(world.vaults.a.get(BENEFICIARY), 499n - BigInt(at), lie)
  }
})

const BEFORE: readonly (readonly [question: Question, lies: readonly Lie[], code: string, why: RegExp])[] = [
  ['passphrase', ['other-network'], 'network/malformed', /another network/],
  ['account', ['other-account'], 'network/malformed', /another account/],
  ['account', ['wrong-types'], 'network/malformed', /is not a/],
  ['account', ['unreachable', 'status-500', 'unreachable'], 'network/unavailable', /cannot be reached/],
  ['simulate', ['wrong-id'], 'network/malformed', /another id/],
  ['simulate', ['wrong-types'], 'network/malformed', /is not a/],
  ['simulate', ['fails'], 'transaction/rejected', /^HostError: Error\(Contract, #3\) bad$/],
  ['simulate', ['restore'], 'transaction/rejected', /restored first/],
  ['simulate', ['dear'], 'transaction/rejected', /100000000 stroops; the template allows 1000000/],
  ['simulate', ['foreign-auth'], 'transaction/rejected', /asks to authorize transfer of C/],
]

test('M-25 a node that lies before anything is signed has nothing signed, and the request may begin anew', async () => {
  const world = await openRevocations()
  for (const [question, lies, code, why] of BEFORE) {
    world.stub.lies(question, ...lies)
    const problem = await refused(world, BOTH, code, { key: 'early' })
    assert.match(String(problem['reason']), why, lies.join())
    assert.equal(world.rig.signatures(), 0, lies.join())
  }
  assert.equal((await executed(world, BOTH, 'early'))['status'], 'success')
})

test('M-25 a process that dies between signature and submission leaves one transaction, also when the store lost it', async () => {
  for (const loses of [false, true]) {
    const [files, store] = [createMemoryFiles(), openMemoryStore()]
    const first = await openRevocations({ store, rig: { files } })
    first.stub.lies('submit', 'hang')
    void first.post(EXECUTE, BOTH, { key: 'killed' }).catch(() => {})
    while ((first.stub.asked.get('submit') ?? 0) === 0) await new Promise(resolve => setTimeout(resolve, 5))
    const signed = (await intentsOf(first)).at(-1)?.digest
    await first.rig.log.close() // nothing of the first process goes on

    const again = loses ? openMemoryStore() : store
    const second = await openRevocations({ store: again, rig: { files }, network: first.stub })
    if (!loses) await refused(second, BOTH, 'idempotency/in-flight', { key: 'killed' })
    second.rig.clock.advance(40_000)
    const told = await executed(second, BOTH, 'killed')
    assert.equal(told['hash'], signed, loses ? 'from the log' : 'from the store')
    assert.deepEqual(first.stub.accepted, [signed])
    assert.equal(second.rig.signatures(), 0, 'every signature was made before')
  }
})

test('M-25 what is still on its way is 202, and is asked for by its hash', async () => {
  const world = await openRevocations({ stub: { closesAfter: 1_000 } })
  const answer = await world.pass(world.post(EXECUTE, BOTH, { key: 'slow' }))
  const told = await bodyOf(answer)
  assert.deepEqual([answer.status, told['status']], [202, 'pending'])
  const path = `/v1/transactions/${String(told['hash'])}`
  assert.equal((await world.pass(world.get(path))).status, 202)
  const stranger = await world.rig.token(['read:treasury'])
  for (const [at, token] of [
    [path, stranger],
    [`/v1/transactions/${'0'.repeat(64)}`, undefined],
  ] as const) {
    assert.equal((await problemOf(await world.pass(world.get(at, token)))).code, 'transaction/unknown')
  }
  assert.equal((await problemOf(await world.get('/v1/transactions/ABC'))).code, 'request/malformed')
  for (let poll = 0; poll < 1_000; poll++)
    await world.stub.fetch('http://127.0.0.1/rpc', rpc('getTransaction', told['hash']))
  const settled = await bodyOf(await world.pass(world.get(path)))
  assert.equal(settled['status'], 'success')
  assert.deepEqual(await executed(world, BOTH, 'slow'), settled)
})

const rpc = (method: string, hash: unknown): RequestInit => ({
  method: 'POST',
  body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { hash } }),
})

test('M-25 a network that is busy is asked again, and one that stays busy is not available', async () => {
  const world = await openRevocations()
  world.stub.lies('submit', 'try-again', 'try-again')
  assert.equal((await executed(world))['status'], 'success')
  world.stub.lies('submit', ...Array.from({ length: 40 }, () => 'try-again' as const))
  const problem = await refused(world, ONE, 'network/unavailable')
  assert.match(String(problem['reason']), /busy/)
})

test('M-25 a call that fails in its ledger is told as such, with its code', async () => {
  const world = await openRevocations()
  const told = await executed(world, { template: 'vault-revoke', arguments: revocation('a', 501) })
  assert.deepEqual([told['status'], told['code']], ['failed', 'txFailed: invokeHostFunctionTrapped'])
  assert.equal(world.vaults.a.get(BENEFICIARY), 500n)
})

test('M-25 what a network refuses for good is typed with code and hash, and stays refused', async () => {
  const world = await openRevocations()
  world.stub.lies('submit', 'unreachable')
  await refused(world, BOTH, 'network/unavailable', { key: 'late' })
  const account = world.stub.account(addressOf('operator'))
  account.sequence += 5n // somebody else used the account
  const problem = await world.pass(world.post(EXECUTE, BOTH, { key: 'late' }))
  const told = await bodyOf(problem)
  assert.deepEqual([problem.status, told['code'], told['resultCode']], [422, 'transaction/rejected', 'txBadSeq'])
  assert.match(String(told['hash']), /^[0-9a-f]{64}$/)
  assert.deepEqual(await bodyOf(await world.pass(world.post(EXECUTE, BOTH, { key: 'late' }))).then(strip), strip(told))
  assert.deepEqual(world.stub.accepted, [])
})

const strip = ({ requestId: _, ...rest }: Body): Body => rest

test('M-25 what was signed and never sent ends with its time', async () => {
  const world = await openRevocations()
  world.stub.lies('submit', 'unreachable')
  await refused(world, BOTH, 'network/unavailable', { key: 'old' })
  world.rig.clock.advance(400_000)
  const problem = await refused(world, BOTH, 'transaction/rejected', { key: 'old' })
  assert.match(String(problem['reason']), /time is over/)
})

test('M-25 two requests for one source account take turns, and both get in', async () => {
  const world = await openRevocations()
  const [one, two] = await world.pass(
    Promise.all([world.post(EXECUTE, BOTH), world.post(EXECUTE, ONE)].map(async answer => bodyOf(await answer))),
  )
  assert.deepEqual([one?.['status'], two?.['status']], ['success', 'success'])
  assert.equal(world.stub.account(addressOf('operator')).sequence, 43n)
})

test('M-25 a policy that says no stops it with nothing sent; with another policy the same request would begin anew', async () => {
  const policy = (key: string) => (key === 'admin-b' ? revocationPolicy({ contracts: [] }) : revocationPolicy())
  const world = await openRevocations({ policy })
  const problem = await refused(world, BOTH, 'policy/denied', { key: 'denied' })
  assert.equal(problem['rule'], 'contracts')
  assert.equal(world.stub.asked.get('submit'), undefined)
  assert.deepEqual(await eventsOf(world), ['transaction-prepared'])
})

const OUT_OF_BOUNDS: readonly (readonly [change: object, field: string])[] = [
  [{ amount: 0 }, 'amount'],
  [{ amount: '1000001' }, 'amount'],
  [{ amount: '-1' }, 'amount'],
  [{ amount: '01' }, 'amount'],
  [{ amount: '0x10' }, 'amount'],
  [{ amount: 1.5 }, 'amount'],
  [{ amount: '9'.repeat(60) }, 'amount'],
  [{ amount: null }, 'amount'],
  [{ amount: ['1'] }, 'amount'],
  [{ beneficiary: 'GABC' }, 'beneficiary'],
  [{ beneficiary: 7 }, 'beneficiary'],
  [{ beneficiary: BENEFICIARY.toLowerCase() }, 'beneficiary'],
  [{ beneficiary: BENEFICIARY.replace(/.$/, letter => (letter === 'A' ? 'B' : 'A')) }, 'beneficiary'],
  [{ vault: BENEFICIARY }, 'vault'],
  [{ signer: BENEFICIARY }, 'signer'],
  [{ signer: addressOf('payer') }, 'signer'],
  [{ more: 1 }, 'more'],
  [{ vault: undefined }, 'vault'],
]

test('M-25 a value out of its bounds is refused with its place, before anybody is asked', async () => {
  const world = await openRevocations()
  for (const [change, field] of OUT_OF_BOUNDS) {
    const revocations = [revocation('a', 1), { ...revocation('b', 1), ...change }]
    const problem = await refused(world, { template: 'batch-revoke', arguments: { revocations } }, 'request/malformed')
    assert.equal(problem['field'], `arguments.revocations.1.${field}`, JSON.stringify(change))
  }
  const many = Array.from({ length: 11 }, () => revocation('a', 1))
  for (const [given, field] of [
    [{}, 'arguments.revocations'],
    [{ revocations: [] }, 'arguments.revocations'],
    [{ revocations: many }, 'arguments.revocations'],
    [{ revocations: [1] }, 'arguments.revocations.0'],
    [{ revocations: 'all' }, 'arguments.revocations'],
    [{ revocations: [revocation('a', 1)], contract: VAULT_A }, 'arguments.contract'],
    [[], 'arguments'],
  ] as const) {
    const problem = await refused(world, { template: 'batch-revoke', arguments: given }, 'request/malformed')
    assert.equal(problem['field'], field)
  }
  for (const body of [
    { template: 'batch-revoke', arguments: {}, network: 'public' },
    { template: 7, arguments: {} },
    [],
    { keys: ['a'] },
  ]) {
    await refused(world, body, 'request/malformed')
  }
  await refused(world, { template: 'other', arguments: {} }, 'template/unknown')
  assert.equal(world.stub.asked.get('simulate'), undefined)
})

test('M-25 whoever is named as signer has to be asked by the contract', async () => {
  const world = await openRevocations()
  const mistaken = { ...revocation('a', 1), signer: addressOf('admin-b') }
  const problem = await refused(world, { template: 'vault-revoke', arguments: mistaken }, 'transaction/rejected')
  assert.match(String(problem['reason']), /does not ask for the authorization/)
})

test('M-25 every key asks its own right: explain to prepare, sign and submit to execute', async () => {
  const world = await openRevocations()
  const rights = (action: string, but: string): string[] =>
    EVERY_RIGHT.filter(right => !right.startsWith(action)).concat(
      ['operator', 'admin-a', 'admin-b'].filter(key => key !== but).map(key => `${action}:${key}`),
    )
  for (const [path, action, key] of [
    [PREPARE, 'explain', 'operator'],
    [PREPARE, 'explain', 'admin-b'],
    [EXECUTE, 'sign', 'operator'],
    [EXECUTE, 'sign', 'admin-b'],
    [EXECUTE, 'submit', 'operator'],
  ] as const) {
    const token = await world.rig.token(rights(action, key))
    const problem = await problemOf(await world.pass(world.post(path, BOTH, { token })))
    assert.equal(problem.code, 'access/denied', `${action}:${key}`)
  }
  assert.equal(world.rig.signatures(), 0)
  const enough = await world.rig.token([...rights('sign', ''), ...rights('submit', '')])
  assert.equal((await world.pass(world.post(EXECUTE, BOTH, { token: enough }))).status, 200)
})

/** A contract call that a caller built; unsigned. */
async function built(world: RevocationWorld): Promise<string> {
  const answer = await bodyOf(await world.post(PREPARE, { template: 'own', arguments: revocation('a', 5) }))
  return String(answer['xdr'])
}

test('M-25 an envelope that a caller built is signed by the keys he names, and sent; one that is signed is sent', async () => {
  for (const by of ['rpc', 'both'] as const) {
    const world = await openRevocations({ by, templates: [vaultTemplate({ name: 'own', source: 'admin-a' })] })
    const xdr = await built(world)
    const told = await executed(world, { xdr, keys: ['admin-a'] })
    assert.equal(told['status'], 'success')

    const next = await built(world)
    const unsigned = await problemOf(await world.post('/v1/transactions/submit', { key: 'admin-a', xdr: next }))
    assert.deepEqual([unsigned.code, unsigned['reason']], ['payload/invalid', 'is not signed by admin-a'])
    const stranger = TransactionBuilder.fromXDR(next, passphraseOf('testnet'))
    stranger.sign(testKey('mallory'))
    await refusedSubmit(world, 'admin-a', stranger.toXDR(), 'payload/invalid')
    const signed = TransactionBuilder.fromXDR(next, passphraseOf('testnet'))
    signed.sign(Keypair.fromRawEd25519Seed(new Uint8Array(32).fill(0x41)))
    await refusedSubmit(world, 'operator', signed.toXDR(), 'payload/invalid')
    const body = { key: 'admin-a', xdr: signed.toXDR() }
    const sent = await bodyOf(await world.pass(world.post('/v1/transactions/submit', body)))
    assert.equal(sent['status'], 'success', JSON.stringify(sent))
    assert.equal(sent['hash'], Buffer.from(signed.hash()).toString('hex'))
    assert.deepEqual(await bodyOf(await world.pass(world.post('/v1/transactions/submit', body))), sent)
    assert.equal(world.vaults.a.get(BENEFICIARY), 490n)
  }
})

async function refusedSubmit(world: RevocationWorld, key: string, xdr: string, code: string): Promise<void> {
  assert.equal((await problemOf(await world.post('/v1/transactions/submit', { key, xdr }))).code, code)
}

test('M-25 by Horizon alone an envelope is sent and found; a call cannot be simulated', async () => {
  const builder = await openRevocations({ templates: [vaultTemplate({ name: 'own', source: 'admin-a' })] })
  const xdr = await built(builder)
  const world = await openRevocations({ by: 'horizon' })
  const told = await executed(world, { xdr, keys: ['admin-a'] })
  assert.equal(told['status'], 'success')
  assert.deepEqual(world.stub.accepted, [told['hash']])
  const problem = await refused(world, ONE, 'network/unavailable')
  assert.match(String(problem['reason']), /no Soroban RPC/)
})

test('M-25 a template whose keys, network or account are not as it says has nothing signed', async () => {
  const strange = testKey('stranger').publicKey()
  const template = batchTemplate()
  const cases: readonly (readonly [change: Partial<typeof template>, code: string, reason?: RegExp])[] = [
    [{ source: 'nobody' }, 'key/unknown'],
    [{ source: 'evm' }, 'key/unsupported'],
    [{ feeSource: 'elsewhere' }, 'key/unsupported'],
    [{ signers: new Map([[strange, 'admin-a']]) }, 'key/mismatch', /not the account it signs for now/],
    [{ network: 'public' }, 'network/unavailable', /no endpoint/],
    [{ source: 'poor' }, 'transaction/rejected', /does not exist/],
    [{ authorizes: [] }, 'transaction/rejected', /authorize revoke of C/],
  ]
  const world = await openRevocations({
    templates: cases.map(([change], at) => ({ ...template, name: `case-${at}`, ...change })),
    rig: { keys: [{ name: 'evm', chain: 'evm' }, { name: 'elsewhere', network: 'futurenet' }, { name: 'poor' }] },
  })
  for (const [at, [change, code, reason]] of cases.entries()) {
    const problem = await refused(world, { ...BOTH, template: `case-${at}` }, code)
    if (reason !== undefined) assert.match(String(problem['reason']), reason, JSON.stringify(change))
  }
  assert.equal(world.rig.signatures(), 0)

  const unmapped = await openRevocations({
    templates: [batchTemplate({ signers: new Map([[addressOf('admin-a'), 'admin-a']]) })],
  })
  const given = { ...revocation('b', 1), signer: addressOf('admin-a') }
  const problem = await refused(unmapped, { ...BOTH, arguments: { revocations: [given] } }, 'transaction/rejected')
  assert.match(String(problem['reason']), /has no key for that/)
})

test('M-25 keys of one envelope are of one network, each once, and one of them pays', async () => {
  const world = await openRevocations({
    templates: [vaultTemplate({ name: 'own', source: 'admin-a' })],
    rig: {
      keys: [
        { name: 'evm', chain: 'evm' },
        { name: 'elsewhere', network: 'futurenet' },
      ],
    },
  })
  const xdr = await built(world)
  for (const [keys, code] of [
    [['admin-a', 'elsewhere'], 'key/unsupported'],
    [['evm'], 'key/unsupported'],
    [['nobody'], 'key/unknown'],
    [['admin-b'], 'payload/invalid'],
    [['admin-a', 'admin-a'], 'request/malformed'],
    [[], 'request/malformed'],
    [['a b'], 'request/malformed'],
  ] as const) {
    await refused(world, { xdr, keys }, code)
  }
  await refused(world, { xdr: 'AAAA', keys: ['admin-a'] }, 'payload/invalid')
  await refused(world, { xdr: 7, keys: ['admin-a'] }, 'request/malformed')
  assert.equal(world.rig.signatures(), 0)
})

test('M-25 what was sent and got into no ledger before its time has ended is refused for good', async () => {
  const world = await openRevocations()
  world.stub.lies('submit', 'unreachable')
  await refused(world, BOTH, 'network/unavailable', { key: 'stuck' })
  const digest = (await intentsOf(world)).at(-1)?.digest ?? ''
  assert.equal((await bodyOf(await world.pass(world.get(`/v1/transactions/${digest}`))))['status'], 'pending')
  world.rig.clock.advance(400_000)
  const problem = await problemOf(await world.pass(world.get(`/v1/transactions/${digest}`)))
  assert.deepEqual([problem.code, problem['hash']], ['transaction/rejected', digest])
  assert.match(String(problem['reason']), /in no ledger/)
})
