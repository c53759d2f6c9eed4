/** A vendor answer that is wrong releases nothing and puts its key in quarantine; nobody else's key, and nobody's request alone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contextFor } from '../../../src/custody/index.ts'
import { signature64 } from '../../../src/domain/brands.ts'
import { type ErrorCode, SignerError, WRONG_ANSWERS } from '../../../src/domain/errors.ts'
import type { Custody } from '../../../src/domain/key.ts'
import type { EnvelopeProvider } from '../../../src/domain/provider.ts'
import { SecretBytes } from '../../../src/domain/secret.ts'
import { createQuarantine } from '../../../src/service/quarantine.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { testKey } from '../../fuzz/xdr-corpus.ts'
import { mutate, seeded } from '../../fuzz/xdr-mutator.ts'
import { settle } from '../../support/audit-world.ts'
import { EXAMPLE, memoryLogger, openRig, problemOf, type Rig, type RigOptions } from '../../support/rig.ts'

type Provider = (real: EnvelopeProvider) => EnvelopeProvider

interface Lie {
  readonly what: string
  readonly custody: Custody
  readonly code: ErrorCode
  readonly provider: Provider
}

const throws = (code: ErrorCode): Provider => {
  const about = code === 'key/mismatch' ? { key: 'arn:aws:kms:x' } : { provider: 'mock' }
  const fail = (): Promise<never> => Promise.reject(new SignerError(code, { ...about, reason: 'a lie of this test' }))
  return real => ({ ...real, sign: fail, unwrap: fail })
}
const signs =
  (change: (signature: Uint8Array, message: Uint8Array) => Uint8Array): Provider =>
  real => ({
    ...real,
    sign: async (key, input, call) => {
      const { signature } = await real.sign(key, input, call)
      const message = input.scheme === 'ed25519' ? input.message : input.digest
      return { signature: signature64(change(signature.slice(), message)) }
    },
  })
const opens =
  (bytes: () => Uint8Array): Provider =>
  real => ({ ...real, unwrap: async () => ({ plaintext: new SecretBytes(bytes(), 'a lie') }) })

const flip = (signature: Uint8Array): Uint8Array => {
  signature[17] = (signature[17] ?? 0) ^ 4
  return signature
}
const native = (what: string, code: ErrorCode, provider: Provider): Lie => ({ what, custody: 'native', code, provider })
const envelope = (what: string, code: ErrorCode, provider: Provider): Lie => ({
  ...{ what, custody: 'envelope' as const, code, provider },
})

const LIES: readonly Lie[] = [
  native('a signature with one bit off', 'signature/unverified', signs(flip)),
  native(
    'a signature by another key',
    'signature/unverified',
    signs((_, message) => testKey('mallory').sign(message)),
  ),
  native('a signature of no length', 'signature/malformed', throws('signature/malformed')),
  native('the name of another key or version', 'key/mismatch', throws('key/mismatch')),
  native('an answer that fails its CRC', 'provider/corrupt', throws('provider/corrupt')),
  envelope(
    'another seed',
    'envelope/mismatch',
    opens(() => new Uint8Array(32).fill(3)),
  ),
  envelope(
    'bytes that are no key',
    'envelope/unreadable',
    opens(() => new Uint8Array(17).fill(3)),
  ),
  envelope('that row and key do not belong together', 'envelope/unreadable', throws('envelope/unreadable')),
  envelope('an opened key that fails its CRC', 'provider/corrupt', throws('provider/corrupt')),
  envelope('the name of another wrapping key', 'key/mismatch', throws('key/mismatch')),
]

const SEED = new Uint8Array(32).fill(41)

/** Beside `treasury`: a key of its own name, binding and row, with the same material. */
async function addOther(rig: Rig): Promise<void> {
  const binding = { ...(rig.key.bindings[0] ?? assert.fail()), id: 'b_2', key: 'other' }
  const version = { ...rig.key.version, key: 'other' }
  const context = contextFor(version, rig.key.key.network)
  const call = { requestId: 'setup', signal: new AbortController().signal }
  const wrap = () => rig.provider.wrap(binding.reference, new SecretBytes(SEED.slice(), 'other'), context, call)
  const row = binding.custody === 'native' ? undefined : { bindingId: 'b_2', ciphertext: await wrap(), context }
  const key = { ...rig.key.key, name: 'other' }
  await rig.store.keys.add({ key, version, binding, ...(row === undefined ? {} : { envelope: row }) })
}

