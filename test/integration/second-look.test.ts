/** Whole services at their edges: a clock that was set back over a restart, a control plane alone, rows that nobody needs any more. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openRoom } from '../../src/compose/room.ts'
import { startService } from '../../src/compose/service.ts'
import { demoPolicy } from '../../src/policy/index.ts'
import { memoryLogger } from '../support/rig.ts'
import { addKey, administer, loginAs, openPlant, type Plant, settingsOf, told } from './gateway-world.ts'

let plant: Plant
before(async () => {
  plant = await openPlant()
})
after(() => plant.close())

const DAY = 86_400_000
const WEEK = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const always = { windows: [{ zone: 'UTC', days: WEEK, from: '00:00', to: '24:00' }] }

test('T63 a clock that was set back while the service was down opens no door that has hours', async () => {
  const home = { 'data.directory': join(plant.home, 'clock'), 'audit.instance': 'clock', plane: 'all' }
  const hours = (await import('../../src/access/hours.ts')).readHours(always, 'hours').hours
  const settings = await settingsOf(plant.runtime, home, ({ gateway, ...more }) => {
    assert.ok(gateway !== undefined)
    const { admission } = gateway
    const data = { ...admission.data, hours }
    return { ...more, gateway: { ...gateway, admission: { ...admission, data } } }
  })
  const knock = async (back: number) => {
    const world = plant.runtime.world()
    const clock = { ...world.clock, now: () => world.clock.now() - back }
    const runtime = { ...plant.runtime, world: () => ({ ...world, clock }) }
    const service = await startService(settings, runtime, memoryLogger([]))
    const { code, body } = await told(await fetch(`${service.url}/v1/keys`))
    await service.stop(500)
    return [code, body['reason']]
  }
  assert.equal((await knock(0))[0], 'token/missing')
  assert.equal((await knock(0))[0], 'token/missing')
  assert.deepEqual(await knock(DAY), ['access/denied', 'the clock is behind the audit log'])
  // What was written meanwhile bears the time of a clock that is behind: it makes nothing better.
  assert.deepEqual(await knock(DAY / 2), ['access/denied', 'the clock is behind the audit log'])
  assert.equal((await knock(0))[0], 'token/missing')
})

test('M-73 a control plane alone signs nothing, not even to end a quarantine, although it knows the key services', async () => {
  const home = { 'data.directory': join(plant.home, 'alone'), 'audit.instance': 'alone', plane: 'control' }
  const service = await plant.start(home)
  await addKey(service, plant.runtime, 'treasury', JSON.parse(demoPolicy().text))
  await service.room.store.keys.setState('treasury', 1, 'quarantined')
  const person = await loginAs(service, ['key-admin'], service.url)
  const { status, code, body } = await administer(service.url, person.token, 'POST', '/v1/keys/treasury/restore')
  assert.deepEqual([status, code], [422, 'key/unsupported'], JSON.stringify(body))
  assert.equal(await service.room.store.keys.stateOf('treasury', 1), 'quarantined')
})

test('what signatures used up is forgotten once no transaction of that time can be good any more', async () => {
  const home = { 'data.directory': join(plant.home, 'old'), 'audit.instance': 'old', plane: 'all' }
  const settings = await settingsOf(plant.runtime, home)
  const world = plant.runtime.world()
  const room = await openRoom(settings, world)
  const slot = { hash: 'aa', effects: 'e1', fee: 1n }
  const claim = async (at: number, name: string, hash: string) => {
    const entry = { scope: 's', key: `${name} ${hash}`, fingerprint: 'f'.repeat(64), at }
    const spends = [{ counter: name, amount: 1n, limit: 9n, windowMs: 60_000, rule: 'windows' }]
    return (await service.claims.claim(entry, { spends, slot: { ...slot, slot: name, hash, effects: hash } })).kind
  }
  let service = { claims: room.store.claims }
  assert.equal(await claim(world.clock.now() - 401 * DAY, 'old', 'aa'), 'claimed')
  assert.equal(await claim(world.clock.now() - 399 * DAY, 'young', 'aa'), 'claimed')
  await room.close()

  const { room: again } = await plant.start(home)
  service = { claims: again.store.claims }
  for (
    let n = 0;
    n < 100 && (await again.store.claims.used([{ counter: 'old', windowMs: 500 * DAY }], world.clock.now()))[0] !== 0n;
    n++
  )
    await world.clock.sleep(20)
  assert.equal(await claim(world.clock.now(), 'old', 'bb'), 'claimed')
  assert.equal(await claim(world.clock.now(), 'young', 'bb'), 'taken')
})
