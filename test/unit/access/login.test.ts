/** Login from challenge to session (M-41, T13, T14): one use, one shape for everybody, and nothing taken for something else. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Keypair, StrKey, TransactionBuilder } from '@stellar/stellar-sdk/base'
import { changeText, verifyApproval } from '../../../src/access/approval.ts'
import { EIP4361_REASONS } from '../../../src/access/eip4361.ts'
import {
  createLogin,
  LOGIN_REASONS,
  type Login,
  type LoginChallenge,
  type LoginDeps,
} from '../../../src/access/login.ts'
import { SEP10_REASONS } from '../../../src/access/sep10.ts'
import type { Admin } from '../../../src/domain/admins.ts'
import { isSignerError, SignerError } from '../../../src/domain/errors.ts'
import {
  admin,
  adminsIn,
  challengesInMemory,
  countingRandom,
  evmPerson,
  stellarPerson,
} from '../../support/login-world.ts'

const TESTNET = 'Test SDF Network ; September 2015'
const server = stellarPerson(1)
const [ann, bob, eve] = [stellarPerson(2), evmPerson(3), stellarPerson(4)]
const mallory = evmPerson(5)

function open(rest: Partial<LoginDeps> = {}) {
  const list: Admin[] = [admin(ann.address, ['auditor']), admin(bob.address, ['approver'])]
  const admins = adminsIn(list)
  const challenges = challengesInMemory()
  const clock = { at: 1_700_000_000_000, now: () => clock.at }
  const issued: string[] = []
  const deps: LoginDeps = {
    sep10: {
      serverAccount: server.address,
      homeDomain: 'signer.example',
      webAuthDomain: 'signer.example',
      networkPassphrase: TESTNET,
      sign: async hash => server.signHash(hash),
    },
    eip4361: {
      domain: 'signer.example',
      uri: 'https://signer.example/',
      statement: 'Log in to the control plane of Countersign.',
      chainIds: [1],
    },
    admins,
    challenges,
    clock,
    random: countingRandom(),
    issue: async who => {
      issued.push(who.address)
      return `token-${issued.length}`
    },
    ...rest,
  }
  return { login: createLogin(deps), list, admins, challenges, clock, issued, deps }
}

const fillOf = new Map([1, 2, 4].map(fill => [stellarPerson(fill).address, fill]))

/** What the wallet of `address` sends back. */
function answerTo(challenge: LoginChallenge, address: string): Record<string, string> {
  if (challenge.kind === 'eip-4361') {
    const person = [bob, mallory].find(one => one.address === address)
    assert.ok(person)
    return { message: challenge.message, signature: person.signText(challenge.message) }
  }
  const tx = TransactionBuilder.fromXDR(challenge.transaction, challenge.networkPassphrase)
  tx.sign(Keypair.fromRawEd25519Seed(new Uint8Array(32).fill(fillOf.get(address) ?? 0)))
  return { transaction: tx.toXdr() }
}
const answerOf = async (login: Login, address: string) => answerTo(await login.challenge({ address }), address)

const refusal = (reason: string) => (error: unknown) =>
  isSignerError(error) && error.code === 'login/refused' && error.detail.reason === reason
const malformed = (field: string) => (error: unknown) =>
  isSignerError(error) && error.code === 'request/malformed' && error.detail.field === field

test('M-41 a Stellar address and an EVM address log in and get a token', async () => {
  const { login, list, issued } = open()
  const first = await login.answer(await answerOf(login, ann.address))
  assert.deepEqual([first.admin, first.token, first.kind], [list[0], 'token-1', 'sep-10'])
  assert.match(first.challenge, /^sep-10:[0-9a-f]{64}$/)
  const second = await login.answer(await answerOf(login, bob.address))
  assert.deepEqual([second.admin, second.token, second.kind], [list[1], 'token-2', 'eip-4361'])
  assert.match(second.challenge, /^eip-4361:[0-9a-f]{64}$/)
  assert.deepEqual(issued, [ann.address, bob.address])
})

test('an EVM address in lower case gets the challenge of its one spelling', async () => {
  const { login } = open()
  const challenge = await login.challenge({ address: bob.address.toLowerCase() })
  assert.ok(challenge.kind === 'eip-4361' && challenge.message.includes(`\n${bob.address}\n`))
  assert.equal((await login.answer(answerTo(challenge, bob.address))).admin.address, bob.address)
})

