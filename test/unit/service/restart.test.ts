import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MemoryFiles } from '../../../src/audit/memory-files.ts'
import { verifyAuditLog } from '../../../src/audit/verify.ts'
import type { AuditIndex } from '../../../src/domain/ports.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import type { SignAnswer } from '../../../src/service/types.ts'
import { operations, v1 } from '../../fuzz/xdr-corpus.ts'
import { openRig, problemOf, type Rig } from '../../support/rig.ts'

const OTHER = v1({ operations: operations['payment']?.slice(0, 1) ?? [] }).toXdr('base64')

/** A place on the path where a process dies: who comes there never comes back, and the test hears of it. */
function grave() {
  const { promise: reached, resolve } = Promise.withResolvers<void>()
  return {
    reached,
    dead: (): Promise<never> => {
      resolve()
      return new Promise(() => {})
    },
  }
}

/** The disk as a killed process leaves it, and a rig over it. */
async function restarted(disk: MemoryFiles, store = openMemoryStore()): Promise<Rig> {
  const rig = await openRig({ files: disk, store })
  const report = await verifyAuditLog(disk)
  assert.ok(report.ok, JSON.stringify(report))
  return rig
}

/** Killed between the durable outcome and the note in the store: the answer never left, the log has it. */
async function killedBeforeComplete(before = 0): Promise<{ rig: Rig; disk: MemoryFiles }> {
  let armed = false
  const { reached, dead } = grave()
  const rig = await openRig({
    idempotency: real => ({ ...real, complete: (...given) => (armed ? dead() : real.complete(...given)) }),
  })
  for (let n = 0; n < before; n++) assert.equal((await rig.sign()).status, 200)
  armed = true
  void rig.sign({ idempotencyKey: 'same' })
  await reached
  return { rig, disk: rig.files.synced() }
}

test('R-01 I3 killed between the durable outcome and the store: a new store learns the answer from the log and replays it', async () => {
  const { disk } = await killedBeforeComplete()
  const next = await restarted(disk)
  const outcome = (await next.records()).find(record => record.kind === 'outcome')
  assert.ok(outcome?.kind === 'outcome' && outcome.result === 'released')
  const again = await next.sign({ idempotencyKey: 'same' })
  assert.equal(again.status, 200)
  assert.equal(again.headers.get('idempotency-replayed'), 'true')
  assert.equal(((await again.json()) as SignAnswer).signature, outcome.signature)
  assert.equal(next.signatures(), 0, 'nothing is signed a second time')
})

test('R-01 I3 the index head never passes a release that the store has not kept: the old store learns it too', async () => {
  const { rig, disk } = await killedBeforeComplete(3)
  const ahead = rig.store.auditIndex
  const head = await ahead.head()
  const records = await rig.records()
  const intent = records.findLast(record => record.kind === 'intent')
  assert.ok((head?.seq ?? 0) < (intent?.seq ?? 0), `head ${head?.seq} is behind the open intent ${intent?.seq}`)
  const next = await restarted(disk, older(rig, ahead))
  const again = await next.sign({ idempotencyKey: 'same' })
  assert.equal(again.headers.get('idempotency-replayed'), 'true')
  assert.equal(next.signatures(), 0)
})

/** The same store as its owner finds it after the kill: what was in flight is no longer held. */
function older(rig: Rig, auditIndex: AuditIndex): Rig['store'] {
  const fresh = openMemoryStore()
  return { ...fresh, keys: rig.store.keys, auditIndex }
}

test('R-01 killed while the key service works: the intent gets the outcome `interrupted`, and the request may come again', async () => {
  const { reached, dead } = grave()
  const rig = await openRig({ provider: real => ({ ...real, sign: dead }) })
  void rig.sign({ idempotencyKey: 'same' })
  await reached
  assert.equal(rig.signatures(), 1)
  const next = await restarted(rig.files.synced())
  const [intent, outcome, ...more] = await next.records()
  assert.deepEqual(more, [])
  assert.ok(intent?.kind === 'intent' && outcome?.kind === 'outcome')
  assert.deepEqual([outcome.auditId, outcome.result], [intent.auditId, 'interrupted'])
  const again = await next.sign({ idempotencyKey: 'same' })
  assert.equal(again.status, 200)
  assert.equal(again.headers.get('idempotency-replayed'), null)
  assert.equal(next.signatures(), 1)
})

test('R-01 the bond of idempotency key and body survives a restart, with an answer and without one', async () => {
  const mismatch = async (rig: Rig, idempotencyKey: string): Promise<void> => {
    const problem = await problemOf(await rig.sign({ idempotencyKey, xdr: OTHER }))
    assert.equal(problem.code, 'idempotency/mismatch')
    assert.equal(rig.signatures(), 0)
  }
  const { disk } = await killedBeforeComplete()
  await mismatch(await restarted(disk), 'same')

  const denied = await openRig({ policy: { version: 1 } })
  assert.equal((await problemOf(await denied.sign({ idempotencyKey: 'no' }))).code, 'policy/denied')
  const after = await restarted(denied.files.synced())
  await mismatch(after, 'no')
  assert.equal(
    (await after.sign({ idempotencyKey: 'no' })).status,
    200,
    'the same request, under a policy that allows it now',
  )
})

test('R-01 many restarts in a row, one kill each: never a second signature, never a second release', async () => {
  let files: MemoryFiles | undefined
  const released = new Map<string, string>()
  for (let round = 0; round < 25; round++) {
    const stage = round % 5
    const { reached, dead } = grave()
    const rig: Rig = await openRig({
      ...(files === undefined ? {} : { files }),
      provider: real => ({ ...real, sign: (...given) => (stage === 1 ? dead() : real.sign(...given)) }),
      idempotency: real => ({ ...real, complete: (...given) => (stage === 2 ? dead() : real.complete(...given)) }),
      audit: real => ({
        get state() {
          return real.state
        },
        close: real.close,
        append: (...entries) =>
          (stage === 3 && entries[0]?.kind === 'intent') || (stage === 4 && entries[0]?.kind === 'outcome')
            ? dead()
            : real.append(...entries),
      }),
    })
    for (const [idempotencyKey, signature] of released) {
      const again = await rig.sign({ idempotencyKey })
      assert.equal(again.headers.get('idempotency-replayed'), 'true', `round ${round}`)
      assert.equal(((await again.json()) as SignAnswer).signature, signature)
    }
    assert.equal(rig.signatures(), 0)
    const idempotencyKey = `round-${round}`
    const answer = rig.sign({ idempotencyKey })
    if (stage === 0) released.set(idempotencyKey, ((await (await answer).json()) as SignAnswer).signature)
    else await reached
    if (stage === 2) {
      const outcome = (await rig.records()).findLast(
        record => record.kind === 'outcome' && record.result === 'released',
      )
      assert.ok(outcome?.kind === 'outcome')
      released.set(idempotencyKey, outcome.signature ?? '')
    }
    files = rig.files.synced()
  }
  assert.equal(released.size, 10)
})
