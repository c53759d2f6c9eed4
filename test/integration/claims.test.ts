/** What signatures used up, after a crash and after the loss of the store: the log has it, and the start puts it back. */
import assert from 'node:assert/strict'
import { cp, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Asset, Operation } from '@stellar/stellar-sdk/base'
import { type LocalKms, startLocalKms } from '../../local-kms/index.ts'
import { sep53Digest } from '../../src/access/address-proof.ts'
import { toBase64 } from '../../src/bytes/base64.ts'
import { toHex } from '../../src/bytes/hex.ts'
import { registerDeps } from '../../src/compose/keys.ts'
import { storePath } from '../../src/compose/places.ts'
import type { RunningService } from '../../src/compose/service.ts'
import { parsePolicy, type PolicyDocument } from '../../src/policy/index.ts'
import { adopt } from '../../src/service/register.ts'
import { testKey, timeBounds, unmuxed, v1 } from '../fuzz/xdr-corpus.ts'
import { createSender, type Sender } from '../unit/access/senders.ts'
import {
  administer,
  caller,
  type Caller,
  issue,
  loginAs,
  openPlant,
  type Plant,
  type Told,
  transactionBody,
  unique,
} from './gateway-world.ts'

const KEY_ID = '00000000-0000-4000-8000-00000000e401'
const SPARE_ID = '00000000-0000-4000-8000-00000000e402'
const supplier = testKey('supplier').publicKey()
const POLICY: PolicyDocument = {
  version: 1,
  network: 'testnet',
  operations: ['payment'],
  fee: { maxStroops: '1000' },
  timeBounds: { maxLifetimeSeconds: 600 },
  payments: { destinations: [supplier], assets: [{ asset: 'native', maxPerOperation: '10', maxPerTransaction: '10' }] },
  windows: [{ asset: 'native', seconds: 3600, max: '20' }],
}

/** Tighter: the same windows, and nothing that may pass through them. */
const SHUT: PolicyDocument = { ...POLICY, operations: [] }

let plant: Plant
let kms: LocalKms
let sender: Sender
before(async () => {
  plant = await openPlant()
  sender = await createSender()
  kms = await startLocalKms({
    seed: {
      version: 1,
      keys: [
        { keyId: KEY_ID, spec: 'ECC_NIST_EDWARDS25519', material: { hex: toHex(testKey('treasury').rawSecretKey()) } },
        { keyId: SPARE_ID, spec: 'ECC_NIST_EDWARDS25519', material: { hex: toHex(testKey('spare').rawSecretKey()) } },
      ],
    },
  })
})
after(async () => {
  await plant.close()
  await kms.close()
})

const up = (directory: string): Promise<RunningService> =>
  plant.start({ plane: 'all', 'data.directory': directory }, settings => ({
    ...settings,
    limits: { ...settings.limits, tries: 1, breakerFailures: 1_000 },
    providers: { aws: { kind: 'aws-kms', region: kms.region, endpoint: kms.aws } },
  }))
async function withKey(directory: string): Promise<RunningService> {
  const service = await up(directory)
  const deps = registerDeps(service.room, plant.runtime.world(), 'development')
  const policy = parsePolicy(POLICY).text
  await adopt(deps, { name: 'treasury', chain: 'stellar', network: 'testnet', provider: 'aws', policy }, KEY_ID)
  return service
}
/** For another key: a policy that allows nothing, approved and not in force yet. @returns the id of the change */
async function proposeNothing(service: RunningService): Promise<string> {
  const deps = registerDeps(service.room, plant.runtime.world(), 'development')
  const policy = parsePolicy(POLICY).text
  await adopt(deps, { name: 'spare', chain: 'stellar', network: 'testnet', provider: 'aws', policy }, SPARE_ID)
  const [url, proposer, approver] = [
    service.controlUrl ?? '',
    await loginAs(service, ['policy-admin']),
    await loginAs(service, ['approver']),
  ]
  const tests = [{ name: 'nothing', payload: JSON.parse(pay('1')) as object, now: Date.now(), expect: 'deny' }]
  const wish = { policy: SHUT, tests }
  const { body } = await administer(url, proposer.token, 'POST', '/v1/keys/spare/policy/changes', wish)
  const text = new TextEncoder().encode(String(body['text']))
  const signature = toBase64(approver.pair.sign(Buffer.from(sep53Digest(text))))
  const path = `/v1/changes/${String(body['id'])}/approvals`
  const { status } = await administer(url, approver.token, 'POST', path, { signature })
  assert.equal(status, 200, JSON.stringify(body))
  return String(body['id'])
}
async function callerOf(service: RunningService): Promise<Caller> {
  const operator = await loginAs(service, ['operator'])
  const { token } = await issue(service.controlUrl ?? '', operator, { scopes: ['sign:treasury'], sender })
  return caller(service.url, token, sender)
}
let sequence = 90_000n
const pay = (amount: string, at = ++sequence): string =>
  transactionBody(
    v1({
      operations: [Operation.payment({ destination: supplier, asset: Asset.native(), amount })],
      source: unmuxed(testKey('treasury').publicKey()),
      cond: timeBounds(0n, BigInt(Math.floor(Date.now() / 1000) + 300)),
      sequence: at,
    }).toXdr('base64'),
  )
const brief = ({ status, code, body }: Told) => [status, code, body['rule']]
const copyOfStore = async (from: string, to: string): Promise<void> => {
  await mkdir(to, { recursive: true, mode: 0o700 })
  for (const end of ['', '-wal', '-shm']) {
    await rm(storePath(to) + end, { force: true })
    await cp(storePath(from) + end, storePath(to) + end).catch(() => {})
  }
}

