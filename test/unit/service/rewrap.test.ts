/** M-63: the same key under another wrapping key: under load, cut off at every step, with rows and services that are bad. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAdmin } from '../../../providers/mock/admin.ts'
import { seedOfFile } from '../../../src/compose/custody.ts'
import { contextFor } from '../../../src/custody/index.ts'
import type { AuditEntry } from '../../../src/domain/audit.ts'
import { isSignerError, SignerError } from '../../../src/domain/errors.ts'
import type { EnvelopeRow } from '../../../src/domain/key.ts'
import type { KeyRegistry } from '../../../src/domain/ports.ts'
import type { EnvelopeProvider } from '../../../src/domain/provider.ts'
import { SecretBytes } from '../../../src/domain/secret.ts'
import { realWorld } from '../../../src/runtime/world.ts'
import { rewrapKeys } from '../../../src/service/rewrap/run.ts'
import type { RewrapDeps, RewrapJob, RewrapOptions } from '../../../src/service/rewrap/types.ts'
import { bindingAt } from '../../../src/routing/targets.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import type { Store } from '../../../src/store/store.ts'
import { openRig, type Rig, type RigOptions } from '../../support/rig.ts'
import { good, rotationDeps } from '../../support/rotations.ts'

const call = { requestId: 'test', signal: new AbortController().signal }
const soon = () => new Promise(resolve => setImmediate(resolve))

async function newWrappingKey(label: string): Promise<string> {
  const admin = await createAdmin({ kind: 'mock' }, { ...realWorld(), environment: 'development' })
  return admin.createWrappingKey({ label }, call)
}

interface Over {
  readonly registry?: (real: KeyRegistry) => KeyRegistry
  readonly provider?: (real: EnvelopeProvider) => EnvelopeProvider
  readonly deps?: Partial<RewrapDeps>
}

function depsOf(rig: Rig, { registry, provider, deps }: Over = {}): RewrapDeps {
  const parts = { ...rig, provider: provider?.(rig.provider) ?? rig.provider }
  return { ...rotationDeps(parts, registry), seedOf: seedOfFile, settle: soon as () => Promise<void>, ...deps }
}

type Wish = Omit<Partial<RewrapJob & RewrapOptions>, 'name'> & { readonly name?: string | undefined }

/** Of `treasury`, unless told; of all keys with a name that is undefined. */
const rewrap = (deps: RewrapDeps, wrappingKey: string, over: Wish = {}) => {
  const { name, dryRun, ...rest } = { name: 'treasury', dryRun: false, provider: 'mock', wrappingKey, ...over }
  return rewrapKeys(deps, { ...rest, ...(name === undefined ? {} : { name }) }, { ...rest, dryRun })
}

const wrapped = (over: RigOptions = {}): Promise<Rig> => openRig({ custody: 'envelope', log: 'memory', ...over })
const bindingsOf = async ({ store }: Rig, name = 'treasury') => (await store.keys.versions(name))[0]?.bindings ?? []
const codesOf = ({ failed }: { readonly failed: readonly { readonly error: { readonly code: string } }[] }) =>
  failed.map(({ error }) => error.code)

/** Rows are read late, so that a binding is resolved long before its row. */
function lateRows(): Store {
  const store = openMemoryStore()
  const envelope = async (id: string): Promise<EnvelopeRow | undefined> => {
    for (let turn = 0; turn < 3; turn++) await soon()
    return store.keys.envelope(id)
  }
  return { ...store, keys: { ...store.keys, envelope } }
}

