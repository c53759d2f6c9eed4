/** Nothing leaves after the acknowledgement of a revocation, by whatever way, though a process stood still in between (M-62, I5). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Account, Asset, Keypair, Networks, Operation, TransactionBuilder } from '@stellar/stellar-sdk'
import { signaturesOf } from '../../../src/chains/stellar/index.ts'
import { cosignRoutes } from '../../../src/http/routes-cosign.ts'
import { rpcRoutes } from '../../../src/http/routes-rpc.ts'
import { SignerError } from '../../../src/domain/errors.ts'
import type { PolicyDocument } from '../../../src/policy/index.ts'
import { queryAudit } from '../../../src/service/control/audit.ts'
import type { ControlParts } from '../../../src/service/control/ports.ts'
import { cosign } from '../../../src/service/cosign.ts'
import { afterRecordOf, revokeAtOnce, slowStates } from '../../support/paused.ts'
import { NOW, openRig, problemOf, type Rig, type RigOptions } from '../../support/rig.ts'

const EVM: PolicyDocument = {
  version: 1,
  network: 'sepolia',
  messages: [{ prefix: 'Log in to', maxBytes: 200 }],
}
const NAMES = ['alpha', 'beta', 'gamma'] as const

interface World {
  readonly rig: Rig
  /** With the n-th signature from now on, this happens before the key service answers. */
  at(signature: number, happens: () => Promise<void>): void
  /** As `at`, for the n-th look at a state, whose answer is old then. */
  atLook(look: number, happens: () => Promise<void>): void
}

async function openWorld(options: RigOptions = {}): Promise<World> {
  let left = Number.POSITIVE_INFINITY
  let event = async (): Promise<void> => {}
  let slow: ReturnType<typeof slowStates> | undefined
  const rig = await openRig({
    log: 'memory',
    keys: [...NAMES.map(name => ({ name })), { name: 'evm', chain: 'evm', policy: EVM }],
    provider: real => ({
      ...real,
      sign: async (...given) => {
        const signed = await real.sign(...given)
        if (--left === 0) await event()
        return signed
      },
    }),
    catalogue: real => {
      slow = slowStates(real)
      return slow.catalogue
    },
    families: room => [
      cosignRoutes(request => cosign(room.deps, request)),
      rpcRoutes({ ...room.deps, keys: room.reading.catalogue, version: '1' }),
    ],
    ...options,
  })
  return {
    rig,
    at: (signature, happens) => {
      left = signature
      event = happens
    },
    atLook: (look, happens) => slow?.arm(look, happens),
  }
}

const addressOf = (rig: Rig, key: string): string => rig.keys.get(key)?.version.address ?? assert.fail(key)
const shop = Keypair.random().publicKey()
let sequence = 1n
const payment = (rig: Rig, key: string): string =>
  new TransactionBuilder(new Account(addressOf(rig, key), String(++sequence)), {
    fee: '100',
    networkPassphrase: Networks.TESTNET,
  })
    .addOperation(Operation.payment({ destination: shop, asset: Asset.native(), amount: '1' }))
    .setTimebounds(0, NOW / 1000 + 300)
    .build()
    .toXDR()
const stellar = (xdr: string) => ({ type: 'stellar-transaction', xdr })
const withheld = async (rig: Rig) =>
  (await rig.records()).flatMap(record =>
    record.kind === 'event' && record.event === 'release-withheld'
      ? [[record.detail['key'], record.detail['errorCode']]]
      : [],
  )

test('M-62 I5 a process that stands still between its last look and its answer looks again', async () => {
  const { rig, atLook } = await openWorld()
  atLook(2, () => revokeAtOnce(rig, 'treasury')) // the second look is the one at release
  const problem = await problemOf(await rig.sign())
  assert.deepEqual([problem.code, problem['state']], ['key/not-active', 'revoked'])
  assert.deepEqual(await withheld(rig), [['treasury', 'key/not-active']])
})

