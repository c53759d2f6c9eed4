/** What a rotation needs, over the parts of a rig: the same mock keys, the same store, the same log. */
import assert from 'node:assert/strict'
import { Keypair, Networks, TransactionBuilder } from '@stellar/stellar-sdk'
import { createAdmin } from '../../providers/mock/admin.ts'
import { registerDeps } from '../../src/compose/keys.ts'
import type { Room } from '../../src/compose/room.ts'
import type { KeyRegistry } from '../../src/domain/ports.ts'
import { realWorld } from '../../src/runtime/world.ts'
import type { KeyAdmin, KeyProvider } from '../../src/domain/provider.ts'
import type { RegisterDeps } from '../../src/service/register.ts'
import { beginRotation, type NextVersion, rotationStep } from '../../src/service/rotate/index.ts'
import { EXAMPLE, type Rig } from './rig.ts'

/** Whose commands the records name is the local operator. */
export function rotationDeps(
  rig: Pick<Rig, 'store' | 'log'> & { readonly provider: KeyProvider },
  registry: (real: KeyRegistry) => KeyRegistry = real => real,
  admin?: KeyAdmin,
): RegisterDeps {
  const world = realWorld()
  const room = {
    store: { ...rig.store, keys: registry(rig.store.keys) },
    audit: rig.log,
    provider: async () => rig.provider,
    admin: async () => admin ?? createAdmin({ kind: 'mock' }, { ...world, environment: 'development' }),
    mayServe: () => {},
  } as unknown as Room
  return registerDeps(room, world, 'development')
}

export interface Answer {
  readonly keyVersion: number
  readonly address: string
  readonly signature: string
  readonly auditId: string
  readonly provider: string
  readonly custody: string
}

const EXAMPLE_HASH = TransactionBuilder.fromXDR(EXAMPLE, Networks.TESTNET).hash()

let count = 0
/** A signature of the example by one version, asked for by number. */
export const signBy = async (rig: Rig, version: number | string, idempotencyKey = `by-${++count}`): Promise<Response> =>
  rig.post(
    `/v1/keys/treasury/versions/${version}/sign`,
    { type: 'stellar-transaction', xdr: EXAMPLE },
    { idempotencyKey, token: await rig.token() },
  )

/** Answered, and the SDK verifies it. */
export async function good(response: Promise<Response>): Promise<Answer> {
  const answer = await response
  assert.equal(answer.status, 200, await answer.clone().text())
  const signed = (await answer.json()) as Answer
  assert.ok(Keypair.fromPublicKey(signed.address).verify(EXAMPLE_HASH, Buffer.from(signed.signature, 'base64')))
  return signed
}

interface Load {
  readonly callers?: number
  readonly perSecond?: number
  readonly requests?: number
  readonly took?: number[]
}

/**
 * Rotates `treasury` while callers ask without a pause, some of them for the old version during the overlap. Whatever is
 * answered is by the version that was asked for, or by one that was the one that signs between question and answer; every
 * record names it; the old version is refused after the cut-over.
 * @param wishes  one for each rotation
 * @param load    `perSecond`: as many are sent each second whatever becomes of them, instead of `callers` who wait for theirs;
 *                `requests` are answered between two steps; `took` gets the milliseconds of each
 */
export async function rotateUnderLoad(
  rig: Rig,
  wishes: readonly { readonly deps: RegisterDeps; readonly next?: NextVersion }[],
  { callers = 10, requests = 20, perSecond, took = [] }: Load = {},
): Promise<readonly Answer[]> {
  /** Versions that were the one that signs, in order; the last one may be. */
  const actives = [1]
  /** How many of them are sure. */
  let sure = 1
  let overlap: number | undefined
  const end = { reached: false }
  const signed: Answer[] = []
  const underWay = new Set<Promise<unknown>>()
  const ask = async (asksOld: boolean): Promise<void> => {
    const [since, old, sentAt] = [sure - 1, overlap, performance.now()]
    const answer = asksOld && old !== undefined ? await good(signBy(rig, old)) : await good(rig.sign())
    const allowed = asksOld && old !== undefined ? [old] : actives.slice(since)
    assert.ok(allowed.includes(answer.keyVersion), `version ${answer.keyVersion}, not ${allowed.join()}`)
    signed.push(answer)
    took.push(performance.now() - sentAt)
  }
  const caller = async (asksOld: boolean): Promise<void> => {
    while (!end.reached) {
      const asking = ask(asksOld)
      underWay.add(asking)
      await asking
      underWay.delete(asking)
      await new Promise(resolve => setImmediate(resolve))
    }
  }
  /** By the clock, however long the answers take. */
  const pacer = async (interval: number): Promise<void> => {
    const [start, sent] = [performance.now(), [] as Promise<void>[]]
    while (!end.reached) {
      const wait = start + sent.length * interval - performance.now()
      if (wait > 0) await new Promise(resolve => setTimeout(resolve, wait))
      const asking = ask(sent.length % 5 === 0)
      underWay.add(asking)
      asking.catch(() => (end.reached = true)).finally(() => underWay.delete(asking))
      sent.push(asking)
    }
    await Promise.all(sent)
  }
  const passed = async (more: number): Promise<void> => {
    const target = signed.length + more
    const turn = (resolve: () => void) => (perSecond === undefined ? setImmediate(resolve) : setTimeout(resolve, 2))
    while (signed.length < target && !end.reached) await new Promise<void>(turn)
  }
  const work = async (): Promise<void> => {
    for (const [at, { deps, next }] of wishes.entries()) {
      await passed(requests)
      await beginRotation(deps, 'treasury', next)
      await passed(requests)
      actives.push(at + 2)
      await rotationStep(deps, 'treasury', 'open')
      sure++
      overlap = at + 1
      await passed(requests)
      overlap = undefined
      await Promise.all(underWay)
      await rotationStep(deps, 'treasury', 'cutover')
      const refused = (await (await signBy(rig, at + 1)).json()) as { readonly code?: string }
      assert.equal(refused.code, 'key/not-active')
    }
    await passed(requests)
    end.reached = true
  }
  const asking =
    perSecond === undefined
      ? Array.from({ length: callers }, (_, at) => caller(at % 5 === 0))
      : [pacer(1000 / perSecond)]
  const all = [work(), ...asking]
  await Promise.all(all.map(each => each.catch((error: unknown) => ((end.reached = true), Promise.reject(error)))))
  const named = new Map<string, number[]>()
  for (const record of await rig.records()) {
    if (record.kind === 'event') continue
    named.set(record.auditId, [...(named.get(record.auditId) ?? []), record.version ?? 0])
  }
  for (const { auditId, keyVersion } of signed) assert.deepEqual(named.get(auditId), [keyVersion, keyVersion])
  return signed
}