test('M-63 three re-wraps under load: of 300 requests none fails, none is wrong, the address stays, and each is on record', async () => {
  const rig = await wrapped({ store: lateRows() })
  const { address } = rig.key.version
  const underWay = new Set<Promise<unknown>>()
  const deps = depsOf(rig, { deps: { settle: async () => void (await Promise.all(underWay)) } })
  const state = { answered: 0, over: false }
  const signatures = new Set<string>()
  const caller = async () => {
    while (!state.over || state.answered < 300) {
      const asking = good(rig.sign())
      underWay.add(asking)
      const answer = await asking
      underWay.delete(asking)
      assert.equal(answer.address, address)
      signatures.add(answer.signature)
      state.answered++
    }
  }
  const references = [rig.key.bindings[0]?.reference ?? '']
  const work = async () => {
    for (const label of ['second', 'third', 'fourth']) {
      while (state.answered < references.length * 60) await soon()
      const reference = await newWrappingKey(label)
      references.push(reference)
      const { rewrapped, failed } = await rewrap(deps, reference)
      assert.deepEqual([rewrapped, failed], [1, []])
    }
    state.over = true
  }
  await Promise.all([work().finally(() => (state.over = true)), ...Array.from({ length: 8 }, caller)])
  assert.ok(state.answered >= 300)
  assert.equal(signatures.size, 1, 'the same Ed25519 signature, bit for bit')
  const [binding, ...more] = await bindingsOf(rig)
  assert.deepEqual([binding?.reference, more], [references.at(-1), []])
  assert.equal((await rig.store.keys.versions('treasury'))[0]?.version.state, 'active')
  const said = (await rig.records()).flatMap(record =>
    record.kind === 'event' ? [`${record.event} ${record.detail['oldReference']} ${record.detail['reference']}`] : [],
  )
  const steps = [1, 2, 3].flatMap(at =>
    ['key-rewrapping', 'key-rewrapped'].map(event => `${event} ${references[at - 1]} ${references[at]}`),
  )
  assert.deepEqual(said, steps)
})

test('M-63 why it waits: a request that resolved the old binding finds its row, and would not if nobody waited', async () => {
  for (const waits of [true, false]) {
    const store = openMemoryStore()
    const gate = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    const held = { next: false }
    const envelope: KeyRegistry['envelope'] = async id => {
      if (held.next) {
        held.next = false
        reached.resolve()
        await gate.promise
      }
      return store.keys.envelope(id)
    }
    const rig = await wrapped({ store: { ...store, keys: { ...store.keys, envelope } } })
    held.next = true
    const asking = rig.sign()
    await reached.promise
    const settle = async () => {
      if (!waits) return
      assert.equal((await bindingsOf(rig)).length, 2)
      await good(rig.sign()) // those who come now are signed for through the new binding
      gate.resolve()
      await asking
    }
    const { rewrapped } = await rewrap(depsOf(rig, { deps: { settle } }), await newWrappingKey('next'))
    assert.equal(rewrapped, 1)
    gate.resolve()
    assert.equal((await asking).status === 200, waits)
  }
})

test('M-63 killed before and after each effect: the same command ends where it would have ended, and the key always signs', async () => {
  class Killed extends Error {}
  const reference = await newWrappingKey('next')
  let deaths = 0
  for (let at = 0; ; at++) {
    const rig = await wrapped()
    let effects = 0
    const mortal =
      <A extends unknown[], R>(body: (...given: A) => Promise<R>) =>
      async (...given: A): Promise<R> => {
        if (effects++ === at) throw new Killed()
        const done = await body(...given)
        if (effects++ === at) throw new Killed()
        return done
      }
    const real = depsOf(rig)
    const deps = depsOf(rig, {
      provider: provider => ({ ...provider, wrap: mortal(provider.wrap) }),
      registry: keys => ({
        ...keys,
        replaceBinding: mortal(keys.replaceBinding),
        removeBinding: mortal(keys.removeBinding),
      }),
      deps: {
        audit: { ...real.audit, append: mortal((...entries: AuditEntry[]) => real.audit.append(...entries)) },
        settle: mortal(real.settle),
      },
    })
    const outcome = await rewrap(deps, reference).catch((error: unknown) => error)
    await good(rig.sign())
    if (!(outcome instanceof Error)) {
      assert.equal((outcome as { rewrapped: number }).rewrapped, 1, `nobody was killed at ${at}`)
      break
    }
    deaths++
    const again = await rewrap(real, reference)
    assert.deepEqual([again.rewrapped + again.present, again.failed], [1, []], `killed at ${at}`)
    const [binding, ...more] = await bindingsOf(rig)
    assert.deepEqual([binding?.reference, binding?.suspended, more], [reference, undefined, []], `killed at ${at}`)
    assert.equal(await rig.store.keys.envelope('b_1'), undefined)
    await good(rig.sign())
    const events = (await rig.records()).flatMap(record => (record.kind === 'event' ? [record.event] : []))
    assert.ok(events.includes('key-rewrapping') && events.includes('key-rewrapped'), `killed at ${at}: on record`)
  }
  assert.equal(deaths, 12)
})