/** Lies while `switch.on`. */
function switched(lie: Provider): { readonly provider: Provider; on: boolean } {
  const state = { on: true, provider: (real: EnvelopeProvider) => real }
  state.provider = real => {
    const lying = lie(real)
    return {
      ...real,
      sign: (...given) => (state.on ? lying : real).sign(...given),
      unwrap: (...given) => (state.on ? lying : real).unwrap(...given),
    }
  }
  return state
}

const codeOf = async (response: Response): Promise<string> =>
  response.ok ? 'released' : (await problemOf(response)).code

async function isQuarantined(rig: Rig): Promise<void> {
  const asked = rig.signatures()
  const problem = await problemOf(await rig.sign())
  assert.deepEqual([problem.code, problem['state']], ['key/not-active', 'quarantined'])
  assert.equal(rig.signatures(), asked, 'the key service is not asked any more')
}

for (const { what, custody, code, provider } of LIES) {
  test(`T37 ${custody}: the service answers with ${what}: nothing released, one outcome, quarantined, others go on`, async () => {
    const lie = switched(provider)
    const rig = await openRig({ custody, seed: SEED, provider: lie.provider })
    await addOther(rig)
    const problem = await problemOf(await rig.sign({ idempotencyKey: 'same' }))
    assert.equal(problem.code, code)
    assert.ok(!JSON.stringify(problem).includes('arn:'))
    const [intent, outcome, event, ...more] = await rig.records()
    assert.deepEqual(more, [])
    assert.ok(intent?.kind === 'intent' && outcome?.kind === 'outcome' && event?.kind === 'event')
    assert.deepEqual([outcome.result, outcome.errorCode, outcome.signature], ['failed', code, undefined])
    const { auditId } = intent
    assert.equal(event.event, 'key-quarantined')
    assert.deepEqual(event.detail, { key: 'treasury', version: 1, binding: 'b_1', errorCode: code, auditId })
    assert.equal(await rig.store.keys.stateOf('treasury', 1), 'quarantined')
    assert.deepEqual(
      rig.logs.map(log => [log['level'], log['event']]).filter(([level]) => level === 'error'),
      [['error', 'key-quarantined']],
    )
    lie.on = false
    await isQuarantined(rig)
    assert.equal((await problemOf(await rig.sign({ idempotencyKey: 'same' }))).code, 'key/not-active')
    const read = await rig.http('/v1/keys/treasury', { headers: { authorization: `Bearer ${await rig.token()}` } })
    assert.equal(await codeOf(read), 'key/not-active')

    assert.equal((await rig.sign({ key: 'other' })).status, 200)

    await rig.log.close()
    const restarted = await openRig({ custody, files: rig.files.copy(), store: rig.store })
    await isQuarantined(restarted)
    assert.equal((await restarted.sign({ key: 'other' })).status, 200)
  })
}

test('T37 a row that is gone, or belongs to another key, quarantines as well', async () => {
  for (const change of ['gone', 'swapped'] as const) {
    const store = openMemoryStore()
    const keys = {
      ...store.keys,
      envelope: async (id: string) => {
        const row = await store.keys.envelope(id)
        if (change === 'gone' || row === undefined) return undefined
        return { ...row, context: { ...row.context, key: 'another' } }
      },
    }
    const rig = await openRig({ custody: 'envelope', store: { ...store, keys } })
    assert.equal(await codeOf(await rig.sign()), change === 'gone' ? 'key/mismatch' : 'envelope/unreadable')
    await isQuarantined(rig)
    assert.equal(rig.signatures(), 0)
  }
})

