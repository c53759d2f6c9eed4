import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openMemoryAuditLog } from '../../../src/audit/memory.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { localAdmins } from '../../../src/service/control/local-admins.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { manualClock } from '../../support/audit-world.ts'
import { person } from '../../support/control-rig.ts'
import { NOW } from '../../support/rig.ts'
import { sampleAddition } from '../store/samples.ts'

const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) }

function open() {
  const [clock, store] = [manualClock(NOW), openMemoryStore()]
  const audit = openMemoryAuditLog({ clock, instance: 'test' })
  const actor = { subject: 'operator', peer: 'cli' }
  return { store, admins: localAdmins({ ...store, audit, world: { clock, random }, actor }) }
}

test('T64 whom the owner of the machine disables, takes the tokens they gave out with them', async () => {
  const { store, admins } = open()
  const [ann, bob] = [person('ann').address, person('bob').address]
  for (const address of [ann, bob]) await admins.add({ address, name: 'x', roles: ['operator'] })
  const given = { subject: 'payouts', issuedAt: NOW, expiresAt: NOW + 60_000, grants: '{}' }
  await store.tokens.record({ id: 'a', issuedBy: ann, ...given })
  await store.tokens.record({ id: 'b', issuedBy: bob, ...given })
  assert.equal((await admins.disable(ann)).active, false)
  assert.deepEqual(await Promise.all(['a', 'b'].map(id => store.tokens.isRevoked(id))), [true, false])
})

test('T64 the address of a key that signs here names no administrator on the command line either', async () => {
  const { store, admins } = open()
  const [sample, { address }] = [sampleAddition('treasury'), person('treasury')]
  await store.keys.add({ ...sample, version: { ...sample.version, address, account: address } })
  const wish = { address, name: 'x', roles: ['approver'] }
  await assert.rejects(admins.add(wish), (error: unknown) => {
    assert.ok(isSignerError(error) && error.code === 'request/malformed', String(error))
    assert.match(error.detail.reason, /key that signs here/)
    return true
  })
})