test('a challenge tells nobody who is listed: same shape, same steps, and the list is not asked', async () => {
  const { login, admins, challenges } = open()
  const shapes = []
  for (const [known, unknown] of [
    [ann.address, eve.address],
    [bob.address, mallory.address],
  ] as const) {
    for (const address of [known, unknown]) {
      const challenge = await login.challenge({ address })
      const text = challenge.kind === 'sep-10' ? challenge.transaction : challenge.message
      shapes.push([challenge.kind, Object.keys(challenge).toSorted().join(), text.length])
    }
  }
  assert.deepEqual(shapes[0], shapes[1])
  assert.deepEqual(shapes[2], shapes[3])
  assert.deepEqual(admins.asked, [])
  assert.equal(challenges.open.size, 4)
})

test('who is not listed, or disabled, is refused in the same words and after the same steps', async () => {
  const { login, list, admins, challenges, issued } = open()
  for (const address of [eve.address, mallory.address])
    await assert.rejects(answerOf(login, address).then(login.answer), refusal(LOGIN_REASONS.address))
  list[0] = admin(ann.address, ['auditor'], { active: false })
  await assert.rejects(answerOf(login, ann.address).then(login.answer), refusal(LOGIN_REASONS.address))
  assert.deepEqual(admins.asked, [eve.address, mallory.address, ann.address])
  assert.deepEqual([challenges.open.size, issued], [0, []])
  // A bad signature is refused before anybody is looked up.
  const forged = answerTo(await login.challenge({ address: bob.address }), mallory.address)
  await assert.rejects(login.answer(forged), refusal(EIP4361_REASONS.signature))
  const unsigned = await login.challenge({ address: ann.address })
  assert.ok(unsigned.kind === 'sep-10')
  await assert.rejects(login.answer({ transaction: unsigned.transaction }), refusal(SEP10_REASONS.count))
  assert.equal(admins.asked.length, 3)
})

test('T13 T14 a challenge is used once: replays, and 100 answers at a time', async () => {
  const { login, issued } = open()
  for (const address of [ann.address, bob.address]) {
    const answer = await answerOf(login, address)
    await login.answer(answer)
    for (let n = 0; n < 10; n++) await assert.rejects(login.answer(answer), refusal(LOGIN_REASONS.used))
    const next = await answerOf(login, address)
    const race = await Promise.allSettled(Array.from({ length: 100 }, () => login.answer(next)))
    assert.equal(race.filter(({ status }) => status === 'fulfilled').length, 1)
  }
  assert.equal(issued.length, 4)
})

test('T13 a bad answer does not use a challenge up: who cannot sign cannot take it from who can', async () => {
  const { login, challenges } = open()
  const challenge = await login.challenge({ address: bob.address })
  assert.ok(challenge.kind === 'eip-4361')
  const signature = mallory.signText(challenge.message)
  await assert.rejects(login.answer({ message: challenge.message, signature }), refusal(EIP4361_REASONS.signature))
  assert.equal(challenges.open.size, 1)
  await login.answer(answerTo(challenge, bob.address))
})

test('a challenge of another installation, with the same configuration, is not ours', async () => {
  const [here, there] = [open(), open()]
  here.deps.random.bytes(1)
  for (const address of [ann.address, bob.address])
    await assert.rejects(answerOf(there.login, address).then(here.login.answer), refusal(LOGIN_REASONS.used))
})

test('two challenges of one second are two, and each address has its own', async () => {
  const { login, challenges } = open()
  for (const address of [ann.address, ann.address, bob.address, bob.address, eve.address])
    await login.challenge({ address })
  assert.equal(challenges.open.size, 5)
})

test('a challenge expires in the store and in itself', async () => {
  const { login, clock, challenges } = open({ challengeSeconds: 60 })
  for (const [address, reason] of [
    [ann.address, SEP10_REASONS.expired],
    [bob.address, EIP4361_REASONS.expired],
  ] as const) {
    const answer = await answerOf(login, address)
    assert.deepEqual([...challenges.open.values()], [clock.at + 60_000])
    clock.at += 60_000
    await assert.rejects(login.answer(answer), refusal(reason))
    challenges.open.clear()
  }
})