test('T37 an honest failure quarantines nobody', async () => {
  const honest: ErrorCode[] = [
    ...(['provider/unavailable', 'provider/ambiguous', 'provider/refused', 'provider/malformed'] as const),
    ...(['key/unsupported', 'internal', 'store/unavailable'] as const),
  ]
  for (const code of honest) {
    assert.ok(!WRONG_ANSWERS.has(code))
    const lie = switched(throws(code))
    const rig = await openRig({ provider: lie.provider })
    assert.equal(await codeOf(await rig.sign()), code)
    lie.on = false
    assert.equal((await rig.sign()).status, 200)
    assert.ok(!(await rig.records()).some(record => record.kind === 'event'))
  }
})

test('T37 100 requests in flight when the first lie arrives: nothing is released after it, one event, every intent closed', async () => {
  for (const lieAt of [0, 17, 99]) {
    const waiting: (() => void)[] = []
    let n = 0
    const rig = await openRig({
      provider: real => ({
        ...real,
        sign: async (...given) => {
          const mine = n++
          const signed = await real.sign(...given)
          await new Promise<void>(resolve => (waiting[mine] = resolve))
          if (mine === lieAt) flip(signed.signature)
          return signed
        },
      }),
    })
    const answers = Array.from({ length: 100 }, () => rig.sign())
    while (Object.keys(waiting).length < 100) await settle()
    // The lie first: from then on every answer that is still with the key service is too late.
    waiting[lieAt]?.()
    while (!(await rig.records()).some(record => record.kind === 'event')) await settle()
    for (const go of waiting) go()
    const codes = await Promise.all((await Promise.all(answers)).map(codeOf))
    assert.equal(codes.filter(code => code === 'signature/unverified').length, 1)
    assert.equal(codes.filter(code => code === 'key/not-active').length, 99)
    const records = await rig.records()
    assert.equal(records.filter(record => record.kind === 'intent').length, 100)
    assert.equal(records.filter(record => record.kind === 'outcome').length, 100)
    assert.equal(records.filter(record => record.kind === 'event').length, 1)
  }
})

test('T37 the lie arrives while good answers are on their way to the disk: recorded, withheld, and the log says so', async () => {
  let n = 0
  let lieToldAt = Number.POSITIVE_INFINITY
  const released: number[] = []
  const rig = await openRig({
    provider: real => ({
      ...real,
      sign: async (...given) => {
        const signed = await real.sign(...given)
        if (++n % 10 === 7) flip(signed.signature)
        return signed
      },
    }),
    audit: real => ({
      get state() {
        return real.state
      },
      close: real.close,
      append: async (...entries) => {
        if (entries.some(entry => entry.kind === 'event' && entry.event === 'key-quarantined'))
          lieToldAt = Math.min(lieToldAt, released.length)
        return real.append(...entries)
      },
    }),
  })
  const answers = await Promise.all(
    Array.from({ length: 100 }, async (_, at) => {
      const response = await rig.sign()
      if (response.ok) released.push(at)
      return codeOf(response)
    }),
  )
  assert.equal(released.length, answers.filter(code => code === 'released').length)
  assert.ok(released.length <= lieToldAt, `${released.length} released, ${lieToldAt} of them before the lie was known`)
  const records = await rig.records()
  const outcomes = records.filter(record => record.kind === 'outcome' && record.result === 'released')
  const events = records.flatMap(record => (record.kind === 'event' ? [record.event] : []))
  assert.equal(events.filter(event => event === 'key-quarantined').length, 1)
  assert.equal(outcomes.length - released.length, events.filter(event => event === 'release-withheld').length)
})

test('T37 the registry cannot be told: in quarantine in this process, told again when somebody asks, and the log remembers', async () => {
  let broken = true
  const options: RigOptions = {
    provider: signs(flip),
    setState:
      real =>
      (...given) =>
        broken ? Promise.reject(new SignerError('store/unavailable', { reason: 'disk I/O error' })) : real(...given),
  }
  const rig = await openRig(options)
  assert.equal(await codeOf(await rig.sign({ idempotencyKey: 'same' })), 'signature/unverified')
  assert.equal(await rig.store.keys.stateOf('treasury', 1), 'active', 'what the registry still says')
  for (let n = 0; n < 3; n++) await isQuarantined(rig)
  const logged = rig.logs.filter(({ event }) => event === 'quarantine-unwritten')
  assert.ok(logged.length >= 4 && logged.every(({ level, code }) => level === 'error' && code === 'store/unavailable'))

  // Dies here: the event is on disk, the state is not.
  await rig.log.close()
  const after = openMemoryStore()
  const row = await rig.store.keys.list()
  for (const { key, version, bindings } of row) await after.keys.add({ key, version, binding: bindings[0] as never })
  const restarted = await openRig({ files: rig.files.copy(), store: { ...after, auditIndex: rig.store.auditIndex } })
  assert.equal(await after.keys.stateOf('treasury', 1), 'quarantined')
  await isQuarantined(restarted)

  // Lives on: the next who asks finds the registry told.
  broken = false
  await isQuarantined(rig)
  assert.equal(await rig.store.keys.stateOf('treasury', 1), 'quarantined')
  await isQuarantined(rig)
})

