import { secp256k1 } from '@noble/curves/secp256k1.js'
import { afterAll, describe, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { Keypair } from '@stellar/stellar-sdk/base'
import { createAddresses } from '../../../src/compose/addresses.ts'
import { diagnose } from '../../../src/compose/doctor.ts'
import type { Config } from '../../../src/config/schema.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { openLocalKms } from '../../../src/compose/local-kms.ts'
import { jsonLogger } from '../../../src/compose/log.ts'
import { DEMO_KEYS, DEMO_KMS_SEED, demoSeed, EXAMPLE_XDR, isPublishedKey } from '../../../src/compose/demo.ts'
import { replayInto, restorer } from '../../../src/compose/restore.ts'
import { closeAll, running } from '../../../src/compose/running.ts'
import { seedOfFile } from '../../../src/compose/custody.ts'
import { roomSettings, serviceSettings } from '../../../src/compose/settings.ts'
import { createTerminal } from '../../../src/compose/terminal.ts'
import type { AuditRecord } from '../../../src/domain/audit.ts'
import { SignerError } from '../../../src/domain/errors.ts'
import type { VersionState } from '../../../src/domain/key.ts'
import { devPublicKey } from '../../../providers/mock/index.ts'
import { DEVELOPMENT_LABELS } from '../../../providers/development-keys.ts'
import { realWorld } from '../../../src/runtime/world.ts'
import { storePath } from '../../../src/compose/places.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { EXAMPLE_FILE, scratch } from '../../support/cli.ts'
import { sampleAddition } from '../store/samples.ts'

const files = scratch()
afterAll(files.remove)

describe('running', () => {
  test('closes once however often it is asked; everybody hears of the end', async () => {
    let closed = 0
    const up = running({ ready: true }, async () => void closed++)
    const stops = [up.stop(), up.stop()]
    await Promise.all([...stops, up.done, up.stop()])
    expect(closed).toBe(1)
  })

  test('a failed close reaches those who wait, and is no unhandled rejection for those who do not', async () => {
    const up = running({}, () => Promise.reject(new Error('stuck')))
    await expect(up.stop()).rejects.toThrow('stuck')
    await expect(up.done).rejects.toThrow('stuck')
    void running({}, () => Promise.reject(new Error('nobody')))
      .stop()
      .catch(() => {})
    await new Promise(resolve => setImmediate(resolve))
  })

  test('closeAll runs every step in order, also after one that failed, and throws the first failure', async () => {
    const seen: string[] = []
    const step =
      (name: string, fails = false) =>
      async () => {
        seen.push(name)
        if (fails) throw new Error(name)
      }
    await expect(closeAll(step('a'), step('b', true), () => undefined, step('c', true), step('d'))).rejects.toThrow('b')
    expect(seen).toEqual(['a', 'b', 'c', 'd'])
    await closeAll()
  })
})

describe('the demo keys', () => {
  test('T69: every one of them, and every label of the mock, counts as published', () => {
    const publicKeyOf = ({ name, chain }: (typeof DEMO_KEYS)[number]): Uint8Array =>
      chain === 'evm'
        ? secp256k1.getPublicKey(demoSeed(name), false)
        : Keypair.fromRawEd25519Seed(demoSeed(name)).rawPublicKey()
    const ofSeeds = DEMO_KEYS.map(publicKeyOf)
    const native = DEMO_KEYS.filter(key => key.provider === 'mock').map(({ name }) => devPublicKey(name))
    const labels = DEVELOPMENT_LABELS.map(label => devPublicKey(label))
    // A native key of the mock follows from its label; all others from their seeds.
    const inUse = [...ofSeeds.filter((_, at) => DEMO_KEYS[at]?.name !== 'demo-mock'), native[0]]
    for (const key of [...inUse, ...labels]) expect(isPublishedKey(key as Uint8Array)).toBe(true)
    expect(isPublishedKey(Keypair.random().rawPublicKey())).toBe(false)
    expect(isPublishedKey(secp256k1.getPublicKey(secp256k1.utils.randomSecretKey(), false))).toBe(false)
  })

  test('the example in the binary is the file in the repository; the seed document is one local-kms takes', async () => {
    expect(EXAMPLE_XDR).toBe(readFileSync(EXAMPLE_FILE, 'utf8').trim())
    await (await openLocalKms({ seed: DEMO_KMS_SEED })).close()
  })
})

describe('T37 quarantine in the log', () => {
  const event = (name: string, detail: object) =>
    ({ kind: 'event', auditId: 'a', event: name, actor: {}, detail }) as unknown as AuditRecord
  const about = { key: 'treasury', version: 1 }
  const [into, out] = [event('key-quarantined', about), event('key-restored', about)]
  const replayed = async (start: VersionState, ...records: readonly AuditRecord[]) => {
    const store = openMemoryStore()
    await store.keys.add(sampleAddition('treasury'))
    await store.keys.setState('treasury', 1, start)
    const replay = replayInto(store)
    for (const record of records) await replay(record)
    return store.keys.stateOf('treasury', 1)
  }

  test('the last word wins, however often it is read, and nothing brings back what was revoked', async () => {
    for (const start of ['active', 'overlap', 'quarantined'] as const) {
      expect(await replayed(start, into)).toBe('quarantined')
      expect(await replayed(start, into, out)).toBe('active')
      expect(await replayed(start, into, out, into, into)).toBe('quarantined')
      expect(await replayed(start, into, out, into, out, into, out)).toBe('active')
    }
    for (const start of ['revoked', 'destroyed', 'retired', 'pending'] as const) {
      expect(await replayed(start, into)).toBe(start)
      expect(await replayed(start, into, out)).toBe(start)
    }
  })

  test('other events, details that are not ours and keys that are gone change nothing; a store that fails is told', async () => {
    const odd = [
      event('key-registered', about),
      event('key-quarantined', { key: 7, version: 1 }),
      event('key-quarantined', { key: 'treasury', version: '1' }),
      event('key-quarantined', { key: 'gone', version: 1 }),
      event('key-quarantined', { key: 'treasury', version: 2 }),
    ]
    expect(await replayed('active', ...odd)).toBe('active')
    const store = openMemoryStore()
    const down = () => Promise.reject(new SignerError('store/unavailable', { reason: 'down' }))
    const replay = replayInto({ ...store, keys: { ...store.keys, setState: down } })
    await expect(replay(into)).rejects.toThrow('store/unavailable')
  })
})

describe('restore', () => {
  const entry = { scope: 's', key: 'k', fingerprint: 'f'.repeat(64) }
  const time = '2026-11-22T00:00:00.000Z'
  const at = Date.parse(time)
  const record = (more: object) =>
    ({ seq: 1, time, instance: 'i', prev: '', requestId: 'r_1', auditId: 'a_1', ...more }) as unknown as AuditRecord
  const intent = record({ kind: 'intent', idempotency: entry })
  const released = {
    kind: 'outcome',
    result: 'released',
    signature: 'c2ln',
    key: 'treasury',
    version: 1,
    provider: 'aws',
    custody: 'native',
  }
  const reserve = (store: ReturnType<typeof openMemoryStore>) => store.idempotency.reserve({ ...entry, at })

  test('a release is kept with its answer', async () => {
    const store = openMemoryStore()
    const restore = restorer(store.idempotency, store.claims)
    for (const one of [intent, record(released)]) await restore(one)
    expect(await reserve(store)).toEqual({
      kind: 'replay',
      result: {
        signature: 'c2ln',
        key: 'treasury',
        version: 1,
        provider: 'aws',
        custody: 'native',
        auditId: 'a_1',
        requestId: 'r_1',
      },
    })
  })

  for (const result of ['refused', 'failed', 'interrupted']) {
    test(`after ${result} the same request may come again, another one under its key may not`, async () => {
      const store = openMemoryStore()
      const restore = restorer(store.idempotency, store.claims)
      for (const one of [intent, record({ kind: 'outcome', result })]) await restore(one)
      expect(await store.idempotency.reserve({ ...entry, fingerprint: 'e'.repeat(64), at })).toEqual({
        kind: 'mismatch',
      })
      expect(await reserve(store)).toEqual({ kind: 'reserved' })
    })
  }

  test('an intent alone, an outcome alone, an intent without a key and events leave nothing', async () => {
    const store = openMemoryStore()
    const restore = restorer(store.idempotency, store.claims)
    for (const one of [
      record(released),
      intent,
      record({ kind: 'event' }),
      record({ kind: 'intent', auditId: 'a_2' }),
      record({ ...released, auditId: 'a_2' }),
    ])
      await restore(one)
    expect(await reserve(store)).toEqual({ kind: 'reserved' })
  })

  test('a release on record without its signature is treated as one that cannot be replayed', async () => {
    const store = openMemoryStore()
    const restore = restorer(store.idempotency, store.claims)
    for (const one of [intent, record({ ...released, signature: undefined })]) await restore(one)
    expect(await reserve(store)).toEqual({ kind: 'reserved' })
  })
})

describe('settings', () => {
  const env = { COUNTERSIGN_ENVIRONMENT: 'staging', COUNTERSIGN_LIMITS_IDEMPOTENCY_HOURS: '48' }
  const load = (more: Record<string, string> = {}) =>
    loadConfig({ env: { ...env, ...more }, readFile: path => readFileSync(path, 'utf8') })

  test('what the configuration says reaches the room, also how long answers are kept', async () => {
    const settings = roomSettings(await load({ COUNTERSIGN_DATA_DIRECTORY: '/d', COUNTERSIGN_AUDIT_INSTANCE: 'one' }))
    expect(settings).toMatchObject({
      environment: 'staging',
      dataDirectory: '/d',
      instance: 'one',
      keptMs: 48 * 3_600_000,
    })
  })

  test('what is missing for serve is named all at once', async () => {
    const config = await load()
    const paths = (body: () => unknown) => {
      try {
        return body()
      } catch (error) {
        return (error as { detail: { problems: { path: string }[] } }).detail.problems.map(({ path }) => path)
      }
    }
    expect(paths(() => roomSettings(config))).toEqual(['data.directory'])
    expect(paths(() => serviceSettings(config, realWorld()))).toEqual(['data.directory', 'tokens', 'providers'])
  })
})

describe('the logger', () => {
  test('a line a fact, the level kept, and what is secret by its name left out', () => {
    const lines: string[] = []
    const log = jsonLogger('debug', line => void lines.push(line))
    log.debug('a', { token: 'canary', deep: { seed: 'canary', authorization: 'canary' } })
    log.info('b', { authorization: 'canary', secret: 'canary', plain: 'kept' })
    log.warn('c')
    log.error('d', { n: 1 })
    expect(lines.map(line => (JSON.parse(line) as { msg: string }).msg)).toEqual(['a', 'b', 'c', 'd'])
    expect(lines.join('')).not.toContain('canary')
    expect(lines.join('')).toContain('kept')
    const quiet: string[] = []
    jsonLogger('error', line => void quiet.push(line)).warn('nothing')
    expect(quiet).toEqual([])
  })
})

describe('the terminal', () => {
  const terminal = createTerminal({
    write: async () => {},
    isTerminal: () => true,
    readStdin: async () => new Uint8Array(2),
  })

  test('a secret file is 0600 from the first moment, whatever the umask, and no file is overwritten', async () => {
    const path = files.path('secret')
    const before = process.umask(0)
    await terminal.writeSecretFile(path, new Uint8Array([1, 2]))
    process.umask(before)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    await expect(terminal.writeSecretFile(path, new Uint8Array())).rejects.toMatchObject({ code: 'EEXIST' })
    expect([...(await terminal.readFile(path))]).toEqual([1, 2])
    expect((await terminal.readInput(9)).length).toBe(2)
    expect(terminal.interactive).toBe(true)
    await terminal.err('x')
    await terminal.out('x')
  })
})

describe('seedOfFile', () => {
  test('takes the S… form with any line end, PKCS#8, 32 raw bytes; wipes what it was given', () => {
    const pair = Keypair.random()
    const der = new Uint8Array([...Buffer.from('302e020100300506032b657004220420', 'hex'), ...pair.rawSecretKey()])
    const text = (end: string) => new TextEncoder().encode(pair.secret() + end)
    for (const file of [text(''), text('\n'), text('\r\n'), text('\n\n'), der, Uint8Array.from(pair.rawSecretKey())]) {
      const seed = seedOfFile(file, 'x')
      expect(seed.use(bytes => Buffer.from(bytes).equals(Buffer.from(pair.rawSecretKey())))).toBe(true)
      expect(file.every(byte => byte === 0)).toBe(true)
      seed.wipe()
    }
    const bad = new TextEncoder().encode('nothing of the kind')
    expect(() => seedOfFile(bad, 'x')).toThrow('holds no Ed25519 seed')
    expect(bad.every(byte => byte === 0)).toBe(true)
  })
})

test('local-kms: what is no mistake of the caller is passed on as it is', async () => {
  await expect(
    openLocalKms({
      clock: {
        now: () => {
          throw new Error('a fault')
        },
      } as never,
    }),
  ).rejects.toThrow('a fault') // prettier-ignore
  const locked = files.path('locked.json')
  writeFileSync(locked, '{}')
  chmodSync(locked, 0o600)
  await expect(openLocalKms({ persist: locked })).rejects.toThrow()
})

describe('the address of a key in a key service', () => {
  test('a token in a file is read, as the service reads it', async () => {
    writeFileSync(files.path('token'), 'hvs.from-a-file\n')
    const tokens: (string | null)[] = []
    const world = {
      ...realWorld(),
      fetch: async (_url: string, init: RequestInit) => {
        tokens.push(new Headers(init.headers).get('x-vault-token'))
        return Response.json({ errors: ['1 error occurred:\n\t* permission denied\n\n'] }, { status: 403 })
      },
    }
    const vault = { kind: 'vault-transit', address: 'http://127.0.0.1:1', tokenFile: files.path('token') } as const
    const config = { environment: 'production', providers: { vault } } as unknown as Config
    const error = await createAddresses(world)
      .ofKey(config, 'vault', 'transit/treasury@1')
      .catch((each: unknown) => each)
    expect((error as SignerError).code).toBe('provider/refused')
    expect(tokens).toEqual(['hvs.from-a-file'])
  })
})

describe('doctor', () => {
  test('stopped while one provider was examined: the next one is not asked any more', async () => {
    const stop = new AbortController()
    let asked = 0
    const world = {
      ...realWorld(),
      fetch: async () => {
        asked++
        stop.abort()
        return Response.json({ errors: [] }, { status: 404 })
      },
    }
    const vault = { kind: 'vault-transit', address: 'http://127.0.0.1:1', token: new Secret('t', 't') } as const
    const config = { environment: 'development', data: {}, providers: { one: vault, two: vault } } as unknown as Config
    const patient = { reference: 'transit/treasury@1', use: 'sign' } as const
    for await (const _ of diagnose(config, { refusals: [], warnings: [], patient, signal: stop.signal }, world))
      continue
    expect(asked).toBe(1)
  })

  test('a store of an older version is left as it is, and the key services are asked all the same', async () => {
    const path = files.path('older')
    mkdirSync(path, { mode: 0o700 })
    ;(await openSqliteStore({ path: storePath(path), clock: realWorld().clock })).close()
    const database = new DatabaseSync(storePath(path))
    database.exec('DELETE FROM kysely_migration WHERE name = (SELECT max(name) FROM kysely_migration)')
    database.close()
    const world = { ...realWorld(), fetch: async () => Response.json({ errors: [] }, { status: 404 }) }
    const vault = { kind: 'vault-transit', address: 'http://127.0.0.1:1', token: new Secret('t', 't') } as const
    const config = { environment: 'development', data: { directory: path }, providers: { vault } } as unknown as Config
    const found: string[] = []
    const { signal } = new AbortController()
    for await (const { check, outcome, meaning } of diagnose(config, { refusals: [], warnings: [], signal }, world))
      found.push(`${check} ${outcome} ${meaning ?? ''}`)
    expect(
      found.some(text => /^configuration failed the keys of the registry are not known.*older version/.test(text)),
    ).toBe(true)
    expect(found.some(text => text.startsWith('reachable'))).toBe(true)
  })
})