test('T14 an EVM message with another nonce or other times, well signed, was not issued here', async () => {
  const { login, clock } = open()
  const challenge = await login.challenge({ address: bob.address })
  assert.ok(challenge.kind === 'eip-4361')
  const later = new Date(clock.at + 299_000).toISOString()
  for (const message of [
    challenge.message.replace(/Nonce: ../, 'Nonce: zz'),
    challenge.message.replace(/Expiration Time: .*/, `Expiration Time: ${later}`),
    challenge.message.replace(bob.address, mallory.address),
  ]) {
    const person = message.includes(bob.address) ? bob : mallory
    await assert.rejects(login.answer({ message, signature: person.signText(message) }), refusal(LOGIN_REASONS.used))
  }
})

test('cross-use: nothing that an administrator signs elsewhere is an answer, and no answer is an approval', async () => {
  const { login } = open()
  const change = {
    ...{ id: 'change-1', key: 'treasury', fromHash: 'a'.repeat(64), toHash: 'b'.repeat(64) },
    ...{ testsText: '[]', direction: 'loosening' as const, proposedBy: eve.address, proposedAt: 0, expiresAt: 1 },
  }
  const text = changeText(change, 'production')
  await assert.rejects(
    login.answer({ message: text, signature: bob.signText(text) }),
    refusal(`${EIP4361_REASONS.grammar}: layout`),
  )
  await assert.rejects(login.answer({ transaction: ann.signText(text) }), refusal(SEP10_REASONS.spelling))
  const spoken = await login.challenge({ address: bob.address })
  assert.ok(spoken.kind === 'eip-4361')
  const signature = bob.signText(spoken.message)
  assert.equal(await verifyApproval(change, 'production', { address: bob.address, signature }), false)
  // The same bytes of a challenge under the other name of the method.
  const sep10 = await answerOf(login, ann.address)
  const transaction = sep10['transaction'] ?? ''
  await assert.rejects(
    login.answer({ message: transaction, signature: bob.signText(transaction) }),
    refusal(`${EIP4361_REASONS.grammar}: layout`),
  )
  const eip4361 = await answerOf(login, bob.address)
  await assert.rejects(login.answer({ transaction: eip4361['message'] ?? '' }), refusal(SEP10_REASONS.spelling))
})

test('the server account gets no challenge for itself', async () => {
  const { login } = open()
  await assert.rejects(login.challenge({ address: server.address }), refusal(LOGIN_REASONS.kind))
})

test('a kind of address that is not configured is refused, whoever it is', async () => {
  const { sep10, eip4361, ...rest } = open().deps
  assert.ok(sep10 !== undefined && eip4361 !== undefined)
  const stellarOnly = createLogin({ ...rest, sep10 })
  const evmOnly = createLogin({ ...rest, eip4361 })
  await assert.rejects(stellarOnly.challenge({ address: bob.address }), refusal(LOGIN_REASONS.kind))
  await assert.rejects(stellarOnly.answer({ message: '', signature: '' }), refusal(LOGIN_REASONS.kind))
  await assert.rejects(evmOnly.challenge({ address: ann.address }), refusal(LOGIN_REASONS.kind))
  await assert.rejects(evmOnly.answer({ transaction: '' }), refusal(LOGIN_REASONS.kind))
  await stellarOnly.answer(await answerOf(stellarOnly, ann.address))
  await evmOnly.answer(await answerOf(evmOnly, bob.address))
})