test('T37 the index head of the log stays behind an event that the registry does not know yet', async () => {
  let broken = true
  const rig = await openRig({
    provider: signs(flip),
    setState:
      real =>
      (...given) =>
        broken ? Promise.reject(new TypeError('not foreseen')) : real(...given),
  })
  await addOther(rig)
  const headSeq = async (): Promise<number> => (await rig.store.auditIndex.head())?.seq ?? 0
  const pass = async (): Promise<void> => {
    await rig.sign({ key: 'treasury' })
    for (let n = 0; n < 20; n++) {
      rig.clock.advance(1_000)
      await settle()
    }
  }
  await pass()
  const event = (await rig.records()).find(record => record.kind === 'event') ?? assert.fail()
  assert.ok((await headSeq()) < event.seq)
  assert.equal(rig.logs.find(({ event: name }) => name === 'quarantine-unwritten')?.['code'], 'unexpected')
  broken = false
  await isQuarantined(rig)
  await pass()
  assert.ok((await headSeq()) >= event.seq)
})

test('T47 the outcome of a lie cannot be recorded: sealed, and in quarantine all the same', async () => {
  const rig = await openRig({
    provider: real => ({
      ...real,
      sign: async (...given) => {
        const signed = await real.sign(...given)
        rig.files.fault = ({ kind }) => (kind === 'write' ? 'EIO' : undefined)
        flip(signed.signature)
        return signed
      },
    }),
  })
  assert.equal(await codeOf(await rig.sign()), 'audit/sealed')
  assert.equal(await rig.store.keys.stateOf('treasury', 1), 'quarantined')
})

for (const state of ['revoked', 'destroyed', 'retired'] as const) {
  test(`I5 the version becomes ${state} while the service lies: it stays ${state}`, async () => {
    const rig = await openRig({
      provider: real => ({
        ...real,
        sign: async (...given) => {
          const signed = await real.sign(...given)
          await rig.store.keys.setState('treasury', 1, state)
          flip(signed.signature)
          return signed
        },
      }),
    })
    assert.equal(await codeOf(await rig.sign()), 'signature/unverified')
    assert.equal(await rig.store.keys.stateOf('treasury', 1), state)
    assert.ok(!(await rig.records()).some(record => record.kind === 'event'))
    assert.equal((await problemOf(await rig.sign()))['state'], state)
  })
}

test('M-61 a successor that is withdrawn while the service lies about it is quarantined as one that waits', async () => {
  const rig = await openRig({
    provider: real => ({
      ...real,
      sign: async (...given) => {
        const signed = await real.sign(...given)
        await rig.store.keys.setState('treasury', 1, 'pending')
        flip(signed.signature)
        return signed
      },
    }),
  })
  assert.equal(await codeOf(await rig.sign()), 'signature/unverified')
  assert.equal(await rig.store.keys.stateOf('treasury', 1), 'quarantined')
  const event = (await rig.records()).find(record => record.kind === 'event')
  assert.equal(event?.kind === 'event' && event.detail['was'], 'pending')
})