test('M-62 I5 standing still alone refuses nothing, and a store too slow for any look refuses with a reason', async () => {
  const { rig, atLook } = await openWorld()
  atLook(2, async () => rig.clock.advance(60_000))
  assert.equal((await rig.sign()).status, 200)
  const slow = await openRig({
    log: 'memory',
    catalogue: real => ({
      ...real,
      stateOf: async (key, version) => {
        const state = await real.stateOf(key, version)
        slow.clock.advance(2_000)
        return state
      },
    }),
  })
  const problem = await problemOf(await slow.sign())
  assert.equal(problem.code, 'store/unavailable')
  assert.deepEqual(await withheld(slow), [['treasury', 'store/unavailable']])
})

test('M-62 I5 an answer that was given before, revoked while its record is on the way to the disk', async () => {
  const { audit, arm } = afterRecordOf('sign-replayed')
  const { rig } = await openWorld({ audit })
  assert.equal((await rig.sign({ idempotencyKey: 'same' })).status, 200)
  assert.equal((await rig.sign({ idempotencyKey: 'same' })).status, 200)
  arm(() => revokeAtOnce(rig, 'treasury'))
  assert.equal((await problemOf(await rig.sign({ idempotencyKey: 'same' }))).code, 'key/not-active')
  assert.deepEqual(await withheld(rig), [['treasury', 'key/not-active']])
})

interface Told {
  readonly status: number
  readonly answer?: { readonly signature: string }
  readonly problem?: { readonly code: string }
}
const told = ({ status, problem }: Told) => problem?.code ?? status

test('M-24 M-62 I5 of a batch, what was signed first is withheld when its key is revoked before the last; the others go', async () => {
  const { rig, at } = await openWorld()
  const requests = NAMES.map(key => ({ key, payload: stellar(payment(rig, key)) }))
  at(3, () => revokeAtOnce(rig, 'alpha'))
  const answer = await rig.post('/v1/sign-batch', { requests }, { idempotencyKey: 'batch' })
  const { results } = (await answer.json()) as { results: Told[] }
  assert.deepEqual(results.map(told), ['key/not-active', 200, 200])
  assert.equal(results[0]?.answer, undefined)
  assert.deepEqual(await withheld(rig), [['alpha', 'key/not-active']])
})

test('M-24 M-62 I5 a batch whose last look arrives late looks once more at all of them', async () => {
  const { rig, atLook } = await openWorld()
  const requests = NAMES.map(key => ({ key, payload: stellar(payment(rig, key)) }))
  // Two looks a signature; the seventh is the first of the second round, which the revocation makes old for all.
  let rounds = 0
  atLook(6, async () => {
    rounds++
    rig.clock.advance(5_000)
    atLook(1, () => revokeAtOnce(rig, 'beta'))
  })
  const answer = await rig.post('/v1/sign-batch', { requests }, { idempotencyKey: 'batch' })
  const { results } = (await answer.json()) as { results: Told[] }
  assert.equal(rounds, 1)
  assert.deepEqual(results.map(told), [200, 'key/not-active', 200])
})

test('M-24 T59 a token that was taken back while a batch was signed gets nothing of it', async () => {
  let isRevoked = false
  const { rig, at } = await openWorld({
    door: () => ({
      gateway: {
        enter: ({ peer }) => peer,
        admit: async () => ({}),
        constrain: () => {},
        within: (_, body) => body(),
        recheck: async () => {
          if (isRevoked) throw new SignerError('token/invalid', { reason: 'the token was revoked' })
        },
      },
    }),
  })
  const requests = NAMES.map(key => ({ key, payload: stellar(payment(rig, key)) }))
  at(3, async () => {
    isRevoked = true
    rig.clock.advance(2_000)
  })
  const answer = await rig.post('/v1/sign-batch', { requests }, { idempotencyKey: 'batch' })
  const { results } = (await answer.json()) as { results: Told[] }
  assert.deepEqual(results.map(told), ['token/invalid', 'token/invalid', 'token/invalid'])
  assert.equal((await withheld(rig)).length, 2)
})

test('M-24 M-62 I5 a cosigned envelope leaves without the signature of a key that was revoked before the last one signed', async () => {
  const { rig, at } = await openWorld()
  const xdr = payment(rig, 'alpha')
  at(3, () => revokeAtOnce(rig, 'beta'))
  const answer = await rig.post('/v1/cosign', { keys: NAMES, payload: stellar(xdr) })
  const body = (await answer.json()) as { signedXdr: string; results: Told[] }
  assert.deepEqual(body.results.map(told), [200, 'key/not-active', 200])
  const all = NAMES.map(name => addressOf(rig, name))
  const { found, strange } = await signaturesOf(body.signedXdr, 'testnet', all)
  assert.deepEqual([found.map(({ signer }) => signer), strange], [[all[0], all[2]], 0])
})

