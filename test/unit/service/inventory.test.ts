import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SignerError } from '../../../src/domain/errors.ts'
import {
  type Binding,
  type DatedVersion,
  VERSION_STATES,
  type VersionState,
  type VersionTimes,
} from '../../../src/domain/key.ts'
import { takeInventory } from '../../../src/service/inventory.ts'

const DAY = 86_400_000
const NOW = Date.UTC(2027, 0, 1)

const place = (provider: string, custody: Binding['custody'] = 'native', reference = `${provider}/1`): Binding => ({
  id: `b-${reference}`,
  key: 'treasury',
  version: 1,
  provider,
  custody,
  reference,
})
const held = (
  state: VersionState,
  times: VersionTimes = { createdAt: NOW - 400 * DAY, activeFrom: NOW - 380 * DAY },
  bindings: readonly Binding[] = [place('aws')],
): DatedVersion => ({
  key: {
    name: 'treasury',
    chain: 'stellar',
    network: 'public',
    policy: '',
    policyHash: '',
    createdAt: times.createdAt,
  },
  version: {
    ...{ key: 'treasury', version: 1, scheme: 'ed25519', publicKey: new Uint8Array(32) },
    ...{ address: 'G', account: 'G', state },
  },
  bindings,
  times,
})
const registry = (...versions: DatedVersion[]) => ({ versions: async () => versions })

test('M-61 a crypto-period runs from the first day a version might sign, while it can sign or come back to it', async () => {
  const overdue = async (state: VersionState, activeDays: number | undefined, cryptoPeriodDays?: number) => {
    const createdAt = NOW - 1000 * DAY
    const times = activeDays === undefined ? { createdAt } : { createdAt, activeFrom: NOW - activeDays * DAY }
    const period = cryptoPeriodDays === undefined ? {} : { cryptoPeriodDays }
    const { keys, overdue: count } = await takeInventory({
      registry: registry(held(state, times)),
      now: NOW,
      ...period,
    })
    const [entry] = keys
    assert.equal(count, entry?.overdue ? 1 : 0)
    return { overdue: entry?.overdue, next: entry?.nextRotation?.slice(0, 10), age: entry?.ageDays }
  }
  assert.deepEqual(await overdue('active', 364, 365), { overdue: false, next: '2027-01-02', age: 364 })
  assert.deepEqual(await overdue('active', 365, 365), { overdue: true, next: '2027-01-01', age: 365 })
  assert.deepEqual(await overdue('active', 9_000), { overdue: false, next: undefined, age: 9_000 })
  assert.deepEqual(await overdue('pending', undefined, 1), { overdue: false, next: undefined, age: 1000 })
  // A clock that was set back makes nothing young of age below nought.
  assert.deepEqual(await overdue('active', -3, 365), { overdue: false, next: '2028-01-04', age: 0 })
  for (const state of VERSION_STATES) {
    const running = ['active', 'overlap', 'quarantined'].includes(state)
    assert.equal((await overdue(state, 400, 365)).overdue, running, state)
  }
})

test('M-61 what protects a key: its service is asked for native custody, and an opened key is protected by software', async () => {
  const asked: string[] = []
  const bindings = [place('aws'), place('vault', 'envelope'), place('gcp')]
  const versions = [
    held('active', undefined, bindings),
    held('destroyed', undefined, [place('aws', 'native', 'aws/0')]),
  ]
  const { keys, at } = await takeInventory({
    registry: registry(...versions),
    now: NOW,
    protection: async (provider, reference) => {
      asked.push(reference)
      if (provider === 'gcp') throw new SignerError('provider/refused', { provider, reason: 'no' })
      return 'hsm'
    },
  })
  assert.equal(at, '2027-01-01T00:00:00.000Z')
  assert.deepEqual(asked.toSorted(), ['aws/1', 'gcp/1'])
  assert.deepEqual(
    keys.map(({ places }) => places.map(({ provider, protection }) => `${provider} ${protection}`)),
    [['aws hsm', 'vault software', 'gcp unknown'], ['aws unknown']],
  )
  const offline = await takeInventory({ registry: registry(...versions), now: NOW })
  assert.deepEqual(
    offline.keys[0]?.places.map(({ protection }) => protection),
    ['unknown', 'software', 'unknown'],
  )
})

test('a key service that is down is waited for once, and the others are asked all the same', async () => {
  const asked: string[] = []
  const bindings = [1, 2, 3].flatMap(n => [place('aws', 'native', `aws/${n}`), place('gcp', 'native', `gcp/${n}`)])
  const { keys } = await takeInventory({
    registry: registry(held('active', undefined, bindings)),
    now: NOW,
    protection: async (provider, reference) => {
      asked.push(reference)
      if (provider === 'aws') throw new SignerError('provider/unavailable', { provider, reason: 'nobody answered' })
      return 'software'
    },
  })
  assert.deepEqual(asked.toSorted(), ['aws/1', 'gcp/1', 'gcp/2', 'gcp/3'])
  assert.deepEqual(
    keys[0]?.places.map(({ protection }) => protection),
    [1, 2, 3].flatMap(() => ['unknown', 'software']),
  )
})