test('I5 a version in overlap is quarantined too; one revoked between the lie and the registry stays revoked', async () => {
  const overlap = await openRig({
    provider: real => ({
      ...real,
      sign: async (...given) => {
        await overlap.store.keys.setState('treasury', 1, 'overlap')
        const signed = await real.sign(...given)
        flip(signed.signature)
        return signed
      },
    }),
  })
  assert.equal(await codeOf(await overlap.sign()), 'signature/unverified')
  assert.equal(await overlap.store.keys.stateOf('treasury', 1), 'quarantined')

  const revoked = await openRig({
    provider: signs(flip),
    setState:
      real =>
      async (...given) => {
        await real('treasury', 1, 'revoked')
        return real(...given)
      },
  })
  assert.equal(await codeOf(await revoked.sign()), 'signature/unverified')
  assert.equal(await revoked.store.keys.stateOf('treasury', 1), 'revoked')
  assert.equal((await problemOf(await revoked.sign()))['state'], 'revoked')
})

test('a reservation that cannot be given back once the registry is told concerns nobody who asks', async () => {
  const { keys } = openMemoryStore()
  const logs: Record<string, unknown>[] = []
  let broken = true
  const quarantine = createQuarantine(
    { ...keys, stateOf: async () => 'active' },
    async () => (broken ? Promise.reject(new Error('down')) : true),
    memoryLogger(logs),
  )
  const suspect = { auditId: 'a', actor: { subject: 's', peer: 'p' }, key: 'k', version: 1, binding: 'b' }
  const lie = new SignerError('signature/unverified', { reason: 'r' })
  const arrest = await quarantine.suspect(suspect, lie)
  assert.deepEqual((await quarantine.suspect(suspect, lie)).events, [], 'one event for one key')
  await arrest.enforce(() => Promise.reject(new Error('cannot release')))
  broken = false
  assert.equal(await quarantine.catalogue.stateOf('k', 1), 'quarantined')
  assert.equal(logs.at(-1)?.['event'], 'quarantine-unfinished')
  assert.equal(await quarantine.catalogue.stateOf('k', 1), 'active', 'the registry has the word again')
  await arrest.enforce(async () => void logs.push({ event: 'ran' }))
  assert.equal(logs.at(-1)?.['event'], 'ran')
  assert.deepEqual([await quarantine.catalogue.list(), await quarantine.catalogue.envelope('b')], [[], undefined])
  assert.deepEqual(await quarantine.catalogue.versions(), [])
})

test('T37 nothing a caller can send puts a key in quarantine: 900 payloads, tokens and headers, honest service', async () => {
  const seed = 37
  console.log(`# seed ${seed}`)
  const rng = seeded(seed)
  const rig = await openRig({ log: 'memory', custody: 'envelope' })
  const codes = new Map<string, number>()
  const good = await rig.token()
  for (let n = 0; n < 900; n++) {
    const xdr = n % 3 === 0 ? mutate(rng, EXAMPLE) : EXAMPLE
    const bad = n % 3 === 1 ? `${good.slice(0, rng.int(good.length))}x` : good
    const idempotencyKey = n % 3 === 2 ? String.fromCharCode(33 + rng.int(90)) : `n-${n}`
    const code = await codeOf(await rig.sign({ xdr, token: bad, idempotencyKey }))
    codes.set(code, (codes.get(code) ?? 0) + 1)
  }
  console.log(`# ${JSON.stringify(Object.fromEntries(codes))}`)
  for (const code of codes.keys()) assert.ok(!WRONG_ANSWERS.has(code as ErrorCode), code)
  assert.equal(await rig.store.keys.stateOf('treasury', 1), 'active')
  assert.ok(codes.size >= 5 && (codes.get('released') ?? 0) > 100)
})

test('R-01 a claim that cannot be given back keeps nobody from putting the key in quarantine', async () => {
  const memory = openMemoryStore()
  let broken = false
  const drop = (entry: Parameters<typeof memory.claims.drop>[0]): Promise<void> =>
    broken ? Promise.reject(new SignerError('store/unavailable', { reason: 'gone' })) : memory.claims.drop(entry)
  const store = { ...memory, claims: { ...memory.claims, drop } }
  const rig = await openRig({ store, custody: 'envelope', provider: throws('envelope/unreadable') })
  broken = true
  assert.equal((await problemOf(await rig.sign())).code, 'store/unavailable')
  assert.equal(await store.keys.stateOf('treasury', 1), 'quarantined')
})