test('M-62 I5 JSON-RPC: the first of two calls is withheld when its key is revoked during the second; one alone too', async () => {
  const { rig, at, atLook } = await openWorld()
  const address = addressOf(rig, 'evm')
  const call = (id: number) => ({
    ...{ jsonrpc: '2.0', id, method: 'personal_sign' },
    params: [`0x${Buffer.from(`Log in to ${id}`).toString('hex')}`, address],
  })
  at(2, () => revokeAtOnce(rig, 'evm'))
  const replies = (await (await rig.post('/rpc', [call(1), call(2)])).json()) as {
    result?: string
    error?: { data: { code: string } }
  }[]
  assert.deepEqual(
    replies.map(({ result, error }) => result ?? error?.data.code),
    ['key/not-active', 'key/not-active'],
  )
  await rig.store.keys.setState('evm', 1, 'active')
  atLook(2, () => revokeAtOnce(rig, 'evm'))
  const one = (await (await rig.post('/rpc', call(3))).json()) as { error: { data: { code: string } } }
  assert.equal(one.error.data.code, 'key/not-active')
})

test('M-62 I5 Web3Signer: its answer looks again too', async () => {
  const { rig, atLook } = await openWorld()
  const identifier = Buffer.from(rig.keys.get('evm')?.version.publicKey ?? []).toString('hex')
  const message = Buffer.from('\u0019Ethereum Signed Message:\n9Log in to').toString('hex')
  const ask = () => rig.post(`/api/v1/eth1/sign/0x${identifier}`, { data: `0x${message}` }, { idempotencyKey: 'web3' })
  const good = await ask()
  assert.equal(good.status, 200, await good.clone().text())
  atLook(2, () => revokeAtOnce(rig, 'evm'))
  assert.equal((await problemOf(await ask())).code, 'key/not-active')
})

test('M-62 M-46 the control plane says what was signed and hands out no signature, withheld or not', async () => {
  const { rig, atLook } = await openWorld()
  const { signature } = (await (await rig.sign()).json()) as { signature: string }
  atLook(2, () => revokeAtOnce(rig, 'treasury'))
  assert.equal((await rig.sign()).status, 409)
  const held = await rig.records()
  assert.ok(JSON.stringify(held).includes(signature))
  const signatures = held.flatMap(record => ('signature' in record ? [record.signature] : []))
  assert.equal(signatures.length, 2)
  async function* records() {
    yield* held
  }
  const { answer } = await queryAudit({ records } as unknown as ControlParts, { seq: 1, limit: 100 })
  const text = JSON.stringify(answer)
  assert.ok(text.includes('release-withheld') && text.includes('"released"'))
  for (const each of signatures) assert.ok(!text.includes(each))
})

test('M-62 the acknowledgement waits until every look from before is old', async () => {
  const { rig } = await openWorld()
  let slept = 0
  const clock = {
    sleep: async (ms: number) => {
      assert.equal(await rig.store.keys.stateOf('treasury', 1), 'revoked', 'the state changes first')
      slept += ms
    },
  }
  const { LOOK_GOOD_MS } = await import('../../../src/service/release.ts')
  const { revokeKey } = await import('../../../src/service/revoke.ts')
  const random = { bytes: (length: number) => new Uint8Array(length) }
  const actor = { subject: 'operator', peer: '127.0.0.1' }
  const deps = { registry: rig.store.keys, audit: rig.log, random, actor, clock }
  await revokeKey(deps, 'treasury', { reason: 'r' })
  assert.ok(slept > LOOK_GOOD_MS, `${slept} ms`)
  // Whoever says it a second time promises the same, and the first may still be waiting.
  await revokeKey(deps, 'treasury', { reason: 'r' })
  assert.ok(slept > 2 * LOOK_GOOD_MS, `${slept} ms`)
})
