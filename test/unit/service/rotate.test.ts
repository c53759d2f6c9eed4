/** Rotations: step by step, taken back, raced for, cut off, and under load. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Keypair, Networks, TransactionBuilder } from '@stellar/stellar-sdk'
import { type Hex, verifyMessage } from 'viem'
import { replayInto } from '../../../src/compose/restore.ts'
import { signature64 } from '../../../src/domain/brands.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { type Custody, maySign } from '../../../src/domain/key.ts'
import type { KeyRegistry } from '../../../src/domain/ports.ts'
import { demoEvmPolicy, demoPolicy, parsePolicy } from '../../../src/policy/index.ts'
import {
  beginRotation,
  rotationStatus,
  rotationStep,
  type RotationStep,
  signerPair,
  signerTransaction,
} from '../../../src/service/rotate/index.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { openRig, problemOf, type Rig } from '../../support/rig.ts'
import { good, rotateUnderLoad, rotationDeps, signBy } from '../../support/rotations.ts'

const refusal = (code: string, says: RegExp) => (error: unknown) =>
  isSignerError(error) && error.code === code && says.test(JSON.stringify(error.detail))
const statesOf = async ({ store }: Pick<Rig, 'store'>) =>
  (await store.keys.versions('treasury')).map(({ version }) => version.state).join(' ')
for (const custody of ['native', 'envelope'] as Custody[]) {
  test(`M-61 M-64 ${custody}: a rotation from the first step to the last, each on record before it is done`, async () => {
    const rig = await openRig({ custody })
    const deps = rotationDeps(rig)
    const next = await beginRotation(deps, 'treasury')
    assert.deepEqual([next.version, next.state, await statesOf(rig)], [2, 'pending', 'active pending'])
    assert.equal((await good(rig.sign())).keyVersion, 1)
    assert.equal((await problemOf(await signBy(rig, 2))).code, 'key/not-active')
    await assert.rejects(beginRotation(deps, 'treasury'), refusal('key/rotation', /waits for its turn/))
    await assert.rejects(rotationStep(deps, 'treasury', 'cutover'), refusal('key/rotation', /no overlap/))

    assert.deepEqual(await rotationStep(deps, 'treasury', 'open'), { changed: true })
    assert.equal(await statesOf(rig), 'overlap active')
    const [two, one, again] = [await good(rig.sign()), await good(signBy(rig, 1)), await good(signBy(rig, 2))]
    assert.deepEqual([two.keyVersion, one.keyVersion, again.keyVersion], [2, 1, 2])
    assert.equal(two.address, next.address)
    assert.notEqual(one.address, two.address)
    assert.deepEqual(await rotationStep(deps, 'treasury', 'open'), { changed: false }, 'done before')
    await assert.rejects(beginRotation(deps, 'treasury'), refusal('key/rotation', /under way/))
    await assert.rejects(rotationStep(deps, 'treasury', 'abandon'), refusal('key/rotation', /revert first/))
    const status = await rotationStatus(deps.registry, 'treasury')
    assert.deepEqual([status.phase, status.next], ['overlap', ['revert', 'cutover']])

    assert.deepEqual(await rotationStep(deps, 'treasury', 'cutover'), { changed: true })
    assert.deepEqual(await rotationStep(deps, 'treasury', 'cutover'), { changed: false })
    assert.equal(await statesOf(rig), 'retired active')
    assert.equal((await good(rig.sign())).keyVersion, 2)
    assert.equal((await problemOf(await signBy(rig, 1))).code, 'key/not-active')
    assert.deepEqual((await rotationStatus(deps.registry, 'treasury')).next, ['begin'])

    const events = (await rig.records()).flatMap(record =>
      record.kind === 'event' ? [`${record.event} ${record.detail['version']}`] : [],
    )
    assert.deepEqual(events, [
      ...['rotation-beginning 2', 'version-registering 2', 'rotation-begun 2'],
      ...['rotation-opened 2', 'rotation-cut-over 1'],
    ])
  })
}

test('M-61 until the cut-over a rotation is taken back, and given up; then the next one has a number of its own', async () => {
  const rig = await openRig()
  const deps = rotationDeps(rig)
  const step = (name: RotationStep) => rotationStep(deps, 'treasury', name)
  await beginRotation(deps, 'treasury')
  await step('open')
  const early = await good(rig.sign({ idempotencyKey: 'early' }))
  await step('revert')
  assert.equal(await statesOf(rig), 'active pending')
  assert.equal((await good(rig.sign())).keyVersion, 1)
  assert.equal((await problemOf(await rig.sign({ idempotencyKey: 'early' }))).code, 'key/not-active', 'of version 2')
  await step('open')
  assert.deepEqual((await good(rig.sign({ idempotencyKey: 'early' }))).auditId, early.auditId, 'the same answer again')
  await step('revert')
  assert.deepEqual(await step('revert'), { changed: false })
  await step('abandon')
  assert.deepEqual(await step('abandon'), { changed: false })
  assert.equal(await statesOf(rig), 'active retired')
  for (const name of ['open', 'revert', 'cutover'] as const)
    await assert.rejects(step(name), refusal('key/rotation', /./))
  assert.equal((await beginRotation(deps, 'treasury')).version, 3)
  await assert.rejects(rotationStep(deps, 'nobody', 'open'), refusal('key/unknown', /nobody/))
  await assert.rejects(beginRotation(deps, 'nobody'), refusal('key/unknown', /nobody/))
})

test('M-61 a retry is answered with the version that signed, also when its successor signs by now', async () => {
  const rig = await openRig()
  const deps = rotationDeps(rig)
  const before = await good(rig.sign({ idempotencyKey: 'same' }))
  await beginRotation(deps, 'treasury')
  await rotationStep(deps, 'treasury', 'open')
  const asked = rig.signatures()
  const again = await good(rig.sign({ idempotencyKey: 'same' }))
  assert.deepEqual([again.auditId, again.keyVersion, rig.signatures()], [before.auditId, 1, asked])
  const first = await good(signBy(rig, 1, 'numbered'))
  assert.equal(first.keyVersion, 1)
  assert.equal((await problemOf(await signBy(rig, 2, 'numbered'))).code, 'idempotency/mismatch', 'another request')
  assert.equal((await problemOf(await rig.sign({ idempotencyKey: 'numbered' }))).code, 'idempotency/mismatch')
  await rotationStep(deps, 'treasury', 'cutover')
  assert.equal((await problemOf(await rig.sign({ idempotencyKey: 'same' }))).code, 'key/not-active')
})

test('M-64 a version by number: only one that is there, only as a number is written', async () => {
  const rig = await openRig()
  assert.equal((await good(signBy(rig, 1))).keyVersion, 1)
  assert.equal((await problemOf(await signBy(rig, 2))).code, 'key/unknown')
  for (const text of ['0', '01', '-1', '1.0', '1e0', 'latest', '9999999999', '%31%20']) {
    const problem = await problemOf(await signBy(rig, text))
    assert.equal(problem.code, 'request/malformed', text)
  }
})

test('M-61 where the account would change, the overlap does not open unless that is said, or the policy names the old one', async () => {
  const { sources: _, ...policy } = JSON.parse(demoPolicy().text)
  const ways: Readonly<Record<string, (rig: Rig) => Promise<unknown>>> = {
    'asked for': rig => beginRotation(rotationDeps(rig), 'treasury', { newAccount: true }),
    // As an earlier release made them: no version knew its account.
    'of an earlier release': async rig => {
      const { version, bindings } = rig.keys.get('other') ?? assert.fail()
      const at = { key: 'treasury', version: 2 }
      await rig.store.keys.addVersion({
        version: { ...version, ...at, state: 'pending' },
        binding: { ...(bindings[0] ?? assert.fail()), ...at, id: 'b_2' },
      })
    },
  }
  for (const [how, begin] of Object.entries(ways)) {
    const rig = await openRig({ policy, keys: [{ name: 'other' }] })
    const deps = rotationDeps(rig)
    await begin(rig)
    const [one, two] = (await rotationStatus(deps.registry, 'treasury')).versions
    assert.deepEqual([one?.account, two?.account], [one?.address, two?.address], how)
    assert.match((await rotationStatus(deps.registry, 'treasury')).notes.join(' '), /account changes .*sources.*move/)
    await assert.rejects(rotationStep(deps, 'treasury', 'open'), refusal('key/rotation', /add G\w+ to sources/), how)
    await assert.rejects(signerPair(deps.registry, 'treasury'), refusal('key/rotation', /--account/), how)
    assert.equal(await statesOf(rig), 'active pending')
    await rotationStep(deps, 'treasury', 'open', { newAccount: true })
    assert.equal(await statesOf(rig), 'overlap active')

    const listing = await openRig({ keys: [{ name: 'other' }] })
    await begin(listing)
    await rotationStep(rotationDeps(listing), 'treasury', 'open')
    assert.equal(await statesOf(listing), 'overlap active', 'the policy of the demo takes any source')
  }
  const rig = await openRig({ policy })
  const deps = rotationDeps(rig)
  await beginRotation(deps, 'treasury')
  await assert.rejects(
    rotationStep(deps, 'treasury', 'open', { newAccount: true }),
    refusal('key/rotation', /abandon it, and begin with a new account/),
  )
  await rotationStep(deps, 'treasury', 'open')
  assert.equal(await statesOf(rig), 'overlap active', 'the account stays, and the policy names no sources')
  for (const wish of [{ account: 'M…' }, { account: 'C…' }, { account: 'G…' }, { account: '' }]) {
    const fresh = await openRig()
    await assert.rejects(beginRotation(rotationDeps(fresh), 'treasury', wish), refusal('request/malformed', /account/))
    const both = { account: fresh.key.version.address, newAccount: true }
    await assert.rejects(
      beginRotation(rotationDeps(fresh), 'treasury', both),
      refusal('request/malformed', /newAccount/),
    )
    assert.equal(await statesOf(fresh), 'active')
  }
})

test('M-61 compromise day: a revoked key is followed by a fresh one, and nothing signs in between', async () => {
  const rig = await openRig()
  const deps = rotationDeps(rig)
  await rig.store.keys.setState('treasury', 1, 'revoked')
  await beginRotation(deps, 'treasury')
  assert.equal((await problemOf(await rig.sign())).code, 'key/not-active')
  await rotationStep(deps, 'treasury', 'open')
  assert.equal(await statesOf(rig), 'revoked active')
  assert.equal((await good(rig.sign())).keyVersion, 2)
  await assert.rejects(rotationStep(deps, 'treasury', 'revert'), refusal('key/rotation', /no overlap/))
})

test('M-61 a successor that cannot sign any more is not promoted', async () => {
  let gone = ''
  const rig = await openRig({
    provider: real => ({
      ...real,
      describe: async (reference, call) => {
        const facts = await real.describe(reference, call)
        return reference === gone ? { ...facts, publicKey: facts.publicKey.map(byte => byte ^ 1) } : facts
      },
    }),
  })
  const deps = rotationDeps(rig)
  await beginRotation(deps, 'treasury')
  gone = (await rig.store.keys.versions('treasury'))[1]?.bindings[0]?.reference ?? ''
  await assert.rejects(rotationStep(deps, 'treasury', 'open'), refusal('key/mismatch', /another public key/))
  assert.equal(await statesOf(rig), 'active pending')
})

test('M-61 cut off at any point, a step asked for again comes to the same end', async () => {
  const steps = ['begin', 'open', 'revert', 'open', 'cutover'] as const
  const ends = ['active pending', 'overlap active', 'active pending', 'overlap active', 'retired active']
  class Killed extends Error {}
  const cuts: Readonly<Record<string, (real: KeyRegistry) => KeyRegistry>> = {
    before: real => ({
      ...real,
      addVersion: () => Promise.reject(new Killed()),
      setStates: () => Promise.reject(new Killed()),
    }),
    after: real => ({
      ...real,
      addVersion: async entry => {
        await real.addVersion(entry)
        throw new Killed()
      },
      setStates: async (...given) => {
        await real.setStates(...given)
        throw new Killed()
      },
    }),
  }
  for (const [when, cut] of Object.entries(cuts)) {
    let rig = await openRig()
    for (const [at, step] of steps.entries()) {
      const run = (deps: ReturnType<typeof rotationDeps>) =>
        step === 'begin' ? beginRotation(deps, 'treasury') : rotationStep(deps, 'treasury', step)
      const cutOff = run(rotationDeps(rig, cut))
      if (step === 'begin' && when === 'after')
        await cutOff // it is there: only the answer was lost
      else await assert.rejects(cutOff, `${when} ${step}`)
      await rig.log.close()
      rig = await openRig({ files: rig.files.copy(), store: rig.store }) // another process: it has what is on the disk
      const again = run(rotationDeps(rig))
      if (step === 'begin' && when === 'after')
        await assert.rejects(again, refusal('key/rotation', /waits for its turn/))
      else await again
      assert.equal(await statesOf(rig), ends[at], `${when} ${step}`)
      await good(rig.sign({ idempotencyKey: `${when}-${at}` }))
    }
  }
})

test('M-61 what a power cut took out of the store is put back from the log, and what came later stays', async () => {
  const rig = await openRig()
  const deps = rotationDeps(rig)
  await beginRotation(deps, 'treasury')
  await rotationStep(deps, 'treasury', 'open')
  await rotationStep(deps, 'treasury', 'revert')
  await rotationStep(deps, 'treasury', 'open')
  await rotationStep(deps, 'treasury', 'cutover')
  const records = await rig.records()
  const replay = async (states: readonly [string, string], shared = false) => {
    const store = openMemoryStore()
    const [one, two] = await rig.store.keys.versions('treasury')
    assert.ok(one?.bindings[0] !== undefined && two?.bindings[0] !== undefined)
    await store.keys.add({ key: one.key, version: { ...one.version, state: 'active' }, binding: one.bindings[0] })
    await store.keys.addVersion({ version: { ...two.version, state: 'pending' }, binding: two.bindings[0] })
    const moves = states.map((state, at) => ({ version: at + 1, state: state as 'active' }))
    await store.keys.setStates('treasury', moves)
    const restore = replayInto({ ...store, shared })
    for (const record of records) await restore(record)
    return statesOf({ store })
  }
  assert.equal(await replay(['active', 'pending']), 'retired active', 'all of it lost')
  assert.equal(await replay(['overlap', 'active']), 'retired active', 'the last step lost')
  assert.equal(await replay(['retired', 'active']), 'retired active', 'nothing lost')
  assert.equal(await replay(['revoked', 'pending']), 'revoked pending', 'a revocation is never undone')
  assert.equal(await replay(['revoked', 'active']), 'revoked active')
  assert.equal(await replay(['overlap', 'active'], true), 'overlap active', 'others may have done otherwise')
  const odd = records.flatMap(record =>
    record.kind === 'event' && record.event === 'rotation-opened' ? [record] : [],
  )[0]
  assert.ok(odd !== undefined)
  for (const moves of ['', 'x', '1:active>', '1:active>nothing', '2:pending>active  1:active>overlap', 7]) {
    const store = openMemoryStore()
    await replayInto(store)({ ...odd, detail: { ...odd.detail, moves } })
  }
})

for (const kind of ['memory', 'sqlite'] as const) {
  test(`M-61 ${kind}: of two operators at once one wins, whatever they do; one version at most is the one that signs`, async () => {
    const store =
      kind === 'memory' ? openMemoryStore() : await openSqliteStore({ path: ':memory:', clock: { now: () => 1 } })
    const rig = await openRig({ store, log: 'memory' })
    const actions = ['begin', 'open', 'revert', 'cutover', 'abandon'] as const
    const run = (action: (typeof actions)[number]) =>
      action === 'begin'
        ? beginRotation(rotationDeps(rig), 'treasury')
        : rotationStep(rotationDeps(rig), 'treasury', action)
    let seed = 7
    const any = () => {
      seed = (seed * 48_271) % 2_147_483_647
      return actions[seed % actions.length] as (typeof actions)[number]
    }
    for (let round = 0; round < 60; round++) {
      const pair = [any(), any()] as const
      const results = await Promise.allSettled(pair.map(run))
      for (const result of results) {
        if (result.status === 'fulfilled') continue
        assert.ok(isSignerError(result.reason), String(result.reason))
        assert.ok(['key/rotation', 'key/unsupported'].includes(result.reason.code), result.reason.code)
      }
      const states = (await statesOf(rig)).split(' ')
      const of = (state: string) => states.filter(each => each === state).length
      assert.equal(of('active'), 1, `${pair.join()} → ${states.join()}`)
      assert.ok(of('pending') + of('overlap') <= 1, states.join())
    }
    assert.ok((await statesOf(rig)).split(' ').length > 5, 'versions were made')
    for (const { version } of await store.keys.versions('treasury')) {
      const found = store.keys.resolve('treasury', version.version)
      if (maySign(version.state)) assert.deepEqual((await found)?.version, version)
      else
        await assert.rejects(
          found,
          refusal('key/not-active', new RegExp(`"version":${version.version},.*${version.state}`)),
        )
      if (version.state === 'active') assert.deepEqual(await found, await store.keys.resolve('treasury'))
    }
    assert.equal(await store.keys.resolve('treasury', 999), undefined)
    assert.equal(await store.keys.resolve('nobody', 1), undefined)
    store.close()
  })
}

test('M-61 M-64 three rotations under load: nothing fails, nothing is signed by a wrong version, every record names its own', async () => {
  const rig = await openRig({ log: 'disk' })
  const deps = rotationDeps(rig)
  const signed = await rotateUnderLoad(rig, [{ deps }, { deps, next: { custody: 'envelope' } }, { deps }])
  assert.ok(signed.length >= 200, `${signed.length} requests`)
  assert.equal(await statesOf(rig), 'retired retired retired active')
  assert.deepEqual(new Set(signed.map(({ keyVersion }) => keyVersion)), new Set([1, 2, 3, 4]))
})

test('M-61 the change of signers goes through the service: the old version adds, the new one drops, the policy grants just that', async () => {
  const policy = (setOptions: object) => ({
    ...{ version: 1, network: 'testnet', sources: 'any', fee: { maxStroops: '1000' } },
    ...{ timeBounds: { maxLifetimeSeconds: 600 }, setOptions },
  })
  const rig = await openRig({ policy: policy({}) as never })
  const deps = rotationDeps(rig)
  const next = await beginRotation(deps, 'treasury')
  const account = (signers: Readonly<Record<string, number>>) => ({
    ...{ address: rig.key.version.address, sequence: 7n, thresholds: { low: 0, medium: 0, high: 0 } },
    signers: Object.entries(signers).map(([key, weight]) => ({ key, weight })),
  })
  const print = async (step: 'add' | 'drop', signers: Readonly<Record<string, number>>, sequence: bigint) => {
    const wish = { step, account: account(signers), sequence, fee: 1000, validSeconds: 600 }
    const made = signerTransaction(await signerPair(deps.registry, 'treasury'), wish, rig.clock)
    assert.ok(made.kind === 'planned')
    return made
  }
  const old = rig.key.version.address
  const grant = async (document: object): Promise<void> => {
    const { text, hash: toHash } = parsePolicy(document)
    const fromHash = (await rig.store.keys.versions('treasury'))[0]?.key.policyHash ?? ''
    const at = rig.clock.now()
    const id = `c_${toHash.slice(0, 8)}`
    await rig.store.changes.propose({
      ...{ id, key: 'treasury', fromHash, toHash, toText: text, direction: 'loosening', proposedBy: 'G' },
      ...{ proposedAt: at, expiresAt: at + 60_000, testsText: '[]' },
    })
    await rig.store.changes.activate(id, at)
  }
  const versionOf = async (response: Response): Promise<number> => {
    const answer = (await response.json()) as { keyVersion: number; signedXdr: string; address: string }
    assert.equal(response.status, 200, JSON.stringify(answer))
    const transaction = TransactionBuilder.fromXDR(answer.signedXdr, Networks.TESTNET)
    const [signature] = transaction.signatures
    assert.ok(signature !== undefined)
    assert.ok(Keypair.fromPublicKey(answer.address).verify(transaction.hash(), signature.signature))
    return answer.keyVersion
  }
  const add = await print('add', { [old]: 1 }, 8n)
  assert.equal((await problemOf(await rig.sign({ xdr: add.envelope }))).code, 'policy/denied')
  await grant(add.grant)
  assert.equal(await versionOf(await rig.sign({ xdr: add.envelope })), 1)
  await rotationStep(deps, 'treasury', 'open')
  const both = { [old]: 1, [next.address]: 1 }
  const drop = await print('drop', both, 9n)
  assert.equal((await problemOf(await rig.sign({ xdr: drop.envelope }))).code, 'policy/denied', 'another grant')
  await grant(drop.grant)
  assert.equal(await versionOf(await rig.sign({ xdr: drop.envelope })), 2)
  await rotationStep(deps, 'treasury', 'cutover')
  assert.equal((await print('drop', both, 10n)).kind, 'planned', 'it can still be asked for')
})

test('M-61 an EVM key: another address, and both versions sign in the overlap', async () => {
  const rig = await openRig({ keys: [{ name: 'hot', chain: 'evm', policy: JSON.parse(demoEvmPolicy().text) }] })
  const deps = rotationDeps(rig)
  const signed = async (path: string) => {
    const response = await rig.post(`/v1/keys/hot/${path}`, { type: 'evm-message', message: 'Countersign demo' })
    const answer = (await response.json()) as { keyVersion: number; address: Hex; evmSignature: Hex; code?: string }
    if (response.status !== 200) return answer.code
    const { address, evmSignature: signature } = answer
    assert.ok(await verifyMessage({ address, message: 'Countersign demo', signature }))
    return answer.keyVersion
  }
  const next = await beginRotation(deps, 'hot')
  assert.match(next.address, /^0x/)
  assert.match((await rotationStatus(deps.registry, 'hot')).notes.join(), /balances, allowances/)
  await assert.rejects(signerPair(deps.registry, 'hot'), refusal('key/unsupported', /one key/))
  await rotationStep(deps, 'hot', 'open')
  const all = [await signed('sign'), await signed('versions/1/sign'), await signed('versions/2/sign')]
  await rotationStep(deps, 'hot', 'cutover')
  assert.deepEqual([...all, await signed('versions/1/sign'), await signed('sign')], [2, 1, 2, 'key/not-active', 2])
})

test('M-61 a version that cannot prove itself is not registered, and the log names what is left at the key service', async () => {
  const rig = await openRig({
    provider: real => ({
      ...real,
      sign: async (...given) => ({ ...(await real.sign(...given)), signature: signature64(new Uint8Array(64)) }),
    }),
  })
  await assert.rejects(beginRotation(rotationDeps(rig), 'treasury'), refusal('signature/unverified', /./))
  assert.equal(await statesOf(rig), 'active')
  const last = (await rig.records()).at(-1)
  assert.ok(last?.kind === 'event' && last.event === 'rotation-not-begun')
  assert.equal(last.detail['errorCode'], 'signature/unverified')
  assert.match(String(last.detail['reference']), /./)
})

test('M-61 a start reads a quarantine, its end and a rotation again without failing', async () => {
  const rig = await openRig()
  const deps = rotationDeps(rig)
  const at = { key: 'treasury', version: 1 }
  const note = (event: string, detail: object = at) =>
    rig.log.append({
      kind: 'event',
      auditId: 'a_1',
      event,
      actor: { subject: 'x', peer: 'cli' },
      detail: detail as never,
    })
  await note('key-quarantined')
  await note('key-restored')
  await beginRotation(deps, 'treasury')
  await rotationStep(deps, 'treasury', 'open')
  const restore = replayInto(rig.store)
  for (const record of await rig.records()) await restore(record)
  assert.match(await statesOf(rig), /^(overlap|quarantined) active$/)
})