test('M-63 a row that is damaged, another key, of another key or gone is refused, and the old row stays', async () => {
  const reference = await newWrappingKey('next')
  const bad: Record<string, [string, (row: EnvelopeRow, rig: Rig) => Promise<EnvelopeRow | undefined>]> = {
    damaged: [
      'envelope/unreadable',
      async row => ({ ...row, ciphertext: row.ciphertext.map((b, i) => (i === 40 ? b ^ 1 : b)) }),
    ],
    'of another network': [
      'envelope/unreadable',
      async row => ({ ...row, context: { ...row.context, network: 'public' } }),
    ],
    gone: ['envelope/unreadable', async () => undefined],
    'another seed': [
      'key/mismatch',
      async (row, rig) => ({ ...row, ciphertext: await seal(rig, new Uint8Array(32).fill(5)) }),
    ],
    'no seed': [
      'envelope/unreadable',
      async (row, rig) => ({ ...row, ciphertext: await seal(rig, Uint8Array.of(1, 2)) }),
    ],
  }
  const seal = (rig: Rig, bytes: Uint8Array) => {
    const context = contextFor(rig.key.version, rig.key.key.network)
    return rig.provider.wrap(rig.key.bindings[0]?.reference ?? '', new SecretBytes(bytes, 'test'), context, call)
  }
  for (const [what, [code, spoil]] of Object.entries(bad)) {
    const rig = await wrapped()
    const row = (await rig.store.keys.envelope('b_1')) as EnvelopeRow
    const spoiled = await spoil(row, rig)
    const registry = (keys: KeyRegistry): KeyRegistry => ({
      ...keys,
      envelope: async id => (id === 'b_1' ? spoiled : keys.envelope(id)),
    })
    const report = await rewrap(depsOf(rig, { registry }), reference)
    assert.deepEqual([report.rewrapped, codesOf(report)], [0, [code]], what)
    assert.deepEqual(await bindingsOf(rig), rig.key.bindings, what)
    assert.deepEqual(await rig.store.keys.envelope('b_1'), row, what)
    await good(rig.sign())
  }
})

test('M-63 a key service that fails half-way: the others go on, the rest is done by the same command; seeds are wiped', async () => {
  const names = ['channel-1', 'channel-2', 'channel-3']
  const rig = await wrapped({ keys: names.map(name => ({ name, custody: 'envelope' as const })) })
  const reference = await newWrappingKey('next')
  const seeds: SecretBytes[] = []
  const seen = { down: true }
  const refused = () => new SignerError('provider/refused', { provider: 'mock', reason: 'no permission' })
  const deps = depsOf(rig, {
    provider: real => ({
      ...real,
      unwrap: async (...given) => {
        const opened = await real.unwrap(...given)
        seeds.push(opened.plaintext)
        return opened
      },
      wrap: async (key, seed, context, at) => {
        if (seen.down && context['key'] === 'channel-2') throw refused()
        return real.wrap(key, seed, context, at)
      },
    }),
    deps: {
      seedOf: (...given) => {
        const seed = seedOfFile(...given)
        seeds.push(seed)
        return seed
      },
    },
  })
  const dry = await rewrap(deps, reference, { name: undefined, dryRun: true })
  assert.deepEqual([dry.rows, dry.rewrapped, codesOf(dry)], [4, 3, ['provider/refused']])
  assert.deepEqual(await bindingsOf(rig), rig.key.bindings)
  assert.equal((await rig.records()).length, 0, 'a dry run leaves nothing on record')

  const told: string[] = []
  const first = await rewrap(deps, reference, {
    name: undefined,
    onProgress: ({ done, rewrapped, failed }) => void told.push(`${done} ${rewrapped} ${failed}`),
  })
  assert.deepEqual([first.rows, first.rewrapped, codesOf(first)], [4, 3, ['provider/refused']])
  assert.deepEqual([told[0], told.at(-1)], ['0 0 0', '4 3 1'])
  assert.equal((await bindingsOf(rig, 'channel-2'))[0]?.id, 'b_channel-2')
  seen.down = false
  const second = await rewrap(deps, reference, { name: undefined })
  assert.deepEqual([second.rewrapped, second.present, second.failed], [1, 3, []])
  assert.ok(seeds.length > 8 && seeds.every(({ wiped }) => wiped))
  for (const key of ['treasury', ...names]) {
    const bindings = await bindingsOf(rig, key)
    assert.deepEqual([bindings.length, bindings[0]?.reference], [1, reference])
    assert.equal((await rig.sign({ key })).status, 200)
  }
})