test('bodies: unknown and missing fields are refused, and everything that is no address', async () => {
  const { login, challenges } = open()
  for (const body of [undefined, null, 'x', 7, [], [ann.address]])
    await assert.rejects(login.challenge(body), malformed('body'))
  await assert.rejects(login.challenge({ address: ann.address, roles: ['operator'] }), malformed('roles'))
  const muxed = StrKey.encodeMed25519PublicKey(new Uint8Array([...ann.publicKey, 0, 0, 0, 0, 0, 0, 0, 1]))
  for (const address of [
    undefined,
    null,
    7,
    '',
    'ann',
    muxed,
    `${ann.address} `,
    'x'.repeat(9000),
    bob.address.toUpperCase(),
  ])
    await assert.rejects(login.challenge({ address }), malformed('address'))
  assert.equal(challenges.open.size, 0)
  for (const body of [undefined, null, 'x', []]) await assert.rejects(login.answer(body), malformed('body'))
  await assert.rejects(login.answer({}), malformed('message'))
  await assert.rejects(login.answer({ message: 'x' }), malformed('signature'))
  await assert.rejects(login.answer({ message: 'x', signature: 'y', transaction: 'z' }), malformed('message'))
  await assert.rejects(login.answer({ transaction: 7 }), malformed('transaction'))
  await assert.rejects(login.answer({ transaction: 'x'.repeat(8193) }), malformed('transaction'))
  await assert.rejects(login.answer({ transaction: '', admin: true }), malformed('admin'))
})

test('a store, a signer or a token maker that fails lets nobody in, and the error is theirs', async () => {
  const down = new SignerError('store/unavailable', { reason: 'down' })
  const fails = async () => {
    throw down
  }
  const { challenges, deps } = open()
  const is = (error: unknown) => error === down
  const loginWith = (rest: Partial<LoginDeps>) => createLogin({ ...deps, ...rest })
  assert.ok(deps.sep10 !== undefined)
  await assert.rejects(
    loginWith({ challenges: { ...challenges, issue: fails } }).challenge({ address: ann.address }),
    is,
  )
  await assert.rejects(loginWith({ sep10: { ...deps.sep10, sign: fails } }).challenge({ address: ann.address }), is)
  const login = loginWith({})
  for (const rest of [{ challenges: { ...challenges, use: fails } }, { admins: { find: fails } }, { issue: fails }])
    await assert.rejects(loginWith(rest).answer(await answerOf(login, bob.address)), is)
  const sloppy = { find: async () => admin(ann.address, ['policy-admin']) }
  await assert.rejects(
    loginWith({ admins: sloppy }).answer(await answerOf(login, bob.address)),
    refusal(LOGIN_REASONS.address),
  )
})

test('the configuration is judged at once, every problem by its path', () => {
  const { deps } = open()
  assert.ok(deps.sep10 !== undefined && deps.eip4361 !== undefined)
  const paths = (rest: Partial<LoginDeps>): string[] => {
    try {
      createLogin({ ...deps, ...rest })
      return []
    } catch (error) {
      assert.ok(isSignerError(error) && error.code === 'config/invalid')
      return error.detail.problems.map(({ path }) => path)
    }
  }
  assert.deepEqual(paths({}), [])
  const { sep10: _, eip4361: __, ...neither } = deps
  assert.throws(() => createLogin(neither), /nobody could log in/)
  for (const challengeSeconds of [0, 901, 1.5, Number.NaN])
    assert.deepEqual(paths({ challengeSeconds }), ['login.challengeSeconds'])
  const bad = { serverAccount: 'G', homeDomain: 'a b', webAuthDomain: '', networkPassphrase: ' ' }
  assert.deepEqual(paths({ sep10: { ...deps.sep10, ...bad } }), [
    'login.sep10.serverAccount',
    'login.sep10.homeDomain',
    'login.sep10.webAuthDomain',
    'login.sep10.networkPassphrase',
  ])
  assert.deepEqual(paths({ sep10: { ...deps.sep10, homeDomain: 'a'.repeat(59) } }), [])
  assert.deepEqual(paths({ sep10: { ...deps.sep10, homeDomain: 'a'.repeat(60) } }), ['login.sep10.homeDomain'])
  assert.deepEqual(paths({ sep10: { ...deps.sep10, webAuthDomain: 'a'.repeat(65) } }), ['login.sep10.webAuthDomain'])
  assert.deepEqual(paths({ eip4361: { domain: '', uri: 'x', statement: 'a\nb', chainIds: [] } }), [
    'login.eip4361.domain',
    'login.eip4361.uri',
    'login.eip4361.statement',
    'login.eip4361.chainIds',
  ])
  for (const chainIds of [[0], [-1], [1.5], [2 ** 60]])
    assert.deepEqual(paths({ eip4361: { ...deps.eip4361, chainIds } }), ['login.eip4361.chainIds'])
})