test('M-51 M-70 the store of yesterday: what was signed since stays spent, taken and answered', async () => {
  const [directory, kept] = [join(plant.home, 'lost'), join(plant.home, 'kept')]
  const before = await withKey(directory)
  const clerk = await loginAs(before, ['auditor'])
  const change = await proposeNothing(before)
  await before.stop(500)
  await copyOfStore(directory, kept)

  const first = await up(directory)
  const who = await callerOf(first)
  const [one, two] = [unique('claim'), unique('claim')]
  const [body, other] = [pay('10', 1n), pay('9', 2n)]
  const signed = await who.ask({ body, idempotencyKey: one })
  assert.equal(signed.status, 200, JSON.stringify(signed.body))
  assert.equal((await who.ask({ body: other, idempotencyKey: two })).status, 200)
  // Refused by the key service in words: the third of these payments uses nothing up.
  kms.addFaults({
    face: 'aws',
    operation: 'Sign',
    times: 1,
    fault: { kind: 'error', name: 'KMSInternalException', status: 500 },
  })
  assert.equal((await who.ask({ body: pay('1', 3n) })).code, 'provider/unavailable')
  // Its answer lost: this one does.
  kms.addFaults({ face: 'aws', operation: 'Sign', times: 1, fault: { kind: 'reset', at: 'start', when: 'after' } })
  assert.equal((await who.ask({ body: pay('0.5', 4n) })).code, 'provider/ambiguous')
  kms.clearFaults()
  // Administrators were told that this is done.
  const control = first.controlUrl ?? ''
  const boss = await loginAs(first, ['policy-admin', 'operator'])
  const activated = await administer(control, boss.token, 'POST', `/v1/changes/${change}/activate`)
  assert.equal(activated.status, 200, JSON.stringify(activated.body))
  const { id, token } = await issue(control, boss, { scopes: ['sign:treasury'], sender })
  assert.equal((await administer(control, boss.token, 'DELETE', `/v1/tokens/${id}`)).status, 200)
  const fired = { active: false }
  assert.equal(
    (await administer(control, boss.token, 'PATCH', `/v1/admins/${clerk.pair.publicKey()}`, fired)).status,
    200,
  )
  await first.stop(500)
  await copyOfStore(kept, directory)

  const second = await up(directory)
  const revoked = await caller(second.url, token, sender).ask({ body: pay('0.1') })
  assert.deepEqual([revoked.status, revoked.code], [401, 'token/invalid'], 'a token taken back')
  const away = await administer(second.controlUrl ?? '', clerk.token, 'GET', '/v1/audit')
  assert.ok(away.status === 401 || away.status === 403, `an administrator who was disabled: ${away.status}`)
  assert.equal((await second.room.store.admins.find(clerk.pair.publicKey()))?.active, false)
  const spare = (await second.room.store.keys.resolve('spare'))?.key.policy
  assert.equal(spare, parsePolicy(SHUT).text, 'a policy made tighter')
  const again = await callerOf(second)
  assert.deepEqual(brief(await again.ask({ body: pay('0.6') })), [403, 'policy/denied', 'windows'])
  assert.deepEqual(brief(await again.ask({ body: pay('0.1', 1n) })), [403, 'policy/denied', 'equivocation'])
  assert.deepEqual(brief(await again.ask({ body: pay('0.1', 4n) })), [403, 'policy/denied', 'equivocation'])
  assert.equal((await again.ask({ body: pay('0.1', 3n) })).status, 200, 'the place of what was never signed is free')
  assert.equal((await again.ask({ body: pay('0.4') })).status, 200, 'and all that is left is left')
  assert.deepEqual(brief(await again.ask({ body: pay('0.0000001') })), [403, 'policy/denied', 'windows'])
  const replayed = await again.ask({ body, idempotencyKey: one })
  assert.equal(replayed.body['signature'], signed.body['signature'])
  assert.equal(replayed.headers.get('idempotency-replayed'), 'true')
  await second.stop(500)
})

test('M-51 M-70 power lost while the key service works: the room is taken, the same request is the same money', async () => {
  const [directory, image] = [join(plant.home, 'alive'), join(plant.home, 'image')]
  const first = await withKey(directory)
  const who = await callerOf(first)
  const [body, idempotencyKey] = [pay('10', 100n), unique('claim')]
  kms.addFaults({ face: 'aws', operation: 'Sign', times: 1, fault: { kind: 'delay', ms: 1_000 } })
  const under = who.ask({ body, idempotencyKey })
  await new Promise(resolve => setTimeout(resolve, 400))
  await copyOfStore(directory, image)
  await cp(join(directory, 'audit'), join(image, 'audit'), { recursive: true })
  assert.equal((await under).status, 200)
  await first.stop(500)

  const second = await up(image)
  assert.equal(second.room.recovery.interrupted.length, 1)
  const again = await callerOf(second)
  assert.deepEqual(brief(await again.ask({ body: pay('0.1', 100n) })), [403, 'policy/denied', 'equivocation'])
  assert.equal((await again.ask({ body: pay('9') })).status, 200)
  assert.deepEqual(brief(await again.ask({ body: pay('1.0000001') })), [403, 'policy/denied', 'windows'])
  const same = await again.ask({ body, idempotencyKey })
  assert.equal(same.status, 200, JSON.stringify(same.body))
  assert.equal((await again.ask({ body: pay('1') })).status, 200, 'it was counted once')
  assert.deepEqual(brief(await again.ask({ body: pay('0.0000001') })), [403, 'policy/denied', 'windows'])
  await second.stop(500)
})