test('M-63 the new place fails after it took over: the old row is kept until a later run has seen the new one sign', async () => {
  const rig = await wrapped()
  const reference = await newWrappingKey('next')
  const down = { now: false }
  const provider = (real: EnvelopeProvider): EnvelopeProvider => ({
    ...real,
    unwrap: async (...given) => {
      if (down.now) throw new SignerError('provider/refused', { provider: 'mock', reason: 'gone' })
      return real.unwrap(...given)
    },
  })
  const report = await rewrap(
    depsOf(rig, { provider, deps: { settle: async () => void (down.now = true) } }),
    reference,
  )
  assert.deepEqual([report.rewrapped, codesOf(report)], [0, ['provider/refused']])
  const [serving, old] = await bindingsOf(rig)
  assert.deepEqual([serving?.reference, old?.id], [reference, 'b_1'])
  assert.notEqual(await rig.store.keys.envelope('b_1'), undefined)
  const resolved = await rig.store.keys.resolve('treasury')
  assert.ok(resolved)
  assert.deepEqual(bindingAt(resolved, 'mock'), serving, 'a flag that names the provider means the one that serves')
  assert.equal((await rewrap(depsOf(rig), reference)).rewrapped, 1)
  assert.equal((await bindingsOf(rig)).length, 1)
})

test('M-63 stopped while it waits: nothing is removed; a later run, even to another place, leaves one row', async () => {
  const rig = await wrapped()
  const [second, third] = [await newWrappingKey('second'), await newWrappingKey('third')]
  const stop = new AbortController()
  const settle = async () => stop.abort()
  const report = await rewrap(depsOf(rig, { deps: { settle } }), second, { signal: stop.signal })
  assert.deepEqual([report.rewrapped, report.failed, report.stopped], [0, [], 'stopped by the operator'])
  assert.deepEqual((await bindingsOf(rig)).length, 2)
  await good(rig.sign())
  assert.equal((await rewrap(depsOf(rig), third)).rewrapped, 1)
  const bindings = await bindingsOf(rig)
  assert.deepEqual([bindings.length, bindings[0]?.reference], [1, third])
  await good(rig.sign())
})

test('M-63 two operators at once: one place serves at the end, and no row is lost', async () => {
  const rig = await wrapped()
  const [a, b] = [await newWrappingKey('a'), await newWrappingKey('b')]
  const reports = await Promise.all([rewrap(depsOf(rig), a), rewrap(depsOf(rig), b)])
  await good(rig.sign())
  const codes = reports.flatMap(codesOf)
  // Whoever comes second finds the old binding replaced, or removed already.
  assert.ok(codes.length === 1 && ['key/unsupported', 'key/unknown'].includes(codes[0] ?? ''), codes.join())
  const bindings = await bindingsOf(rig)
  assert.deepEqual([bindings.length, [a, b].includes(bindings[0]?.reference ?? '')], [1, true])
})

test('M-63 what it does not touch: keys of a service, revoked versions, several places, suspended ones; and a stop', async () => {
  const reference = await newWrappingKey('next')
  const native = await openRig({ log: 'memory' })
  const isUnsupported = (error: unknown) => isSignerError(error) && error.code === 'key/unsupported'
  await assert.rejects(rewrap(depsOf(native), reference), isUnsupported)
  assert.equal((await rewrap(depsOf(native), reference, { name: undefined })).rows, 0)
  await assert.rejects(rewrap(depsOf(native), reference, { name: 'nobody' }), { code: 'key/unknown' })

  const rig = await wrapped()
  const deps = depsOf(rig)
  await assert.rejects(rewrap(deps, reference, { fromProvider: 'elsewhere' }), isUnsupported)
  const stopped = await rewrap(deps, reference, { signal: AbortSignal.abort() })
  assert.deepEqual([stopped.rewrapped, stopped.stopped], [0, 'stopped by the operator'])
  await rig.store.keys.suspendBinding('b_1', 'it differed')
  assert.deepEqual(codesOf(await rewrap(deps, reference)), ['key/unsupported'])
  await rig.store.keys.suspendBinding('b_1', undefined)
  const row = (await rig.store.keys.envelope('b_1')) as EnvelopeRow
  const second = { ...(rig.key.bindings[0] as never as object), id: 'b_2', reference: 'elsewhere' } as never
  await rig.store.keys.addBinding({ binding: second, envelope: { ...row, bindingId: 'b_2' } })
  assert.deepEqual(codesOf(await rewrap(deps, reference)), ['key/unsupported'])
  await rig.store.keys.setState('treasury', 1, 'revoked')
  await assert.rejects(rewrap(deps, reference), { code: 'key/unknown' })
})
